/* exch/wire_in: decides where content ends; pushes slices of the bytes that
 * were read, copies nothing but trailers. */
#include "worker/exch/wire_in.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/hop.h"

/* A run of so many bytes is worth a pipe: a few reads of a block. Shorter messages
 * cost as much copied (bench/tunnels). */
#define WIRE_BULK_MIN (64u * 1024)

void
wire_in_init(struct wire_in *w, struct body *b, const struct http_msg *m,
    bool is_raw_open, bool is_answer)
{
	memset(w, 0, sizeof(*w));
	w->chunk.may_have_ext = is_answer;
	switch (m->body) {
	case LENGTH_NONE:
		w->how = WIRE_IN_DONE;
		break;
	case LENGTH_KNOWN:
		w->left = m->length;
		w->how = m->length > 0 ? WIRE_IN_LENGTH : WIRE_IN_DONE;
		break;
	case LENGTH_OPEN:
		w->how = is_raw_open ? WIRE_IN_RAW : WIRE_IN_CHUNKED;
		break;
	}
	if (w->how == WIRE_IN_DONE)
		body_end(b);
}

/* Hand the first n bytes at hand to the body. */
static void
wire_push(struct inbuf *in, struct body *b, size_t off, size_t n)
{
	struct slice s = inbuf_slice(in, off, n);

	body_push(b, &s);
}

static void
wire_length(struct wire_in *w, struct inbuf *in, struct body *b)
{
	size_t n =
	    (size_t)u64_min(u64_min(inbuf_span(in).len, w->left), body_room(b));

	wire_push(in, b, 0, n);
	inbuf_use(in, n);
	w->left -= n;
	if (w->left == 0) {
		w->how = WIRE_IN_DONE;
		body_end(b);
	}
}

/* A piece may be a little over the body's room: it is one read at most. */
static enum wire_in_rc
wire_chunked(struct wire_in *w, struct inbuf *in, struct body *b)
{
	span at_hand = inbuf_span(in);
	span data;
	size_t used;

	switch (h1_chunk_step(&w->chunk, at_hand, &used, &data)) {
	case H1_CHUNK_MORE:
		break;
	case H1_CHUNK_DATA:
		wire_push(in, b, (size_t)(data.p - at_hand.p), data.len);
		break;
	case H1_CHUNK_LAST:
		w->how = WIRE_IN_TRAILERS;
		break;
	case H1_CHUNK_BAD:
		w->bad = H1_BAD_CHUNK;
		return WIRE_IN_BAD;
	}
	inbuf_use(in, used);
	return WIRE_IN_OK;
}

static enum wire_in_rc
wire_trailers(struct wire_in *w, struct inbuf *in, struct body *b,
    struct http_msg *m, struct arena *a, const struct h1_limits *lim)
{
	span at_hand = inbuf_span(in);
	span section;

	switch (h1_scan(&w->scan, H1_TRAILERS, at_hand, lim)) {
	case H1_MORE:
		return WIRE_IN_MORE;
	case H1_BAD:
		w->bad = w->scan.bad;
		return WIRE_IN_BAD;
	case H1_OK:
		break;
	}
	section = arena_span(a, span_first(at_hand, w->scan.at));
	if (h1_parse_trailers(section, a, m, &w->bad) != H1_OK)
		return WIRE_IN_BAD;
	hop_remove_trailers(m);
	inbuf_use(in, w->scan.at);
	w->how = WIRE_IN_DONE;
	body_end(b);
	return WIRE_IN_OK;
}

void
wire_in_came(struct wire_in *w, ssize_t n, const struct stream *s)
{
	if (n > 0)
		w->run = (uint32_t)u64_min(
		    (uint64_t)w->run + (uint64_t)n, WIRE_BULK_MIN);
	if (w->run == WIRE_BULK_MIN)
		w->is_bulk = true;
	if (s->may_read || w->run == 0)
		return;
	/* a pause */
	w->is_bulk = w->run == WIRE_BULK_MIN;
	w->run = 0;
}

enum wire_in_rc
wire_in_step(struct wire_in *w, struct inbuf *in, struct body *b,
    struct http_msg *m, struct arena *a, const struct h1_limits *lim)
{
	size_t n = inbuf_span(in).len;

	if (n == 0)
		return WIRE_IN_MORE;
	switch (w->how) {
	case WIRE_IN_LENGTH:
		wire_length(w, in, b);
		return WIRE_IN_OK;
	case WIRE_IN_CHUNKED:
		return wire_chunked(w, in, b);
	case WIRE_IN_TRAILERS:
		return wire_trailers(w, in, b, m, a, lim);
	case WIRE_IN_RAW:
		n = size_min(n, body_room(b));
		wire_push(in, b, 0, n);
		inbuf_use(in, n);
		return WIRE_IN_OK;
	case WIRE_IN_DONE:
		break;
	}
	UNREACHED();
}
