/* up/up_retry: whether another server is asked: for which failures and answers
 * (`retry =`), whether the request may go out once more (RFC 9110 9.2.2), and
 * whether the budget bears it (`retry_budget =`). */
#include "common/base/log.h"
#include "common/store/budget.h"
#include "worker/exch/plan.h"
#include "worker/up/up_try.h"

/* Tries of one exchange, whatever the number of servers; of those that sent
 * nothing so many in a row, between two pauses. */
#define UP_TRIES_MAX 8

static const struct {
	unsigned status;
	unsigned bit;
} retry_statuses[] = {
    {500, UP_RETRY_500},
    {502, UP_RETRY_502},
    {503, UP_RETRY_503},
    {504, UP_RETRY_504},
};

/* An answer with this status. */
static unsigned
status_retry_bit(unsigned status)
{
	for (size_t i = 0; i < NELEMS(retry_statuses); i++)
		if (retry_statuses[i].status == status)
			return retry_statuses[i].bit;
	return 0;
}

bool
try_is_unconnected(enum fault_id why)
{
	return why == F_ORIGIN_CONNECT || why == F_ORIGIN_TLS ||
	       why == F_ORIGIN_CERT || why == F_ORIGIN_ALPN;
}

static unsigned
fault_retry_bit(enum fault_id why)
{
	if (why == F_ORIGIN_NAME || why == F_ORIGIN_BUSY ||
	    try_is_unconnected(why))
		return UP_RETRY_CONNECT;
	if (why == F_ORIGIN_REFUSED)
		return UP_RETRY_CONNECT | UP_RETRY_RESET;
	if (why == F_ORIGIN_CONNECT_TIMEOUT)
		return UP_RETRY_CONNECT | UP_RETRY_TIMEOUT;
	if (why == F_ORIGIN_TIMEOUT || why == F_ORIGIN_TRY_TIMEOUT)
		return UP_RETRY_TIMEOUT;
	/* an answer that breaks before anybody has seen it is none either */
	if (why == F_ORIGIN_BAD || why == F_ORIGIN_CUT)
		return UP_RETRY_INVALID;
	return why == F_ORIGIN_RESET ? UP_RETRY_RESET : 0;
}

/* Whether the request may go out once more: there is all of it, and nothing of
 * it was sent, or the method says that once more does no harm. */
static bool
try_may_send_again(const struct up_try *t)
{
	const struct exch *x = t->x;

	if (x->is_answered || !body_can_rewind(&x->req_body))
		return false;
	return !t->is_any_sent || method_is_idempotent(x->req.method);
}

static bool
try_may_send_more(const struct up_try *t)
{
	return t->n_tries < UP_TRIES_MAX && try_may_send_again(t);
}

bool
try_may_repeat(const struct up_try *t)
{
	return fault_row(t->why)->may_retry && try_may_send_more(t);
}

bool
try_may_come_back(const struct up_try *t)
{
	return fault_row(t->why)->may_retry && t->n_sent < UP_TRIES_MAX &&
	       try_may_send_again(t);
}

/* --- the budget ----------------------------------------------------------- */

/* The server whose words hold the budget of all. */
static uint32_t
budget_id(const struct up_try *t)
{
	return t->group->conf->servers[0].id;
}

void
try_count_request(const struct up_try *t)
{
	const struct upstream *u = t->group->conf;

	/* a second try is paid for, and pays for nothing */
	if ((u->retry != 0 || u->hedge_ms != 0) && t->told == NULL)
		budget_count(
		    t->x->w->boot->upstate, budget_id(t), try_now_ms(t));
}

/* Once in a while; the counter knows how often. */
static void
budget_tell_spent(const struct up_try *t)
{
	struct up_group *g = t->group;
	uint64_t now_ms = try_now_ms(t);

	counter_add(t->x->w->counters, COUNTER_RETRIES_SPENT, 1);
	if (now_ms < g->quiet_until_ms)
		return;
	g->quiet_until_ms = now_ms + BUDGET_WINDOW_MS;
	log_msg(LOG_WARN, "retry budget spent upstream=%.*s",
	    SPAN_FMT(g->conf->name));
}

/* What no server has seen adds nothing to what they bear: it is free. */
static bool
budget_pays(struct up_try *t)
{
	struct exch *x = t->x;

	if (!t->is_any_sent ||
	    budget_take(x->w->boot->upstate, budget_id(t),
		t->group->conf->retry_budget_tenths, try_now_ms(t)))
		return true;
	budget_tell_spent(t);
	x->fault_detail = "retry budget spent";
	return false;
}

/* --- another server ------------------------------------------------------- */

/* It is chosen, and has a place for it, before it is paid for: with nobody left
 * to ask, nothing is spent. */
static struct up_server *
try_another(struct up_try *t, bool may_be_unfit)
{
	struct up_server *s = NULL;

	/* beside another one: what fails is left to that */
	if (t->told != NULL)
		return NULL;
	if (up_place_again(t, may_be_unfit, &s) != UP_PLACE_FOUND)
		return NULL;
	if (budget_pays(t))
		return s;
	up_server_leave(s);
	return NULL;
}

struct up_server *
try_next(struct up_try *t)
{
	if (!(t->group->conf->retry & fault_retry_bit(t->why)) ||
	    !try_may_repeat(t))
		return NULL;
	/* what was ejected may be well again; an error is all else */
	return try_another(t, true);
}

bool
try_come_back(struct up_try *t)
{
	size_t n_words = (t->group->conf->n_servers + 63u) / 64;
	struct up_server *s;

	t->n_tries = t->n_sent;
	/* those first that it has not asked yet */
	s = try_another(t, true);
	if (s == NULL) {
		memset(t->skip, 0, n_words * sizeof(t->skip[0]));
		s = try_another(t, true);
	}
	if (s != NULL)
		try_again(t, s);
	return s != NULL;
}

/* Let go of an answer whose head came and nothing else was looked at. */
static void
try_drop_answer(struct up_try *t, const struct http_msg *m)
{
	struct origin *o = t->o;
	bool is_whole = m->body == LENGTH_NONE ||
			(m->body == LENGTH_KNOWN && m->length == 0);
	bool is_sent = t->ops->is_sent(t);

	t->o = NULL;
	t->ops->release(
	    o, is_whole && t->can_reuse && !t->is_send_over && is_sent);
	/* content may have come with the head */
	body_restart(&t->x->resp_body);
}

bool
try_passes_over(struct up_try *t, const struct http_msg *m)
{
	struct up_server *next;

	if (!(t->group->conf->retry & status_retry_bit(m->status)) ||
	    !try_may_send_more(t))
		return false;
	try_skip_server(t);
	next = try_another(t, false);
	if (next == NULL)
		return false;
	try_drop_answer(t, m);
	try_clear_timers(t);
	up_server_answered(t->server, m->status,
	    worker_clock(t->x->w)->mono_us - t->x->t.connect_us);
	up_place_answered(t);
	try_uncount(t);
	try_again(t, next);
	return true;
}
