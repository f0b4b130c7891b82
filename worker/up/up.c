/* up/up: handler "upstream": one exchange's way to an origin and back, over as
 * many tries as the rules allow (RFC 9110 9.2.2). Reads the answer only while
 * the client has room for it. */
#include "worker/up/up.h"

#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trace.h"
#include "worker/exch/trail.h"
#include "worker/up/lb.h"
#include "worker/up/rawo.h"
#include "worker/up/up_any.h"
#include "worker/up/up_hedge.h"
#include "worker/up/up_parent.h"
#include "worker/up/up_try.h"

/* --- the handler ---------------------------------------------------------- */

/* There is no connection in time. */
static void
try_is_late(struct up_try *t)
{
	if (t->state == UP_CONNECT) {
		try_failed(t,
		    t->o->why_late != F_NONE ? t->o->why_late
					     : F_ORIGIN_CONNECT_TIMEOUT,
		    0);
		return;
	}
	up_waiter_cancel(&t->wait);
	try_failed(t, F_ORIGIN_NAME, 0);
}

static void
try_on_timer(void *self)
{
	struct up_try *t = self;
	struct exch *x = t->x;
	const struct upstream *u = t->group->conf;
	uint64_t idle_ms = try_now_ms(t) - t->progress_ms;

	OBJ_CHECK(t, MAGIC_TRY);
	if (t->state == UP_PICK) {
		up_place_late(t);
		exch_kick(x);
		return;
	}
	if (t->state == UP_PAUSE) {
		pause_over(t);
		exch_kick(x);
		return;
	}
	if (t->state == UP_NAME || t->state == UP_CONNECT) {
		if (t->state == UP_NAME || !race_outlives(t))
			try_is_late(t);
		exch_kick(x);
		return;
	}
	if (x->state == EXCH_TUNNEL)
		return;
	/* the client is what we wait for, or something moved meanwhile */
	if (try_waits_for_client(t) || body_room(&x->resp_body) == 0)
		idle_ms = 0;
	if (idle_ms < u->response_timeout_ms) {
		loop_timer_set(
		    x->w->loop, &t->timer, u->response_timeout_ms - idle_ms);
		return;
	}
	if (t->state == UP_HEAD) {
		try_failed(t, F_ORIGIN_TIMEOUT, 0);
	} else {
		try_cut(t, F_ORIGIN_STALL, 0);
	}
	exch_kick(x);
}

/* The time of the try, or of all, is over before a final head came. */
static void
try_on_limit(void *self)
{
	struct up_try *t = self;

	OBJ_CHECK(t, MAGIC_TRY);
	if (try_limit_left(t) > 0) {
		try_set_limit(t);
		return;
	}
	if (try_total_left(t) == 0) {
		up_waiter_cancel(&t->wait);
		try_failed(t, F_ORIGIN_TOTAL_TIMEOUT, 0);
	} else if (t->state == UP_HEAD) {
		try_failed(t, F_ORIGIN_TRY_TIMEOUT, 0);
	} else {
		try_is_late(t);
	}
	exch_kick(t->x);
}

static void
try_on_name(void *self)
{
	struct up_try *t = self;

	OBJ_CHECK(t, MAGIC_TRY);
	loop_timer_clear(t->x->w->loop, &t->timer);
	exch_kick(t->x);
}

/* The tunnel's client ended its direction: so does ours. */
static bool
try_pump_tunnel_end(struct up_try *t)
{
	struct exch *x = t->x;

	if (x->state != EXCH_TUNNEL || !body_is_done(&x->req_body) ||
	    t->is_send_over || t->o == NULL)
		return false;
	t->is_send_over = true;
	t->ops->shut(t);
	return false;
}

static bool
up_pump(struct exch *x)
{
	struct up_try *t = x->handler_state;
	bool moved = false;

	OBJ_CHECK(t, MAGIC_TRY);
	if (t->state == UP_PICK)
		try_pick(t);
	if (t->state == UP_NAME && !list_is_linked(&t->wait.node))
		try_open(t);
	if (t->state == UP_CONNECT)
		moved |= try_connect(t);
	if (t->state == UP_HEAD || t->state == UP_BODY)
		moved |= t->ops->send(t);
	try_watch_client(t);
	if (t->state == UP_HEAD)
		moved |= t->ops->recv_head(t);
	if (t->state == UP_BODY)
		moved |= t->ops->recv_body(t) || try_pump_tunnel_end(t);
	if (t->state == UP_HEDGE)
		moved |= hedge_pump(t);
	if (moved)
		t->progress_ms = try_now_ms(t);
	return moved;
}

static enum verdict
up_begin(struct exch *x, struct up_group *g, const struct origin_ops *ops)
{
	const struct upstream *u = g->conf;
	size_t words = (u->n_servers + 63u) / 64;
	struct up_try *t = arena_zalloc(
	    &x->arena, sizeof(*t) + 2 * words * sizeof(t->skip[0]));

	t->magic = MAGIC_TRY;
	t->state = UP_PICK;
	t->x = x;
	t->group = g;
	t->ops = ops;
	up_waiter_init(&t->wait, try_on_name, t);
	timer_init(&t->timer, try_on_timer, t);
	timer_init(&t->limit, try_on_limit, t);
	up_place_init(t);
	list_init(&t->pause.node);
	t->opened_ms = try_now_ms(t);
	t->told = hedge_server(x, t);
	x->handler_state = t;
	x->origin.upstream = u->name;
	x->origin.tally = u->tally;
	trail_add(x, DECISION_UPSTREAM, &u->at, u->name);
	x->t.asked_us = worker_clock(x->w)->mono_us;
	sink_note(x, "upstream", u->at, "%.*s, by %s", SPAN_FMT(u->name),
	    u->lb->name);
	if (!t->ops->prepare(t))
		return VERDICT_FAULT;
	if (x->sink != NULL)
		return try_explain(t);
	/* what may be sent twice is kept until an answer comes */
	if ((t->ops->may_refuse || method_is_idempotent(x->req.method) ||
		try_care(x) == ORIGIN_CARE_REST) &&
	    x->req_body.total == x->req_body.held)
		body_keep(&x->req_body);
	if (t->told == NULL)
		hedge_arm(t);
	return VERDICT_WAIT;
}

static enum verdict
up_open(struct exch *x)
{
	const struct upstream *u = x->set->handler_conf;

	return up_begin(x, &x->w->up->groups[u->index], u->wire);
}

static void
up_close(struct exch *x)
{
	struct up_try *t = x->handler_state;

	OBJ_CHECK(t, MAGIC_TRY);
	trace_try_end(x, x->fault);
	hedge_leave(t);
	pause_leave(t);
	up_waiter_cancel(&t->wait);
	try_clear_timers(t);
	/* nothing else tells where a tunnel's bytes end */
	if (x->state == EXCH_TUNNEL && !body_is_done(&x->req_body))
		try_break_origin(t);
	else
		try_drop_origin(t);
	try_uncount(t);
	up_place_leave(t);
	t->magic = 0;
	x->handler_state = NULL;
}

const struct handler up_handler = {
    .name = "upstream",
    .has_servers = true,
    .open = up_open,
    .pump = up_pump,
    .close = up_close,
};

/* --- what no configuration names ------------------------------------------ */

static enum verdict
any_open(struct exch *x)
{
	const struct upstream *parent = x->destination->parent;
	const struct upstream *u = x->set->handler_conf;
	bool is_tunnel = x->req.method == METHOD_CONNECT;

	if (parent != NULL)
		return up_begin(x, &x->w->up->groups[parent->index],
		    is_tunnel ? &parent_tunnel_ops : parent->wire);
	return up_begin(x, up_any_take(x->w->up->any, u, x->destination),
	    is_tunnel ? &rawo_ops : u->wire);
}

static void
any_close(struct exch *x)
{
	struct up_try *t = x->handler_state;
	struct up_group *g = t->group;

	/* for the log, which comes later */
	x->origin.server = arena_span(&x->arena, x->origin.server);
	up_close(x);
	if (x->destination->parent == NULL)
		up_any_leave(x->w->up->any, g);
}

const struct handler up_any_handler = {
    .name = "forward",
    .open = any_open,
    .pump = up_pump,
    .close = any_close,
};
