/* store/budget: two words by turns, each {requests, tries again, window}: one
 * of the window of time that goes on, one of that before it, which counts for
 * as much as is left of its ten seconds. A word of an older window is
 * nothing. */
#include "common/store/budget.h"

#include "common/base/check.h"
#include "common/shm/crash.h"

#define COUNT_BITS 24
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define WINDOW_BITS 16
#define WINDOW_MASK ((UINT64_C(1) << WINDOW_BITS) - 1)
#define WHOLE_TENTHS 1000u
#define FLOOR_COUNT (BUDGET_FLOOR_RPS * (BUDGET_WINDOW_MS / 1000))

/* What came in one window. */
struct budget_counts {
	uint64_t requests; /* 0 .. COUNT_MASK; more are not told apart */
	uint64_t tries;
};

static _Atomic uint64_t *
budget_word(struct upstate *u, uint32_t id, uint64_t window)
{
	bool is_even = window % 2 == 0;

	return upstate_word(
	    u, id, is_even ? UPSTATE_BUDGET_EVEN : UPSTATE_BUDGET_ODD);
}

static struct budget_counts
counts_of(uint64_t word, uint64_t window)
{
	if ((word & WINDOW_MASK) != (window & WINDOW_MASK))
		return (struct budget_counts){0, 0};
	return (struct budget_counts){
	    .requests = word >> (COUNT_BITS + WINDOW_BITS),
	    .tries = word >> WINDOW_BITS & COUNT_MASK,
	};
}

static uint64_t
counts_word(struct budget_counts c, uint64_t window)
{
	return c.requests << (COUNT_BITS + WINDOW_BITS) |
	       c.tries << WINDOW_BITS | (window & WINDOW_MASK);
}

void
budget_count(struct upstate *u, uint32_t id, uint64_t now_ms)
{
	uint64_t window = now_ms / BUDGET_WINDOW_MS;
	_Atomic uint64_t *word = budget_word(u, id, window);
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t next;

	do {
		struct budget_counts c = counts_of(seen, window);

		CRASH_POINT();
		if (c.requests == COUNT_MASK)
			return;
		c.requests++;
		next = counts_word(c, window);
	} while (!atomic_compare_exchange_weak(word, &seen, next));
}

/* Whether one more is within the share. What was in the window before counts
 * less and less; all numbers are times BUDGET_WINDOW_MS * WHOLE_TENTHS, far
 * below 2^64. */
static bool
budget_has_more(struct budget_counts now, struct budget_counts before,
    uint64_t left_ms, uint32_t share_tenths)
{
	uint64_t requests =
	    now.requests * BUDGET_WINDOW_MS + before.requests * left_ms;
	uint64_t tries =
	    (now.tries + 1) * BUDGET_WINDOW_MS + before.tries * left_ms;
	uint64_t floor = (uint64_t)FLOOR_COUNT * BUDGET_WINDOW_MS;

	return tries * WHOLE_TENTHS <=
	       requests * share_tenths + floor * WHOLE_TENTHS;
}

bool
budget_take(
    struct upstate *u, uint32_t id, uint32_t share_tenths, uint64_t now_ms)
{
	uint64_t window = now_ms / BUDGET_WINDOW_MS;
	uint64_t left_ms = BUDGET_WINDOW_MS - now_ms % BUDGET_WINDOW_MS;
	_Atomic uint64_t *word = budget_word(u, id, window);
	uint64_t seen = atomic_load(word);
	uint64_t next;

	do {
		struct budget_counts c = counts_of(seen, window);
		struct budget_counts before = counts_of(
		    atomic_load(budget_word(u, id, window + 1)), window - 1);

		CRASH_POINT();
		if (c.tries == COUNT_MASK ||
		    !budget_has_more(c, before, left_ms, share_tenths))
			return false;
		c.tries++;
		next = counts_word(c, window);
	} while (!atomic_compare_exchange_weak(word, &seen, next));
	CRASH_POINT();
	return true;
}
