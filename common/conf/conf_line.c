/* conf/conf_line: what one line is. Strict, because inih behind it is not: what
 * it would repair, cut or take for something else is named here instead. Knows
 * neither sections nor keys by name. */
#include "common/conf/conf_int.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_key_byte(char c)
{
	char low = ascii_lower(c);

	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

ptrdiff_t
conf_bytes_check(span s, const char **why, size_t *len)
{
	size_t at = 0;

	*len = 1;
	while (at < s.len) {
		unsigned char c = (unsigned char)s.p[at];
		size_t n = span_utf8_len(s, at);

		if (c == '\0')
			*why = "a NUL byte";
		else if ((c < 0x20 && c != '\t') || c == 0x7f)
			*why = "a control character";
		else if (n == 0)
			*why = "not UTF-8";
		else {
			at += n;
			continue;
		}
		return (ptrdiff_t)at;
	}
	return -1;
}

static void
line_bad(struct conf_line *out, const char *why, size_t at, size_t len)
{
	out->what = LINE_BAD;
	out->why = why;
	out->bad_at = at;
	out->bad_len = len;
}

/* `[...]`: up to the last bracket, and nothing behind it. What is wrong can be
 * guessed around, so that the section's keys are looked at too. */
static void
split_header(span line, struct conf_line *out)
{
	ptrdiff_t end = span_rchr(line, ']');

	out->what = LINE_HEADER;
	out->why = NULL;
	if (end < 0) {
		out->why = "']' is missing at the end of the section header";
		out->bad_at = line.len;
		out->bad_len = 1;
		out->head = span_from(line, 1);
		return;
	}
	out->head = span_of(line.p + 1, (size_t)end - 1);
	if ((size_t)end + 1 < line.len) {
		out->why = "nothing may stand behind ']'; a comment has a "
			   "line of its own";
		out->bad_at = (size_t)end + 1;
		out->bad_len = line.len - out->bad_at;
	}
}

static void
split_pair(span line, struct conf_line *out)
{
	size_t n = 0;
	size_t at;

	while (n < line.len && is_key_byte(line.p[n]))
		n++;
	for (at = n; at < line.len && is_blank(line.p[at]); at++)
		;
	if (at < line.len && line.p[at] == ':' && n > 0) {
		line_bad(
		    out, "'=' stands between key and value, not ':'", at, 1);
		return;
	}
	if (span_chr(line, '=') < 0) {
		line_bad(out, "expected key = value", 0, line.len);
		return;
	}
	if (at == 0 && line.p[0] == '=') {
		line_bad(out, "a key is missing before '='", 0, 1);
		return;
	}
	if (at == line.len || line.p[at] != '=') {
		line_bad(
		    out, "a key is one word of letters, digits and '_'", at, 1);
		return;
	}
	out->head = span_first(line, n);
	if (n > CONF_KEY_LEN_MAX) {
		line_bad(out, "no key is that long", 0, n);
		return;
	}
	out->value = span_trim(span_from(line, at + 1));
	if (out->value.len == 0) {
		line_bad(
		    out, "the value is missing; `none` empties a key", at, 1);
		return;
	}
	out->what = LINE_PAIR;
}

void
conf_line_split(span line, struct conf_line *out)
{
	const char *why;
	size_t bad_len;
	ptrdiff_t bad_at = conf_bytes_check(line, &why, &bad_len);

	*out = (struct conf_line){.what = LINE_EMPTY};
	if (bad_at >= 0) {
		line_bad(out, why, (size_t)bad_at, bad_len);
		return;
	}
	while (line.len > 0 && is_blank(line.p[line.len - 1]))
		line.len--;
	if (line.len == 0 || line.p[0] == '#' || line.p[0] == ';')
		return;
	if (is_blank(line.p[0])) {
		size_t n = 1;

		while (is_blank(line.p[n]))
			n++;
		line_bad(out,
		    "an indented line: each line begins in column 1, there "
		    "are no continuation lines",
		    0, n);
		return;
	}
	if (line.p[0] == '[')
		split_header(line, out);
	else
		split_pair(line, out);
}
