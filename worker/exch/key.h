/* exch/key: whom something counts: a template that makes a key of an exchange,
 * for limits, bandwidths and quotas. */
#ifndef GH_KEY_H
#define GH_KEY_H

#include <stdbool.h>

#include "common/base/span.h"
#include "worker/exch/tmpl.h"

struct exch;

/* Bits of an address of IPv6 that are one client, where nothing else is told:
 * the network that it is given as a whole, in which it can take any address. */
#define KEY_IPV6_PREFIX 64u

/* The key, in the exchange's arena; so many bits of an address of IPv6 tell one
 * from another. Every piece ends with the end of a line, which none can hold:
 * no client can make its key look like another one's. */
span key_render(struct exch *x, const struct tmpl *key, unsigned ipv6_prefix);

/* A key that key_render() made, to be read, as its template is written;
 * of what somebody is let in by (Authorization, X-Api-Key, a cookie) no more than
 * its begin. */
span key_tell(struct exch *x, const struct tmpl *key, span rendered);

/* Whether it has no value before somebody has said who the request is from. */
bool key_is_of_user(const struct tmpl *key);

#endif
