/* net/timer: levels of slots, each level 64 times coarser. A timer lies in the
 * level that its distance asks for and moves down as its time comes near. */
#include "common/net/timer.h"

#include "common/base/num.h"

#define SLOT_BITS 6
#define SLOT_MASK (TIMER_SLOTS - 1)

void
timer_wheel_init(struct timer_wheel *w, uint64_t now_ms)
{
	w->now_ms = w->set_ms = now_ms;
	w->n = 0;
	for (int level = 0; level < TIMER_LEVELS; level++) {
		w->occupied[level] = 0;
		for (int i = 0; i < TIMER_SLOTS; i++)
			list_init(&w->slots[level][i]);
	}
}

void
timer_init(struct timer *t, timer_f *fn, void *self)
{
	list_init(&t->node);
	t->due_ms = 0;
	t->fn = fn;
	t->self = self;
}

/* The level at which the two times fall into different slots. */
static int
timer_level(uint64_t now_ms, uint64_t due_ms)
{
	uint64_t differ = now_ms ^ due_ms;
	int level =
	    differ == 0 ? 0 : (63 - __builtin_clzll(differ)) / SLOT_BITS;

	return level < TIMER_LEVELS ? level : TIMER_LEVELS - 1;
}

static void
timer_place(struct timer_wheel *w, struct timer *t)
{
	int level = timer_level(w->now_ms, t->due_ms);
	unsigned slot =
	    (unsigned)(t->due_ms >> (level * SLOT_BITS)) & SLOT_MASK;

	list_push_back(&w->slots[level][slot], &t->node);
	w->occupied[level] |= UINT64_C(1) << slot;
}

void
timer_set(struct timer_wheel *w, struct timer *t, uint64_t in_ms)
{
	timer_clear(w, t);
	if (in_ms > UINT64_MAX / 2)
		in_ms = UINT64_MAX / 2;
	/* the current tick is over: the earliest is the next one */
	t->due_ms = w->set_ms + (in_ms > 0 ? in_ms : 1);
	timer_place(w, t);
	w->n++;
}

/* A slot's bit may stay set after its last timer went: looking at an empty
 * slot costs less than finding the slot here. */
void
timer_clear(struct timer_wheel *w, struct timer *t)
{
	if (!timer_is_set(t))
		return;
	list_del(&t->node);
	w->n--;
}

/* Everything in the slot is due, or moves to a finer level. */
static void
timer_open_slot(struct timer_wheel *w, int level, unsigned slot)
{
	struct list due;

	w->occupied[level] &= ~(UINT64_C(1) << slot);
	list_init(&due);
	list_splice_back(&due, &w->slots[level][slot]);
	while (!list_is_empty(&due)) {
		struct timer *t = LIST_ENTRY(due.next, struct timer, node);

		list_del(&t->node);
		if (t->due_ms > w->now_ms) {
			timer_place(w, t);
			continue;
		}
		w->n--;
		t->fn(t->self);
	}
}

/* The next tick at which some slot has to be opened: from each level the first
 * occupied slot ahead. */
static uint64_t
timer_next_tick(const struct timer_wheel *w)
{
	uint64_t next = UINT64_MAX;

	for (int level = 0; level < TIMER_LEVELS; level++) {
		int shift = level * SLOT_BITS;
		uint64_t at = w->now_ms >> shift;
		unsigned here = (unsigned)at & SLOT_MASK;
		uint64_t bits = w->occupied[level];
		uint64_t ahead, tick;

		if (bits == 0)
			continue;
		/* rotate so that bit 0 is the slot after this one */
		ahead = here == SLOT_MASK
			    ? bits
			    : bits >> (here + 1) | bits << (SLOT_MASK - here);
		tick = (at + 1 + (uint64_t)__builtin_ctzll(ahead)) << shift;
		next = u64_min(next, tick);
	}
	return next;
}

/* Open every slot that begins at this tick, coarse ones first. */
static void
timer_tick(struct timer_wheel *w)
{
	for (int level = TIMER_LEVELS - 1; level >= 0; level--) {
		int shift = level * SLOT_BITS;
		unsigned slot = (unsigned)(w->now_ms >> shift) & SLOT_MASK;

		if ((w->now_ms & ((UINT64_C(1) << shift) - 1)) == 0 &&
		    (w->occupied[level] >> slot & 1))
			timer_open_slot(w, level, slot);
	}
}

void
timer_wheel_count_from(struct timer_wheel *w, uint64_t now_ms)
{
	if (w->set_ms < now_ms)
		w->set_ms = now_ms;
}

void
timer_wheel_advance(struct timer_wheel *w, uint64_t now_ms)
{
	timer_wheel_count_from(w, now_ms);
	while (w->now_ms < now_ms) {
		uint64_t next = timer_next_tick(w);

		if (next > now_ms) {
			w->now_ms = now_ms;
			return;
		}
		w->now_ms = next;
		timer_tick(w);
	}
}

bool
timer_wheel_is_due(const struct timer_wheel *w, uint64_t now_ms)
{
	return w->n > 0 && w->now_ms < now_ms && timer_next_tick(w) <= now_ms;
}

uint64_t
timer_wheel_wait_ms(const struct timer_wheel *w, uint64_t cap)
{
	uint64_t next;

	if (w->n == 0)
		return cap;
	next = timer_next_tick(w);
	return next == UINT64_MAX ? cap : u64_min(next - w->now_ms, cap);
}
