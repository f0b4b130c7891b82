/* base/service_name: names of services, "_service._proto.domain" (RFC 2782). */
#ifndef GH_SERVICE_NAME_H
#define GH_SERVICE_NAME_H

#include <stdbool.h>

#include "common/base/span.h"

bool service_name_is(span name);
/* The domain of a service; of all else the name itself: whom a certificate is
 * for, since what SRV records say is not proven (RFC 9525 6.1). Part of it. */
span service_name_domain(span name);

#endif
