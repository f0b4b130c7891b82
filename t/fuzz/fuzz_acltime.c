/* fuzz/acltime: any bytes as a line of `time`, asked at each minute of a week.
 * What is refused is told within the line; what is taken holds at some time,
 * and says the same at each second of a minute. */
#include "t/fuzz/fuzz.h"
#include "worker/acl/acl_time.h"

enum { DAYS = 7, DAY_S = 86400, MINUTE_S = 60 };

static unsigned
count_minutes(const struct acl_window *w)
{
	unsigned n = 0;

	for (unsigned day = 0; day < DAYS; day++) {
		for (unsigned s = 0; s < DAY_S; s += MINUTE_S) {
			struct zone_time first = {day, s};
			struct zone_time last = {day, s + MINUTE_S - 1};
			bool has = acl_window_has(w, first);

			REQUIRE(has == acl_window_has(w, last));
			n += has;
		}
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct acl_time_problem why;
	struct acl_window w;

	if (acl_window_read(in, &w, &why))
		REQUIRE(count_minutes(&w) > 0);
	else
		REQUIRE(why.why != NULL && why.at <= in.len &&
			why.len <= in.len - why.at);
	fuzz_free(in);
	return 0;
}
