/* shed: idle connections go first, since nobody waits on them; then whoever
 * holds most, until what is left fits. New requests are refused meanwhile (stage
 * `memory`). Who holds little is never touched, however many they are: they
 * cannot take more than worker_connections allows. */
#include "worker/shed.h"

#include <inttypes.h>

#include "common/base/log.h"
#include "worker/exch/memory.h"
#include "worker/front/conn.h"

/* Looks over all connections are so far apart, and each ends so many. */
#define SHED_MS 20u
#define SHED_GREEDY 32
/* Lines of the log are so far apart. */
#define SHED_TELL_MS 10000u

/* The connections that hold most, the most first. */
struct shed_list {
	struct conn *at[SHED_GREEDY];
	size_t holds[SHED_GREEDY];
	int n;
};

static void
shed_note(struct shed_list *l, struct conn *k, size_t holds)
{
	int i = l->n < SHED_GREEDY ? l->n++ : SHED_GREEDY;

	for (; i > 0 && l->holds[i - 1] < holds; i--) {
		if (i == SHED_GREEDY)
			continue;
		l->at[i] = l->at[i - 1];
		l->holds[i] = l->holds[i - 1];
	}
	if (i < SHED_GREEDY) {
		l->at[i] = k;
		l->holds[i] = holds;
	}
}

static uint64_t
shed_idle(struct worker *w)
{
	uint64_t before = w->n_conns;

	list_foreach_safe (n, &w->conns) {
		struct conn *k = LIST_ENTRY(n, struct conn, node);

		if (!memory_is_over(w))
			break;
		k->ops->close_idle(k);
	}
	return before - w->n_conns;
}

static uint64_t
shed_greedy(struct worker *w)
{
	struct shed_list l = {.n = 0};
	uint64_t n = 0;

	list_foreach_safe (at, &w->conns) {
		struct conn *k = LIST_ENTRY(at, struct conn, node);

		shed_note(&l, k, k->ops->holds(k));
	}
	for (int i = 0; i < l.n && memory_is_over(w); i++, n++)
		l.at[i]->ops->expire(l.at[i], true, F_MEMORY);
	return n;
}

static void
shed_tell(struct worker *w, uint64_t now_ms)
{
	if (w->shed.told_ms != 0 && now_ms - w->shed.told_ms < SHED_TELL_MS)
		return;
	log_msg(LOG_WARN,
	    "memory limit reached used=%zu share=%zu closed_idle=%" PRIu64
	    " broken_off=%" PRIu64,
	    memory_used(w), w->memory_share, w->shed.n_idle, w->shed.n_greedy);
	w->shed = (struct shed_state){.told_ms = now_ms};
}

void
shed_turn(struct worker *w)
{
	uint64_t now_ms;
	uint64_t n;

	if (!memory_is_over(w))
		return;
	now_ms = clock_mono_ms(worker_clock(w));
	if (now_ms < w->shed_next_ms)
		return;
	w->shed_next_ms = now_ms + SHED_MS;
	n = shed_idle(w);
	counter_add(w->counters, COUNTER_SHED_IDLE, n);
	w->shed.n_idle += n;
	n = memory_is_over(w) ? shed_greedy(w) : 0;
	counter_add(w->counters, COUNTER_SHED_GREEDY, n);
	w->shed.n_greedy += n;
	shed_tell(w, now_ms);
}
