/* Messages onto the wire (RFC 9112 6, 7.1), whatever the kernel takes. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include "worker/exch/wire_out.h"

#define HIGH 4096u
#define STEPS 12

static const span head = {"HTTP/1.1 200 OK\r\n\r\n", 19};

static struct arena_pool pool;
static struct arena arena;
static struct fake_stream f;
static struct wire_out w;
static struct body body;
static struct http_fields trailers;

static void
begin(enum wire_out_how how, size_t step, bool pauses)
{
	arena_init(&arena, &pool);
	fields_init(&trailers, &arena, 4);
	memset(&w, 0, sizeof(w));
	w.how = how;
	body_init(&body, HIGH);
	fake_init(&f, step, pauses);
	wire_out_head(&w, &arena, head);
}

static void
end(void)
{
	body_fini(&body);
	arena_fini(&arena);
	ck_assert_uint_eq(pool.n_live, 0);
}

static void
set_up(void)
{
	arena_pool_init(&pool, 4);
}

static void
tear_down(void)
{
	arena_pool_fini(&pool);
}

static void
push(const char *text)
{
	struct slice s = {NULL, text, (uint32_t)strlen(text)};

	body_push(&body, &s);
}

/* Write until there is nothing to write now. */
static void
flush(void)
{
	ssize_t rc;

	do {
		rc = wire_out_step(&w, &f.s, &body, &trailers, &arena);
		ck_assert(rc >= 0 || rc == STREAM_RC_AGAIN);
		if (f.step > 0 && rc > 0)
			ck_assert_uint_le((size_t)rc, f.step);
	} while (rc != 0);
}

static void
wrote(const char *want)
{
	ck_assert_msg(f.len == strlen(want) && memcmp(f.out, want, f.len) == 0,
	    "'%.*s' instead of '%s'", (int)f.len, f.out, want);
}

static void
wrote_behind_head(const char *want)
{
	ck_assert_uint_ge(f.len, head.len);
	ck_assert_mem_eq(f.out, head.p, head.len);
	f.len -= head.len;
	memmove(f.out, f.out + head.len, f.len);
	wrote(want);
}

START_TEST(plain_content_follows_the_head)
{
	for (size_t step = 0; step < STEPS; step++) {
		begin(WIRE_OUT_PLAIN, step, step % 2);
		push("abc");
		push("defg");
		body_end(&body);
		ck_assert(!wire_out_is_done(&w, &body));
		flush();
		wrote_behind_head("abcdefg");
		ck_assert(wire_out_is_done(&w, &body));
		end();
	}
}
END_TEST

START_TEST(a_whole_small_message_is_one_write)
{
	begin(WIRE_OUT_CHUNKED, 0, false);
	push("abc");
	push("defg");
	body_end(&body);
	ck_assert_int_gt(wire_out_step(&w, &f.s, &body, &trailers, &arena), 0);
	ck_assert_uint_eq(f.n_calls, 1);
	wrote_behind_head("7\r\nabcdefg\r\n0\r\n\r\n");
	ck_assert(wire_out_is_done(&w, &body));
	end();
}
END_TEST

START_TEST(a_bare_message_has_no_content)
{
	for (size_t step = 0; step < STEPS; step++) {
		begin(WIRE_OUT_BARE, step, false);
		push("never");
		body_end(&body);
		flush();
		wrote_behind_head("");
		ck_assert(wire_out_is_done(&w, &body));
		ck_assert_uint_eq(body.len, 5);
		end();
	}
}
END_TEST

/* Content that comes piece by piece, each flushed by itself. */
START_TEST(each_piece_is_a_chunk)
{
	for (size_t step = 0; step < STEPS; step++) {
		begin(WIRE_OUT_CHUNKED, step, step % 2);
		flush();
		push("abc");
		flush();
		ck_assert(!wire_out_is_done(&w, &body));
		push("0123456789abcdef");
		flush();
		body_end(&body);
		ck_assert(!wire_out_is_done(&w, &body));
		flush();
		wrote_behind_head("3\r\nabc\r\n10\r\n0123456789abcdef\r\n"
				  "0\r\n\r\n");
		ck_assert(wire_out_is_done(&w, &body));
		end();
	}
}
END_TEST

/* Content that comes in while a chunk is half written belongs to the next. */
START_TEST(a_chunk_that_was_begun_keeps_its_size)
{
	for (size_t step = 1; step < STEPS; step++) {
		size_t before;

		begin(WIRE_OUT_CHUNKED, 0, false);
		flush();
		before = f.len;
		f.step = step;
		push("abc");
		ck_assert_int_gt(
		    wire_out_step(&w, &f.s, &body, &trailers, &arena), 0);
		ck_assert_uint_eq(f.len - before, size_min(step, 8));
		push("defg");
		body_end(&body);
		flush();
		wrote_behind_head("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
		end();
	}
}
END_TEST

START_TEST(no_content_is_the_last_chunk_alone)
{
	begin(WIRE_OUT_CHUNKED, 0, false);
	body_end(&body);
	flush();
	wrote_behind_head("0\r\n\r\n");
	end();
}
END_TEST

START_TEST(trailers_follow_the_last_chunk)
{
	for (size_t step = 0; step < STEPS; step++) {
		begin(WIRE_OUT_CHUNKED, step, step % 2);
		fields_add(&trailers, &arena, SPAN_LIT("X-Sum"), SPAN_LIT("1"));
		fields_add(&trailers, &arena, SPAN_LIT("B"), SPAN_LIT("c"));
		push("abc");
		body_end(&body);
		flush();
		wrote_behind_head("3\r\nabc\r\n0\r\nX-Sum: 1\r\nB: c\r\n\r\n");
		ck_assert(wire_out_is_done(&w, &body));
		end();
	}
}
END_TEST

START_TEST(what_broke_never_gets_its_end)
{
	static const enum wire_out_how hows[] = {
	    WIRE_OUT_PLAIN, WIRE_OUT_CHUNKED};

	for (size_t i = 0; i < NELEMS(hows); i++) {
		for (size_t step = 0; step < STEPS; step++) {
			begin(hows[i], step, false);
			flush();
			push("abc");
			body_abort(&body, F_ORIGIN_CUT);
			flush();
			wrote_behind_head(
			    hows[i] == WIRE_OUT_PLAIN ? "abc" : "3\r\nabc\r\n");
			ck_assert(!wire_out_is_done(&w, &body));
			end();
		}
	}
}
END_TEST

START_TEST(more_head_goes_behind_what_is_unwritten)
{
	for (size_t step = 0; step < STEPS; step++) {
		begin(WIRE_OUT_PLAIN, step, false);
		if (step > 0)
			(void)wire_out_step(&w, &f.s, &body, &trailers, &arena);
		wire_out_head(&w, &arena, SPAN_LIT("second\r\n\r\n"));
		push("abc");
		body_end(&body);
		flush();
		wrote_behind_head("second\r\n\r\nabc");
		end();
	}
}
END_TEST

START_TEST(a_full_kernel_is_told)
{
	begin(WIRE_OUT_PLAIN, 0, false);
	f.s.may_write = false;
	ck_assert_int_eq(
	    wire_out_step(&w, &f.s, &body, NULL, &arena), STREAM_RC_AGAIN);
	ck_assert_uint_eq(f.len, 0);
	f.s.may_write = true;
	flush();
	ck_assert_int_eq(wire_out_step(&w, &f.s, &body, NULL, &arena), 0);
	end();
}
END_TEST

/* A tunnel's direction goes on after a pause without anything to write. */
START_TEST(raw_bytes_go_on)
{
	begin(WIRE_OUT_PLAIN, 0, false);
	for (int i = 0; i < 5; i++) {
		flush();
		ck_assert(!wire_out_is_done(&w, &body));
		push("ab");
	}
	flush();
	wrote_behind_head("ababababab");
	end();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    plain_content_follows_the_head,
	    a_whole_small_message_is_one_write,
	    a_bare_message_has_no_content,
	    each_piece_is_a_chunk,
	    a_chunk_that_was_begun_keeps_its_size,
	    no_content_is_the_last_chunk_alone,
	    trailers_follow_the_last_chunk,
	    what_broke_never_gets_its_end,
	    more_head_goes_behind_what_is_unwritten,
	    a_full_kernel_is_told,
	    raw_bytes_go_on,
	};

	return unit_run_in(
	    "exch/wire_out", tests, NELEMS(tests), set_up, tear_down);
}
