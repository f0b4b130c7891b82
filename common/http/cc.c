/* http/cc: reads cache directives. Two grammars (RFC 9111 5.2 and RFC 9651) end
 * in the same struct, so that what judges does not ask where they stood. */
#include "common/http/cc.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "common/http/sf.h"

enum cc_kind { RESTRICT, GRANT, SECONDS, MAYBE, NAMES };

struct cc_row {
	span name;
	enum cc_kind kind;
};

static const struct cc_row rows[CC_N] = {
#define CC(id, name, kind) [CC_##id] = {{name, sizeof(name) - 1}, kind},
#include "common/http/cc.def"
#undef CC
};

static enum cc_id
lookup(span name)
{
	for (unsigned id = CC_OTHER + 1; id < CC_N; id++)
		if (span_ieq(rows[id].name, name))
			return (enum cc_id)id;
	return CC_OTHER;
}

/* --- arguments ------------------------------------------------------------ */

enum arg_kind { ARG_NONE, ARG_OK, ARG_BAD };

/* What stands behind a directive's name; text without its quotes. */
struct arg {
	enum arg_kind kind;
	span text;
};

static bool
is_quoted(span s)
{
	return s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"';
}

/* Escapes are no part of numbers or names, so they are not undone. */
static struct arg
read_arg(span s)
{
	struct arg arg = {.kind = ARG_BAD};

	if (s.len == 0)
		return (struct arg){.kind = ARG_NONE};
	if (s.p[0] != '=')
		return arg;
	s = span_from(s, 1);
	if (is_quoted(s)) {
		arg.text = span_of(s.p + 1, s.len - 2);
		arg.kind = ARG_OK;
	} else if (chars_all(s, CHAR_TOKEN)) {
		arg.text = s;
		arg.kind = ARG_OK;
	}
	return arg;
}

/* Whether it is delta-seconds; *out is 0 when not, which makes stale. */
static bool
read_seconds(struct arg arg, uint32_t *out)
{
	uint64_t v = 0;

	*out = 0;
	if (arg.kind != ARG_OK || arg.text.len == 0)
		return false;
	for (size_t i = 0; i < arg.text.len; i++) {
		if (!char_is_digit(arg.text.p[i]))
			return false;
		v = u64_min(
		    v * 10 + (uint64_t)(arg.text.p[i] - '0'), CC_SECONDS_MAX);
	}
	*out = (uint32_t)v;
	return true;
}

/* Whether it is a list of names that can be looked up one by one. */
static bool
is_name_list(span list)
{
	unsigned n = 0;
	span name;

	while (span_member(&list, &name))
		if (++n > CC_NAMES_MAX || !chars_all(name, CHAR_TOKEN))
			return false;
	return n > 0;
}

/* --- one directive -------------------------------------------------------- */

static void
add_seconds(struct cc *out, enum cc_id id, struct arg arg)
{
	uint32_t v;

	/* the first of several counts (RFC 9111 4.2.1) */
	if (cc_has(out, id))
		return;
	if (!read_seconds(arg, &v) && id == CC_MIN_FRESH)
		return;
	if (rows[id].kind == MAYBE && arg.kind == ARG_NONE)
		v = CC_SECONDS_MAX;
	out->seconds[id] = v;
	out->seen |= CC_BIT(id);
}

static void
add(struct cc *out, enum cc_id id, struct arg arg)
{
	switch (rows[id].kind) {
	case RESTRICT:
		out->seen |= CC_BIT(id);
		break;
	case GRANT:
		if (arg.kind == ARG_NONE)
			out->seen |= CC_BIT(id);
		break;
	case SECONDS:
	case MAYBE:
		add_seconds(out, id, arg);
		break;
	case NAMES:
		if (arg.kind == ARG_OK && is_name_list(arg.text))
			out->named |= CC_BIT(id);
		else
			out->seen |= CC_BIT(id);
		break;
	default:
		UNREACHED();
	}
}

/* --- Cache-Control -------------------------------------------------------- */

/* Members of one line. */
struct members {
	span rest;
	bool is_broken; /* a quote was never closed */
};

/* Whether a quote that a member opens is closed in it. */
static bool
is_closed(span member)
{
	bool in_quotes = false;

	for (size_t i = 0; i < member.len; i++) {
		if (in_quotes && member.p[i] == '\\')
			i++;
		else if (member.p[i] == '"')
			in_quotes = !in_quotes;
	}
	return !in_quotes;
}

static bool
next_member(struct members *m, span *out)
{
	span begin = m->rest;

	if (!m->is_broken) {
		if (!span_member(&m->rest, out))
			return false;
		if (is_closed(*out))
			return true;
		/* it took what may be more directives along */
		m->is_broken = true;
		m->rest = span_from(begin, (size_t)(out->p - begin.p));
	}
	while (span_cut(&m->rest, ',', out)) {
		*out = span_trim(*out);
		if (out->len > 0)
			return true;
	}
	return false;
}

/* Cut a member into the directive and its argument. */
static enum cc_id
read_member(span member, struct arg *arg)
{
	const char *end = chars_token_end(member.p, member.p + member.len);
	span name = span_of(member.p, (size_t)(end - member.p));

	*arg = read_arg(span_from(member, name.len));
	return lookup(name);
}

void
cc_parse(const struct http_fields *f, struct cc *out)
{
	struct members m;
	struct arg arg;
	span member;

	*out = (struct cc){.seen = 0};
	for (struct http_field *fld = fields_find(f, FIELD_CACHE_CONTROL);
	     fld != NULL; fld = fields_next(f, fld)) {
		m = (struct members){.rest = fld->value};
		while (next_member(&m, &member)) {
			enum cc_id id = read_member(member, &arg);

			if (id != CC_OTHER)
				add(out, id, arg);
		}
	}
}

void
cc_parse_request(const struct http_fields *f, struct cc *out)
{
	cc_parse(f, out);
	if (fields_find(f, FIELD_CACHE_CONTROL) == NULL &&
	    fields_has_token(f, FIELD_PRAGMA, SPAN_LIT("no-cache")))
		out->seen |= CC_BIT(CC_NO_CACHE) | CC_PRAGMA;
}

/* --- CDN-Cache-Control ---------------------------------------------------- */

/* Members of all lines, a line at a time. */
struct cdn_reader {
	const struct http_fields *f;
	const struct http_field *fld;
	struct sf_dict dict;
};

static bool
cdn_begin(struct cdn_reader *r, const struct http_fields *f)
{
	r->f = f;
	r->fld = fields_find(f, FIELD_CDN_CACHE_CONTROL);
	if (r->fld != NULL)
		sf_dict_init(&r->dict, r->fld->value);
	return r->fld != NULL;
}

static enum sf_rc
cdn_next(struct cdn_reader *r, struct sf_member *out)
{
	enum sf_rc rc = sf_dict_next(&r->dict, out);

	while (rc == SF_END) {
		r->fld = fields_next(r->f, r->fld);
		if (r->fld == NULL)
			break;
		sf_dict_init(&r->dict, r->fld->value);
		rc = sf_dict_next(&r->dict, out);
	}
	return rc;
}

/* An Integer as delta-seconds; what is negative makes stale. */
static uint32_t
cdn_seconds(int64_t v)
{
	return v < 0 ? 0 : (uint32_t)u64_min((uint64_t)v, CC_SECONDS_MAX);
}

/* A Boolean, or a String of names; no escape can be part of a name. */
static bool
cdn_set_names(struct cc *out, enum cc_id id, const struct sf_member *m)
{
	bool is_list = m->type == SF_STRING && is_name_list(m->text);

	if (is_list)
		out->named |= CC_BIT(id);
	else if (m->type == SF_STRING || m->number != 0)
		out->seen |= CC_BIT(id);
	return m->type == SF_STRING || m->type == SF_BOOLEAN;
}

/* Put a member in the place of an earlier one of its name (RFC 9651 3.2).
 * false: it has another type than its directive. */
static bool
cdn_set(struct cc *out, enum cc_id id, const struct sf_member *m)
{
	enum cc_kind kind = rows[id].kind;

	out->seen &= ~CC_BIT(id);
	out->named &= ~CC_BIT(id);
	if (kind == NAMES)
		return cdn_set_names(out, id, m);
	if (kind == SECONDS || (kind == MAYBE && m->type == SF_INTEGER)) {
		out->seconds[id] = cdn_seconds(m->number);
		out->seen |= CC_BIT(id);
		return m->type == SF_INTEGER;
	}
	if (kind == MAYBE)
		out->seconds[id] = CC_SECONDS_MAX;
	if (m->number != 0)
		out->seen |= CC_BIT(id);
	return m->type == SF_BOOLEAN;
}

bool
cc_parse_cdn(const struct http_fields *f, struct cc *out)
{
	struct cdn_reader r;
	struct sf_member m;
	enum sf_rc rc;
	unsigned n = 0;

	*out = (struct cc){.seen = 0};
	if (!cdn_begin(&r, f))
		return false;
	while ((rc = cdn_next(&r, &m)) == SF_OK) {
		enum cc_id id = lookup(m.key);

		n++;
		if (id != CC_OTHER && !cdn_set(out, id, &m))
			return false;
	}
	return rc == SF_END && n > 0;
}

bool
cc_parse_response(const struct http_fields *f, struct cc *out)
{
	if (cc_parse_cdn(f, out))
		return true;
	cc_parse(f, out);
	return false;
}

/* --- names in no-cache="..." and private="..." ---------------------------- */

static bool
is_in_list(span list, span name)
{
	span member;

	while (span_member(&list, &member))
		if (span_ieq(member, name))
			return true;
	return false;
}

static bool
cdn_names(const struct http_fields *f, span name)
{
	struct cdn_reader r;
	struct sf_member m;
	bool is_named = false;

	if (!cdn_begin(&r, f))
		return false;
	/* one more than the RFC asks for when a later member of the same name
	 * replaces this one: it keeps less */
	while (!is_named && cdn_next(&r, &m) == SF_OK)
		is_named = m.type == SF_STRING &&
			   rows[lookup(m.key)].kind == NAMES &&
			   is_in_list(m.text, name);
	return is_named;
}

bool
cc_names(const struct http_fields *f, bool is_cdn, span name)
{
	struct members m;
	struct arg arg;
	span member;

	if (is_cdn)
		return cdn_names(f, name);
	for (struct http_field *fld = fields_find(f, FIELD_CACHE_CONTROL);
	     fld != NULL; fld = fields_next(f, fld)) {
		m = (struct members){.rest = fld->value};
		while (next_member(&m, &member)) {
			enum cc_id id = read_member(member, &arg);

			if (rows[id].kind == NAMES && arg.kind == ARG_OK &&
			    is_in_list(arg.text, name))
				return true;
		}
	}
	return false;
}
