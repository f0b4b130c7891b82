/* fuzz/h2answer: any bytes of an origin to a session of ours that asked it. An
 * answer that is told could stand on a connection of HTTP/1 as it is; one that
 * is not complete is never told complete; who has been reset hears nothing
 * more; memory is bounded and all given back. The first byte says how the rest
 * is split. */
#include <stdlib.h>

#include "common/base/num.h"
#include "common/http/chars.h"
#include "common/http/h2_int.h"
#include "t/fuzz/fuzz.h"

#define OUT_CAP 4096
#define PIECE 1024u
/* The methods that are asked with, one a stream. */
#define N_ASKED 4

struct one {
	struct h2_stream h2;
	bool has_final;
	bool is_over; /* ended or reset: nothing may follow */
	size_t left; /* content to send */
};

struct all {
	struct h2_session *h2;
	struct arena_pool pool;
	struct arena arena;
	struct one asked[N_ASKED];
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
	return CONTAINER_OF(st, struct one, h2);
}

static void
check_fields(const struct http_fields *f)
{
	fields_foreach(fld, f)
	{
		span v = fld->value;

		REQUIRE(chars_all(fld->name, CHAR_TOKEN));
		REQUIRE(v.len == 0 ||
			chars_value_end(v.p, v.p + v.len) == v.p + v.len);
		REQUIRE(fld->id != FIELD_TRANSFER_ENCODING);
		REQUIRE(fld->id != FIELD_CONNECTION);
		REQUIRE(fld->id != FIELD_UPGRADE);
	}
}

static void
on_head(void *self, struct h2_stream *st, struct http_msg *m, enum h2_bad bad)
{
	struct one *s = one_of(st);
	struct http_field *cl = fields_find(&m->fields, FIELD_CONTENT_LENGTH);

	(void)self;
	REQUIRE(bad == H2_BAD_NONE && !s->has_final && !s->is_over);
	REQUIRE(m->status >= 100 && m->status <= 599 && m->status != 101);
	REQUIRE(cl == NULL || fields_next(&m->fields, cl) == NULL);
	REQUIRE(m->body != LENGTH_KNOWN || cl != NULL);
	check_fields(&m->fields);
	s->has_final = m->status >= 200;
}

static void
on_data(void *self, struct h2_stream *st, span data)
{
	struct all *a = self;

	REQUIRE(one_of(st)->has_final && !one_of(st)->is_over && data.len > 0);
	REQUIRE(!st->is_to_head);
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
	REQUIRE(s->has_final && !s->is_over);
	REQUIRE(!st->has_length || st->is_without || st->got == st->length);
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
	/* who has begun to answer has acted on the request */
	REQUIRE(!is_unserved || code == H2_REFUSED_STREAM || st->wire_out == 0);
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
	REQUIRE(one_of(st)->left == 0 && st->is_send_over);
}

static void
on_nothing(void *self)
{
	(void)self;
}

static void
on_goaway(void *self, uint32_t code)
{
	(void)code;
	REQUIRE(h2_session_room(((struct all *)self)->h2) == 0);
}

static const struct h2_events events = {
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

static void
gather_all(struct all *a)
{
	char out[OUT_CAP];

	while (h2_session_gather(a->h2, out, sizeof(out)) > 0)
		;
}

/* GET, HEAD, a POST with more content than a window, and a tunnel. */
static void
ask_all(struct all *a)
{
	static const enum http_method methods[N_ASKED] = {
	    METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_CONNECT};

	for (size_t i = 0; i < N_ASKED; i++) {
		struct one *s = &a->asked[i];
		struct http_msg m = {
		    .method = methods[i],
		    .scheme = SPAN_LIT("http"),
		    .authority = SPAN_LIT("a.test"),
		};
		bool has_content =
		    methods[i] == METHOD_POST || methods[i] == METHOD_CONNECT;

		if (methods[i] == METHOD_CONNECT)
			m.protocol = SPAN_LIT("websocket");
		s->left = has_content ? 100000 : 0;
		s->h2.arena = &a->arena;
		REQUIRE(h2_stream_request(a->h2, &s->h2, &m, SPAN_LIT("/"),
			    has_content) == H2_RC_OK);
	}
	gather_all(a);
}

static void
feed(struct all *a, span in, size_t piece)
{
	while (in.len > 0 && !h2_session_is_over(a->h2)) {
		a->input = fuzz_dup(span_first(in, piece));
		(void)h2_session_recv(a->h2, a->input, 1);
		fuzz_free(a->input);
		gather_all(a);
		REQUIRE(h2_session_memory(a->h2) <= H2_MEM_MAX);
		in = span_from(in, piece);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2_config c = {
	    .role = H2_CLIENT,
	    .limits = &limits,
	    .window = 65535,
	    .connection_window = 131072,
	};
	struct all a = {.h2 = NULL};
	span in = span_of((const char *)data, size);

	if (size == 0)
		return 0;
	arena_pool_init(&a.pool, 2);
	arena_init(&a.arena, &a.pool);
	a.h2 = h2_session_new(&c, &events, &a);
	REQUIRE(a.h2 != NULL);
	ask_all(&a);
	feed(&a, span_from(in, 1), data[0] % 4 == 0 ? 1u + data[0] / 4 : PIECE);
	for (size_t i = 0; i < N_ASKED; i++)
		h2_stream_leave(&a.asked[i].h2, H2_CANCEL);
	h2_session_free(a.h2);
	arena_fini(&a.arena);
	arena_pool_fini(&a.pool);
	return 0;
}
