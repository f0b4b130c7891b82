/* up/up_name: the addresses of one server that is a name: in which order an
 * exchange is given them, and which come last for now. A name whose addresses
 * are servers each has one of these for each spot (store/spots). */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/store/reach.h"
#include "common/store/spots.h"
#include "worker/up/up_group.h"
#include "worker/up/up_order.h"
#include "worker/up/up_sticky.h"

/* Addresses of one server that an exchange tries. */
#define NAME_TRIES_MAX 4
/* How long IPv4 goes first where IPv6 led nowhere (RFC 6555 4.2: 10 minutes);
 * what is wrong there may be mended sooner. */
#define NAME_V4_MS 60000u
/* How long an address that did not answer comes last, and how many such are
 * remembered. */
#define NAME_AVOID_MS 10000u
#define NAME_AVOIDED_MAX 8

struct name_avoided {
	struct up_at at;
	uint64_t until_ms;
};

struct up_name {
	struct up_server *server;
	bool is_spot; /* of a name; else its addresses stay as they are: */
	struct dns_answer own;
	bool is_awaited; /* of the first one: no question had its end yet */
	struct list waiters; /* for that */
	uint32_t share;
	uint32_t rank;
	uint32_t n_there; /* servers of the name that have an address */
	uint32_t next; /* turn to give next */
	uint64_t v4_until_ms; /* IPv4 goes first */
	struct name_avoided avoided[NAME_AVOIDED_MAX]; /* a ring */
	uint32_t n_avoided; /* that ever were */
};

static struct up_name *
name_new(struct up_server *s)
{
	struct up_name *n = calloc(1, sizeof(*n));

	REQUIRE(n != NULL);
	n->server = s;
	n->share = 1;
	list_init(&n->waiters);
	return n;
}

void
up_name_open(struct up_server *s)
{
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		s[k].name = name_new(&s[k]);
		s[k].name->is_spot = true;
	}
}

void
up_name_open_fixed(struct up_server *s, const struct ip *ips, uint32_t n)
{
	REQUIRE(n <= DNS_ADDRS_MAX);
	s->name = name_new(s);
	memcpy(s->name->own.addrs, ips, n * sizeof(*ips));
	s->name->own.n = n;
}

void
up_name_free(struct up_name *n)
{
	free(n);
}

static uint64_t
name_now_ms(const struct up_name *n)
{
	return clock_mono_ms(worker_clock(n->server->group->w));
}

/* --- spots ---------------------------------------------------------------- */

/* Whether that is another place, or part, than it had. */
static bool
name_stand(struct up_name *n, const struct spot *s)
{
	struct dns_answer a;
	bool is_same;

	spot_answer(s, &a);
	is_same = memcmp(&a, &n->own, sizeof(a)) == 0 && n->rank == s->rank &&
		  n->share == s->share;
	n->own = a;
	n->rank = s->rank;
	n->share = s->share;
	return !is_same;
}

void
up_name_look(struct up_server *first)
{
	const struct spots *t = first->group->w->boot->spots;
	struct spots_set set;
	bool is_changed = false;
	uint32_t n_there = 0;

	/* else as it was */
	if (!spots_read(t, first->conf->spots->id, &set))
		return;
	first->name->is_awaited = !set.is_known && !set.is_failing;
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		is_changed |= name_stand(first[k].name, &set.at[k]);
		n_there += set.at[k].n > 0;
	}
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
		first[k].name->n_there = n_there;
	if (is_changed)
		up_sticky_rename(first->group);
}

bool
up_server_is_there(const struct up_server *s)
{
	const struct up_name *n = s->name;

	/* a dry run knows none */
	if (n == NULL || n->n_there == 0)
		return s->conf->spot == 0;
	return n->own.n > 0;
}

bool
up_server_is_awaited(const struct up_server *s)
{
	return s->name != NULL && s->name->is_awaited;
}

uint32_t
up_server_share(const struct up_server *s)
{
	return s->name != NULL && s->name->own.n > 0 ? s->name->share : 1;
}

uint32_t
up_server_rank(const struct up_server *s)
{
	return s->name->rank;
}

bool
up_server_has_others(const struct up_server *s)
{
	return s->name != NULL && s->name->n_there > 1;
}

size_t
up_server_where(const struct up_server *s, char out[SOCK_ADDR_TEXT_CAP])
{
	struct sock_addr addr;

	if (s->name == NULL || s->name->own.n == 0)
		return 0;
	dns_answer_addr(&s->name->own, 0, s->conf->port, &addr);
	return sock_addr_format(&addr, out);
}

/* Whether the first question for it is still to be answered. Who waits says so
 * before it looks: who answers in between sees it. */
static bool
name_must_wait(struct up_server *first)
{
	const struct up_group *g = first->group;

	up_name_look(first);
	if (!first->name->is_awaited)
		return false;
	reach_await(g->w->boot->upstate, g->conf->servers[0].id);
	up_name_look(first);
	return first->name->is_awaited;
}

enum up_name_rc
up_server_find(struct up_server *s, struct up_waiter *wait)
{
	struct up_server *first = s - s->conf->spot;
	struct up_name *n = s->name;

	if (n == NULL || !n->is_spot)
		return UP_NAME_OK;
	if (name_must_wait(first)) {
		list_push_back(&first->name->waiters, &wait->node);
		return UP_NAME_WAIT;
	}
	if (n->own.n > 0)
		return UP_NAME_OK;
	return n->n_there > 0 ? UP_NAME_MOVED : UP_NAME_FAILED;
}

static void
name_told(struct up_server *first)
{
	struct up_name *n = first->name;

	if (list_is_empty(&n->waiters) || name_must_wait(first))
		return;
	while (!list_is_empty(&n->waiters)) {
		struct up_waiter *wt =
		    LIST_ENTRY(n->waiters.next, struct up_waiter, node);

		list_del(&wt->node);
		wt->fn(wt->self);
	}
}

void
up_group_told(struct up_group *g)
{
	for (uint32_t i = 0; g->conf->n_names > 0 && i < g->conf->n_servers;
	     i++) {
		struct up_server *s = &g->servers[i];

		if (s->name != NULL && s->name->is_spot && s->conf->spot == 0)
			name_told(s);
	}
}

void
up_waiter_init(struct up_waiter *wt, void (*fn)(void *), void *self)
{
	list_init(&wt->node);
	wt->fn = fn;
	wt->self = self;
}

void
up_waiter_cancel(struct up_waiter *wt)
{
	list_del(&wt->node);
}

/* --- turns ---------------------------------------------------------------- */

static bool
at_is(const struct up_at *a, const struct up_at *b)
{
	return a->port == b->port && ip_eq(&a->ip, &b->ip);
}

static struct up_at
name_at(const struct up_name *n, uint32_t i)
{
	struct sock_addr addr;
	struct up_at at;

	dns_answer_addr(&n->own, i, n->server->conf->port, &addr);
	REQUIRE(sock_addr_ip(&addr, &at.ip, &at.port));
	return at;
}

/* Those of the answer that come last for now, by bit. */
static uint32_t
name_avoids(const struct up_name *n)
{
	uint64_t now_ms = name_now_ms(n);
	uint32_t bits = 0;

	for (uint32_t k = 0; k < NAME_AVOIDED_MAX; k++) {
		const struct name_avoided *v = &n->avoided[k];

		for (uint32_t i = 0; now_ms < v->until_ms && i < n->own.n;
		     i++) {
			struct up_at at = name_at(n, i);

			bits |= at_is(&at, &v->at) ? UINT32_C(1) << i : 0;
		}
	}
	return bits;
}

/* The order of the addresses in this turn, and how many of them are the usual
 * ones. */
static uint32_t
name_order(const struct up_name *n, const struct up_turn *turn,
    uint8_t order[DNS_ADDRS_MAX])
{
	return up_order(&n->own, turn->first, name_now_ms(n) < n->v4_until_ms,
	    name_avoids(n), order);
}

/* Place in the order of the first one that the turn was not given; the end when
 * there is none. *n_usual: as name_order() says. */
static uint32_t
name_next(const struct up_name *n, const struct up_turn *turn,
    uint8_t order[DNS_ADDRS_MAX], uint32_t *n_usual)
{
	uint32_t k = 0;

	*n_usual = name_order(n, turn, order);
	while (k < n->own.n && (turn->given >> order[k]) & 1)
		k++;
	return k;
}

void
up_server_turn(struct up_server *s, struct up_turn *turn)
{
	struct up_name *n = s->name;

	if (n == NULL || turn->is_begun)
		return;
	REQUIRE(n->own.n > 0);
	turn->is_begun = true;
	turn->first = n->next++;
}

void
up_server_addr(struct up_server *s, struct up_turn *turn, struct sock_addr *out)
{
	struct up_name *n = s->name;
	uint8_t order[DNS_ADDRS_MAX];
	uint32_t n_usual;
	uint32_t k;

	if (n == NULL) {
		*out = s->conf->addr;
		return;
	}
	up_server_turn(s, turn);
	k = name_next(n, turn, order, &n_usual);
	/* another answer may have come meanwhile */
	if (k == n->own.n)
		k = 0;
	turn->at = name_at(n, order[k]);
	turn->given |= UINT32_C(1) << order[k];
	turn->n++;
	sock_addr_from_ip(&turn->at.ip, turn->at.port, out);
}

bool
up_server_has_more(const struct up_server *s, const struct up_turn *turn)
{
	return s->name != NULL && turn->n < s->name->own.n &&
	       turn->n < NAME_TRIES_MAX;
}

bool
up_server_may_race(const struct up_server *s, const struct up_turn *turn)
{
	uint8_t order[DNS_ADDRS_MAX];
	uint32_t n_usual;

	/* one that shares a connection was given no address */
	return turn->n > 0 && up_server_has_more(s, turn) &&
	       name_next(s->name, turn, order, &n_usual) < n_usual;
}

void
up_server_prefer(struct up_server *s, const struct up_at *at)
{
	struct up_name *n = s->name;

	if (n != NULL)
		n->v4_until_ms =
		    ip_is_v4(&at->ip) ? name_now_ms(n) + NAME_V4_MS : 0;
}

void
up_server_avoid(struct up_server *s, const struct up_at *at)
{
	struct up_name *n = s->name;

	if (n == NULL || at->port == 0)
		return;
	n->avoided[n->n_avoided++ % NAME_AVOIDED_MAX] = (struct name_avoided){
	    .at = *at,
	    .until_ms = name_now_ms(n) + NAME_AVOID_MS,
	};
	if (n->is_spot)
		up_group_forget_unfit(s->group);
}

bool
up_server_is_avoided(const struct up_server *s)
{
	uint32_t n = s->name->own.n;

	return n > 0 && name_avoids(s->name) == (UINT32_C(1) << n) - 1;
}

/* Which target of the answer has the i-th address; *first is its first one. */
static const struct dns_target *
answer_target(const struct dns_answer *a, uint32_t i, uint32_t *first)
{
	uint32_t k = 0;

	*first = 0;
	while (i >= *first + a->targets[k].n)
		*first += a->targets[k++].n;
	return &a->targets[k];
}

/* Whether it is one of n addresses from `first` on, at that port. */
static bool
answer_has(const struct dns_answer *a, uint32_t first, uint32_t n,
    uint16_t port, const struct up_at *at)
{
	for (uint32_t i = first; i < first + n; i++)
		if (port == at->port && ip_eq(&a->addrs[i], &at->ip))
			return true;
	return false;
}

bool
up_server_is_at(const struct up_server *s, const struct up_at *at)
{
	const struct up_name *n = s->name;
	const struct dns_answer *a;
	uint32_t first = 0;

	if (n == NULL)
		return true;
	a = &n->own;
	if (a->n_targets == 0)
		return answer_has(a, 0, a->n, s->conf->port, at);
	for (uint32_t k = 0; k < a->n_targets; k++) {
		const struct dns_target *t = &a->targets[k];

		if (answer_has(a, first, t->n, t->port, at))
			return true;
		first += t->n;
	}
	return false;
}

bool
up_server_suits(const struct up_server *s, const struct up_turn *turn,
    const struct up_at *at)
{
	const struct up_name *n = s->name;
	const struct dns_target *t;
	uint8_t order[DNS_ADDRS_MAX];
	uint32_t n_usual;
	uint32_t first;
	uint32_t k;

	if (n == NULL || n->own.n_targets < 2)
		return true;
	k = name_next(n, turn, order, &n_usual);
	t = answer_target(&n->own, order[k < n->own.n ? k : 0], &first);
	return answer_has(&n->own, first, t->n, t->port, at) ||
	       !up_server_is_at(s, at);
}
