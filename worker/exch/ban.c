/* exch/ban: the client of an exchange and the list that all workers share. */
#include "worker/exch/ban.h"

#include <inttypes.h>

#include "common/base/log.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"

/* A trusted proxy stands for many: what one of them did is not its fault. */
static bool
ban_may_hit(const struct exch *x)
{
	const struct exch_client *c = &x->client;

	return x->sink == NULL && x->w->boot->bans != NULL &&
	       exch_client_has_ip(c) && !plan_trusts(x->listen, &c->ip, false);
}

void
ban_client(struct exch *x, enum ban_why why, uint64_t for_ms)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	char client[IP_TEXT_CAP];

	if (!ban_may_hit(x))
		return;
	x->is_unwelcome = !x->client.is_trusted;
	if (ban_holds(x) || !bans_add(b->bans, b->slots, me, &x->client.ip, why,
				clock_mono_ms(worker_clock(x->w)), for_ms))
		return;
	counter_add(x->w->counters, COUNTER_BANS, 1);
	if (!log_is_on(LOG_INFO))
		return;
	(void)ip_format(&x->client.ip, client);
	log_msg(LOG_INFO, "client banned client=%s why=%s for_s=%" PRIu64,
	    client, ban_why_name(why), for_ms / 1000);
}

bool
ban_holds(const struct exch *x)
{
	const struct bans *b = x->w->boot->bans;

	return b != NULL && exch_client_has_ip(&x->client) &&
	       bans_has(b, &x->client.ip, clock_mono_ms(worker_clock(x->w)));
}
