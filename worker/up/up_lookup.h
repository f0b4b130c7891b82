/* up/up_lookup: the addresses of a name, asked for when first needed and again
 * when the answer's time is over. Old addresses serve on while the name servers
 * say nothing (RFC 8767), and for the moment that a refresh takes; a name that
 * is said not to exist has no address any more. Called by up_name.c. */
#ifndef GH_UP_LOOKUP_H
#define GH_UP_LOOKUP_H

#include <stdbool.h>

#include "common/net/dns.h"
#include "common/store/spots.h"
#include "worker/up/up_group.h"

struct up_lookup;

/* For the server, and for those of the spots of its name, whose first it is. */
struct up_lookup *up_lookup_new(struct up_server *s);
/* For addresses that stay so: nobody is asked. At most DNS_ADDRS_MAX. */
struct up_lookup *up_lookup_new_fixed(
    struct up_server *s, const struct ip *ips, uint32_t n);
void up_lookup_free(struct up_lookup *l);

/* Whether addresses are at hand; as up_server_find(). */
enum up_name_rc up_lookup_find(struct up_lookup *l, struct up_waiter *wait);
/* Until the next answer comes, the addresses whose time is over serve. false:
 * there are none. */
bool up_lookup_make_do(struct up_lookup *l);
/* The last good answer; without addresses: there is none. Valid until the loop
 * turns. */
const struct dns_answer *up_lookup_answer(const struct up_lookup *l);
/* What stands in the spots of the name, as far as it can be read now; false: as
 * it was. What this worker knows stands there, too, when nobody put it yet. */
bool up_lookup_spots(struct up_lookup *l, struct spots_set *out);

#endif
