/* store/health: the words of enum upstate_word. */
#include "common/store/health.h"

#include <assert.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

static_assert((int)UPSTATE_RUN_SLOW == (int)EJECT_SLOW, "a word for each run");

/* --- runs: {when the first came, how many} -------------------------------- */

#define RUN_BITS 16
#define RUN_MASK ((UINT64_C(1) << RUN_BITS) - 1)

static uint64_t
run_next(uint64_t run, uint64_t window_ms, uint64_t now_ms)
{
	uint64_t began_ms = run >> RUN_BITS;
	uint64_t n = run & RUN_MASK;

	if (n == 0 || now_ms > began_ms + window_ms)
		return now_ms << RUN_BITS | 1;
	return began_ms << RUN_BITS | (n < RUN_MASK ? n + 1 : n);
}

bool
health_count(struct upstate *u, uint32_t id, enum conf_eject_run run,
    const struct conf_eject *e, uint64_t now_ms)
{
	_Atomic uint64_t *word =
	    upstate_word(u, id, (enum upstate_word)(UPSTATE_RUN_5XX + run));
	uint64_t seen = atomic_load(word);
	uint64_t next;
	bool is_full;

	do {
		next = run_next(seen, e->window_ms, now_ms);
		is_full = (next & RUN_MASK) >= e->most[run];
	} while (
	    !atomic_compare_exchange_weak(word, &seen, is_full ? 0 : next));
	return is_full;
}

void
health_count_ends(struct upstate *u, uint32_t id, enum conf_eject_run run)
{
	_Atomic uint64_t *word =
	    upstate_word(u, id, (enum upstate_word)(UPSTATE_RUN_5XX + run));

	/* nearly always so: others need not fetch the line again */
	if (atomic_load_explicit(word, memory_order_relaxed) != 0)
		atomic_store(word, 0);
}

/* --- ejection: {until when, claimed by whom, times in succession} --------- */

#define EJECT_CLAIMED UINT64_C(1)
#define EJECT_TIMES_SHIFT 1
#define EJECT_TIMES_MASK UINT64_C(0x7f)
#define EJECT_SLOT_SHIFT 8
#define EJECT_SLOT_MASK UINT64_C(0xff)
#define EJECT_UNTIL_SHIFT 16
/* Each time in succession doubles the time, up to 16 times of it. */
#define EJECT_DOUBLE_MAX 5
#define EJECT_WHY_BITS 2

static_assert(EJECT_RUNS <= 1 << EJECT_WHY_BITS, "a run fits");
static_assert(SLOTS_MAX - 1 <= EJECT_SLOT_MASK, "a slot fits");

static uint64_t
eject_until(uint64_t w)
{
	return w >> EJECT_UNTIL_SHIFT;
}

static uint32_t
eject_times(uint64_t w)
{
	return (uint32_t)(w >> EJECT_TIMES_SHIFT & EJECT_TIMES_MASK);
}

static uint64_t
eject_word(uint64_t until_ms, uint32_t times)
{
	return until_ms << EJECT_UNTIL_SHIFT | (uint64_t)times
						   << EJECT_TIMES_SHIFT;
}

static uint64_t
eject_time(const struct conf_eject *e, uint32_t times)
{
	if (times > EJECT_DOUBLE_MAX)
		times = EJECT_DOUBLE_MAX;
	return times == 0 ? 0 : e->for_ms << (times - 1);
}

bool
health_eject_claim(struct upstate *u, uint32_t slot, uint32_t id,
    const struct conf_eject *e, uint64_t now_ms, struct health_claim *out)
{
	_Atomic uint64_t *word = upstate_word(u, id, UPSTATE_EJECTED);
	uint64_t seen = atomic_load(word);
	uint64_t until_ms = eject_until(seen);
	uint32_t times = eject_times(seen);

	REQUIRE(slot < SLOTS_MAX);
	if ((seen & EJECT_CLAIMED) || now_ms < until_ms)
		return false;
	/* it was well for as long as it was out: that is forgotten */
	if (now_ms - until_ms > eject_time(e, times))
		times = 0;
	if (times < EJECT_TIMES_MASK)
		times++;
	*out = (struct health_claim){
	    .before = seen,
	    .claimed = eject_word(until_ms, times) |
		       (uint64_t)slot << EJECT_SLOT_SHIFT | EJECT_CLAIMED,
	    .for_ms = eject_time(e, times),
	    .times = times,
	};
	return atomic_compare_exchange_strong(word, &seen, out->claimed);
}

bool
health_is_ejected(struct upstate *u, uint32_t id, uint64_t now_ms)
{
	uint64_t w = atomic_load(upstate_word(u, id, UPSTATE_EJECTED));

	return (w & EJECT_CLAIMED) || now_ms < eject_until(w);
}

void
health_eject_confirm(struct upstate *u, uint32_t id,
    const struct health_claim *c, enum conf_eject_run why, uint64_t now_ms)
{
	uint64_t seen = c->claimed;

	CRASH_POINT();
	atomic_store(upstate_word(u, id, UPSTATE_EJECTED_AT),
	    now_ms << EJECT_WHY_BITS | (uint64_t)why);
	CRASH_POINT();
	(void)atomic_compare_exchange_strong(
	    upstate_word(u, id, UPSTATE_EJECTED), &seen,
	    eject_word(now_ms + c->for_ms, c->times));
	CRASH_POINT();
	upstate_change(u);
}

void
health_eject_drop(struct upstate *u, uint32_t id, const struct health_claim *c)
{
	uint64_t seen = c->claimed;

	CRASH_POINT();
	(void)atomic_compare_exchange_strong(
	    upstate_word(u, id, UPSTATE_EJECTED), &seen, c->before);
}

void
health_repair(struct upstate *u, uint32_t dead)
{
	uint32_t n = upstate_used(u);

	for (uint32_t id = 0; id < n; id++) {
		_Atomic uint64_t *word = upstate_word(u, id, UPSTATE_EJECTED);
		uint64_t seen = atomic_load(word);

		if (!(seen & EJECT_CLAIMED) ||
		    (seen >> EJECT_SLOT_SHIFT & EJECT_SLOT_MASK) != dead)
			continue;
		CRASH_POINT();
		(void)atomic_compare_exchange_strong(word, &seen,
		    eject_word(eject_until(seen), eject_times(seen)));
	}
}

/* --- all together --------------------------------------------------------- */

static void
health_look_ejected(
    struct upstate *u, uint32_t id, uint64_t ejected, struct health *out)
{
	uint64_t at = atomic_load(upstate_word(u, id, UPSTATE_EJECTED_AT));

	out->state = HEALTH_EJECTED;
	out->until_ms = eject_until(ejected);
	out->since_ms = at >> EJECT_WHY_BITS;
	at &= (1u << EJECT_WHY_BITS) - 1;
	out->run = at < EJECT_RUNS ? (enum conf_eject_run)at : EJECT_5XX;
}

void
health_look(struct upstate *u, uint32_t id, uint64_t now_ms, struct health *out)
{
	uint64_t ejected = atomic_load(upstate_word(u, id, UPSTATE_EJECTED));

	*out = (struct health){.state = HEALTH_UP};
	if (ejected & EJECT_CLAIMED)
		return;
	if (now_ms < eject_until(ejected))
		health_look_ejected(u, id, ejected, out);
	else
		out->back_ms = out->since_ms = eject_until(ejected);
}

const char *
health_state_name(enum health_state s)
{
	switch (s) {
	case HEALTH_UP:
		return "up";
	case HEALTH_EJECTED:
		return "ejected";
	}
	UNREACHED();
}

const char *
health_run_name(enum conf_eject_run run)
{
	switch (run) {
	case EJECT_5XX:
		return "5xx";
	case EJECT_RESET:
		return "reset";
	case EJECT_SLOW:
		return "slow";
	case EJECT_RUNS:
		break;
	}
	UNREACHED();
}
