/* http/vary: the canonical form of what a response was chosen by. */
#include "common/http/vary.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/http/chars.h"

/* Members of one list that are sorted, and bytes of their canonical forms;
 * lists with more are compared as they came. */
#define LIST_MEMBERS_MAX 32
#define LIST_TEXT_MAX 1024

/* --- names ---------------------------------------------------------------- */

static int
compare_lower(span a, span b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++) {
		int d = ascii_lower(a.p[i]) - ascii_lower(b.p[i]);

		if (d != 0)
			return d;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

/* false: one too many. */
static bool
add_name(struct vary *v, span name)
{
	unsigned at = 0;

	while (at < v->n && compare_lower(v->at[at].name, name) < 0)
		at++;
	if (at < v->n && span_ieq(v->at[at].name, name))
		return true;
	if (v->n == VARY_NAMES_MAX)
		return false;
	memmove(&v->at[at + 1], &v->at[at], (v->n - at) * sizeof(v->at[0]));
	v->at[at] = (struct vary_name){name, (uint16_t)field_lookup(name)};
	v->n++;
	return true;
}

static bool
add_names(struct vary *v, span list)
{
	span name;

	while (span_cut(&list, ',', &name)) {
		name = span_trim(name);
		if (name.len == 0)
			continue;
		/* the asterisk is a token, too */
		if (!chars_all(name, CHAR_TOKEN) ||
		    span_eq(name, SPAN_LIT("*")) || !add_name(v, name))
			return false;
	}
	return true;
}

static bool
fits_text(const struct vary *v)
{
	size_t len = 0;

	for (unsigned i = 0; i < v->n; i++)
		len += v->at[i].name.len + 1;
	return len <= VARY_TEXT_MAX;
}

bool
vary_parse(const struct http_fields *resp, struct vary *out)
{
	out->n = 0;
	for (struct http_field *fld = fields_find(resp, FIELD_VARY);
	     fld != NULL; fld = fields_next(resp, fld))
		if (!add_names(out, fld->value))
			return false;
	return fits_text(out);
}

bool
vary_parse_text(span names, struct vary *out)
{
	out->n = 0;
	return names.len == 0 || (add_names(out, names) && fits_text(out));
}

static void
add_lower(struct text *t, span s)
{
	for (size_t i = 0; i < s.len; i++)
		text_add_char(t, ascii_lower(s.p[i]));
}

size_t
vary_write_names(const struct vary *v, char out[VARY_TEXT_MAX])
{
	struct text t;

	text_init(&t, out, VARY_TEXT_MAX);
	for (unsigned i = 0; i < v->n; i++) {
		if (i > 0)
			text_add_char(&t, ',');
		add_lower(&t, v->at[i].name);
	}
	return t.len;
}

/* --- lists of what a client accepts --------------------------------------- */

static bool
is_accept(unsigned id)
{
	return id == FIELD_ACCEPT || id == FIELD_ACCEPT_CHARSET ||
	       id == FIELD_ACCEPT_ENCODING || id == FIELD_ACCEPT_LANGUAGE;
}

/* A weight without its trailing zeros; false for what is no weight (RFC 9110
 * 12.4.2). Empty: 1, which is what none means. */
static bool
read_weight(span s, span *out)
{
	size_t n = s.len;

	if (n == 0 || n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (n > 1 && s.p[1] != '.'))
		return false;
	for (size_t i = 2; i < n; i++)
		if (!char_is_digit(s.p[i]))
			return false;
	while (n > 1 && (s.p[n - 1] == '0' || s.p[n - 1] == '.'))
		n--;
	if (s.p[0] == '1' && n > 1)
		return false;
	*out = span_first(s, s.p[0] == '1' ? 0 : n);
	return true;
}

/* One parameter of a member: ";name=value", without blanks; case may count in
 * the value. A weight of 1 is left out. */
static void
add_parameter(struct text *t, span parameter)
{
	span value = parameter;
	span name;

	(void)span_cut(&value, '=', &name);
	name = span_trim(name);
	value = span_trim(value);
	if (span_ieq(name, SPAN_LIT("q")) && read_weight(value, &value) &&
	    value.len == 0)
		return;
	text_add_char(t, ';');
	add_lower(t, name);
	if (value.p == NULL)
		return;
	text_add_char(t, '=');
	text_add(t, value);
}

/* Only for members without quotes. */
static span
add_member(struct text *t, span member)
{
	size_t begin = t->len;
	span part;

	(void)span_cut(&member, ';', &part);
	add_lower(t, span_trim(part));
	while (span_cut(&member, ';', &part))
		add_parameter(t, span_trim(part));
	return span_of(t->p + begin, t->len - begin);
}

/* Canonical members, sorted, each once. */
struct members {
	char storage[LIST_TEXT_MAX];
	struct text text;
	span at[LIST_MEMBERS_MAX];
	unsigned n;
};

/* false: too many to be sorted. */
static bool
sort_in(struct members *m, span one)
{
	unsigned at = 0;

	while (at < m->n && span_cmp(m->at[at], one) < 0)
		at++;
	if (at < m->n && span_eq(m->at[at], one))
		return true;
	if (m->n == LIST_MEMBERS_MAX)
		return false;
	memmove(&m->at[at + 1], &m->at[at], (m->n - at) * sizeof(m->at[0]));
	m->at[at] = one;
	m->n++;
	return true;
}

static bool
read_members(struct members *m, const struct http_fields *f,
    const struct http_field *fld)
{
	text_init(&m->text, m->storage, sizeof(m->storage));
	m->n = 0;
	for (; fld != NULL; fld = fields_next(f, fld)) {
		span rest = fld->value;
		span member;

		/* case counts in quotes, and commas do not */
		if (span_chr(rest, '"') >= 0)
			return false;
		while (span_member(&rest, &member))
			if (!sort_in(m, add_member(&m->text, member)))
				return false;
	}
	return !m->text.is_cut;
}

/* false: it is to be taken as any other field. */
static bool
add_list(
    struct text *t, const struct http_fields *f, const struct http_field *fld)
{
	struct members m;

	if (!read_members(&m, f, fld))
		return false;
	for (unsigned i = 0; i < m.n; i++) {
		if (i > 0)
			text_add_char(t, ',');
		text_add(t, m.at[i]);
	}
	return true;
}

/* --- any other field ------------------------------------------------------ */

/* A value without the blanks around its commas, quoted strings excepted. */
static void
add_value(struct text *t, span s)
{
	size_t n_blanks = 0;
	bool is_quoted = false;
	bool is_start = true; /* of a member */

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!is_quoted && char_is_blank(c)) {
			n_blanks++;
			continue;
		}
		if (!is_start && (c != ',' || is_quoted))
			text_add(t, span_of(s.p + i - n_blanks, n_blanks));
		n_blanks = 0;
		text_add_char(t, c);
		is_start = c == ',' && !is_quoted;
		if (is_quoted && c == '\\' && i + 1 < s.len)
			text_add_char(t, s.p[++i]);
		else if (c == '"')
			is_quoted = !is_quoted;
	}
}

static void
add_lines(
    struct text *t, const struct http_fields *f, const struct http_field *fld)
{
	char separator = fld->id == FIELD_COOKIE ? ';' : ',';
	const struct http_field *first = fld;
	span name = fld->name;

	/* those that are not in field.def share an id */
	for (; fld != NULL; fld = fields_next(f, fld)) {
		if (!span_ieq(fld->name, name))
			continue;
		if (fld != first)
			text_add_char(t, separator);
		add_value(t, fld->value);
	}
}

/* --- the key -------------------------------------------------------------- */

/* "name \n" when absent, "name:value\n" when not: neither the blank nor the
 * colon can be in a name, nor the newline in a value. */
static void
add_field(
    struct text *t, const struct http_fields *req, const struct vary_name *v)
{
	const struct http_field *fld = fields_find_name(req, v->name);

	add_lower(t, v->name);
	text_add_char(t, fld == NULL ? ' ' : ':');
	if (fld != NULL && (!is_accept(v->id) || !add_list(t, req, fld)))
		add_lines(t, req, fld);
	text_add_char(t, '\n');
}

bool
vary_key(const struct vary *v, const struct http_fields *req, char *out,
    size_t cap, size_t *len)
{
	struct text t;

	text_init(&t, out, cap);
	for (unsigned i = 0; i < v->n; i++)
		add_field(&t, req, &v->at[i]);
	*len = t.len;
	return !t.is_cut;
}

bool
vary_hash(const struct vary *v, const struct http_fields *req,
    const struct sipkey *key, uint64_t *out)
{
	char text[VARY_KEY_MAX];
	size_t len;

	if (!vary_key(v, req, text, sizeof(text), &len))
		return false;
	*out = siphash(key, span_of(text, len));
	return true;
}
