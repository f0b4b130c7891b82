/* exch/ban: whoever judges clients may have one banned: limits, and whatever
 * else refuses for good reasons. */
#ifndef GH_BAN_H
#define GH_BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/store/bans.h"

struct exch;

/* The client of x is not heard for so long, by any worker; its own connection
 * ends after the answer. Nothing happens to a proxy that is trusted, to a client
 * without an address, and in a dry run. */
void ban_client(struct exch *x, enum ban_why why, uint64_t for_ms);
/* Whether the client of x, as believed, is banned. */
bool ban_holds(const struct exch *x);

#endif
