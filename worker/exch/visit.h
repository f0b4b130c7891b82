/* exch/visit: what a client did of late (store/visits): how often it asked for
 * what is not there, and for how many different paths. A client is an address,
 * or of IPv6 its /64. */
#ifndef GH_VISIT_H
#define GH_VISIT_H

#include "common/store/visits.h"

struct exch;

/* Before this request; nothing in a dry run, and of a client without an
 * address. */
struct visits_rates visit_rates(const struct exch *x);
/* The exchange is over. */
void visit_note(const struct exch *x);

#endif
