/* net/loop: one event loop a process. Own sockets are registered once, edge-
 * triggered for both directions, and never touched again until closed; foreign
 * descriptors (of libraries that read one message per call) are level-
 * triggered. Work for later is deferred, never called from below. Memory of
 * closed objects is freed at the end of the batch of events in which they were
 * closed, because later events of the batch may still point at them. */
#ifndef GH_LOOP_H
#define GH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/net/timer.h"

/* Readiness as told to a watch. LOOP_HUP: both directions are gone or an error
 * is pending; LOOP_RDHUP: the peer ended its direction. */
enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_RDHUP = 4, LOOP_HUP = 8 };

struct loop;

typedef void watch_f(void *self, unsigned events);
typedef void task_f(void *self);

/* A registered descriptor; lives in the object that owns it. */
struct watch {
	int fd; /* -1: not registered */
	watch_f *fn;
	void *self;
	struct list late; /* linked: the kernel does not know it yet */
};

/* Work to do soon; in at most one queue at a time. */
struct task {
	struct list node;
	task_f *fn;
	void *self;
};

enum loop_mode {
	LOOP_EDGE, /* IN|OUT|RDHUP, edge-triggered */
	LOOP_LEVEL_IN,
	LOOP_LEVEL_OUT,
	LOOP_LEVEL_BOTH,
	LOOP_LISTEN /* IN, level-triggered, EPOLLEXCLUSIVE */
};

/* NULL with errno when the kernel gives no epoll descriptor. */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Start watching. -1 with errno. The watch must stay in place until
 * watch_del() and, when it dies inside an event batch, until loop_reap(). */
int watch_add(struct loop *l, struct watch *w, int fd, enum loop_mode mode,
    watch_f *fn, void *self);
/* The same, LOOP_EDGE, for an own socket that may be over soon: the kernel is
 * told of it by watch_arm(), or when it is still there after LOOP_LATE_MS at
 * least and twice that at most. What happened until then is told after it, so
 * that nothing is lost. */
void watch_add_late(
    struct loop *l, struct watch *w, int fd, watch_f *fn, void *self);
/* Somebody waits for an event: tell the kernel of it now. Harmless when it
 * knows already. Where the kernel refuses it is asked again and again. */
void watch_arm(struct loop *l, struct watch *w);
#define LOOP_LATE_MS 10u
/* Change the direction of a level-triggered watch. */
int watch_mode(struct loop *l, struct watch *w, enum loop_mode mode);
/* Stop watching; does not close the descriptor. No event is told after it. */
void watch_del(struct loop *l, struct watch *w);
/* Stop watching and close a descriptor that nobody else has: closing alone
 * takes it out of the loop. */
void watch_close(struct loop *l, struct watch *w);
/* The same for one that a fork may have inherited: the kernel goes on telling
 * its events until the last copy is closed, unless it is asked not to. */
void watch_close_shared(struct loop *l, struct watch *w);

void task_init(struct task *t, task_f *fn, void *self);
/* Run after the current callback has returned, before the next event, in
 * order. Already queued: nothing happens. */
void loop_defer(struct loop *l, struct task *t);
/* Run in the next step, after others had their turn. Already queued: nothing
 * happens. */
void loop_yield(struct loop *l, struct task *t);
/* Run once all events of this batch were handled (flush many small writes with
 * one). Already queued: nothing happens. */
void loop_defer_batch(struct loop *l, struct task *t);
/* Run at the very end of the batch, to free memory. */
void loop_reap(struct loop *l, struct task *t);
void task_cancel(struct task *t);

static inline bool
task_is_queued(const struct task *t)
{
	return list_is_linked(&t->node);
}

struct timer_wheel *loop_timers(struct loop *l);
const struct clock *loop_clock(const struct loop *l);
/* Number of the batch of events that is being handled, from 1: what it tells
 * was so before anything was done in it. */
uint64_t loop_batch(const struct loop *l);
/* Whether more may have happened before this batch than it tells. */
bool loop_is_crowded(const struct loop *l);

static inline void
loop_timer_set(struct loop *l, struct timer *t, uint64_t in_ms)
{
	timer_set(loop_timers(l), t, in_ms);
}

static inline void
loop_timer_clear(struct loop *l, struct timer *t)
{
	timer_clear(loop_timers(l), t);
}

/* One wait (at most max_wait_ms) and its batch: due timers, then each event
 * followed by what it deferred, then who yielded before, then batch tasks, then
 * reaping. */
void loop_step(struct loop *l, uint64_t max_wait_ms);
/* Steps until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
