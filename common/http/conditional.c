/* http/conditional: RFC 9110 13 for one that stores answers and makes none. */
#include "common/http/conditional.h"

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/http/chars.h"
#include "common/http/freshness.h"

/* Fields that describe content have names that begin so (RFC 9110 8). */
#define CONTENT_PREFIX "content-"

/* --- entity tags ---------------------------------------------------------- */

/* Bytes of the tag that `s` begins with; 0: with none. */
static size_t
tag_len(span s, bool *is_weak)
{
	size_t at = 0;

	*is_weak = span_starts(s, SPAN_LIT("W/"));
	if (*is_weak)
		at = 2;
	if (at >= s.len || s.p[at] != '"')
		return 0;
	for (at++; at < s.len; at++) {
		uint8_t c = (uint8_t)s.p[at];

		if (c == '"')
			return at + 1;
		if (c <= ' ' || c == 0x7f)
			return 0;
	}
	return 0;
}

static bool
take_tag(span *s, struct etag *out)
{
	size_t len = tag_len(*s, &out->is_weak);

	if (len == 0)
		return false;
	out->opaque = span_from(span_first(*s, len), out->is_weak ? 2 : 0);
	*s = span_from(*s, len);
	return true;
}

bool
etag_parse(span s, struct etag *out)
{
	return take_tag(&s, out) && s.len == 0;
}

static void
skip_blanks(span *s)
{
	while (s->len > 0 && char_is_blank(s->p[0]))
		*s = span_from(*s, 1);
}

bool
etag_next(span *rest, struct etag *out)
{
	skip_blanks(rest);
	while (rest->len > 0 && rest->p[0] == ',') {
		*rest = span_from(*rest, 1);
		skip_blanks(rest);
	}
	if (take_tag(rest, out)) {
		skip_blanks(rest);
		if (rest->len == 0 || rest->p[0] == ',')
			return true;
	}
	*rest = span_of(NULL, 0);
	return false;
}

bool
etag_is_strong_match(const struct etag *a, const struct etag *b)
{
	return !a->is_weak && !b->is_weak && span_eq(a->opaque, b->opaque);
}

bool
etag_is_weak_match(const struct etag *a, const struct etag *b)
{
	return span_eq(a->opaque, b->opaque);
}

/* --- validators ----------------------------------------------------------- */

void
validators_read(
    const struct http_fields *f, int64_t received_s, struct validators *out)
{
	const struct http_field *fld = fields_find(f, FIELD_ETAG);

	*out = (struct validators){.date_s = received_s};
	out->has_date = freshness_date(f, FIELD_DATE, received_s, &out->date_s);
	out->has_etag = fld != NULL && fields_next(f, fld) == NULL &&
			etag_parse(fld->value, &out->etag);
	out->has_modified = freshness_date(
	    f, FIELD_LAST_MODIFIED, received_s, &out->modified_s);
	if (out->has_modified)
		out->modified = fields_find(f, FIELD_LAST_MODIFIED)->value;
}

bool
validators_are_strong(const struct validators *v)
{
	return v->has_modified && v->has_date && v->modified_s < v->date_s;
}

bool
validators_same_bytes(const struct validators *a, const struct validators *b)
{
	if (a->has_etag || b->has_etag)
		return a->has_etag && b->has_etag &&
		       etag_is_strong_match(&a->etag, &b->etag);
	return validators_are_strong(a) && validators_are_strong(b) &&
	       a->modified_s == b->modified_s;
}

/* --- conditions of clients ------------------------------------------------ */

/* RFC 9110 13.1.2, weak comparison; only the first thing that is no tag ends
 * the list, what was before it counts. */
static bool
is_none_matched(const struct http_fields *req, const struct http_field *fld,
    const struct validators *v)
{
	for (; fld != NULL; fld = fields_next(req, fld)) {
		span rest = fld->value;
		struct etag tag;

		if (span_eq(rest, SPAN_LIT("*")))
			return true;
		while (etag_next(&rest, &tag))
			if (v->has_etag && etag_is_weak_match(&tag, &v->etag))
				return true;
	}
	return false;
}

/* RFC 9110 13.1.3 and RFC 9111 4.3.2 */
static bool
is_unmodified(
    const struct http_fields *req, const struct validators *v, int64_t now_s)
{
	const struct http_field *fld =
	    fields_find(req, FIELD_IF_MODIFIED_SINCE);
	int64_t since_s;

	if (fld == NULL || fields_next(req, fld) != NULL ||
	    !date_parse_http(fld->value, now_s, &since_s))
		return false;
	return (v->has_modified ? v->modified_s : v->date_s) <= since_s;
}

enum condition
condition_judge(const struct http_msg *req, unsigned stored_status,
    const struct validators *v, int64_t now_s)
{
	const struct http_fields *f = &req->fields;
	const struct http_field *none;
	bool is_matched;

	if (fields_find(f, FIELD_IF_MATCH) != NULL ||
	    fields_find(f, FIELD_IF_UNMODIFIED_SINCE) != NULL)
		return CONDITION_FORWARD;
	if ((req->method != METHOD_GET && req->method != METHOD_HEAD) ||
	    v == NULL || stored_status < 200 || stored_status > 299)
		return CONDITION_NONE;
	none = fields_find(f, FIELD_IF_NONE_MATCH);
	is_matched = none != NULL ? is_none_matched(f, none, v)
				  : is_unmodified(f, v, now_s);
	return is_matched ? CONDITION_NOT_MODIFIED : CONDITION_NONE;
}

bool
condition_allows_range(
    const struct http_fields *req, const struct validators *v)
{
	const struct http_field *fld = fields_find(req, FIELD_IF_RANGE);
	struct etag tag;
	int64_t date_s;

	if (fld == NULL)
		return true;
	if (fields_next(req, fld) != NULL)
		return false;
	if (etag_parse(fld->value, &tag))
		return v->has_etag && etag_is_strong_match(&tag, &v->etag);
	return date_parse_http(fld->value, v->date_s, &date_s) &&
	       validators_are_strong(v) && date_s == v->modified_s;
}

bool
condition_keeps_in_304(
    const struct http_fields *stored, const struct http_field *fld)
{
	unsigned flags = field_flags(fld->id);

	if (fld->id == FIELD_LAST_MODIFIED)
		return fields_find(stored, FIELD_ETAG) == NULL;
	if (fld->id == FIELD_OTHER)
		return !span_ieq(
		    span_first(fld->name, sizeof(CONTENT_PREFIX) - 1),
		    SPAN_LIT(CONTENT_PREFIX));
	return (flags & (FIELD_F_HOP | FIELD_F_METADATA)) == 0;
}

/* --- conditions of the cache ---------------------------------------------- */

static span
join_tags(const struct validators *stored, size_t n, struct arena *a)
{
	span parts[3 * CONDITION_TAGS_MAX];
	size_t n_parts = 0;
	size_t n_tags = 0;

	for (size_t i = 0; i < n && n_tags < CONDITION_TAGS_MAX; i++) {
		if (!stored[i].has_etag)
			continue;
		if (n_tags++ > 0)
			parts[n_parts++] = SPAN_LIT(", ");
		if (stored[i].etag.is_weak)
			parts[n_parts++] = SPAN_LIT("W/");
		parts[n_parts++] = stored[i].etag.opaque;
	}
	return n_parts > 0 ? arena_concat(a, parts, n_parts) : span_of(NULL, 0);
}

bool
condition_ask(struct http_fields *req, struct arena *a,
    const struct validators *stored, size_t n)
{
	span tags = join_tags(stored, n, a);
	bool has_modified = n > 0 && stored[0].has_modified;

	if (tags.len == 0 && !has_modified)
		return false;
	(void)fields_del(req, FIELD_IF_NONE_MATCH);
	(void)fields_del(req, FIELD_IF_MODIFIED_SINCE);
	(void)fields_del(req, FIELD_IF_RANGE);
	(void)fields_del(req, FIELD_RANGE);
	if (tags.len > 0)
		fields_add_id(req, a, FIELD_IF_NONE_MATCH, tags);
	if (has_modified)
		fields_add_id(req, a, FIELD_IF_MODIFIED_SINCE,
		    arena_span(a, stored[0].modified));
	return true;
}

bool
freshen_selects(const struct validators *answer,
    const struct validators *stored, bool is_only)
{
	if (answer->has_etag && !answer->etag.is_weak)
		return stored->has_etag &&
		       etag_is_strong_match(&answer->etag, &stored->etag);
	if (answer->has_etag)
		return stored->has_etag &&
		       etag_is_weak_match(&answer->etag, &stored->etag);
	if (answer->has_modified)
		return stored->has_modified &&
		       answer->modified_s == stored->modified_s;
	/* Exception: RFC 9111 4.3.4 takes it only for a stored response without
	 * validators; origins that leave ETag out of a 304 mean what they were
	 * asked about, and nothing else can be meant when it was one. */
	return is_only;
}

/* What is told is what is stored. */
static bool
is_still(const struct validators *told, const struct validators *stored)
{
	if (told->has_etag &&
	    (!stored->has_etag || told->etag.is_weak != stored->etag.is_weak ||
		!etag_is_weak_match(&told->etag, &stored->etag)))
		return false;
	return !told->has_modified ||
	       (stored->has_modified && told->modified_s == stored->modified_s);
}

enum freshen
freshen_judge_head(const struct http_msg *answer, const struct validators *told,
    const struct validators *stored, uint64_t stored_len)
{
	const struct http_field *fld =
	    fields_find(&answer->fields, FIELD_CONTENT_LENGTH);
	uint64_t len;

	if (answer->status != 200)
		return FRESHEN_NOTHING;
	if (!is_still(told, stored))
		return FRESHEN_EXPIRE;
	if (fld != NULL && stored_len != UINT64_MAX &&
	    (!span_u64(fld->value, INT64_MAX, &len) || len != stored_len))
		return FRESHEN_EXPIRE;
	return FRESHEN_UPDATE;
}
