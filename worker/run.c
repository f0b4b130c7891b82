/* worker/run: the life of a worker: set up, serve, retire, end. Everything it
 * needs was opened or prepared before its birth; it opens no path. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/ipc/ctl.h"
#include "common/net/loop.h"
#include "common/shm/crash.h"
#include "worker/accept.h"
#include "worker/auth/auth.h"
#include "worker/cache/cache.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/stage_cost.h"
#include "worker/exch/worker.h"
#include "worker/front/conn.h"
#include "worker/log/access_log.h"
#include "worker/log/hitter_feed.h"
#include "worker/log/decision_feed.h"
#include "worker/log/tally_feed.h"
#include "worker/setup.h"
#include "worker/shed.h"
#include "worker/up/mirror.h"
#include "worker/up/up.h"

/* What only the life of the worker needs. */
/* How often the longest turn is told. */
#define LAG_MS 1000u

struct run {
	struct worker w;
	struct acceptor *acceptor;
	struct watch ctl;
	struct watch signals;
	struct watch wake;
	uint64_t woken_ms; /* when the cells were looked at last */
	uint64_t lag_us; /* the longest turn since then */
	uint64_t lag_since_ms;
	struct timer grace; /* retiring: until exchanges are broken off */
	struct timer tunnels; /* retiring: until tunnels are, too */
};

static void
run_on_conns(struct worker *w)
{
	struct run *r = LIST_ENTRY(w, struct run, w);

	atomic_store_explicit(
	    &w->slot->connections, w->n_conns, memory_order_relaxed);
	acceptor_recheck(r->acceptor);
	/* clients of other workers may wait for what is filled here */
	if (w->is_retiring && w->n_conns == 0 &&
	    cache_worker_fills(w->cache) == 0)
		w->is_done = true;
}

/* Break off what still runs; tunnels too when `all`. */
static void
run_expire(struct run *r, bool all)
{
	list_foreach_safe (n, &r->w.conns) {
		struct conn *k = LIST_ENTRY(n, struct conn, node);

		k->ops->expire(k, all, F_SHUTDOWN);
	}
	cache_worker_expire(r->w.cache);
	mirror_expire(r->w.up);
}

static void
run_on_tunnels_due(void *self)
{
	run_expire(self, true);
}

static void
run_on_grace_due(void *self)
{
	struct run *r = self;
	struct conf_scope s = conf_scope_of(
	    r->w.boot->conf, conf_first(r->w.boot->conf, CONF_GLOBAL));
	int64_t more_ms = conf_num(&s, KEY_GLOBAL_TUNNEL_TIMEOUT_ON_RELOAD);

	run_expire(r, false);
	if (more_ms > 0)
		loop_timer_set(r->w.loop, &r->tunnels, (uint64_t)more_ms);
}

static void
run_tell_retiring(struct run *r)
{
	list_foreach_safe (n, &r->w.conns) {
		struct conn *k = LIST_ENTRY(n, struct conn, node);

		if (k->ops->retire != NULL)
			k->ops->retire(k);
	}
}

/* Accept nothing more, finish what runs, end with the last connection. */
static void
run_retire(struct run *r, uint64_t grace_ms)
{
	struct worker *w = &r->w;

	if (w->is_retiring)
		return;
	w->is_retiring = true;
	atomic_store(&w->slot->state, SLOT_RETIRING);
	acceptor_stop(r->acceptor);
	up_worker_retire(w->up);
	run_tell_retiring(r);
	(void)ctl_send_word(w->boot->ctl_fd, CTL_RETIRED, w->n_conns, -1);
	/* none: as long as it takes */
	if (grace_ms > 0)
		loop_timer_set(w->loop, &r->grace, grace_ms);
	worker_conns_changed(w);
}

/* The whole of gatehouse ends: nobody is there for a next request. */
static void
run_close_idle(struct run *r)
{
	list_foreach_safe (n, &r->w.conns) {
		struct conn *k = LIST_ENTRY(n, struct conn, node);

		k->ops->close_idle(k);
	}
}

static uint64_t
run_grace_ms(const struct run *r)
{
	struct conf_scope s = conf_scope_of(
	    r->w.boot->conf, conf_first(r->w.boot->conf, CONF_GLOBAL));

	return (uint64_t)conf_num(&s, KEY_GLOBAL_SHUTDOWN_TIMEOUT);
}

static void
run_obey(struct run *r, const struct ctl_msg *m, int fd)
{
	switch ((enum ctl_type)m->type) {
	case CTL_RETIRE:
		run_retire(r, m->arg);
		break;
	case CTL_CLOSE_IDLE:
		run_close_idle(r);
		break;
	case CTL_LOG:
		if (fd >= 0 && m->arg == CTL_LOG_ERROR)
			log_take_fd(fd);
		else if (fd >= 0)
			log_worker_take_fd(r->w.log, (uint32_t)m->arg, fd);
		else
			log_msg(LOG_ERROR,
			    "log not reopened error=\"no descriptor is free\" "
			    "goes_on=\"in the old file\"");
		return;
	case CTL_HELPER:
		auth_helper_arrived(r->w.auth, m->arg, fd);
		return;
	case CTL_LOGS_DONE:
		break;
	case CTL_SPAWN:
	case CTL_PREPARED:
	case CTL_REFUSED:
	case CTL_HELLO:
	case CTL_READY:
	case CTL_RETIRED:
	case CTL_STATE:
	case CTL_CONF:
	case CTL_CERTIFICATES:
	case CTL_ADMIN:
	case CTL_ASK:
	case CTL_CACHE_SAVE:
	case CTL_CACHE_LOAD:
	case CTL_CACHE_DONE:
	case CTL_QUOTA_SAVE:
	case CTL_QUOTA_LOAD:
	case CTL_QUOTA_DONE:
	case CTL_RUN:
	case CTL_HELP:
	case CTL_RAN:
		log_msg(LOG_WARN, "control word=%u ignored=yes", m->type);
		break;
	}
	if (fd >= 0)
		(void)close(fd);
}

static void
run_on_ctl(void *self, unsigned events)
{
	struct run *r = self;
	struct ctl_msg m;
	int fd;
	int rc;

	(void)events;
	while ((rc = ctl_recv(r->ctl.fd, &m, &fd, NULL)) > 0)
		run_obey(r, &m, fd);
	if (rc < 0 && errno == EAGAIN)
		return;
	/* the master is gone: finish in order, serve nobody new */
	watch_del(r->w.loop, &r->ctl);
	run_retire(r, run_grace_ms(r));
}

/* Fast stop: what is logged so far is written, the rest is cut. */
static void
run_on_signal(void *self, unsigned events)
{
	struct run *r = self;

	(void)events;
	r->w.is_done = true;
}

static int
run_watch_signals(struct run *r)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -1;
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	return watch_add(
	    r->w.loop, &r->signals, fd, LOOP_LEVEL_IN, run_on_signal, r);
}

/* A token that was lost stands for all of them. */
static void
run_on_token(void *self, uint64_t token)
{
	struct run *r = self;

	if (token == WAKE_ACCEPT || token == 0)
		acceptor_offered(r->acceptor);
	up_worker_woken(r->w.up, token);
	cache_worker_woken(r->w.cache, token);
}

static void
run_on_wake(void *self, unsigned events)
{
	struct run *r = self;
	const struct boot *b = r->w.boot;

	(void)events;
	r->woken_ms = clock_mono_ms(worker_clock(&r->w));
	wake_take(b->slots, b->wakes, b->slot, run_on_token, r);
}

static int
run_open(struct run *r, const struct boot *b)
{
	struct worker *w = &r->w;

	w->slot = &b->slots->at[b->slot];
	w->counters = &b->counters->slot[b->slot];
	w->on_conns = run_on_conns;
	timer_init(&r->grace, run_on_grace_due, r);
	timer_init(&r->tunnels, run_on_tunnels_due, r);
	check_set_sink(w->slot->panic);
	if (setup_open(w, b) < 0)
		return -1;
	w->log = log_worker_new(w);
	hitter_feed_open(w);
	w->tally = tally_worker_new(w);
	w->decisions = decision_worker_new(w);
	r->acceptor = acceptor_new(w);
	if (r->acceptor == NULL || run_watch_signals(r) < 0)
		return -1;
	if (watch_add(w->loop, &r->wake, b->wakes->at[b->slot], LOOP_LEVEL_IN,
		run_on_wake, r) < 0)
		return -1;
	return watch_add(
	    w->loop, &r->ctl, b->ctl_fd, LOOP_LEVEL_IN, run_on_ctl, r);
}

/* Give everything back, so that leak checkers see only leaks. */
static void
run_close(struct run *r)
{
	struct worker *w = &r->w;

	acceptor_stop(r->acceptor);
	run_expire(r, true);
	loop_step(w->loop, 0);
	stage_cost_log(w);
	log_worker_free(w->log);
	tally_worker_free(w->tally);
	decision_worker_free(w->decisions);
	loop_timer_clear(w->loop, &r->grace);
	loop_timer_clear(w->loop, &r->tunnels);
	watch_close(w->loop, &r->signals);
	watch_del(w->loop, &r->wake);
	watch_del(w->loop, &r->ctl);
	loop_step(w->loop, 0);
	acceptor_free(r->acceptor);
	auth_worker_free(w->auth);
	setup_close(w);
}

/* What waits for the loop waits as long as a turn takes, from its events to here.
 */
static void
run_note_lag(struct run *r)
{
	const struct clock *now = worker_clock(&r->w);
	uint64_t turn_us = clock_mono_us() - now->mono_us;

	r->lag_us = u64_max(r->lag_us, turn_us);
	if (clock_mono_ms(now) - r->lag_since_ms < LAG_MS)
		return;
	atomic_store_explicit(&r->w.slot->lag_us,
	    (uint32_t)u64_min(r->lag_us, UINT32_MAX), memory_order_relaxed);
	r->lag_us = 0;
	r->lag_since_ms = clock_mono_ms(now);
}

static void
run_beat(struct run *r)
{
	uint64_t now_ms = clock_mono_ms(worker_clock(&r->w));

	atomic_store_explicit(
	    &r->w.slot->heartbeat_ms, now_ms, memory_order_relaxed);
	/* a sender may have died between the token and the wake-up */
	if (now_ms - r->woken_ms >= WORKER_TURN_MS)
		run_on_wake(r, 0);
}

/* Threads have the filter of the one that makes them: it is there by now. */
static int
run_open_auth(struct worker *w)
{
	if (w->plan->n_auths == 0)
		return 0;
	w->auth = auth_worker_new(w);
	return w->auth != NULL ? 0 : -1;
}

int
worker_main(const struct boot *b)
{
	struct run *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	if (run_open(r, b) < 0 ||
	    !b->confine(r->w.plan->roots, r->w.plan->n_roots) ||
	    run_open_auth(&r->w) < 0) {
		log_msg(LOG_FATAL, "worker start failed error=\"%s\"",
		    strerror(errno));
		return EXIT_FAILURE;
	}
	run_beat(r);
	atomic_store(&r->w.slot->state, SLOT_SERVING);
	CRASH_LISTEN();
	(void)ctl_send_word(b->ctl_fd, CTL_READY, 0, -1);
	while (!r->w.is_done) {
		loop_step(r->w.loop, WORKER_TURN_MS);
		run_note_lag(r);
		run_beat(r);
		shed_turn(&r->w);
	}
	run_close(r);
	free(r);
	return EXIT_SUCCESS;
}
