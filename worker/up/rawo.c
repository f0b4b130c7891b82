/* up/rawo: connections are those of HTTP/1.1, of which nothing else is used:
 * there is no head in either direction, and no pool. That there is a connection
 * is the answer. What the client says first may have to be a handshake for the
 * host of the tunnel. */
#include "worker/up/rawo.h"

#include "common/tls/tls_hello.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/up/h1o.h"

struct rawo_wire {
	struct h1o_wire h1; /* first: t->wire is one of these, too */
	bool is_looking; /* the client's first bytes are not judged yet */
	struct rawo_hello *hello; /* NULL: none came yet */
};

static struct rawo_wire *
rawo_wire(const struct up_try *t)
{
	return t->wire;
}

bool
rawo_prepare(struct up_try *t)
{
	struct rawo_wire *w = arena_zalloc(&t->x->arena, sizeof(*w));

	t->wire = w;
	w->is_looking = t->x->set->tunnels.checks_sni;
	return true;
}

void
rawo_explain(const struct up_try *t)
{
	sink_note(t->x, "tunnel", SINK_NOWHERE, "to %.*s:%u%s",
	    SPAN_FMT(t->x->destination->host), t->x->destination->port,
	    t->x->set->tunnels.checks_sni
		? ", if it begins with TLS for that host"
		: "");
}

struct origin *
rawo_take(struct up_try *t, enum origin_care care)
{
	(void)t;
	(void)care;
	return NULL;
}

static void
rawo_begin(struct up_try *t)
{
	struct h1o_wire *w = h1o_wire(t);

	memset(w, 0, sizeof(*w));
	w->out.how = WIRE_OUT_PLAIN;
	origin_note(t->x, t->server, &h1o_of(t->o)->at, &h1o_of(t->o)->stream);
}

/* --- the first bytes ------------------------------------------------------ */

/* Room for them, and for the message in them, once it is needed. */
struct rawo_hello {
	char wire[TLS_HELLO_MAX];
	char room[TLS_HELLO_MAX];
};

/* Whether the handshake is for the host of the tunnel. Who asks for an address
 * may name any host: names are what it knows better. */
static bool
rawo_is_for_host(const struct exch *x, const struct tls_hello *h)
{
	char name[TLS_NAME_MAX + 1];
	size_t len;

	if (!tls_hello_name(h, name, &len))
		return false;
	return x->destination->is_literal ||
	       span_eq(span_of(name, len), x->destination->host);
}

static void
rawo_refuse(struct up_try *t, const char *why)
{
	t->x->fault_detail = why;
	exch_fault(t->x, F_TUNNEL_SNI, 0);
}

/* What the client said so far, in one piece. */
static span
rawo_gather(struct up_try *t)
{
	struct rawo_wire *w = rawo_wire(t);
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	int n =
	    body_peek(&t->x->req_body, iov, BODY_SLICES, TLS_HELLO_MAX, &bytes);
	size_t len = 0;

	if (w->hello == NULL)
		w->hello = arena_alloc(&t->x->arena, sizeof(*w->hello));
	for (int i = 0; i < n; i++) {
		memcpy(w->hello->wire + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return span_of(w->hello->wire, len);
}

/* false: more bytes are needed, or the tunnel is refused. */
static bool
rawo_look(struct up_try *t)
{
	struct exch *x = t->x;
	struct rawo_wire *w = rawo_wire(t);
	struct tls_hello h;
	span wire;

	if (x->req_body.len == 0 && x->req_body.state == BODY_OPEN)
		return false;
	wire = rawo_gather(t);
	switch (tls_hello_read(wire, w->hello->room, &h)) {
	case TLS_HELLO_MORE:
		if (x->req_body.state != BODY_OPEN || wire.len >= TLS_HELLO_MAX)
			rawo_refuse(t, "the handshake is not complete");
		/* in however many pieces it comes */
		body_gather(&x->req_body);
		return false;
	case TLS_HELLO_BAD:
		rawo_refuse(t, "no TLS handshake");
		return false;
	case TLS_HELLO_OK:
		break;
	}
	if (!rawo_is_for_host(x, &h)) {
		rawo_refuse(t,
		    h.has_sni ? "it names another host" : "it names no host");
		return false;
	}
	w->is_looking = false;
	x->is_unproven = false;
	return true;
}

/* --- both directions ------------------------------------------------------ */

bool
rawo_send(struct up_try *t)
{
	if (t->x->state != EXCH_TUNNEL)
		return false;
	if (rawo_wire(t)->is_looking && !rawo_look(t))
		return t->x->is_failing;
	return h1o_send(t);
}

void
rawo_open(struct up_try *t)
{
	struct exch *x = t->x;
	struct http_msg m = {
	    .version = HTTP_1_1,
	    .status = 200,
	    .reason = SPAN_LIT("Connection established"),
	    .body = LENGTH_OPEN,
	};

	/* before the tunnel begins, whose time is set then */
	x->is_unproven = rawo_wire(t)->is_looking;
	fields_init(&m.fields, &x->arena, 4);
	if (try_got_final(t, &m))
		wire_in_init(
		    &h1o_wire(t)->in, &x->resp_body, &x->resp, true, true);
	x->origin.status = 0;
}

static bool
rawo_recv_head(struct up_try *t)
{
	rawo_open(t);
	return true;
}

bool
rawo_recv_body(struct up_try *t)
{
	/* who may not speak is not answered either */
	return !rawo_wire(t)->is_looking && h1o_recv_body(t);
}

const struct origin_ops rawo_ops = {
    .prepare = rawo_prepare,
    .explain = rawo_explain,
    .take = rawo_take,
    .connect = h1o_connect,
    .poll = h1o_poll,
    .begin = rawo_begin,
    .send = rawo_send,
    .is_sent = h1o_is_sent,
    .recv_head = rawo_recv_head,
    .recv_body = rawo_recv_body,
    .shut = h1o_shut,
    .release = h1o_release,
    .close = h1o_close,
    .reset = h1o_reset,
    .drain = h1o_drain,
    .alpn = "",
};
