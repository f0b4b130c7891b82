/* up/up_queue: places are taken by a bounded count that all workers share
 * (store/upstate), and waited for in the order of tickets (store/upqueue). Who
 * gives a place back wakes the first of all that wait; who leaves the queue, for
 * whatever reason, wakes the next: so a place that is free finds somebody. A
 * timer looks as well, since who should have woken may be dead. */
#include "worker/up/up_queue.h"

#include "common/base/num.h"
#include "common/store/adaptive.h"
#include "common/store/upqueue.h"
#include "common/store/upstate.h"
#include "worker/up/up_try.h"

/* Who was not woken looks so often. */
#define QUEUE_LOOK_MS 250u

_Static_assert(sizeof(struct adaptive) == UPQUEUE_WORDS * sizeof(uint64_t),
    "the words of a row are the limiter's");

static const struct boot *
group_boot(const struct up_group *g)
{
	return g->w->boot;
}

static bool
group_has_limits(const struct up_group *g)
{
	return g->conf->limits.is_on;
}

static uint64_t
group_clock_ms(const struct up_group *g)
{
	return clock_mono_ms(worker_clock(g->w));
}

static struct adaptive *
group_adaptive(const struct up_group *g)
{
	return (struct adaptive *)upqueue_words(
	    group_boot(g)->upqueue, g->conf->queue_id);
}

static struct up_try *
queue_try(struct list *n)
{
	return LIST_ENTRY(n, struct up_try, place.node);
}

/* --- waking --------------------------------------------------------------- */

static void
queue_kick_own(struct up_group *g)
{
	if (!list_is_empty(&g->queued))
		exch_kick(queue_try(g->queued.next)->x);
}

/* A place may be free: the first of all that wait looks. */
static void
queue_wake(struct up_group *g)
{
	const struct boot *b = group_boot(g);
	struct slot_name to = {0, 0};
	uint64_t ticket;

	/* what was freed is seen by those who begin to wait, or they by us */
	atomic_thread_fence(memory_order_seq_cst);
	if (upstate_active(b->upstate, g->conf->waiting_id) == 0 ||
	    !upqueue_first(b->upqueue, b->slots, g->conf->queue_id,
		group_clock_ms(g), &to.slot, &ticket))
		return;
	if (to.slot == b->slot) {
		queue_kick_own(g);
		return;
	}
	to.incarnation = atomic_load(&b->slots->at[to.slot].incarnation);
	wake_send(b->slots, b->wakes, to, WAKE_PLACE);
}

static void
queue_on_look(void *self)
{
	struct up_group *g = self;

	if (list_is_empty(&g->queued))
		return;
	queue_kick_own(g);
	loop_timer_set(g->w->loop, &g->look, QUEUE_LOOK_MS);
}

void
up_worker_woken(struct up_worker *u, uint64_t token)
{
	for (uint32_t i = 0; i < u->n_groups; i++) {
		if (token == WAKE_PLACE || token == 0)
			queue_kick_own(&u->groups[i]);
		if (token == WAKE_REACHED || token == 0) {
			pause_look(&u->groups[i]);
			up_group_told(&u->groups[i]);
		}
	}
}

void
up_queue_init(struct up_group *g)
{
	list_init(&g->queued);
	timer_init(&g->look, queue_on_look, g);
}

void
up_queue_fini(struct up_group *g)
{
	loop_timer_clear(g->w->loop, &g->look);
}

/* --- the queue ------------------------------------------------------------ */

/* Our first is another one, or none. */
static void
queue_show(struct up_group *g)
{
	const struct boot *b = group_boot(g);
	uint64_t ticket = list_is_empty(&g->queued)
			      ? 0
			      : queue_try(g->queued.next)->place.ticket;

	upqueue_show(b->upqueue, g->conf->queue_id, b->slot, ticket);
}

static void
queue_leave(struct up_try *t)
{
	struct up_group *g = t->group;
	const struct boot *b = group_boot(g);
	bool was_first = g->queued.next == &t->place.node;

	list_del(&t->place.node);
	if (was_first)
		queue_show(g);
	upstate_end(b->upstate, b->slot, g->conf->waiting_id);
	if (list_is_empty(&g->queued))
		loop_timer_clear(g->w->loop, &g->look);
	queue_wake(g);
}

/* false: there is no room. */
static bool
queue_enter(struct up_try *t, enum fault_id *why)
{
	struct up_group *g = t->group;
	const struct upstream *u = g->conf;
	const struct boot *b = group_boot(g);
	uint64_t ms = u->limits.wait_ms;

	*why = u->limits.room == 0 ? F_UPSTREAM_FULL : F_QUEUE_FULL;
	if (!upstate_try_begin(
		b->upstate, b->slot, u->waiting_id, u->limits.room)) {
		upqueue_add(b->upqueue, u->queue_id, UPQUEUE_REFUSED);
		counter_add(t->x->w->counters, COUNTER_QUEUE_REFUSED, 1);
		return false;
	}
	upqueue_add(b->upqueue, u->queue_id, UPQUEUE_WAITED);
	counter_add(t->x->w->counters, COUNTER_QUEUED, 1);
	t->place.ticket = upqueue_ticket(b->upqueue, u->queue_id);
	list_push_back(&g->queued, &t->place.node);
	if (g->queued.next == &t->place.node) {
		queue_show(g);
		loop_timer_set(g->w->loop, &g->look, QUEUE_LOOK_MS);
	}
	if (u->total_timeout_ms != 0)
		ms = u64_min(ms, u->total_timeout_ms);
	loop_timer_set(t->x->w->loop, &t->timer, ms);
	return true;
}

static bool
queue_is_first(const struct up_try *t)
{
	const struct up_group *g = t->group;
	const struct boot *b = group_boot(g);
	uint32_t slot;
	uint64_t ticket;

	/* with no other than us that lives, we are */
	return g->queued.next == &t->place.node &&
	       (!upqueue_first(b->upqueue, b->slots, g->conf->queue_id,
		    group_clock_ms(g), &slot, &ticket) ||
		   ticket >= t->place.ticket);
}

void
up_place_late(struct up_try *t)
{
	struct up_group *g = t->group;

	up_place_leave(t);
	t->state = UP_DONE;
	if (try_total_left(t) == 0) {
		exch_fault(t->x, F_ORIGIN_TOTAL_TIMEOUT, 0);
		return;
	}
	upqueue_add(
	    group_boot(g)->upqueue, g->conf->queue_id, UPQUEUE_TIMEOUTS);
	counter_add(t->x->w->counters, COUNTER_QUEUE_TIMEOUTS, 1);
	exch_fault(t->x, F_QUEUE_TIMEOUT, 0);
}

/* --- places --------------------------------------------------------------- */

/* Requests that may be under way at all servers of the upstream. */
static uint32_t
group_limit(const struct up_group *g)
{
	const struct conf_places *l = &g->conf->limits;
	uint32_t most = l->most > 0 ? l->most : UINT32_MAX;

	if (l->is_adaptive)
		most =
		    (uint32_t)u64_min(most, adaptive_limit(group_adaptive(g)));
	return most;
}

static uint32_t
server_limit(const struct up_server *s)
{
	uint32_t most = s->conf->max_connections;

	return most > 0 ? most : UINT32_MAX;
}

static bool
server_take(struct up_server *s)
{
	const struct boot *b = group_boot(s->group);

	if (s->conf->max_connections > 0)
		return upstate_try_begin(
		    b->upstate, b->slot, s->conf->id, s->conf->max_connections);
	upstate_begin(b->upstate, b->slot, s->conf->id);
	return true;
}

/* Those that are full, to be passed over. */
static void
group_skip_full(const struct up_group *g, uint64_t *skip)
{
	const struct boot *b = group_boot(g);

	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		if (upstate_active(b->upstate, g->conf->servers[i].id) >=
		    server_limit(&g->servers[i]))
			skip[i / 64] |= UINT64_C(1) << (i % 64);
}

/* The servers that failed, and those that are full, behind them. */
static uint64_t *
place_skip_full(struct up_try *t)
{
	const struct up_group *g = t->group;
	size_t n_words = (g->conf->n_servers + 63u) / 64;
	uint64_t *skip = t->skip + n_words;

	memcpy(skip, t->skip, n_words * sizeof(*skip));
	group_skip_full(g, skip);
	return skip;
}

/* up_group_pick(), up_group_pick_unfit() */
typedef struct up_server *place_pick_f(
    struct up_group *g, struct exch *x, const uint64_t *skip);

/* The policy's choice of those that have a place. Each turn leaves one server
 * out at least. A choice that a session remembers must be one at once. */
static enum up_place_rc
place_at_server(struct up_try *t, place_pick_f *pick, struct up_server **out)
{
	struct up_group *g = t->group;
	size_t len = (g->conf->n_servers + 63u) / 64 * sizeof(t->skip[0]);
	uint64_t *skip = t->skip;
	struct up_server *s;

	if (g->sticky != NULL && group_has_limits(g))
		skip = place_skip_full(t);
	while ((s = pick(g, t->x, skip)) != NULL) {
		uint32_t i = (uint32_t)(s - g->servers);

		if (server_take(s)) {
			*out = s;
			return UP_PLACE_FOUND;
		}
		if (skip == t->skip)
			skip = place_skip_full(t);
		skip[i / 64] |= UINT64_C(1) << (i % 64);
	}
	return memcmp(skip, t->skip, len) == 0 ? UP_PLACE_NONE : UP_PLACE_FULL;
}

static bool
place_in_group(struct up_try *t)
{
	const struct up_group *g = t->group;
	const struct boot *b = group_boot(g);

	if (!t->place.is_counted)
		t->place.is_counted = upstate_try_begin(
		    b->upstate, b->slot, g->conf->requests_id, group_limit(g));
	return t->place.is_counted;
}

static void
place_leave_group(struct up_try *t)
{
	const struct boot *b = group_boot(t->group);

	if (t->place.is_counted)
		upstate_end(b->upstate, b->slot, t->group->conf->requests_id);
	t->place.is_counted = false;
}

static enum up_place_rc
place_take(struct up_try *t, place_pick_f *pick, struct up_server **out)
{
	if (group_has_limits(t->group) && !place_in_group(t))
		return UP_PLACE_FULL;
	return place_at_server(t, pick, out);
}

/* The first of all, and one that comes when nobody waits. */
static enum up_place_rc
place_try(struct up_try *t, struct up_server **out)
{
	enum up_place_rc rc = place_take(t, up_group_pick, out);

	if (rc == UP_PLACE_FOUND || !t->place.is_counted)
		return rc;
	/* who looked meanwhile took it for full */
	place_leave_group(t);
	if (!list_is_linked(&t->place.node))
		queue_wake(t->group);
	return rc;
}

enum up_place_rc
up_place_again(struct up_try *t, bool may_be_unfit, struct up_server **out)
{
	enum up_place_rc rc = place_take(t, up_group_pick, out);

	if (rc == UP_PLACE_NONE && may_be_unfit)
		rc = place_take(t, up_group_pick_unfit, out);
	return rc;
}

enum up_place_rc
up_place_find(struct up_try *t, struct up_server **out, enum fault_id *why)
{
	const struct boot *b = t->x->w->boot;
	enum up_place_rc rc;

	if (!group_has_limits(t->group))
		return place_take(t, up_group_pick, out);
	if (!list_is_linked(&t->place.node)) {
		if (upstate_active(b->upstate, t->group->conf->waiting_id) ==
		    0) {
			rc = place_try(t, out);
			if (rc != UP_PLACE_FULL)
				return rc;
		}
		if (!queue_enter(t, why))
			return UP_PLACE_FULL;
	}
	/* a place that was freed before we showed is ours to see */
	if (!queue_is_first(t))
		return UP_PLACE_WAIT;
	rc = place_try(t, out);
	if (rc == UP_PLACE_FULL)
		return UP_PLACE_WAIT;
	loop_timer_clear(t->x->w->loop, &t->timer);
	queue_leave(t);
	return rc;
}

enum up_place_rc
up_place_told(struct up_try *t, enum fault_id *why)
{
	*why = F_UPSTREAM_FULL;
	if (group_has_limits(t->group) && !place_in_group(t))
		return UP_PLACE_FULL;
	return server_take(t->told) ? UP_PLACE_FOUND : UP_PLACE_FULL;
}

void
up_place_init(struct up_try *t)
{
	list_init(&t->place.node);
}

void
up_place_leave(struct up_try *t)
{
	if (list_is_linked(&t->place.node))
		queue_leave(t);
	if (!t->place.is_counted)
		return;
	place_leave_group(t);
	queue_wake(t->group);
}

void
up_server_leave(struct up_server *s)
{
	struct up_group *g = s->group;
	const struct boot *b = group_boot(g);

	upstate_end(b->upstate, b->slot, s->conf->id);
	if (group_has_limits(g))
		queue_wake(g);
}

/* --- the limiter ---------------------------------------------------------- */

static void
place_sample(struct up_try *t)
{
	struct up_group *g = t->group;
	const struct boot *b = group_boot(g);

	if (g->conf->limits.is_adaptive &&
	    adaptive_sample(group_adaptive(g), t->x->t.connect_us,
		worker_clock(t->x->w)->mono_us,
		upstate_active(b->upstate, g->conf->requests_id)))
		queue_wake(g);
}

void
up_place_answered(struct up_try *t)
{
	place_sample(t);
}

void
up_place_failed(struct up_try *t, enum fault_id why)
{
	/* one that fails at once says nothing of how long an answer takes */
	if (t->state == UP_HEAD &&
	    (why == F_ORIGIN_TIMEOUT || why == F_ORIGIN_TRY_TIMEOUT ||
		why == F_ORIGIN_TOTAL_TIMEOUT))
		place_sample(t);
}
