/* up/up_try: choosing a server, beginning a try, failing and trying again. */
#include "worker/up/up_try.h"

#include <errno.h>
#include <inttypes.h>

#include "common/base/log.h"
#include "common/base/num.h"
#include "common/net/proxyproto.h"
#include "common/store/upstate.h"
#include "worker/exch/plan.h"
#include "worker/exch/trace.h"
#include "worker/up/up_hedge.h"

void
try_drop_origin(struct up_try *t)
{
	race_end(t);
	if (t->o != NULL)
		t->ops->close(t->o);
	t->o = NULL;
}

void
try_break_origin(struct up_try *t)
{
	race_end(t);
	if (t->o != NULL)
		t->ops->reset(t->o);
	t->o = NULL;
}

void
try_uncount(struct up_try *t)
{
	if (t->is_counted)
		up_server_leave(t->server);
	t->is_counted = false;
}

/* --- time ----------------------------------------------------------------- */

/* What is left of so much since then. */
static uint64_t
time_left(uint64_t all_ms, uint64_t since_ms, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - since_ms;

	if (all_ms == 0)
		return UINT64_MAX;
	return all_ms > passed_ms ? all_ms - passed_ms : 0;
}

uint64_t
try_total_left(const struct up_try *t)
{
	return time_left(
	    t->group->conf->total_timeout_ms, t->opened_ms, try_now_ms(t));
}

uint64_t
try_limit_left(const struct up_try *t)
{
	return u64_min(time_left(t->group->conf->try_timeout_ms, t->aimed_ms,
			   try_now_ms(t)),
	    try_total_left(t));
}

void
try_set_limit(struct up_try *t)
{
	uint64_t ms = try_limit_left(t);

	if (ms != UINT64_MAX)
		loop_timer_set(t->x->w->loop, &t->limit, ms);
}

bool
try_waits_for_client(const struct up_try *t)
{
	const struct body *b = &t->x->req_body;

	return !t->is_send_over && t->o != NULL && b->state == BODY_OPEN &&
	       b->len == 0;
}

/* The client owes nothing any more: that time was no server's. */
static void
try_settle_client(struct up_try *t)
{
	uint64_t owed_ms = try_now_ms(t) - t->owed_since_ms;

	t->aimed_ms += owed_ms;
	t->opened_ms += owed_ms;
	t->owed_since_ms = 0;
}

void
try_watch_client(struct up_try *t)
{
	const struct upstream *u = t->group->conf;
	bool owes;

	if (u->try_timeout_ms == 0 && u->total_timeout_ms == 0)
		return;
	owes = t->state == UP_HEAD && try_waits_for_client(t);
	if (owes == (t->owed_since_ms != 0))
		return;
	if (owes) {
		t->owed_since_ms = try_now_ms(t);
		loop_timer_clear(t->x->w->loop, &t->limit);
		return;
	}
	try_settle_client(t);
	if (t->state == UP_HEAD)
		try_set_limit(t);
}

void
try_clear_timers(struct up_try *t)
{
	loop_timer_clear(t->x->w->loop, &t->timer);
	loop_timer_clear(t->x->w->loop, &t->limit);
}

/* --- a try ---------------------------------------------------------------- */

span
try_proxy_header(struct up_try *t)
{
	struct exch *x = t->x;
	struct sock_addr src, dst;
	char *p;

	if (t->group->conf->send_proxy == 0)
		return span_of(NULL, 0);
	memset(&dst, 0, sizeof(dst));
	memset(&src, 0, sizeof(src));
	if (exch_client_has_ip(&x->client))
		sock_addr_from_ip(&x->client.ip, x->client.port, &src);
	(void)x->front->local_addr(x->front_self, &dst);
	p = arena_alloc(&x->arena, PROXYPROTO_WRITE_CAP);
	return span_of(
	    p, proxyproto_write(t->group->conf->send_proxy, &src, &dst, p));
}

void
try_begin(struct up_try *t)
{
	struct exch *x = t->x;

	race_end(t);
	t->is_any_sent = t->is_any_got = t->is_send_over = false;
	t->state = UP_HEAD;
	t->progress_ms = t->begun_ms = try_now_ms(t);
	x->t.connect_us = worker_clock(x->w)->mono_us;
	x->origin.is_reused = t->o->is_reused;
	if (t->pause.is_counted)
		pause_leave(t);
	if (!t->o->is_reused)
		pause_reached(t->group);
	t->ops->begin(t);
	loop_timer_set(
	    x->w->loop, &t->timer, t->group->conf->response_timeout_ms);
}

void
try_skip_server(struct up_try *t)
{
	uint32_t i = (uint32_t)(t->server - t->group->servers);

	t->skip[i / 64] |= UINT64_C(1) << (i % 64);
}

/* One address of the server does not answer, but it has others. */
static bool
try_has_more(const struct up_try *t, enum fault_id why)
{
	return (try_is_unconnected(why) || why == F_ORIGIN_CONNECT_TIMEOUT) &&
	       up_server_has_more(t->server, &t->turn);
}

/* A server that is about to end, or told its limit after the request was sent,
 * may take it at once on another connection (RFC 9113 6.8, 8.7). Under load the
 * next one may be at its end as well; who refuses always is given up. */
static bool
try_is_refused_again(struct up_try *t, enum fault_id why)
{
	return why == F_ORIGIN_REFUSED && t->n_refused++ < UP_REFUSALS_MAX;
}

/* From here on a try takes its time. */
static void
try_start(struct up_try *t)
{
	t->state = UP_NAME;
	t->is_any_sent = false;
	if (t->owed_since_ms != 0)
		try_settle_client(t);
	t->aimed_ms = try_now_ms(t);
	try_set_limit(t);
}

static void
try_aim(struct up_try *t, struct up_server *s)
{
	t->is_asked = t->has_waited = false;
	t->server = s;
	t->is_counted = true;
	t->turn = (struct up_turn){.n = 0};
	t->n_refused = 0;
	t->x->origin.server = s->conf->text;
	t->x->origin.server_at = s->conf->at;
	t->x->t.chosen_us = worker_clock(t->x->w)->mono_us;
	try_start(t);
}

void
try_again(struct up_try *t, struct up_server *s)
{
	struct exch *x = t->x;

	body_rewind(&x->req_body);
	x->fault_detail = NULL;
	counter_add(x->w->counters, COUNTER_RETRIES, 1);
	if (s == NULL)
		try_start(t);
	else
		try_aim(t, s);
	exch_kick(x);
}

void
try_count_failure(const struct up_try *t)
{
	const struct worker *w = t->x->w;

	counter_add(w->counters, COUNTER_ORIGIN_FAILURES, 1);
	upstate_add(w->boot->upstate, t->server->conf->id, UPSTATE_FAILURES);
}

static void
try_end(struct up_try *t, enum fault_id why, int err)
{
	t->state = UP_DONE;
	pause_leave(t);
	up_place_leave(t);
	exch_fault(t->x, why, err);
}

void
try_give_up(struct up_try *t, enum fault_id why, int err)
{
	if (!hedge_waits(t, why, err) && !pause_begin(t, why, err))
		try_end(t, why, err);
}

/* We are out of something: that says nothing of the server, and the next one
 * would find no more. */
static void
try_starved(struct up_try *t, int err)
{
	struct worker *w = t->x->w;
	uint64_t n = seldom_count(&w->starved, try_now_ms(t));

	counter_add(w->counters, COUNTER_ORIGIN_STARVED, 1);
	if (n > 0)
		log_msg(LOG_ERROR,
		    "no socket for a server upstream=%.*s server=%.*s "
		    "error=\"%s\" n=%" PRIu64,
		    SPAN_FMT(t->group->conf->name),
		    SPAN_FMT(t->server->conf->text), strerror(err), n);
	trace_try_end(t->x, F_NO_SOCKET);
	try_drop_origin(t);
	try_clear_timers(t);
	try_uncount(t);
	if (!hedge_waits(t, F_NO_SOCKET, err))
		try_end(t, F_NO_SOCKET, err);
}

void
try_failed(struct up_try *t, enum fault_id why, int err)
{
	bool was_stale =
	    t->o != NULL && t->o->is_reused && why == F_ORIGIN_RESET;
	bool is_same =
	    was_stale || try_has_more(t, why) || try_is_refused_again(t, why);
	struct up_server *next = NULL;

	if (why == F_ORIGIN_CONNECT && sock_is_starved(err)) {
		try_starved(t, err);
		return;
	}
	try_count_failure(t);
	trace_try_end(t->x, why);
	t->why = why;
	t->n_sent += t->is_any_sent;
	up_place_failed(t, why);
	if (try_is_unconnected(why) || why == F_ORIGIN_CONNECT_TIMEOUT)
		up_server_avoid(t->server, &t->at);
	try_drop_origin(t);
	try_clear_timers(t);
	if (was_stale)
		t->avoids_pool = true;
	if (!is_same) {
		try_uncount(t);
		try_skip_server(t);
		up_server_failed(t->server, why);
		next = try_next(t);
	}
	if (is_same ? try_may_repeat(t) : next != NULL) {
		try_again(t, next);
		return;
	}
	try_give_up(t, why, err);
}

void
try_pick(struct up_try *t)
{
	struct up_server *s = t->told;
	enum fault_id why = F_NO_SERVER;

	switch (
	    s != NULL ? up_place_told(t, &why) : up_place_find(t, &s, &why)) {
	case UP_PLACE_FOUND:
		try_count_request(t);
		try_aim(t, s);
		return;
	case UP_PLACE_WAIT:
		return;
	case UP_PLACE_NONE:
	case UP_PLACE_FULL:
		t->state = UP_DONE;
		up_place_leave(t);
		exch_fault(t->x, why, 0);
		return;
	}
	UNREACHED();
}

enum origin_care
try_care(const struct exch *x)
{
	const struct http_msg *req = &x->req;

	if (req->body != LENGTH_NONE &&
	    (req->body != LENGTH_KNOWN || req->length > x->req_body.high))
		return ORIGIN_CARE_ALL;
	return method_is_idempotent(req->method) ? ORIGIN_CARE_NONE
						 : ORIGIN_CARE_REST;
}

/* A place at a pooled connection, else at a new one. */
static struct origin *
try_place(struct up_try *t)
{
	struct origin *o = t->ops->take(t, try_care(t->x));
	struct sock_addr to;

	t->at.port = 0;
	if (o != NULL)
		return o;
	up_server_addr(t->server, &t->turn, &to);
	t->at = t->turn.at;
	return t->ops->connect(t, &to);
}

bool
try_connect(struct up_try *t)
{
	struct origin_failure f = {F_ORIGIN_CONNECT, 0, NULL};

	switch (race_poll(t, &f)) {
	case ORIGIN_WAIT:
		return false;
	case ORIGIN_READY:
		try_begin(t);
		return true;
	case ORIGIN_FAILED:
		t->x->fault_detail = f.detail;
		try_failed(t, f.why, f.err);
		return true;
	}
	UNREACHED();
}

/* Whether its name has other servers, which were not known, or not there, when
 * it was chosen. A second try is for one server alone. */
static bool
try_is_moved(const struct up_try *t, enum up_name_rc rc)
{
	bool is_late = rc == UP_NAME_OK && t->has_waited &&
		       up_server_has_others(t->server);

	return t->told == NULL && (is_late || rc == UP_NAME_MOVED);
}

/* Choose of all of them. false: none can be asked. */
static bool
try_move(struct up_try *t)
{
	struct up_server *s;

	try_uncount(t);
	try_clear_timers(t);
	if (up_place_again(t, true, &s) != UP_PLACE_FOUND)
		return false;
	try_aim(t, s);
	exch_kick(t->x);
	return true;
}

/* The addresses are known, or will never be: a try begins. */
static void
try_note(struct up_try *t)
{
	t->n_tries++;
	t->x->origin.tries++;
	trace_try_begin(t->x);
	if (!t->is_asked)
		upstate_add(t->x->w->boot->upstate, t->server->conf->id,
		    UPSTATE_REQUESTS);
	t->is_asked = true;
}

void
try_open(struct up_try *t)
{
	struct exch *x = t->x;
	enum up_name_rc rc = up_server_find(t->server, &t->wait);

	if (rc == UP_NAME_WAIT) {
		t->has_waited = true;
		loop_timer_set(
		    x->w->loop, &t->timer, t->group->conf->connect_timeout_ms);
		return;
	}
	if (try_is_moved(t, rc)) {
		if (try_move(t))
			return;
		rc = UP_NAME_FAILED;
	}
	try_note(t);
	if (rc != UP_NAME_OK) {
		try_failed(t, F_ORIGIN_NAME, 0);
		return;
	}
	t->o = try_place(t);
	if (t->o == NULL) {
		try_failed(t, F_ORIGIN_CONNECT, errno);
		return;
	}
	t->state = UP_CONNECT;
	/* most often it is there */
	if (try_connect(t))
		return;
	loop_timer_set(
	    x->w->loop, &t->timer, t->group->conf->connect_timeout_ms);
	race_begin(t);
}
