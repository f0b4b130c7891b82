/* up/up_name: a server that is a name. Resolved when first needed, again when
 * the answer's time is over. Old addresses serve on while the name servers say
 * nothing (RFC 8767), and for the moment that a refresh takes; a name that is
 * said not to exist has no address any more. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/names.h"
#include "worker/up/up_group.h"
#include "worker/up/up_order.h"

/* How long an answer, and a failure, is believed at least: what has no lifetime
 * is asked for once in so long and not for each request. */
#define NAME_TTL_MIN_MS 1000u
#define NAME_RETRY_MS 1000u
/* How long after its time an answer serves while the next one is on its way. */
#define NAME_STALE_MS 1000u
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
	struct dns_query *query; /* one runs */
	struct list waiters;
	struct dns_answer answer; /* the last good one */
	uint64_t good_until_ms;
	bool has_failed; /* the last query did */
	uint32_t next; /* turn to give next */
	uint64_t v4_until_ms; /* IPv4 goes first */
	struct name_avoided avoided[NAME_AVOIDED_MAX]; /* a ring */
	uint32_t n_avoided; /* that ever were */
};

struct up_name *
up_name_new(struct up_server *s)
{
	struct up_name *n = calloc(1, sizeof(*n));

	REQUIRE(n != NULL);
	n->server = s;
	list_init(&n->waiters);
	return n;
}

struct up_name *
up_name_new_fixed(struct up_server *s, const struct ip *ips, uint32_t n)
{
	struct up_name *name = up_name_new(s);

	REQUIRE(n <= DNS_ADDRS_MAX);
	memcpy(name->answer.addrs, ips, n * sizeof(*ips));
	name->answer.n = n;
	name->good_until_ms = UINT64_MAX;
	return name;
}

void
up_name_free(struct up_name *n)
{
	if (n == NULL)
		return;
	if (n->query != NULL)
		dns_cancel(n->query);
	free(n);
}

static uint64_t
name_now_ms(const struct up_name *n)
{
	return clock_mono_ms(worker_clock(n->server->group->w));
}

static void
name_wake(struct up_name *n)
{
	while (!list_is_empty(&n->waiters)) {
		struct up_waiter *wt =
		    LIST_ENTRY(n->waiters.next, struct up_waiter, node);

		list_del(&wt->node);
		wt->fn(wt->self);
	}
}

/* How long the answer is good by itself. */
static uint64_t
answer_ttl_ms(const struct dns_answer *a)
{
	uint64_t ttl_ms = (uint64_t)a->ttl_s * 1000;

	return ttl_ms < NAME_TTL_MIN_MS ? NAME_TTL_MIN_MS : ttl_ms;
}

/* `resolve =` counts from when it was asked for, by whomever. */
static void
name_set_end(struct up_name *n, uint64_t good_until_ms)
{
	uint64_t ms = n->server->conf->resolve_ms;
	uint64_t ttl_ms = answer_ttl_ms(&n->answer);

	n->good_until_ms = good_until_ms;
	if (ms != 0 && ms < ttl_ms)
		n->good_until_ms -= ttl_ms - ms;
}

/* Tell the other workers. */
static void
name_share(const struct up_name *n, uint64_t good_until_ms)
{
	const struct boot *b = n->server->group->w->boot;

	names_put(b->names, b->slots,
	    (struct slot_name){b->slot, b->incarnation}, n->server->conf->host,
	    &n->answer, good_until_ms);
}

/* What another worker was told serves here, too. */
static bool
name_is_known(struct up_name *n)
{
	struct dns_answer a;
	uint64_t good_until_ms;

	if (!names_get(n->server->group->w->boot->names, n->server->conf->host,
		name_now_ms(n), &a, &good_until_ms))
		return false;
	n->answer = a;
	n->has_failed = false;
	name_set_end(n, good_until_ms);
	return name_now_ms(n) < n->good_until_ms;
}

static void
name_answered(void *self, const struct dns_answer *a)
{
	struct up_name *n = self;
	uint64_t now_ms = name_now_ms(n);

	n->query = NULL;
	n->has_failed = a->rc != DNS_OK || a->n == 0;
	if (!n->has_failed || a->rc == DNS_NOT_FOUND)
		n->answer = *a;
	if (n->has_failed) {
		n->good_until_ms = now_ms + NAME_RETRY_MS;
	} else {
		name_set_end(n, now_ms + answer_ttl_ms(a));
		name_share(n, now_ms + answer_ttl_ms(a));
	}
	name_wake(n);
}

static void
name_refresh(struct up_name *n)
{
	const struct up_server *s = n->server;

	if (n->query != NULL || name_now_ms(n) < n->good_until_ms ||
	    name_is_known(n))
		return;
	n->query =
	    dns_resolve(s->group->w->dns, s->conf->host, name_answered, n);
	if (n->query == NULL) {
		n->has_failed = true;
		n->good_until_ms = name_now_ms(n) + NAME_RETRY_MS;
	}
}

/* Whether the addresses at hand serve, or the query that runs is waited for. */
static bool
name_may_serve(const struct up_name *n)
{
	if (n->answer.n == 0)
		return false;
	return n->query == NULL || n->has_failed ||
	       name_now_ms(n) < n->good_until_ms + NAME_STALE_MS;
}

enum up_name_rc
up_server_find(struct up_server *s, struct up_waiter *wait)
{
	struct up_name *n = s->name;

	if (n == NULL)
		return UP_NAME_OK;
	name_refresh(n);
	if (name_may_serve(n))
		return UP_NAME_OK;
	if (n->query == NULL)
		return UP_NAME_FAILED;
	list_push_back(&n->waiters, &wait->node);
	return UP_NAME_WAIT;
}

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

	dns_answer_addr(&n->answer, i, n->server->conf->port, &addr);
	(void)sock_addr_ip(&addr, &at.ip, &at.port);
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

		for (uint32_t i = 0; now_ms < v->until_ms && i < n->answer.n;
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
	return up_order(&n->answer, turn->first,
	    name_now_ms(n) < n->v4_until_ms, name_avoids(n), order);
}

/* Place in the order of the first one that the turn was not given; the end when
 * there is none. *n_usual: as name_order() says. */
static uint32_t
name_next(const struct up_name *n, const struct up_turn *turn,
    uint8_t order[DNS_ADDRS_MAX], uint32_t *n_usual)
{
	uint32_t k = 0;

	*n_usual = name_order(n, turn, order);
	while (k < n->answer.n && (turn->given >> order[k]) & 1)
		k++;
	return k;
}

void
up_server_turn(struct up_server *s, struct up_turn *turn)
{
	struct up_name *n = s->name;

	if (n == NULL || turn->is_begun)
		return;
	REQUIRE(n->answer.n > 0);
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
	if (k == n->answer.n)
		k = 0;
	turn->at = name_at(n, order[k]);
	turn->given |= UINT32_C(1) << order[k];
	turn->n++;
	sock_addr_from_ip(&turn->at.ip, turn->at.port, out);
}

bool
up_server_has_more(const struct up_server *s, const struct up_turn *turn)
{
	return s->name != NULL && turn->n < s->name->answer.n &&
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

	if (n != NULL && at->port != 0)
		n->avoided[n->n_avoided++ % NAME_AVOIDED_MAX] =
		    (struct name_avoided){
			.at = *at,
			.until_ms = name_now_ms(n) + NAME_AVOID_MS,
		    };
}

bool
up_server_make_do(struct up_server *s)
{
	s->name->has_failed = true;
	return s->name->answer.n > 0;
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
	a = &n->answer;
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

	if (n == NULL || n->answer.n_targets < 2)
		return true;
	k = name_next(n, turn, order, &n_usual);
	t = answer_target(&n->answer, order[k < n->answer.n ? k : 0], &first);
	return answer_has(&n->answer, first, t->n, t->port, at) ||
	       !up_server_is_at(s, at);
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
