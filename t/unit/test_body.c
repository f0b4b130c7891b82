/* One direction of an exchange's content. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/exch/body.h"

#define HIGH 100u

static struct buf_pool pool;
static struct body body;

static void
set_up(void)
{
	buf_pool_init(&pool, 4);
	body_init(&body, HIGH);
}

static void
tear_down(void)
{
	body_fini(&body);
	ck_assert_uint_eq(pool.n_live, 0);
	buf_pool_fini(&pool);
}

/* A block that holds the text, with one reference. */
static struct buf *
block(const char *text)
{
	struct buf *b = buf_new(&pool);

	b->used = (uint32_t)strlen(text);
	memcpy(b->data, text, b->used);
	return b;
}

static void
push(const char *text)
{
	struct buf *b = block(text);
	struct slice s = slice_of(b, 0, b->used);

	body_push(&body, &s);
	ck_assert_ptr_null(s.buf);
	ck_assert_uint_eq(s.len, 0);
	buf_unref(b);
}

/* What is not yet consumed, at most `max` bytes of it. */
static const char *
peek(uint64_t max)
{
	static char text[4096];
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	size_t len = 0;
	int n = body_peek(&body, iov, BODY_SLICES, max, &bytes);

	for (int i = 0; i < n; i++) {
		memcpy(text + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	ck_assert_uint_eq(len, bytes);
	text[len] = '\0';
	return text;
}

/* Pieces of blocks of their own, one digit each. */
static void
push_digits(unsigned n)
{
	char digit[2] = "0";

	for (unsigned i = 0; i < n; i++) {
		digit[0] = (char)('0' + i % 10);
		push(digit);
	}
}

START_TEST(what_finds_no_place_is_put_together)
{
	push_digits(BODY_SLICES + 3);
	ck_assert_str_eq(peek(HIGH), "0123456789012345678");
	ck_assert_uint_eq(body.n, 4);
	body_consume(&body, 18);
	ck_assert_str_eq(peek(HIGH), "8");
	push("x");
	ck_assert_str_eq(peek(HIGH), "8x");
	body_consume(&body, 2);
	ck_assert_uint_eq(body.n, 0);
}
END_TEST

START_TEST(what_is_kept_is_there_again_when_it_was_put_together)
{
	body_keep(&body);
	push_digits(BODY_SLICES);
	body_consume(&body, BODY_SLICES);
	push("x");
	ck_assert_str_eq(peek(HIGH), "x");
	body_rewind(&body);
	ck_assert_str_eq(peek(HIGH), "0123456789012345x");
	/* and from within a piece */
	push_digits(BODY_SLICES - 2);
	body_consume(&body, 3);
	push("y");
	ck_assert_str_eq(peek(HIGH), "3456789012345x01234567890123y");
	body_rewind(&body);
	body_consume(&body, 32);
	body_forget(&body);
	ck_assert_uint_eq(body.n, 0);
}
END_TEST

START_TEST(what_goes_in_comes_out_in_order)
{
	push("abc");
	push("");
	push("defg");
	ck_assert_uint_eq(body.n, 2);
	ck_assert_str_eq(peek(UINT64_MAX), "abcdefg");
	ck_assert_uint_eq(body.len, 7);
	ck_assert_uint_eq(body.total, 7);
}
END_TEST

START_TEST(every_split_of_what_is_consumed)
{
	for (unsigned split = 0; split <= 7; split++) {
		push("abc");
		push("defg");
		body_consume(&body, split);
		ck_assert_str_eq(peek(UINT64_MAX), &"abcdefg"[split]);
		body_consume(&body, 7 - split);
		ck_assert_str_eq(peek(UINT64_MAX), "");
		ck_assert_uint_eq(body.n, 0);
		ck_assert_uint_eq(pool.n_live, 0);
	}
}
END_TEST

START_TEST(a_look_is_as_long_as_was_asked)
{
	struct iovec iov[1];
	uint64_t bytes;

	push("abc");
	push("defg");
	for (unsigned max = 0; max <= 7; max++) {
		char want[8] = "abcdefg";

		want[max] = '\0';
		ck_assert_str_eq(peek(max), want);
	}
	body_consume(&body, 1);
	ck_assert_int_eq(body_peek(&body, iov, 1, 100, &bytes), 1);
	ck_assert_uint_eq(bytes, 2);
}
END_TEST

START_TEST(contiguous_pieces_become_one)
{
	struct buf *b = block("abcdefgh");

	for (uint32_t i = 0; i < 8; i++) {
		struct slice s = slice_of(b, i, 1);

		body_push(&body, &s);
	}
	ck_assert_uint_eq(body.n, 1);
	ck_assert_uint_eq(b->refs, 2);
	ck_assert_str_eq(peek(UINT64_MAX), "abcdefgh");
	body_consume(&body, 8);
	ck_assert_uint_eq(b->refs, 1);
	buf_unref(b);
}
END_TEST

START_TEST(pieces_with_a_gap_stay_apart)
{
	struct buf *b = block("abcdefgh");
	struct slice s = slice_of(b, 0, 3);

	body_push(&body, &s);
	s = slice_of(b, 5, 3);
	body_push(&body, &s);
	ck_assert_uint_eq(body.n, 2);
	ck_assert_str_eq(peek(UINT64_MAX), "abcfgh");
	buf_unref(b);
}
END_TEST

START_TEST(there_is_no_room_at_the_mark)
{
	char text[HIGH + 1];

	ck_assert_uint_eq(body_room(&body), HIGH);
	memset(text, 'x', HIGH - 1);
	text[HIGH - 1] = '\0';
	push(text);
	ck_assert_uint_eq(body_room(&body), 1);
	push("y");
	ck_assert_uint_eq(body_room(&body), 0);
	body_consume(&body, 2);
	ck_assert_uint_eq(body_room(&body), 2);
}
END_TEST

START_TEST(there_is_no_room_for_too_many_pieces)
{
	for (int i = 0; i < BODY_SLICES; i++) {
		ck_assert_uint_gt(body_room(&body), 0);
		push("x");
	}
	ck_assert_uint_eq(body_room(&body), 0);
	body_consume(&body, 1);
	ck_assert_uint_eq(body_room(&body), HIGH - BODY_SLICES + 1);
}
END_TEST

START_TEST(what_is_gathered_makes_room_for_more_pieces)
{
	/* as long as there is a place, nothing is moved */
	push_digits(BODY_SLICES - 1);
	body_gather(&body);
	ck_assert_uint_eq(body.n, BODY_SLICES - 1);
	push("x");
	ck_assert_uint_eq(body_room(&body), 0);
	body_gather(&body);
	ck_assert_uint_gt(body_room(&body), 0);
	ck_assert_str_eq(peek(HIGH), "012345678901234x");
	push("y");
	body_consume(&body, 15);
	ck_assert_str_eq(peek(HIGH), "xy");
	ck_assert_uint_eq(body.total, BODY_SLICES + 1);
}
END_TEST

START_TEST(the_queue_goes_round)
{
	push("0");
	for (int i = 1; i < 5 * BODY_SLICES; i++) {
		char text[2] = {(char)('0' + i % 10), '\0'};
		char want[3] = {(char)('0' + (i - 1) % 10), text[0], '\0'};

		push(text);
		ck_assert_str_eq(peek(UINT64_MAX), want);
		body_consume(&body, 1);
	}
	ck_assert_uint_eq(body.len, 1);
}
END_TEST

START_TEST(the_end_comes_with_the_last_byte)
{
	push("abc");
	body_end(&body);
	ck_assert(!body_is_done(&body));
	ck_assert_uint_eq(body_room(&body), 0);
	body_consume(&body, 2);
	ck_assert(!body_is_done(&body));
	body_consume(&body, 1);
	ck_assert(body_is_done(&body));
}
END_TEST

START_TEST(what_broke_is_never_done)
{
	push("abc");
	body_abort(&body, F_CLIENT_CUT);
	body_abort(&body, F_CLIENT_GONE);
	ck_assert_int_eq(body.state, BODY_ABORTED);
	ck_assert_int_eq(body.fault, F_CLIENT_CUT);
	ck_assert_uint_eq(body_room(&body), 0);
	body_consume(&body, 3);
	ck_assert(!body_is_done(&body));
}
END_TEST

START_TEST(what_has_ended_may_still_break)
{
	push("abc");
	body_end(&body);
	body_abort(&body, F_CLIENT_GONE);
	body_consume(&body, 3);
	ck_assert(!body_is_done(&body));
}
END_TEST

START_TEST(a_tunnel_takes_up_an_ended_body)
{
	body_end(&body);
	ck_assert(body_is_done(&body));
	body_reopen(&body);
	ck_assert(!body_is_done(&body));
	push("abc");
	ck_assert_str_eq(peek(UINT64_MAX), "abc");
	body_end(&body);
	body_consume(&body, 3);
	ck_assert(body_is_done(&body));
}
END_TEST

START_TEST(what_came_is_passed_on_as_far_as_there_is_room)
{
	struct buf_pool own;
	struct body to;

	buf_pool_init(&own, 1);
	body_init(&to, 4);
	push("abc");
	push("def");
	ck_assert_uint_gt(body_pass(&body, &to, UINT64_MAX, &own), 0);
	ck_assert_uint_eq(to.len, 4);
	ck_assert_str_eq(peek(UINT64_MAX), "ef");
	ck_assert_uint_eq(body_pass(&body, &to, UINT64_MAX, &own), 0);
	body_consume(&to, 4);
	ck_assert_uint_gt(body_pass(&body, &to, UINT64_MAX, &own), 0);
	ck_assert_uint_eq(to.total, 6);
	ck_assert_uint_eq(body.len, 0);
	body_fini(&to);
	buf_pool_fini(&own);
}
END_TEST

START_TEST(what_is_kept_is_played_again)
{
	body_keep(&body);
	push("abc");
	push("def");
	for (unsigned split = 0; split <= 6; split++) {
		body_consume(&body, split);
		ck_assert(body_can_rewind(&body));
		body_rewind(&body);
		ck_assert_str_eq(peek(UINT64_MAX), "abcdef");
	}
	body_consume(&body, 6);
	push("g");
	ck_assert_str_eq(peek(UINT64_MAX), "g");
	body_end(&body);
	body_rewind(&body);
	ck_assert_str_eq(peek(UINT64_MAX), "abcdefg");
}
END_TEST

START_TEST(what_was_let_go_is_not_played_again)
{
	body_keep(&body);
	push("abc");
	push("def");
	body_consume(&body, 4);
	body_forget(&body);
	ck_assert_uint_eq(body.n, 1);
	ck_assert(!body_can_rewind(&body));
	ck_assert_str_eq(peek(UINT64_MAX), "ef");
}
END_TEST

START_TEST(untouched_content_can_always_be_played)
{
	push("abc");
	ck_assert(body_can_rewind(&body));
	body_consume(&body, 3);
	ck_assert(!body_can_rewind(&body));
}
END_TEST

START_TEST(keeping_never_stops_the_flow)
{
	char text[HIGH + 1];

	memset(text, 'x', HIGH);
	text[HIGH] = '\0';
	body_keep(&body);
	push(text);
	body_consume(&body, HIGH);
	ck_assert(body_can_rewind(&body));
	/* more is wanted than may be held: what was kept goes */
	ck_assert_uint_eq(body_room(&body), HIGH);
	ck_assert(!body_can_rewind(&body));
	ck_assert_uint_eq(body.held, 0);
}
END_TEST

START_TEST(many_kept_pieces_do_not_stop_it_either)
{
	body_keep(&body);
	for (int i = 0; i < BODY_SLICES; i++) {
		push("x");
		body_consume(&body, 1);
	}
	ck_assert_uint_gt(body_room(&body), 0);
	push("y");
	ck_assert_str_eq(peek(UINT64_MAX), "y");
	ck_assert(!body_can_rewind(&body));
}
END_TEST

START_TEST(borrowed_bytes_need_no_block)
{
	struct slice s = {NULL, "abc", 3};

	body_push(&body, &s);
	push("def");
	ck_assert_str_eq(peek(UINT64_MAX), "abcdef");
	body_consume(&body, 5);
	ck_assert_str_eq(peek(UINT64_MAX), "f");
}
END_TEST

START_TEST(what_begins_again_forgets_all)
{
	push("first");
	push("second");
	body_restart(&body);
	ck_assert_uint_eq(body.len, 0);
	ck_assert_uint_eq(body.total, 0);
	ck_assert_uint_eq(body_room(&body), HIGH);
	ck_assert_uint_eq(pool.n_live, 0);
	push("third");
	body_end(&body);
	ck_assert_str_eq(peek(UINT64_MAX), "third");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_goes_in_comes_out_in_order,
	    every_split_of_what_is_consumed,
	    a_look_is_as_long_as_was_asked,
	    contiguous_pieces_become_one,
	    pieces_with_a_gap_stay_apart,
	    there_is_no_room_at_the_mark,
	    there_is_no_room_for_too_many_pieces,
	    what_is_gathered_makes_room_for_more_pieces,
	    the_queue_goes_round,
	    the_end_comes_with_the_last_byte,
	    what_broke_is_never_done,
	    what_has_ended_may_still_break,
	    a_tunnel_takes_up_an_ended_body,
	    what_came_is_passed_on_as_far_as_there_is_room,
	    what_is_kept_is_played_again,
	    what_was_let_go_is_not_played_again,
	    untouched_content_can_always_be_played,
	    keeping_never_stops_the_flow,
	    many_kept_pieces_do_not_stop_it_either,
	    what_finds_no_place_is_put_together,
	    what_is_kept_is_there_again_when_it_was_put_together,
	    borrowed_bytes_need_no_block,
	    what_begins_again_forgets_all,
	};

	return unit_run_in(
	    "exch/body", tests, NELEMS(tests), set_up, tear_down);
}
