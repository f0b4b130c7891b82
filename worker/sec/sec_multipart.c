/* sec_multipart: parts between boundaries. Fields of a part name what it is: a
 * value is an argument, what has a file name is a file, which is counted and
 * not kept. After ModSecurity 2.9: what is malformed has neither, a bare LF
 * inside a value is kept, and lines say what raises a flag. */
#include "worker/sec/sec_multipart.h"

#include "common/http/chars.h"
#include "worker/sec/sec_disposition.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_tx_int.h"

/* Bytes of a Content-Type, and of a line of the fields of a part. */
#define TYPE_MAX 1024u
#define LINE_MAX_BYTES 4096u
/* Fields of one part. */
#define FIELDS_MAX 64u
/* Lines of all parts that go on with the field before them: each is a copy of it. */
#define FOLDED_MAX 256u

static const span MULTIPART = SPAN_LIT("multipart/form-data");
static const span BOUNDARY = SPAN_LIT("boundary");
static const span DISPOSITION = SPAN_LIT("Content-Disposition");

/* A part, as its fields say it, and its content. */
struct form_part {
	struct sec_disposition said;
	span content;
	span fields[FIELDS_MAX];
	uint32_t n_fields;
};

/* What becomes an argument once all is read. */
struct form_argument {
	span name, value;
	struct form_argument *next;
};

struct multipart {
	struct sec_tx *tx;
	span boundary;
	span border; /* "--" and the boundary */
	bool is_quoted; /* the boundary */
	span rest; /* of the body */
	bool has_crlf, has_lf; /* ends of lines seen */
	uint32_t n_folded;
	bool is_failed;
	struct form_argument *arguments;
	struct form_argument **arguments_end;
};

static void
flag(struct multipart *m, enum sec_var var)
{
	m->tx->one[var] = sec_value_number(m->tx, 1);
}

/* What no good client sends, and in which an origin may find parts that rules did
 * not see. */
static void
doubt(struct multipart *m, enum sec_var var)
{
	flag(m, var);
	m->tx->is_doubtful = true;
}

/* Returns false. */
static bool
fault(struct multipart *m, const char *why)
{
	sec_body_fault(m->tx, why);
	m->is_failed = true;
	return false;
}

/* --- the boundary --------------------------------------------------------- */

static bool
boundary_is_good(span b)
{
	if (b.len == 0)
		return false;
	for (size_t i = 0; i < b.len; i++)
		if ((uint8_t)b.p[i] < ' ' || (uint8_t)b.p[i] > '~' ||
		    strchr("()<>@,;:\\\"/[]?=", b.p[i]) != NULL)
			return false;
	return true;
}

/* How many parameters of that name there may be: who knows which one the origin
 * takes. */
static unsigned
boundaries(span s)
{
	unsigned n = 0;

	for (size_t i = 0; i + BOUNDARY.len <= s.len; i++)
		if (span_ieq(span_of(s.p + i, BOUNDARY.len), BOUNDARY) &&
		    span_chr(span_from(s, i + BOUNDARY.len), '=') >= 0)
			n++;
	return n;
}

static bool
is_white(span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!sec_white(s.p[i]))
			return false;
	return true;
}

/* The one parameter that clients send beside the boundary, and all readers take
 * alike. */
static bool
is_utf8_charset(span s)
{
	return span_ieq(span_trim(s), SPAN_LIT("charset=utf-8"));
}

/* What stands between the type and its boundary: a semicolon and white space, and
 * maybe another parameter. */
static bool
read_gap(struct multipart *m, span gap)
{
	span rest = gap;
	span piece;
	unsigned n;

	for (n = 0; span_cut(&rest, ';', &piece); n++) {
		bool is_between = n > 0 && rest.p != NULL;

		if (is_between ? !is_utf8_charset(piece) : !is_white(piece))
			return false;
	}
	if (n < 2)
		flag(m, SEC_VAR_MULTIPART_MISSING_SEMICOLON);
	return n <= 3;
}

static bool
has_quote(span s, size_t at)
{
	return s.len > at && s.p[at] == '"';
}

static bool
read_boundary_value(struct multipart *m, span v)
{
	span parts[] = {SPAN_LIT("--"), {0}};
	span rest = v;

	(void)span_cut(&rest, ';', &v);
	if (rest.p != NULL && !is_utf8_charset(rest))
		return false;
	if (v.len > 0 && sec_white(v.p[0]))
		doubt(m, SEC_VAR_MULTIPART_BOUNDARY_WHITESPACE);
	if (v.len >= 2 && has_quote(v, 0) && has_quote(v, v.len - 1)) {
		flag(m, SEC_VAR_MULTIPART_BOUNDARY_QUOTED);
		m->is_quoted = true;
		v = span_of(v.p + 1, v.len - 2);
	}
	/* some readers take it off */
	if (v.len > 0 && sec_white(v.p[v.len - 1]))
		m->tx->is_doubtful = true;
	parts[1] = m->boundary = v;
	m->border = arena_concat(m->tx->a, parts, NELEMS(parts));
	return boundary_is_good(v);
}

static bool
read_boundary(struct multipart *m, span type)
{
	span rest;
	ptrdiff_t at, equals;

	if (type.len > TYPE_MAX || type.len < MULTIPART.len ||
	    !span_ieq(span_first(type, MULTIPART.len), MULTIPART) ||
	    boundaries(type) != 1)
		return false;
	rest = span_from(type, MULTIPART.len);
	at = span_find(rest, BOUNDARY);
	if (at < 0 || !read_gap(m, span_first(rest, (size_t)at)))
		return false;
	rest = span_from(rest, (size_t)at + BOUNDARY.len);
	equals = span_chr(rest, '=');
	if (equals < 0)
		return false;
	for (ptrdiff_t i = 0; i < equals; i++) {
		if (!sec_white(rest.p[i]))
			return false;
		doubt(m, SEC_VAR_MULTIPART_BOUNDARY_WHITESPACE);
	}
	return read_boundary_value(m, span_from(rest, (size_t)equals + 1));
}

/* --- lines ---------------------------------------------------------------- */

/* The next line with its end; the last one may have none. false: nothing is
 * left. */
static bool
next_line(struct multipart *m, span *line)
{
	size_t end = sec_chr(m->rest, 0, '\n');

	if (m->rest.len == 0)
		return false;
	*line = span_first(m->rest, end < m->rest.len ? end + 1 : end);
	m->rest = span_from(m->rest, line->len);
	return true;
}

/* Without its end, which is looked at. */
static span
line_text(struct multipart *m, span line)
{
	line.len--;
	if (line.len > 0 && line.p[line.len - 1] == '\r') {
		m->has_crlf = true;
		line.len--;
	} else {
		m->has_lf = true;
	}
	return line;
}

enum border { BORDER_NONE, BORDER_NEXT, BORDER_LAST };

/* A line that begins as a border does, but is none: one in quotes, or behind
 * white space, is for somebody else. */
static void
look_at_other(struct multipart *m, span s)
{
	size_t n = 0;

	while (n < s.len && sec_white(s.p[n]))
		n++;
	if (n > 0 && span_starts(span_from(s, n), m->boundary))
		(void)fault(m, "Multipart: Invalid boundary (whitespace)");
	else if (m->is_quoted && has_quote(s, 0) &&
		 span_starts(span_from(s, 1), m->boundary))
		(void)fault(m, "Multipart: Invalid boundary (quotes)");
	else
		flag(m, SEC_VAR_MULTIPART_UNMATCHED_BOUNDARY);
}

static enum border
border_of(struct multipart *m, span line)
{
	span s = span_from(line, 2);
	bool is_last;

	if (!span_starts(line, m->border)) {
		if (span_find(line, m->border) >= 0)
			doubt(m, SEC_VAR_MULTIPART_UNMATCHED_BOUNDARY);
		/* "--" alone cannot be one */
		else if (line.len > 3 && span_starts(line, SPAN_LIT("--")))
			look_at_other(m, s);
		return BORDER_NONE;
	}
	s = span_from(line, m->border.len);
	is_last = span_starts(s, SPAN_LIT("--"));
	if (is_last)
		s = span_from(s, 2);
	if (!span_eq(s, SPAN_LIT("\r\n")) && !span_eq(s, SPAN_LIT("\n"))) {
		(void)fault(m, "Multipart: Invalid boundary");
		return BORDER_NONE;
	}
	(void)line_text(m, line);
	return is_last ? BORDER_LAST : BORDER_NEXT;
}

/* The last line has no end: it is the last border, or nothing. */
static enum border
border_at_end(const struct multipart *m, span line)
{
	return line.len == m->border.len + 2 && span_starts(line, m->border) &&
		       span_ends(line, SPAN_LIT("--"))
		   ? BORDER_LAST
		   : BORDER_NONE;
}

/* --- fields of a part ----------------------------------------------------- */

static span
field_name(span field)
{
	return span_first(field, (size_t)span_chr(field, ':'));
}

static const span *
find_field(const struct form_part *p, span name)
{
	for (uint32_t i = 0; i < p->n_fields; i++)
		if (span_ieq(field_name(p->fields[i]), name))
			return &p->fields[i];
	return NULL;
}

/* More of the field before it. */
static bool
take_folded(struct multipart *m, struct form_part *p, span line)
{
	span parts[3];

	doubt(m, SEC_VAR_MULTIPART_HEADER_FOLDING);
	if (p->n_fields == 0)
		return fault(m, "Multipart: Invalid part header (folding)");
	if (++m->n_folded > FOLDED_MAX)
		return fault(m, "Multipart: Too many folded part headers");
	while (line.len > 0 && sec_white(line.p[0])) {
		if (line.p[0] != ' ' && line.p[0] != '\t')
			flag(m, SEC_VAR_MULTIPART_INVALID_HEADER_FOLDING);
		line = span_from(line, 1);
	}
	parts[0] = p->fields[p->n_fields - 1];
	parts[1] = SPAN_LIT(" ");
	parts[2] = line;
	if (parts[0].len + line.len > LINE_MAX_BYTES)
		return fault(m, "Multipart: Part header too long");
	p->fields[p->n_fields - 1] = arena_concat(m->tx->a, parts, 3);
	return true;
}

static bool
take_field(struct multipart *m, struct form_part *p, span line)
{
	ptrdiff_t colon = span_chr(line, ':');

	if (colon <= 0)
		return fault(m, colon < 0
				    ? "Multipart: Invalid part header (no "
				      "colon)"
				    : "Multipart: Invalid part header (no "
				      "name)");
	/* "Name :" is another name to some */
	if (!chars_all(span_first(line, (size_t)colon), CHAR_TOKEN))
		m->tx->is_doubtful = true;
	if (find_field(p, span_first(line, (size_t)colon)) != NULL)
		return fault(m, "Multipart: Duplicate part header");
	if (p->n_fields == FIELDS_MAX)
		return fault(m, "Multipart: Too many part headers");
	p->fields[p->n_fields++] = line;
	return true;
}

/* The empty line: its fields say what the part is. */
static bool
end_fields(struct multipart *m, struct form_part *p)
{
	const span *field = find_field(p, DISPOSITION);
	struct sec_disposition *said = &p->said;
	struct sec_tx *tx = m->tx;
	span value;
	bool is_good;

	if (field == NULL)
		return fault(m, "Multipart: Part without Content-Disposition");
	value = span_from(*field, DISPOSITION.len + 1);
	is_good = sec_disposition_read(value, tx->a, said);
	if (said->has_name)
		tx->one[SEC_VAR_MULTIPART_NAME] = sec_value_of(tx, said->name);
	if (said->has_filename)
		tx->one[SEC_VAR_MULTIPART_FILENAME] =
		    sec_value_of(tx, said->filename);
	if (said->is_badly_quoted)
		doubt(m, SEC_VAR_MULTIPART_INVALID_QUOTING);
	tx->is_doubtful |= said->has_blanks;
	if (!is_good)
		return fault(
		    m, "Multipart: Invalid Content-Disposition header");
	if (!said->has_name)
		return fault(m, "Multipart: Content-Disposition without name");
	/* some readers only look for that text */
	if ((said->has_filename || said->has_filename_ext) &&
	    span_find(value, SPAN_LIT("filename=")) < 0)
		return fault(m, "Multipart: Invalid Content-Disposition header "
				"(filename)");
	return true;
}

/* A line of fields. *is_over: it was the empty one. */
static bool
read_field(struct multipart *m, struct form_part *p, span line, bool *is_over)
{
	span text;

	if (memchr(line.p, '\0', line.len) != NULL)
		return fault(m, "Multipart: NUL in part header");
	if (line.len >= LINE_MAX_BYTES)
		return fault(m, "Multipart: Part header line too long");
	text = line_text(m, line);
	*is_over = text.len == 0;
	if (*is_over)
		return end_fields(m, p);
	/* a CR alone ends a line for some */
	if (!chars_all(text, CHAR_VALUE))
		m->tx->is_doubtful = true;
	return sec_white(text.p[0]) ? take_folded(m, p, text)
				    : take_field(m, p, text);
}

/* --- parts ---------------------------------------------------------------- */

static void
take_file(struct multipart *m, const struct sec_disposition *said, span content)
{
	struct sec_tx *tx = m->tx;
	struct sec_value *size = sec_value_number(tx, content.len);

	if (tx->many[SEC_VAR_FILES].n >= tx->set->options.files_max) {
		doubt(m, SEC_VAR_MULTIPART_FILE_LIMIT_EXCEEDED);
		return;
	}
	sec_vars_item(tx, SEC_VAR_FILES, said->name, said->filename);
	if (said->has_filename_ext)
		sec_vars_item(
		    tx, SEC_VAR_FILES, said->name, said->filename_ext);
	sec_vars_item(tx, SEC_VAR_FILES_NAMES, said->name, said->name);
	sec_vars_item(tx, SEC_VAR_FILES_SIZES, said->name, size->text);
}

static void
keep_argument(struct multipart *m, span name, span value)
{
	struct form_argument *a = arena_alloc(m->tx->a, sizeof(*a));

	*a = (struct form_argument){.name = name, .value = value};
	*m->arguments_end = a;
	m->arguments_end = &a->next;
}

/* A border ends the part: the end of the line before it is no content. */
static void
end_part(struct multipart *m, const struct form_part *p)
{
	const struct sec_disposition *said = &p->said;
	span content = p->content;

	if (!said->has_name) {
		doubt(m, SEC_VAR_MULTIPART_INVALID_PART);
		return;
	}
	/* nothing else limits how many fields all parts have */
	if (!sec_bound_room(m->tx, 0)) {
		(void)fault(m, "Multipart: Too many parts");
		return;
	}
	for (uint32_t i = 0; i < p->n_fields; i++)
		sec_vars_item(m->tx, SEC_VAR_MULTIPART_PART_HEADERS, said->name,
		    p->fields[i]);
	if (content.len > 0)
		content = line_text(m, content);
	/* a file without a name is a value for some */
	if (said->has_filename && said->filename.len == 0 && content.len > 0)
		m->tx->is_doubtful = true;
	if (said->has_filename)
		take_file(m, said, content);
	else
		keep_argument(m, said->name, content);
}

/* Arguments are there when all of the content is good. */
static void
take_arguments(struct multipart *m)
{
	const struct sec_tx *tx = m->tx;

	for (struct form_argument *a = m->arguments; a != NULL; a = a->next) {
		if (tx->many[SEC_VAR_ARGS].n >=
		    tx->set->options.arguments_max) {
			m->tx->is_over = true;
			return;
		}
		sec_vars_argument(m->tx, SEC_VAR_ARGS_POST, a->name, a->value);
	}
}

/* Where the reading of lines stands. */
struct reader {
	struct form_part part;
	bool has_part; /* behind a border */
	bool has_fields; /* all of them */
};

/* A line that is no border. */
static void
take_line(struct multipart *m, struct reader *r, span line)
{
	if (!r->has_part) {
		flag(m, SEC_VAR_MULTIPART_DATA_BEFORE);
	} else if (!r->has_fields) {
		if (read_field(m, &r->part, line, &r->has_fields))
			r->part.content = span_of(m->rest.p, 0);
	} else {
		r->part.content.len += line.len;
	}
}

/* Behind the last border stands what readers leave out (RFC 2046 5.1.1), but for
 * those that go on with the next border. */
static void
take_epilogue(struct multipart *m)
{
	flag(m, SEC_VAR_MULTIPART_DATA_AFTER);
	if (span_find(m->rest, m->border) >= 0)
		m->tx->is_doubtful = true;
}

static void
read_parts(struct multipart *m)
{
	struct reader *r = arena_zalloc(m->tx->a, sizeof(*r));
	enum border border = BORDER_NONE;
	span line;

	while (!m->is_failed && border != BORDER_LAST && next_line(m, &line)) {
		border = line.p[line.len - 1] == '\n' ? border_of(m, line)
						      : border_at_end(m, line);
		if (m->is_failed)
			return;
		if (border == BORDER_NONE) {
			if (line.p[line.len - 1] == '\n')
				take_line(m, r, line);
			continue;
		}
		if (r->has_part)
			end_part(m, &r->part);
		if (m->is_failed)
			return;
		memset(r, 0, sizeof(*r));
		r->has_part = true;
	}
	if (m->is_failed)
		return;
	if (border != BORDER_LAST && m->tx->body.len > 0)
		(void)fault(m, "Multipart: Final boundary missing");
	else if (m->rest.len > 0)
		take_epilogue(m);
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
		flag(m, SEC_VAR_MULTIPART_LF_LINE);
	if (m->has_lf && m->has_crlf)
		flag(m, SEC_VAR_MULTIPART_CRLF_LF_LINES);
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

	m.arguments_end = &m.arguments;
	if (!read_boundary(&m, type))
		(void)fault(&m, "Multipart: Invalid boundary in C-T");
	else
		read_parts(&m);
	if (!m.is_failed)
		take_arguments(&m);
	flag_strict(&m);
}
