/* front/gate: refusals are told by counters, and to the log once in a while: a
 * flood must not become a flood of lines. */
#include "worker/front/gate.h"

#include <inttypes.h>

#include "common/base/log.h"
#include "common/store/bans.h"
#include "common/store/headcount.h"
#include "worker/front/conn.h"

static void
gate_tell(struct conn *k, enum turned_away why, enum counter_id counter)
{
	static const char *const texts[] = {
	    [TURNED_BANNED] = "connections reset why=banned",
	    [TURNED_OVER] = "connections reset why=max_connections_per_ip",
	    [TURNED_UNCOUNTED] = "connections not counted by address",
	};
	uint64_t now_ms = clock_mono_ms(worker_clock(k->w));
	uint64_t n = seldom_count(&k->w->turned[why], now_ms);
	char peer[IP_TEXT_CAP];

	counter_add(k->w->counters, counter, 1);
	if (n == 0)
		return;
	(void)ip_format(&k->peer, peer);
	log_msg(LOG_NOTICE, "%s listen=%.*s peer=%s n=%" PRIu64, texts[why],
	    SPAN_FMT(k->listen->name), peer, n);
}

static bool
gate_count(struct conn *k)
{
	const struct boot *b = k->w->boot;
	struct slot_name me = {b->slot, b->incarnation};

	switch (headcount_enter(b->headcount, b->slots, me, k->listen->name,
	    &k->peer, k->listen->max_per_ip, &k->headcount)) {
	case HEADCOUNT_OK:
		return true;
	case HEADCOUNT_REFUSED:
		gate_tell(k, TURNED_OVER, COUNTER_CONNECTIONS_OVER);
		return false;
	case HEADCOUNT_UNKNOWN:
		gate_tell(k, TURNED_UNCOUNTED, COUNTER_CONNECTIONS_UNCOUNTED);
		return true;
	}
	UNREACHED();
}

bool
gate_enter(struct conn *k)
{
	const struct boot *b = k->w->boot;

	/* a proxy that is trusted stands for many; nor does a dry run count */
	if (k->is_unix || b->bans == NULL ||
	    plan_trusts(k->listen, &k->peer, false))
		return true;
	if (bans_has(b->bans, &k->peer, clock_mono_ms(worker_clock(k->w)))) {
		gate_tell(k, TURNED_BANNED, COUNTER_CONNECTIONS_BANNED);
		return false;
	}
	return k->listen->max_per_ip == 0 || gate_count(k);
}

void
gate_leave(struct conn *k)
{
	const struct boot *b = k->w->boot;

	if (k->headcount == 0)
		return;
	headcount_leave(b->headcount,
	    (struct slot_name){b->slot, b->incarnation}, k->headcount);
	k->headcount = 0;
}
