/* sec_multipart: parts between boundaries. Fields of a part name what it is: a
 * value is an argument, what has a file name is a file, which is counted and
 * not kept. After ModSecurity 2.9 a bare LF inside a value is kept. */
#include "worker/sec/sec_multipart.h"

#include "common/base/text.h"
#include "worker/sec/sec_tx_int.h"

/* Bytes of a boundary (RFC 2046 5.1.1 has 70). */
#define BOUNDARY_MAX 256u
/* Fields of one part. */
#define FIELDS_MAX 64u

static const span FORM_DATA = SPAN_LIT("form-data");

struct multipart {
	struct sec_tx *tx;
	span boundary;
	span rest; /* of the body */
	bool has_crlf, has_lf; /* ends of lines seen */
	bool is_failed;
};

/* What the fields of a part say. */
struct form_part {
	span name, filename;
	bool has_name, has_filename;
	const char *from; /* of its value */
};

static void
flag(struct multipart *m, enum sec_var var)
{
	m->tx->one[var] = sec_value_number(m->tx, 1);
}

static void
fault(struct multipart *m, const char *why)
{
	sec_body_fault(m->tx, why);
	m->is_failed = true;
}

/* --- the boundary --------------------------------------------------------- */

static bool
is_boundary_byte(char c)
{
	return (c >= '0' && c <= '9') ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
	       (c != '\0' && strchr("'()+_,-./:=?", c) != NULL);
}

static bool
boundary_is_good(span b)
{
	if (b.len == 0 || b.len > BOUNDARY_MAX)
		return false;
	for (size_t i = 0; i < b.len; i++)
		if (!is_boundary_byte(b.p[i]))
			return false;
	return true;
}

static ptrdiff_t
find_caseless(span s, span needle)
{
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (span_ieq(span_of(s.p + i, needle.len), needle))
			return (ptrdiff_t)i;
	return -1;
}

static bool
read_boundary(struct multipart *m, span type)
{
	ptrdiff_t at = find_caseless(type, SPAN_LIT("boundary"));
	span v;
	ptrdiff_t end;

	if (at < 0)
		return false;
	v = span_from(type, (size_t)at + 8);
	if (v.len != span_trim(v).len || span_chr(v, '=') != 0)
		flag(m, SEC_VAR_MULTIPART_BOUNDARY_WHITESPACE);
	v = span_trim(v);
	if (v.len == 0 || v.p[0] != '=')
		return false;
	v = span_from(v, 1);
	if (v.len != span_trim(v).len)
		flag(m, SEC_VAR_MULTIPART_BOUNDARY_WHITESPACE);
	v = span_trim(v);
	if (v.len > 0 && v.p[0] == '"') {
		flag(m, SEC_VAR_MULTIPART_BOUNDARY_QUOTED);
		v = span_from(v, 1);
		end = span_chr(v, '"');
		if (end < 0)
			return false;
	} else {
		end = span_chr(v, ';');
		if (end < 0)
			end = (ptrdiff_t)v.len;
	}
	m->boundary = span_trim(span_first(v, (size_t)end));
	/* two of them: who knows which one the origin takes */
	return boundary_is_good(m->boundary) &&
	       find_caseless(span_from(v, (size_t)end), SPAN_LIT("boundary")) <
		   0;
}

/* --- lines ---------------------------------------------------------------- */

/* The next line without its end; false when nothing is left. *is_ended: it has
 * an end. */
static bool
next_line(struct multipart *m, span *line, bool *is_ended)
{
	ptrdiff_t lf;

	if (m->rest.len == 0)
		return false;
	lf = span_chr(m->rest, '\n');
	*is_ended = lf >= 0;
	*line = lf < 0 ? m->rest : span_first(m->rest, (size_t)lf);
	m->rest = span_from(m->rest, lf < 0 ? m->rest.len : (size_t)lf + 1);
	return true;
}

/* A line of fields or a boundary: how it ends is looked at. */
static span
line_text(struct multipart *m, span line, bool is_ended)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r') {
		m->has_crlf = true;
		return span_first(line, line.len - 1);
	}
	if (is_ended)
		m->has_lf = true;
	return line;
}

enum border { BORDER_NONE, BORDER_NEXT, BORDER_LAST };

static enum border
border_of(struct multipart *m, span line, bool is_ended)
{
	span s, rest;

	if (!span_starts(line, SPAN_LIT("--")))
		return BORDER_NONE;
	s = span_from(line, 2);
	if (!span_starts(s, m->boundary)) {
		/* perhaps somebody else's border */
		flag(m, SEC_VAR_MULTIPART_UNMATCHED_BOUNDARY);
		return BORDER_NONE;
	}
	rest = line_text(m, span_from(s, m->boundary.len), is_ended);
	if (rest.len == 0)
		return BORDER_NEXT;
	if (span_eq(rest, SPAN_LIT("--")))
		return BORDER_LAST;
	fault(m, "Multipart: Invalid boundary");
	return BORDER_NONE;
}

/* --- fields of a part ----------------------------------------------------- */

/* A parameter's value at *s: a token or a quoted string. */
static bool
read_value(struct multipart *m, span *s, span *out)
{
	struct text t;
	char quote;
	size_t i = 1;

	if (s->len > 0 && s->p[0] == '\'')
		flag(m, SEC_VAR_MULTIPART_INVALID_QUOTING);
	if (s->len == 0 || (s->p[0] != '"' && s->p[0] != '\'')) {
		size_t n = 0;

		while (n < s->len && s->p[n] != ';' && s->p[n] != ' ' &&
		       s->p[n] != '\t')
			n++;
		*out = span_first(*s, n);
		*s = span_from(*s, n);
		return n > 0;
	}
	quote = s->p[0];
	text_init(&t, arena_alloc(m->tx->a, s->len), s->len);
	for (; i < s->len && s->p[i] != quote; i++) {
		if (s->p[i] == '\\' && i + 1 < s->len &&
		    (s->p[i + 1] == '"' || s->p[i + 1] == '\\'))
			i++;
		text_add_char(&t, s->p[i]);
	}
	if (i == s->len)
		return false;
	*s = span_from(*s, i + 1);
	*out = text_span(&t);
	return true;
}

static void
take_parameter(struct multipart *m, struct form_part *p, span name, span value)
{
	if (span_ieq(name, SPAN_LIT("name"))) {
		if (p->has_name)
			fault(m, "Multipart: Duplicate name");
		p->has_name = true;
		p->name = value;
	} else if (span_ieq(name, SPAN_LIT("filename"))) {
		if (p->has_filename)
			fault(m, "Multipart: Duplicate filename");
		p->has_filename = true;
		p->filename = value;
	}
}

static bool
read_disposition(struct multipart *m, struct form_part *p, span s)
{
	if (s.len < FORM_DATA.len ||
	    !span_ieq(span_first(s, FORM_DATA.len), FORM_DATA))
		return false;
	s = span_trim(span_from(s, FORM_DATA.len));
	while (s.len > 0) {
		span name, value;
		size_t n = 0;

		if (s.p[0] == ';')
			s = span_trim(span_from(s, 1));
		else
			flag(m, SEC_VAR_MULTIPART_MISSING_SEMICOLON);
		while (n < s.len && s.p[n] != '=' && s.p[n] != ';' &&
		       s.p[n] != ' ' && s.p[n] != '\t')
			n++;
		name = span_first(s, n);
		s = span_trim(span_from(s, n));
		if (name.len == 0 || s.len == 0 || s.p[0] != '=')
			return false;
		s = span_trim(span_from(s, 1));
		if (!read_value(m, &s, &value))
			return false;
		s = span_trim(s);
		take_parameter(m, p, name, value);
	}
	return true;
}

/* A line of the fields of a part. */
static void
take_field(struct multipart *m, struct form_part *p, span line)
{
	ptrdiff_t colon;
	span name;

	if (line.p[0] == ' ' || line.p[0] == '\t') {
		/* the rest of the field before it */
		flag(m, SEC_VAR_MULTIPART_HEADER_FOLDING);
		flag(m, SEC_VAR_MULTIPART_INVALID_HEADER_FOLDING);
		return;
	}
	colon = span_chr(line, ':');
	if (colon <= 0) {
		fault(m, "Multipart: Invalid part header (colon missing)");
		return;
	}
	name = span_first(line, (size_t)colon);
	if (name.p[name.len - 1] == ' ' || name.p[name.len - 1] == '\t')
		flag(m, SEC_VAR_MULTIPART_INVALID_PART);
	if (span_ieq(name, SPAN_LIT("Content-Disposition")) &&
	    !read_disposition(
		m, p, span_trim(span_from(line, (size_t)colon + 1))))
		fault(m, "Multipart: Invalid Content-Disposition header");
}

/* The fields of a part, up to its empty line; then they are known by its
 * name. */
static void
read_fields(struct multipart *m, struct form_part *p)
{
	span fields[FIELDS_MAX], line;
	uint32_t n = 0;
	bool is_ended;

	for (;;) {
		if (!next_line(m, &line, &is_ended)) {
			fault(m, "Multipart: Final boundary missing");
			return;
		}
		line = line_text(m, line, is_ended);
		if (line.len == 0 || m->is_failed)
			break;
		if (n == FIELDS_MAX) {
			fault(m, "Multipart: Too many part headers");
			return;
		}
		fields[n++] = line;
		take_field(m, p, line);
	}
	if (!p->has_name && !m->is_failed)
		fault(m, "Multipart: Invalid part (no name)");
	for (uint32_t i = 0; i < n; i++)
		sec_vars_item(
		    m->tx, SEC_VAR_MULTIPART_PART_HEADERS, p->name, fields[i]);
}

/* --- parts ---------------------------------------------------------------- */

static void
take_file(struct multipart *m, const struct form_part *p, size_t len)
{
	struct sec_tx *tx = m->tx;
	struct sec_value *size = sec_value_number(tx, len);

	if (tx->many[SEC_VAR_FILES].n >= tx->set->options.files_max) {
		flag(m, SEC_VAR_MULTIPART_FILE_LIMIT_EXCEEDED);
		return;
	}
	sec_vars_item(tx, SEC_VAR_FILES, p->name, p->filename);
	sec_vars_item(tx, SEC_VAR_FILES_NAMES, p->name, p->name);
	sec_vars_item(tx, SEC_VAR_FILES_SIZES, p->name, size->text);
	sec_vars_item(tx, SEC_VAR_MULTIPART_FILENAME, (span){0}, p->filename);
	sec_vars_item(tx, SEC_VAR_MULTIPART_NAME, (span){0}, p->name);
}

static void
take_part(struct multipart *m, const struct form_part *p, const char *end)
{
	span value = span_of(p->from, (size_t)(end - p->from));

	/* the end of the line before the border belongs to the border */
	if (value.len > 0 && value.p[value.len - 1] == '\n')
		value.len--;
	if (value.len > 0 && value.p[value.len - 1] == '\r')
		value.len--;
	if (p->has_filename)
		take_file(m, p, value.len);
	else if (m->tx->many[SEC_VAR_ARGS].n <
		 m->tx->set->options.arguments_max)
		sec_vars_argument(m->tx, SEC_VAR_ARGS_POST, p->name, value);
	else
		m->tx->is_over = true;
}

/* To the next border; false: there is none. */
static bool
find_border(struct multipart *m, enum border *found, const char **before)
{
	span line;
	bool is_ended;

	for (;;) {
		*before = m->rest.p;
		if (m->is_failed || !next_line(m, &line, &is_ended))
			return false;
		*found = border_of(m, line, is_ended);
		if (*found != BORDER_NONE)
			return true;
	}
}

static void
read_parts(struct multipart *m)
{
	enum border border = BORDER_NONE;
	const char *before;
	bool has_part = false;
	struct form_part p = {0};

	for (;;) {
		if (!find_border(m, &border, &before)) {
			if (!m->is_failed)
				fault(m, "Multipart: Final boundary missing");
			return;
		}
		if (has_part)
			take_part(m, &p, before);
		else if (before != m->tx->body.p)
			flag(m, SEC_VAR_MULTIPART_DATA_BEFORE);
		if (border == BORDER_LAST)
			break;
		p = (struct form_part){0};
		read_fields(m, &p);
		if (m->is_failed)
			return;
		p.from = m->rest.p;
		has_part = true;
	}
	if (m->rest.len > 0)
		flag(m, SEC_VAR_MULTIPART_DATA_AFTER);
}

/* One flag for what no good client sends (ModSecurity reference manual,
 * MULTIPART_STRICT_ERROR). */
static void
flag_strict(struct multipart *m)
{
	static const enum sec_var strict[] = {SEC_VAR_MULTIPART_BOUNDARY_QUOTED,
	    SEC_VAR_MULTIPART_BOUNDARY_WHITESPACE,
	    SEC_VAR_MULTIPART_DATA_BEFORE, SEC_VAR_MULTIPART_DATA_AFTER,
	    SEC_VAR_MULTIPART_HEADER_FOLDING, SEC_VAR_MULTIPART_LF_LINE,
	    SEC_VAR_MULTIPART_MISSING_SEMICOLON,
	    SEC_VAR_MULTIPART_INVALID_QUOTING, SEC_VAR_MULTIPART_INVALID_PART,
	    SEC_VAR_MULTIPART_INVALID_HEADER_FOLDING,
	    SEC_VAR_MULTIPART_FILE_LIMIT_EXCEEDED};

	if (m->has_lf)
		flag(m, m->has_crlf ? SEC_VAR_MULTIPART_CRLF_LF_LINES
				    : SEC_VAR_MULTIPART_LF_LINE);
	for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++)
		if (m->tx->one[strict[i]] != NULL)
			flag(m, SEC_VAR_MULTIPART_STRICT_ERROR);
	if (m->is_failed)
		flag(m, SEC_VAR_MULTIPART_STRICT_ERROR);
}

void
sec_multipart_read(struct sec_tx *tx, span type)
{
	struct multipart m = {.tx = tx, .rest = tx->body};

	if (!read_boundary(&m, type))
		fault(&m, "Multipart: Invalid boundary in C-T");
	else
		read_parts(&m);
	flag_strict(&m);
}
