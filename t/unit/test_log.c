/* The error log: levels, one line an event, text of peers made safe. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "t/unit/unit.h"

#define ROOM 8192

static int ends[2];

static void
set_up(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	log_open(ends[1], LOG_INFO, "worker 3");
}

static void
tear_down(void)
{
	log_open(STDERR_FILENO, LOG_NOTICE, "test");
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* What was written, without the date, as a string. */
static const char *
logged(char room[ROOM])
{
	ssize_t n = read(ends[0], room, ROOM - 1);

	ck_assert_int_gt(n, DATE_ISO_LEN);
	room[n] = '\0';
	ck_assert_int_eq(room[DATE_ISO_LEN - 1], 'Z');
	return room + DATE_ISO_LEN;
}

START_TEST(a_line_has_date_level_and_who)
{
	char room[ROOM];

	log_msg(LOG_WARN, "limit=%d", 5);
	ck_assert_str_eq(logged(room), " warn worker 3: limit=5\n");
}
END_TEST

START_TEST(what_is_below_the_level_is_not_written)
{
	char room[ROOM];

	ck_assert(!log_is_on(LOG_DEBUG));
	ck_assert(log_is_on(LOG_INFO));
	log_msg(LOG_DEBUG, "no");
	log_msg(LOG_INFO, "yes");
	ck_assert_str_eq(logged(room), " info worker 3: yes\n");
}
END_TEST

START_TEST(a_long_line_is_cut_and_still_ends)
{
	char room[ROOM];
	const char *line;

	log_msg(LOG_ERROR, "%*s", ROOM, "x");
	line = logged(room);
	ck_assert_uint_eq(strlen(room), 4095);
	ck_assert_int_eq(line[strlen(line) - 1], '\n');
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(a_new_descriptor_takes_over)
{
	char room[ROOM];
	int old = dup(ends[1]);
	int again = dup(ends[1]);

	log_open(old, LOG_INFO, "x");
	log_take_fd(again);
	ck_assert_int_eq(close(old), -1);
	log_msg(LOG_INFO, "here");
	ck_assert_str_eq(logged(room), " info x: here\n");
	ck_assert_int_eq(close(again), 0);
}
END_TEST

START_TEST(levels_have_names)
{
	static const char *const names[] = {
	    "debug", "info", "notice", "warn", "error", "fatal"};
	enum log_level level;

	for (size_t i = 0; i < NELEMS(names); i++) {
		ck_assert(log_level_parse(span_str(names[i]), &level));
		ck_assert_int_eq(level, i);
	}
	ck_assert(!log_level_parse(SPAN_LIT("Error"), &level));
	ck_assert(!log_level_parse(SPAN_LIT(""), &level));
	ck_assert(!log_level_parse(SPAN_LIT("errors"), &level));
}
END_TEST

START_TEST(every_byte_of_a_peer_is_harmless)
{
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		char out[8], want[8];
		size_t n = log_escape(span_of(&c, 1), out, sizeof(out));

		if (i >= 0x20 && i < 0x7f && c != '"' && c != '\\')
			(void)snprintf(want, sizeof(want), "%c", c);
		else
			(void)snprintf(want, sizeof(want), "\\x%02x", i);
		ck_assert_span_eq(span_of(out, n), want);
	}
}
END_TEST

START_TEST(an_escape_fits_whole_or_not_at_all)
{
	static const char *const want[] = {
	    "", "a", "a", "a", "a", "a\\x0a", "a\\x0ab", "a\\x0ab"};

	for (size_t cap = 0; cap < NELEMS(want); cap++) {
		char *out = malloc(cap > 0 ? cap : 1);

		ck_assert_ptr_nonnull(out);
		ck_assert_span_eq(
		    span_of(out, log_escape(SPAN_LIT("a\nb"), out, cap)),
		    want[cap]);
		free(out);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_line_has_date_level_and_who,
	    what_is_below_the_level_is_not_written,
	    a_long_line_is_cut_and_still_ends,
	    a_new_descriptor_takes_over,
	    levels_have_names,
	    every_byte_of_a_peer_is_harmless,
	    an_escape_fits_whole_or_not_at_all,
	};

	return unit_run_in("log", tests, NELEMS(tests), set_up, tear_down);
}
