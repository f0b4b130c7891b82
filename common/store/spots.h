/* store/spots: where the addresses of a server that is a name stand. The name
 * has so many spots, each of which is a server to all others (store/upstate);
 * an answer of a name server fills them, and an address that stays keeps its
 * spot. The steward puts it (master/resolver), all workers read.
 * A name is known by its id (registry kind "spots"). Protocol and repair:
 * doc/shm.md 6.16. */
#ifndef GH_SPOTS_H
#define GH_SPOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/net/dns.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/upstate.h"

/* Addresses of one name that are used. */
#define SPOTS_PER_NAME 8u
/* Names of all upstreams of all living generations. */
#define SPOTS_MAX (UPSTATE_SERVERS_MAX / SPOTS_PER_NAME)
/* The largest share. */
#define SPOT_SHARE_MAX 1000u

/* One host. */
struct spot {
	struct ip ip[2]; /* two of them: one of each family */
	uint16_t n; /* addresses; 0: nobody stands there */
	uint16_t port; /* of a target of a service; 0: that of the server */
	uint16_t share; /* of requests, beside the others of its rank */
	uint16_t zero;
	uint32_t rank; /* the lowest that is fit is asked */
};

/* All of a name. */
struct spots_set {
	struct spot at[SPOTS_PER_NAME];
	uint32_t n_ignored; /* hosts that found no spot */
	uint32_t is_known; /* an answer was put */
	uint32_t is_failing; /* none was, and the last question had none */
};

struct spots;

/* Map the table; in the master (may_make) it is made. NULL with errno. */
struct spots *spots_open(struct segment *s, bool may_make);
void spots_free(struct spots *t);
/* For registry_open(): the spots of a new name are there and empty. */
bool spots_ready(void *self, uint32_t id);

/* A copy as it was at one moment. false: it is being written all the time, or
 * is not whole; what was read before goes on. */
bool spots_read(const struct spots *t, uint32_t id, struct spots_set *out);

/* Whose spots an answer is for. */
struct spots_name {
	uint32_t id;
	uint32_t servers[SPOTS_PER_NAME]; /* ids of store/upstate */
};

/* Who puts. */
struct spots_by {
	const struct slots *slots;
	struct slot_name me;
	struct upstate *upstate;
};

enum spots_rc {
	SPOTS_SAME, /* all stand there already */
	SPOTS_CHANGED, /* *out is what stands there now */
	SPOTS_BUSY /* to be put again */
};

/* Put the hosts of an answer; without any, all go. What a new address finds of
 * numbers and health is that of a new server. `out` may be NULL. */
enum spots_rc spots_put(struct spots *t, const struct spots_by *by,
    const struct spots_name *name, const struct dns_answer *a,
    struct spots_set *out);

/* A question had no answer: whoever waits for the first one need not. What was
 * put before stays. */
void spots_fail(struct spots *t, const struct spots_by *by, uint32_t id);

/* Mend what a dead process held: what it wrote last is dropped, and all spots
 * of that name are empty until somebody puts again. Steward only; may be
 * repeated. */
void spots_repair(struct spots *t, const struct spots_by *by, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool spots_check(const struct spots *t);

/* --- what an answer says: spots_hosts.c ----------------------------------- */

/* Its hosts, up to DNS_ADDRS_MAX in `out`; returns how many. One IPv4 and one
 * IPv6 address are one host; of more addresses each is one. */
uint32_t spots_hosts(
    const struct dns_answer *a, struct spot out[DNS_ADDRS_MAX]);
/* Its addresses, as an answer of their own. */
void spot_answer(const struct spot *s, struct dns_answer *out);
/* Whether it is the same server. */
bool spot_is(const struct spot *a, const struct spot *b);

#endif
