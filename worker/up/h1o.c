/* up/h1o: connections and their pool. A pooled connection that has something to
 * read has been closed or was sent what nobody asked for: either way it goes
 * (tickets of TLS are nothing to read). The one used last is reused first, so
 * that the rest can age out. */
#include "worker/up/h1o.h"

#include <errno.h>
#include <stdlib.h>

/* A connection that was used so short a time ago is not given up yet. */
#define H1O_WARM_US 20000

#define TO(s) (1u << (s))

static const uint16_t h1o_edges[] = {
    [H1O_OPENING] = TO(H1O_BUSY) | TO(H1O_CLOSED),
    [H1O_BUSY] = TO(H1O_IDLE) | TO(H1O_CLOSED),
    [H1O_IDLE] = TO(H1O_BUSY) | TO(H1O_CLOSED),
    [H1O_CLOSED] = 0,
};

static void
h1o_goto(struct h1_origin *o, enum h1o_state to)
{
	REQUIRE(h1o_edges[o->state] & TO(to));
	o->state = to;
}

static void
h1o_free(void *self)
{
	free(self);
}

/* Take an idle one out of its pool. */
static void
h1o_unpool(struct h1_origin *o)
{
	list_del(&o->node);
	o->base.server->n_idle--;
	if (o->base.server->group->n_idle_all != NULL)
		--*o->base.server->group->n_idle_all;
	loop_timer_clear(o->stream.loop, &o->timer);
}

/* No event comes after it; memory goes at the end of the batch. */
static void
h1o_gone(struct h1_origin *o)
{
	h1o_goto(o, H1O_CLOSED);
	inbuf_drop(&o->in);
	o->base.x = NULL;
	o->magic = 0;
	task_init(&o->task, h1o_free, o);
	loop_reap(o->stream.loop, &o->task);
}

static void
h1o_end(struct h1_origin *o)
{
	if (o->state == H1O_IDLE)
		h1o_unpool(o);
	stream_close(&o->stream);
	h1o_gone(o);
}

void
h1o_close(struct origin *o)
{
	h1o_end(h1o_of(o));
}

void
h1o_reset(struct origin *origin)
{
	struct h1_origin *o = h1o_of(origin);

	stream_reset(&o->stream);
	h1o_gone(o);
}

static void
h1o_on_event(void *self, unsigned events)
{
	struct h1_origin *o = self;

	OBJ_CHECK(o, MAGIC_H1O);
	switch (o->state) {
	case H1O_OPENING:
		exch_kick(o->base.x);
		return;
	case H1O_BUSY:
		/* the kernel told of it before the pool gave the connection */
		if (o->taken_in == loop_batch(o->stream.loop) &&
		    (events & (STREAM_READABLE | STREAM_DEAD)) &&
		    !stream_is_fresh(&o->stream))
			o->is_spoilt = true;
		exch_kick(o->base.x);
		return;
	case H1O_IDLE:
		if ((events & (STREAM_READABLE | STREAM_DEAD)) &&
		    !stream_is_fresh(&o->stream))
			h1o_end(o);
		return;
	case H1O_CLOSED:
		return;
	}
	UNREACHED();
}

static void
h1o_on_timer(void *self)
{
	struct h1_origin *o = self;

	OBJ_CHECK(o, MAGIC_H1O);
	h1o_end(o);
}

struct origin *
h1o_connect(struct up_try *t, const struct sock_addr *to)
{
	struct h1_origin *o = calloc(1, sizeof(*o));

	REQUIRE(o != NULL);
	o->base.ops = &h1o_ops;
	o->base.server = t->server;
	o->base.x = t->x;
	o->magic = MAGIC_H1O;
	list_init(&o->node);
	timer_init(&o->timer, h1o_on_timer, o);
	if (origin_connect(t->server, to, &o->stream, h1o_on_event, o, &o->at) <
	    0) {
		int err = errno;

		free(o);
		errno = err;
		return NULL;
	}
	if (t->server->remote != NULL)
		o->first = try_proxy_header(t);
	return &o->base;
}

enum origin_rc
h1o_poll(struct origin *origin, struct origin_failure *f)
{
	struct h1_origin *o = h1o_of(origin);
	enum origin_rc rc;

	if (o->state != H1O_OPENING)
		return ORIGIN_READY;
	rc = origin_open(o->base.server, &o->stream, o->first, f);
	if (rc == ORIGIN_READY)
		h1o_goto(o, H1O_BUSY);
	return rc;
}

/* Whether the kernel is asked if the connection lives. What happened to an idle
 * one before this batch is told by it, and makes it spoilt, unless there was
 * more to tell. What happens later is a risk that grows with the time it has
 * rested: servers give up connections that nobody uses. */
static bool
h1o_needs_look(const struct h1_origin *o, enum origin_care care)
{
	const struct loop *l = o->stream.loop;

	if (care == ORIGIN_CARE_ALL || loop_is_crowded(l))
		return true;
	return care == ORIGIN_CARE_REST &&
	       loop_clock(l)->mono_us - o->rested_us > H1O_WARM_US;
}

struct origin *
h1o_take(struct up_try *t, enum origin_care care)
{
	struct up_server *s = t->server;

	if (t->avoids_pool)
		return NULL;
	up_server_turn(s, &t->turn);
	list_foreach_safe (n, &s->idle) {
		struct h1_origin *o = LIST_ENTRY(n, struct h1_origin, node);
		bool is_looked_at = h1o_needs_look(o, care);

		OBJ_CHECK(o, MAGIC_H1O);
		if (!up_server_suits(s, &t->turn, &o->at))
			continue;
		if (!up_server_is_at(s, &o->at) ||
		    (is_looked_at && !stream_is_fresh(&o->stream))) {
			h1o_end(o);
			continue;
		}
		h1o_unpool(o);
		h1o_goto(o, H1O_BUSY);
		o->base.x = t->x;
		o->base.is_reused = true;
		o->taken_in = is_looked_at ? 0 : loop_batch(o->stream.loop);
		counter_add(s->group->w->counters, COUNTER_ORIGIN_REUSES, 1);
		return &o->base;
	}
	return NULL;
}

/* Whether the next exchange may have it. */
static bool
h1o_may_idle(struct h1_origin *o)
{
	const struct up_server *s = o->base.server;
	const struct upstream *u = s->group->conf;

	if (s->group->is_retiring || !upstream_can_keep(u) ||
	    s->n_idle >= u->keepalive || o->stream.got_rdhup ||
	    o->in.buf != NULL || !up_server_is_at(s, &o->at))
		return false;
	/* what lies in the socket already makes no event: it would be taken for
	 * the answer to the next request */
	return !o->stream.may_read || stream_is_fresh(&o->stream);
}

void
h1o_release(struct origin *origin, bool can_reuse)
{
	struct h1_origin *o = h1o_of(origin);
	struct up_server *s = o->base.server;

	o->base.x = NULL;
	if (!can_reuse || !h1o_may_idle(o)) {
		h1o_end(o);
		return;
	}
	h1o_goto(o, H1O_IDLE);
	o->rested_us = loop_clock(o->stream.loop)->mono_us;
	list_push_front(&s->idle, &o->node);
	s->n_idle++;
	if (s->group->n_idle_all != NULL)
		++*s->group->n_idle_all;
	loop_timer_set(
	    o->stream.loop, &o->timer, s->group->conf->idle_timeout_ms);
}

void
h1o_drain(struct up_server *s)
{
	while (!list_is_empty(&s->idle))
		h1o_end(LIST_ENTRY(s->idle.next, struct h1_origin, node));
}

const struct origin_ops h1o_ops = {
    .prepare = h1o_prepare,
    .explain = h1o_explain,
    .take = h1o_take,
    .connect = h1o_connect,
    .poll = h1o_poll,
    .begin = h1o_begin,
    .send = h1o_send,
    .is_sent = h1o_is_sent,
    .recv_head = h1o_recv_head,
    .recv_body = h1o_recv_body,
    .shut = h1o_shut,
    .release = h1o_release,
    .close = h1o_close,
    .reset = h1o_reset,
    .drain = h1o_drain,
    .alpn = "\x08http/1.1",
};
