/* fuzz/h2: any bytes of a client of HTTP/2, behind its preface, to a session
 * that answers. What is taken for a request could stand on a connection of
 * HTTP/1 as it is; what is broken is never told complete; memory is bounded and
 * all given back. The first byte says how the rest is split. */
#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "common/http/h2_int.h"
#include "common/http/uri.h"
#include "t/fuzz/fuzz.h"

#define STREAMS_MAX 256
#define OUT_CAP 4096
#define PIECE 1024u

struct one {
	struct h2_stream h2;
	struct list node;
	struct arena arena;
	struct http_msg head;
	bool has_head;
	bool is_over; /* ended or reset: nothing may follow */
	bool is_answered;
	size_t left; /* content to send */
};

struct all {
	struct h2_session *h2;
	struct arena_pool pool;
	struct list streams;
	unsigned n;
	span input; /* of the running h2_session_recv() */
};

static const struct h1_limits limits = {
    .line_max = 256,
    .head_max = 2048,
    .fields_max = 24,
};

static struct one *
one_of(struct h2_stream *st)
{
	return LIST_ENTRY(st, struct one, h2);
}

static struct h2_stream *
on_open(void *self)
{
	struct all *a = self;
	struct one *s;

	if (a->n == STREAMS_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	REQUIRE(s != NULL);
	arena_init(&s->arena, &a->pool);
	s->h2.arena = &s->arena;
	s->left = 100 + a->n * 1000;
	list_push_back(&a->streams, &s->node);
	a->n++;
	return &s->h2;
}

static bool
is_line_text(span s)
{
	return s.len == 0 || chars_value_end(s.p, s.p + s.len) == s.p + s.len;
}

static void
check_fields(const struct http_fields *f)
{
	fields_foreach(fld, f)
	{
		REQUIRE(chars_all(fld->name, CHAR_TOKEN));
		REQUIRE(is_line_text(fld->value));
		REQUIRE(fld->id == field_lookup(fld->name));
		REQUIRE(fld->id != FIELD_TRANSFER_ENCODING);
		REQUIRE(fld->id != FIELD_CONNECTION);
		REQUIRE(fld->id != FIELD_UPGRADE);
	}
}

static void
check_request(const struct http_msg *m)
{
	struct http_field *host = fields_find(&m->fields, FIELD_HOST);
	struct http_field *cl = fields_find(&m->fields, FIELD_CONTENT_LENGTH);

	REQUIRE(chars_all(m->method_text, CHAR_TOKEN));
	REQUIRE(host != NULL && fields_next(&m->fields, host) == NULL);
	REQUIRE(m->authority.len > 0);
	REQUIRE(cl == NULL || fields_next(&m->fields, cl) == NULL);
	REQUIRE(m->body != LENGTH_KNOWN || cl != NULL);
	REQUIRE(chars_all(m->raw_target, CHAR_TARGET));
	if (m->method == METHOD_CONNECT && m->protocol.len == 0)
		return;
	REQUIRE(m->path.p[0] == '/' || span_eq(m->path, SPAN_LIT("*")));
	REQUIRE(chars_all(m->scheme, CHAR_SCHEME));
}

static void
on_head(void *self, struct h2_stream *st, struct http_msg *m, enum h2_bad bad)
{
	struct one *s = one_of(st);

	(void)self;
	REQUIRE(!s->has_head && !s->is_over);
	s->has_head = true;
	s->head = *m;
	if (bad != H2_BAD_NONE) {
		REQUIRE(h2_bad_status(bad) >= 400);
		return;
	}
	check_fields(&m->fields);
	check_request(m);
}

static void
on_data(void *self, struct h2_stream *st, span data)
{
	struct all *a = self;

	REQUIRE(one_of(st)->has_head && !one_of(st)->is_over && data.len > 0);
	REQUIRE(data.p >= a->input.p &&
		data.p + data.len <= a->input.p + a->input.len);
	/* every other piece is kept: windows close */
	if (st->got % 2 == 0)
		h2_stream_consume(st, (uint32_t)data.len);
}

static void
on_end(void *self, struct h2_stream *st, const struct http_fields *trailers)
{
	struct one *s = one_of(st);

	(void)self;
	REQUIRE(s->has_head && !s->is_over);
	REQUIRE(!st->has_length || st->got == st->length);
	s->is_over = true;
	if (trailers != NULL)
		check_fields(trailers);
}

static void
on_reset(void *self, struct h2_stream *st, uint32_t code, enum h2_bad bad,
    bool is_unserved)
{
	(void)self;
	(void)code;
	(void)bad;
	(void)is_unserved;
	one_of(st)->is_over = true;
}

static size_t
content(void *self, struct h2_stream *st, size_t max, bool *is_last)
{
	size_t left = one_of(st)->left;

	(void)self;
	*is_last = left <= max;
	return size_min(left, max);
}

static void
take(void *self, struct h2_stream *st, char *to, size_t n)
{
	(void)self;
	memset(to, 'x', n);
	one_of(st)->left -= n;
}

static void
on_sent(void *self, struct h2_stream *st)
{
	(void)self;
	REQUIRE(one_of(st)->left == 0 || st->is_send_over);
}

static void
on_nothing(void *self)
{
	(void)self;
}

static void
on_goaway(void *self, uint32_t code)
{
	(void)self;
	(void)code;
}

static const struct h2_events events = {
    .on_open = on_open,
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
    .on_reset = on_reset,
    .content = content,
    .take = take,
    .on_sent = on_sent,
    .on_settings = on_nothing,
    .on_goaway = on_goaway,
    .on_pong = on_nothing,
};

/* Answer what can be answered; leave some in the middle. */
static void
answer_all(struct all *a)
{
	list_foreach (n, &a->streams) {
		struct one *s = LIST_ENTRY(n, struct one, node);
		struct http_msg m = {.version = HTTP_1_1, .status = 200};

		if (!s->has_head || s->is_answered)
			continue;
		s->is_answered = h2_stream_answer(&s->h2, &m,
				     s->left % 3 != 0) != H2_RC_LATER;
		if (s->left % 7 == 0)
			h2_stream_leave(&s->h2, H2_INTERNAL_ERROR);
	}
}

static void
gather_all(struct all *a)
{
	char out[OUT_CAP];

	while (h2_session_gather(a->h2, out, sizeof(out)) > 0)
		;
}

static void
feed(struct all *a, span in, size_t piece, uint64_t now_ms)
{
	while (in.len > 0 && !h2_session_is_over(a->h2)) {
		a->input = fuzz_dup(span_first(in, piece));
		(void)h2_session_recv(a->h2, a->input, now_ms);
		fuzz_free(a->input);
		answer_all(a);
		gather_all(a);
		REQUIRE(h2_session_memory(a->h2) <= H2_MEM_MAX);
		in = span_from(in, piece);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2_config c = {
	    .role = H2_SERVER,
	    .limits = &limits,
	    .window = 65535,
	    .connection_window = 131072,
	    .streams_max = 100,
	    .has_connect_protocol = true,
	};
	span in = span_of((const char *)data, size);
	struct all a = {.n = 0};
	size_t piece;

	if (size == 0)
		return 0;
	arena_pool_init(&a.pool, 2);
	list_init(&a.streams);
	a.h2 = h2_session_new(&c, &events, &a);
	REQUIRE(a.h2 != NULL);
	piece = data[0] % 4 == 0 ? 1u + data[0] / 4 : PIECE;
	feed(&a, SPAN_LIT(H2_PREFACE), H2_PREFACE_LEN, 0);
	feed(&a, span_from(in, 1), piece, 1);
	list_foreach_safe (n, &a.streams) {
		struct one *s = LIST_ENTRY(n, struct one, node);

		h2_stream_leave(&s->h2, H2_CANCEL);
		arena_fini(&s->arena);
		free(s);
	}
	h2_session_free(a.h2);
	arena_pool_fini(&a.pool);
	return 0;
}
