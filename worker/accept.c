/* worker/accept: every worker watches the same sockets; the kernel wakes one
 * for a connection (EPOLLEXCLUSIVE), and it is mostly the same one. So a worker
 * that has more connections than its fair share looks away, and the next
 * wake-up goes to another.
 *
 * No wake-up is lost: a worker looks away only when there is another one that
 * could take connections, and tells it (shm/wake) to look and to take what
 * waits already. It has fewer than the mean, so it does; two cannot both have
 * more than the mean. One that is told but is dying or gets no CPU takes
 * nothing: those who look away ask the sockets themselves again and again,
 * ACCEPT_AWAY_MIN_MS after they looked away and ACCEPT_AWAY_MAX_MS apart at
 * most, and take what nobody took. They leave twice as much time each time, or
 * one that is woken too late for the first of these times would be too late for
 * every one of them, and have no share at all; a queue that grows meanwhile
 * they help with at once. One whose heart does not beat has no share.
 *
 * A full worker looks away in any case: what it cannot take stays in the queue
 * for the others. */
#include "worker/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "worker/exch/plan.h"
#include "worker/front/h1f.h"

/* Connections taken per wake-up, so that serving goes on in between. */
#define ACCEPT_BUDGET 16
/* How long a full worker looks away before it looks again. */
#define ACCEPT_PAUSE_MS 20u
/* How often one with more than its share asks whether something was left. */
#define ACCEPT_AWAY_MIN_MS 2u
#define ACCEPT_AWAY_MAX_MS 100u
/* Connections it takes then: if so many waited, there is a queue. */
#define ACCEPT_AWAY_TAKE 2
/* A heart is silent if it has not beaten for so long: it beats each turn. */
#define ACCEPT_SILENT_MS (4 * WORKER_TURN_MS)
/* Over its share is who has more than the mean, an eighth of it and one. */
#define ACCEPT_SLACK 8u

struct acceptor_listen {
	struct acceptor *acceptor;
	const struct boot_listen *boot;
	const struct plan_listen *plan;
	struct watch watch;
};

enum accept_state {
	ACCEPT_LOOKING,
	ACCEPT_AWAY, /* has more than its share */
	ACCEPT_FULL, /* cannot take any */
	ACCEPT_STOPPED
};

struct acceptor {
	struct worker *w;
	enum accept_state state;
	struct timer timer; /* AWAY, FULL: when to look again */
	uint64_t away_ms; /* AWAY: its next wait */
	int away_take; /* AWAY: what it takes at most then */
	uint64_t asked_ms; /* when the two below were read */
	uint64_t n_others; /* connections of the others of the generation */
	uint32_t n_peers; /* how many serve in it, this one included */
	uint32_t n;
	struct acceptor_listen at[];
};

#define TO(s) (1u << (s))

static const uint16_t accept_edges[] = {
    [ACCEPT_LOOKING] = TO(ACCEPT_LOOKING) | TO(ACCEPT_AWAY) | TO(ACCEPT_FULL) |
		       TO(ACCEPT_STOPPED),
    [ACCEPT_AWAY] = TO(ACCEPT_LOOKING) | TO(ACCEPT_FULL) | TO(ACCEPT_STOPPED),
    [ACCEPT_FULL] = TO(ACCEPT_LOOKING) | TO(ACCEPT_FULL) | TO(ACCEPT_STOPPED),
    [ACCEPT_STOPPED] = 0,
};

static void accept_on_event(void *self, unsigned events);

static int
acceptor_watch(struct acceptor *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		struct acceptor_listen *l = &a->at[i];

		if (watch_add(a->w->loop, &l->watch, l->boot->fd, LOOP_LISTEN,
			accept_on_event, l) < 0)
			return -1;
	}
	return 0;
}

static void
acceptor_unwatch(struct acceptor *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->at[i].watch.fd >= 0)
			watch_del(a->w->loop, &a->at[i].watch);
}

static void
acceptor_goto(struct acceptor *a, enum accept_state to)
{
	REQUIRE(accept_edges[a->state] & TO(to));
	a->state = to;
	atomic_store(
	    &a->w->slot->can_accept, to == ACCEPT_LOOKING || to == ACCEPT_AWAY);
	loop_timer_clear(a->w->loop, &a->timer);
	switch (to) {
	case ACCEPT_LOOKING:
		break;
	case ACCEPT_AWAY:
		a->away_ms = ACCEPT_AWAY_MIN_MS;
		a->away_take = ACCEPT_AWAY_TAKE;
		acceptor_unwatch(a);
		loop_timer_set(a->w->loop, &a->timer, a->away_ms);
		break;
	case ACCEPT_FULL:
		acceptor_unwatch(a);
		loop_timer_set(a->w->loop, &a->timer, ACCEPT_PAUSE_MS);
		break;
	case ACCEPT_STOPPED:
		acceptor_unwatch(a);
		break;
	}
}

static void
acceptor_pause(struct acceptor *a)
{
	counter_add(a->w->counters, COUNTER_ACCEPT_PAUSES, 1);
	acceptor_goto(a, ACCEPT_FULL);
}

static void
acceptor_look(struct acceptor *a)
{
	acceptor_goto(a, ACCEPT_LOOKING);
	if (acceptor_watch(a) == 0)
		return;
	log_msg(LOG_ERROR, "accept watch failed error=\"%s\"", strerror(errno));
	acceptor_pause(a);
}

/* --- the fair share ------------------------------------------------------- */

/* Whether it is hung, or dead and nobody knows it yet. */
static bool
accept_is_silent(const struct worker *w, const struct slot *s)
{
	uint64_t now_ms = clock_mono_ms(worker_clock(w));
	uint64_t beat_ms =
	    atomic_load_explicit(&s->heartbeat_ms, memory_order_relaxed);

	return beat_ms < now_ms && now_ms - beat_ms >= ACCEPT_SILENT_MS;
}

/* A process that serves in the same generation, other than this one. */
static bool
accept_is_peer(const struct worker *w, const struct slot *s)
{
	return s != w->slot &&
	       atomic_load_explicit(&s->state, memory_order_relaxed) ==
		   SLOT_SERVING &&
	       atomic_load_explicit(&s->generation, memory_order_relaxed) ==
		   w->boot->generation &&
	       !accept_is_silent(w, s);
}

/* Read what the others have, once a millisecond at most. */
static void
acceptor_ask(struct acceptor *a)
{
	const struct worker *w = a->w;
	uint64_t now_ms = clock_mono_ms(worker_clock(w));

	if (a->asked_ms == now_ms)
		return;
	a->asked_ms = now_ms;
	a->n_others = 0;
	a->n_peers = 1;
	for (uint32_t i = 0; i < SLOTS_MAX && a->n_peers < w->boot->n_workers;
	     i++) {
		const struct slot *s = &w->boot->slots->at[i];

		if (!accept_is_peer(w, s))
			continue;
		a->n_peers++;
		a->n_others +=
		    atomic_load_explicit(&s->connections, memory_order_relaxed);
	}
}

static bool
acceptor_has_more(struct acceptor *a)
{
	uint64_t own = a->w->n_conns;

	acceptor_ask(a);
	return a->n_peers > 1 && own * a->n_peers * ACCEPT_SLACK >
				     (a->n_others + own) * (ACCEPT_SLACK + 1) +
					 a->n_peers * ACCEPT_SLACK;
}

/* The one with the fewest connections of the others that could take some. */
static bool
acceptor_see_another(const struct acceptor *a, struct slot_name *out)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		const struct slot *s = &a->w->boot->slots->at[i];
		uint32_t n = atomic_load(&s->connections);

		if (!accept_is_peer(a->w, s) || !atomic_load(&s->can_accept) ||
		    n >= least)
			continue;
		least = n;
		*out = (struct slot_name){i, atomic_load(&s->incarnation)};
	}
	return least != UINT32_MAX;
}

static void
acceptor_tell(const struct acceptor *a, struct slot_name to)
{
	const struct boot *b = a->w->boot;

	wake_send(b->slots, b->wakes, to, WAKE_ACCEPT);
}

/* Leave the next connections to another one. What waits already has woken this
 * worker and nobody else, and the other may look away, too: it is told. */
static void
acceptor_share(struct acceptor *a)
{
	struct slot_name other;

	if (a->state != ACCEPT_LOOKING || !acceptor_has_more(a) ||
	    !acceptor_see_another(a, &other))
		return;
	acceptor_goto(a, ACCEPT_AWAY);
	acceptor_tell(a, other);
}

void
acceptor_recheck(struct acceptor *a)
{
	if (a->state == ACCEPT_AWAY && !acceptor_has_more(a))
		acceptor_look(a);
}

/* --- taking --------------------------------------------------------------- */

static bool
acceptor_is_full(const struct acceptor *a)
{
	return a->w->n_conns >= a->w->n_conns_max;
}

/* Take what waits, up to so many. Returns how many were taken. */
static int
accept_take(struct acceptor_listen *l, int most)
{
	struct acceptor *a = l->acceptor;
	enum accept_state began = a->state;
	struct sock_addr peer;
	int n = 0;

	while (n < most && a->state == began) {
		int fd;

		if (acceptor_is_full(a)) {
			acceptor_pause(a);
			break;
		}
		fd = sock_accept(l->boot->fd, &peer);
		if (fd >= 0) {
			n++;
			h1f_accept(a->w, l->plan, fd, &peer, &l->boot->addr);
			acceptor_share(a);
			continue;
		}
		if (sock_is_starved(errno)) {
			log_msg(LOG_ERROR, "accept failed error=\"%s\"",
			    strerror(errno));
			acceptor_pause(a);
		}
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	return n;
}

static void
accept_on_event(void *self, unsigned events)
{
	(void)events;
	(void)accept_take(self, ACCEPT_BUDGET);
}

void
acceptor_offered(struct acceptor *a)
{
	const struct boot *b = a->w->boot;
	bool has_more = false;

	acceptor_recheck(a);
	for (uint32_t i = 0; i < a->n && a->state == ACCEPT_LOOKING; i++)
		has_more |=
		    accept_take(&a->at[i], ACCEPT_BUDGET) == ACCEPT_BUDGET;
	/* other events of this worker have their turn in between */
	if (has_more && a->state == ACCEPT_LOOKING)
		acceptor_tell(a, (struct slot_name){b->slot, b->incarnation});
}

/* Whoever looks had time to take what waits; what still does is taken here. If
 * there is more, more and more of it; if not, the others have more time. */
static void
acceptor_ask_sockets(struct acceptor *a)
{
	bool has_more = false;
	int n = 0;

	for (uint32_t i = 0; i < a->n && a->state == ACCEPT_AWAY; i++) {
		int n_here = accept_take(&a->at[i], a->away_take);

		has_more |= n_here == a->away_take;
		n += n_here;
	}
	if (a->state != ACCEPT_AWAY)
		return;
	if (has_more) {
		a->away_ms = ACCEPT_AWAY_MIN_MS;
		a->away_take = a->away_take < ACCEPT_BUDGET / 2
				   ? a->away_take * 2
				   : ACCEPT_BUDGET;
	} else {
		a->away_ms = u64_min(a->away_ms * 2, ACCEPT_AWAY_MAX_MS);
		if (n == 0)
			a->away_take = ACCEPT_AWAY_TAKE;
	}
	loop_timer_set(a->w->loop, &a->timer, a->away_ms);
}

static void
acceptor_on_timer(void *self)
{
	struct acceptor *a = self;

	if (a->state == ACCEPT_AWAY && acceptor_has_more(a))
		acceptor_ask_sockets(a);
	else if (a->state == ACCEPT_FULL && acceptor_is_full(a))
		acceptor_goto(a, ACCEPT_FULL);
	else
		acceptor_look(a);
}

/* The plan of a listening socket, by its section. */
static const struct plan_listen *
acceptor_plan(const struct worker *w, const struct boot_listen *b)
{
	for (uint32_t i = 0; i < w->plan->n_listens; i++)
		if (w->plan->listens[i].section == b->section)
			return &w->plan->listens[i];
	return NULL;
}

struct acceptor *
acceptor_new(struct worker *w)
{
	const struct boot *b = w->boot;
	struct acceptor *a =
	    calloc(1, sizeof(*a) + b->n_listens * sizeof(a->at[0]));

	REQUIRE(a != NULL);
	a->w = w;
	timer_init(&a->timer, acceptor_on_timer, a);
	for (uint32_t i = 0; i < b->n_listens; i++) {
		struct acceptor_listen *l = &a->at[a->n++];

		l->acceptor = a;
		l->boot = &b->listens[i];
		l->plan = acceptor_plan(w, l->boot);
		l->watch.fd = -1;
		REQUIRE(l->plan != NULL);
	}
	if (acceptor_watch(a) == 0) {
		acceptor_goto(a, ACCEPT_LOOKING);
		return a;
	}
	acceptor_unwatch(a);
	free(a);
	return NULL;
}

void
acceptor_stop(struct acceptor *a)
{
	if (a->state == ACCEPT_STOPPED)
		return;
	acceptor_goto(a, ACCEPT_STOPPED);
	for (uint32_t i = 0; i < a->n; i++)
		(void)close(a->at[i].boot->fd);
}

void
acceptor_free(struct acceptor *a)
{
	acceptor_stop(a);
	free(a);
}
