/* net/dns: names to addresses over c-ares, inside the loop. Channels are made
 * after fork. Answers carry the smallest TTL of their chain.
 * A name "_service._proto.domain" is a service (RFC 2782): its SRV records tell
 * its targets, and these have the addresses. */
#ifndef GH_DNS_H
#define GH_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/net/loop.h"
#include "common/net/sock.h"

/* Addresses kept of one answer; targets of a service, of which each has room
 * for both families. */
#define DNS_ADDRS_MAX 32
#define DNS_TARGETS_MAX 16
#define DNS_NAME_MAX 253
/* Name of an address below ip6.arpa or in-addr.arpa, with room for a NUL. */
#define DNS_REVERSE_CAP 73
/* What is said to live longer is asked for again. */
#define DNS_TTL_MAX_S (24u * 3600)

enum dns_rc {
	DNS_OK,
	DNS_NOT_FOUND, /* said not to exist */
	DNS_FAILED, /* no usable answer, or one without addresses */
	DNS_TIMEOUT
};

/* Where a service is: the next n addresses of its answer. */
struct dns_target {
	uint16_t priority; /* the lowest is asked first */
	uint16_t weight; /* its share beside others of that priority */
	uint16_t port;
	uint16_t n; /* at least 1 */
};

struct dns_answer {
	enum dns_rc rc;
	uint32_t ttl_s; /* at most DNS_TTL_MAX_S; 0 when the source (a hosts
	                   file) knows none */
	uint32_t n;
	struct ip
	    addrs[DNS_ADDRS_MAX]; /* IPv4 and IPv6 as the resolver sorts */
	uint32_t n_targets; /* 0: no service; all addresses are alike */
	struct dns_target targets[DNS_TARGETS_MAX]; /* by priority */
	uint8_t host_len; /* of a question for an address: its one name */
	char host[DNS_NAME_MAX];
};

/* Whether its numbers fit together, wherever they come from. */
bool dns_answer_is_whole(const struct dns_answer *a);
/* The i-th address, below a->n; `port` is that of all that tell none. */
void dns_answer_addr(const struct dns_answer *a, uint32_t i, uint16_t port,
    struct sock_addr *out);

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

/* `c` must live as long. Before the process is confined: the library takes chance
 * for its questions from a file. NULL when it refuses. */
struct dns *dns_new(struct loop *l, const struct dns_conf *c);
/* Pending queries end without their callback. */
void dns_free(struct dns *d);
/* Ask these name servers, "addr[:port]" separated by blanks, from now on; empty
 * for those of its dns_conf. Queries that run end as failed. false: the library
 * refuses. */
bool dns_use_servers(struct dns *d, span servers);
/* Resolve A and AAAA of a name (at most 253 bytes), of a service its SRV and
 * those of its targets. The callback comes later,
 * never from inside this call. NULL when out of room (bounded number of
 * pending queries): ask again later. */
struct dns_query *dns_resolve(struct dns *d, span name, dns_f *fn, void *self);
/* Ask for the name of an address (PTR): as above. OK: it has exactly one, which
 * stands in the answer, without addresses. */
struct dns_query *dns_reverse(
    struct dns *d, const struct ip *ip, dns_f *fn, void *self);
/* The name under which that is asked for. */
span dns_reverse_name(const struct ip *ip, char out[DNS_REVERSE_CAP]);
/* The callback will not come. */
void dns_cancel(struct dns_query *q);

#endif
