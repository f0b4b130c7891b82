/* Content off the wire (RFC 9112 6, 7), whatever the pieces it comes in. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include "worker/exch/wire_in.h"

#define HIGH 1000u

static const struct h1_limits limits = {200, 300, 8};

/* One content being read. */
struct taken {
	struct worker w;
	struct arena_pool pool;
	struct arena arena;
	struct fake_stream f;
	struct inbuf in;
	struct wire_in wire;
	struct http_msg m;
	struct body body;
	enum wire_in_rc rc; /* BAD, or what the end was */
	char content[4096];
	size_t len;
};

static struct taken t;

static void
take_begin(enum http_length body, uint64_t length, bool is_raw, bool is_answer,
    uint32_t high)
{
	memset(&t, 0, sizeof(t));
	arena_pool_init(&t.pool, 4);
	arena_init(&t.arena, &t.pool);
	buf_pool_init(&t.w.bufs, 4);
	fake_init(&t.f, 0, false);
	fields_init(&t.m.fields, &t.arena, 8);
	fields_init(&t.m.trailers, &t.arena, 8);
	t.m.body = body;
	t.m.length = length;
	body_init(&t.body, high);
	wire_in_init(&t.wire, &t.body, &t.m, is_raw, is_answer);
}

static void
take_end(void)
{
	body_fini(&t.body);
	inbuf_drop(&t.in);
	buf_unref(t.w.spare);
	ck_assert_uint_eq(t.w.bufs.n_live, 0);
	buf_pool_fini(&t.w.bufs);
	arena_fini(&t.arena);
	ck_assert_uint_eq(t.pool.n_live, 0);
	arena_pool_fini(&t.pool);
}

/* Take all that lies in the body. */
static void
take_out(void)
{
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	int n = body_peek(&t.body, iov, BODY_SLICES, UINT64_MAX, &bytes);

	for (int i = 0; i < n; i++) {
		ck_assert_uint_le(t.len + iov[i].iov_len, sizeof(t.content));
		memcpy(t.content + t.len, iov[i].iov_base, iov[i].iov_len);
		t.len += iov[i].iov_len;
	}
	body_consume(&t.body, bytes);
}

/* Feed these bytes until they are used up, the content has ended or is bad. */
static void
take(span bytes)
{
	t.f.in = bytes;
	while (t.wire.how != WIRE_IN_DONE) {
		if (body_room(&t.body) == 0)
			take_out();
		t.rc = wire_in_step(
		    &t.wire, &t.in, &t.body, &t.m, &t.arena, &limits);
		if (t.rc == WIRE_IN_BAD)
			break;
		if (t.rc == WIRE_IN_MORE &&
		    inbuf_fill(&t.in, &t.w, &t.f.s, limits.head_max) <= 0)
			break;
	}
	take_out();
}

static void
took(const char *want)
{
	ck_assert_uint_eq(t.len, strlen(want));
	ck_assert_mem_eq(t.content, want, t.len);
}

/* How a content is framed, its bytes, and what it says. */
struct sample {
	const char *wire;
	const char *content;
	enum http_length body;
	uint64_t length;
	bool is_answer;
};

static const struct sample samples[] = {
    {"abcdefghij", "abcdefghij", LENGTH_KNOWN, 10, false},
    {"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "abcdefg", LENGTH_OPEN, 0, false},
    {"0\r\n\r\n", "", LENGTH_OPEN, 0, false},
    {"A\r\n0123456789\r\n1\r\n\r\r\n0\r\nX-Sum: 1\r\nB: c\r\n\r\n",
	"0123456789\r", LENGTH_OPEN, 0, false},
    {"3;ext=\"x\"\r\nabc\r\n0;last\r\n\r\n", "abc", LENGTH_OPEN, 0, true},
};

static void
begin_sample(const struct sample *s, uint32_t high)
{
	take_begin(s->body, s->length, false, s->is_answer, high);
}

START_TEST(every_split)
{
	for (size_t i = 0; i < NELEMS(samples); i++) {
		const struct sample *s = &samples[i];
		span wire = span_str(s->wire);

		for (size_t split = 0; split <= wire.len; split++) {
			begin_sample(s, HIGH);
			take(span_first(wire, split));
			ck_assert_int_ne(t.rc, WIRE_IN_BAD);
			ck_assert(body_is_done(&t.body) == (split == wire.len));
			take(span_from(wire, split));
			ck_assert(body_is_done(&t.body));
			took(s->content);
			take_end();
		}
	}
}
END_TEST

START_TEST(every_size_of_pieces_and_of_room)
{
	for (size_t i = 0; i < NELEMS(samples); i++) {
		for (size_t step = 1; step < 8; step++) {
			for (uint32_t high = 1; high < 12; high++) {
				begin_sample(&samples[i], high);
				t.f.step = step;
				take(span_str(samples[i].wire));
				ck_assert(body_is_done(&t.body));
				took(samples[i].content);
				take_end();
			}
		}
	}
}
END_TEST

START_TEST(no_truncation_looks_complete)
{
	for (size_t i = 0; i < NELEMS(samples); i++) {
		span wire = span_str(samples[i].wire);

		for (size_t len = 0; len < wire.len; len++) {
			begin_sample(&samples[i], HIGH);
			t.f.in_end = STREAM_RC_EOF;
			take(span_first(wire, len));
			ck_assert_int_eq(t.body.state, BODY_OPEN);
			ck_assert_int_ne(t.wire.how, WIRE_IN_DONE);
			take_end();
		}
	}
}
END_TEST

START_TEST(what_follows_is_left_alone)
{
	for (size_t i = 0; i < NELEMS(samples); i++) {
		span next = SPAN_LIT("GET /next");
		span both;

		begin_sample(&samples[i], HIGH);
		both = arena_concat(
		    &t.arena, (span[]){span_str(samples[i].wire), next}, 2);
		take(both);
		ck_assert(body_is_done(&t.body));
		took(samples[i].content);
		ck_assert(span_eq(inbuf_span(&t.in), next));
		take_end();
	}
}
END_TEST

START_TEST(no_content_is_done_at_once)
{
	take_begin(LENGTH_NONE, 0, false, false, HIGH);
	ck_assert(body_is_done(&t.body));
	take_end();
	take_begin(LENGTH_KNOWN, 0, false, false, HIGH);
	ck_assert(body_is_done(&t.body));
	take_end();
}
END_TEST

START_TEST(raw_content_has_no_end_of_its_own)
{
	take_begin(LENGTH_OPEN, 0, true, true, 4);
	take(SPAN_LIT("0\r\n\r\nHTTP/1.1 "));
	ck_assert_int_eq(t.wire.how, WIRE_IN_RAW);
	ck_assert_int_eq(t.body.state, BODY_OPEN);
	took("0\r\n\r\nHTTP/1.1 ");
	take_end();
}
END_TEST

START_TEST(trailers_come_with_the_message)
{
	const struct http_field *f;

	begin_sample(&samples[3], HIGH);
	take(span_str(samples[3].wire));
	f = fields_find_name(&t.m.trailers, SPAN_LIT("x-sum"));
	ck_assert_ptr_nonnull(f);
	ck_assert(span_eq(f->value, SPAN_LIT("1")));
	ck_assert_ptr_nonnull(fields_find_name(&t.m.trailers, SPAN_LIT("b")));
	take_end();
}
END_TEST

static void
refuses(const char *wire, bool is_answer, enum h1_bad why)
{
	span all = span_str(wire);

	for (size_t split = 0; split <= all.len; split++) {
		take_begin(LENGTH_OPEN, 0, false, is_answer, HIGH);
		take(span_first(all, split));
		if (t.rc != WIRE_IN_BAD)
			take(span_from(all, split));
		ck_assert_int_eq(t.rc, WIRE_IN_BAD);
		ck_assert_int_eq(t.wire.bad, why);
		ck_assert_int_eq(t.body.state, BODY_OPEN);
		take_end();
	}
}

START_TEST(garbage_is_refused_at_every_split)
{
	refuses("zz\r\n", false, H1_BAD_CHUNK);
	refuses("3\r\nabcX", false, H1_BAD_CHUNK);
	refuses("3\r\nabc\n", false, H1_BAD_CHUNK);
	refuses("-1\r\n", true, H1_BAD_CHUNK);
	refuses("3;a=b\r\nabc\r\n", false, H1_BAD_CHUNK);
	refuses("8000000000000000\r\n", true, H1_BAD_CHUNK);
	refuses("0\r\nA : b\r\n\r\n", false, H1_BAD_NAME_BLANK);
}
END_TEST

START_TEST(trailers_are_limited)
{
	char wire[600] = "0\r\nA: ";

	memset(wire + strlen(wire), 'x', limits.head_max);
	refuses(wire, true, H1_BAD_HEAD_LARGE);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    every_split,
	    every_size_of_pieces_and_of_room,
	    no_truncation_looks_complete,
	    what_follows_is_left_alone,
	    no_content_is_done_at_once,
	    raw_content_has_no_end_of_its_own,
	    trailers_come_with_the_message,
	    garbage_is_refused_at_every_split,
	    trailers_are_limited,
	};

	return unit_run("exch/wire_in", tests, NELEMS(tests));
}
