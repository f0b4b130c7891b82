/* route/rules: the rules of a site that match, on top of what its route says.
 * Those that judge the request apply before anything looks at the settings;
 * those that judge the answer when its head is there. */
#include "common/base/check.h"
#include "worker/exch/crawler.h"
#include "worker/exch/exch.h"
#include "worker/exch/match.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/route/route.h"

/* An array of pointers with another one behind it, or that instead of it; *n is
 * its length. */
static const void *
rules_join(struct exch *x, const void *at, uint32_t *n, const void *more,
    uint32_t n_more, bool is_all)
{
	const void **joined;

	if (is_all)
		*n = 0;
	if (n_more == 0)
		return at;
	joined = arena_alloc(&x->arena, (*n + n_more) * sizeof(*joined));
	if (*n > 0)
		memcpy(joined, at, *n * sizeof(*joined));
	memcpy(joined + *n, more, n_more * sizeof(*joined));
	*n += n_more;
	return joined;
}

static void
rules_add_fields(struct exch *x, struct field_rules *to,
    const struct field_rules *more, bool is_all)
{
	to->at = rules_join(x, to->at, &to->n, more->at, more->n, is_all);
}

static void
rules_add_limits(struct exch *x, struct plan_limits *to,
    const struct plan_limits *more, bool is_all)
{
	to->at = rules_join(x, to->at, &to->n, more->at, more->n, is_all);
}

static void
rules_apply_canon(
    struct plan_canon *to, const struct plan_canon *from, unsigned says)
{
	if ((says & (PRESET_HOST | PRESET_HTTPS | PRESET_SLASH)) == 0)
		return;
	if (says & PRESET_HOST) {
		to->host = from->host;
		to->name = from->name;
		to->has_port = from->has_port;
	}
	if (says & PRESET_HTTPS)
		to->is_https = from->is_https;
	if (says & PRESET_SLASH)
		to->slash = from->slash;
	to->at = from->at;
	to->is_asked =
	    to->host.len > 0 || to->is_https || to->slash != PLAN_SLASH_OFF;
}

static void
rules_apply_presets(
    struct exch *x, struct plan_settings *to, const struct plan_rule *r)
{
	const struct plan_settings *from = &r->set;

	if (r->presets & PRESET_SECURITY)
		to->security = from->security;
	if (r->presets & PRESET_HIDE_ORIGIN)
		to->hides_origin = from->hides_origin;
	if (r->presets & PRESET_LOCATION) {
		to->rewrites_location = from->rewrites_location;
		to->rewrites_paths = from->rewrites_paths;
	}
	if (r->presets & PRESET_COOKIE)
		to->cookies.at = rules_join(x, to->cookies.at, &to->cookies.n,
		    from->cookies.at, from->cookies.n,
		    r->presets & PRESET_COOKIE_ALL);
	if (r->presets & PRESET_MAINTENANCE)
		to->maintenance = from->maintenance;
	if (r->presets & PRESET_CORS)
		to->cors = from->cors;
	if (r->presets & PRESET_MOVES)
		to->moves = from->moves;
	rules_apply_canon(&to->canon, &from->canon, r->presets);
	to->pages.at = rules_join(x, to->pages.at, &to->pages.n, from->pages.at,
	    from->pages.n, r->presets & PRESET_PAGES_ALL);
}

/* Rules are nearer than routes: their lines stand in front of those that a route
 * has, among themselves in file order. */
static void
rules_add_access(struct exch *x, struct plan_access *to,
    const struct plan_access *more, bool is_all)
{
	const struct acl_line **joined;

	if (is_all)
		*to = (struct plan_access){.judge = NULL};
	if (more->n == 0)
		return;
	joined = arena_alloc(&x->arena, (to->n + more->n) * sizeof(*joined));
	for (uint32_t i = 0; i < to->n_near; i++)
		joined[i] = to->at[i];
	for (uint32_t i = 0; i < more->n; i++)
		joined[to->n_near + i] = more->at[i];
	for (uint32_t i = to->n_near; i < to->n; i++)
		joined[more->n + i] = to->at[i];
	to->judge = more->judge;
	to->at = joined;
	to->n += more->n;
	to->n_near += more->n;
	to->has_allow |= more->has_allow;
}

/* The same with a list of which the first line that fits counts: those of the
 * last rule stand before all others. */
static const void *
rules_join_front(struct exch *x, const void *at, uint32_t *n, const void *more,
    uint32_t n_more, bool is_all)
{
	const void *joined;

	if (n_more == 0) {
		*n = is_all ? 0 : *n;
		return at;
	}
	joined = rules_join(x, more, &n_more, at, is_all ? 0 : *n, false);
	*n = n_more;
	return joined;
}

static void
rules_apply_lines(
    struct exch *x, struct plan_settings *to, const struct plan_rule *r)
{
	const struct plan_settings *from = &r->set;

	to->rewrites.at = rules_join_front(x, to->rewrites.at, &to->rewrites.n,
	    from->rewrites.at, from->rewrites.n, r->says & RULE_REWRITE_ALL);
	to->redirects.at = rules_join_front(x, to->redirects.at,
	    &to->redirects.n, from->redirects.at, from->redirects.n,
	    r->says & RULE_REDIRECT_ALL);
	to->substitute.at = rules_join_front(x, to->substitute.at,
	    &to->substitute.n, from->substitute.at, from->substitute.n,
	    r->says & RULE_SUBSTITUTE_ALL);
	if (r->says & RULE_SUBSTITUTE_TYPES) {
		to->substitute.types = from->substitute.types;
		to->substitute.n_types = from->substitute.n_types;
	}
}

static bool
rules_has_log(const struct plan_logs *logs, const struct access_log *l)
{
	for (uint32_t i = 0; i < logs->n; i++)
		if (logs->at[i] == l)
			return true;
	return false;
}

static void
rules_add_logs(struct plan_logs *to, const struct plan_logs *more, bool is_all)
{
	/* what only a default gave is no list to add to */
	if (is_all || !to->is_told)
		to->n = 0;
	to->is_told = true;
	for (uint32_t i = 0; i < more->n; i++) {
		if (rules_has_log(to, more->at[i]))
			continue;
		/* the plan was refused if that could happen */
		REQUIRE(to->n < PLAN_LOGS_MAX);
		to->at[to->n++] = more->at[i];
	}
}

static void
rules_apply_cache(struct exch *x, struct plan_cache *to,
    const struct plan_cache *from, unsigned says)
{
	if (says & RULE_CACHE) {
		to->cache = from->cache;
		to->at = from->at;
	}
	if (says & RULE_CACHE_TTL)
		to->ttl_s = from->ttl_s;
	if (says & RULE_CACHE_MIN_USES)
		to->min_uses = from->min_uses;
	if (says & RULE_CACHE_COOKIES) {
		to->has_cookies = from->has_cookies;
		to->cookies = from->cookies;
	}
	if (says & RULE_CACHE_PROFILE)
		to->is_letter = from->is_letter;
	to->bypass = rules_join(x, to->bypass, &to->n_bypass, from->bypass,
	    from->n_bypass, says & RULE_BYPASS_ALL);
}

static void
rules_apply_compress(struct plan_compress *to, const struct plan_compress *from)
{
	if (from->told & COMPRESS_ORDER) {
		memcpy(to->order, from->order, sizeof(to->order));
		to->n = from->n;
		to->at = from->at;
	}
	if (from->told & COMPRESS_MIN_LENGTH)
		to->min_length = from->min_length;
	if (from->told & COMPRESS_TYPES) {
		to->types = from->types;
		to->n_types = from->n_types;
	}
	for (int c = 0; c < CODING_N; c++)
		if ((from->told & COMPRESS_LEVEL) && from->levels_told >> c & 1)
			to->level[c] = from->level[c];
	if (from->told & COMPRESS_CROSS_SITE)
		to->is_same_site = from->is_same_site;
	if (from->told & COMPRESS_DECODES)
		to->decodes = from->decodes;
	if (from->told & COMPRESS_DECODE_MAX)
		to->decode_max = from->decode_max;
	if (from->told & COMPRESS_OFFER)
		to->offer = from->offer;
}

static void
rules_apply(struct exch *x, struct plan_settings *to, const struct plan_rule *r)
{
	const struct plan_settings *from = &r->set;

	if (r->says & RULE_HANDLER) {
		to->handler = from->handler;
		to->handler_conf = from->handler_conf;
		to->handler_at = from->handler_at;
		to->server_names = from->server_names;
	}
	if (r->says & RULE_INDEX)
		to->index = from->index;
	/* who is named as the one who answers, answers all */
	if (r->says & (RULE_HANDLER | RULE_SPLIT))
		to->split = from->split;
	if (r->says & RULE_AUTH)
		to->auth = from->auth;
	if (r->says & RULE_BANDWIDTH)
		to->bandwidth = from->bandwidth;
	if (r->says & RULE_WAF)
		to->waf = from->waf;
	if (r->says & RULE_WORK)
		to->asks_work = from->asks_work;
	if (r->says & RULE_MIRROR)
		to->mirror = from->mirror;
	if (r->says & RULE_STRIP_PREFIX)
		to->strip_prefix = from->strip_prefix;
	if (r->says & RULE_ADD_PREFIX)
		to->add_prefix = from->add_prefix;
	if (r->says & RULE_MAX_BODY) {
		to->max_body = from->max_body;
		to->max_body_at = from->max_body_at;
	}
	if (r->says & RULE_TIMEOUT)
		to->timeout_ms = from->timeout_ms;
	if (r->says & RULE_WEBSOCKET)
		to->allows_websocket = from->allows_websocket;
	if (r->says & RULE_HSTS)
		to->hsts = from->hsts;
	rules_apply_lines(x, to, r);
	rules_apply_presets(x, to, r);
	rules_add_access(
	    x, &to->access, &from->access, r->says & RULE_ACCESS_ALL);
	rules_add_limits(
	    x, &to->limits, &from->limits, r->says & RULE_LIMITS_ALL);
	rules_apply_cache(x, &to->cache, &from->cache, r->says);
	rules_apply_compress(&to->compress, &from->compress);
	if (r->says & RULE_LOGS)
		rules_add_logs(&to->logs, &from->logs, r->says & RULE_LOGS_ALL);
	rules_add_fields(x, &to->request_fields, &from->request_fields,
	    r->says & RULE_REQUEST_ALL);
	rules_add_fields(x, &to->hidden_fields, &from->hidden_fields,
	    r->says & RULE_HIDDEN_ALL);
	rules_add_fields(x, &to->response_fields, &from->response_fields,
	    r->says & RULE_RESPONSE_ALL);
}

/* One line. Who it is, or which crawler, is asked when a line wants to know: *v is
 * NEXT when that is settled. */
static enum match_rc
rules_judge_line(struct exch *x, const struct plan_term *line, enum verdict *v)
{
	enum match_rc rc = match_eval(line->match, x);

	*v = VERDICT_NEXT;
	if (rc != MATCH_WAIT_USER && rc != MATCH_WAIT_CRAWLER)
		return rc;
	*v = rc == MATCH_WAIT_USER ? identity_need_user(x) : crawler_need(x);
	return *v == VERDICT_NEXT ? match_eval(line->match, x) : rc;
}

/* Whether all lines match; *line is the one that decided it otherwise. */
static enum match_rc
rules_judge(struct exch *x, const struct plan_rule *r,
    const struct plan_term **line, enum verdict *v)
{
	for (uint32_t i = 0; i < r->n_terms; i++) {
		enum match_rc rc;

		*line = &r->terms[i];
		rc = rules_judge_line(x, *line, v);
		if (rc != MATCH_YES)
			return rc;
	}
	return MATCH_YES;
}

static enum verdict
rules_fault(struct exch *x)
{
	exch_fault_as(x, F_INTERNAL, 0,
	    "a rule's regex needed too many steps for this exchange");
	return VERDICT_FAULT;
}

/* Judge a rule and apply it. */
static enum verdict
rules_run_one(
    struct exch *x, struct plan_settings **own, const struct plan_rule *r)
{
	const struct plan_term *line = NULL;
	enum verdict v = VERDICT_NEXT;

	switch (rules_judge(x, r, &line, &v)) {
	case MATCH_NO:
		sink_note(x, "rule", line->at, "%.*s does not match: %.*s",
		    SPAN_FMT(r->name), SPAN_FMT(line->text));
		return VERDICT_NEXT;
	case MATCH_LIMIT:
		sink_note(x, "rule", line->at,
		    "%.*s needs too many steps: %.*s", SPAN_FMT(r->name),
		    SPAN_FMT(line->text));
		return x->is_settled ? VERDICT_NEXT : rules_fault(x);
	case MATCH_WAIT_USER:
	case MATCH_WAIT_CRAWLER:
		return v;
	case MATCH_YES:
		break;
	case MATCH_WAIT_ADDR:
		/* no variable of a rule is an address that is resolved */
		UNREACHED();
	}
	trail_add(x, DECISION_RULE, &r->at, r->name);
	sink_note(x, "rule", r->at, "%.*s matches", SPAN_FMT(r->name));
	if (*own == NULL) {
		*own = arena_alloc(&x->arena, sizeof(**own));
		**own = *x->set;
		x->set = *own;
	}
	rules_apply(x, *own, r);
	return VERDICT_NEXT;
}

/* All rules that can be judged at this point, as far as the first that ends
 * that. */
static enum verdict
rules_run(struct exch *x, enum var_when when)
{
	struct plan_settings *own = NULL;
	enum verdict v = VERDICT_NEXT;

	for (uint32_t i = 0; i < x->site->n_rules && v == VERDICT_NEXT; i++) {
		const struct plan_rule *r = &x->site->rules[i];

		if (r->when == when)
			v = rules_run_one(x, &own, r);
		else if (r->when > when)
			sink_note(x, "rule", r->at, "%.*s waits for the answer",
			    SPAN_FMT(r->name));
	}
	return v;
}

enum verdict
stage_rules(struct exch *x)
{
	const struct plan_settings *before = x->set;
	enum verdict v = rules_run(x, VAR_WHEN_REQUEST);

	/* it runs again, from the first rule on */
	if (v == VERDICT_WAIT)
		x->set = before;
	else
		x->request_set = x->set;
	return v;
}

enum verdict
stage_answer_rules(struct exch *x)
{
	if (x->site == NULL)
		return VERDICT_NEXT;
	/* another answer may have been here before a fault took its place */
	if (x->request_set != NULL)
		x->set = x->request_set;
	/* the answer that says what went wrong is not judged again */
	return rules_run(x, VAR_WHEN_RESPONSE);
}
