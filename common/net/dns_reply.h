/* net/dns_reply: the servers of a service (SRV, RFC 2782) or the name of an
 * address (PTR) out of one reply of a name server, behind a chain of aliases
 * (RFC 1035 4.1). Ours, for the library tells no lifetimes of them. No sockets,
 * no clock, no memory. */
#ifndef GH_DNS_REPLY_H
#define GH_DNS_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/dns.h"

/* One record. */
struct dns_srv {
	uint16_t priority; /* the lowest is asked first */
	uint16_t weight;
	uint16_t port; /* never 0 */
	uint8_t target_len;
	char target[DNS_NAME_MAX]; /* lower case, without the last dot */
};

struct dns_srvs {
	uint32_t ttl_s; /* the least of the records and of the aliases */
	uint32_t n;
	struct dns_srv at[DNS_TARGETS_MAX]; /* by priority; of too many
	                                       the first ones */
};

/* Read what a reply says of `name`. OK: out->n > 0. NOT_FOUND: the name does
 * not exist, or its service is not offered there (RFC 2782, target ".").
 * FAILED: the reply answers another question, is malformed, or has no such
 * record. Text of targets has letters, digits, '-', '_' and dots only. */
enum dns_rc dns_reply_srv(span reply, span name, struct dns_srvs *out);

/* The one name that an address has. */
struct dns_ptr {
	uint32_t ttl_s; /* as above */
	uint8_t len;
	char text[DNS_NAME_MAX]; /* as a target above */
};

/* The same of the name of an address. FAILED also where it has several: which
 * of them it is called by, nobody could say. */
enum dns_rc dns_reply_ptr(span reply, span name, struct dns_ptr *out);

#endif
