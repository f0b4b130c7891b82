/* rate/rate_prepare: a [limit] section compiled for serving. */
#include "common/base/check.h"
#include "common/store/tenants.h"
#include "worker/exch/key.h"
#include "worker/rate/rate_int.h"

static void
prepare_rate_key(
    struct rate *r, const struct conf_scope *s, struct arena *a, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_LIMIT_KEY);
	struct var_src src = {conf_text(s, KEY_LIMIT_KEY),
	    v == NULL ? r->at : v->at, VAR_WHEN_REQUEST};

	(void)tmpl_prepare(&r->key, a, &src, d);
	r->is_by_user = key_is_of_user(&r->key);
}

static void
prepare_rate_rule(struct rate *r, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_LIMIT_RATE);

	if (v == NULL || v->is_none) {
		diag_error(d, r->at,
		    "limit '%.*s' needs a rate, for example rate = 20/s",
		    SPAN_FMT(r->name));
		return;
	}
	if (!limits_rule_make(&r->rule, (uint64_t)v->num, r->burst, r->delay))
		diag_error(d, v->at,
		    "so many requests at once are more than two years' worth "
		    "at this rate");
}

struct rate *
rate_prepare(const struct boot *b, const struct conf_section *sec,
    struct arena *a, struct diag *d)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	struct rate *r = arena_zalloc(a, sizeof(*r));

	r->name = sec->name;
	r->at = sec->at;
	r->table = claims_limit(b->claims, sec->name);
	r->burst = (uint64_t)conf_num(&s, KEY_LIMIT_BURST);
	r->delay = (uint64_t)conf_num(&s, KEY_LIMIT_DELAY);
	r->status = (unsigned)conf_num(&s, KEY_LIMIT_STATUS);
	r->ipv6_prefix = (unsigned)conf_num(&s, KEY_LIMIT_IPV6_PREFIX);
	r->ban_ms = (uint64_t)conf_num(&s, KEY_LIMIT_BAN);
	r->is_dry = span_eq(conf_text(&s, KEY_LIMIT_MODE), SPAN_LIT("dry_run"));
	prepare_rate_key(r, &s, a, d);
	prepare_rate_rule(r, &s, d);
	return r;
}
