/* base/ip: addresses and prefixes of IPv4 and IPv6 in one form: 16 bytes, IPv4
 * as ::ffff:a.b.c.d. No names, no sockets. */
#ifndef GH_IP_H
#define GH_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

#define IP_TEXT_CAP 46 /* longest text of an address, with room for a NUL */

struct ip {
	uint8_t b[16];
};

/* `bits` counts in the 128-bit form: 10.0.0.0/8 has bits 104. */
struct ip_prefix {
	struct ip ip;
	uint8_t bits;
};

bool ip_is_v4(const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);
/* Dotted quad (four decimal parts, no leading zeros) or RFC 4291 text, without
 * brackets, zone or port. An IPv4-mapped text becomes the IPv4 address. */
bool ip_parse(span s, struct ip *out);
/* Canonical text (RFC 5952; IPv4 dotted) with NUL; returns its length. */
size_t ip_format(const struct ip *ip, char out[IP_TEXT_CAP]);
/* "10.0.0.0/8", "2001:db8::/32" or a bare address. Host bits must be 0. */
bool ip_prefix_parse(span s, struct ip_prefix *out);
/* Clear all but the first `bits` of its 128 bits. */
void ip_mask(struct ip *ip, unsigned bits);
/* What stands for one client: an address, or of IPv6 the /64 that a client is
 * given as a whole, and any address of which it can take. */
struct ip ip_client(const struct ip *ip);
bool ip_prefix_has(const struct ip_prefix *p, const struct ip *ip);

#endif
