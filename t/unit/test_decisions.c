/* What was decided of late: two rings that everybody writes, names of files,
 * what hostile bytes in them do, and deaths at every step. */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/decisions.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

static struct segment *seg;
static struct slots *slots;
static struct decisions *table;
static struct slot_name me;
static struct decisions_look look;

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
	table = decisions_map(seg, true);
	ck_assert_ptr_nonnull(table);
}

static void
tear_down(void)
{
	ck_assert(decisions_check(table));
	segment_free(seg);
}

static void
set_up_ready(void)
{
	set_up();
	ck_assert(decisions_ready(table, seg));
}

/* Number n: its id says so, and so does its line. */
static void
make(struct decision *d, uint64_t n)
{
	char id[24];

	(void)snprintf(id, sizeof(id), "r%llu", (unsigned long long)n);
	decision_init(d);
	d->wall_us = (int64_t)n;
	d->status = 200;
	decision_add_part(d, span_str(id));
	decision_add_part(d, SPAN_LIT("GET"));
	decision_add_part(d, SPAN_LIT("a.test"));
	decision_add_part(d, SPAN_LIT("/x"));
	decision_add_line(d, DECISION_SITE, 3, (uint32_t)n + 1, span_str(id));
}

static bool
is_number(const struct decision *d, uint64_t n)
{
	struct decision want;

	make(&want, n);
	return d->wall_us == want.wall_us && d->n_lines == 1 &&
	       d->lines[0].line == n + 1 &&
	       span_eq(decision_part_text(d, DECISION_ID),
		   decision_part_text(&want, DECISION_ID)) &&
	       span_eq(
		   decision_part_text(d, DECISION_TARGET), SPAN_LIT("/x")) &&
	       span_eq(decision_line_text(d, 0),
		   decision_part_text(&want, DECISION_ID));
}

static void
note(enum decision_kind kind, uint64_t n)
{
	struct decision d;

	make(&d, n);
	ck_assert(decisions_note(table, me, kind, &d));
}

START_TEST(nothing_is_kept_before_there_is_memory)
{
	struct decision d;

	make(&d, 1);
	ck_assert(!decisions_note(table, me, DECISION_LET_ON, &d));
	ck_assert_uint_eq(
	    decisions_file(table, me, SPAN_LIT("/a.ini")), DECISION_NO_FILE);
	ck_assert_uint_eq(decisions_file_name(table, 0).len, 0);
	decisions_look_init(&look, table, false);
	ck_assert(!decisions_look_next(&look, &d));
	ck_assert_uint_eq(decisions_dropped(table), 0);
	decisions_repair(table, 0);
}
END_TEST

START_TEST(both_kinds_come_newest_first)
{
	struct decision d;

	note(DECISION_LET_ON, 1);
	note(DECISION_REFUSED, 2);
	note(DECISION_LET_ON, 3);
	note(DECISION_LET_ON, 4);
	decisions_look_init(&look, table, false);
	for (uint64_t n = 4; n > 0; n--) {
		ck_assert(decisions_look_next(&look, &d));
		ck_assert(is_number(&d, n));
	}
	ck_assert(!decisions_look_next(&look, &d));
	decisions_look_init(&look, table, true);
	ck_assert(decisions_look_next(&look, &d));
	ck_assert(is_number(&d, 2));
	ck_assert(!decisions_look_next(&look, &d));
}
END_TEST

START_TEST(the_many_do_not_push_out_the_few)
{
	const uint64_t n = 3 * DECISIONS_KEPT + 7;
	struct decision d;
	uint64_t seen = 0;

	note(DECISION_REFUSED, 1);
	for (uint64_t i = 2; i <= n; i++)
		note(DECISION_LET_ON, i);
	decisions_look_init(&look, table, false);
	while (decisions_look_next(&look, &d)) {
		ck_assert(is_number(&d, seen < DECISIONS_KEPT ? n - seen : 1));
		seen++;
	}
	ck_assert_uint_eq(seen, DECISIONS_KEPT + 1);
}
END_TEST

START_TEST(what_does_not_fit_is_cut)
{
	char text[300];
	struct decision d;

	memset(text, 'x', sizeof(text));
	make(&d, 5);
	for (unsigned i = 1; i < DECISION_LINES; i++)
		decision_add_line(&d, DECISION_ACCESS, 0, 1,
		    span_of(text, i == 1 ? 300 : 10));
	ck_assert(d.is_cut);
	ck_assert_uint_eq(d.n_lines, DECISION_LINES);
	ck_assert_uint_eq(decision_line_text(&d, 1).len, 255);
	decision_add_line(&d, DECISION_ACCESS, 0, 1, SPAN_LIT("one more"));
	ck_assert_uint_eq(d.n_lines, DECISION_LINES);
	ck_assert_uint_eq(d.text_len, DECISION_TEXT);
	ck_assert(decisions_note(table, me, DECISION_REFUSED, &d));
	decisions_look_init(&look, table, true);
	ck_assert(decisions_look_next(&look, &d));
	ck_assert_uint_eq(decision_line_text(&d, 1).len, 255);
	ck_assert_uint_eq(decision_line_text(&d, DECISION_LINES - 1).len, 0);
}
END_TEST

START_TEST(lengths_of_others_are_not_believed)
{
	struct decision d;

	make(&d, 1);
	d.lines[0].len = 255;
	d.part_len[DECISION_HOST] = 255;
	ck_assert(decisions_note(table, me, DECISION_REFUSED, &d));
	note(DECISION_LET_ON, 3);
	decisions_look_init(&look, table, false);
	ck_assert(decisions_look_next(&look, &d));
	ck_assert(is_number(&d, 3));
	ck_assert(!decisions_look_next(&look, &d));
	ck_assert_str_eq(decision_word_text(255), "?");
	/* for tear_down(): nothing of it is left */
	for (uint64_t i = 0; i < DECISIONS_KEPT; i++)
		note(DECISION_REFUSED, i);
}
END_TEST

START_TEST(files_keep_their_numbers_and_are_bounded)
{
	char path[DECISION_FILE_CAP + 20];
	uint16_t first = decisions_file(table, me, SPAN_LIT("/etc/a.ini"));

	ck_assert_uint_ne(first, DECISION_NO_FILE);
	ck_assert_uint_eq(
	    decisions_file(table, me, SPAN_LIT("/etc/a.ini")), first);
	ck_assert_span_eq(decisions_file_name(table, first), "/etc/a.ini");
	for (unsigned i = 1; i < DECISION_FILES; i++) {
		int n = snprintf(path, sizeof(path), "/%0*u", 250, i);

		ck_assert_uint_ne(
		    decisions_file(table, me, span_of(path, (size_t)n)),
		    DECISION_NO_FILE);
	}
	ck_assert_uint_eq(
	    decisions_file(table, me, SPAN_LIT("/b")), DECISION_NO_FILE);
	ck_assert_uint_eq(
	    decisions_file(table, me, SPAN_LIT("/etc/a.ini")), first);
	ck_assert_uint_eq(decisions_file_name(table, DECISION_FILES - 1).len,
	    DECISION_FILE_CAP);
	ck_assert_uint_eq(decisions_file_name(table, DECISION_NO_FILE).len, 0);
}
END_TEST

/* --- deaths --------------------------------------------------------------- */

static void *
crash_set_up(struct segment *s, struct slots *t)
{
	struct decisions *d = decisions_map(s, true);

	(void)t;
	ck_assert_ptr_nonnull(d);
	ck_assert(decisions_ready(d, s));
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
	char path[40];
	struct decision d;

	(void)snprintf(path, sizeof(path), "/etc/%u-%llu.ini", who.slot,
	    (unsigned long long)*done % 4);
	(void)decisions_file(ctx, who, span_str(path));
	make(&d, *done);
	(void)decisions_note(ctx, who, DECISION_LET_ON, &d);
	(void)decisions_note(ctx, who, DECISION_REFUSED, &d);
	++*done;
}

static bool
crash_repair(void *ctx, struct slot_name who, uint32_t dead)
{
	(void)who;
	decisions_repair(ctx, dead);
	return true;
}

/* Whatever is found is one that somebody noted, whole. */
static bool
crash_check(void *ctx)
{
	struct decision d;

	if (!decisions_check(ctx))
		return false;
	decisions_look_init(&look, ctx, false);
	while (decisions_look_next(&look, &d))
		if (!is_number(&d, (uint64_t)d.wall_us))
			return false;
	return true;
}

START_TEST(a_death_leaves_no_half_decision)
{
	static const struct crash_case c = {
	    .name = "decisions",
	    .set_up = crash_set_up,
	    .tear_down = crash_tear_down,
	    .work = crash_work,
	    .repair = crash_repair,
	    .check = crash_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 15);
}
END_TEST

int
main(void)
{
	const TTest *const bare[] = {nothing_is_kept_before_there_is_memory};
	const TTest *const tests[] = {
	    both_kinds_come_newest_first,
	    the_many_do_not_push_out_the_few,
	    what_does_not_fit_is_cut,
	    lengths_of_others_are_not_believed,
	    files_keep_their_numbers_and_are_bounded,
	};
	const TTest *const deaths[] = {a_death_leaves_no_half_decision};

	if (unit_run_in("decisions", bare, NELEMS(bare), set_up, tear_down) !=
		EXIT_SUCCESS ||
	    unit_run_in("decisions", tests, NELEMS(tests), set_up_ready,
		tear_down) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return unit_run("crash_decisions", deaths, NELEMS(deaths));
}
