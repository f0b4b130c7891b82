/* fuzz/wire: the first byte says how the rest is cut, the rest is the chunked
 * content of an answer with its trailers. All cuts give the same; what was read
 * is written through short writes, and that is read as the same again. */
#include "t/fuzz/fuzz.h"

#include "common/http/h1.h"
#include "worker/exch/wire_in.h"
#include "worker/exch/wire_out.h"

#define BODY_HIGH 65536

static const struct h1_limits limits = {256, 2048, 24};

/* One message read, and all that it owns. */
struct got {
	struct arena_pool pool;
	struct arena arena;
	struct http_msg m;
	char *content;
	size_t len;
	size_t used;
	enum wire_in_rc rc;
	bool is_done;
	enum h1_bad bad;
};

static void
got_free(struct got *g)
{
	arena_fini(&g->arena);
	arena_pool_fini(&g->pool);
	free(g->content);
}

static void
take_content(struct got *g, struct body *b)
{
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	int n = body_peek(b, iov, BODY_SLICES, UINT64_MAX, &bytes);

	for (int i = 0; i < n; i++) {
		memcpy(g->content + g->len, iov[i].iov_base, iov[i].iov_len);
		g->len += iov[i].iov_len;
	}
	body_consume(b, bytes);
	REQUIRE(b->len == 0);
}

/* Put the next `piece` bytes behind what is at hand. */
static void
feed(struct inbuf *in, span *rest, size_t piece)
{
	span part = span_first(*rest, piece);

	if (in->buf == NULL) {
		in->buf = buf_new_sized(NULL, rest->len);
		in->at = 0;
	}
	memcpy(in->buf->data + in->buf->used, part.p, part.len);
	in->buf->used += (uint32_t)part.len;
	*rest = span_from(*rest, part.len);
}

static void
wire_read(struct got *g, span text, size_t piece)
{
	struct inbuf in = {NULL, 0};
	struct wire_in w;
	struct body b;
	span rest = text;

	memset(g, 0, sizeof(*g));
	arena_pool_init(&g->pool, 2);
	arena_init(&g->arena, &g->pool);
	g->m.status = 200;
	g->m.body = LENGTH_OPEN;
	g->rc = WIRE_IN_MORE;
	g->content = malloc(text.len > 0 ? text.len : 1);
	REQUIRE(g->content != NULL);
	body_init(&b, BODY_HIGH);
	wire_in_init(&w, &b, &g->m, false, true);
	while (w.how != WIRE_IN_DONE && g->rc != WIRE_IN_BAD &&
	       (rest.len > 0 || g->rc == WIRE_IN_OK)) {
		if (g->rc == WIRE_IN_MORE || in.buf == NULL) {
			if (rest.len == 0)
				break;
			feed(&in, &rest, piece);
		}
		REQUIRE(body_room(&b) > 0);
		g->rc = wire_in_step(&w, &in, &b, &g->m, &g->arena, &limits);
		take_content(g, &b);
		REQUIRE((b.state == BODY_LAST) == (w.how == WIRE_IN_DONE));
	}
	g->is_done = w.how == WIRE_IN_DONE;
	g->bad = w.bad;
	g->used = text.len - rest.len - inbuf_span(&in).len;
	REQUIRE((g->rc == WIRE_IN_BAD) == (g->bad != H1_BAD_NONE));
	inbuf_drop(&in);
	body_fini(&b);
}

static void
check_same(const struct got *a, const struct got *b)
{
	REQUIRE(a->is_done == b->is_done && a->bad == b->bad);
	REQUIRE(
	    a->len == b->len && memcmp(a->content, b->content, a->len) == 0);
	REQUIRE(a->m.trailers.n == b->m.trailers.n);
	for (uint32_t i = 0; i < a->m.trailers.n; i++) {
		const struct http_field *x = &a->m.trailers.at[i];
		const struct http_field *y = &b->m.trailers.at[i];

		REQUIRE(span_eq(x->name, y->name));
		REQUIRE(span_eq(x->value, y->value));
	}
}

/* --- writing: a stream that takes a few bytes at a time ------------------- */

struct sink {
	struct stream s;
	char *p;
	size_t len;
	size_t cap;
	size_t piece;
};

static ssize_t
sink_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct sink *k = CONTAINER_OF(s, struct sink, s);
	size_t took = 0;

	for (int i = 0; i < n && took < k->piece; i++) {
		size_t part = iov[i].iov_len;

		if (part > k->piece - took)
			part = k->piece - took;
		REQUIRE(part <= k->cap - k->len);
		memcpy(k->p + k->len, iov[i].iov_base, part);
		k->len += part;
		took += part;
	}
	return (ssize_t)took;
}

static const struct stream_ops sink_ops = {.writev = sink_writev};

/* In two pushes, so that there is more than one chunk. */
static void
check_written(struct got *g, size_t piece)
{
	size_t cap =
	    g->len + 4 * H1_CHUNK_LINE_CAP + h1_trailers_size(&g->m.trailers);
	struct sink k = {.s = {.ops = &sink_ops, .may_write = true},
	    .cap = cap,
	    .piece = piece};
	struct wire_out w = {.how = WIRE_OUT_CHUNKED};
	size_t half = g->len / 2;
	struct got again;
	struct slice s;
	struct body b;

	k.p = malloc(cap);
	REQUIRE(k.p != NULL);
	body_init(&b, BODY_HIGH);
	s = (struct slice){NULL, g->content, (uint32_t)half};
	body_push(&b, &s);
	while (wire_out_step(&w, &k.s, &b, &g->m.trailers, &g->arena) > 0)
		REQUIRE(!wire_out_is_done(&w, &b));
	s = (struct slice){NULL, g->content + half, (uint32_t)(g->len - half)};
	body_push(&b, &s);
	body_end(&b);
	while (wire_out_step(&w, &k.s, &b, &g->m.trailers, &g->arena) > 0)
		;
	REQUIRE(wire_out_is_done(&w, &b));
	wire_read(&again, span_of(k.p, k.len), SIZE_MAX);
	REQUIRE(again.is_done && again.used == k.len);
	check_same(g, &again);
	got_free(&again);
	body_fini(&b);
	free(k.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got whole, parts, bytes;
	size_t piece;
	span in;

	if (size == 0)
		return 0;
	piece = data[0] + 1u;
	in = fuzz_dup(span_of((const char *)data + 1, size - 1));
	wire_read(&whole, in, SIZE_MAX);
	wire_read(&parts, in, piece);
	wire_read(&bytes, in, 1);
	check_same(&whole, &parts);
	check_same(&whole, &bytes);
	if (whole.is_done) {
		REQUIRE(whole.used == parts.used && whole.used == bytes.used);
		check_written(&whole, piece);
	}
	got_free(&whole);
	got_free(&parts);
	got_free(&bytes);
	fuzz_free(in);
	return 0;
}
