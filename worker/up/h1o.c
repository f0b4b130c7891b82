/* up/h1o: connections and their pool. A pooled connection that becomes
 * readable has been closed or has sent what nobody asked for: either way it
 * goes. The one used last is reused first, so that the rest can age out. */
#include "worker/up/h1o.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TO(s) (1u << (s))

static const uint16_t h1o_edges[] = {
    [H1O_CONNECTING] = TO(H1O_BUSY) | TO(H1O_CLOSED),
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
	o->server->n_idle--;
	loop_timer_clear(o->stream.loop, &o->timer);
}

/* No event comes after it; memory goes at the end of the batch. */
static void
h1o_gone(struct h1_origin *o)
{
	h1o_goto(o, H1O_CLOSED);
	inbuf_drop(&o->in);
	o->x = NULL;
	o->magic = 0;
	task_init(&o->task, h1o_free, o);
	loop_reap(o->stream.loop, &o->task);
}

void
h1o_close(struct h1_origin *o)
{
	OBJ_CHECK(o, MAGIC_H1O);
	if (o->state == H1O_IDLE)
		h1o_unpool(o);
	stream_close(&o->stream);
	h1o_gone(o);
}

void
h1o_break(struct h1_origin *o)
{
	OBJ_CHECK(o, MAGIC_H1O);
	stream_reset(&o->stream);
	h1o_gone(o);
}

static void
h1o_on_event(void *self, unsigned events)
{
	struct h1_origin *o = self;

	OBJ_CHECK(o, MAGIC_H1O);
	switch (o->state) {
	case H1O_CONNECTING:
		if (events & STREAM_OPEN)
			h1o_goto(o, H1O_BUSY);
		exch_kick(o->x);
		return;
	case H1O_BUSY:
		/* the kernel told of it before the pool gave the connection */
		if (o->taken_in == loop_batch(o->stream.loop) &&
		    (events & (STREAM_READABLE | STREAM_DEAD)) &&
		    !stream_is_fresh(&o->stream))
			o->is_spoilt = true;
		exch_kick(o->x);
		return;
	case H1O_IDLE:
		if (events & (STREAM_READABLE | STREAM_DEAD))
			h1o_close(o);
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
	h1o_close(o);
}

struct h1_origin *
h1o_connect(struct up_server *s, const struct sock_addr *to, struct exch *x)
{
	struct worker *w = s->group->w;
	struct h1_origin *o;
	bool is_done = false;
	uint16_t port;
	int fd = sock_connect(to, &is_done);
	int rc;

	if (fd < 0)
		return NULL;
	o = calloc(1, sizeof(*o));
	REQUIRE(o != NULL);
	o->magic = MAGIC_H1O;
	o->state = is_done ? H1O_BUSY : H1O_CONNECTING;
	o->server = s;
	(void)sock_addr_ip(to, &o->ip, &port);
	o->x = x;
	list_init(&o->node);
	timer_init(&o->timer, h1o_on_timer, o);
	if (is_done)
		rc = stream_open_fd(&o->stream, w->loop, fd, h1o_on_event, o);
	else
		rc = stream_open_connecting(
		    &o->stream, w->loop, fd, h1o_on_event, o);
	if (rc < 0) {
		int err = errno;

		(void)close(fd);
		free(o);
		errno = err;
		return NULL;
	}
	counter_add(w->counters, COUNTER_ORIGIN_CONNECTS, 1);
	return o;
}

struct h1_origin *
h1o_take(struct up_server *s, struct exch *x, bool is_sure)
{
	while (!list_is_empty(&s->idle)) {
		struct h1_origin *o =
		    LIST_ENTRY(s->idle.next, struct h1_origin, node);

		OBJ_CHECK(o, MAGIC_H1O);
		if (!up_server_is_at(s, &o->ip) ||
		    (is_sure && !stream_is_fresh(&o->stream))) {
			h1o_close(o);
			continue;
		}
		h1o_unpool(o);
		h1o_goto(o, H1O_BUSY);
		o->x = x;
		o->is_reused = true;
		o->taken_in = is_sure ? 0 : loop_batch(o->stream.loop);
		counter_add(s->group->w->counters, COUNTER_ORIGIN_REUSES, 1);
		return o;
	}
	return NULL;
}

void
h1o_release(struct h1_origin *o)
{
	struct up_server *s = o->server;
	const struct upstream *u = s->group->conf;

	OBJ_CHECK(o, MAGIC_H1O);
	o->x = NULL;
	if (s->group->is_retiring || !upstream_can_keep(u) ||
	    s->n_idle >= u->keepalive || o->stream.got_rdhup ||
	    o->in.buf != NULL || !up_server_is_at(s, &o->ip)) {
		h1o_close(o);
		return;
	}
	/* what lies in the socket already makes no event: it would be taken for
	 * the answer to the next request */
	if (o->stream.may_read && !stream_is_fresh(&o->stream)) {
		h1o_close(o);
		return;
	}
	h1o_goto(o, H1O_IDLE);
	list_push_front(&s->idle, &o->node);
	s->n_idle++;
	loop_timer_set(o->stream.loop, &o->timer, u->idle_timeout_ms);
}
