/* store/latency: a word {when in ms, us}, 32 bits each; 0 is nothing. The halves
 * are cut by integers: between two of them the way is straight. */
#include "common/store/latency.h"

#include "common/shm/crash.h"

#define WHEN_BITS 32

static uint64_t
word_of(uint32_t us, uint64_t now_ms)
{
	return now_ms << WHEN_BITS | us;
}

/* Milliseconds since the word was written; the clock of another process may be
 * a little behind it, and the time wraps after 49 days. */
static uint32_t
word_age_ms(uint64_t word, uint64_t now_ms)
{
	uint32_t ms = (uint32_t)now_ms - (uint32_t)(word >> WHEN_BITS);

	return ms > INT32_MAX ? 0 : ms;
}

static bool
word_is_known(uint64_t word, uint64_t now_ms)
{
	return word != 0 &&
	       word_age_ms(word, now_ms) < LATENCY_HALF_MS * LATENCY_HALVES;
}

/* What is left of a distance after so long. */
static uint64_t
left_of(uint64_t us, uint32_t age_ms)
{
	uint32_t halves = age_ms / LATENCY_HALF_MS;
	uint64_t part = age_ms % LATENCY_HALF_MS;

	if (halves >= LATENCY_HALVES)
		return 0;
	us >>= halves;
	return us - us * part / (2 * LATENCY_HALF_MS);
}

/* Behind an answer that took so long. */
static uint64_t
word_next(uint64_t word, uint32_t took_us, uint64_t now_ms)
{
	uint32_t us = (uint32_t)word;
	uint32_t next;

	if (!word_is_known(word, now_ms) || took_us >= us)
		return word_of(took_us, now_ms);
	next = took_us +
	       (uint32_t)left_of(us - took_us, word_age_ms(word, now_ms));
	/* less than 1 us: time goes on until it is one */
	return next == us ? word : word_of(next, now_ms);
}

static uint32_t
us_bounded(uint64_t us, uint32_t least, uint32_t most)
{
	if (us < least)
		return least;
	return us > most ? most : (uint32_t)us;
}

void
latency_note(struct upstate *u, uint32_t id, uint64_t took_us, uint64_t now_ms)
{
	_Atomic uint64_t *word = upstate_word(u, id, UPSTATE_LATENCY);
	uint32_t us = us_bounded(took_us, 1, UINT32_MAX);
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t next;

	do {
		next = word_next(seen, us, now_ms);
		if (next == seen)
			return;
		CRASH_POINT();
	} while (!atomic_compare_exchange_weak_explicit(
	    word, &seen, next, memory_order_relaxed, memory_order_relaxed));
}

void
latency_note_failure(struct upstate *u, uint32_t id, uint64_t now_ms)
{
	uint64_t us = 2 * (uint64_t)latency_us(u, id, now_ms);

	latency_note(u, id,
	    us_bounded(us, LATENCY_FAILURE_MIN_US, LATENCY_FAILURE_MAX_US),
	    now_ms);
}

uint32_t
latency_us(struct upstate *u, uint32_t id, uint64_t now_ms)
{
	uint64_t word = atomic_load_explicit(
	    upstate_word(u, id, UPSTATE_LATENCY), memory_order_relaxed);
	uint64_t us;

	if (!word_is_known(word, now_ms))
		return 0;
	us = left_of((uint32_t)word, word_age_ms(word, now_ms));
	return us > 0 ? (uint32_t)us : 1;
}

/* --- the tail --------------------------------------------------------------- */

/* A step is a tenth of the time, cut by the percentage: with 95 up by 95 in a
 * thousand or down by 5, so that it rests where 5 of 100 are above it (stochastic
 * approximation, Robbins and Monro). */
#define TAIL_STEPS 10u
#define PERCENTS 100u

/* Behind an answer that took so long; a word is {answers, us}. */
static uint64_t
tail_next(uint64_t word, uint32_t percent, uint32_t took_us)
{
	uint64_t n = word >> WHEN_BITS;
	uint64_t us = (uint32_t)word;

	/* of a few the slowest is the best guess */
	if (n < LATENCY_TAIL_FEW)
		return (n + 1) << WHEN_BITS | (took_us > us ? took_us : us);
	if (took_us > us) {
		us += us * percent / (PERCENTS * TAIL_STEPS) + 1;
		us = us < took_us ? us : took_us;
	} else {
		us -= us * (PERCENTS - percent) / (PERCENTS * TAIL_STEPS);
		us = us > took_us ? us : took_us;
	}
	return n << WHEN_BITS | us;
}

void
latency_tail_note(
    struct upstate *u, uint32_t id, uint32_t percent, uint64_t took_us)
{
	_Atomic uint64_t *word = upstate_word(u, id, UPSTATE_TAIL);
	uint32_t us = us_bounded(took_us, 1, UINT32_MAX);
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t next;

	do {
		next = tail_next(seen, percent, us);
		if (next == seen)
			return;
		CRASH_POINT();
	} while (!atomic_compare_exchange_weak_explicit(
	    word, &seen, next, memory_order_relaxed, memory_order_relaxed));
}

uint32_t
latency_tail_us(struct upstate *u, uint32_t id)
{
	uint64_t word = atomic_load_explicit(
	    upstate_word(u, id, UPSTATE_TAIL), memory_order_relaxed);

	return word >> WHEN_BITS < LATENCY_TAIL_FEW ? 0 : (uint32_t)word;
}
