/* log/log_line: renders a compiled format for one exchange. Knows nothing of
 * files. On the way of every request: no printf, dates made once a second. */
#include "worker/log/log_line.h"

#include <assert.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"

static const char hex_digits[] = "0123456789ABCDEF";

/* How a value is written. */
enum log_item_kind {
	LOG_ITEM_NONE, /* there is none: the end of the line */
	LOG_ITEM_TEXT,
	LOG_ITEM_COLUMN,
	LOG_ITEM_TIME,
	LOG_ITEM_NUMBER
};

/* Text is copied by so many bytes. */
#define LOG_STEP 16u
static_assert(LOG_ROOM >= LOG_STEP && LOG_ROOM >= LOG_VALUE_MIN, "they fit");
static_assert(LOG_VALUE_MIN >= DATE_CLF_LEN && LOG_VALUE_MIN >= DATE_ISO_LEN,
    "as do they");

/* A text, and the value behind it. */
struct log_item {
	span text; /* its last LOG_STEP may be read whole */
	struct var var;
	enum log_item_kind kind;
};

/* Where a line is written, and how. */
struct line {
	char *start;
	char *end;
	size_t value_max; /* bytes of one escaped value */
	enum log_escape how;
	bool is_cut; /* something was left out */
};

static bool
escape_is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* The same for eight bytes. One that is not plain sets its bit 7 in one of these
 * words at least; a carry or a borrow out of it changes nothing in that. */
static bool
escape_is_plain_word(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t quote = w ^ '"' * ones;
	uint64_t backslash = w ^ '\\' * ones;
	uint64_t told = w | (w - ' ' * ones) | (w + ones) | (quote - ones) |
			(backslash - ones);

	return (told & 0x80 * ones) == 0;
}

/* All bytes of a text of 1 to 7, some of them twice. */
static uint64_t
load_short(span s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (s.len >= 4)
		return (uint64_t)u32_load(s.p) << 32 |
		       u32_load(s.p + s.len - sizeof(uint32_t));
	return UINT64_C(0x2020202020000000) | (uint32_t)p[0] << 16 |
	       (uint32_t)p[s.len / 2] << 8 | p[s.len - 1];
}

/* Whether none of it needs an escape, as hardly anything does. */
static bool
escape_is_plain_text(span s)
{
	size_t n;

	if (s.len < sizeof(uint64_t))
		return s.len == 0 || escape_is_plain_word(load_short(s));
	for (n = 0; n + sizeof(uint64_t) < s.len; n += sizeof(uint64_t))
		if (!escape_is_plain_word(u64_load(s.p + n)))
			return false;
	return escape_is_plain_word(u64_load(s.p + s.len - sizeof(uint64_t)));
}

/* Bytes from the start of `s` that need no escape. */
static size_t
escape_run(span s)
{
	size_t n = 0;

	while (n < s.len && escape_is_plain((unsigned char)s.p[n]))
		n++;
	return n;
}

size_t
log_escape_text(span s, char *out, size_t cap, bool *is_cut)
{
	size_t len = 0;

	while (s.len > 0) {
		size_t run = size_min(escape_run(s), cap - len);
		unsigned char c;

		memcpy(out + len, s.p, run);
		len += run;
		s = span_from(s, run);
		if (s.len == 0)
			break;
		c = (unsigned char)s.p[0];
		if (escape_is_plain(c) || cap - len < 4) {
			*is_cut = true;
			break;
		}
		out[len++] = '\\';
		out[len++] = 'x';
		out[len++] = hex_digits[c >> 4];
		out[len++] = hex_digits[c & 15];
		s = span_from(s, 1);
	}
	return len;
}

/* One character that is not plain. Returns the bytes written to `out` (room for
 * 6), sets *used. */
static size_t
escape_json_char(span s, char *out, size_t *used)
{
	unsigned char c = (unsigned char)s.p[0];
	unsigned steers;

	*used = 1;
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c < 0x80) {
		memcpy(out, "\\u00", 4);
		out[4] = hex_digits[c >> 4];
		out[5] = hex_digits[c & 15];
		return 6;
	}
	*used = span_utf8_len(s, 0);
	steers = span_utf8_steers(s, *used);
	if (steers != 0) {
		out[0] = '\\';
		out[1] = 'u';
		for (int i = 0; i < 4; i++)
			out[2 + i] = hex_digits[steers >> (12 - 4 * i) & 15];
		return 6;
	}
	if (*used > 0) {
		memcpy(out, s.p, *used);
		return *used;
	}
	*used = 1;
	memcpy(out, "\\ufffd", 6);
	return 6;
}

size_t
log_escape_json(span s, char *out, size_t cap, bool *is_cut)
{
	size_t len = 0;

	while (s.len > 0) {
		size_t run = size_min(escape_run(s), cap - len);
		size_t used;
		char piece[6];
		size_t n;

		memcpy(out + len, s.p, run);
		len += run;
		s = span_from(s, run);
		if (s.len == 0)
			break;
		if (escape_is_plain((unsigned char)s.p[0])) {
			*is_cut = true;
			break;
		}
		n = escape_json_char(s, piece, &used);
		if (cap - len < n) {
			*is_cut = true;
			break;
		}
		memcpy(out + len, piece, n);
		len += n;
		s = span_from(s, used);
	}
	return len;
}

static char *
put(char *at, span s)
{
	memcpy(at, s.p, s.len);
	return at + s.len;
}

static size_t
line_room(const struct line *l, const char *at)
{
	return size_min((size_t)(l->end - at), l->value_max);
}

static char *
put_value(char *at, struct line *l, span s)
{
	size_t room = line_room(l, at);

	if (s.len <= room && escape_is_plain_text(s))
		return put(at, s);
	return at + (l->how == LOG_ESCAPE_JSON
			    ? log_escape_json(s, at, room, &l->is_cut)
			    : log_escape_text(s, at, room, &l->is_cut));
}

/* Between blanks: its own ones are escaped. */
static char *
put_column(char *at, struct line *l, span s)
{
	span blank = SPAN_LIT("\\x20");
	const char *end = at + line_room(l, at);
	span rest = s;
	span word;

	while (span_cut(&rest, ' ', &word)) {
		at += log_escape_text(word, at, (size_t)(end - at), &l->is_cut);
		if (rest.p == NULL)
			break;
		l->is_cut |= (size_t)(end - at) < blank.len;
		if (l->is_cut)
			break;
		at = put(at, blank);
	}
	return at;
}

/* Bring the texts up to date and give the one asked for. */
static span
line_time(struct log_times *t, const struct exch *x, enum var_id id)
{
	const struct clock *now = worker_clock(x->w);
	int64_t s = clock_wall_s(now);
	unsigned ms = (unsigned)(now->wall_us / 1000 % 1000);

	if (t->s != s) {
		t->s = s;
		date_format_clf(s, t->clf);
		date_format_iso(now->wall_us, t->iso);
	}
	if (id == VAR_TIME_CLF)
		return span_of(t->clf, DATE_CLF_LEN);
	t->iso[DATE_ISO_LEN - 4] = (char)('0' + ms / 100);
	t->iso[DATE_ISO_LEN - 3] = (char)('0' + ms / 10 % 10);
	t->iso[DATE_ISO_LEN - 2] = (char)('0' + ms % 10);
	return span_of(t->iso, DATE_ISO_LEN);
}

static char *
put_text(char *at, struct line *l, const struct log_item *item, span value)
{
	if (value.len == 0)
		return l->how == LOG_ESCAPE_TEXT ? put(at, SPAN_LIT("-")) : at;
	if (item->kind == LOG_ITEM_COLUMN && span_chr(value, ' ') >= 0)
		return put_column(at, l, value);
	return put_value(at, l, value);
}

static char *
put_number(char *at, const struct line *l, const struct exch *x, enum var_id id)
{
	uint64_t n;

	if (var_get_number(x, id, &n))
		return at + var_format_number(id, n, at);
	return put(
	    at, l->how == LOG_ESCAPE_TEXT ? SPAN_LIT("-") : SPAN_LIT("null"));
}

/* By steps, of which the last one may be more than asked. */
static char *
put_padded(char *at, span text)
{
	for (size_t n = 0; n < text.len; n += LOG_STEP)
		memcpy(at + n, text.p + n, LOG_STEP);
	return at + text.len;
}

static size_t
line_render(const struct log_format *f, struct log_times *times, struct exch *x,
    struct line *l)
{
	char *at = l->start;
	char scratch[VAR_SCRATCH];

	for (const struct log_item *item = f->items;; item++) {
		if ((size_t)(l->end - at) < item->text.len + LOG_ROOM) {
			l->is_cut = true;
			return 0;
		}
		at = put_padded(at, item->text);
		if (item->kind == LOG_ITEM_NONE)
			return (size_t)(at - l->start);
		if (item->kind == LOG_ITEM_NUMBER)
			at = put_number(at, l, x, item->var.id);
		else if (item->kind == LOG_ITEM_TIME)
			at = put(at, line_time(times, x, item->var.id));
		else
			at = put_text(
			    at, l, item, var_get(x, &item->var, scratch));
	}
}

static enum log_item_kind
item_kind(const struct log_format *f, enum var_id id, bool is_quoted)
{
	if (var_is_number(id))
		return LOG_ITEM_NUMBER;
	if (id == VAR_TIME || id == VAR_TIME_CLF)
		return LOG_ITEM_TIME; /* its blank stands in brackets */
	return f->has_columns && !is_quoted ? LOG_ITEM_COLUMN : LOG_ITEM_TEXT;
}

void
log_format_compile(struct log_format *f, struct arena *a)
{
	const struct tmpl *t = &f->tmpl;
	struct log_item *item =
	    arena_zalloc(a, (t->n_vars + 1u) * sizeof(*item));
	/* all texts, one after the other, and the end of the line */
	char *at = arena_zalloc(a, t->text_len + 1 + LOG_STEP);
	bool is_quoted = false;

	f->items = item;
	item->text = span_of(at, 0);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct tmpl_part *part = &t->parts[i];

		if (part->is_var) {
			item->var = part->var;
			item->kind = item_kind(f, part->var.id, is_quoted);
			*++item = (struct log_item){.text = span_of(at, 0)};
			continue;
		}
		for (size_t k = 0; k < part->text.len; k++)
			is_quoted ^= part->text.p[k] == '"';
		memcpy(at, part->text.p, part->text.len);
		at += part->text.len;
		item->text.len += part->text.len;
	}
	*at = '\n';
	item->text.len++;
}

size_t
log_line(const struct log_format *f, struct log_times *times, struct exch *x,
    char *out, size_t cap)
{
	struct line l = {out, out + cap, SIZE_MAX, f->escape, false};
	size_t len;

	REQUIRE(cap >= LOG_LINE_MIN);
	len = line_render(f, times, x, &l);
	if (!l.is_cut)
		return len;
	l.value_max = (cap - f->tmpl.text_len - 1 - LOG_ROOM) / f->tmpl.n_vars;
	return line_render(f, times, x, &l);
}
