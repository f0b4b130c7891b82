/* up/up_pause: how long, how often, how many. The wait is for a moment: when an
 * upstream is away for longer than connect_timeout, its clients get their error
 * at once until it is back. */
#include "worker/up/up_pause.h"

#include "common/base/num.h"
#include "common/store/reach.h"
#include "worker/exch/plan.h"
#include "worker/up/up_try.h"

/* Of one upstream in one worker: who comes then gets the error at once. */
#define PAUSED_MAX 1024u
/* The first pause, and the longest: as many tries as a server bears that just
 * begins, and soon enough that nobody feels it. */
#define PAUSE_MIN_MS 25u
#define PAUSE_MAX_MS 200u
/* Doublings from one to the other. */
#define PAUSE_STEPS 3u
/* How many go on because a connection came about; each of theirs wakes so many
 * more, so that a server which just began is not run down. */
#define PAUSE_WAKES 4u

/* Where it stands that some worker waits. */
static uint32_t
pause_id(const struct up_group *g)
{
	return g->conf->servers[0].id;
}

void
pause_init(struct up_group *g)
{
	list_init(&g->away.waiting);
	/* workers begin at the same time, and are not to go on so */
	g->away.seed = worker_clock(g->w)->mono_us * 2 + 1 + g->w->boot->slot;
	if (g->away.seed == 0)
		g->away.seed = 1;
}

/* Half to the whole of it, so that those who failed together do not come back
 * together. xorshift64, as in lb_random_two. */
static uint64_t
pause_ms(struct up_away *a, uint32_t n_before)
{
	uint64_t ms =
	    n_before < PAUSE_STEPS ? PAUSE_MIN_MS << n_before : PAUSE_MAX_MS;

	a->seed ^= a->seed << 13;
	a->seed ^= a->seed >> 7;
	a->seed ^= a->seed << 17;
	return ms / 2 + 1 + a->seed % (ms / 2);
}

static uint64_t
left_ms(uint64_t all_ms, uint64_t since_ms, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - since_ms;

	return all_ms > passed_ms ? all_ms - passed_ms : 0;
}

/* Note that nobody can be reached; what is left of the time in which that is
 * waited for, by all and by this one. */
static uint64_t
pause_left_ms(struct up_try *t)
{
	struct up_away *a = &t->group->away;
	uint64_t most_ms = t->group->conf->connect_timeout_ms;
	uint64_t now_ms = try_now_ms(t);
	/* what was sent had found a server */
	uint64_t since_ms = t->is_any_sent ? now_ms : t->aimed_ms;

	/* what nobody looked at for so long is another time */
	if (a->since_ms <= a->reached_ms || now_ms - a->seen_ms > most_ms)
		a->since_ms = since_ms;
	a->seen_ms = now_ms;
	if (t->pause.n == 0)
		t->pause.since_ms = since_ms;
	return u64_min(left_ms(most_ms, a->since_ms, now_ms),
	    left_ms(most_ms, t->pause.since_ms, now_ms));
}

/* What broke on the request, or in the handshake, may have done so because of
 * it: once more, to see. */
static bool
pause_may_see(struct up_try *t, enum fault_id why, int err)
{
	bool is_broken = (why == F_ORIGIN_RESET &&
			     (t->group->conf->retry & UP_RETRY_RESET)) ||
			 (why == F_ORIGIN_TLS && err != 0);

	if (!is_broken || t->pause.is_resent)
		return false;
	t->pause.is_resent = true;
	return true;
}

/* What was sent to nobody, since nobody was there. */
static bool
pause_is_for(enum fault_id why)
{
	return why == F_ORIGIN_CONNECT || why == F_ORIGIN_CONNECT_TIMEOUT ||
	       why == F_ORIGIN_NAME;
}

bool
pause_begin(struct up_try *t, enum fault_id why, int err)
{
	struct up_away *a = &t->group->away;
	uint64_t most_ms;

	/* beside another one: what fails is left to that */
	if (!(t->group->conf->retry & UP_RETRY_CONNECT) || t->told != NULL ||
	    t->x->is_spare || !try_may_come_back(t) ||
	    (!t->pause.is_counted && a->n_waiting >= PAUSED_MAX))
		return false;
	if (!pause_is_for(why) && !pause_may_see(t, why, err))
		return false;
	most_ms = u64_min(pause_left_ms(t), try_total_left(t));
	if (most_ms == 0)
		return false;
	try_uncount(t);
	if (t->pause.n == 0)
		counter_add(t->x->w->counters, COUNTER_AWAITED, 1);
	t->state = UP_PAUSE;
	t->pause.err = err;
	reach_await(t->x->w->boot->upstate, pause_id(t->group));
	a->n_waiting += !t->pause.is_counted;
	t->pause.is_counted = true;
	list_push_back(&a->waiting, &t->pause.node);
	loop_timer_set(t->x->w->loop, &t->timer,
	    u64_min(pause_ms(a, t->pause.n++), most_ms));
	return true;
}

void
pause_leave(struct up_try *t)
{
	t->group->away.n_waiting -= t->pause.is_counted;
	t->pause.is_counted = false;
	list_del(&t->pause.node);
}

void
pause_over(struct up_try *t)
{
	list_del(&t->pause.node);
	if (try_total_left(t) == 0)
		try_give_up(t, F_ORIGIN_TOTAL_TIMEOUT, 0);
	else if (!try_come_back(t))
		try_give_up(t, t->why, t->pause.err);
}

/* How many were woken. */
static uint32_t
pause_wake(struct up_group *g)
{
	struct up_away *a = &g->away;
	uint32_t n = 0;

	for (; n < PAUSE_WAKES && !list_is_empty(&a->waiting); n++) {
		struct up_try *t =
		    LIST_ENTRY(a->waiting.next, struct up_try, pause.node);

		list_del(&t->pause.node);
		loop_timer_set(g->w->loop, &t->timer, 1);
	}
	return n;
}

void
pause_reached(struct up_group *g)
{
	const struct boot *b = g->w->boot;
	struct up_away *a = &g->away;

	a->reached_ms = clock_mono_ms(worker_clock(g->w));
	(void)pause_wake(g);
	if (reach_is_awaited(b->upstate, pause_id(g)))
		reach_tell(b->upstate, pause_id(g), b->slots, b->wakes, b->slot,
		    a->reached_ms);
}

/* What was reached may be gone by now: that is for those who are woken to see,
 * whose time goes on until they do. */
void
pause_look(struct up_group *g)
{
	struct up_away *a = &g->away;
	uint64_t told_ms;

	if (list_is_empty(&a->waiting))
		return;
	told_ms = reach_last_ms(g->w->boot->upstate, pause_id(g));
	if (told_ms == a->told_ms)
		return;
	a->told_ms = told_ms;
	counter_add(g->w->counters, COUNTER_AWAITED_TOLD, pause_wake(g));
}
