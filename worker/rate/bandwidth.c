/* rate/bandwidth: `limit_bandwidth`: which answers are paced, and whom they
 * count for. How is exch/pacer's business. */
#include "common/base/check.h"
#include "common/conf/conf_per.h"
#include "common/store/tenants.h"
#include "worker/exch/exch.h"
#include "worker/exch/key.h"
#include "worker/exch/pacer.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/rate/rate.h"

/* What tells keys of a line from those of others: the section it stands in, for
 * whichever routes it holds; it stays the same over a reload. */
static span
bandwidth_of(
    const struct conf_scope *s, const struct conf_value *v, struct arena *a)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct conf_section *sec = s->at[i];

		if (sec != NULL && sec->first[v->key] == v)
			return arena_printf(a, "%s %.*s %.*s\n",
			    conf_type_name(sec->type), SPAN_FMT(sec->name),
			    SPAN_FMT(sec->path));
	}
	UNREACHED();
}

struct plan_bandwidth *
bandwidth_prepare(const struct claims *c, const struct conf_scope *s,
    const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct plan_bandwidth *b = arena_zalloc(a, sizeof(*b));
	struct conf_per per;

	/* what is wrong with it was told when it was read */
	(void)conf_per_read(v, &per, NULL);
	b->at = v->at;
	b->flow = (struct limits_flow){
	    .rate = per.amount,
	    .ahead = UINT64_C(1) * LIMITS_FLOW_AHEAD_US * LIMITS_UNITS_PER_US,
	};
	b->is_shared = per.per.len > 0;
	if (b->is_shared) {
		struct var_src src = {per.per, per.per_at, VAR_WHEN_REQUEST};

		(void)tmpl_prepare(&b->key, a, &src, d);
		b->of = bandwidth_of(s, v, a);
		b->table = claims_bandwidths(c);
	}
	return b;
}

static span
bandwidth_key(struct exch *x, const struct plan_bandwidth *b)
{
	span parts[2] = {b->of};

	if (!b->is_shared)
		return span_of(NULL, 0);
	parts[1] = key_render(x, &b->key, KEY_IPV6_PREFIX);
	return arena_concat(&x->arena, parts, 2);
}

enum verdict
stage_pace(struct exch *x)
{
	const struct plan_bandwidth *b = x->set->bandwidth;
	span key;

	if (b == NULL)
		return VERDICT_NEXT;
	key = bandwidth_key(x, b);
	if (x->sink == NULL)
		pacer_begin(x, b, key);
	else if (b->is_shared)
		/* behind the section, and without the end of its line */
		sink_note(x, "limit_bandwidth", b->at,
		    "shared by all of '%.*s'",
		    SPAN_FMT(
			span_of(key.p + b->of.len, key.len - b->of.len - 1)));
	else
		sink_note(x, "limit_bandwidth", b->at, "of this answer");
	return VERDICT_NEXT;
}
