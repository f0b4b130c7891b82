/* net/dns: names to addresses over c-ares, inside the loop. Channels are made
 * after fork. Answers carry the smallest TTL of their chain. */
#ifndef GH_DNS_H
#define GH_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/net/loop.h"

/* Addresses kept of one answer. */
#define DNS_ADDRS_MAX 16

enum dns_rc {
	DNS_OK,
	DNS_NOT_FOUND, /* said not to exist */
	DNS_FAILED, /* no usable answer, or one without addresses */
	DNS_TIMEOUT
};

struct dns_answer {
	enum dns_rc rc;
	uint32_t ttl_s; /* 0 when the source (a hosts file) knows none */
	uint32_t n;
	struct ip
	    addrs[DNS_ADDRS_MAX]; /* IPv4 and IPv6 as the resolver sorts */
};

/* What the system says of names, read once from its files, so that resolving
 * opens none: name servers, search list, and the hosts file. */
struct dns_conf;
struct dns;
struct dns_query;

typedef void dns_f(void *self, const struct dns_answer *answer);

/* Read the system's files now. `servers`: "addr[:port]" separated by blanks,
 * instead of the system's; empty for those. NULL when the library refuses. */
struct dns_conf *dns_conf_new(span servers);
void dns_conf_free(struct dns_conf *c);

/* `c` must live as long. NULL when the library refuses. */
struct dns *dns_new(struct loop *l, const struct dns_conf *c);
/* Pending queries end without their callback. */
void dns_free(struct dns *d);
/* Ask these name servers, "addr[:port]" separated by blanks, from now on; empty
 * for those of its dns_conf. Queries that run end as failed. false: the library
 * refuses. */
bool dns_use_servers(struct dns *d, span servers);
/* Resolve A and AAAA of a name (at most 253 bytes). The callback comes later,
 * never from inside this call. NULL when out of room (bounded number of
 * pending queries): ask again later. */
struct dns_query *dns_resolve(struct dns *d, span name, dns_f *fn, void *self);
/* The callback will not come. */
void dns_cancel(struct dns_query *q);

#endif
