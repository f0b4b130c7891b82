/* log/log_line: renders a compiled format for one exchange. Knows nothing of
 * files. On the way of every request: no printf, dates made once a second. */
#include "worker/log/log_line.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"

static const char hex_digits[] = "0123456789ABCDEF";

/* Bits of log_format.columns. */
#define LOG_COLUMNS_MAX 64u

struct line {
	char *at;
	char *end;
	size_t value_max; /* bytes of one escaped value */
	bool is_cut;
};

static bool
escape_is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
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

/* Length of the well-formed UTF-8 sequence of more than one byte at the start
 * of `s`, or 0 (Unicode 15, table 3-7). */
static size_t
escape_utf8(span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;

	if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < n)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

/* One character that is not plain. Returns the bytes written to `out` (room for
 * 6), sets *used. */
static size_t
escape_json_char(span s, char *out, size_t *used)
{
	unsigned char c = (unsigned char)s.p[0];

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
	*used = escape_utf8(s);
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

static void
line_add(struct line *l, span s)
{
	size_t n = size_min(s.len, (size_t)(l->end - l->at));

	if (n > 0)
		memcpy(l->at, s.p, n);
	l->at += n;
	if (n < s.len)
		l->is_cut = true;
}

static void
line_add_value(struct line *l, span s, enum log_escape how)
{
	size_t cap = size_min((size_t)(l->end - l->at), l->value_max);

	if (how == LOG_ESCAPE_JSON)
		l->at += log_escape_json(s, l->at, cap, &l->is_cut);
	else
		l->at += log_escape_text(s, l->at, cap, &l->is_cut);
}

/* Between blanks: its own ones are escaped. */
static void
line_add_column(struct line *l, span s)
{
	span blank = SPAN_LIT("\\x20");
	char *end = l->at + size_min((size_t)(l->end - l->at), l->value_max);
	span rest = s;
	span word;

	while (span_cut(&rest, ' ', &word)) {
		l->at += log_escape_text(
		    word, l->at, (size_t)(end - l->at), &l->is_cut);
		if (rest.p == NULL)
			break;
		l->is_cut |= (size_t)(end - l->at) < blank.len;
		if (l->is_cut)
			break;
		line_add(l, blank);
	}
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

static void
line_add_var(struct line *l, const struct log_format *f, uint32_t part,
    struct log_times *times, struct exch *x)
{
	const struct var *v = &f->tmpl.parts[part].var;
	char scratch[VAR_SCRATCH];
	span value;

	if (v->id == VAR_TIME || v->id == VAR_TIME_CLF)
		value = line_time(times, x, v->id);
	else
		value = var_get(x, v, scratch);
	if (part < LOG_COLUMNS_MAX && (f->columns >> part & 1) != 0 &&
	    span_chr(value, ' ') >= 0)
		line_add_column(l, value);
	else if (value.len > 0)
		line_add_value(l, value, f->escape);
	else if (f->escape == LOG_ESCAPE_TEXT)
		line_add(l, SPAN_LIT("-"));
	else if (var_is_number(v->id))
		line_add(l, SPAN_LIT("null"));
}

/* Returns the length; l->is_cut tells whether something was left out. */
static size_t
line_render(const struct log_format *f, struct log_times *times, struct exch *x,
    struct line *l)
{
	char *start = l->at;

	for (uint32_t i = 0; i < f->tmpl.n; i++) {
		const struct tmpl_part *part = &f->tmpl.parts[i];

		if (part->is_var)
			line_add_var(l, f, i, times, x);
		else
			line_add(l, part->text);
	}
	line_add(l, SPAN_LIT("\n"));
	return (size_t)(l->at - start);
}

uint64_t
log_columns(const struct tmpl *t)
{
	uint64_t columns = 0;
	bool is_quoted = false;

	for (uint32_t i = 0; i < t->n && i < LOG_COLUMNS_MAX; i++) {
		const struct tmpl_part *part = &t->parts[i];

		for (size_t k = 0; !part->is_var && k < part->text.len; k++)
			is_quoted ^= part->text.p[k] == '"';
		/* the one that has a blank by its form stands in brackets */
		if (part->is_var && !is_quoted && part->var.id != VAR_TIME_CLF)
			columns |= (uint64_t)1 << i;
	}
	return columns;
}

size_t
log_line(const struct log_format *f, struct log_times *times, struct exch *x,
    char *out, size_t cap)
{
	struct line l = {out, out + cap, SIZE_MAX, false};
	size_t len;

	REQUIRE(cap >= LOG_LINE_MIN);
	len = line_render(f, times, x, &l);
	if (!l.is_cut)
		return len;
	l = (struct line){out, out + cap,
	    (cap - f->tmpl.text_len - 1) / f->tmpl.n_vars, false};
	return line_render(f, times, x, &l);
}
