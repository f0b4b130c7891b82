/* What stages cost: this program is built with the counting, whatever the tree
 * around it is. */
#include "worker/exch/stage_cost.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"

#define CONF \
	"[site s]\nhosts = *\nrespond = 200\n" \
	"[listen l]\naddress = 127.0.0.1:80\n"
#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
/* Of a stage that takes a while. */
#define SLOW_NS 20000000

static struct fixture *f;

static void
set_up(void)
{
	f = fixture_new(CONF);
	stage_cost_open(&f->w);
	(void)fixture_request(f, REQUEST);
}

static void
tear_down(void)
{
	stage_cost_close(&f->w);
	fixture_free(f);
}

static enum verdict
wait_stage(struct exch *x)
{
	(void)x;
	return VERDICT_WAIT;
}

static enum verdict
slow_stage(struct exch *x)
{
	struct timespec slow = {.tv_nsec = SLOW_NS};

	(void)x;
	(void)nanosleep(&slow, NULL);
	return VERDICT_NEXT;
}

static const struct stage table[] = {
    {"waits", STAGE_REVERSE, wait_stage},
    {"slow", STAGE_REVERSE, slow_stage},
    {NULL, 0, NULL},
};

/* The error log of what `w` counted, valid until the next call. */
static const char *
logged(const struct worker *w)
{
	static char text[4096];
	FILE *file = tmpfile();
	size_t n;

	ck_assert_ptr_nonnull(file);
	log_open(fileno(file), LOG_NOTICE, "test");
	stage_cost_log(w);
	log_open(STDERR_FILENO, LOG_NOTICE, "test");
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	(void)fclose(file);
	return text;
}

START_TEST(calls_and_verdicts_are_counted_by_row)
{
	const struct stage_cost *c = f->w.costs->response;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(stage_cost_run(f->x, table, 0), VERDICT_WAIT);
	ck_assert_int_eq(stage_cost_run(f->x, table, 1), VERDICT_NEXT);
	ck_assert_uint_eq(c[0].calls, 3);
	ck_assert_uint_eq(c[0].verdicts[VERDICT_WAIT], 3);
	ck_assert_uint_eq(c[0].verdicts[VERDICT_NEXT], 0);
	ck_assert_uint_eq(c[1].calls, 1);
	ck_assert_uint_eq(c[1].verdicts[VERDICT_NEXT], 1);
	ck_assert_uint_eq(c[2].calls, 0);
}
END_TEST

START_TEST(the_two_tables_are_told_apart)
{
	ck_assert_int_eq(
	    stage_cost_run(f->x, pipeline_request, 0), VERDICT_NEXT);
	ck_assert_uint_eq(f->w.costs->request[0].calls, 1);
	ck_assert_uint_eq(f->w.costs->response[0].calls, 0);
}
END_TEST

START_TEST(time_in_a_stage_is_told_in_nanoseconds)
{
	const char *text;
	char row[64];
	double ns = 0;

	(void)snprintf(row, sizeof(row),
	    "stage=%s calls=1 ns=", pipeline_response[1].name);
	/* the second row of the real table is given the time of the slow one */
	(void)stage_cost_run(f->x, table, 1);
	text = strstr(logged(&f->w), row);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(sscanf(text + strlen(row), "%lf ", &ns), 1);
	/* a sleep is never shorter; the clocks may differ by a little */
	ck_assert(ns > SLOW_NS * 0.9);
}
END_TEST

START_TEST(the_log_has_a_line_for_each_row_that_ran)
{
	const char *text;

	(void)stage_cost_run(f->x, pipeline_request, 0);
	text = logged(&f->w);
	ck_assert_ptr_nonnull(
	    strstr(text, "stage cost table=request stage=normalize calls=1 "));
	ck_assert_ptr_nonnull(
	    strstr(text, " next=1 wait=0 reply=0 tunnel=0 fault=0\n"));
	ck_assert_ptr_null(strstr(text, "stage=route"));
	ck_assert_ptr_nonnull(strstr(text, "stage cost clock_ns="));
}
END_TEST

START_TEST(a_worker_that_does_not_count_calls_the_stage)
{
	stage_cost_close(&f->w);
	ck_assert_int_eq(stage_cost_run(f->x, table, 0), VERDICT_WAIT);
	ck_assert_str_eq(logged(&f->w), "");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    calls_and_verdicts_are_counted_by_row,
	    the_two_tables_are_told_apart,
	    time_in_a_stage_is_told_in_nanoseconds,
	    the_log_has_a_line_for_each_row_that_ran,
	    a_worker_that_does_not_count_calls_the_stage,
	};

	return unit_run_in(
	    "stage_cost", tests, NELEMS(tests), set_up, tear_down);
}
