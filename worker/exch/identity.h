/* exch/identity: who a request is from, and where a forward proxy's request
 * goes: what stages may have to wait for. One seam, so that the ACLs, which
 * stop at a term that needs an identity or an address, know nothing of how
 * either is found out, and nobody finds it out twice.
 *
 * need_user and need_address are called by a stage and answered as by one:
 * NEXT: it is known now what there is to know; WAIT: something will kick the
 * exchange, whose stage runs again and asks again; REPLY: a challenge stands in
 * x->resp; FAULT: exch_fault() was called. In a dry run (x->sink) they do not
 * wait. */
#ifndef GH_IDENTITY_H
#define GH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/ip.h"
#include "common/base/span.h"
#include "worker/exch/verdict.h"

struct exch;

/* One thing that is said of somebody. */
struct exch_claim {
	span name;
	span value;
};

/* Somebody who has proved who they are. In the exchange's arena or in memory of
 * the plan. */
struct exch_user {
	span
	    name; /* as `user` of [acl], {user} and the logs have it; never empty */
	const span *groups;
	uint32_t n_groups;
	span auth; /* the [auth] that believed it */
	const struct exch_claim *claims; /* what else it said of them */
	uint32_t n_claims;
};

/* A [auth], compiled: how a scope asks who somebody is. */
struct plan_auth {
	span name;
	struct place at;
	/* As need_user below. Sets x->user when it is known who it is; REPLY
	 * when it is not. Never NEXT without x->user. */
	enum verdict (*ask)(struct exch *x, const struct plan_auth *a);
	const void *conf; /* of the scheme (worker/auth) */
};

/* Addresses of one host that are kept; others are as if not there. */
#define DESTINATION_IPS_MAX 8

/* Where a request of a forward proxy goes, as its target says; nothing else of
 * the request (Host) has a say. */
struct exch_destination {
	span
	    host; /* lower case, no brackets, no final dot; a literal address in
	              its one spelling */
	uint16_t port;
	bool is_literal; /* host is an address */
	bool is_resolved; /* ips hold what there is, maybe nothing */
	bool is_claimed; /* that host is at these addresses is what the client
	                    says, and nobody else */
	uint16_t n_ips;
	/* What was judged is what is connected to: nobody asks for the name a
	 * second time. */
	struct ip ips[DESTINATION_IPS_MAX];
	/* Who asks it in our place: a proxy behind this one; NULL: we do. */
	const struct upstream *parent;
	span via; /* of a tunnel: what the parent is told as Via; or empty */
	/* Begins to resolve it or waits for that; of whoever made this. */
	enum verdict (*resolve)(struct exch *x);
};

/* A copy that lives as long as the arena; NULL of NULL. */
const struct exch_user *identity_copy(
    const struct exch_user *u, struct arena *a);

/* x->user is set, unless the scope's settings (x->set->auth) name nobody who
 * could ask: then it stays NULL, and nobody is anybody. */
enum verdict identity_need_user(struct exch *x);

/* x->destination->ips hold what its host stands for; a request for a site of
 * ours has no destination and no such address. */
enum verdict identity_need_address(struct exch *x);

#endif
