/* net/timer: deadlines in a hierarchical wheel with millisecond ticks. Arming
 * and clearing cost a list operation; a timer never fires early and at most
 * one tick plus the length of a batch late. */
#ifndef GH_TIMER_H
#define GH_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"

typedef void timer_f(void *self);

struct timer {
	struct list node;
	uint64_t due_ms;
	timer_f *fn;
	void *self;
};

/* 5 levels of 64 slots: 64^5 ms is 12 days; what is farther waits at the top
 * level and is looked at again. */
#define TIMER_LEVELS 5
#define TIMER_SLOTS 64

struct timer_wheel {
	uint64_t now_ms; /* the tick that it has come to */
	uint64_t set_ms; /* what deadlines count from: ahead of now_ms while it
			    catches up */
	uint32_t n;
	uint64_t occupied[TIMER_LEVELS]; /* bit per non-empty slot */
	struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms);
void timer_init(struct timer *t, timer_f *fn, void *self);
/* Deadlines count from now_ms on, before anything is due at it; as
 * timer_wheel_advance() does, too. */
void timer_wheel_count_from(struct timer_wheel *w, uint64_t now_ms);
/* Arm or re-arm for `in_ms` from the time of the last advance, the running one
 * included: however late a callback is, what it sets is not late as well. 0
 * fires at the next advance. */
void timer_set(struct timer_wheel *w, struct timer *t, uint64_t in_ms);
/* Harmless when not armed. */
void timer_clear(struct timer_wheel *w, struct timer *t);

static inline bool
timer_is_set(const struct timer *t)
{
	return list_is_linked(&t->node);
}

/* Move to now_ms and call what is due. Callbacks may set and clear any timer.
 */
void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ms);
/* Whether one may be due at now_ms. */
bool timer_wheel_is_due(const struct timer_wheel *w, uint64_t now_ms);
/* Milliseconds until the next timer may be due, capped to `cap`. */
uint64_t timer_wheel_wait_ms(const struct timer_wheel *w, uint64_t cap);

#endif
