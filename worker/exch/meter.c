/* exch/meter: a few pieces a quota are counted at once, so that the count costs
 * next to nothing and is passed by no more than one of them an exchange. */
#include "worker/exch/meter.h"

#include "common/base/num.h"
#include "common/base/zone.h"
#include "common/store/quotas.h"
#include "worker/exch/exch.h"
#include "worker/exch/key.h"
#include "worker/exch/plan.h"

/* Pieces of a quota, and the most of one. */
#define METER_PIECES 256u
#define METER_PIECE_MAX (64u * 1024)

struct meter {
	const struct plan_quota *set; /* NULL: it has ended */
	span name;
	uint64_t counted; /* bytes of the exchange, so far */
};

/* NAME of the [forward], and the key without the end of its last line. */
static span
meter_name(struct exch *x, const struct plan_quota *q)
{
	span key = key_render(x, &q->key, KEY_IPV6_PREFIX);
	span parts[] = {
	    q->of, SPAN_LIT(" "), span_first(key, key.len - (key.len > 0))};

	return arena_concat(&x->arena, parts, NELEMS(parts));
}

static bool
meter_spend(struct exch *x, const struct plan_quota *q, span name,
    uint64_t bytes, uint64_t *used)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	int32_t day =
	    zone_day(q->zone, clock_wall_s(worker_clock(x->w)), q->from_s);

	if (quotas_spend(b->quotas, b->slots, me, name, day, bytes, used))
		return true;
	counter_add(x->w->counters, COUNTER_QUOTA_UNKNOWN, 1);
	return false;
}

bool
meter_used(struct exch *x, const struct plan_quota *q, uint64_t *used)
{
	return meter_spend(x, q, meter_name(x, q), 0, used);
}

void
meter_begin(struct exch *x, const struct plan_quota *q)
{
	struct meter *m = arena_zalloc(&x->arena, sizeof(*m));

	m->set = q;
	m->name = meter_name(x, q);
	x->meter = m;
}

static uint64_t
meter_moved(const struct exch *x)
{
	return x->bytes_in + x->bytes_out - x->meter->counted;
}

/* What moved; whether there was more to move. */
static bool
meter_count(struct exch *x)
{
	struct meter *m = x->meter;
	uint64_t moved = meter_moved(x);
	uint64_t used = 0;

	m->counted += moved;
	return !meter_spend(x, m->set, m->name, moved, &used) ||
	       used < m->set->limit;
}

void
meter_run(struct exch *x)
{
	struct meter *m = x->meter;
	uint64_t piece;

	if (m->set == NULL)
		return;
	piece = u64_min(m->set->limit / METER_PIECES + 1, METER_PIECE_MAX);
	if (meter_moved(x) < piece || meter_count(x) || x->is_sent)
		return;
	counter_add(x->w->counters, COUNTER_QUOTA_OVER, 1);
	exch_fault(x, F_QUOTA, 0);
}

uint32_t
meter_pipe_cap(const struct exch *x)
{
	return x->meter != NULL ? METER_PIECE_MAX : PIPE_CAP;
}

void
meter_end(struct exch *x)
{
	if (x->meter == NULL || x->meter->set == NULL)
		return;
	if (meter_moved(x) > 0)
		(void)meter_count(x);
	x->meter->set = NULL;
}
