/* base/date: civil dates without the C library's time zone and locale. */
#include "common/base/date.h"

#include <string.h>

#include "common/base/check.h"

#define DAY_S 86400

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct civil {
	int64_t year;
	unsigned month; /* 1 .. 12 */
	unsigned day; /* 1 .. 31 */
	unsigned hour, minute, second;
	unsigned week_day; /* 0: Sunday */
};

/* Days since 1970 of a civil date; years are counted from March, so that the
 * leap day is the last one. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static void
civil_of(int64_t unix_s, struct civil *c)
{
	int64_t days = unix_s / DAY_S - (unix_s % DAY_S < 0);
	unsigned rest = (unsigned)(unix_s - days * DAY_S);
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = (unsigned)(of_era - (365 * y + y / 4 - y / 100));
	unsigned m = (5 * of_year + 2) / 153;

	c->day = of_year - (153 * m + 2) / 5 + 1;
	c->month = m < 10 ? m + 3 : m - 9;
	c->year = y + era * 400 + (c->month <= 2);
	c->hour = rest / 3600;
	c->minute = rest / 60 % 60;
	c->second = rest % 60;
	c->week_day = (unsigned)(((days + 4) % 7 + 7) % 7);
}

static char *
put_digits(char *p, uint64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		p[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return p + n;
}

static char *
put_text(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

static char *
put_time(char *p, const struct civil *c)
{
	p = put_digits(p, c->hour, 2);
	*p++ = ':';
	p = put_digits(p, c->minute, 2);
	*p++ = ':';
	return put_digits(p, c->second, 2);
}

void
date_format_http(int64_t unix_s, char *out)
{
	struct civil c;
	char *p = out;

	civil_of(unix_s, &c);
	p = put_text(p, day_names + c.week_day * 3, 3);
	p = put_text(p, ", ", 2);
	p = put_digits(p, c.day, 2);
	*p++ = ' ';
	p = put_text(p, month_names + (c.month - 1) * 3, 3);
	*p++ = ' ';
	p = put_digits(p, (uint64_t)c.year, 4);
	*p++ = ' ';
	p = put_time(p, &c);
	(void)put_text(p, " GMT", 4);
}

void
date_format_clf(int64_t unix_s, char *out)
{
	struct civil c;
	char *p = out;

	civil_of(unix_s, &c);
	p = put_digits(p, c.day, 2);
	*p++ = '/';
	p = put_text(p, month_names + (c.month - 1) * 3, 3);
	*p++ = '/';
	p = put_digits(p, (uint64_t)c.year, 4);
	*p++ = ':';
	p = put_time(p, &c);
	(void)put_text(p, " +0000", 6);
}

void
date_format_iso(int64_t unix_us, char *out)
{
	int64_t unix_s = unix_us / 1000000 - (unix_us % 1000000 < 0);
	struct civil c;
	char *p = out;

	civil_of(unix_s, &c);
	p = put_digits(p, (uint64_t)c.year, 4);
	*p++ = '-';
	p = put_digits(p, c.month, 2);
	*p++ = '-';
	p = put_digits(p, c.day, 2);
	*p++ = 'T';
	p = put_time(p, &c);
	*p++ = '.';
	p = put_digits(p, (uint64_t)(unix_us - unix_s * 1000000) / 1000, 3);
	*p = 'Z';
}

/* --- reading -------------------------------------------------------------- */

static bool
take_text(span *s, const char *text)
{
	span t = span_str(text);

	if (!span_starts(*s, t))
		return false;
	*s = span_from(*s, t.len);
	return true;
}

static bool
take_digits(span *s, size_t n, unsigned *out)
{
	uint64_t v;

	if (s->len < n || !span_u64(span_first(*s, n), UINT32_MAX, &v))
		return false;
	*out = (unsigned)v;
	*s = span_from(*s, n);
	return true;
}

/* One of a row of names of equal length 3. */
static bool
take_name(span *s, const char *names, unsigned n, unsigned *index)
{
	for (unsigned i = 0; i < n && s->len >= 3; i++) {
		if (memcmp(s->p, names + (size_t)i * 3, 3) == 0) {
			*index = i;
			*s = span_from(*s, 3);
			return true;
		}
	}
	return false;
}

static bool
take_month(span *s, struct civil *c)
{
	unsigned i;

	if (!take_name(s, month_names, 12, &i))
		return false;
	c->month = i + 1;
	return true;
}

static bool
take_time(span *s, struct civil *c)
{
	return take_digits(s, 2, &c->hour) && take_text(s, ":") &&
	       take_digits(s, 2, &c->minute) && take_text(s, ":") &&
	       take_digits(s, 2, &c->second);
}

static bool
take_year(span *s, size_t n, struct civil *c)
{
	unsigned year;

	if (!take_digits(s, n, &year))
		return false;
	c->year = year;
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool
parse_imf(span s, struct civil *c)
{
	return take_name(&s, day_names, 7, &c->week_day) &&
	       take_text(&s, ", ") && take_digits(&s, 2, &c->day) &&
	       take_text(&s, " ") && take_month(&s, c) && take_text(&s, " ") &&
	       take_year(&s, 4, c) && take_text(&s, " ") && take_time(&s, c) &&
	       take_text(&s, " GMT") && s.len == 0;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool
parse_rfc850(span s, struct civil *c)
{
	static const char *const days[] = {"Sunday", "Monday", "Tuesday",
	    "Wednesday", "Thursday", "Friday", "Saturday"};
	bool has_day = false;

	for (unsigned i = 0; i < NELEMS(days) && !has_day; i++)
		has_day = take_text(&s, days[i]);
	return has_day && take_text(&s, ", ") && take_digits(&s, 2, &c->day) &&
	       take_text(&s, "-") && take_month(&s, c) && take_text(&s, "-") &&
	       take_year(&s, 2, c) && take_text(&s, " ") && take_time(&s, c) &&
	       take_text(&s, " GMT") && s.len == 0;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool
parse_asctime(span s, struct civil *c)
{
	if (!take_name(&s, day_names, 7, &c->week_day) || !take_text(&s, " ") ||
	    !take_month(&s, c) || !take_text(&s, " "))
		return false;
	if (take_text(&s, " ") ? !take_digits(&s, 1, &c->day)
			       : !take_digits(&s, 2, &c->day))
		return false;
	return take_text(&s, " ") && take_time(&s, c) && take_text(&s, " ") &&
	       take_year(&s, 4, c) && s.len == 0;
}

static bool
civil_is_real(const struct civil *c)
{
	static const uint8_t days[] = {
	    31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap =
	    (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;

	return c->day >= 1 && c->day <= days[c->month - 1] &&
	       (is_leap || c->month != 2 || c->day <= 28) && c->hour < 24 &&
	       c->minute < 60 && c->second <= 60;
}

bool
date_parse_http(span s, int64_t now_s, int64_t *unix_s)
{
	struct civil c = {.year = 0};
	struct civil now;

	if (!parse_imf(s, &c) && !parse_asctime(s, &c)) {
		if (!parse_rfc850(s, &c))
			return false;
		civil_of(now_s, &now);
		c.year += now.year / 100 * 100;
		if (c.year > now.year + 50)
			c.year -= 100;
	}
	if (!civil_is_real(&c))
		return false;
	*unix_s = days_of(c.year, c.month, c.day) * DAY_S + c.hour * 3600 +
		  c.minute * 60 + c.second;
	return true;
}
