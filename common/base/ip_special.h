/* base/ip_special: which addresses are of the internet, and which are of the
 * own machine, the own network, or nobody. */
#ifndef GH_IP_SPECIAL_H
#define GH_IP_SPECIAL_H

#include "common/base/ip.h"

/* What the address is instead of one of the internet, a constant ("private");
 * NULL: it is one. An address of IPv6 that stands for one of IPv4 (RFC 6052) is
 * what that one is; all outside of 2000::/3 is nobody's (RFC 4291 2.4). */
const char *ip_special(const struct ip *ip);

#endif
