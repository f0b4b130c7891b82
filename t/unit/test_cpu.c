/* The quotas of control groups (cgroup v2, cpu.max). */
#include <check.h>

#include "common/base/check.h"
#include "master/cpu.h"
#include "t/unit/unit.h"

START_TEST(a_quota_is_whole_cpus_rounded_up)
{
	static const struct {
		const char *text;
		uint32_t n;
	} rows[] = {
	    {"max 100000", 0},
	    {"100000 100000", 1},
	    {"50000 100000", 1},
	    {"100001 100000", 2},
	    {"150000 100000", 2},
	    {"200000 100000", 2},
	    {"1600000 100000", 16},
	    {"1 1", 1},
	    {"20000 10000", 2},
	    /* what says nothing sets no limit */
	    {"", 0},
	    {"max", 0},
	    {"100000", 0},
	    {"100000 0", 0},
	    {"100000 max", 0},
	    {"-1 100000", 0},
	    {"99999999999999999999 100000", 0},
	    {"x y", 0},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_uint_eq(
		    cpu_quota_v2(span_str(rows[i].text)), rows[i].n);
}
END_TEST

START_TEST(at_least_one_cpu_is_usable)
{
	ck_assert_uint_ge(cpu_usable(), 1);
}
END_TEST

START_TEST(workers_are_counted_round_over_the_cpus)
{
	uint32_t n = cpu_usable();
	int first = cpu_pin(0);

	ck_assert_int_ge(first, 0);
	/* now one is left, whatever the number */
	ck_assert_uint_eq(cpu_usable(), 1);
	ck_assert_int_eq(cpu_pin(n), first);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_quota_is_whole_cpus_rounded_up,
	    at_least_one_cpu_is_usable,
	    workers_are_counted_round_over_the_cpus,
	};

	return unit_run("cpu", tests, NELEMS(tests));
}
