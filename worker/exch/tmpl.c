/* exch/tmpl: compiles templates at load and renders them for an exchange. Knows
 * nothing of what single variables mean. */
#include "worker/exch/tmpl.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"
#include "worker/exch/pct.h"

/* Bytes that one byte becomes at most: &quot; or \u0000. */
#define TMPL_ESCAPED_MAX 6

static bool
tmpl_is_name_start(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Append text, joined to the part before when they touch. */
static void
tmpl_add_text(struct tmpl *t, span s)
{
	struct tmpl_part *last = t->n == 0 ? NULL : &t->parts[t->n - 1];

	t->text_len += s.len;
	if (last != NULL && !last->is_var &&
	    last->text.p + last->text.len == s.p) {
		last->text.len += s.len;
		return;
	}
	if (s.len > 0)
		t->parts[t->n++] = (struct tmpl_part){.text = s};
}

/* Bytes of text at `s` up to the next variable or doubled brace. */
static size_t
tmpl_text_len(span s)
{
	size_t i = 0;

	while (i < s.len &&
	       !(s.p[i] == '{' && i + 1 < s.len &&
		   (s.p[i + 1] == '{' || tmpl_is_name_start(s.p[i + 1]))))
		i++;
	return i;
}

/* The variable that begins `off` bytes into the source; *used its bytes with
 * both braces. */
static bool
tmpl_add_var(struct tmpl *t, const struct var_src *src, size_t off,
    size_t *used, struct diag *d)
{
	span s = span_from(src->text, off);
	ptrdiff_t end = span_chr(s, '}');
	struct tmpl_part part = {.is_var = true};
	struct var_src name = {.when = src->when};

	if (end < 0) {
		*used = s.len;
		diag_error(d, var_src_place(src, off, 1),
		    "the brace is never closed; as text it is written {{");
		return false;
	}
	*used = (size_t)end + 1;
	name.text = span_of(s.p + 1, (size_t)end - 1);
	name.at = var_src_place(src, off, *used);
	if (!var_parse(&name, &part.var, d))
		return false;
	t->parts[t->n++] = part;
	t->n_vars++;
	return true;
}

/* Parts that the text can have at most: a brace ends one and begins another. */
static size_t
tmpl_bound(span text)
{
	size_t n = 2;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '{' ? 2 : 0;
	return size_min(n, TMPL_PARTS_MAX);
}

bool
tmpl_prepare(
    struct tmpl *t, struct arena *a, const struct var_src *src, struct diag *d)
{
	size_t off = 0;
	bool ok = true;

	memset(t, 0, sizeof(*t));
	t->parts = arena_alloc(a, tmpl_bound(src->text) * sizeof(*t->parts));
	while (off < src->text.len) {
		span rest = span_from(src->text, off);
		size_t used = tmpl_text_len(rest);

		if (t->n + 2 > TMPL_PARTS_MAX) {
			diag_error(d, var_src_place(src, off, 1),
			    "a template of more than %d parts", TMPL_PARTS_MAX);
			return false;
		}
		tmpl_add_text(t, span_first(rest, used));
		rest = span_from(rest, used);
		off += used;
		if (rest.len == 0)
			break;
		used = 2;
		if (rest.p[1] == '{')
			tmpl_add_text(t, span_first(rest, 1));
		else
			ok &= tmpl_add_var(t, src, off, &used, d);
		off += used;
	}
	return ok;
}

void
tmpl_constant(struct tmpl *t, struct arena *a, span text)
{
	memset(t, 0, sizeof(*t));
	t->parts = arena_alloc(a, sizeof(*t->parts));
	tmpl_add_text(t, text);
}

/* Whether the byte may stand in a field's value (RFC 9110 5.5). */
static bool
tmpl_is_field_byte(char c)
{
	return ((unsigned char)c >= ' ' && c != 0x7f) || c == '\t';
}

/* The text with a blank for what would end the field or the message it stands
 * in; mostly the text itself. */
static span
tmpl_field(struct arena *a, span s)
{
	size_t i = 0;
	char *p;

	while (i < s.len && tmpl_is_field_byte(s.p[i]))
		i++;
	if (i == s.len)
		return s;
	p = arena_alloc(a, s.len);
	for (i = 0; i < s.len; i++)
		p[i] = tmpl_is_field_byte(s.p[i]) ? s.p[i] : ' ';
	return span_of(p, s.len);
}

/* What stands for a byte in HTML and XML, or NULL: itself. */
static const char *
tmpl_html_byte(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		/* XML 1.0 2.2: it holds no control bytes */
		return tmpl_is_field_byte(c) ? NULL : "?";
	}
}

/* Text for where quotes, tags and control bytes mean something. Bytes that are
 * no UTF-8 would make another reader's text of it. */
static span
tmpl_markup(struct arena *a, span s, enum tmpl_escape how)
{
	static const char hex[] = "0123456789abcdef";
	char *p = arena_alloc(a, s.len * TMPL_ESCAPED_MAX);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		const char *html = tmpl_html_byte(s.p[i]);
		unsigned char c = (unsigned char)s.p[i];
		size_t len = c < 0x80 ? 1 : span_utf8_len(s, i);

		if (len > 1) {
			memcpy(p + n, s.p + i, len);
			n += len;
			i += len - 1;
		} else if (len == 0) {
			p[n++] = '?';
		} else if (how == TMPL_JSON &&
			   (html != NULL || c == '\\' || c < ' ')) {
			memcpy(p + n, "\\u00", 4);
			p[n + 4] = hex[c >> 4];
			p[n + 5] = hex[c & 15];
			n += 6;
		} else if (how == TMPL_HTML && html != NULL) {
			memcpy(p + n, html, strlen(html));
			n += strlen(html);
		} else {
			p[n++] = s.p[i];
		}
	}
	return span_of(p, n);
}

static span
tmpl_value(struct exch *x, const struct var *v, enum tmpl_escape how)
{
	span s = var_get(x, v, arena_alloc(&x->arena, VAR_SCRATCH));

	switch (how) {
	case TMPL_URI:
		return pct_encode(&x->arena, s);
	case TMPL_FIELD:
		return tmpl_field(&x->arena, s);
	case TMPL_HTML:
	case TMPL_JSON:
		return tmpl_markup(&x->arena, s, how);
	case TMPL_PLAIN:
		return s;
	}
	UNREACHED();
}

span
tmpl_render(const struct tmpl *t, struct exch *x, enum tmpl_escape how)
{
	span *values;

	if (t->n == 0)
		return span_of("", 0);
	if (t->n == 1 && !t->parts[0].is_var)
		return t->parts[0].text;
	values = arena_alloc(&x->arena, t->n * sizeof(*values));
	for (uint32_t i = 0; i < t->n; i++)
		values[i] = t->parts[i].is_var
				? tmpl_value(x, &t->parts[i].var, how)
				: t->parts[i].text;
	return arena_concat(&x->arena, values, t->n);
}
