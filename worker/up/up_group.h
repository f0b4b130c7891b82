/* up/up_group: an upstream as one worker sees it. */
#ifndef GH_UP_GROUP_H
#define GH_UP_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/net/dns.h"
#include "common/net/loop.h"
#include "common/net/sock.h"
#include "worker/exch/fault.h"
#include "worker/up/lb.h"
#include "worker/up/up.h"
#include "worker/up/up_pause.h"

struct tls_remote;
struct up_any;
struct up_fitness;
struct up_name;
struct up_sticky;

struct up_server {
	const struct up_server_conf *conf;
	struct up_group *group;
	struct list idle; /* pooled connections, last used first */
	uint32_t n_idle;
	struct list conns; /* of HTTP/2, as long as they take requests */
	uint32_t n_conns;
	uint32_t
	    streams_max; /* on each of them, as one of them was told last */
	struct list waiting; /* exchanges that wait for room on these */
	struct up_name *name; /* NULL: the address is fixed */
	struct tls_remote *remote; /* NULL: it speaks no TLS */
};

struct up_group {
	const struct upstream *conf;
	struct worker *w;
	struct up_server *servers;
	uint32_t *weights; /* of each server, as it is now: up_weight.c */
	uint32_t weights_no; /* another one when any of them changed */
	void *lb_state;
	struct up_fitness *fitness;
	struct up_sticky *sticky; /* NULL: sessions are nothing to it */
	uint64_t quiet_until_ms; /* no word of a spent retry budget before */
	bool is_retiring;
	struct list queued; /* tries that wait for a place, the first first */
	struct timer look; /* while there are any: see up_queue.c */
	struct up_away away;
	uint32_t *n_idle_all; /* of this and others, who bound them together;
	                         NULL: it stands alone */
	uint32_t n_mirrors; /* copies of requests that are under way to it */
};

struct up_worker {
	struct worker *w;
	struct up_group *groups; /* by upstream.index */
	uint32_t n_groups;
	struct list mirrors; /* of all groups */
	struct up_any *any; /* groups of a forward proxy: up_any.c */
};

/* --- life: up_group.c ----------------------------------------------------- */

/* In memory that is zeroed; `servers` too, one for each of u->servers and with
 * its .conf set. */
void up_group_open(struct up_group *g, struct worker *w,
    const struct upstream *u, struct up_server *servers);
/* Close what is pooled. */
void up_group_drain(struct up_group *g);
/* Nobody uses it any more. The servers are the caller's again. */
void up_group_close(struct up_group *g);

/* Pick a server for the exchange: the one that its session belongs to, else the
 * policy's choice among those that are fit and not in `skip`, backups when no
 * other is left. NULL when none is. */
struct up_server *up_group_pick(
    struct up_group *g, struct exch *x, const uint64_t *skip);
/* One that is not in `skip` though it be ejected or down by its checks, for a
 * request that all others have failed; never what the operator took out. NULL
 * when there is none, or panic = 0%. */
struct up_server *up_group_pick_unfit(
    struct up_group *g, struct exch *x, const uint64_t *skip);

/* --- weights: up_weight.c ------------------------------------------------- */

/* As configured; behind .conf and .w, in front of the policy. */
void up_weights_open(struct up_group *g);
void up_weights_close(struct up_group *g);
/* See what the operator wants by now. */
void up_weights_look(struct up_group *g);
/* Of server i, 1 .. UP_WEIGHT_MAX; 0: there is none (up_group_has()). What a
 * policy made of all of them is good as long as weights_no stays. */
static inline uint32_t
up_server_weight(const struct up_group *g, uint32_t i)
{
	return g->weights[i];
}

/* --- health: up_health.c -------------------------------------------------- */

struct up_fitness *up_fitness_new(const struct up_group *g);
void up_fitness_free(struct up_fitness *f);
/* The servers that are not to be asked, with those in `skip`; by bit, valid
 * until the next call. */
const uint64_t *up_group_unfit(struct up_group *g, const uint64_t *skip);
/* Look anew at the next choice. */
void up_group_forget_unfit(struct up_group *g);
/* Those that the operator took out, with those in `skip`; by bit, valid until
 * the next call of either. */
const uint64_t *up_group_off(struct up_group *g, const uint64_t *skip);
/* The same as up_group_unfit(), with those that came back and have had their
 * share for now; NULL: there are none. Behind up_group_unfit(), once for each
 * choice. */
const uint64_t *up_group_slow(struct up_group *g);
/* Whether a server may be asked by who belongs to it: it is fit, or the operator
 * drains it and it is well. Behind up_group_unfit(). */
bool up_group_may_keep(const struct up_group *g, uint32_t i);
/* Choose between the own zone and the others, once for each choice, behind
 * up_group_unfit(). */
void up_group_aim(struct up_group *g);
/* Those of either, with the servers of zones that this choice is not for; valid
 * until the next call. NULL: all zones share. */
const uint64_t *up_group_near(struct up_group *g, const uint64_t *unfit);
/* What a try met, noted for all workers; it may eject the server: it ended
 * without an answer or in the middle of one; a final head came after took_us;
 * the answer is complete. */
void up_server_failed(struct up_server *s, enum fault_id why);
void up_server_answered(struct up_server *s, unsigned status, uint64_t took_us);
void up_server_finished(struct up_server *s);

/* --- names: up_name.c ----------------------------------------------------- */

/* Somebody who waits for an address. */
struct up_waiter {
	struct list node;
	void (*fn)(void *self);
	void *self;
};

/* For a server whose address is a name, and for those of its other spots, which
 * stand behind it. */
void up_name_open(struct up_server *s);
/* For a server whose addresses are these and stay so, whatever its name: nobody
 * is asked. At most DNS_ADDRS_MAX. */
void up_name_open_fixed(struct up_server *s, const struct ip *ips, uint32_t n);
/* NULL is nothing. */
void up_name_free(struct up_name *n);

/* See what stands in the spots of a name; `first` is the server of the first
 * one. */
void up_name_look(struct up_server *first);
/* A name that somebody waits for may have been answered. */
void up_group_told(struct up_group *g);
/* Whether there is one to be asked: of a name those whose spots have an
 * address, and while none has, the first, which stands for the name. The server
 * is of a spot; server i is any. */
bool up_server_is_there(const struct up_server *s);

static inline bool
up_group_has(const struct up_group *g, uint32_t i)
{
	return g->conf->servers[i].spots == NULL ||
	       up_server_is_there(&g->servers[i]);
}

/* Whether no question for its name had an end yet. */
bool up_server_is_awaited(const struct up_server *s);
/* Its part of its name's requests, 1 .. SPOT_SHARE_MAX. */
uint32_t up_server_share(const struct up_server *s);
/* Of a spot: the servers of the lowest rank that can be are asked. */
uint32_t up_server_rank(const struct up_server *s);
/* Of a spot: no address of it answered lately. */
bool up_server_is_avoided(const struct up_server *s);
/* Its name has more servers than it. */
bool up_server_has_others(const struct up_server *s);
/* The address in its spot; 0: it has no spot, or nothing is there. */
size_t up_server_where(const struct up_server *s, char out[SOCK_ADDR_TEXT_CAP]);

enum up_name_rc {
	UP_NAME_OK,
	UP_NAME_WAIT,
	UP_NAME_MOVED, /* other servers of the name have addresses, it has none
	                */
	UP_NAME_FAILED
};

/* Whether the server has addresses. WAIT: the steward has not got any answer for
 * its name yet; the waiter's fn is called when it is worth asking again
 * (up_waiter_cancel() before it goes away). */
enum up_name_rc up_server_find(struct up_server *s, struct up_waiter *wait);

/* Where a server that is a name was found. */
struct up_at {
	struct ip ip;
	uint16_t port; /* 0: nowhere */
};

/* Which of a server's addresses one exchange was given so far. */
struct up_turn {
	uint32_t first;
	uint32_t n;
	uint32_t given; /* the same, by bit in the answer */
	bool is_begun; /* `first` is its own */
	struct up_at at; /* the last one */
};

/* Begin the turn, if it is not begun; after up_server_find() said OK. */
void up_server_turn(struct up_server *s, struct up_turn *turn);
/* Whether a pooled connection to there may serve in this turn: of a service
 * only those to the target whose turn it is, so that weights are shares of
 * requests. One that is not up_server_is_at() any more suits all. */
bool up_server_suits(const struct up_server *s, const struct up_turn *turn,
    const struct up_at *at);
/* An address that the turn was not given yet, as long as there is one. */
void up_server_addr(
    struct up_server *s, struct up_turn *turn, struct sock_addr *out);
/* Whether the next address of the turn may be tried after one that does not
 * answer. */
bool up_server_has_more(const struct up_server *s, const struct up_turn *turn);
/* Whether it may be tried beside one that does not answer yet: it is not kept
 * for when that one is known to be down. */
bool up_server_may_race(const struct up_server *s, const struct up_turn *turn);
/* An address was connected to when others were not: its family goes first. */
void up_server_prefer(struct up_server *s, const struct up_at *at);
/* One did not answer, or later than another: for a while it comes last. */
void up_server_avoid(struct up_server *s, const struct up_at *at);
/* Whether connections to this address are still connections to the server. */
bool up_server_is_at(const struct up_server *s, const struct up_at *at);
void up_waiter_init(struct up_waiter *wt, void (*fn)(void *), void *self);
void up_waiter_cancel(struct up_waiter *wt);

#endif
