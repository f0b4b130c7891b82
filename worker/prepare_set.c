/* prepare_set: what a scope of sections says about an exchange. */
#include <inttypes.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/vec.h"
#include "common/conf/conf_share.h"
#include "worker/acl/acl.h"
#include "worker/cache/cache.h"
#include "worker/exch/match.h"
#include "worker/exch/target.h"
#include "worker/files/files.h"
#include "worker/filter/compress.h"
#include "worker/filter/substitute.h"
#include "worker/prepare.h"
#include "worker/rate/rate.h"
#include "worker/route/route.h"
#include "worker/up/up.h"

#define MS_PER_S 1000

static const enum conf_key handler_keys[] = {
    KEY_SCOPE_UPSTREAM,
    KEY_SCOPE_RESPOND,
    KEY_SCOPE_REDIRECT,
    KEY_SCOPE_ROOT,
};

/* `none` takes what is farther away. Two in one section were refused by the
 * reader. */
const struct conf_value *
prepare_handler_line(const struct conf_scope *s)
{
	bool is_none[NELEMS(handler_keys)] = {false};

	for (uint32_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < NELEMS(handler_keys); k++) {
			const struct conf_value *v =
			    s->at[i]->first[handler_keys[k]];

			if (v == NULL || is_none[k])
				continue;
			if (!v->is_none)
				return v;
			is_none[k] = true;
		}
	}
	return NULL;
}

void
prepare_handler(struct prepared *p, struct plan_settings *set,
    const struct conf_value *v, struct diag *d)
{
	set->handler_at = v->at;
	if (v->key == KEY_SCOPE_UPSTREAM) {
		set->handler = &up_handler;
		/* one that is not there, or wrong, has been told */
		set->handler_conf = map_get(&p->upstreams, v->text);
		set->server_names = map_get(&p->server_names, v->text);
	} else if (v->key == KEY_SCOPE_RESPOND) {
		set->handler = &respond_handler;
		set->handler_conf = respond_prepare(v, &p->arena, d);
	} else if (v->key == KEY_SCOPE_ROOT) {
		set->handler = &files_handler;
		set->handler_conf = files_prepare(v, &p->roots, &p->arena, d);
	} else {
		set->handler = &redirect_handler;
		set->handler_conf = redirect_prepare(v, &p->arena, d);
	}
	if (set->split != NULL && set->handler != set->split->handler)
		diag_error(d, set->split->shares[0].at,
		    "split: only an upstream's requests can be shared");
}

static span
set_prefix(struct prepared *p, const struct conf_scope *s, enum conf_key k,
    struct diag *d)
{
	const struct conf_value *v = conf_get(s, k);
	span out = span_of(NULL, 0);

	if (v != NULL && !target_prepare_prefix(v->text, &p->arena, &out))
		diag_error(d, v->at,
		    "%s: '%.*s' is no plain path that begins with '/'",
		    conf_key_name(k), SPAN_FMT(v->text));
	return out;
}

/* The rule of a line, compiled once however many routes inherit it. NULL: it is
 * wrong, and that was said when it was met first. */
static const struct field_rule *
set_field(struct prepared *p, const struct conf_value *v, uint32_t word,
    struct diag *d)
{
	const struct conf_word *w = &v->words[word];
	span key = span_of((const char *)&w, sizeof(w));
	struct field_rule *r = map_get(&p->fields, key);
	bool ok;

	if (r != NULL)
		return r->name.len > 0 ? r : NULL;
	r = arena_alloc(&p->arena, sizeof(*r));
	ok = v->key == KEY_SCOPE_HIDE_HEADER
		 ? field_rule_prepare_hidden(r, v, word, d)
		 : field_rule_prepare(r, &p->arena, v, d);
	(void)map_put(&p->fields, arena_span(&p->arena, key), r);
	if (!ok)
		r->name.len = 0;
	return ok ? r : NULL;
}

void *
prepare_keep(struct prepared *p, struct vec *found)
{
	void **at = arena_alloc(&p->arena, found->n * sizeof(*at));

	for (uint32_t i = 0; i < found->n; i++)
		at[i] = found->at[i];
	vec_fini(found);
	return at;
}

/* All lines of a key that changes fields. */
static void
set_fields(struct prepared *p, const struct conf_scope *s, enum conf_key k,
    struct field_rules *out, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct vec found;

	vec_init(&found);
	while ((v = conf_next(s, k, &it)) != NULL) {
		/* a header line is one, whatever its words */
		uint32_t n = k == KEY_SCOPE_HIDE_HEADER ? v->n_words : 1;

		for (uint32_t i = 0; i < n; i++) {
			const struct field_rule *r = set_field(p, v, i, d);

			if (r != NULL)
				vec_push(&found, (void *)(uintptr_t)r);
		}
	}
	out->n = found.n;
	out->at = prepare_keep(p, &found);
}

/* The scope as far as the section that says who answers: its shares are none of
 * theirs around it. */
static struct conf_scope
set_split_scope(const struct conf_scope *s)
{
	struct conf_scope near = *s;

	for (uint32_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < NELEMS(handler_keys); k++) {
			const struct conf_value *v =
			    s->at[i]->first[handler_keys[k]];

			if (v != NULL && !v->is_none) {
				near.n = i + 1;
				return near;
			}
		}
	}
	return near;
}

/* Lines of one section were judged when they were read. */
static void
set_split_line(struct prepared *p, struct plan_split *split,
    const struct conf_share *from, struct diag *d)
{
	struct plan_share *to = &split->shares[split->n];
	uint32_t before = split->n == 0 ? 0 : to[-1].below;
	struct var_src src = {from->by, from->by_at, VAR_WHEN_REQUEST};

	*to = (struct plan_share){
	    .below = before + from->tenths,
	    .tenths = from->tenths,
	    .upstream = from->upstream,
	    .conf = map_get(&p->upstreams, from->upstream),
	    .at = from->at,
	};
	if (to->below > CONF_SHARE_ALL) {
		diag_error(d, from->at,
		    "split: with those of the sections around it the shares "
		    "are more than 100%%");
		return;
	}
	split->n++;
	if (from->by.len == 0)
		return;
	split->has_key = tmpl_prepare(&split->key, &p->arena, &src, d);
	split->key_text = from->by;
	if (split->has_key && split->key.n_vars == 0)
		diag_error(d, from->by_at,
		    "split: by= is the same for every request: it needs a "
		    "{variable}");
}

static const struct plan_split *
set_split(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	struct conf_scope near = set_split_scope(s);
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct plan_split *split;
	struct conf_share share;
	uint32_t n = 0;

	while (conf_next(&near, KEY_SCOPE_SPLIT, &it) != NULL)
		n++;
	if (n == 0)
		return NULL;
	split = arena_zalloc(&p->arena, sizeof(*split));
	split->handler = &up_handler;
	split->shares = arena_zalloc(&p->arena, n * sizeof(*split->shares));
	it = (struct conf_iter){NULL, 0, false};
	while ((v = conf_next(&near, KEY_SCOPE_SPLIT, &it)) != NULL)
		if (conf_share_read(v, &share, NULL))
			set_split_line(p, split, &share, d);
	return split;
}

static const struct plan_mirror *
set_mirror(struct prepared *p, const struct conf_scope *s)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_MIRROR);
	struct plan_mirror *m;
	struct conf_share share;

	if (v == NULL || !conf_share_read(v, &share, NULL))
		return NULL;
	m = arena_alloc(&p->arena, sizeof(*m));
	*m = (struct plan_mirror){
	    .tenths = share.tenths,
	    .upstream = share.upstream,
	    /* one that is not there has been told */
	    .conf = map_get(&p->upstreams, share.upstream),
	    .at = share.at,
	};
	return m;
}

/* RFC 6797 6.1: seconds; 0 makes browsers forget it. */
static span
set_hsts(struct prepared *p, const struct conf_scope *s)
{
	if (conf_get(s, KEY_SCOPE_HSTS) == NULL)
		return span_of(NULL, 0);
	return arena_printf(&p->arena, "max-age=%" PRId64,
	    conf_num(s, KEY_SCOPE_HSTS) / MS_PER_S);
}

static void
set_bypass(struct prepared *p, const struct conf_scope *s,
    struct plan_cache *out, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct vec terms;

	vec_init(&terms);
	while ((v = conf_next(s, KEY_SCOPE_CACHE_BYPASS, &it)) != NULL) {
		struct var_src src = {v->text, v->at, VAR_WHEN_REQUEST};
		struct match *m = match_new(&p->arena, &src, d);
		struct plan_term *term;

		if (m == NULL)
			continue;
		vec_push(&p->matches, m);
		term = arena_alloc(&p->arena, sizeof(*term));
		*term = (struct plan_term){m, v->text, v->at};
		vec_push(&terms, term);
	}
	out->n_bypass = terms.n;
	out->bypass = prepare_keep(p, &terms);
}

static void
set_cache(struct prepared *p, const struct conf_scope *s,
    struct plan_cache *out, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_CACHE);

	if (v != NULL) {
		/* one that is not there has been told */
		out->cache = map_get(&p->caches, v->text);
		out->at = v->at;
	}
	out->ttl_s = (uint32_t)u64_min(
	    (uint64_t)conf_num(s, KEY_SCOPE_CACHE_TTL) / MS_PER_S,
	    CC_SECONDS_MAX);
	out->min_uses = (uint32_t)conf_num(s, KEY_SCOPE_CACHE_MIN_USES);
	out->is_letter =
	    span_eq(conf_text(s, KEY_SCOPE_CACHE_PROFILE), SPAN_LIT("rfc9111"));
	out->has_cookies = conf_get(s, KEY_SCOPE_CACHE_COOKIES) != NULL;
	/* the words of the key stand in the order of enum cookie_policy */
	out->cookies = (enum cookie_policy)conf_num(s, KEY_SCOPE_CACHE_COOKIES);
	set_bypass(p, s, out, d);
}

/* By the letter of RFC 9111, but for Set-Cookie: what one client is told by whom
 * knows nothing of us is no other's. */
void
prepare_forward_cache(
    struct prepared *p, const struct conf_scope *s, struct plan_cache *out)
{
	const struct conf_value *v = conf_get(s, KEY_FORWARD_CACHE);

	*out = (struct plan_cache){
	    .min_uses = 1,
	    .is_letter = true,
	    .has_cookies = true,
	    .cookies = COOKIES_BYPASS,
	};
	if (v == NULL)
		return;
	/* one that is not there has been told */
	out->cache = map_get(&p->caches, v->text);
	out->at = v->at;
}

static bool
set_has_limit(const struct vec *found, const struct rate *r)
{
	for (uint32_t i = 0; i < found->n; i++)
		if (found->at[i] == r)
			return true;
	return false;
}

/* Lists add up; a limit that is named twice counts once. */
static void
set_limits(
    struct prepared *p, const struct conf_scope *s, struct plan_limits *out)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct vec found;

	vec_init(&found);
	while ((v = conf_next(s, KEY_SCOPE_RATE_LIMIT, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			/* one that is not there has been told */
			struct rate *r = map_get(&p->rates, v->words[i].text);

			if (r != NULL && !set_has_limit(&found, r))
				vec_push(&found, r);
		}
	}
	out->n = found.n;
	out->at = prepare_keep(p, &found);
}

/* Compiled once however many routes inherit the line. NULL: there is none. */
static const struct plan_bandwidth *
set_bandwidth(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_LIMIT_BANDWIDTH);
	span key = span_of((const char *)&v, sizeof(v));
	struct plan_bandwidth *b;

	if (v == NULL)
		return NULL;
	b = map_get(&p->bandwidths, key);
	if (b == NULL) {
		b = bandwidth_prepare(p->claims, s, v, &p->arena, d);
		(void)map_put(&p->bandwidths, arena_span(&p->arena, key), b);
	}
	return b->flow.rate > 0 ? b : NULL;
}

/* What a line says. NULL: it is wrong, and d says why. */
static const void *
set_line(struct prepared *p, enum conf_key k, const struct conf_value *v,
    struct diag *d)
{
	const struct rewrite *r;

	if (k == KEY_SCOPE_SUBSTITUTE)
		return substitute_prepare(v, &p->arena, d);
	r = rewrite_prepare(v, k, &p->arena, d);
	if (r != NULL)
		vec_push(&p->rewriters, (void *)(uintptr_t)r);
	return r;
}

/* The same, read once however many routes inherit the line, and its errors said
 * once. */
static const void *
set_line_once(struct prepared *p, enum conf_key k, const struct conf_value *v,
    struct diag *d)
{
	/* what stands for one that is wrong */
	static const char wrong;
	span key = span_of((const char *)&v, sizeof(v));
	const void *line = map_get(&p->lines, key);

	if (line == NULL) {
		line = set_line(p, k, v, d);
		(void)map_put(&p->lines, arena_span(&p->arena, key),
		    (void *)(uintptr_t)(line != NULL ? line : &wrong));
	}
	return line == &wrong ? NULL : line;
}

/* All lines of a key of which the first that fits counts: the nearest section's
 * come first. */
static void
set_nearest(const struct conf_scope *s, enum conf_key k, struct vec *found)
{
	bool is_ended = false;

	vec_init(found);
	for (uint32_t i = 0; i < s->n && !is_ended; i++) {
		uint32_t n_nearer = found->n;

		for (struct conf_value *v = s->at[i]->first[k]; v != NULL;
		     v = v->next) {
			is_ended |= v->is_none;
			if (v->is_none)
				found->n = n_nearer;
			else
				vec_push(found, v);
		}
	}
}

/* What they say, *n of it. */
static const void *
set_lines(struct prepared *p, const struct conf_scope *s, enum conf_key k,
    uint32_t *n, struct diag *d)
{
	struct vec found;

	*n = 0;
	set_nearest(s, k, &found);
	for (uint32_t i = 0; i < found.n; i++) {
		const void *line = set_line_once(p, k, found.at[i], d);

		if (line != NULL)
			found.at[(*n)++] = (void *)(uintptr_t)line;
	}
	found.n = *n;
	return prepare_keep(p, &found);
}

static void
set_substitutes(struct prepared *p, const struct conf_scope *s,
    struct plan_substitute *out, struct diag *d)
{
	out->at = set_lines(p, s, KEY_SCOPE_SUBSTITUTE, &out->n, d);
	out->types = compress_prepare_types(
	    s, KEY_SCOPE_SUBSTITUTE_TYPES, &p->arena, &out->n_types, d);
}

void
prepare_settings(struct prepared *p, const struct conf_scope *s,
    struct plan_settings *set, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_MAX_BODY);

	set->strip_prefix = set_prefix(p, s, KEY_SCOPE_STRIP_PREFIX, d);
	set->add_prefix = set_prefix(p, s, KEY_SCOPE_ADD_PREFIX, d);
	set->rewrites.at =
	    set_lines(p, s, KEY_SCOPE_REWRITE, &set->rewrites.n, d);
	set->redirects.at =
	    set_lines(p, s, KEY_SCOPE_REDIRECT_MATCH, &set->redirects.n, d);
	set->max_body = (uint64_t)conf_num(s, KEY_SCOPE_MAX_BODY);
	if (v != NULL)
		set->max_body_at = v->at;
	set->timeout_ms = (uint64_t)conf_num(s, KEY_SCOPE_TIMEOUT);
	set->allows_websocket = conf_bool(s, KEY_SCOPE_WEBSOCKET);
	set->hsts = set_hsts(p, s);
	set->tells_status = conf_bool(s, KEY_SCOPE_PROXY_STATUS);
	set->tells_timing = conf_bool(s, KEY_SCOPE_SERVER_TIMING);
	acls_list(p->acls, s, false, &set->access, d);
	set_limits(p, s, &set->limits);
	set->bandwidth = set_bandwidth(p, s, d);
	/* one that is not there has been told */
	v = conf_get(s, KEY_SCOPE_AUTH);
	if (v != NULL)
		set->auth = map_get(&p->auths, v->text);
	v = conf_get(s, KEY_SCOPE_WAF);
	if (v != NULL)
		set->waf = map_get(&p->wafs, v->text);
	set->asks_work = (enum plan_work)conf_num(s, KEY_SCOPE_CHALLENGE);
	set_cache(p, s, &set->cache, d);
	files_prepare_index(s, &p->arena, &set->index, d);
	compress_prepare(
	    s, p->plan.compress_memory, &p->arena, &set->compress, d);
	set_substitutes(p, s, &set->substitute, d);
	set->split = set_split(p, s, d);
	set->mirror = set_mirror(p, s);
	prepare_scope_logs(p, s, &set->logs, d);
	prepare_presets(p, s, set, d);
	set_fields(p, s, KEY_SCOPE_REQUEST_HEADER, &set->request_fields, d);
	set_fields(p, s, KEY_SCOPE_HIDE_HEADER, &set->hidden_fields, d);
	prepare_response_fields(p, s, &set->response_fields, d);
}

void
prepare_response_fields(struct prepared *p, const struct conf_scope *s,
    struct field_rules *out, struct diag *d)
{
	set_fields(p, s, KEY_SCOPE_RESPONSE_HEADER, out, d);
}
