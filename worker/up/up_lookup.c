/* up/up_lookup: one question for all servers of a name. */
#include "worker/up/up_lookup.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/names.h"

/* How long an answer, and a failure, is believed at least: what has no lifetime
 * is asked for once in so long and not for each request. */
#define NAME_TTL_MIN_MS 1000u
#define NAME_RETRY_MS 1000u
/* How long after its time an answer serves while the next one is on its way. */
#define NAME_STALE_MS 1000u

struct up_lookup {
	struct up_server *server; /* the first that it is for */
	struct dns_query *query; /* one runs */
	struct list waiters;
	struct dns_answer answer; /* the last good one */
	uint64_t good_until_ms;
	bool has_failed; /* the last query did */
	bool is_owed; /* the answer is still to be put into the spots */
};

struct up_lookup *
up_lookup_new(struct up_server *s)
{
	struct up_lookup *l = calloc(1, sizeof(*l));

	REQUIRE(l != NULL);
	l->server = s;
	list_init(&l->waiters);
	return l;
}

struct up_lookup *
up_lookup_new_fixed(struct up_server *s, const struct ip *ips, uint32_t n)
{
	struct up_lookup *l = up_lookup_new(s);

	REQUIRE(n <= DNS_ADDRS_MAX);
	memcpy(l->answer.addrs, ips, n * sizeof(*ips));
	l->answer.n = n;
	l->good_until_ms = UINT64_MAX;
	return l;
}

void
up_lookup_free(struct up_lookup *l)
{
	if (l->query != NULL)
		dns_cancel(l->query);
	free(l);
}

const struct dns_answer *
up_lookup_answer(const struct up_lookup *l)
{
	return &l->answer;
}

static uint64_t
lookup_now_ms(const struct up_lookup *l)
{
	return clock_mono_ms(worker_clock(l->server->group->w));
}

/* --- its spots ------------------------------------------------------------ */

static void
lookup_tell_ignored(const struct up_lookup *l, const struct spots_set *set)
{
	const struct up_group *g = l->server->group;

	if (set->n_ignored == 0)
		return;
	counter_add(g->w->counters, COUNTER_SPOTS_IGNORED, set->n_ignored);
	log_msg(LOG_WARN,
	    "addresses ignored upstream=%.*s server=%.*s used=%u ignored=%u",
	    SPAN_FMT(g->conf->name), SPAN_FMT(l->server->conf->text),
	    SPOTS_PER_NAME, set->n_ignored);
}

static void
lookup_put(struct up_lookup *l)
{
	const struct boot *b = l->server->group->w->boot;
	const struct spots_by by = {
	    .slots = b->slots,
	    .me = {b->slot, b->incarnation},
	    .upstate = b->upstate,
	};
	struct spots_set now;

	if (l->server->conf->spots == NULL)
		return;
	switch (spots_put(
	    b->spots, &by, l->server->conf->spots, &l->answer, &now)) {
	case SPOTS_CHANGED:
		lookup_tell_ignored(l, &now);
		break;
	case SPOTS_SAME:
		break;
	case SPOTS_BUSY:
		l->is_owed = true;
		return;
	}
	l->is_owed = false;
}

bool
up_lookup_spots(struct up_lookup *l, struct spots_set *out)
{
	const struct up_server_conf *conf = l->server->conf;
	const struct spots *t = l->server->group->w->boot->spots;

	if (!spots_read(t, conf->spots->id, out))
		return false;
	/* a dead worker's repair emptied them */
	if (!out->is_known && l->answer.n > 0) {
		lookup_put(l);
		return spots_read(t, conf->spots->id, out);
	}
	return true;
}

/* --- answers -------------------------------------------------------------- */

static void
lookup_wake(struct up_lookup *l)
{
	while (!list_is_empty(&l->waiters)) {
		struct up_waiter *wt =
		    LIST_ENTRY(l->waiters.next, struct up_waiter, node);

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
lookup_set_end(struct up_lookup *l, uint64_t good_until_ms)
{
	uint64_t ms = l->server->conf->resolve_ms;
	uint64_t ttl_ms = answer_ttl_ms(&l->answer);

	l->good_until_ms = good_until_ms;
	if (ms != 0 && ms < ttl_ms)
		l->good_until_ms -= ttl_ms - ms;
}

/* Tell the other workers. */
static void
lookup_share(const struct up_lookup *l, uint64_t good_until_ms)
{
	const struct boot *b = l->server->group->w->boot;

	names_put(b->names, b->slots,
	    (struct slot_name){b->slot, b->incarnation}, l->server->conf->host,
	    &l->answer, good_until_ms);
}

/* What another worker was told serves here, too. */
static bool
lookup_is_known(struct up_lookup *l)
{
	struct dns_answer a;
	uint64_t good_until_ms;

	if (!names_get(l->server->group->w->boot->names, l->server->conf->host,
		lookup_now_ms(l), &a, &good_until_ms))
		return false;
	l->answer = a;
	l->has_failed = false;
	lookup_set_end(l, good_until_ms);
	if (lookup_now_ms(l) >= l->good_until_ms)
		return false;
	lookup_put(l);
	return true;
}

static void
lookup_answered(void *self, const struct dns_answer *a)
{
	struct up_lookup *l = self;
	uint64_t now_ms = lookup_now_ms(l);

	l->query = NULL;
	l->has_failed = a->rc != DNS_OK || a->n == 0;
	if (!l->has_failed || a->rc == DNS_NOT_FOUND) {
		l->answer = *a;
		lookup_put(l);
	}
	if (l->has_failed) {
		l->good_until_ms = now_ms + NAME_RETRY_MS;
	} else {
		lookup_set_end(l, now_ms + answer_ttl_ms(a));
		lookup_share(l, now_ms + answer_ttl_ms(a));
	}
	lookup_wake(l);
}

static void
lookup_refresh(struct up_lookup *l)
{
	const struct up_server *s = l->server;

	if (l->is_owed)
		lookup_put(l);
	if (l->query != NULL || lookup_now_ms(l) < l->good_until_ms ||
	    lookup_is_known(l))
		return;
	l->query =
	    dns_resolve(s->group->w->dns, s->conf->host, lookup_answered, l);
	if (l->query == NULL) {
		l->has_failed = true;
		l->good_until_ms = lookup_now_ms(l) + NAME_RETRY_MS;
	}
}

/* Whether the addresses at hand serve, or the query that runs is waited for. */
static bool
lookup_may_serve(const struct up_lookup *l)
{
	if (l->answer.n == 0)
		return false;
	return l->query == NULL || l->has_failed ||
	       lookup_now_ms(l) < l->good_until_ms + NAME_STALE_MS;
}

enum up_name_rc
up_lookup_find(struct up_lookup *l, struct up_waiter *wait)
{
	lookup_refresh(l);
	if (lookup_may_serve(l))
		return UP_NAME_OK;
	if (l->query == NULL)
		return UP_NAME_FAILED;
	list_push_back(&l->waiters, &wait->node);
	return UP_NAME_WAIT;
}

bool
up_lookup_make_do(struct up_lookup *l)
{
	l->has_failed = true;
	return l->answer.n > 0;
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
