/* http/h1_scan: where a head ends, found in bytes that arrive piece by piece.
 * Looks at each byte once, however they were cut, and gives the same answer for
 * all cuts. Reads no meaning but that of line ends; h1_parse does. */
#include "common/http/h1.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"

/* Offsets are 32 bits wide; limits of heads are far below. */
#define SCAN_MAX (UINT32_MAX / 2)

#define VERSION_PREFIX " HTTP/"
#define VERSION_LEN 9 /* " HTTP/1.1" */

struct bad_row {
	unsigned status;
	const char *text;
};

static const struct bad_row bad_rows[H1_BAD_N] = {
#define H1_BAD(name, status, text) [H1_BAD_##name] = {status, text},
#include "common/http/h1_bad.def"
#undef H1_BAD
};

unsigned
h1_bad_status(enum h1_bad bad)
{
	REQUIRE(bad > H1_BAD_NONE && bad < H1_BAD_N);
	return bad_rows[bad].status;
}

const char *
h1_bad_text(enum h1_bad bad)
{
	REQUIRE(bad > H1_BAD_NONE && bad < H1_BAD_N);
	return bad_rows[bad].text;
}

static bool
may_begin(const struct h1_scan *s, enum h1_kind kind, span in)
{
	span line = span_from(in, s->line_start);

	switch (kind) {
	case H1_REQUEST:
		return char_is(line.p[0], CHAR_TOKEN) ||
		       (line.p[0] == '\r' && s->skipped == 0);
	case H1_RESPONSE:
		return memcmp(line.p, "HTTP/", size_min(line.len, 5)) == 0;
	case H1_TRAILERS:
		break;
	}
	return true;
}

/* The limit that the first `at` bytes break first, if any. */
static enum h1_bad
over_limit(const struct h1_scan *s, enum h1_kind kind, uint64_t at,
    const struct h1_limits *lim)
{
	uint64_t head_end = (uint64_t)s->skipped + lim->head_max;
	uint64_t line_end = (uint64_t)s->line_start + lim->line_max;

	if (kind == H1_TRAILERS || s->n_lines > 0)
		line_end = UINT64_MAX;
	if (at > line_end && line_end <= head_end)
		return H1_BAD_LINE_LONG;
	return at > head_end ? H1_BAD_HEAD_LARGE : H1_BAD_NONE;
}

static bool
has_version(span line)
{
	return line.len >= VERSION_LEN &&
	       memcmp(line.p + line.len - VERSION_LEN, VERSION_PREFIX,
		   sizeof(VERSION_PREFIX) - 1) == 0;
}

/* A line ended before its CRLF at s->at. H1_OK: the head ended with it. */
static enum h1_rc
scan_line(
    struct h1_scan *s, enum h1_kind kind, span in, const struct h1_limits *lim)
{
	span line = span_of(in.p + s->line_start, s->at - s->line_start);

	s->at += 2;
	if (line.len == 0 && kind == H1_REQUEST && s->n_lines == 0) {
		s->skipped = s->at;
		s->line_start = s->at;
		return H1_MORE;
	}
	if (s->at - s->skipped > lim->head_max) {
		s->bad = H1_BAD_HEAD_LARGE;
		return H1_BAD;
	}
	if (line.len == 0)
		return H1_OK;
	s->n_lines++;
	s->line_start = s->at;
	if (kind == H1_REQUEST && s->n_lines == 1 && !has_version(line))
		s->bad = H1_BAD_VERSION;
	else if (s->n_lines - (kind != H1_TRAILERS) > lim->fields_max)
		s->bad = H1_BAD_FIELDS_MANY;
	return s->bad == H1_BAD_NONE ? H1_MORE : H1_BAD;
}

/* What a byte is that no line may hold, and that is not CR LF. */
static enum h1_bad
stray_byte(char c)
{
	if (c == '\n')
		return H1_BAD_BARE_LF;
	return c == '\r' ? H1_BAD_BARE_CR : H1_BAD_CONTROL;
}

/* Whether a line ends where `rest` begins, which is the first byte that no line
 * may hold, or the end of what came. H1_OK: it does. */
static enum h1_rc
scan_stop(struct h1_scan *s, enum h1_kind kind, span rest,
    const struct h1_limits *lim)
{
	const char *p = rest.p;

	s->bad = over_limit(s, kind, s->at, lim);
	if (s->bad == H1_BAD_NONE && rest.len > 0 &&
	    (*p != '\r' || (rest.len > 1 && p[1] != '\n')))
		s->bad = stray_byte(*p);
	if (s->bad != H1_BAD_NONE)
		return H1_BAD;
	return rest.len < 2 ? H1_MORE : H1_OK;
}

enum h1_rc
h1_scan(
    struct h1_scan *s, enum h1_kind kind, span in, const struct h1_limits *lim)
{
	enum h1_rc rc = s->bad == H1_BAD_NONE ? H1_MORE : H1_BAD;
	const char *end;

	if (in.len == 0)
		return rc;
	in = span_first(in, SCAN_MAX);
	end = in.p + in.len;
	while (rc == H1_MORE) {
		const char *p;
		bool is_line;

		if (s->n_lines == 0 && s->line_start < in.len &&
		    !may_begin(s, kind, in)) {
			s->bad = H1_BAD_START;
			return H1_BAD;
		}
		p = chars_value_end(in.p + s->at, end);
		s->at = (uint32_t)(p - in.p);
		/* nearly always: a field's line, and scan_line() looks at what
		 * bounds the whole */
		is_line = s->n_lines > 0 && end - p >= 2 && p[0] == '\r' &&
			  p[1] == '\n';
		rc = is_line ? H1_OK
			     : scan_stop(
				   s, kind, span_of(p, (size_t)(end - p)), lim);
		if (rc != H1_OK)
			return rc;
		rc = scan_line(s, kind, in, lim);
	}
	return rc;
}
