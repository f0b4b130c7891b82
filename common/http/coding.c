/* http/coding: content codings and the choice among them. */
#include "common/http/coding.h"

#include "common/base/check.h"
#include "common/http/chars.h"

#define Q_ONE 1000
/* identity that nobody spoke of: better than nothing, worse than any wish. */
#define Q_LEAST 1
#define Q_UNTOLD UINT16_MAX

static const span coding_names[CODING_N] = {
    [CODING_IDENTITY] = {"identity", sizeof("identity") - 1},
    [CODING_GZIP] = {"gzip", sizeof("gzip") - 1},
    [CODING_BR] = {"br", sizeof("br") - 1},
    [CODING_ZSTD] = {"zstd", sizeof("zstd") - 1},
    [CODING_DCZ] = {"dcz", sizeof("dcz") - 1},
    [CODING_DCB] = {"dcb", sizeof("dcb") - 1},
};

span
coding_name(enum coding c)
{
	REQUIRE(c < CODING_N);
	return coding_names[c];
}

enum coding
coding_find(span name)
{
	for (int c = 0; c < CODING_N; c++)
		if (span_ieq(name, coding_names[c]))
			return (enum coding)c;
	return span_ieq(name, SPAN_LIT("x-gzip")) ? CODING_GZIP : CODING_N;
}

bool
coding_has_dictionary(enum coding c)
{
	return c == CODING_DCZ || c == CODING_DCB;
}

/* RFC 9110 12.4.2: 0, 1, or up to three digits behind a point. -1: it is none.
 */
static int
wish_weight(span s)
{
	int q;
	int unit = Q_ONE / 10;

	if (s.len == 0 || s.len > sizeof("0.000") - 1 ||
	    (s.p[0] != '0' && s.p[0] != '1') || (s.len > 1 && s.p[1] != '.'))
		return -1;
	q = (s.p[0] - '0') * Q_ONE;
	for (size_t i = 2; i < s.len; i++) {
		if (!char_is_digit(s.p[i]))
			return -1;
		q += (s.p[i] - '0') * unit;
		unit /= 10;
	}
	return q > Q_ONE ? -1 : q;
}

/* What stands behind the name: nothing, or one weight. */
static int
wish_params(span s)
{
	s = span_trim(s);
	if (s.len == 0)
		return Q_ONE;
	if (s.p[0] != ';')
		return -1;
	s = span_trim(span_from(s, 1));
	if (s.len < 2 || ascii_lower(s.p[0]) != 'q' || s.p[1] != '=')
		return -1;
	return wish_weight(span_from(s, 2));
}

static void
wish_read(struct coding_wishes *w, uint16_t *rest, span member)
{
	const char *end = chars_token_end(member.p, member.p + member.len);
	span name = span_of(member.p, (size_t)(end - member.p));
	int q = wish_params(span_from(member, name.len));
	enum coding c = coding_find(name);

	/* what cannot be read is no wish */
	if (q < 0)
		q = 0;
	if (span_eq(name, SPAN_LIT("*")))
		*rest = (uint16_t)q;
	else if (c != CODING_N)
		w->q[c] = (uint16_t)q;
}

void
coding_wishes_read(const struct http_fields *req, struct coding_wishes *out)
{
	uint16_t rest = Q_UNTOLD;

	for (int c = 0; c < CODING_N; c++)
		out->q[c] = Q_UNTOLD;
	for (const struct http_field *f =
		 fields_find(req, FIELD_ACCEPT_ENCODING);
	     f != NULL; f = fields_next(req, f)) {
		span list = f->value;
		span member;

		while (span_cut(&list, ',', &member)) {
			member = span_trim(member);
			if (member.len > 0)
				wish_read(out, &rest, member);
		}
	}
	if (out->q[CODING_IDENTITY] == Q_UNTOLD)
		out->q[CODING_IDENTITY] = rest == 0 ? 0 : Q_LEAST;
	for (int c = 0; c < CODING_N; c++) {
		bool is_told = out->q[c] != Q_UNTOLD;

		if (!is_told &&
		    (rest == Q_UNTOLD || coding_has_dictionary((enum coding)c)))
			out->q[c] = 0;
		else if (!is_told)
			out->q[c] = rest;
	}
}

enum coding
coding_choose(const struct coding_wishes *w, const uint8_t *order, uint32_t n)
{
	enum coding best = CODING_IDENTITY;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t q = w->q[order[i]];

		/* a tie with identity is won by what is shorter */
		if (q > w->q[best] ||
		    (best == CODING_IDENTITY && q > 0 && q == w->q[best]))
			best = (enum coding)order[i];
	}
	return best;
}

enum coding
coding_of(const struct http_fields *f)
{
	const struct http_field *one = fields_find(f, FIELD_CONTENT_ENCODING);

	if (one == NULL)
		return CODING_IDENTITY;
	if (fields_next(f, one) != NULL)
		return CODING_N;
	return coding_find(one->value);
}
