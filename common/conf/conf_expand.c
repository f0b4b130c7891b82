/* conf/conf_expand: ${VAR} and ${VAR:-default} from the environment, $${ for
 * the bare text. Remembers where each byte came from, so that messages point
 * into the file. What comes from the environment is judged like the file's own
 * bytes. */
#include "common/conf/conf_int.h"

#include <stdlib.h>

/* Longest name of a variable. */
#define VAR_LEN_MAX 255

struct expander {
	struct conf_reader *r;
	span raw;
	struct place at;
	size_t len; /* bytes in scratch */
	bool is_failed;
};

static void
fail_at(struct expander *e, size_t off, size_t len, const char *what, span name)
{
	struct place at = e->at;

	at.col = (uint16_t)(at.col + off);
	at.len = (uint16_t)len;
	if (name.len > 0)
		diag_error(e->r->d, at, "${%.*s}: %s",
		    SPAN_FMT(conf_brief(name)), what);
	else
		diag_error(e->r->d, at, "%s", what);
	e->is_failed = true;
}

/* Add a text whose bytes came from raw offset `off` on; `step` 1 when byte by
 * byte, 0 when all from there. */
static void
emit(struct expander *e, span s, size_t off, size_t step)
{
	if (s.len > CONF_LINE_MAX - e->len) {
		if (!e->is_failed)
			fail_at(e, off, 1, "the value becomes too long",
			    span_of(NULL, 0));
		return;
	}
	for (size_t i = 0; i < s.len; i++) {
		e->r->scratch_map[e->len] = (uint16_t)(off + i * step);
		e->r->scratch[e->len++] = s.p[i];
	}
}

/* Offset of the '}' that closes the '{' before `from`, or raw.len. */
static size_t
find_close(span raw, size_t from)
{
	uint32_t depth = 0;

	for (size_t i = from; i < raw.len; i++) {
		if (raw.p[i] == '{')
			depth++;
		else if (raw.p[i] == '}' && depth-- == 0)
			return i;
	}
	return raw.len;
}

static bool
is_var_name(span s)
{
	if (s.len == 0 || s.len > VAR_LEN_MAX ||
	    (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (c != '_' && !(c >= 'a' && c <= 'z') &&
		    !(c >= '0' && c <= '9'))
			return false;
	}
	return true;
}

static const char *
lookup(span name)
{
	char text[VAR_LEN_MAX + 1];

	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return getenv(text);
}

/* `${...}` at raw offset `off`; returns the offset behind it. */
static size_t
expand_one(struct expander *e, size_t off)
{
	size_t end = find_close(e->raw, off + 2);
	span name = span_of(e->raw.p + off + 2, end - off - 2);
	span deflt = {NULL, 0};
	bool has_default = false;
	const char *value;
	const char *why;
	size_t bad_len;
	ptrdiff_t colon = span_find(name, SPAN_LIT(":-"));

	if (end == e->raw.len) {
		fail_at(e, off, 2, "'}' is missing; $${ stands for a bare ${",
		    span_of(NULL, 0));
		return end;
	}
	if (colon >= 0) {
		has_default = true;
		deflt = span_from(name, (size_t)colon + 2);
		name = span_first(name, (size_t)colon);
	}
	end++;
	if (!is_var_name(name)) {
		fail_at(e, off, end - off,
		    "the name of a variable is made of letters, digits and "
		    "'_'; $${ stands for a bare ${",
		    span_of(NULL, 0));
		return end;
	}
	if (span_find(deflt, SPAN_LIT("${")) >= 0) {
		fail_at(e, off, end - off, "a default cannot hold another ${",
		    name);
		return end;
	}
	value = lookup(name);
	if (has_default && (value == NULL || value[0] == '\0'))
		emit(e, deflt, (size_t)(deflt.p - e->raw.p), 1);
	else if (value == NULL)
		fail_at(e, off, end - off,
		    "the variable is not set; ${NAME:-text} gives a default",
		    name);
	else if (conf_bytes_check(span_str(value), &why, &bad_len) >= 0)
		fail_at(e, off, end - off,
		    "the variable's value holds bytes "
		    "that no configuration may hold",
		    name);
	else
		emit(e, span_str(value), off, 0);
	return end;
}

bool
conf_expand(
    struct conf_reader *r, span raw, struct place at, struct conf_expanded *out)
{
	struct expander e = {.r = r, .raw = raw, .at = at};
	struct arena *a = &r->tree->arena;
	uint16_t *map;

	out->map = NULL;
	if (span_find(raw, SPAN_LIT("${")) < 0) {
		out->text = arena_span(a, raw);
		return true;
	}
	for (size_t i = 0; i < raw.len;) {
		span rest = span_from(raw, i);

		if (span_starts(rest, SPAN_LIT("$${"))) {
			emit(&e, SPAN_LIT("${"), i + 1, 1);
			i += 3;
		} else if (span_starts(rest, SPAN_LIT("${"))) {
			i = expand_one(&e, i);
		} else {
			emit(&e, span_first(rest, 1), i, 1);
			i++;
		}
	}
	map = arena_alloc(a, (e.len + 1) * sizeof(*map));
	memcpy(map, r->scratch_map, e.len * sizeof(*map));
	map[e.len] = (uint16_t)raw.len;
	out->text = arena_span(a, span_of(r->scratch, e.len));
	out->map = map;
	return !e.is_failed;
}

struct place
conf_expanded_place(
    const struct conf_expanded *e, struct place at, size_t off, size_t len)
{
	size_t from = off;
	size_t to = off + len;

	if (e->map != NULL) {
		from = e->map[off];
		to = e->map[to];
	}
	at.col = (uint16_t)(at.col + from);
	at.len = (uint16_t)(to > from ? to - from : 1);
	return at;
}
