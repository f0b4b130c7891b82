/* exch/exch: the life of one exchange. exch_run() is the one driver: it walks
 * the stage tables, then moves bytes between front and handler until both
 * block. Who calls it: the loop, through the exchange's task, and nobody else.
 */
#include "worker/exch/exch.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/bfilter.h"
#include "worker/exch/crawler.h"
#include "worker/exch/exch_dictionary.h"
#include "worker/exch/grpc.h"
#include "worker/exch/handler.h"
#include "worker/exch/meter.h"
#include "worker/exch/pacer.h"
#include "worker/exch/plan.h"
#include "worker/exch/reply.h"
#include "worker/exch/reqid.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/exch/stage_cost.h"
#include "worker/exch/target.h"
#include "worker/exch/trace.h"

/* Bytes in flight per direction before the producer waits. Large enough to
 * fill a fast path between two reads, small enough that thousands of slow
 * clients stay cheap. */
#define EXCH_BODY_HIGH (64u * 1024)
/* Rounds of moving bytes before other connections get their turn. */
#define EXCH_TURNS 8
#define EXCH_US_PER_MS 1000

#define TO(s) (1u << (s))

static const uint16_t exch_edges[] = {
    [EXCH_REQUEST] = TO(EXCH_HANDLER) | TO(EXCH_RESPONSE) | TO(EXCH_DONE),
    [EXCH_HANDLER] = TO(EXCH_RESPONSE) | TO(EXCH_DONE),
    [EXCH_RESPONSE] = TO(EXCH_SENDING) | TO(EXCH_TUNNEL) | TO(EXCH_DONE),
    [EXCH_SENDING] = TO(EXCH_DONE),
    [EXCH_TUNNEL] = TO(EXCH_DONE),
    [EXCH_DONE] = 0,
};

/* What bounds the whole exchange: the total limit, or the deadline of a call of
 * gRPC when that is earlier. 0: nothing does. */
static uint64_t
exch_limit_ms(const struct exch *x, enum fault_id *why)
{
	uint64_t own_ms = x->set->timeout_ms;
	uint64_t told_ms = grpc_deadline_ms(x);
	bool is_told = told_ms > 0 && (own_ms == 0 || told_ms < own_ms);

	*why = is_told ? F_DEADLINE : F_TIMEOUT;
	return is_told ? told_ms : own_ms;
}

/* One direction of a tunnel has ended. */
static bool
exch_is_half_over(const struct exch *x)
{
	return x->is_sent || body_is_done(&x->req_body);
}

static uint64_t
exch_left_ms(const struct exch *x, uint64_t since_ms, uint64_t limit_ms)
{
	uint64_t spent_ms = clock_mono_ms(worker_clock(x->w)) - since_ms;

	return limit_ms == 0 ? UINT64_MAX
			     : limit_ms - u64_min(spent_ms, limit_ms);
}

/* Time until a tunnel ends if nothing moves any more; *why: by which limit. One
 * of which one direction has ended waits for the other only as long as a client
 * is waited for. */
static uint64_t
exch_tunnel_left_ms(const struct exch *x, enum fault_id *why)
{
	const struct plan_tunnels *set = &x->set->tunnels;
	uint64_t idle_ms = exch_left_ms(x, x->moved_ms, set->idle_ms);
	uint64_t total_ms =
	    exch_left_ms(x, x->t.answer_us / EXCH_US_PER_MS, set->total_ms);
	uint64_t half_ms = UINT64_MAX;
	uint64_t proof_ms = UINT64_MAX;
	uint64_t least_ms;

	if (exch_is_half_over(x))
		half_ms =
		    exch_left_ms(x, x->moved_ms, x->listen->idle_timeout_ms);
	if (x->is_unproven)
		proof_ms = exch_left_ms(x, x->t.answer_us / EXCH_US_PER_MS,
		    x->listen->header_timeout_ms);
	*why = F_TUNNEL_TIMEOUT;
	if (idle_ms < total_ms)
		*why = F_TUNNEL_IDLE;
	least_ms = u64_min(idle_ms, total_ms);
	if (half_ms < least_ms)
		*why = F_TIMEOUT;
	least_ms = u64_min(half_ms, least_ms);
	if (proof_ms < least_ms)
		*why = F_CLIENT_HEADER_TIMEOUT;
	return u64_min(proof_ms, least_ms);
}

static void
exch_arm_tunnel(struct exch *x)
{
	enum fault_id why;
	uint64_t left_ms = exch_tunnel_left_ms(x, &why);

	if (left_ms == UINT64_MAX)
		loop_timer_clear(x->w->loop, &x->timer);
	else
		loop_timer_set(x->w->loop, &x->timer, left_ms);
}

/* The limit counts from the first byte of the request to the last of
 * the answer. It ends with a tunnel, and with the answer that says that it was
 * reached. */
static void
exch_set_deadline(struct exch *x)
{
	uint64_t spent_ms =
	    clock_mono_ms(worker_clock(x->w)) - x->t.begin_us / EXCH_US_PER_MS;
	uint64_t limit_ms;
	enum fault_id why;

	switch (x->state) {
	case EXCH_HANDLER:
	case EXCH_RESPONSE:
		if (x->is_settled || timer_is_set(&x->timer))
			break;
		limit_ms = exch_limit_ms(x, &why);
		if (limit_ms > 0)
			loop_timer_set(x->w->loop, &x->timer,
			    limit_ms - u64_min(spent_ms, limit_ms));
		break;
	case EXCH_TUNNEL:
		x->moved_ms = clock_mono_ms(worker_clock(x->w));
		exch_arm_tunnel(x);
		break;
	case EXCH_REQUEST:
	case EXCH_SENDING:
	case EXCH_DONE:
		break;
	}
}

static void
exch_goto(struct exch *x, enum exch_state to)
{
	REQUIRE(exch_edges[x->state] & TO(to));
	x->state = to;
	x->stage = 0;
	exch_set_deadline(x);
}

static void exch_run(void *self);
static void exch_timeout(void *self);

struct exch *
exch_new(struct worker *w, const struct front_ops *front, void *front_self,
    const struct plan_listen *listen)
{
	struct arena a;
	struct exch *x;

	arena_init(&a, &w->arenas);
	x = arena_zalloc_first(&a, sizeof(*x), offsetof(struct exch, req_body));
	x->magic = MAGIC_EXCH;
	x->state = EXCH_REQUEST;
	x->kind = listen->forward != NULL ? STAGE_FORWARD : STAGE_REVERSE;
	x->arena = a;
	x->w = w;
	x->front = front;
	x->front_self = front_self;
	x->listen = listen;
	x->set = &listen->set;
	x->sink = w->sink;
	task_init(&x->task, exch_run, x);
	timer_init(&x->timer, exch_timeout, x);
	body_init(&x->req_body, EXCH_BODY_HIGH);
	body_init(&x->resp_body, EXCH_BODY_HIGH);
	x->out = &x->resp_body;
	return x;
}

/* Where a spawned exchange may go: it has no way to ask, but what a parent is
 * asked for needs no address. NULL: that is not known yet, and it asks a server of
 * the configuration. */
static struct exch_destination *
exch_copy_destination(const struct exch *x, struct arena *a)
{
	struct exch_destination *to;

	if (x->destination == NULL ||
	    (!x->destination->is_resolved && x->destination->parent == NULL))
		return NULL;
	to = arena_alloc(a, sizeof(*to));
	*to = *x->destination;
	to->host = arena_span(a, to->host);
	to->resolve = NULL;
	return to;
}

struct exch *
exch_spawn(struct exch *x, const struct front_ops *front, void *front_self)
{
	struct exch *y = exch_new(x->w, front, front_self, x->listen);
	struct plan_settings *set = arena_alloc(&y->arena, sizeof(*set));

	y->kind = STAGE_INTERNAL;
	/* a rule may have made them in the arena of x */
	*set = *x->set;
	/* x was let on */
	set->access = (struct plan_access){.judge = NULL};
	target_copy_rewrites(&set->rewrites, &y->arena);
	field_rules_copy(&set->request_fields, &y->arena);
	field_rules_copy(&set->hidden_fields, &y->arena);
	field_rules_copy(&set->response_fields, &y->arena);
	/* those are no answers to clients */
	set->pages.n = 0;
	set->substitute.n = 0;
	set->redirects.n = 0;
	y->set = set;
	y->site = x->site;
	y->route = x->route;
	y->client = x->client;
	y->client.scheme = arena_span(&y->arena, x->client.scheme);
	y->client.tls = NULL;
	msg_copy(&y->req, &x->req, &y->arena);
	y->req.body = LENGTH_NONE;
	y->req.length = 0;
	y->req.want_continue = false;
	y->path = arena_span(&y->arena, x->path);
	y->path_is_ambiguous = x->path_is_ambiguous;
	y->sticky = x->sticky;
	y->destination = exch_copy_destination(x, &y->arena);
	y->request_id = arena_span(&y->arena, x->request_id);
	y->user = identity_copy(x->user, &y->arena);
	y->crawler = crawler_copy(x, y);
	trace_spawn(x, y);
	y->t.begin_us = worker_clock(x->w)->mono_us;
	y->t.begin_wall_us = worker_clock(x->w)->wall_us;
	y->t.head_us = y->t.begin_us;
	body_end(&y->req_body);
	return y;
}

void
exch_kick(struct exch *x)
{
	if (!task_is_queued(&x->task))
		loop_defer(x->w->loop, &x->task);
}

void
exch_fault(struct exch *x, enum fault_id id, int err)
{
	x->is_failing = true;
	if (x->fault != F_NONE)
		return;
	x->fault = id;
	x->fault_errno = err;
	sink_note(x, "fault", SINK_NOWHERE, "%s: %s", fault_row(id)->word,
	    x->fault_detail != NULL ? x->fault_detail : fault_row(id)->text);
}

void
exch_fault_as(
    struct exch *x, enum fault_id id, unsigned status, const char *detail)
{
	if (x->fault == F_NONE) {
		x->fault_status = (uint16_t)status;
		x->fault_detail = detail;
	}
	exch_fault(x, id, 0);
}

void
exch_check_content(struct exch *x)
{
	uint64_t max = x->set->max_body;

	if (max == 0 || x->state == EXCH_TUNNEL || x->req_body.total <= max)
		return;
	body_abort(&x->req_body, F_BODY_TOO_LARGE);
	exch_fault(x, F_BODY_TOO_LARGE, 0);
}

void
exch_answer(struct exch *x)
{
	x->is_answered = true;
	x->t.answer_us = worker_clock(x->w)->mono_us;
}

static span
value_of(const struct http_fields *fields, enum field_id id)
{
	const struct http_field *f = fields_find(fields, id);

	return f == NULL ? span_of(NULL, 0) : f->value;
}

span
exch_req_field(const struct exch *x, enum field_id id)
{
	return value_of(&x->req.fields, id);
}

span
exch_said_field(const struct exch *x, enum field_id id)
{
	return value_of(exch_said(x), id);
}

/* The value of `name` in "a=1; b=2". */
static span
cookie_in(span value, span name)
{
	span rest = value;
	span pair;

	while (span_cut(&rest, ';', &pair)) {
		ptrdiff_t eq;

		pair = span_trim(pair);
		eq = span_chr(pair, '=');
		if (eq >= 0 && span_eq(span_first(pair, (size_t)eq), name))
			return span_from(pair, (size_t)eq + 1);
	}
	return span_of(NULL, 0);
}

span
exch_cookie(const struct exch *x, span name)
{
	const struct http_field *f = fields_find(&x->req.fields, FIELD_COOKIE);

	for (; f != NULL; f = fields_next(&x->req.fields, f)) {
		span v = cookie_in(f->value, name);

		if (v.p != NULL)
			return v;
	}
	return span_of(NULL, 0);
}

static void
exch_timeout(void *self)
{
	struct exch *x = self;
	enum fault_id why;

	OBJ_CHECK(x, MAGIC_EXCH);
	if (x->state == EXCH_TUNNEL && exch_tunnel_left_ms(x, &why) > 0) {
		/* something moved meanwhile */
		exch_arm_tunnel(x);
		return;
	}
	if (x->state != EXCH_TUNNEL)
		(void)exch_limit_ms(x, &why);
	exch_fault(x, why, 0);
	exch_kick(x);
}

static void
exch_close_handler(struct exch *x)
{
	const struct handler *h = x->handler;

	x->handler = NULL;
	if (h != NULL && h->close != NULL)
		h->close(x);
}

void
exch_replace(struct exch *x, span type, span content)
{
	exch_close_handler(x);
	reply_replace(x, type, content);
}

/* The end of every exchange: logged once, handed back, freed. */
static void
exch_finish(struct exch *x)
{
	struct arena a;

	exch_close_handler(x);
	exch_goto(x, EXCH_DONE);
	/* not that of the turn: what the request itself took of it counts */
	x->t.end_us = clock_mono_us();
	meter_end(x);
	pipeline_log(x);
	if (x->sink != NULL)
		x->sink->is_over = true;
	task_cancel(&x->task);
	loop_timer_clear(x->w->loop, &x->timer);
	x->front->done(x->front_self, x);
	if (x->pacer != NULL)
		pacer_drop(x);
	if (x->filters != NULL)
		bfilters_drop(x);
	dictionary_end(x);
	body_fini(&x->req_body);
	body_fini(&x->resp_body);
	x->magic = 0;
	a = x->arena;
	arena_fini(&a);
}

void
exch_kill(struct exch *x, enum fault_id why)
{
	OBJ_CHECK(x, MAGIC_EXCH);
	exch_fault(x, why, 0);
	exch_finish(x);
}

/* A fault before anything was sent becomes an answer; after that, a visible
 * break. Returns whether the exchange is over. */
static bool
exch_settle_fault(struct exch *x)
{
	const struct fault_row *row = fault_row(x->fault);
	unsigned status = x->fault_status ? x->fault_status : row->status;
	bool was_answering = x->is_settled;

	x->is_failing = false;
	x->is_settled = true;
	exch_close_handler(x);
	if (x->is_begun || was_answering || status == 0) {
		x->front->abort(x->front_self, x);
		return true;
	}
	reqid_make(x);
	exch_reply_status(x, status);
	if (row->side == SIDE_CLIENT && x->req_body.state == BODY_ABORTED)
		x->wants_close = true;
	if (x->state == EXCH_RESPONSE)
		x->stage = 0;
	else
		exch_goto(x, EXCH_RESPONSE);
	return false;
}

/* Walk a table from where it stopped. */
static enum verdict
exch_stages(struct exch *x, const struct stage *table)
{
	for (const struct stage *s = &table[x->stage]; s->name != NULL;
	     s++, x->stage++) {
		enum verdict v;

		if ((s->kinds & x->kind) == 0)
			continue;
		v = stage_cost_run(x, table, x->stage);
		if (v != VERDICT_NEXT)
			return v;
	}
	return VERDICT_NEXT;
}

static void
exch_request_stages(struct exch *x)
{
	switch (exch_stages(x, pipeline_request)) {
	case VERDICT_WAIT:
		if (x->handler != NULL)
			exch_goto(x, EXCH_HANDLER);
		return;
	case VERDICT_NEXT:
	case VERDICT_REPLY:
	case VERDICT_TUNNEL:
		REQUIRE(x->is_answered);
		exch_goto(x, EXCH_RESPONSE);
		return;
	case VERDICT_FAULT:
		REQUIRE(x->fault != F_NONE);
		return;
	}
	UNREACHED();
}

static void
exch_response_stages(struct exch *x)
{
	switch (exch_stages(x, pipeline_response)) {
	case VERDICT_WAIT:
		return;
	case VERDICT_NEXT:
	case VERDICT_REPLY:
		x->is_begun = true;
		exch_goto(x, EXCH_SENDING);
		return;
	case VERDICT_TUNNEL:
		/* before anybody can take the request's end for the tunnel's */
		body_reopen(&x->req_body);
		x->is_begun = true;
		exch_goto(x, EXCH_TUNNEL);
		return;
	case VERDICT_FAULT:
		REQUIRE(x->fault != F_NONE);
		return;
	}
	UNREACHED();
}

/* One round of moving bytes in both directions. */
static bool
exch_move(struct exch *x)
{
	bool moved = false;

	if (x->handler != NULL && x->handler->pump != NULL) {
		if (body_room(&x->req_body) > 0)
			moved |= x->front->pull(x->front_self, x);
		if (!x->is_failing)
			moved |= x->handler->pump(x);
	}
	if (x->filters != NULL && !x->is_failing)
		moved |= bfilters_run(x);
	if (x->pacer != NULL && !x->is_failing)
		moved |= pacer_run(x);
	if (!x->is_failing && x->is_begun && !x->is_sent)
		moved |= x->front->send(x->front_self, x);
	if (x->meter != NULL && !x->is_failing)
		meter_run(x);
	return moved;
}

/* Take the state's next step if it can be taken at once. */
static bool
exch_step(struct exch *x)
{
	enum exch_state before = x->state;

	if (x->state == EXCH_REQUEST)
		exch_request_stages(x);
	if (x->state == EXCH_HANDLER && x->is_answered)
		exch_goto(x, EXCH_RESPONSE);
	if (x->state == EXCH_RESPONSE && !x->is_failing)
		exch_response_stages(x);
	return x->state != before;
}

/* The answer is out. What is left of an upload that nobody waits for does not
 * keep the exchange alive: the front decides what becomes of the connection. A
 * tunnel has two directions to finish. */
static bool
exch_is_over(const struct exch *x)
{
	if (x->state == EXCH_TUNNEL)
		return x->is_sent && body_is_done(&x->req_body);
	return x->is_sent;
}

/* Something moved in a tunnel. Its timer looks when it was, but for one of which
 * one direction has just ended, whose time is shorter. */
static void
exch_watch_tunnel(struct exch *x)
{
	if (x->state != EXCH_TUNNEL)
		return;
	x->moved_ms = clock_mono_ms(worker_clock(x->w));
	if (exch_is_half_over(x))
		exch_arm_tunnel(x);
}

static void
exch_run(void *self)
{
	struct exch *x = self;

	OBJ_CHECK(x, MAGIC_EXCH);
	for (int turn = 0; turn < EXCH_TURNS; turn++) {
		bool moved = !x->is_failing && exch_step(x);

		if (!x->is_failing && x->state != EXCH_REQUEST &&
		    x->state != EXCH_RESPONSE)
			moved |= exch_move(x);
		if (x->is_failing) {
			if (exch_settle_fault(x)) {
				exch_finish(x);
				return;
			}
			moved = true;
		}
		if (exch_is_over(x)) {
			exch_finish(x);
			return;
		}
		if (!moved)
			return;
		if (bfilters_are_busy(x))
			break;
		exch_watch_tunnel(x);
	}
	/* it may have been kicked on the way */
	if (!task_is_queued(&x->task))
		loop_yield(x->w->loop, &x->task);
}
