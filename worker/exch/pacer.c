/* exch/pacer: asks for the time of one piece after the other, and sleeps until
 * it has come. Who calls it: the exchange's driver, between filters and front.
 */
#include "worker/exch/pacer.h"

#include <inttypes.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"

/* Content that may go and that the client has not taken yet. */
#define PACER_HIGH (64u * 1024)
/* A piece is what goes in half of the time that may go at once, so that a timer
 * that is late costs nothing; and no more than there is room for. */
#define PACER_PIECES_PER_S (2 * UINT64_C(1000000) / LIMITS_FLOW_AHEAD_US)
#define PACER_US_PER_MS 1000u

struct pacer {
	struct exch *x;
	const struct plan_bandwidth *set;
	span key;
	struct body *from; /* x->out as it was */
	uint64_t tat; /* of this answer alone; as in a cell of store/limits */
	uint32_t piece; /* bytes whose time was asked for */
	bool is_waiting; /* for that time */
	struct timer timer;
	struct body out;
};

static uint64_t
pacer_now_us(const struct pacer *p)
{
	return worker_clock(p->x->w)->mono_us;
}

static void
pacer_on_timer(void *self)
{
	struct pacer *p = self;

	p->is_waiting = false;
	exch_kick(p->x);
}

void
pacer_begin(struct exch *x, const struct plan_bandwidth *set, span key)
{
	struct pacer *p = arena_zalloc(&x->arena, sizeof(*p));

	REQUIRE(!x->is_begun && x->pacer == NULL);
	p->x = x;
	p->set = set;
	p->key = key;
	p->from = x->out;
	timer_init(&p->timer, pacer_on_timer, p);
	body_init(&p->out, PACER_HIGH);
	x->pacer = p;
	x->out = &p->out;
}

/* A table that forgets a key lets it begin anew; a place whose writer died is
 * mended soon. Neither goes unsaid. */
static void
pacer_tell(const struct pacer *p, bool is_counted)
{
	struct limits *l = p->set->table;

	if (!is_counted)
		counter_add(p->x->w->counters, COUNTER_LIMIT_UNKNOWN, 1);
	if (limits_may_tell(l, pacer_now_us(p)))
		log_msg(LOG_WARN,
		    "limit_bandwidth is not exact keys_forgotten=%" PRIu64
		    " not_counted=%" PRIu64,
		    limits_count(l, LIMITS_COUNT_EVICTED),
		    limits_count(l, LIMITS_COUNT_UNKNOWN));
}

/* Microseconds until so many bytes may go, which are counted. */
static uint64_t
pacer_ask(struct pacer *p, uint64_t bytes)
{
	const struct boot *b = p->x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	uint64_t wait_us = 0;
	bool is_counted;

	if (!p->set->is_shared)
		return limits_flow_pass(
		    &p->set->flow, &p->tat, bytes, pacer_now_us(p));
	is_counted = limits_flow_take(p->set->table, b->slots, me, p->key,
	    &p->set->flow, bytes, pacer_now_us(p), &wait_us);
	pacer_tell(p, is_counted);
	return is_counted ? wait_us : 0;
}

/* Choose the next piece of what is at hand. Whether it may go now. */
static bool
pacer_next(struct pacer *p)
{
	uint64_t piece = u64_max(p->set->flow.rate / PACER_PIECES_PER_S, 1);
	uint64_t wait_us;

	p->piece = (uint32_t)u64_min(p->from->len, u64_min(piece, PACER_HIGH));
	wait_us = pacer_ask(p, p->piece);
	if (wait_us == 0)
		return true;
	p->is_waiting = true;
	loop_timer_set(p->x->w->loop, &p->timer,
	    (wait_us + PACER_US_PER_MS - 1) / PACER_US_PER_MS);
	return false;
}

bool
pacer_run(struct exch *x)
{
	struct pacer *p = x->pacer;
	bool moved = false;

	if (p->out.state != BODY_OPEN)
		return false;
	if (p->from->state == BODY_ABORTED) {
		body_abort(&p->out, p->from->fault);
		return true;
	}
	while (!p->is_waiting && p->from->len > 0 && body_room(&p->out) > 0) {
		if (p->piece == 0 && !pacer_next(p))
			break;
		p->piece -= (uint32_t)body_pass(
		    p->from, &p->out, p->piece, &x->w->bufs);
		moved = true;
	}
	if (p->from->state == BODY_LAST && p->from->len == 0) {
		body_end(&p->out);
		moved = true;
	}
	return moved;
}

void
pacer_drop(struct exch *x)
{
	struct pacer *p = x->pacer;

	loop_timer_clear(x->w->loop, &p->timer);
	if (p->piece > 0 && p->set->is_shared)
		limits_flow_give_back(p->set->table, p->key, &p->set->flow,
		    p->piece, pacer_now_us(p));
	body_fini(&p->out);
	x->out = p->from;
	x->pacer = NULL;
}
