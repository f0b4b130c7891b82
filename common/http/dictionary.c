/* http/dictionary: fields of Compression Dictionary Transport (RFC 9842). */
#include "common/http/dictionary.h"

#include <string.h>

#include "common/base/base64.h"
#include "common/http/sf.h"

/* RFC 9842 2.1.3 */
#define ID_MAX 1024u

/* --- Use-As-Dictionary ---------------------------------------------------- */

/* One member. false: the field is malformed, or speaks of what is not known. */
static bool
offer_take(const struct sf_member *m, span *match)
{
	if (span_eq(m->key, SPAN_LIT("match"))) {
		*match = m->text;
		return m->type == SF_STRING;
	}
	/* who it is for, and how it is called, is for clients */
	if (span_eq(m->key, SPAN_LIT("match-dest")))
		return m->type == SF_INNER_LIST;
	if (span_eq(m->key, SPAN_LIT("id")))
		return m->type == SF_STRING && m->text.len <= ID_MAX;
	if (span_eq(m->key, SPAN_LIT("type")))
		return m->type == SF_TOKEN && span_eq(m->text, SPAN_LIT("raw"));
	return true;
}

static bool
offer_read(const struct http_fields *resp, struct arena *a, span *match)
{
	struct sf_member m;
	struct sf_dict d;
	enum sf_rc rc;

	*match = span_of(NULL, 0);
	if (fields_find(resp, FIELD_USE_AS_DICTIONARY) == NULL)
		return false;
	sf_dict_init(&d, fields_joined(resp, FIELD_USE_AS_DICTIONARY, a));
	while ((rc = sf_dict_next(&d, &m)) == SF_OK)
		if (!offer_take(&m, match))
			return false;
	return rc == SF_END && match->len > 0;
}

/* --- patterns ------------------------------------------------------------- */

/* Whether all of it is text, stars, and at most one '?' that begins a query:
 * behind a star it would be a modifier. */
static bool
pattern_is_simple(span p)
{
	bool has_query = false;

	for (size_t i = 0; i < p.len; i++) {
		char c = p.p[i];

		if (c <= ' ' || c > '~' || strchr("{}()[]:+\\#", c) != NULL)
			return false;
		if (c != '?')
			continue;
		if (has_query || (i > 0 && p.p[i - 1] == '*'))
			return false;
		has_query = true;
	}
	return true;
}

/* Whether a path has segments that a reader of URLs takes out. */
static bool
pattern_has_dots(span path)
{
	span segment;

	while (span_cut(&path, '/', &segment))
		if (span_eq(segment, SPAN_LIT(".")) ||
		    span_eq(segment, SPAN_LIT("..")))
			return true;
	return false;
}

bool
dictionary_is_pattern(span path)
{
	return path.len > 0 && path.len <= DICTIONARY_PATTERN_MAX &&
	       path.p[0] == '/' && !span_starts(path, SPAN_LIT("//")) &&
	       span_chr(path, '"') < 0 && pattern_is_simple(path) &&
	       !pattern_has_dots(span_before(path, '?'));
}

/* What stands before a relative pattern: its own path, when only a query is
 * told, or the folder it is in. */
static span
pattern_base(span p, span path)
{
	if (p.p[0] == '?')
		return path;
	return span_first(path, (size_t)(span_rchr(path, '/') + 1));
}

bool
dictionary_pattern(const struct http_fields *resp,
    const struct dictionary_place *at, struct arena *a, span *out)
{
	span parts[2] = {SPAN_LIT(""), SPAN_LIT("")};
	span p;

	if (!offer_read(resp, a, &p))
		return false;
	if (span_find(p, SPAN_LIT("://")) >= 0) {
		if (!span_starts(p, at->origin))
			return false;
		p = span_from(p, at->origin.len);
		if (p.len == 0 || p.p[0] != '/')
			return false;
	}
	if (!pattern_is_simple(p) || span_starts(p, SPAN_LIT("//")))
		return false;
	if (p.p[0] != '/')
		parts[0] = pattern_base(p, at->path);
	/* a star in the URL itself is text */
	if (span_chr(parts[0], '*') >= 0 ||
	    parts[0].len + p.len > DICTIONARY_PATTERN_MAX)
		return false;
	parts[1] = p;
	*out = arena_concat(a, parts, 2);
	return out->p[0] == '/' && !pattern_has_dots(span_before(*out, '?'));
}

/* The text between stars is found at the first place that it fits: what follows
 * has then the most room. */
static bool
pattern_matches(span pattern, span s)
{
	ptrdiff_t star = span_chr(pattern, '*');
	span text;

	if (star < 0)
		return span_eq(pattern, s);
	text = span_first(pattern, (size_t)star);
	if (!span_starts(s, text))
		return false;
	s = span_from(s, text.len);
	pattern = span_from(pattern, (size_t)star + 1);
	while ((star = span_chr(pattern, '*')) >= 0) {
		ptrdiff_t at;

		text = span_first(pattern, (size_t)star);
		at = span_find(s, text);
		if (at < 0)
			return false;
		s = span_from(s, (size_t)at + text.len);
		pattern = span_from(pattern, (size_t)star + 1);
	}
	return span_ends(s, pattern);
}

bool
dictionary_fits(span pattern, span path, span query)
{
	span own = span_before(pattern, '?');

	return pattern_matches(own, path) &&
	       (own.len == pattern.len ||
		   pattern_matches(span_from(pattern, own.len + 1), query));
}

/* --- Available-Dictionary ------------------------------------------------- */

bool
dictionary_named(
    const struct http_fields *req, unsigned char out[DICTIONARY_HASH_LEN])
{
	const struct http_field *f =
	    fields_find(req, FIELD_AVAILABLE_DICTIONARY);
	char bytes[BASE64_BYTES(BASE64_CHARS(DICTIONARY_HASH_LEN))];
	struct sf_member m;
	size_t len;

	if (f == NULL || fields_next(req, f) != NULL ||
	    !sf_item_read(f->value, &m) || m.type != SF_BYTES ||
	    m.text.len != BASE64_CHARS(DICTIONARY_HASH_LEN) ||
	    !base64_read(m.text, bytes, &len) || len != DICTIONARY_HASH_LEN)
		return false;
	memcpy(out, bytes, DICTIONARY_HASH_LEN);
	return true;
}
