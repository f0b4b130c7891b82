/* http/sf: the parsing algorithms of RFC 9651 4.2, each function named by what
 * it takes off the front of the text. */
#include "common/http/sf.h"

#include "common/http/chars.h"

/* RFC 9651 4.2.4 */
#define INTEGER_DIGITS_MAX 15
#define DECIMAL_DIGITS_MAX 12
#define FRACTION_DIGITS_MAX 3

static inline bool
is_next(const span *s, char c)
{
	return s->len > 0 && s->p[0] == c;
}

static bool
take_char(span *s, char c)
{
	if (!is_next(s, c))
		return false;
	*s = span_from(*s, 1);
	return true;
}

static void
skip_spaces(span *s)
{
	while (is_next(s, ' '))
		*s = span_from(*s, 1);
}

static void
skip_blanks(span *s)
{
	while (s->len > 0 && char_is_blank(s->p[0]))
		*s = span_from(*s, 1);
}

static inline bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool
is_alpha(char c)
{
	return is_lower(ascii_lower(c));
}

/* 4.2.3.3 */
static bool
take_key(span *s, span *key)
{
	size_t n = 0;

	if (s->len == 0 || (!is_lower(s->p[0]) && s->p[0] != '*'))
		return false;
	while (n < s->len &&
	       (is_lower(s->p[n]) || char_is_digit(s->p[n]) || s->p[n] == '_' ||
		   s->p[n] == '-' || s->p[n] == '.' || s->p[n] == '*'))
		n++;
	*key = span_first(*s, n);
	*s = span_from(*s, n);
	return true;
}

static size_t
count_digits(span s)
{
	size_t n = 0;

	while (n < s.len && char_is_digit(s.p[n]))
		n++;
	return n;
}

/* At most INTEGER_DIGITS_MAX digits, whose number cannot overflow. */
static int64_t
take_digits(span *s, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (s->p[i] - '0');
	*s = span_from(*s, n);
	return v;
}

/* What stands behind the '.' of a Decimal, whole is what stands before it. */
static bool
take_fraction(span *s, int64_t whole, struct sf_member *out)
{
	size_t n = count_digits(*s);
	int64_t v;

	if (n == 0 || n > FRACTION_DIGITS_MAX)
		return false;
	v = take_digits(s, n);
	for (; n < FRACTION_DIGITS_MAX; n++)
		v *= 10;
	out->type = SF_DECIMAL;
	out->number = whole * 1000 + v;
	return true;
}

/* 4.2.4 */
static bool
take_number(span *s, struct sf_member *out)
{
	bool is_negative = take_char(s, '-');
	size_t n = count_digits(*s);
	int64_t v;

	if (n == 0 || n > INTEGER_DIGITS_MAX)
		return false;
	v = take_digits(s, n);
	out->type = SF_INTEGER;
	out->number = v;
	if (take_char(s, '.') &&
	    (n > DECIMAL_DIGITS_MAX || !take_fraction(s, v, out)))
		return false;
	if (is_negative)
		out->number = -out->number;
	return true;
}

/* 4.2.5, behind the first quote */
static bool
take_string(span *s, struct sf_member *out)
{
	for (size_t i = 0; i < s->len; i++) {
		char c = s->p[i];

		if (c == '"') {
			out->type = SF_STRING;
			out->text = span_first(*s, i);
			*s = span_from(*s, i + 1);
			return true;
		}
		if (c < ' ' || c > '~')
			return false;
		if (c != '\\')
			continue;
		i++;
		if (i == s->len || (s->p[i] != '"' && s->p[i] != '\\'))
			return false;
	}
	return false;
}

static size_t
token_len(span s)
{
	size_t n = 0;

	if (s.len == 0 || (!is_alpha(s.p[0]) && s.p[0] != '*'))
		return 0;
	while (n < s.len &&
	       (char_is(s.p[n], CHAR_TOKEN) || s.p[n] == ':' || s.p[n] == '/'))
		n++;
	return n;
}

/* 4.2.6 */
static bool
take_token(span *s, struct sf_member *out)
{
	size_t n = token_len(*s);

	if (n == 0)
		return false;
	out->type = SF_TOKEN;
	out->text = span_first(*s, n);
	*s = span_from(*s, n);
	return true;
}

/* 4.2.7, behind the first colon. Missing padding is no fault. */
static bool
take_bytes(span *s, struct sf_member *out)
{
	ptrdiff_t end = span_chr(*s, ':');
	size_t n = 0;
	size_t pad = 0;

	if (end < 0)
		return false;
	out->type = SF_BYTES;
	out->text = span_first(*s, (size_t)end);
	*s = span_from(*s, (size_t)end + 1);
	for (span t = out->text; n < t.len; n++)
		if (!is_alpha(t.p[n]) && !char_is_digit(t.p[n]) &&
		    t.p[n] != '+' && t.p[n] != '/')
			break;
	while (n + pad < out->text.len && out->text.p[n + pad] == '=')
		pad++;
	/* four letters are three bytes, one alone is none */
	return n + pad == out->text.len && pad <= 2 && n % 4 != 1;
}

/* 4.2.8, behind the '?' */
static bool
take_boolean(span *s, struct sf_member *out)
{
	out->type = SF_BOOLEAN;
	out->number = is_next(s, '1');
	return take_char(s, '1') || take_char(s, '0');
}

/* 4.2.9, behind the '@' */
static bool
take_date(span *s, struct sf_member *out)
{
	if (!take_number(s, out) || out->type != SF_INTEGER)
		return false;
	out->type = SF_DATE;
	return true;
}

/* A byte of a UTF-8 sequence that is not whole yet. false: it never will be. */
static bool
utf8_push(char seq[4], size_t *n, char c)
{
	seq[(*n)++] = c;
	if (span_utf8_len(span_of(seq, *n), 0) == *n)
		*n = 0;
	return *n < 4;
}

/* Two lower-case hexadecimal digits at s.p[at]. */
static bool
read_escape(span s, size_t at, char *c)
{
	int high, low;

	if (at + 2 > s.len)
		return false;
	high = char_hex(s.p[at]);
	low = char_hex(s.p[at + 1]);
	*c = (char)(high * 16 + low);
	return high >= 0 && low >= 0 && ascii_lower(s.p[at]) == s.p[at] &&
	       ascii_lower(s.p[at + 1]) == s.p[at + 1];
}

/* 4.2.10, behind the '%' */
static bool
take_display(span *s, struct sf_member *out)
{
	char seq[4];
	size_t n = 0;

	if (!take_char(s, '"'))
		return false;
	for (size_t i = 0; i < s->len; i++) {
		char c = s->p[i];

		if (c == '"') {
			out->type = SF_DISPLAY;
			out->text = span_first(*s, i);
			*s = span_from(*s, i + 1);
			return n == 0;
		}
		if (c < ' ' || c > '~')
			return false;
		if (c == '%') {
			if (!read_escape(*s, i + 1, &c))
				return false;
			i += 2;
		}
		if (!utf8_push(seq, &n, c))
			return false;
	}
	return false;
}

/* 4.2.3.1 */
static bool
take_bare_item(span *s, struct sf_member *out)
{
	char c = s->len > 0 ? s->p[0] : '\0';

	if (c == '-' || char_is_digit(c))
		return take_number(s, out);
	if (c == '*' || is_alpha(c))
		return take_token(s, out);
	if (take_char(s, '"'))
		return take_string(s, out);
	if (take_char(s, ':'))
		return take_bytes(s, out);
	if (take_char(s, '?'))
		return take_boolean(s, out);
	if (take_char(s, '@'))
		return take_date(s, out);
	return take_char(s, '%') && take_display(s, out);
}

/* 4.2.3.2 */
static bool
skip_parameters(span *s)
{
	struct sf_member value;
	span key;

	while (take_char(s, ';')) {
		skip_spaces(s);
		if (!take_key(s, &key))
			return false;
		if (take_char(s, '=') && !take_bare_item(s, &value))
			return false;
	}
	return true;
}

/* 4.2.1.2, behind the parenthesis */
static bool
take_inner_list(span *s, struct sf_member *out)
{
	const char *begin = s->p;
	struct sf_member item;

	for (;;) {
		skip_spaces(s);
		if (is_next(s, ')'))
			break;
		if (!take_bare_item(s, &item) || !skip_parameters(s) ||
		    (!is_next(s, ' ') && !is_next(s, ')')))
			return false;
	}
	out->type = SF_INNER_LIST;
	out->text = span_of(begin, (size_t)(s->p - begin));
	*s = span_from(*s, 1);
	return true;
}

/* A value behind '=', with its parameters. */
static bool
take_value(span *s, struct sf_member *out)
{
	bool ok = take_char(s, '(') ? take_inner_list(s, out)
				    : take_bare_item(s, out);

	return ok && skip_parameters(s);
}

void
sf_dict_init(struct sf_dict *d, span value)
{
	*d = (struct sf_dict){.rest = span_trim(value)};
}

/* The comma between two members. */
static enum sf_rc
take_comma(span *s)
{
	skip_blanks(s);
	if (s->len == 0)
		return SF_END;
	if (!take_char(s, ','))
		return SF_BAD;
	skip_blanks(s);
	return s->len > 0 ? SF_OK : SF_BAD;
}

enum sf_rc
sf_dict_next(struct sf_dict *d, struct sf_member *out)
{
	span *s = &d->rest;
	enum sf_rc rc;

	if (!d->is_begun && s->len == 0)
		return SF_END;
	if (d->is_begun) {
		rc = take_comma(s);
		if (rc != SF_OK)
			return rc;
	}
	d->is_begun = true;
	*out = (struct sf_member){.type = SF_BOOLEAN, .number = 1};
	if (!take_key(s, &out->key))
		return SF_BAD;
	if (take_char(s, '='))
		return take_value(s, out) ? SF_OK : SF_BAD;
	return skip_parameters(s) ? SF_OK : SF_BAD;
}

bool
sf_item_read(span value, struct sf_member *out)
{
	span s = span_trim(value);

	*out = (struct sf_member){.type = SF_BOOLEAN};
	return take_bare_item(&s, out) && skip_parameters(&s) && s.len == 0;
}

size_t
sf_write_string(span s, char *out, size_t cap)
{
	size_t n = 0;

	if (cap < 2)
		return 0;
	out[n++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool is_escaped = c == '"' || c == '\\';

		/* with room for the last quote */
		if (c < ' ' || c > '~' || cap - n < 2 + (size_t)is_escaped)
			return 0;
		if (is_escaped)
			out[n++] = '\\';
		out[n++] = c;
	}
	out[n++] = '"';
	return n;
}

bool
sf_is_token(span s)
{
	return s.len > 0 && token_len(s) == s.len;
}
