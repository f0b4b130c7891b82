/* conf/conf_units: numbers with units. A bare number where a unit belongs is an
 * error, since nobody can tell what was meant. */
#include "common/conf/conf_int.h"

#include "common/base/check.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* From large to small, the order in which they may follow each other. */
static const struct unit units_time[] = {
    {"y", 365ull * 86400 * 1000},
    {"w", 7ull * 86400 * 1000},
    {"d", 86400ull * 1000},
    {"h", 3600ull * 1000},
    {"m", 60ull * 1000},
    {"s", 1000},
    {"ms", 1},
};

static const struct unit units_size[] = {
    {"b", 1},
    {"k", 1ull << 10},
    {"m", 1ull << 20},
    {"g", 1ull << 30},
};

/* How often one goes into a day. */
static const struct unit units_rate[] = {
    {"s", 86400},
    {"m", 1440},
    {"h", 24},
    {"d", 1},
};

/* Take digits off the front. false: none, or more than int64_t holds. */
static bool
take_digits(span *s, uint64_t *out)
{
	size_t n = 0;
	bool is_ok;

	while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	is_ok = span_u64(span_first(*s, n), INT64_MAX, out);
	*s = span_from(*s, n);
	return is_ok;
}

/* Take ASCII letters off the front. */
static span
take_letters(span *s)
{
	size_t n = 0;
	span word;

	while (n < s->len && ascii_lower(s->p[n]) >= 'a' &&
	       ascii_lower(s->p[n]) <= 'z')
		n++;
	word = span_first(*s, n);
	*s = span_from(*s, n);
	return word;
}

static int
unit_find(const struct unit *units, size_t n, span word)
{
	for (size_t i = 0; i < n; i++) {
		if (span_ieq(word, span_str(units[i].name)))
			return (int)i;
	}
	return -1;
}

static bool
is_digit_first(span s)
{
	return s.len > 0 && s.p[0] >= '0' && s.p[0] <= '9';
}

/* *sum += n * factor within int64_t. */
static bool
add_scaled(int64_t *sum, uint64_t n, uint64_t factor)
{
	int64_t product;

	return !__builtin_mul_overflow(n, factor, &product) &&
	       !__builtin_add_overflow(*sum, product, sum);
}

bool
conf_parse_duration(span s, int64_t *ms, const char **why)
{
	int64_t sum = 0;
	int last = -1;

	*why = "a duration is a number and a unit, for example 10s";
	if (!is_digit_first(s))
		return false;
	while (s.len > 0) {
		uint64_t n;
		span word;
		int unit;

		if (!is_digit_first(s))
			return false;
		if (!take_digits(&s, &n)) {
			*why = "too long a time";
			return false;
		}
		word = take_letters(&s);
		if (word.len == 0 && s.len == 0) {
			*why = "a duration needs a unit, for example 10s";
			return false;
		}
		unit = unit_find(units_time, NELEMS(units_time), word);
		if (unit < 0 ||
		    !span_eq(word, span_str(units_time[unit].name))) {
			*why = "unknown unit of time; there are ms, s, m, h, "
			       "d, w and y";
			return false;
		}
		if (unit <= last) {
			*why = "units go from large to small, each once";
			return false;
		}
		last = unit;
		if (!add_scaled(&sum, n, units_time[unit].factor)) {
			*why = "too long a time";
			return false;
		}
	}
	*ms = sum;
	return true;
}

bool
conf_parse_size(span s, int64_t *bytes, const char **why)
{
	uint64_t n;
	span word;
	int unit;
	int64_t sum = 0;

	*why = "a size is a number and a unit, for example 10k";
	if (!is_digit_first(s))
		return false;
	if (!take_digits(&s, &n)) {
		*why = "too large";
		return false;
	}
	word = take_letters(&s);
	if (word.len == 0 && s.len == 0) {
		*why = "a size needs a unit, for example 10k";
		return false;
	}
	unit = unit_find(units_size, NELEMS(units_size), word);
	if (unit < 0 || s.len > 0) {
		*why = "unknown unit of size; there are b, k, m and g";
		return false;
	}
	if (!add_scaled(&sum, n, units_size[unit].factor)) {
		*why = "too large";
		return false;
	}
	*bytes = sum;
	return true;
}

/* A count: 16, 16k. */
static bool
parse_num(span s, int64_t *out, const char **why)
{
	uint64_t n;
	span word;
	int unit;
	int64_t sum = 0;

	*why = "expected a whole number";
	if (!is_digit_first(s))
		return false;
	if (!take_digits(&s, &n)) {
		*why = "too large";
		return false;
	}
	word = take_letters(&s);
	unit =
	    word.len == 0 ? 0 : unit_find(units_size, NELEMS(units_size), word);
	if (s.len > 0 || unit < 0 || (unit == 0 && word.len > 0))
		return false;
	if (!add_scaled(&sum, n, units_size[unit].factor)) {
		*why = "too large";
		return false;
	}
	*out = sum;
	return true;
}

/* Events a day. */
static bool
parse_rate(span s, int64_t *out, const char **why)
{
	ptrdiff_t slash = span_chr(s, '/');
	int64_t n;
	int unit;

	*why = "a rate is a number and a time, for example 20/s";
	if (slash < 0 || !parse_num(span_first(s, (size_t)slash), &n, why))
		return false;
	unit = unit_find(
	    units_rate, NELEMS(units_rate), span_from(s, (size_t)slash + 1));
	*why = "unknown time of a rate; there are /s, /m, /h and /d";
	if (unit < 0)
		return false;
	*why = "too large";
	return !__builtin_mul_overflow(
	    n, (int64_t)units_rate[unit].factor, out);
}

static bool
parse_bandwidth(span s, int64_t *out, const char **why)
{
	if (!span_ends(s, SPAN_LIT("/s"))) {
		*why = "a bandwidth is a size a second, for example 2m/s";
		return false;
	}
	return conf_parse_size(span_first(s, s.len - 2), out, why);
}

bool
conf_parse_percent(span s, int64_t *tenths, const char **why)
{
	uint64_t n;
	uint64_t tenth = 0;
	int64_t sum = 0;

	*why = "a share is a number and %, for example 20%";
	if (!is_digit_first(s) || !take_digits(&s, &n))
		return false;
	if (s.len > 2 && s.p[0] == '.') {
		if (!span_u64(span_of(s.p + 1, 1), 9, &tenth))
			return false;
		s = span_from(s, 2);
	}
	if (!span_eq(s, SPAN_LIT("%")))
		return false;
	*why = "too large";
	if (!add_scaled(&sum, n, 10) || !add_scaled(&sum, tenth, 1))
		return false;
	*tenths = sum;
	return true;
}

bool
conf_parse_tail(span s, uint32_t *percent)
{
	uint64_t n;

	if (s.len != 3 || s.p[0] != 'p' ||
	    !span_u64(span_of(s.p + 1, 2), 99, &n) || n < 50)
		return false;
	*percent = (uint32_t)n;
	return true;
}

bool
conf_parse_bool(span s, bool *out)
{
	static const char *const words[] = {
	    "off", "on", "no", "yes", "false", "true"};

	for (size_t i = 0; i < NELEMS(words); i++) {
		if (span_eq(s, span_str(words[i]))) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool
parse_bool_number(span s, int64_t *out, const char **why)
{
	bool is_on = false;

	*why = "expected on or off";
	if (!conf_parse_bool(s, &is_on))
		return false;
	*out = is_on;
	return true;
}

bool
conf_parse_number(enum conf_kind kind, span s, int64_t *out, const char **why)
{
	switch (kind) {
	case KIND_BOOL:
		return parse_bool_number(s, out, why);
	case KIND_NUM:
		return parse_num(s, out, why);
	case KIND_DURATION:
		return conf_parse_duration(s, out, why);
	case KIND_SIZE:
		return conf_parse_size(s, out, why);
	case KIND_RATE:
		return parse_rate(s, out, why);
	case KIND_BANDWIDTH:
		return parse_bandwidth(s, out, why);
	case KIND_PERCENT:
		return conf_parse_percent(s, out, why);
	case KIND_TEXT:
	case KIND_SECRET:
	case KIND_PATH:
	case KIND_NAME:
	case KIND_ENUM:
	case KIND_LIST:
	case KIND_LINES:
	case KIND_RAW:
	case KIND_CONDITION:
	case KIND_HEADER:
	case KIND_ORDERED:
		break;
	}
	UNREACHED();
}
