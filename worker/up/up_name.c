/* up/up_name: a server that is a name. Resolved when first needed, again when
 * the answer's time is over. Old addresses serve on while the name servers say
 * nothing (RFC 8767), and for the moment that a refresh takes; a name that is
 * said not to exist has no address any more. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/names.h"
#include "worker/up/up_group.h"

/* How long an answer, and a failure, is believed at least: what has no lifetime
 * is asked for once in so long and not for each request. */
#define NAME_TTL_MIN_MS 1000u
#define NAME_RETRY_MS 1000u
/* How long after its time an answer serves while the next one is on its way. */
#define NAME_STALE_MS 1000u
/* Addresses of one server that an exchange tries. */
#define NAME_TRIES_MAX 4

struct up_name {
	struct up_server *server;
	struct dns_query *query; /* one runs */
	struct list waiters;
	struct dns_answer answer; /* the last good one */
	uint64_t good_until_ms;
	bool has_failed; /* the last query did */
	uint32_t next; /* address to give next */
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

/* Tell the other workers. */
static void
name_share(const struct up_name *n)
{
	const struct boot *b = n->server->group->w->boot;

	if (!n->has_failed)
		names_put(b->names, b->slots,
		    (struct slot_name){b->slot, b->incarnation},
		    n->server->conf->host, &n->answer, n->good_until_ms);
}

/* What another worker was told serves here, too. */
static bool
name_is_known(struct up_name *n)
{
	if (!names_get(n->server->group->w->boot->names, n->server->conf->host,
		name_now_ms(n), &n->answer, &n->good_until_ms))
		return false;
	n->has_failed = false;
	return true;
}

static void
name_answered(void *self, const struct dns_answer *a)
{
	struct up_name *n = self;
	uint64_t ttl_ms = (uint64_t)a->ttl_s * 1000;

	n->query = NULL;
	n->has_failed = a->rc != DNS_OK || a->n == 0;
	if (!n->has_failed || a->rc == DNS_NOT_FOUND)
		n->answer = *a;
	if (n->has_failed)
		ttl_ms = NAME_RETRY_MS;
	else if (ttl_ms < NAME_TTL_MIN_MS)
		ttl_ms = NAME_TTL_MIN_MS;
	n->good_until_ms = name_now_ms(n) + ttl_ms;
	name_share(n);
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

void
up_server_addr(struct up_server *s, struct up_turn *turn, struct sock_addr *out)
{
	struct up_name *n = s->name;

	if (n == NULL) {
		*out = s->conf->addr;
		return;
	}
	REQUIRE(n->answer.n > 0);
	if (turn->n == 0)
		turn->first = n->next++;
	sock_addr_from_ip(
	    &n->answer.addrs[(turn->first + turn->n) % n->answer.n],
	    s->conf->port, out);
	turn->n++;
}

bool
up_server_has_more(const struct up_server *s, const struct up_turn *turn)
{
	return s->name != NULL && turn->n < s->name->answer.n &&
	       turn->n < NAME_TRIES_MAX;
}

bool
up_server_make_do(struct up_server *s)
{
	s->name->has_failed = true;
	return s->name->answer.n > 0;
}

bool
up_server_is_at(const struct up_server *s, const struct ip *ip)
{
	const struct up_name *n = s->name;

	if (n == NULL)
		return true;
	for (uint32_t i = 0; i < n->answer.n; i++)
		if (ip_eq(&n->answer.addrs[i], ip))
			return true;
	return false;
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
