/* preset/cookie_edit: reads what rewrite_cookie asks for and does it. */
#include "worker/preset/cookie_edit.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "worker/preset/outer_names.h"
#include "worker/preset/preset.h"

/* What is written behind a cookie at most, besides the values: names of
 * attributes, blanks and signs. */
#define COOKIE_ATTRIBUTES_MAX 96

/* An attribute's value can neither end it nor the field. */
static bool
cookie_is_value(span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] == ';' || s.p[i] == ',' ||
		    s.p[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static bool
cookie_read_samesite(struct cookie_edit *e, span value)
{
	static const char *const known[] = {"Strict", "Lax", "None"};

	for (size_t i = 0; i < NELEMS(known); i++)
		if (span_ieq(value, span_str(known[i])))
			e->samesite = span_str(known[i]);
	return e->samesite.len > 0;
}

/* One word; false: it is none that is known. */
static bool
cookie_read_word(struct cookie_edit *e, span word)
{
	ptrdiff_t eq = span_chr(word, '=');
	span name = eq < 0 ? word : span_first(word, (size_t)eq);
	span value =
	    eq < 0 ? span_of(NULL, 0) : span_from(word, (size_t)eq + 1);

	if (eq < 0) {
		e->has_paths |= span_eq(word, SPAN_LIT("paths"));
		e->is_secure |= span_eq(word, SPAN_LIT("secure"));
		e->is_httponly |= span_eq(word, SPAN_LIT("httponly"));
		return span_eq(word, SPAN_LIT("auto")) ||
		       span_eq(word, SPAN_LIT("paths")) ||
		       span_eq(word, SPAN_LIT("secure")) ||
		       span_eq(word, SPAN_LIT("httponly"));
	}
	if (!cookie_is_value(value))
		return false;
	if (span_eq(name, SPAN_LIT("samesite")))
		return cookie_read_samesite(e, value);
	if (span_eq(name, SPAN_LIT("domain")))
		e->domain = value;
	else if (span_eq(name, SPAN_LIT("path")) && value.p[0] == '/')
		e->path = value;
	else
		return false;
	return true;
}

bool
cookie_edit_check(const struct conf_value *v, struct diag *d)
{
	struct cookie_edit e = {.is_secure = false};
	bool ok = true;

	for (uint32_t i = 0; i < v->n_words; i++) {
		if (cookie_read_word(&e, v->words[i].text))
			continue;
		ok = false;
		diag_error(d, v->words[i].at,
		    "rewrite_cookie: '%.*s' is none of auto, paths, secure, "
		    "httponly, samesite=strict|lax|none, domain=NAME, "
		    "path=/PATH",
		    SPAN_FMT(v->words[i].text));
	}
	if (span_eq(e.samesite, SPAN_LIT("None")) && !e.is_secure) {
		ok = false;
		diag_error(d, v->at,
		    "rewrite_cookie: browsers refuse samesite=none without "
		    "secure in the same line");
	}
	return ok;
}

struct plan_cookies
cookie_edit_prepare(const struct conf_scope *s, struct arena *a)
{
	const struct cookie_edit **at = arena_alloc(a, sizeof(*at));
	struct cookie_edit *e = arena_zalloc(a, sizeof(*e));
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	bool is_asked = false;

	while ((v = conf_next(s, KEY_SCOPE_REWRITE_COOKIE, &it)) != NULL) {
		is_asked = true;
		for (uint32_t i = 0; i < v->n_words; i++)
			(void)cookie_read_word(e, v->words[i].text);
	}
	*at = e;
	return (struct plan_cookies){at, is_asked ? 1 : 0};
}

void
cookie_edit_add(struct cookie_edit *to, const struct cookie_edit *more)
{
	to->has_paths |= more->has_paths;
	to->is_secure |= more->is_secure;
	to->is_httponly |= more->is_httponly;
	if (more->samesite.len > 0)
		to->samesite = more->samesite;
	if (more->domain.len > 0)
		to->domain = more->domain;
	if (more->path.len > 0)
		to->path = more->path;
}

/* An attribute on its way: gone, changed, or as it is. */
static bool
cookie_keep(struct arena *a, const struct cookie_edit *e,
    const struct outer_view *v, span *attribute)
{
	ptrdiff_t eq = span_chr(*attribute, '=');
	span name = eq < 0 ? *attribute : span_first(*attribute, (size_t)eq);
	span value = eq < 0 ? span_of(NULL, 0)
			    : span_trim(span_from(*attribute, (size_t)eq + 1));

	name = span_trim(name);
	if (span_ieq(name, SPAN_LIT("secure")))
		return !e->is_secure;
	if (span_ieq(name, SPAN_LIT("httponly")))
		return !e->is_httponly;
	if (span_ieq(name, SPAN_LIT("samesite")))
		return e->samesite.len == 0;
	if (span_ieq(name, SPAN_LIT("domain")))
		return e->domain.len == 0 && !outer_is_server_host(v, value);
	if (!span_ieq(name, SPAN_LIT("path")))
		return true;
	if (e->path.len > 0)
		return false;
	if (e->has_paths && value.len > 0 && value.p[0] == '/') {
		span parts[2] = {SPAN_LIT("Path="), outer_path(a, v, value)};

		if (parts[1].p != value.p)
			*attribute = arena_concat(a, parts, NELEMS(parts));
	}
	return true;
}

static void
cookie_add(struct text *t, const char *name, span value)
{
	text_add_str(t, "; ");
	text_add_str(t, name);
	text_add(t, value);
}

/* Browsers take one of this name for all paths of its own host, or not at all (RFC
 * 6265bis 4.1.3.2). */
static bool
cookie_is_of_host(span pair)
{
	span prefix = SPAN_LIT("__Host-");

	return span_ieq(span_first(span_trim(pair), prefix.len), prefix);
}

/* What may become of it at most: any attribute may be a path, which gets the prefix
 * that was taken off, and a blank stands before each. */
static size_t
cookie_room(const struct cookie_edit *e, const struct outer_view *v, span value)
{
	size_t each = sizeof("; Path=/") + v->strip_prefix.len;
	size_t n = 1;

	for (size_t i = 0; i < value.len; i++)
		n += value.p[i] == ';';
	return value.len + n * each + e->domain.len + e->path.len +
	       COOKIE_ATTRIBUTES_MAX;
}

span
cookie_edit_apply(struct arena *a, const struct cookie_edit *e,
    const struct outer_view *v, span value)
{
	struct cookie_edit of_host = *e;
	size_t cap = cookie_room(e, v, value);
	bool is_changed = false;
	struct text t;
	span rest = value;
	span part;

	text_init(&t, arena_alloc(a, cap), cap);
	of_host.domain = of_host.path = span_of(NULL, 0);
	of_host.has_paths = false;
	if (span_cut(&rest, ';', &part)) {
		text_add(&t, part);
		if (cookie_is_of_host(part))
			e = &of_host;
	}
	while (span_cut(&rest, ';', &part)) {
		const char *was = span_trim(part).p;

		part = span_trim(part);
		if (!cookie_keep(a, e, v, &part)) {
			is_changed = true;
			continue;
		}
		is_changed |= part.p != was;
		cookie_add(&t, "", part);
	}
	if (e->domain.len > 0)
		cookie_add(&t, "Domain=", e->domain);
	if (e->path.len > 0)
		cookie_add(&t, "Path=", e->path);
	if (e->is_secure)
		cookie_add(&t, "Secure", span_of(NULL, 0));
	if (e->is_httponly)
		cookie_add(&t, "HttpOnly", span_of(NULL, 0));
	if (e->samesite.len > 0)
		cookie_add(&t, "SameSite=", e->samesite);
	is_changed |= e->domain.len > 0 || e->path.len > 0 || e->is_secure ||
		      e->is_httponly || e->samesite.len > 0;
	REQUIRE(!t.is_cut);
	return is_changed ? text_span(&t) : value;
}
