/* sec_xss: detectXSS. A text is read as what it would be in a page: as its
 * content, and as the end of an attribute's value, without quotes and in each
 * kind of them. It is an attack when something in it runs: a tag that does, an
 * attribute for an event, the address of a script. */
#include "common/base/check.h"
#include "common/http/chars.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_scan.h"

/* Bytes of an address that say which kind it is. */
#define SCHEME_MAX 48

enum tag_kind { TAG_PLAIN, TAG_ALWAYS, TAG_WITH, TAG_STYLE };

static const struct {
	span name;
	enum tag_kind kind;
} tags[] = {
#define XSS_TAG(name, kind) {{name, sizeof(name) - 1}, TAG_##kind},
#define XSS_EVENT(name)
#include "worker/sec/sec_xss.def"
#undef XSS_TAG
#undef XSS_EVENT
};

static const span events[] = {
#define XSS_TAG(name, kind)
#define XSS_EVENT(name) {name, sizeof(name) - 1},
#include "worker/sec/sec_xss.def"
#undef XSS_TAG
#undef XSS_EVENT
};

static bool
is_white(char c)
{
	return sec_white(c) || c == '\0';
}

static bool
is_letter(char c)
{
	return (uint8_t)((c | 0x20) - 'a') <= 'z' - 'a';
}

static char
at(span s, size_t i)
{
	return i < s.len ? s.p[i] : '\0';
}

/* The text from `i` on begins with this, without case. */
static bool
begins(span s, size_t i, span what)
{
	return i <= s.len &&
	       span_ieq(span_first(span_from(s, i), what.len), what);
}

static bool
contains(span s, span what)
{
	for (size_t i = 0; i + what.len <= s.len; i++) {
		if (begins(s, i, what))
			return true;
	}
	return false;
}

/* --- addresses ------------------------------------------------------------ */

struct entity {
	span name; /* with its semicolon */
	char c;
};

/* The character at s.p[*i], which may be written as an entity; *i is moved
 * behind it. */
static char
decoded(span s, size_t *i)
{
	static const struct entity names[] = {{{"&colon;", 7}, ':'},
	    {{"&tab;", 5}, '\t'}, {{"&newline;", 9}, '\n'},
	    {{"&lpar;", 6}, '('}, {{"&amp;", 5}, '&'}};
	size_t from = *i + 2;
	unsigned base = 10;
	unsigned code = 0;

	if (s.p[*i] != '&')
		return s.p[(*i)++];
	for (size_t k = 0; k < NELEMS(names); k++) {
		if (begins(s, *i, names[k].name)) {
			*i += names[k].name.len;
			return names[k].c;
		}
	}
	if (at(s, *i + 1) != '#')
		return s.p[(*i)++];
	if (ascii_lower(at(s, from)) == 'x') {
		base = 16;
		from++;
	}
	*i = from;
	while (char_is(at(s, *i), CHAR_HEX) &&
	       (base == 16 || char_is_digit(s.p[*i]))) {
		code = (code * base + (unsigned)char_hex(s.p[*i])) & 0xffffff;
		(*i)++;
	}
	*i += at(s, *i) == ';';
	return code < 0x80 ? (char)code : '\x7f';
}

/* How an address begins: in small letters, without the white space and control
 * bytes that browsers pass over. */
static span
scheme_of(span value, char room[SCHEME_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < value.len && n < SCHEME_MAX;) {
		char c = decoded(value, &i);

		if ((uint8_t)c > ' ' && c != '\x7f')
			room[n++] = ascii_lower(c);
	}
	return span_of(room, n);
}

/* data: is harmless where it is a picture, a sound, a film or a font. */
static bool
is_script_data(span scheme)
{
	static const span harmless[] = {
	    {"image/", 6}, {"audio/", 6}, {"video/", 6}, {"font/", 5}};
	span type = span_from(scheme, sizeof("data:") - 1);

	if (span_starts(type, SPAN_LIT("image/svg")))
		return true;
	for (size_t i = 0; i < NELEMS(harmless); i++) {
		if (span_starts(type, harmless[i]))
			return false;
	}
	return true;
}

static bool
is_script_address(span value)
{
	char room[SCHEME_MAX];
	span scheme = scheme_of(value, room);

	if (span_starts(scheme, SPAN_LIT("javascript:")) ||
	    span_starts(scheme, SPAN_LIT("vbscript:")) ||
	    span_starts(scheme, SPAN_LIT("view-source:")))
		return true;
	return span_starts(scheme, SPAN_LIT("data:")) && is_script_data(scheme);
}

/* What styles can run, in the browsers that did. */
static bool
is_script_style(span value)
{
	static const span bad[] = {{"expression", 10}, {"javascript", 10},
	    {"vbscript", 8}, {"@import", 7}, {"behavior:", 9},
	    {"-moz-binding", 12}, {"url(data:", 9}};

	for (size_t i = 0; i < NELEMS(bad); i++) {
		if (contains(value, bad[i]))
			return true;
	}
	return false;
}

/* --- attributes ----------------------------------------------------------- */

struct attribute {
	span name;
	span value;
	bool has_value;
};

static bool
is_event_name(span name)
{
	span rest = span_from(name, 2);

	for (size_t i = 0; i < NELEMS(events); i++) {
		if (span_ieq(rest, events[i]))
			return true;
	}
	return false;
}

/* Anything that can be a statement: a call, an assignment, a template. */
static bool
looks_run(span value)
{
	return sec_chr(value, 0, '(') < value.len ||
	       sec_chr(value, 0, '`') < value.len ||
	       sec_chr(value, 0, '=') < value.len ||
	       contains(value, SPAN_LIT("&lpar")) ||
	       contains(value, SPAN_LIT("&#"));
}

/* Inside of a tag each "on..." is an event that some browser may know; where
 * the tag is not in the text, it must be known, and run something. */
static bool
is_event(const struct attribute *a, bool is_in_tag)
{
	if (a->name.len < sizeof("onend") - 1 ||
	    !begins(a->name, 0, SPAN_LIT("on")))
		return false;
	for (size_t i = 2; i < a->name.len; i++) {
		if (!is_letter(a->name.p[i]))
			return false;
	}
	if (is_in_tag)
		return true;
	return looks_run(a->value) &&
	       (is_event_name(a->name) || a->value.p[a->value.len - 1] == ')');
}

static bool
is_bad_attribute(const struct attribute *a, bool is_in_tag)
{
	if (!a->has_value)
		return false;
	if (is_event(a, is_in_tag))
		return true;
	if (span_ieq(a->name, SPAN_LIT("style")))
		return is_script_style(a->value);
	if (span_ieq(a->name, SPAN_LIT("srcdoc")))
		return is_in_tag || sec_chr(a->value, 0, '<') < a->value.len;
	if (!is_in_tag && !span_ieq(a->name, SPAN_LIT("href")) &&
	    !span_ieq(a->name, SPAN_LIT("src")) &&
	    !span_iends(a->name, SPAN_LIT("action")))
		return false;
	return is_script_address(a->value);
}

/* The value behind "=" at *i. */
static span
read_value(span s, size_t *i)
{
	char quote = at(s, *i);
	size_t begin = *i + 1;
	size_t end;

	if (quote == '"' || quote == '\'' || quote == '`') {
		end = sec_chr(s, begin < s.len ? begin : s.len, quote);
		*i = end < s.len ? end + 1 : end;
		return begin < s.len ? span_of(s.p + begin, end - begin)
				     : span_of(s.p, 0);
	}
	begin = *i;
	while (*i < s.len && !is_white(s.p[*i]) && s.p[*i] != '>')
		(*i)++;
	return span_of(s.p + begin, *i - begin);
}

/* The next attribute at *i. false: the tag ends, *i is behind its bracket. */
static bool
next_attribute(span s, size_t *i, struct attribute *a)
{
	size_t begin;
	size_t after;

	*a = (struct attribute){.has_value = false};
	while (is_white(at(s, *i)) || at(s, *i) == '/') {
		if (*i >= s.len)
			return false;
		(*i)++;
	}
	if (*i >= s.len)
		return false;
	if (s.p[*i] == '>') {
		(*i)++;
		return false;
	}
	begin = (*i)++;
	while (*i < s.len && !is_white(s.p[*i]) && s.p[*i] != '=' &&
	       s.p[*i] != '>' && s.p[*i] != '/')
		(*i)++;
	a->name = span_of(s.p + begin, *i - begin);
	for (after = *i; after < s.len && is_white(s.p[after]);)
		after++;
	if (at(s, after) != '=')
		return true;
	for (after++; after < s.len && is_white(s.p[after]);)
		after++;
	*i = after;
	a->value = read_value(s, i);
	a->has_value = a->value.len > 0;
	return true;
}

/* Pass over attributes that have no value: *i is put where the next one with a
 * value begins. false: none is left in the tag, *i is behind its bracket. */
static bool
skip_bare(span s, size_t *i)
{
	size_t begin = *i;
	size_t equals = sec_chr(s, begin, '=');
	size_t close = sec_chr(span_first(s, equals), begin, '>');

	if (close < equals) {
		*i = close + 1;
		return false;
	}
	*i = equals;
	if (equals == s.len)
		return false;
	while (*i > begin && is_white(s.p[*i - 1]))
		(*i)--;
	while (*i > begin && !is_white(s.p[*i - 1]) && s.p[*i - 1] != '/')
		(*i)--;
	return true;
}

/* Attributes from *i on as far as the tag goes. */
static bool
has_bad_attribute(span s, size_t *i, bool is_in_tag, unsigned *n_values)
{
	struct attribute a;

	*n_values = 0;
	while (skip_bare(s, i) && next_attribute(s, i, &a)) {
		if (is_bad_attribute(&a, is_in_tag))
			return true;
		*n_values += a.has_value;
	}
	return false;
}

/* --- content -------------------------------------------------------------- */

static enum tag_kind
kind_of(span name)
{
	ptrdiff_t colon = span_rchr(name, ':');

	/* whatever a namespace is called */
	if (colon >= 0)
		name = span_from(name, (size_t)colon + 1);
	for (size_t i = 0; i < NELEMS(tags); i++) {
		if (span_ieq(name, tags[i].name))
			return tags[i].kind;
	}
	return TAG_PLAIN;
}

/* A tag whose name begins at *i. */
static bool
is_bad_tag(span s, size_t *i)
{
	size_t begin = *i;
	enum tag_kind kind;
	unsigned n_values;

	while (*i < s.len && !is_white(s.p[*i]) && s.p[*i] != '/' &&
	       s.p[*i] != '>')
		(*i)++;
	kind = kind_of(span_of(s.p + begin, *i - begin));
	if (kind == TAG_ALWAYS)
		return true;
	if (has_bad_attribute(s, i, true, &n_values))
		return true;
	if (kind == TAG_WITH)
		return n_values > 0;
	begin = *i;
	return kind == TAG_STYLE && is_script_style(span_of(s.p + begin,
					sec_chr(s, begin, '<') - begin));
}

/* What begins with "<!" or "<?" at *i, which is moved behind a comment. */
static bool
is_bad_markup(span s, size_t *i)
{
	static const span bad[] = {{"!entity", 7}, {"!--[if", 6},
	    {"?import", 7}, {"?xml-stylesheet", 15}};
	size_t begin = *i;

	for (size_t k = 0; k < NELEMS(bad); k++) {
		if (begins(s, begin, bad[k]))
			return true;
	}
	if (!begins(s, begin, SPAN_LIT("!--")))
		return false;
	*i = sec_chr(s, begin, '>');
	/* which some browser takes for a quote */
	return sec_chr(span_first(s, *i), begin, '`') < *i;
}

static bool
is_bad_content(span s, size_t i)
{
	while ((i = sec_chr(s, i, '<')) < s.len) {
		char c = at(s, ++i);

		if (is_letter(c) && is_bad_tag(s, &i))
			return true;
		if ((c == '!' || c == '?') && is_bad_markup(s, &i))
			return true;
	}
	return false;
}

/* The text from i on, behind the value of an attribute. */
static bool
is_bad_rest(span s, size_t i)
{
	unsigned n_values;

	return has_bad_attribute(s, &i, false, &n_values);
}

/* The first place where a value without quotes may end. */
static size_t
bare_end(span s)
{
	size_t i = 0;

	while (i < s.len && !is_white(s.p[i]) && s.p[i] != '/')
		i++;
	return i;
}

bool
sec_xss_find(span text)
{
	static const char quotes[] = {'"', '\'', '`'};

	if (is_bad_content(text, 0))
		return true;
	/* without a value there is no attribute */
	if (sec_chr(text, 0, '=') == text.len)
		return false;
	if (is_bad_rest(text, 0) || is_bad_rest(text, bare_end(text)))
		return true;
	for (size_t k = 0; k < sizeof(quotes); k++) {
		size_t i = sec_chr(text, 0, quotes[k]);

		if (i < text.len && is_bad_rest(text, i + 1))
			return true;
	}
	return false;
}
