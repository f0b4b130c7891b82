/* What a connection has read and not yet used. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include "worker/exch/inbuf.h"

static struct worker w;
static struct inbuf in;
static struct fake_stream f;
static char text[FAKE_CAP];

static void
set_up(void)
{
	memset(&w, 0, sizeof(w));
	buf_pool_init(&w.bufs, 4);
	in = (struct inbuf){NULL, 0};
	fake_init(&f, 0, false);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
}

static void
tear_down(void)
{
	inbuf_drop(&in);
	buf_unref(w.spare);
	ck_assert_uint_eq(w.bufs.n_live, 0);
	buf_pool_fini(&w.bufs);
}

static ssize_t
fill(size_t cap)
{
	return inbuf_fill(&in, &w, &f.s, cap);
}

static void
has(const char *want, size_t len)
{
	span s = inbuf_span(&in);

	ck_assert_uint_eq(s.len, len);
	if (len > 0)
		ck_assert_mem_eq(s.p, want, len);
}

START_TEST(nothing_read_owns_nothing)
{
	has("", 0);
	ck_assert_int_eq(fill(100), STREAM_RC_AGAIN);
	ck_assert_ptr_null(in.buf);
	f.in_end = STREAM_RC_EOF;
	ck_assert_int_eq(fill(100), STREAM_RC_EOF);
	ck_assert_ptr_null(in.buf);
	f.in_end = STREAM_RC_ERROR;
	ck_assert_int_eq(fill(100), STREAM_RC_ERROR);
	ck_assert_ptr_null(in.buf);
	inbuf_use(&in, 0);
	inbuf_drop(&in);
}
END_TEST

START_TEST(bytes_come_one_by_one)
{
	f.in = span_of(text, 50);
	f.step = 1;
	for (size_t n = 1; n <= 50; n++) {
		ck_assert_int_eq(fill(100), 1);
		has(text, n);
	}
	ck_assert_int_eq(fill(100), STREAM_RC_AGAIN);
	has(text, 50);
}
END_TEST

START_TEST(every_split_of_what_is_used)
{
	for (size_t split = 0; split <= 50; split++) {
		f.in = span_of(text, 50);
		ck_assert_int_eq(fill(100), 50);
		inbuf_use(&in, split);
		has(text + split, 50 - split);
		inbuf_use(&in, 50 - split);
		ck_assert_ptr_null(in.buf);
	}
}
END_TEST

START_TEST(one_block_serves_read_after_read)
{
	struct buf *first = worker_read_buf(&w);

	for (int i = 0; i < 10; i++) {
		f.in = span_of(text, 100);
		ck_assert_int_eq(fill(100), 100);
		ck_assert_ptr_eq(in.buf, first);
		inbuf_use(&in, 100);
	}
	ck_assert_uint_eq(w.bufs.n_live, 1);
}
END_TEST

START_TEST(who_keeps_a_piece_keeps_the_block)
{
	struct slice s;

	f.in = span_of(text, 100);
	ck_assert_int_eq(fill(100), 100);
	s = inbuf_slice(&in, 10, 20);
	inbuf_use(&in, 100);
	f.in = span_of(text + 100, 100);
	ck_assert_int_eq(fill(100), 100);
	has(text + 100, 100);
	ck_assert_ptr_ne(in.buf, s.buf);
	ck_assert_mem_eq(s.p, text + 10, 20);
	slice_drop(&s);
}
END_TEST

START_TEST(a_piece_counts_from_what_is_at_hand)
{
	struct slice s;

	f.in = span_of(text, 100);
	ck_assert_int_eq(fill(100), 100);
	inbuf_use(&in, 30);
	s = inbuf_slice(&in, 5, 7);
	ck_assert_uint_eq(s.len, 7);
	ck_assert_mem_eq(s.p, text + 35, 7);
	slice_drop(&s);
}
END_TEST

START_TEST(a_head_may_be_longer_than_a_block)
{
	size_t cap = 3 * BUF_CAP;
	size_t n = 0;

	f.in = span_of(text, cap);
	while (f.in.len > 0) {
		ssize_t rc = fill(cap);

		ck_assert_int_gt(rc, 0);
		n += (size_t)rc;
		has(text, n);
	}
	ck_assert_uint_eq(n, cap);
}
END_TEST

START_TEST(what_is_used_makes_room_again)
{
	size_t at = 0;

	/* a little stays at hand all the time, as of pipelined requests */
	f.in = span_of(text, sizeof(text));
	f.step = 1000;
	while (f.in.len > 0) {
		ck_assert_int_gt(fill(100), 0);
		ck_assert_uint_le(in.buf->cap, BUF_CAP);
		if (inbuf_span(&in).len > 10) {
			size_t n = inbuf_span(&in).len - 10;

			inbuf_use(&in, n);
			at += n;
		}
		has(text + at, 10);
	}
	ck_assert_uint_eq(at, sizeof(text) - 10);
}
END_TEST

START_TEST(a_stop_leaves_what_is_at_hand)
{
	f.in = span_of(text, 10);
	ck_assert_int_eq(fill(100), 10);
	f.in_end = STREAM_RC_EOF;
	ck_assert_int_eq(fill(100), STREAM_RC_EOF);
	has(text, 10);
	f.in_end = STREAM_RC_ERROR;
	ck_assert_int_eq(fill(100), STREAM_RC_ERROR);
	has(text, 10);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    nothing_read_owns_nothing,
	    bytes_come_one_by_one,
	    every_split_of_what_is_used,
	    one_block_serves_read_after_read,
	    who_keeps_a_piece_keeps_the_block,
	    a_piece_counts_from_what_is_at_hand,
	    a_head_may_be_longer_than_a_block,
	    what_is_used_makes_room_again,
	    a_stop_leaves_what_is_at_hand,
	};

	return unit_run_in(
	    "exch/inbuf", tests, NELEMS(tests), set_up, tear_down);
}
