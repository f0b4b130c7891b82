/* http/ranges: RFC 9110 14 as arithmetic on pairs of numbers. */
#include "common/http/ranges.h"

#include <assert.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"

#define DIGITS_CAP 20 /* of any uint64_t */

/* --- Range ---------------------------------------------------------------- */

/* Digits only, at least one; what is too large for any file is the largest. */
static bool
read_pos(span s, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!char_is_digit(s.p[i]))
			return false;
		v = v > UINT64_MAX / 10 - 1 ? UINT64_MAX
					    : v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return s.len > 0;
}

enum spec { SPEC_OK, SPEC_BAD, SPEC_OUTSIDE };

static enum spec
read_suffix(span s, uint64_t len, struct range *out)
{
	uint64_t n;

	if (!read_pos(s, &n))
		return SPEC_BAD;
	if (n == 0)
		return SPEC_OUTSIDE;
	/* satisfiable by RFC 9110 14.1.2, but not to be written */
	if (len == 0)
		return SPEC_BAD;
	*out = (struct range){len - u64_min(n, len), len - 1};
	return SPEC_OK;
}

/* One range-spec (RFC 9110 14.1.2) of a representation of `len` bytes. */
static enum spec
read_spec(span s, uint64_t len, struct range *out)
{
	span last = s;
	span first;

	(void)span_cut(&last, '-', &first);
	if (last.p == NULL)
		return SPEC_BAD;
	if (first.len == 0)
		return read_suffix(last, len, out);
	out->last = UINT64_MAX;
	if (!read_pos(first, &out->first) ||
	    (last.len > 0 && !read_pos(last, &out->last)) ||
	    out->last < out->first)
		return SPEC_BAD;
	if (out->first >= len)
		return SPEC_OUTSIDE;
	out->last = u64_min(out->last, len - 1);
	return SPEC_OK;
}

/* Whether one begins at most `gap` bytes behind the other's end. */
static bool
is_near(struct range a, struct range b, uint64_t gap)
{
	if (a.first > b.last)
		return a.first - b.last - 1 <= gap;
	return b.first <= a.last || b.first - a.last - 1 <= gap;
}

static struct range
hull(struct range a, struct range b)
{
	return (struct range){
	    u64_min(a.first, b.first), u64_max(a.last, b.last)};
}

/* Add one in its place, and swallow all that are near to it; what it swallowed
 * may be near to others. false: one part too many. */
static bool
add_part(struct ranges *r, struct range one)
{
	unsigned at = r->n;
	unsigned i = 0;

	while (i < r->n) {
		if (!is_near(r->at[i], one, RANGES_GAP)) {
			i++;
			continue;
		}
		one = hull(r->at[i], one);
		at = at < i ? at : i;
		r->n--;
		memmove(
		    &r->at[i], &r->at[i + 1], (r->n - i) * sizeof(r->at[0]));
		i = 0;
	}
	if (r->n == RANGES_MAX)
		return false;
	at = at < r->n ? at : r->n;
	memmove(&r->at[at + 1], &r->at[at], (r->n - at) * sizeof(r->at[0]));
	r->at[at] = one;
	r->n++;
	return true;
}

enum ranges_rc
ranges_parse(span value, uint64_t len, struct ranges *out)
{
	unsigned n_asked = 0;
	span spec;

	out->n = 0;
	if (!span_cut(&value, '=', &spec) || value.len == 0 ||
	    !span_ieq(spec, SPAN_LIT("bytes")) || char_is_blank(value.p[0]))
		return RANGES_IGNORE;
	while (span_cut(&value, ',', &spec)) {
		struct range one;

		spec = span_trim(spec);
		if (spec.len == 0)
			continue;
		if (++n_asked > RANGES_ASKED_MAX)
			return RANGES_IGNORE;
		switch (read_spec(spec, len, &one)) {
		case SPEC_OK:
			if (!add_part(out, one))
				return RANGES_IGNORE;
			break;
		case SPEC_BAD:
			return RANGES_IGNORE;
		case SPEC_OUTSIDE:
			break;
		default:
			UNREACHED();
		}
	}
	if (n_asked == 0)
		return RANGES_IGNORE;
	return out->n > 0 ? RANGES_OK : RANGES_UNSATISFIABLE;
}

uint64_t
ranges_total(const struct ranges *r)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->n; i++)
		sum += range_len(r->at[i]);
	return sum;
}

struct range
ranges_hull(const struct ranges *r)
{
	struct range all = r->at[0];

	for (unsigned i = 1; i < r->n; i++)
		all = hull(all, r->at[i]);
	return all;
}

/* --- arithmetic ----------------------------------------------------------- */

bool
range_holds(struct range outer, struct range inner)
{
	return outer.first <= inner.first && inner.last <= outer.last;
}

bool
range_join(struct range a, struct range b, struct range *out)
{
	*out = hull(a, b);
	return is_near(a, b, 0);
}

unsigned
range_missing(struct range want, struct range have, struct range out[2])
{
	unsigned n = 0;

	if (have.last < want.first || have.first > want.last) {
		out[0] = want;
		return 1;
	}
	if (want.first < have.first)
		out[n++] = (struct range){want.first, have.first - 1};
	if (want.last > have.last)
		out[n++] = (struct range){have.last + 1, want.last};
	return n;
}

/* --- Content-Range -------------------------------------------------------- */

/* A number that a file may have. */
static bool
read_number(span s, uint64_t *out)
{
	return span_u64(s, INT64_MAX, out);
}

bool
content_range_parse(span value, struct content_range *out)
{
	span complete, first, unit;

	*out = (struct content_range){.complete_len = RANGE_LEN_UNKNOWN};
	if (!span_cut(&value, ' ', &unit) ||
	    !span_ieq(unit, SPAN_LIT("bytes")) || value.p == NULL)
		return false;
	complete = value;
	(void)span_cut(&complete, '/', &value);
	if (span_eq(value, SPAN_LIT("*"))) {
		out->is_unsatisfied = true;
		return read_number(complete, &out->complete_len);
	}
	(void)span_cut(&value, '-', &first);
	if (!read_number(first, &out->range.first) ||
	    !read_number(value, &out->range.last) ||
	    out->range.last < out->range.first)
		return false;
	return span_eq(complete, SPAN_LIT("*")) ||
	       (read_number(complete, &out->complete_len) &&
		   out->range.last < out->complete_len);
}

static size_t
put(char *out, size_t at, span s)
{
	memcpy(out + at, s.p, s.len);
	return at + s.len;
}

static size_t
put_len(char *out, size_t at, uint64_t complete_len)
{
	at = put(out, at, SPAN_LIT("/"));
	if (complete_len == RANGE_LEN_UNKNOWN)
		return put(out, at, SPAN_LIT("*"));
	return at + u64_format(complete_len, out + at);
}

static_assert(
    CONTENT_RANGE_CAP >= sizeof("bytes -/") + 3 * DIGITS_CAP, "three numbers");

size_t
content_range_write(struct range r, uint64_t complete_len, char *out)
{
	size_t at = put(out, 0, SPAN_LIT("bytes "));

	at += u64_format(r.first, out + at);
	at = put(out, at, SPAN_LIT("-"));
	at += u64_format(r.last, out + at);
	return put_len(out, at, complete_len);
}

size_t
content_range_write_unsatisfied(uint64_t complete_len, char *out)
{
	return put_len(out, put(out, 0, SPAN_LIT("bytes *")), complete_len);
}

/* --- multipart/byteranges ------------------------------------------------- */

/* The parts one after the other when they fit; their length. */
static size_t
put_all(const span *parts, size_t n, char *out, size_t cap)
{
	size_t len = 0;
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	for (size_t i = 0; i < n && len <= cap; i++)
		if (parts[i].len > 0)
			at = put(out, at, parts[i]);
	return len;
}

size_t
multipart_head(const struct multipart *m, struct range part, bool is_first,
    char *out, size_t cap)
{
	bool has_type = m->content_type.len > 0;
	char range[CONTENT_RANGE_CAP];
	const span parts[] = {
	    is_first ? SPAN_LIT("--") : SPAN_LIT("\r\n--"),
	    m->boundary,
	    has_type ? SPAN_LIT("\r\nContent-Type: ") : SPAN_LIT(""),
	    m->content_type,
	    SPAN_LIT("\r\nContent-Range: "),
	    span_of(range, content_range_write(part, m->complete_len, range)),
	    SPAN_LIT("\r\n\r\n"),
	};

	return put_all(parts, NELEMS(parts), out, cap);
}

size_t
multipart_tail(const struct multipart *m, char *out, size_t cap)
{
	const span parts[] = {
	    SPAN_LIT("\r\n--"), m->boundary, SPAN_LIT("--\r\n")};

	return put_all(parts, NELEMS(parts), out, cap);
}

uint64_t
multipart_len(const struct multipart *m, const struct ranges *r)
{
	uint64_t len = ranges_total(r) + multipart_tail(m, NULL, 0);

	for (unsigned i = 0; i < r->n; i++)
		len += multipart_head(m, r->at[i], i == 0, NULL, 0);
	return len;
}

size_t
multipart_type(const struct multipart *m, char *out, size_t cap)
{
	const span parts[] = {
	    SPAN_LIT("multipart/byteranges; boundary="), m->boundary};

	return put_all(parts, NELEMS(parts), out, cap);
}
