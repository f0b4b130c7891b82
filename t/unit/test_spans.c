/* Spans on their way to the steward: a ring that everybody writes and one reads,
 * what hostile bytes in it do, and deaths at every step. */
#include <check.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/spans.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

static struct segment *seg;
static struct slots *slots;
static struct spans *table;
static struct slot_name me;
static struct spans_reader reader;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_WORKER, 1, 1);
	ck_assert_int_ge(slot, 0);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	table = spans_map(seg, true);
	ck_assert_ptr_nonnull(table);
	reader = (struct spans_reader){.stuck = 0};
}

static void
tear_down(void)
{
	ck_assert(spans_check(table));
	segment_free(seg);
}

static void
set_up_ready(void)
{
	set_up();
	ck_assert(spans_ready(table, seg));
}

/* Number n: its time says so, and so does its path. */
static void
make(struct span_note *s, uint64_t n)
{
	char path[2] = {'/', (char)('a' + n % 26)};

	memset(s, 0, offsetof(struct span_note, text));
	s->begin_us = (int64_t)n;
	s->kind = SPAN_CLIENT;
	for (unsigned i = 0; i < SPAN_PARTS; i++)
		span_note_add(s, i == SPAN_PATH ? span_of(path, sizeof(path))
						: SPAN_LIT(""));
}

static bool
is_number(const struct span_note *s, uint64_t n)
{
	span path = span_note_part(s, SPAN_PATH);

	return s->begin_us == (int64_t)n && path.len == 2 &&
	       path.p[1] == (char)('a' + n % 26) &&
	       span_note_part(s, SPAN_AGENT).len == 0;
}

static void
note(uint64_t n)
{
	struct span_note s;

	make(&s, n);
	ck_assert(spans_note(table, me, &s));
}

START_TEST(nothing_is_kept_before_there_is_memory)
{
	struct span_note s;

	make(&s, 1);
	ck_assert(!spans_note(table, me, &s));
	ck_assert(!spans_take(table, &reader, &s));
	spans_repair(table, 0);
}
END_TEST

START_TEST(the_oldest_comes_first_and_once)
{
	struct spans_reader next = {.stuck = 0};
	struct span_note s;

	for (uint64_t n = 1; n <= 5; n++)
		note(n);
	for (uint64_t n = 1; n <= 3; n++) {
		ck_assert(spans_take(table, &reader, &s));
		ck_assert(is_number(&s, n));
	}
	/* a steward in place of the first goes on */
	for (uint64_t n = 4; n <= 5; n++) {
		ck_assert(spans_take(table, &next, &s));
		ck_assert(is_number(&s, n));
	}
	ck_assert(!spans_take(table, &next, &s));
	ck_assert_uint_eq(reader.n_lost + next.n_lost, 0);
}
END_TEST

START_TEST(a_slow_reader_loses_the_oldest_and_knows_how_many)
{
	const uint64_t n = 3 * SPANS_KEPT + 7;
	struct span_note s;

	for (uint64_t i = 1; i <= n; i++)
		note(i);
	for (uint64_t i = n - SPANS_KEPT + 1; i <= n; i++) {
		ck_assert(spans_take(table, &reader, &s));
		ck_assert(is_number(&s, i));
	}
	ck_assert(!spans_take(table, &reader, &s));
	ck_assert_uint_eq(reader.n_lost, n - SPANS_KEPT);
}
END_TEST

START_TEST(texts_that_do_not_fit_are_cut)
{
	char text[1000];
	struct span_note s;
	size_t all = 0;

	memset(text, 'x', sizeof(text));
	memset(&s, 0, offsetof(struct span_note, text));
	for (unsigned i = 0; i < SPAN_PARTS; i++)
		span_note_add(&s, span_of(text, sizeof(text)));
	ck_assert(spans_note(table, me, &s));
	ck_assert(spans_take(table, &reader, &s));
	for (unsigned i = 0; i < SPAN_PARTS; i++) {
		span part = span_note_part(&s, (enum span_part)i);

		ck_assert_uint_le(part.len, SPAN_PART_MAX);
		all += part.len;
	}
	ck_assert_uint_eq(all, SPAN_TEXT);
}
END_TEST

START_TEST(what_others_wrote_is_not_believed)
{
	struct span_note s;

	make(&s, 1);
	s.part_len[SPAN_PATH] = 255;
	ck_assert(spans_note(table, me, &s));
	make(&s, 2);
	s.part_len[SPAN_AGENT] = 0;
	ck_assert(spans_note(table, me, &s));
	make(&s, 3);
	s.kind = 7;
	ck_assert(spans_note(table, me, &s));
	note(4);
	ck_assert(spans_take(table, &reader, &s));
	ck_assert(is_number(&s, 4));
	ck_assert_uint_eq(reader.n_lost, 3);
	/* for tear_down(): nothing of it is left */
	for (uint64_t i = 0; i < SPANS_KEPT; i++)
		note(i);
}
END_TEST

/* --- deaths --------------------------------------------------------------- */

static void *
crash_set_up(struct segment *s, struct slots *t)
{
	struct spans *d = spans_map(s, true);

	(void)t;
	ck_assert_ptr_nonnull(d);
	ck_assert(spans_ready(d, s));
	return d;
}

static void
crash_tear_down(void *ctx)
{
	(void)ctx;
}

static void
crash_work(void *ctx, struct slot_name who, uint64_t *done)
{
	struct spans_reader r = {.stuck = 0};
	struct span_note s;

	make(&s, *done);
	(void)spans_note(ctx, who, &s);
	(void)spans_take(ctx, &r, &s);
	++*done;
}

static bool
crash_repair(void *ctx, struct slot_name who, uint32_t dead)
{
	(void)who;
	spans_repair(ctx, dead);
	return true;
}

/* Whatever is found is one that somebody noted, whole; places that were lost are
 * passed over. */
static bool
crash_check(void *ctx)
{
	struct spans_reader r = {.stuck = 0};
	struct span_note s;

	if (!spans_check(ctx))
		return false;
	for (unsigned i = 0; i < 2 * SPANS_KEPT; i++)
		if (spans_take(ctx, &r, &s) &&
		    !is_number(&s, (uint64_t)s.begin_us))
			return false;
	return !spans_take(ctx, &r, &s);
}

START_TEST(a_death_leaves_no_half_span)
{
	static const struct crash_case c = {
	    .name = "spans",
	    .set_up = crash_set_up,
	    .tear_down = crash_tear_down,
	    .work = crash_work,
	    .repair = crash_repair,
	    .check = crash_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 5);
}
END_TEST

int
main(void)
{
	const TTest *const bare[] = {nothing_is_kept_before_there_is_memory};
	const TTest *const tests[] = {
	    the_oldest_comes_first_and_once,
	    a_slow_reader_loses_the_oldest_and_knows_how_many,
	    texts_that_do_not_fit_are_cut,
	    what_others_wrote_is_not_believed,
	};
	const TTest *const deaths[] = {a_death_leaves_no_half_span};

	if (unit_run_in("spans", bare, NELEMS(bare), set_up, tear_down) !=
		EXIT_SUCCESS ||
	    unit_run_in("spans", tests, NELEMS(tests), set_up_ready,
		tear_down) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return unit_run("crash_spans", deaths, NELEMS(deaths));
}
