/* route/split: `split`: which upstream gets a request, by its share. The
 * handler stays what it is; only whom it asks changes. */
#include "common/base/check.h"
#include "common/conf/conf_share.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/share.h"
#include "worker/exch/sink.h"
#include "worker/exch/tmpl.h"
#include "worker/route/route.h"

static_assert(SHARE_WHOLE == CONF_SHARE_ALL, "one unit for shares");

/* Where the request stands among all. */
static uint32_t
split_place(struct exch *x, const struct plan_split *s)
{
	span key;

	if (!s->has_key) {
		/* a dry run takes nobody's turn; what is left is the most
		 * likely */
		return x->sink != NULL ? SHARE_WHOLE
				       : share_turn(x->w, SHARE_SPLIT);
	}
	key = tmpl_render(&s->key, x, TMPL_PLAIN);
	if (key.len == 0)
		key = span_of(
		    (const char *)x->client.ip.b, sizeof(x->client.ip.b));
	return share_place(key);
}

static void
split_note(struct exch *x, const struct plan_split *s, uint32_t place,
    const struct plan_share *chosen)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct plan_share *one = &s->shares[i];

		sink_note(x, "split", one->at, "%u.%u%% to %.*s%s",
		    one->tenths / 10, one->tenths % 10, SPAN_FMT(one->upstream),
		    one == chosen ? ": this one" : "");
	}
	if (s->has_key)
		sink_note(x, "split", SINK_NOWHERE, "by %.*s: at %u.%u%%",
		    SPAN_FMT(s->key_text), place / 10, place % 10);
	else
		sink_note(x, "split", SINK_NOWHERE,
		    "by turns; this one is taken to be of the rest");
}

static const struct plan_share *
split_choose(const struct plan_split *s, uint32_t place)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (place < s->shares[i].below)
			return &s->shares[i];
	return NULL;
}

enum verdict
stage_split(struct exch *x)
{
	const struct plan_split *s = x->set->split;
	const struct plan_share *chosen;
	struct plan_settings *own;
	uint32_t place;

	/* a rule's shares may meet a route that answers by itself */
	if (s == NULL || x->set->handler != s->handler)
		return VERDICT_NEXT;
	place = split_place(x, s);
	chosen = split_choose(s, place);
	split_note(x, s, place, chosen);
	if (chosen == NULL)
		return VERDICT_NEXT;
	own = arena_alloc(&x->arena, sizeof(*own));
	*own = *x->set;
	own->handler_conf = chosen->conf;
	own->handler_at = chosen->at;
	x->set = x->request_set = own;
	if (x->sink == NULL)
		counter_add(x->w->counters, COUNTER_SPLITS, 1);
	return VERDICT_NEXT;
}
