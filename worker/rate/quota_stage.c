/* rate/quota_stage: `quota` of a [forward]: who has used up what may be moved
 * in a day is refused; everybody else is counted. How is exch/meter's business. */
#include <time.h>

#include "common/base/zone.h"
#include "common/conf/conf_per.h"
#include "worker/exch/exch.h"
#include "worker/exch/key.h"
#include "worker/exch/meter.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/rate/rate.h"

/* Days of the past are over. */
#define ZONE_BEFORE_S 86400

static const struct zone *
quota_zone(const struct conf_per *per, struct arena *a, struct diag *d)
{
	struct zone *z = arena_alloc(a, sizeof(*z));

	if (!zone_load(z, per->zone, (int64_t)time(NULL) - ZONE_BEFORE_S))
		diag_error(d, per->zone_at,
		    "the system's database of time zones has no '%.*s'; a name "
		    "of it is for example Europe/Berlin",
		    SPAN_FMT(per->zone));
	return z;
}

const struct plan_quota *
quota_prepare(const struct conf_section *sec, struct arena *a, struct diag *d)
{
	const struct conf_value *v = sec->first[KEY_FORWARD_QUOTA];
	struct plan_quota *q;
	struct conf_per per;
	struct var_src src;

	/* what is wrong with it was told when it was read */
	if (v == NULL || v->is_none || !conf_per_read(v, &per, NULL))
		return NULL;
	q = arena_zalloc(a, sizeof(*q));
	q->at = v->at;
	q->limit = per.amount;
	q->of = sec->name;
	q->text = v->text;
	q->from_s = per.from_s;
	q->zone = quota_zone(&per, a, d);
	src = (struct var_src){per.per, per.per_at, VAR_WHEN_REQUEST};
	(void)tmpl_prepare(&q->key, a, &src, d);
	q->has_user = key_is_of_user(&q->key);
	return q;
}

enum verdict
stage_quota(struct exch *x)
{
	const struct plan_quota *q = x->set->quota;
	uint64_t used = 0;

	if (q == NULL)
		return VERDICT_NEXT;
	sink_note(x, "quota", q->at, "%.*s", SPAN_FMT(q->text));
	trail_add(x, DECISION_QUOTA, &q->at, q->text);
	if (x->sink != NULL)
		return VERDICT_NEXT;
	if (!meter_used(x, q, &used) || used < q->limit) {
		meter_begin(x, q);
		return VERDICT_NEXT;
	}
	counter_add(x->w->counters, COUNTER_QUOTA_OVER, 1);
	exch_fault(x, F_QUOTA, 0);
	return VERDICT_FAULT;
}
