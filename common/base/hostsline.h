/* base/hostsline: what tells a line of hosts(5) from one of a plain list of
 * names: lists of hosts come in both forms. */
#ifndef GH_HOSTSLINE_H
#define GH_HOSTSLINE_H

#include <stdbool.h>

#include "common/base/span.h"

/* An address, with the zone that some lists have ("fe80::1%lo0"). */
bool hostsline_is_address(span word);
/* One that leads nowhere, as lists of hosts to be shut out have it: 0.0.0.0,
 * 127.0.0.1, ::, ::1. */
bool hostsline_is_nowhere(span word);
/* A name of the machine itself ("localhost", "ip6-allnodes"). */
bool hostsline_is_own(span word);

#endif
