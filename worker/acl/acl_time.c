/* acl/acl_time: see acl_time.h. A window ends with its day: one over midnight
 * would belong to two days, and which of them are meant is anybody's guess. */
#include "worker/acl/acl_time.h"

#include "common/base/check.h"

#define MINUTE_S 60u
#define HOUR_S 3600u
#define DAY_S 86400u
#define DAYS 7
#define ALL_DAYS 0x7fu
#define DAY_LEN 3 /* letters of its name */

static const char days[DAYS][DAY_LEN + 1] = {
    "sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static int
day_find(span word)
{
	for (int i = 0; i < DAYS; i++)
		if (span_ieq(word, span_str(days[i])))
			return i;
	return -1;
}

/* "mon" or "sat-mon". */
static bool
days_read(span word, uint8_t *out)
{
	ptrdiff_t dash = span_chr(word, '-');
	int first = day_find(dash < 0 ? word : span_first(word, (size_t)dash));
	int last =
	    dash < 0 ? first : day_find(span_from(word, (size_t)dash + 1));

	if (first < 0 || last < 0)
		return false;
	for (int i = first;; i = (i + 1) % DAYS) {
		*out |= (uint8_t)(1u << i);
		if (i == last)
			return true;
	}
}

/* "08:00", up to "24:00". */
static bool
clock_read(span word, uint32_t *out)
{
	uint64_t hour;
	uint64_t minute;

	if (word.len != 5 || word.p[2] != ':' ||
	    !span_u64(span_first(word, 2), 24, &hour) ||
	    !span_u64(span_from(word, 3), 59, &minute))
		return false;
	*out = (uint32_t)(hour * HOUR_S + minute * MINUTE_S);
	return *out <= DAY_S;
}

static bool
hours_read(span word, struct acl_hours *out, const char **why)
{
	ptrdiff_t dash = span_chr(word, '-');

	*why = "expected days (mon, mon-fri) and hours (08:00-12:00)";
	if (dash < 0 ||
	    !clock_read(span_first(word, (size_t)dash), &out->from_s) ||
	    !clock_read(span_from(word, (size_t)dash + 1), &out->to_s))
		return false;
	*why = "a window ends with its day: write 22:00-24:00, and 00:00-06:00 "
	       "in a line for the days after";
	return out->from_s < out->to_s;
}

bool
acl_window_read(span text, struct acl_window *out, struct acl_time_problem *why)
{
	span rest = text;
	span word;

	*out = (struct acl_window){.days = 0};
	*why = (struct acl_time_problem){0, text.len, "it is empty"};
	while (span_word(&rest, &word)) {
		*why = (struct acl_time_problem){
		    (size_t)(word.p - text.p), word.len, NULL};
		if (days_read(word, &out->days)) {
			why->why = "days stand before the hours";
			if (out->n > 0)
				return false;
			continue;
		}
		why->why = "more hours than a line may have";
		if (out->n == ACL_TIME_HOURS_MAX ||
		    !hours_read(word, &out->hours[out->n], &why->why))
			return false;
		out->n++;
	}
	if (out->days == 0 && out->n == 0)
		return false;
	if (out->days == 0)
		out->days = ALL_DAYS;
	if (out->n == 0)
		out->hours[out->n++] = (struct acl_hours){0, DAY_S};
	return true;
}

bool
acl_window_has(const struct acl_window *w, struct zone_time t)
{
	if ((w->days >> t.weekday & 1) == 0)
		return false;
	for (uint32_t i = 0; i < w->n; i++)
		if (t.second >= w->hours[i].from_s &&
		    t.second < w->hours[i].to_s)
			return true;
	return false;
}
