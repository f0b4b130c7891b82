/* Unit tests of exch/grpc: deadlines of calls. */
#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/exch/grpc.h"

START_TEST(timeouts_are_milliseconds)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} rows[] = {
	    {"1H", 3600000},
	    {"2M", 120000},
	    {"3S", 3000},
	    {"4m", 4},
	    {"00000005m", 5},
	    {"99999999H", UINT64_C(359999996400000)},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_uint_eq(
		    grpc_timeout_ms(span_str(rows[i].text)), rows[i].ms);
}
END_TEST

START_TEST(parts_of_a_millisecond_are_rounded_up)
{
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("1000u")), 1);
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("1001u")), 2);
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("1u")), 1);
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("1n")), 1);
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("99999999n")), 100);
}
END_TEST

START_TEST(no_time_is_a_time)
{
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("0S")), 1);
	ck_assert_uint_eq(grpc_timeout_ms(SPAN_LIT("0n")), 1);
}
END_TEST

START_TEST(what_is_no_timeout_is_none)
{
	static const char *const rows[] = {"", "1", "m", "-1m", "+1m", "1.5S",
	    "1s", "1h", "123456789m", "1mm", "0x1m", " 1m", "1m ", "1 m"};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_uint_eq(grpc_timeout_ms(span_str(rows[i])), 0);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    timeouts_are_milliseconds,
	    parts_of_a_millisecond_are_rounded_up,
	    no_time_is_a_time,
	    what_is_no_timeout_is_none,
	};

	return unit_run("exch/grpc", tests, NELEMS(tests));
}
