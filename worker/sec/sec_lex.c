/* sec_lex: see sec_lex.h. The line is a copy, so that escapes can be undone in
 * place; beside each of its bytes stands where it came from. */
#include "worker/sec/sec_lex.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"

#define SEC_LINE_ROOM 16384u

void
sec_lex_init(struct sec_lex *x, uint16_t file, span text, struct diag *d)
{
	*x = (struct sec_lex){.d = d, .text = text, .file = file};
}

void
sec_lex_fini(struct sec_lex *x)
{
	free(x->line);
	free(x->where);
	x->line = NULL;
	x->where = NULL;
}

span
sec_trim(span s)
{
	while (s.len > 0 && sec_white(s.p[0]))
		s = span_from(s, 1);
	while (s.len > 0 && sec_white(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct place
sec_lex_place(const struct sec_lex *x, span part)
{
	struct place at = {.file = x->file, .line = x->number};
	size_t i = (size_t)(part.p - x->line);
	size_t off, begin = x->begin;

	if (part.p == NULL || part.p < x->line || i > x->len)
		i = 0;
	off = x->where[i];
	for (size_t k = x->begin; k < off; k++)
		if (x->text.p[k] == '\n') {
			at.line++;
			begin = k + 1;
		}
	at.col = (uint16_t)size_min(off - begin + 1, UINT16_MAX);
	at.len = (uint16_t)size_min(part.len, UINT16_MAX);
	return at;
}

/* --- lines ---------------------------------------------------------------- */

/* Append file bytes. One more place than bytes is kept: the end's. */
static void
line_add(struct sec_lex *x, size_t from, size_t len)
{
	while (x->len + len + 1 > x->cap) {
		x->cap = x->cap == 0 ? SEC_LINE_ROOM : x->cap * 2;
		x->line = realloc(x->line, x->cap);
		x->where = realloc(x->where, x->cap * sizeof(*x->where));
		REQUIRE(x->line != NULL && x->where != NULL);
	}
	memcpy(x->line + x->len, x->text.p + from, len);
	for (size_t i = 0; i <= len; i++)
		x->where[x->len + i] = (uint32_t)(from + i);
	x->len += len;
}

/* Take a line of the file; true when another one continues it. */
static bool
line_take(struct sec_lex *x)
{
	span rest = span_from(x->text, x->at);
	const char *end = memchr(rest.p, '\n', rest.len);
	size_t len = end == NULL ? rest.len : (size_t)(end - rest.p);
	size_t from = x->at;
	bool goes_on;

	x->at += size_min(len + 1, rest.len);
	x->n_lines++;
	if (len > 0 && rest.p[len - 1] == '\r')
		len--;
	goes_on = len > 0 && rest.p[len - 1] == '\\';
	if (goes_on)
		len--;
	/* the rest of one that is too long is read over */
	if (x->len <= SEC_LINE_MAX)
		line_add(x, from, size_min(len, SEC_LINE_MAX + 1));
	return goes_on && x->at < x->text.len;
}

bool
sec_lex_line(struct sec_lex *x, span *line)
{
	while (x->at < x->text.len) {
		x->len = 0;
		x->begin = x->at;
		x->number = x->n_lines + 1;
		while (line_take(x))
			continue;
		*line = sec_trim(span_of(x->line, x->len));
		if (line->len == 0 || line->p[0] == '#')
			continue;
		if (x->len <= SEC_LINE_MAX)
			return true;
		sec_lex_error(x, span_first(*line, 1),
		    "the line is longer than %u bytes", SEC_LINE_MAX);
	}
	return false;
}

/* --- words ---------------------------------------------------------------- */

static bool
is_escape(span s, size_t i, char quote)
{
	return s.p[i] == '\\' && i + 1 < s.len &&
	       (s.p[i + 1] == '\\' || (quote != '\0' && s.p[i + 1] == quote));
}

/* Undo the escapes of a part of the line. */
static span
unescape(struct sec_lex *x, span s, char quote)
{
	size_t at = (size_t)(s.p - x->line);
	size_t to = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (is_escape(s, i, quote))
			i++;
		x->line[at + to] = s.p[i];
		x->where[at + to] = x->where[at + i];
		to++;
	}
	return span_of(s.p, to);
}

/* Length of what stands before the closing quote, or s.len. */
static size_t
quoted_len(span s, char quote)
{
	size_t i = 0;

	while (i < s.len && s.p[i] != quote)
		i += is_escape(s, i, quote) ? 2 : 1;
	return i;
}

static enum sec_lex_rc
quoted_word(struct sec_lex *x, span *rest, span *word)
{
	span open = span_first(*rest, 1);
	char quote = open.p[0];
	span inner = span_from(*rest, 1);
	size_t len = quoted_len(inner, quote);

	if (len >= inner.len) {
		sec_lex_error(x, open, "the quote has no end");
		return SEC_LEX_BAD;
	}
	*rest = span_from(inner, len + 1);
	if (rest->len > 0 && !sec_white(rest->p[0])) {
		sec_lex_error(x, span_first(*rest, 1),
		    "a blank must stand behind the closing quote");
		return SEC_LEX_BAD;
	}
	*word = unescape(x, span_first(inner, len), quote);
	return SEC_LEX_GOOD;
}

enum sec_lex_rc
sec_lex_word(struct sec_lex *x, span *rest, span *word)
{
	size_t len = 0;

	*rest = sec_trim(*rest);
	if (rest->len == 0)
		return SEC_LEX_END;
	if (rest->p[0] == '"' || rest->p[0] == '\'')
		return quoted_word(x, rest, word);
	while (len < rest->len && !sec_white(rest->p[len]))
		len++;
	*word = span_first(*rest, len);
	*rest = span_from(*rest, len);
	*word = unescape(x, *word, '\0');
	return SEC_LEX_GOOD;
}

/* --- items ---------------------------------------------------------------- */

static bool
is_bar(char c)
{
	return c == ',' || c == '|';
}

/* Spaces, and bars too: more than one may stand behind a value. */
static void
skip(span *rest, bool skips_bars)
{
	while (rest->len > 0 &&
	       (sec_white(rest->p[0]) || (skips_bars && is_bar(rest->p[0]))))
		*rest = span_from(*rest, 1);
}

/* Up to the end of a name or of a value without quotes. */
static span
take_plain(span *rest, bool ends_at_colon)
{
	span from = *rest;
	size_t len = 0;

	while (len < from.len && !is_bar(from.p[len]) &&
	       !sec_white(from.p[len]) &&
	       !(ends_at_colon && from.p[len] == ':'))
		len++;
	*rest = span_from(from, len);
	return span_first(from, len);
}

static enum sec_lex_rc
quoted_value(struct sec_lex *x, span *rest, span *value)
{
	span open = span_first(*rest, 1);
	span inner = span_from(*rest, 1);
	size_t len = quoted_len(inner, '\'');

	if (len >= inner.len) {
		sec_lex_error(x, open, "the quote has no end");
		return SEC_LEX_BAD;
	}
	for (size_t i = 0; i < len; i++) {
		if (inner.p[i] != '\\')
			continue;
		if (!is_escape(inner, i, '\'')) {
			sec_lex_error(x, span_of(inner.p + i, 1),
			    "between single quotes a backslash stands before "
			    "a quote or a backslash only");
			return SEC_LEX_BAD;
		}
		i++;
	}
	*rest = span_from(inner, len + 1);
	*value = unescape(x, span_first(inner, len), '\'');
	return SEC_LEX_GOOD;
}

static enum sec_lex_rc
item_value(struct sec_lex *x, span *rest, struct sec_item *item)
{
	enum sec_lex_rc rc = SEC_LEX_GOOD;

	*rest = span_from(*rest, 1);
	if (rest->len > 0 && rest->p[0] == '\'')
		rc = quoted_value(x, rest, &item->value);
	else
		item->value = take_plain(rest, false);
	item->has_value = item->value.len > 0;
	return rc;
}

enum sec_lex_rc
sec_lex_item(struct sec_lex *x, span *rest, struct sec_item *item)
{
	enum sec_lex_rc rc;

	skip(rest, false);
	if (rest->len == 0)
		return SEC_LEX_END;
	*item = (struct sec_item){.name = take_plain(rest, true)};
	if (rest->len > 0 && rest->p[0] == ':') {
		rc = item_value(x, rest, item);
		if (rc != SEC_LEX_GOOD)
			return rc;
	}
	skip(rest, false);
	if (rest->len == 0)
		return SEC_LEX_GOOD;
	if (is_bar(rest->p[0])) {
		*rest = span_from(*rest, 1);
		skip(rest, item->has_value);
		return SEC_LEX_GOOD;
	}
	if (item->has_value)
		return SEC_LEX_GOOD;
	sec_lex_error(x, span_first(*rest, 1), "a comma is missing here");
	return SEC_LEX_BAD;
}
