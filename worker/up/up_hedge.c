/* up/up_hedge: when a second try begins, who wins, and the front that the
 * second one has: its head and content go to the first one's exchange. */
#include "worker/up/up_hedge.h"

#include "common/base/num.h"
#include "common/store/budget.h"
#include "common/store/latency.h"
#include "worker/exch/internal.h"
#include "worker/exch/plan.h"
#include "worker/exch/trace.h"
#include "worker/up/up_try.h"

#define MAGIC_HEDGE MAGIC('H', 'E', 'D', 'G')

/* Lives in the first one's arena: the second never outlives it. */
struct up_hedge {
	uint32_t magic;
	struct up_try *t; /* the first try */
	struct exch *y; /* the second, or NULL */
	struct up_server *server; /* that y asks */
	struct timer timer;
	bool is_won; /* by y: its head is the answer */
	enum fault_id why; /* the first, or y behind its head, came to this */
	int err;
};

static void
hedge_count(const struct up_hedge *h, enum counter_id id)
{
	counter_add(h->t->x->w->counters, id, 1);
}

/* --- as a front ----------------------------------------------------------- */

/* An error that comes fast is no answer while the first may have a better. */
static bool
hedge_may_win(const struct up_hedge *h, const struct exch *y)
{
	return !y->is_settled && y->resp.status < 500 &&
	       y->resp.status != 101 && !h->t->x->is_answered;
}

/* --- when ----------------------------------------------------------------- */

/* So much before the upstream is asked twice; 0: it is not known yet. */
static uint64_t
hedge_after_ms(const struct up_try *t)
{
	const struct upstream *u = t->group->conf;
	uint32_t us;

	if (u->hedge_percent == 0)
		return u->hedge_ms;
	us = latency_tail_us(t->x->w->boot->upstate, u->servers[0].id);
	return us == 0 ? 0 : u64_max(u->hedge_ms, us / 1000 + 1);
}

/* Its answer took so long, or would have taken longer. */
static void
hedge_note(const struct up_try *t)
{
	const struct upstream *u = t->group->conf;
	const struct worker *w = t->x->w;

	latency_tail_note(w->boot->upstate, u->servers[0].id, u->hedge_percent,
	    worker_clock(w)->mono_us - t->x->t.connect_us);
}

void
hedge_learn(const struct up_try *t, unsigned status)
{
	/* an error that comes fast is no answer */
	if (t->group->conf->hedge_percent != 0 && status < 500 &&
	    hedge_is_for(t))
		hedge_note(t);
}

/* --- the second try ------------------------------------------------------- */

static void
hedge_win(struct up_hedge *h)
{
	struct up_try *t = h->t;
	struct exch *x = t->x;
	uint32_t n_tries = x->origin.tries + h->y->origin.tries;

	/* or only the fast ones would be known */
	if (t->group->conf->hedge_percent != 0 && t->state == UP_HEAD)
		hedge_note(t);
	up_waiter_cancel(&t->wait);
	try_clear_timers(t);
	trace_try_leave(x);
	/* no failure: it was only slower */
	try_drop_origin(t);
	try_uncount(t);
	t->state = UP_HEDGE;
	h->is_won = true;
	x->origin = h->y->origin;
	x->origin.tries = n_tries;
	x->t.chosen_us = h->y->t.chosen_us;
	x->t.connect_us = h->y->t.connect_us;
	x->fault_detail = NULL;
	msg_copy(&x->resp, &h->y->resp, &x->arena);
	body_forget(&x->req_body);
	hedge_count(h, COUNTER_HEDGES_WON);
	exch_answer(x);
	exch_kick(x);
}

static bool
hedge_front_send(void *self, struct exch *y)
{
	struct up_hedge *h = self;

	OBJ_CHECK(h, MAGIC_HEDGE);
	if (y->resp_body.state == BODY_ABORTED) {
		exch_fault(y, y->resp_body.fault, 0);
		return true;
	}
	if (!h->is_won && !hedge_may_win(h, y)) {
		y->is_sent = true;
		return true;
	}
	if (!h->is_won)
		hedge_win(h);
	if (y->resp_body.len > 0 || y->resp_body.state == BODY_LAST)
		exch_kick(h->t->x);
	/* its trailers and its end are taken first */
	if (!body_is_done(&y->resp_body) ||
	    h->t->x->resp_body.state == BODY_OPEN)
		return false;
	y->is_sent = true;
	return true;
}

static void
hedge_front_done(void *self, struct exch *y)
{
	struct up_hedge *h = self;
	struct up_try *t = h->t;

	OBJ_CHECK(h, MAGIC_HEDGE);
	h->y = NULL;
	/* it was left */
	if (t->hedge != h)
		return;
	if (h->is_won) {
		h->why = y->fault;
		h->err = y->fault_errno;
	} else if (t->state == UP_HEDGE) {
		try_give_up(t, h->why, h->err);
	}
	exch_kick(t->x);
}

static bool
hedge_front_local_addr(void *self, struct sock_addr *out)
{
	const struct up_hedge *h = self;
	const struct exch *x = h->t->x;

	return x->front->local_addr(x->front_self, out);
}

static const struct front_ops hedge_front = {
    .name = "internal",
    .pull = internal_pull,
    .send = hedge_front_send,
    /* those of the first try are the client's */
    .send_info = internal_send_info,
    .abort = internal_abort,
    .done = hedge_front_done,
    .local_addr = hedge_front_local_addr,
};

/* --- the first try -------------------------------------------------------- */

/* Another server than those that were asked; neither is asked once more. */
static struct up_server *
hedge_pick(struct up_try *t)
{
	struct up_server *s = NULL;
	uint32_t i;

	try_skip_server(t);
	if (up_place_again(t, false, &s) != UP_PLACE_FOUND)
		return NULL;
	/* it has room; the second try takes its place itself */
	up_server_leave(s);
	i = (uint32_t)(s - t->group->servers);
	t->skip[i / 64] |= UINT64_C(1) << (i % 64);
	return s;
}

static void
hedge_on_timer(void *self)
{
	struct up_hedge *h = self;
	struct up_try *t = h->t;
	const struct upstream *u = t->group->conf;

	OBJ_CHECK(h, MAGIC_HEDGE);
	/* in a pause it is known that there is none */
	if (t->server == NULL || t->x->is_answered || t->state == UP_DONE ||
	    t->state == UP_PAUSE)
		return;
	h->server = hedge_pick(t);
	if (h->server == NULL)
		return;
	if (!budget_take(t->x->w->boot->upstate, u->servers[0].id,
		u->hedge_tenths, try_now_ms(t))) {
		hedge_count(h, COUNTER_HEDGES_SPENT);
		return;
	}
	hedge_count(h, COUNTER_HEDGES);
	h->y = exch_spawn(t->x, &hedge_front, h);
	exch_kick(h->y);
}

bool
hedge_is_for(const struct up_try *t)
{
	const struct exch *x = t->x;

	/* a session stays where it is */
	return t->group->conf->hedge_ms > 0 && t->group->sticky == NULL &&
	       !x->wants_tunnel && x->req.body == LENGTH_NONE &&
	       (x->req.method == METHOD_GET || x->req.method == METHOD_HEAD);
}

void
hedge_arm(struct up_try *t)
{
	struct exch *x = t->x;
	struct up_hedge *h;
	uint64_t after_ms;

	if (!hedge_is_for(t) || (after_ms = hedge_after_ms(t)) == 0)
		return;
	h = arena_zalloc(&x->arena, sizeof(*h));
	h->magic = MAGIC_HEDGE;
	h->t = t;
	t->hedge = h;
	timer_init(&h->timer, hedge_on_timer, h);
	loop_timer_set(x->w->loop, &h->timer, after_ms);
}

struct up_server *
hedge_server(const struct exch *x, struct up_try *t)
{
	const struct up_hedge *h;

	if (x->front != &hedge_front)
		return NULL;
	h = x->front_self;
	OBJ_CHECK(h, MAGIC_HEDGE);
	/* all tries together have the same time */
	t->opened_ms = h->t->opened_ms;
	return h->server;
}

/* What the second try came to, before its end is made here. */
static void
hedge_tell_end(const struct up_hedge *h)
{
	enum fault_id why = h->t->x->fault;

	if (h->is_won || why != F_NONE)
		trace_try_end(h->y, why);
	else
		trace_try_leave(h->y);
}

void
hedge_leave(struct up_try *t)
{
	struct up_hedge *h = t->hedge;

	if (h == NULL)
		return;
	OBJ_CHECK(h, MAGIC_HEDGE);
	t->hedge = NULL;
	loop_timer_clear(t->x->w->loop, &h->timer);
	if (h->y != NULL) {
		hedge_tell_end(h);
		exch_kill(h->y, F_CLIENT_GONE);
	}
	h->magic = 0;
}

bool
hedge_waits(struct up_try *t, enum fault_id why, int err)
{
	struct up_hedge *h = t->hedge;

	if (h == NULL || h->y == NULL || why == F_ORIGIN_TOTAL_TIMEOUT)
		return false;
	h->why = why;
	h->err = err;
	t->state = UP_HEDGE;
	return true;
}

bool
hedge_pump(struct up_try *t)
{
	struct up_hedge *h = t->hedge;
	struct exch *x = t->x;
	bool moved;

	if (!h->is_won || x->resp_body.state != BODY_OPEN)
		return false;
	if (h->y == NULL) {
		body_abort(&x->resp_body, h->why);
		exch_fault(x, h->why, h->err);
		return true;
	}
	moved = body_pass(&h->y->resp_body, &x->resp_body, UINT64_MAX,
		    &x->w->bufs) > 0;
	if (body_is_done(&h->y->resp_body)) {
		fields_copy(&x->resp.trailers, &h->y->resp.trailers, &x->arena);
		body_end(&x->resp_body);
		moved = true;
	}
	if (moved)
		exch_kick(h->y);
	return moved;
}
