/* sec_json: one pass with a stack of bits (object or array); the name of where
 * it stands is one growing text that is cut at its dots. */
#include "worker/sec/sec_json.h"

#include "common/base/check.h"
#include "common/http/chars.h"

/* Bytes of a name; a longer one is refused. */
#define NAME_MAX_LEN 65536u
/* Bytes that are copied for all names: a long key around many short objects is
 * copied for each of them. */
#define NAMES_MAX_BYTES (8u << 20)
#define SHORT_NAME 256u
#define UTF8_MAX 4

struct json {
	const char *p, *end;
	struct arena *a;
	const struct sec_json_sink *sink;
	uint32_t depth_max, depth;
	uint32_t told_depth; /* in so many of these a value was told */
	/* as ModSecurity counts: not an outermost object */
	uint32_t named_depth;
	uint8_t *is_array; /* bit by depth */
	char *prefix;
	size_t prefix_len, prefix_cap;
	bool has_prefix;
	size_t n_named; /* bytes copied for names */
	span key;
	bool has_key;
	const char *wrong;
};

static bool
fail(struct json *j, const char *why)
{
	if (j->wrong == NULL)
		j->wrong = why;
	return false;
}

static void
skip_blanks(struct json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' ||
				    *j->p == '\n' || *j->p == '\r'))
		j->p++;
}

/* --- strings -------------------------------------------------------------- */

static bool
read_unit(const char **p, const char *end, uint32_t *out)
{
	uint32_t v = 0;

	if (end - *p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int d = char_hex((*p)[i]);

		if (d < 0)
			return false;
		v = v * 16 + (uint32_t)d;
	}
	*p += 4;
	*out = v;
	return true;
}

static size_t
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

#define IS_HIGH(c) ((c) >= 0xd800 && (c) < 0xdc00)
#define IS_LOW(c) ((c) >= 0xdc00 && (c) < 0xe000)
#define NO_PARTNER '?' /* of half a surrogate pair, as yajl has it */

/* Behind "\u": one character, which two escapes may make. */
static bool
read_escaped_unit(const char **p, const char *end, uint32_t *out)
{
	const char *more;
	uint32_t low;

	if (!read_unit(p, end, out))
		return false;
	if (IS_LOW(*out)) {
		*out = NO_PARTNER;
		return true;
	}
	if (!IS_HIGH(*out))
		return true;
	more = *p + 2;
	if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' ||
	    !read_unit(&more, end, &low) || !IS_LOW(low)) {
		*out = NO_PARTNER;
		return true;
	}
	*p = more;
	*out = 0x10000 + ((*out & 0x3ff) << 10) + (low & 0x3ff);
	return true;
}

/* The byte of "\n" and its like; 0: there is none. */
static char
escape_byte(char c)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *at = c == '\0' ? NULL : strchr(from, c);

	return at == NULL ? '\0' : to[at - from];
}

/* What stands between the quotes, which has escapes. */
static bool
unescape(struct json *j, span raw, span *out)
{
	char *to = arena_alloc(j->a, raw.len + UTF8_MAX);
	const char *p = raw.p, *end = raw.p + raw.len;
	size_t n = 0;

	while (p < end) {
		uint32_t c;

		if (*p != '\\') {
			to[n++] = *p++;
			continue;
		}
		p++;
		if (*p == 'u') {
			p++;
			if (!read_escaped_unit(&p, end, &c))
				return fail(j, "invalid escape in a string");
			n += put_utf8(to + n, c);
			continue;
		}
		to[n] = escape_byte(*p++);
		if (to[n++] == '\0')
			return fail(j, "invalid escape in a string");
	}
	*out = span_of(to, n);
	return true;
}

static bool
read_string(struct json *j, span *out)
{
	const char *from = ++j->p;
	bool has_escapes = false;
	span raw;

	for (; j->p < j->end && *j->p != '"'; j->p++) {
		span rest = span_of(j->p, (size_t)(j->end - j->p));
		size_t len;

		if ((uint8_t)*j->p < 0x20)
			return fail(j, "control byte in a string");
		len = (uint8_t)*j->p < 0x80 ? 1 : span_utf8_len(rest, 0);
		if (len == 0)
			return fail(j, "invalid UTF-8 in a string");
		if (*j->p == '\\') {
			has_escapes = true;
			len = 2;
		}
		if (len > rest.len)
			return fail(j, "the text ends in a string");
		j->p += len - 1;
	}
	if (j->p >= j->end)
		return fail(j, "the text ends in a string");
	raw = span_of(from, (size_t)(j->p - from));
	j->p++;
	if (has_escapes)
		return unescape(j, raw, out);
	*out = raw;
	return true;
}

/* --- names ---------------------------------------------------------------- */

/* So many bytes of names are to be copied. */
static bool
names_add(struct json *j, size_t bytes)
{
	j->n_named += bytes;
	return j->n_named <= NAMES_MAX_BYTES ||
	       fail(j, "its names are too long");
}

static bool
prefix_put(struct json *j, span s)
{
	if (j->prefix_len + s.len > NAME_MAX_LEN)
		return fail(j, "a name is too long");
	if (!names_add(j, s.len))
		return false;
	if (j->prefix_len + s.len > j->prefix_cap) {
		size_t cap = 2 * (j->prefix_len + s.len) + SHORT_NAME;
		char *p = arena_alloc(j->a, cap);

		if (j->prefix_len > 0)
			memcpy(p, j->prefix, j->prefix_len);
		j->prefix = p;
		j->prefix_cap = cap;
	}
	if (s.len > 0)
		memcpy(j->prefix + j->prefix_len, s.p, s.len);
	j->prefix_len += s.len;
	return true;
}

/* Into the object or array that the present key names. */
static bool
name_enter(struct json *j)
{
	if (j->has_prefix && !prefix_put(j, SPAN_LIT(".")))
		return false;
	j->has_prefix = true;
	return prefix_put(j, j->key);
}

/* Out of it: what was its own name is the present key again, of an object. */
static bool
name_leave(struct json *j, bool keeps_key)
{
	ptrdiff_t dot;
	span own;

	if (!j->has_prefix)
		return true;
	dot = span_rchr(span_of(j->prefix, j->prefix_len), '.');
	if (!keeps_key) {
		own = span_from(
		    span_of(j->prefix, j->prefix_len), (size_t)(dot + 1));
		if (!names_add(j, own.len))
			return false;
		j->key = arena_span(j->a, own);
		j->has_key = true;
	}
	j->has_prefix = dot >= 0;
	j->prefix_len = dot >= 0 ? (size_t)dot : 0;
	if (j->named_depth > 0)
		j->named_depth--;
	return true;
}

static bool
tell(struct json *j, span value)
{
	const span parts[] = {
	    span_of(j->prefix, j->prefix_len), SPAN_LIT("."), j->key};
	span name = j->key;

	j->told_depth = j->depth;
	if (j->has_prefix) {
		if (!names_add(j, j->prefix_len + 1 + j->key.len))
			return false;
		name = arena_concat(j->a, parts, NELEMS(parts));
	}
	return j->sink->value(j->sink->self, name, value) ||
	       fail(j, "too many values");
}

/* --- values --------------------------------------------------------------- */

static bool
is_digit_at(const struct json *j)
{
	return j->p < j->end && *j->p >= '0' && *j->p <= '9';
}

static void
skip_digits(struct json *j)
{
	while (is_digit_at(j))
		j->p++;
}

static bool
read_number(struct json *j)
{
	const char *from = j->p;

	if (*j->p == '-')
		j->p++;
	if (!is_digit_at(j))
		return fail(j, "invalid number");
	if (*j->p == '0')
		j->p++;
	else
		skip_digits(j);
	if (j->p < j->end && *j->p == '.') {
		j->p++;
		if (!is_digit_at(j))
			return fail(j, "invalid number");
		skip_digits(j);
	}
	if (j->p < j->end && ascii_lower(*j->p) == 'e') {
		j->p++;
		if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
			j->p++;
		if (!is_digit_at(j))
			return fail(j, "invalid number");
		skip_digits(j);
	}
	return tell(j, span_of(from, (size_t)(j->p - from)));
}

static bool
read_word(struct json *j)
{
	static const span words[] = {
	    SPAN_LIT("true"), SPAN_LIT("false"), SPAN_LIT("null")};
	span rest = span_of(j->p, (size_t)(j->end - j->p));

	for (size_t i = 0; i < NELEMS(words); i++) {
		if (!span_starts(rest, words[i]))
			continue;
		j->p += words[i].len;
		return tell(j, words[i].p[0] == 'n' ? (span){0} : words[i]);
	}
	return fail(j, "invalid word");
}

static bool
enter(struct json *j, bool is_array)
{
	if (j->depth >= SEC_JSON_DEPTH_MAX)
		return fail(j, "JSON depth limit exceeded");
	if (is_array && !j->has_key && !j->has_prefix) {
		j->key = SPAN_LIT("array");
		j->has_key = true;
	}
	if (j->has_key) {
		if (!name_enter(j))
			return false;
		if (++j->named_depth > j->depth_max)
			return fail(j, "JSON depth limit exceeded");
	}
	if (is_array)
		j->is_array[j->depth / 8] |= (uint8_t)(1 << j->depth % 8);
	else
		j->is_array[j->depth / 8] &= (uint8_t) ~(1 << j->depth % 8);
	j->depth++;
	j->p++;
	return true;
}

static bool
is_array_at(const struct json *j, uint32_t depth)
{
	return (j->is_array[depth / 8] >> depth % 8 & 1) != 0;
}

static bool
in_array(const struct json *j)
{
	return is_array_at(j, j->depth - 1);
}

/* What has no value in it is told as null is, by its key, which rules would not
 * see otherwise. */
static bool
tell_empty(struct json *j)
{
	span name = span_of(j->prefix, j->prefix_len);

	if (j->depth <= j->told_depth || j->depth < 2 ||
	    is_array_at(j, j->depth - 2) || !j->has_prefix)
		return true;
	j->told_depth = j->depth - 1;
	return names_add(j, name.len) &&
	       (j->sink->value(
		    j->sink->self, arena_span(j->a, name), (span){0}) ||
		   fail(j, "too many values"));
}

static bool
leave(struct json *j)
{
	if (!tell_empty(j) || !name_leave(j, in_array(j)))
		return false;
	j->depth--;
	if (j->told_depth > j->depth)
		j->told_depth = j->depth;
	j->p++;
	return true;
}

static bool
read_key(struct json *j)
{
	skip_blanks(j);
	if (j->p == j->end || *j->p != '"')
		return fail(j, "a key is missing");
	if (!read_string(j, &j->key))
		return false;
	j->has_key = true;
	skip_blanks(j);
	if (j->p == j->end || *j->p != ':')
		return fail(j, "a colon is missing");
	j->p++;
	return true;
}

/* A value without what is in it. *is_open: an object or array was entered. */
static bool
read_value(struct json *j, bool *is_open)
{
	span text;

	*is_open = false;
	skip_blanks(j);
	if (j->p == j->end)
		return fail(j, "the text ends early");
	switch (*j->p) {
	case '{':
	case '[':
		*is_open = true;
		return enter(j, *j->p == '[');
	case '"':
		return read_string(j, &text) && tell(j, text);
	case 't':
	case 'f':
	case 'n':
		return read_word(j);
	default:
		return read_number(j);
	}
}

/* Behind a value: ends of what it is in, then a comma, or the end of all.
 * *is_done: nothing is open any more. */
static bool
read_ends(struct json *j, bool *is_done)
{
	for (;;) {
		skip_blanks(j);
		*is_done = j->depth == 0;
		if (*is_done)
			return j->p == j->end || fail(j, "trailing garbage");
		if (j->p == j->end)
			return fail(j, "the text ends early");
		if (*j->p == ',') {
			j->p++;
			return in_array(j) || read_key(j);
		}
		if (*j->p != (in_array(j) ? ']' : '}'))
			return fail(j, "a comma or an end is missing");
		if (!leave(j))
			return false;
	}
}

/* Just behind an opening: nothing in it, or the first value. */
static bool
read_first(struct json *j, bool *is_empty)
{
	skip_blanks(j);
	*is_empty = j->p < j->end && *j->p == (in_array(j) ? ']' : '}');
	return *is_empty ? leave(j) : in_array(j) || read_key(j);
}

static bool
read_document(struct json *j)
{
	bool is_done = false;

	while (!is_done) {
		bool is_open, is_empty;

		if (!read_value(j, &is_open))
			return false;
		if (is_open) {
			if (!read_first(j, &is_empty))
				return false;
			if (!is_empty)
				continue;
		}
		if (!read_ends(j, &is_done))
			return false;
	}
	return true;
}

const char *
sec_json_read(span text, uint32_t depth, struct arena *a,
    const struct sec_json_sink *sink)
{
	struct json j = {.p = text.p,
	    .end = text.p + text.len,
	    .a = a,
	    .sink = sink,
	    .depth_max = depth};

	j.is_array = arena_zalloc(a, SEC_JSON_DEPTH_MAX / 8 + 1);
	return read_document(&j) ? NULL : j.wrong;
}
