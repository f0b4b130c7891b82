/* up/h2o_send: a request onto a stream of an HTTP/2 connection. Decides its
 * pseudo-fields (RFC 9113 8.3.1); content goes when the session asks for it. */
#include <openssl/evp.h>

#include "common/base/num.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/up/h2o.h"

/* RFC 6455 4.2.2: what a key is hashed with, and the hash in base64. */
#define KEY_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ACCEPT_TEXT 28

/* --- the request's head --------------------------------------------------- */

/* What a server of HTTP/1.1 would have answered to the handshake. */
static span
prepare_accept(struct exch *x)
{
	span parts[2] = {
	    exch_req_field(x, FIELD_SEC_WEBSOCKET_KEY), SPAN_LIT(KEY_GUID)};
	span text = arena_concat(&x->arena, parts, NELEMS(parts));
	unsigned char *p = arena_alloc(&x->arena, ACCEPT_TEXT + 1);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	REQUIRE(EVP_Digest(text.p, text.len, hash, &n, EVP_sha1(), NULL) == 1);
	REQUIRE(EVP_EncodeBlock(p, hash, (int)n) == ACCEPT_TEXT);
	return span_of((const char *)p, ACCEPT_TEXT);
}

/* The handshake of HTTP/1.1 is an extended CONNECT here (RFC 8441 5). */
static void
prepare_tunnel(struct up_try *t, struct h2o_wire *w)
{
	w->accept = prepare_accept(t->x);
	(void)fields_del(&w->m.fields, FIELD_SEC_WEBSOCKET_KEY);
	w->m.method = METHOD_CONNECT;
	w->m.method_text = method_name(METHOD_CONNECT);
	w->m.protocol = SPAN_LIT("websocket");
	w->has_content = true;
}

static bool
prepare_has_content(const struct http_msg *m)
{
	return m->body == LENGTH_OPEN ||
	       (m->body == LENGTH_KNOWN && m->length > 0);
}

bool
h2o_prepare(struct up_try *t)
{
	struct exch *x = t->x;
	struct h2o_wire *w = arena_zalloc(&x->arena, sizeof(*w));
	const struct http_field *host;

	t->wire = w;
	w->target = route_target(x);
	if (w->target.len == 0) {
		exch_fault(x, F_PATH_AMBIGUOUS, 0);
		return false;
	}
	if (x->req.body == LENGTH_OPEN)
		(void)fields_del(&x->req.fields, FIELD_CONTENT_LENGTH);
	host = fields_find(&x->req.fields, FIELD_HOST);
	w->m = x->req;
	w->m.authority = host != NULL ? host->value : t->group->conf->name;
	w->m.protocol = span_of(NULL, 0);
	w->has_content = prepare_has_content(&x->req);
	if (x->wants_tunnel)
		prepare_tunnel(t, w);
	return true;
}

static span
send_scheme(const struct up_server *s)
{
	return s->conf->is_tls ? SPAN_LIT("https") : SPAN_LIT("http");
}

void
h2o_explain(const struct up_try *t)
{
	struct exch *x = t->x;
	const struct h2o_wire *w = h2o_wire(t);
	const struct http_msg *m = &w->m;

	sink_note(x, "sends", SINK_NOWHERE, ":method: %.*s",
	    SPAN_FMT(m->method_text));
	sink_note(x, "sends", SINK_NOWHERE, ":path: %.*s", SPAN_FMT(w->target));
	sink_note(x, "sends", SINK_NOWHERE, ":authority: %.*s",
	    SPAN_FMT(m->authority));
	fields_foreach(f, &m->fields)
	{
		if (f->id != FIELD_HOST && f->id != FIELD_CONNECTION)
			sink_note(x, "sends", SINK_NOWHERE, "%.*s: %.*s",
			    SPAN_FMT(f->name), SPAN_FMT(f->value));
	}
}

/* --- a try ---------------------------------------------------------------- */

/* Hand the head to the session. false: not yet, or not at all. */
static bool
send_head(struct up_try *t)
{
	struct h2o_stream *s = h2o_of(t->o);
	struct h2o_wire *w = h2o_wire(t);
	struct h2_origin *c = s->conn;
	enum h2_rc rc = H2_RC_OVER;

	w->m.scheme = send_scheme(t->server);
	if (c != NULL)
		rc = h2_stream_request(
		    c->h2, &s->h2, &w->m, w->target, w->has_content);
	switch (rc) {
	case H2_RC_OK:
		s->is_begun = true;
		c->is_used = true;
		counter_add(t->x->w->counters, COUNTER_ORIGIN_H2_STREAMS, 1);
		h2o_conn_want_flush(c);
		return true;
	case H2_RC_LATER:
		c->has_later = true;
		return false;
	case H2_RC_OVER:
		s->broken.why = F_ORIGIN_REFUSED;
		return false;
	}
	UNREACHED();
}

void
h2o_begin(struct up_try *t)
{
	struct h2o_stream *s = h2o_of(t->o);

	origin_note(t->x, t->server, &s->conn->at, &s->conn->stream);
	(void)send_head(t);
}

bool
h2o_is_sent(const struct up_try *t)
{
	return h2o_of(t->o)->h2.is_send_over && body_is_done(&t->x->req_body);
}

/* Content is at hand, or its end. */
static void
send_offer(struct h2o_stream *s)
{
	struct exch *x = s->base.x;
	struct body *b = &x->req_body;

	if (b->state == BODY_LAST && x->req.trailers.n > 0)
		s->h2.trailers = &x->req.trailers;
	if (s->conn == NULL || (b->len == 0 && b->state != BODY_LAST))
		return;
	h2_stream_resume(&s->h2);
	if (h2_session_wants_send(s->conn->h2))
		h2o_conn_want_flush(s->conn);
}

bool
h2o_send(struct up_try *t)
{
	struct h2o_stream *s = h2o_of(t->o);
	bool moved = s->taken > s->shown;

	if (!s->is_begun && s->broken.why == F_NONE)
		moved |= send_head(t);
	s->shown = s->taken;
	t->is_any_sent |= s->h2.wire_out > 0;
	if (s->is_begun && !s->h2.is_send_over)
		send_offer(s);
	return moved;
}

void
h2o_shut(struct up_try *t)
{
	send_offer(h2o_of(t->o));
}

/* --- for the session ------------------------------------------------------ */

/* What a tunnel's client says belongs to it only when it was granted. */
static bool
send_is_early(const struct exch *x)
{
	return x->wants_tunnel && x->state != EXCH_TUNNEL;
}

size_t
h2o_content(void *self, struct h2_stream *st, size_t max, bool *is_last)
{
	const struct exch *x = h2o_stream_of(st)->base.x;
	const struct body *b = &x->req_body;

	(void)self;
	if (send_is_early(x))
		return 0;
	*is_last = b->state == BODY_LAST && b->len <= max;
	return size_min(b->len, max);
}

void
h2o_take_content(void *self, struct h2_stream *st, char *to, size_t n)
{
	struct h2o_stream *s = h2o_stream_of(st);
	struct body *b = &s->base.x->req_body;
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	int pieces = body_peek(b, iov, BODY_SLICES, n, &bytes);

	(void)self;
	REQUIRE(bytes == n);
	for (int i = 0; i < pieces; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	body_consume(b, n);
	s->taken += n;
	if (b->state != BODY_LAST)
		exch_kick(s->base.x);
}

void
h2o_sent(void *self, struct h2_stream *st)
{
	(void)self;
	exch_kick(h2o_stream_of(st)->base.x);
}
