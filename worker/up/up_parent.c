/* up/up_parent: connections are those of HTTP/1.1 and are pooled as such; only
 * what is said on them differs. Who we are is said to each proxy for itself, in
 * its own try. */
#include "worker/up/up_parent.h"

#include "common/conf/conf.h"
#include "worker/exch/plan.h"
#include "worker/exch/target.h"
#include "worker/up/h1o.h"
#include "worker/up/rawo.h"

/* --- the order ------------------------------------------------------------ */

static void *
order_open(const struct up_group *g)
{
	return (void *)(uintptr_t)g;
}

static void
order_close(void *state)
{
	(void)state;
}

static int
order_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	uint32_t i = 0;

	(void)state;
	(void)x;
	while (i < g->conf->n_servers && lb_is_skipped(skip, i))
		i++;
	return is_backup || i == g->conf->n_servers ? -1 : (int)i;
}

const struct lb_ops lb_in_order = {
    .name = "their order",
    .open = order_open,
    .close = order_close,
    .pick = order_pick,
};

/* --- plain requests ------------------------------------------------------- */

static bool
parent_prepare(struct up_try *t)
{
	struct exch *x = t->x;
	span path = route_target(x);
	span parts[3] = {SPAN_LIT("http://"), x->req.authority, path};

	/* OPTIONS of a whole server is a URL without a path (RFC 9112 3.2.4) */
	if (path.len == 1 && path.p[0] == '*')
		parts[2] = span_of(NULL, 0);
	return h1o_prepare_for(
	    t, arena_concat(&x->arena, parts, NELEMS(parts)));
}

/* What is said to this proxy alone stands behind the first line. */
static void
parent_begin(struct up_try *t)
{
	struct arena *a = &t->x->arena;
	struct h1o_wire *w = h1o_wire(t);
	span whole = w->head;
	size_t line = (size_t)span_chr(whole, '\n') + 1;
	span parts[3] = {span_first(whole, line), t->server->conf->proof,
	    span_from(whole, line)};

	w->head = arena_concat(a, parts, NELEMS(parts));
	h1o_begin(t);
	w->head = whole;
}

const struct origin_ops parent_ops = {
    .prepare = parent_prepare,
    .explain = h1o_explain,
    .take = h1o_take,
    .connect = h1o_connect,
    .poll = h1o_poll,
    .begin = parent_begin,
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

/* --- tunnels -------------------------------------------------------------- */

/* Of the client's head nothing goes on but what it asks for, and by whom it came
 * here. */
static bool
tunnel_prepare(struct up_try *t)
{
	struct exch *x = t->x;
	span to = x->req.authority;
	span via = x->destination->via;

	(void)rawo_prepare(t);
	h1o_wire(t)->head = arena_printf(&x->arena,
	    "CONNECT %.*s HTTP/1.1\r\nHost: %.*s\r\n%s%.*s%s\r\n", SPAN_FMT(to),
	    SPAN_FMT(to), via.len > 0 ? "Via: " : "", SPAN_FMT(via),
	    via.len > 0 ? "\r\n" : "");
	return true;
}

static void
tunnel_explain(const struct up_try *t)
{
	h1o_explain(t);
	rawo_explain(t);
}

static void
tunnel_begin(struct up_try *t)
{
	parent_begin(t);
	/* the client's bytes are not for the parent, but for who is behind it */
	h1o_wire(t)->out.how = WIRE_OUT_BARE;
}

static bool
tunnel_send(struct up_try *t)
{
	if (t->x->state != EXCH_TUNNEL)
		return h1o_send(t);
	h1o_wire(t)->out.how = WIRE_OUT_PLAIN;
	return rawo_send(t);
}

enum { STATUS_ERRORS = 500, STATUS_FORBIDDEN = 403 };

/* What speaks of the way between us and the parent is nothing that the client
 * could mend. */
static unsigned
tunnel_status(unsigned status)
{
	return status == STATUS_FORBIDDEN || status >= STATUS_ERRORS ? status
								     : 0;
}

static void
tunnel_final(struct up_try *t, const struct http_msg *m, bool is_chunked)
{
	struct exch *x = t->x;

	(void)is_chunked;
	if (m->status / 100 == 2) {
		rawo_open(t);
		return;
	}
	x->origin.status = m->status;
	try_count_failure(t);
	try_clear_timers(t);
	try_drop_origin(t);
	t->state = UP_DONE;
	exch_fault_as(x, F_PARENT_REFUSED, tunnel_status(m->status), NULL);
}

static bool
tunnel_recv_head(struct up_try *t)
{
	return h1o_recv_head_for(t, tunnel_final);
}

const struct origin_ops parent_tunnel_ops = {
    .prepare = tunnel_prepare,
    .explain = tunnel_explain,
    .take = rawo_take,
    .connect = h1o_connect,
    .poll = h1o_poll,
    .begin = tunnel_begin,
    .send = tunnel_send,
    .is_sent = h1o_is_sent,
    .recv_head = tunnel_recv_head,
    .recv_body = rawo_recv_body,
    .shut = h1o_shut,
    .release = h1o_release,
    .close = h1o_close,
    .reset = h1o_reset,
    .drain = h1o_drain,
    .alpn = "",
};
