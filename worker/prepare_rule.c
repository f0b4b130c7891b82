/* prepare_rule: the rules of a site: their conditions, and what each says. */
#include "common/base/check.h"
#include "worker/exch/match.h"
#include "worker/prepare.h"

/* Keys of single values, and the bit that says: this rule holds one. */
static const struct {
	enum conf_key key;
	unsigned bit;
} rule_bits[] = {
    {KEY_SCOPE_INDEX, RULE_INDEX},
    {KEY_SCOPE_STRIP_PREFIX, RULE_STRIP_PREFIX},
    {KEY_SCOPE_ADD_PREFIX, RULE_ADD_PREFIX},
    {KEY_SCOPE_MAX_BODY, RULE_MAX_BODY},
    {KEY_SCOPE_TIMEOUT, RULE_TIMEOUT},
    {KEY_SCOPE_WEBSOCKET, RULE_WEBSOCKET},
    {KEY_SCOPE_HSTS, RULE_HSTS},
    {KEY_SCOPE_CACHE, RULE_CACHE},
    {KEY_SCOPE_CACHE_TTL, RULE_CACHE_TTL},
    {KEY_SCOPE_CACHE_MIN_USES, RULE_CACHE_MIN_USES},
    {KEY_SCOPE_CACHE_COOKIES, RULE_CACHE_COOKIES},
    {KEY_SCOPE_CACHE_PROFILE, RULE_CACHE_PROFILE},
    {KEY_SCOPE_LIMIT_BANDWIDTH, RULE_BANDWIDTH},
    {KEY_SCOPE_SPLIT, RULE_SPLIT},
    {KEY_SCOPE_MIRROR, RULE_MIRROR},
    {KEY_SCOPE_AUTH, RULE_AUTH},
    {KEY_SCOPE_CHALLENGE, RULE_WORK},
    {KEY_SCOPE_WAF, RULE_WAF},
    {KEY_SCOPE_SUBSTITUTE_TYPES, RULE_SUBSTITUTE_TYPES},
    {KEY_SCOPE_ACCESS_LOG, RULE_LOGS},
};

/* Keys that add, and the bit that says: a `none` came first. */
static const struct {
	enum conf_key key;
	unsigned bit;
} rule_lists[] = {
    {KEY_SCOPE_ACCESS_LOG, RULE_LOGS_ALL},
    {KEY_SCOPE_CACHE_BYPASS, RULE_BYPASS_ALL},
    {KEY_SCOPE_RATE_LIMIT, RULE_LIMITS_ALL},
    {KEY_SCOPE_REWRITE, RULE_REWRITE_ALL},
    {KEY_SCOPE_REDIRECT_MATCH, RULE_REDIRECT_ALL},
    {KEY_SCOPE_SUBSTITUTE, RULE_SUBSTITUTE_ALL},
    {KEY_SCOPE_REQUEST_HEADER, RULE_REQUEST_ALL},
    {KEY_SCOPE_HIDE_HEADER, RULE_HIDDEN_ALL},
    {KEY_SCOPE_RESPONSE_HEADER, RULE_RESPONSE_ALL},
};

static unsigned
rule_says(const struct conf_section *sec)
{
	unsigned says = 0;

	for (size_t i = 0; i < NELEMS(rule_bits); i++)
		if (sec->first[rule_bits[i].key] != NULL)
			says |= rule_bits[i].bit;
	for (size_t i = 0; i < NELEMS(rule_lists); i++)
		for (const struct conf_value *v = sec->first[rule_lists[i].key];
		     v != NULL; v = v->next)
			says |= v->is_none ? rule_lists[i].bit : 0;
	for (const struct conf_value *v = sec->ordered; v != NULL; v = v->next)
		says |= v->is_none ? RULE_ACCESS_ALL : 0;
	return says;
}

/* The presets that the rule says. */
static unsigned
rule_presets(const struct conf_section *sec)
{
	static const struct {
		enum conf_key key;
		unsigned bit;
	} bits[] = {
	    {KEY_SCOPE_SECURITY_HEADERS, PRESET_SECURITY},
	    {KEY_SCOPE_HIDE_ORIGIN, PRESET_HIDE_ORIGIN},
	    {KEY_SCOPE_REWRITE_LOCATION, PRESET_LOCATION},
	    {KEY_SCOPE_REWRITE_COOKIE, PRESET_COOKIE},
	    {KEY_SCOPE_CORS, PRESET_CORS},
	    {KEY_SCOPE_REDIRECT_FILE, PRESET_MOVES},
	    {KEY_SCOPE_CANONICAL_HOST, PRESET_HOST},
	    {KEY_LISTEN_REDIRECT_HTTPS, PRESET_HTTPS},
	    {KEY_SCOPE_TRAILING_SLASH, PRESET_SLASH},
	    {KEY_SCOPE_MAINTENANCE, PRESET_MAINTENANCE},
	};
	unsigned says = 0;

	for (size_t i = 0; i < NELEMS(bits); i++)
		says |= sec->first[bits[i].key] != NULL ? bits[i].bit : 0;
	for (const struct conf_value *v = sec->first[KEY_SCOPE_ERROR_PAGE];
	     v != NULL; v = v->next)
		says |= v->is_none ? PRESET_PAGES_ALL : 0;
	for (const struct conf_value *v = sec->first[KEY_SCOPE_REWRITE_COOKIE];
	     v != NULL; v = v->next)
		says |= v->is_none ? PRESET_COOKIE_ALL : 0;
	return says;
}

static void
rule_terms(struct prepared *p, struct plan_rule *r,
    const struct conf_section *sec, struct diag *d)
{
	uint32_t n = 0;

	for (const struct conf_value *v = sec->first[KEY_RULE_MATCH]; v != NULL;
	     v = v->next)
		n++;
	r->terms = arena_zalloc(&p->arena, n * sizeof(*r->terms));
	for (const struct conf_value *v = sec->first[KEY_RULE_MATCH]; v != NULL;
	     v = v->next) {
		struct var_src src = {v->text, v->at, VAR_WHEN_RESPONSE};
		struct match *m;

		if (v->is_none) {
			diag_error(d, v->at,
			    "a rule without any condition would hold for "
			    "nothing");
			continue;
		}
		m = match_new(&p->arena, &src, d);
		if (m == NULL)
			continue;
		r->terms[r->n_terms++] = (struct plan_term){m, v->text, v->at};
		if (match_when(m) > r->when)
			r->when = match_when(m);
	}
}

/* Who answers, when the rule says so. */
static void
rule_handler(struct prepared *p, struct plan_rule *r,
    const struct conf_scope *own, struct diag *d)
{
	static const enum conf_key keys[] = {KEY_SCOPE_UPSTREAM,
	    KEY_SCOPE_RESPOND, KEY_SCOPE_REDIRECT, KEY_SCOPE_ROOT};
	const struct conf_value *v = prepare_handler_line(own);

	if (v != NULL) {
		r->says |= RULE_HANDLER;
		prepare_handler(p, &r->set, v, d);
		return;
	}
	for (size_t i = 0; i < NELEMS(keys); i++) {
		v = own->at[0]->first[keys[i]];
		if (v != NULL)
			diag_error(d, v->at,
			    "%s = none: a rule can give another answer, but "
			    "not none",
			    conf_key_name(v->key));
	}
}

static void
rule_is_late(const struct conf_value *v, struct diag *d)
{
	diag_error(d, v->key_at,
	    "'%s' is too late: the rule's match waits for the answer; what can "
	    "still change then is response_header, hide_header, access_log, "
	    "error_page, security_headers, hide_origin, rewrite_location, "
	    "rewrite_cookie",
	    conf_key_name(v->key));
}

/* What was decided before the answer came is not decided again. */
static void
rule_check_late(const struct conf_section *sec, struct diag *d)
{
	static const enum conf_key late[] = {KEY_RULE_MATCH,
	    KEY_SCOPE_RESPONSE_HEADER, KEY_SCOPE_HIDE_HEADER,
	    KEY_SCOPE_ACCESS_LOG, KEY_SCOPE_ERROR_PAGE,
	    KEY_SCOPE_SECURITY_HEADERS, KEY_SCOPE_HIDE_ORIGIN,
	    KEY_SCOPE_REWRITE_LOCATION, KEY_SCOPE_REWRITE_COOKIE};

	for (int k = 0; k < CONF_KEYS; k++) {
		const struct conf_value *v = sec->first[k];
		bool is_late = v == NULL;

		for (size_t i = 0; i < NELEMS(late); i++)
			is_late |= late[i] == (enum conf_key)k;
		if (!is_late)
			rule_is_late(v, d);
	}
	for (const struct conf_value *v = sec->ordered; v != NULL; v = v->next)
		rule_is_late(v, d);
}

/* A site's rules may all match: what they and a route log to has to fit. */
static void
rule_check_logs(const struct prepared *p, const struct plan_rule *r,
    const struct conf_section *sec, struct diag *d)
{
	if ((r->says & RULE_LOGS) && p->plan.n_logs > PLAN_LOGS_MAX)
		diag_error(d, sec->first[KEY_SCOPE_ACCESS_LOG]->key_at,
		    "with more than %d logs in all, rules cannot add any",
		    PLAN_LOGS_MAX);
}

static void
rule_prepare(struct prepared *p, struct plan_rule *r,
    const struct conf_section *sec, struct diag *d)
{
	struct conf_scope own = {.tree = p->plan.conf, .at = {sec}, .n = 1};

	r->name = sec->path;
	r->at = sec->path_at;
	r->when = VAR_WHEN_REQUEST;
	rule_terms(p, r, sec, d);
	prepare_settings(p, &own, &r->set, d);
	r->says = rule_says(sec);
	r->presets = rule_presets(sec);
	rule_handler(p, r, &own, d);
	if (r->when > VAR_WHEN_REQUEST)
		rule_check_late(sec, d);
	rule_check_logs(p, r, sec, d);
}

void
prepare_rules(struct prepared *p, struct plan_site *site,
    const struct vec *sections, struct diag *d)
{
	site->rules =
	    arena_zalloc(&p->arena, sections->n * sizeof(*site->rules));
	for (uint32_t i = 0; i < sections->n; i++)
		rule_prepare(
		    p, &site->rules[site->n_rules++], sections->at[i], d);
}

void
prepare_free_rules(struct plan_site *site)
{
	for (uint32_t i = 0; i < site->n_rules; i++)
		for (uint32_t k = 0; k < site->rules[i].n_terms; k++)
			match_free(site->rules[i].terms[k].match);
}
