/* up/up_try: choosing a server, beginning a try, failing and trying again
 * (RFC 9110 9.2.2). */
#include "worker/up/up_try.h"

#include <errno.h>

#include "common/net/proxyproto.h"
#include "common/store/upstate.h"
#include "worker/exch/plan.h"

/* Tries of one exchange, whatever the number of servers. */
#define UP_TRIES_MAX 8

void
try_drop_origin(struct up_try *t)
{
	if (t->o != NULL)
		t->ops->close(t->o);
	t->o = NULL;
}

void
try_break_origin(struct up_try *t)
{
	if (t->o != NULL)
		t->ops->reset(t->o);
	t->o = NULL;
}

/* The server's requests in flight, as all workers see them. */
static void
try_count(struct up_try *t)
{
	const struct boot *b = t->x->w->boot;

	upstate_begin(b->upstate, b->slot, t->server->conf->id);
	t->is_counted = true;
}

void
try_uncount(struct up_try *t)
{
	const struct boot *b = t->x->w->boot;

	if (t->is_counted)
		upstate_end(b->upstate, b->slot, t->server->conf->id);
	t->is_counted = false;
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

	t->is_any_sent = t->is_any_got = t->is_send_over = false;
	t->state = UP_HEAD;
	t->progress_ms = t->begun_ms = try_now_ms(t);
	x->t.connect_us = worker_clock(x->w)->mono_us;
	x->origin.is_reused = t->o->is_reused;
	t->ops->begin(t);
	loop_timer_set(
	    x->w->loop, &t->timer, t->group->conf->response_timeout_ms);
}

/* Whether what was sent may be sent again: nothing was, or the method says that
 * once more does no harm and no part of an answer came (RFC 9110 9.2.2). */
static bool
try_may_repeat(const struct up_try *t)
{
	const struct exch *x = t->x;

	if (!fault_row(t->why)->may_retry || x->is_answered || t->is_any_got ||
	    t->n_tries >= UP_TRIES_MAX)
		return false;
	if (!body_can_rewind(&x->req_body))
		return false;
	return !t->is_any_sent || method_is_idempotent(x->req.method);
}

/* No connection came about, and it was not for the time. */
static bool
try_is_unconnected(enum fault_id why)
{
	return why == F_ORIGIN_CONNECT || why == F_ORIGIN_TLS ||
	       why == F_ORIGIN_CERT || why == F_ORIGIN_ALPN;
}

/* Garbage is no reason to ask another server: the request was served. */
static unsigned
try_retry_bit(enum fault_id why)
{
	if (why == F_ORIGIN_NAME || why == F_ORIGIN_BUSY ||
	    try_is_unconnected(why))
		return UP_RETRY_CONNECT;
	if (why == F_ORIGIN_REFUSED)
		return UP_RETRY_CONNECT | UP_RETRY_RESET;
	if (why == F_ORIGIN_CONNECT_TIMEOUT)
		return UP_RETRY_CONNECT | UP_RETRY_TIMEOUT;
	if (why == F_ORIGIN_TIMEOUT)
		return UP_RETRY_TIMEOUT;
	return why == F_ORIGIN_RESET ? UP_RETRY_RESET : 0;
}

static void
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
 * may take it at once on another connection (RFC 9113 6.8, 8.7). */
static bool
try_is_first_refusal(struct up_try *t, enum fault_id why)
{
	bool is_first = why == F_ORIGIN_REFUSED && !t->was_refused;

	t->was_refused |= is_first;
	return is_first;
}

void
try_failed(struct up_try *t, enum fault_id why, int err)
{
	struct exch *x = t->x;
	bool was_stale =
	    t->o != NULL && t->o->is_reused && why == F_ORIGIN_RESET;
	bool is_same =
	    was_stale || try_has_more(t, why) || try_is_first_refusal(t, why);

	counter_add(x->w->counters, COUNTER_ORIGIN_FAILURES, 1);
	upstate_add(x->w->boot->upstate, t->server->conf->id, UPSTATE_FAILURES);
	t->why = why;
	try_drop_origin(t);
	loop_timer_clear(x->w->loop, &t->timer);
	if (was_stale)
		t->avoids_pool = true;
	if (!is_same) {
		try_uncount(t);
		try_skip_server(t);
		up_server_failed(t->server, why);
	}
	if (!try_may_repeat(t) ||
	    (!is_same && !(t->group->conf->retry & try_retry_bit(why)))) {
		t->state = UP_DONE;
		exch_fault(x, why, err);
		return;
	}
	body_rewind(&x->req_body);
	x->fault_detail = NULL;
	t->state = is_same ? UP_NAME : UP_PICK;
	counter_add(x->w->counters, COUNTER_RETRIES, 1);
	exch_kick(x);
}

void
try_pick(struct up_try *t)
{
	struct exch *x = t->x;
	struct up_server *s = up_group_pick(t->group, x, t->skip);

	if (s == NULL) {
		t->state = UP_DONE;
		exch_fault(x, t->why == F_NONE ? F_NO_SERVER : t->why, 0);
		return;
	}
	t->server = s;
	try_count(t);
	t->turn = (struct up_turn){0, 0};
	t->was_refused = false;
	t->state = UP_NAME;
	x->origin.server = s->conf->text;
}

/* A place at a pooled connection, else at a new one. What could not be sent
 * again is worth a look at the kernel before it goes. */
static struct origin *
try_place(struct up_try *t)
{
	const struct http_msg *req = &t->x->req;
	bool is_sure =
	    !method_is_idempotent(req->method) || req->body != LENGTH_NONE;
	struct origin *o = t->ops->take(t, is_sure);
	struct sock_addr to;

	if (o != NULL)
		return o;
	up_server_addr(t->server, &t->turn, &to);
	return t->ops->connect(t, &to);
}

bool
try_connect(struct up_try *t)
{
	struct origin_failure f = {F_ORIGIN_CONNECT, 0, NULL};

	switch (t->ops->poll(t->o, &f)) {
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

void
try_open(struct up_try *t)
{
	struct exch *x = t->x;
	enum up_name_rc rc = up_server_find(t->server, &t->wait);

	if (rc == UP_NAME_WAIT) {
		loop_timer_set(
		    x->w->loop, &t->timer, t->group->conf->connect_timeout_ms);
		return;
	}
	t->n_tries++;
	x->origin.tries++;
	if (rc == UP_NAME_FAILED) {
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
	if (!try_connect(t))
		loop_timer_set(
		    x->w->loop, &t->timer, t->group->conf->connect_timeout_ms);
}
