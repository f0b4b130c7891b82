/* rate/ban_stage: stage `ban`. Most who are banned do not come this far: their
 * connections are reset when they are accepted (front/gate). Here are those who
 * were connected already, and those whose address only a proxy knows. */
#include "worker/exch/ban.h"
#include "worker/exch/exch.h"
#include "worker/rate/rate.h"

enum verdict
stage_ban(struct exch *x)
{
	/* a dry run asks the configuration, not what clients did */
	if (x->sink != NULL || !ban_holds(x))
		return VERDICT_NEXT;
	counter_add(x->w->counters, COUNTER_REQUESTS_BANNED, 1);
	x->is_unwelcome = !x->client.is_trusted;
	exch_fault(x, F_BANNED, 0);
	return VERDICT_FAULT;
}
