/* up/up_explain: the upstream in a dry run: what would be sent, and to whom, by
 * the same code that sends. Opens nothing. */
#include <inttypes.h>

#include "common/base/service_name.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/up/up_hedge.h"
#include "worker/up/up_sticky.h"
#include "worker/up/up_try.h"

/* The servers in the order in which a worker that knows nothing yet would try
 * them. */
static void
explain_servers(struct up_try *t)
{
	struct exch *x = t->x;
	struct up_server *s;

	while ((s = up_group_pick(t->group, x, t->skip)) != NULL) {
		uint32_t i = (uint32_t)(s - t->group->servers);

		if (t->server == NULL) {
			t->server = s;
			x->origin.server = s->conf->text;
			x->origin.server_at = s->conf->at;
		}
		t->skip[i / 64] |= UINT64_C(1) << (i % 64);
		sink_note(x, "server", s->conf->at, "%.*s%s%s",
		    SPAN_FMT(s->conf->text),
		    service_name_is(s->conf->host) ? ", a service" : "",
		    s->conf->is_backup ? ", when no other is left"
		    : s->conf->is_far  ? ", of another zone"
				       : "");
		if (s->conf->max_connections > 0)
			sink_note(x, "limit", s->conf->at,
			    "%u requests at once to %.*s",
			    s->conf->max_connections, SPAN_FMT(s->conf->text));
	}
}

/* What may make the request wait, or end it. */
static void
explain_limits(const struct upstream *u, struct exch *x)
{
	const struct conf_places *l = &u->limits;

	if (l->most > 0)
		sink_note(x, "limit", u->at,
		    "%u requests at once to all servers", l->most);
	if (l->is_adaptive)
		sink_note(x, "limit", u->at,
		    "as many at once as servers were found to bear");
	if (l->room > 0)
		sink_note(x, "queue", u->at,
		    "%u requests may wait for a place, %llums each", l->room,
		    (unsigned long long)l->wait_ms);
}

enum verdict
try_explain(struct up_try *t)
{
	struct exch *x = t->x;
	unsigned status = x->sink->answer_status;

	t->state = UP_DONE;
	explain_limits(t->group->conf, x);
	explain_servers(t);
	if (t->server == NULL) {
		exch_fault(x, F_NO_SERVER, 0);
		return VERDICT_FAULT;
	}
	t->ops->explain(t);
	if (hedge_is_for(t) && t->group->conf->hedge_percent != 0)
		sink_note(x, "hedge", t->group->conf->hedge_at,
		    "a second server is asked when there is no head after what "
		    "%" PRIu32 " of 100 answers take, %" PRIu64 " ms at least",
		    t->group->conf->hedge_percent, t->group->conf->hedge_ms);
	else if (hedge_is_for(t))
		sink_note(x, "hedge", t->group->conf->hedge_at,
		    "a second server is asked when there is no head after "
		    "%" PRIu64 " ms",
		    t->group->conf->hedge_ms);
	sink_note(x, "assumed", SINK_NOWHERE, "the server answers %u", status);
	exch_reply(x, status, span_of(NULL, 0), span_of(NULL, 0));
	x->is_own_answer = false;
	x->origin.status = (uint16_t)status;
	up_sticky_answered(
	    t->group, x, (uint32_t)(t->server - t->group->servers), &x->resp);
	return VERDICT_REPLY;
}
