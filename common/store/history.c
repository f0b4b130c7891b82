/* store/history: a ring of words, each of which is a whole change, and how many
 * were ever written. It has a place more than is read, which is the one that is
 * written next: who dies there leaves nothing half. */
#include "common/store/history.h"

#include <assert.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

#define HISTORY_PLACES (HISTORY_MAX + 1u)

/* A change: {when, from, to, why, status}. */
#define CHANGE_DETAIL_BITS 10
#define CHANGE_WHY_SHIFT 10
#define CHANGE_WHY_BITS 6
#define CHANGE_TO_SHIFT 16
#define CHANGE_FROM_SHIFT 19
#define CHANGE_STATE_BITS 3
#define CHANGE_WHEN_SHIFT 22
#define CHANGE_WHEN_BITS 42

static_assert(HISTORY_PLACES + 1 == UPSTATE_PAST_WORDS, "a count and places");
static_assert(HEALTH_OFF < 1 << CHANGE_STATE_BITS, "a state fits");
static_assert(
    HEALTH_WHYS <= 1 << CHANGE_WHY_BITS && EJECT_RUNS <= 1 << CHANGE_WHY_BITS,
    "a reason fits");

static uint64_t
bits_of(uint64_t value, unsigned n)
{
	return value & ((UINT64_C(1) << n) - 1);
}

static uint64_t
change_pack(const struct history_change *c)
{
	uint64_t why = 0;

	if (c->to.state == HEALTH_EJECTED)
		why = c->to.run;
	else if (c->to.state == HEALTH_DOWN)
		why = c->to.why;
	return bits_of(c->to.since_ms, CHANGE_WHEN_BITS) << CHANGE_WHEN_SHIFT |
	       (uint64_t)c->from << CHANGE_FROM_SHIFT |
	       (uint64_t)c->to.state << CHANGE_TO_SHIFT |
	       why << CHANGE_WHY_SHIFT |
	       bits_of(c->to.detail, CHANGE_DETAIL_BITS);
}

static enum health_state
state_of(uint64_t w)
{
	uint64_t s = bits_of(w, CHANGE_STATE_BITS);

	return s <= HEALTH_OFF ? (enum health_state)s : HEALTH_UP;
}

/* Whatever stands there. */
static struct history_change
change_unpack(uint64_t w)
{
	uint64_t why = bits_of(w >> CHANGE_WHY_SHIFT, CHANGE_WHY_BITS);
	struct history_change c = {
	    .from = state_of(w >> CHANGE_FROM_SHIFT),
	    .to = {.state = state_of(w >> CHANGE_TO_SHIFT),
		.since_ms = w >> CHANGE_WHEN_SHIFT},
	};

	if (c.to.state == HEALTH_EJECTED && why < EJECT_RUNS)
		c.to.run = (enum conf_eject_run)why;
	if (c.to.state == HEALTH_DOWN && why < HEALTH_WHYS)
		c.to.why = (enum health_why)why;
	if (c.to.state == HEALTH_DOWN)
		c.to.detail = (uint32_t)bits_of(w, CHANGE_DETAIL_BITS);
	return c;
}

/* Whether the last one that was noted is not how it is. */
static bool
is_change(const struct health *last, const struct health *now)
{
	return now->state != last->state ||
	       (now->state == HEALTH_EJECTED && now->since_ms > last->since_ms);
}

/* Two stewards may be here for a moment, or one that was stopped long ago: what
 * others wrote since is not overwritten. */
static void
past_add(_Atomic uint64_t *past, uint64_t n, uint64_t change)
{
	_Atomic uint64_t *place = &past[1 + n % HISTORY_PLACES];
	uint64_t before = atomic_load(place);

	if (atomic_load(&past[0]) != n)
		return;
	CRASH_POINT();
	if (!atomic_compare_exchange_strong(place, &before, change))
		return;
	CRASH_POINT();
	(void)atomic_compare_exchange_strong(&past[0], &n, n + 1);
}

void
history_note(struct upstate *u, uint32_t id, uint64_t now_ms)
{
	_Atomic uint64_t *past = upstate_past(u, id);
	uint64_t n = atomic_load(&past[0]);
	/* without any: since ever */
	struct history_change last = {.to = {.state = HEALTH_UP}};
	struct history_change c;

	if (n > 0)
		last = change_unpack(
		    atomic_load(&past[1 + (n - 1) % HISTORY_PLACES]));
	health_look(u, id, now_ms, &c.to);
	if (!is_change(&last.to, &c.to))
		return;
	c.from = last.to.state;
	/* something older came to light, or nobody knows */
	if (c.to.since_ms <= last.to.since_ms || c.to.since_ms > now_ms)
		c.to.since_ms = now_ms;
	past_add(past, n, change_pack(&c));
}

uint32_t
history_read(
    struct upstate *u, uint32_t id, struct history_change out[HISTORY_MAX])
{
	_Atomic uint64_t *past = upstate_past(u, id);
	uint64_t n = atomic_load(&past[0]);
	uint32_t n_read = 0;
	uint64_t n_after;

	for (uint64_t i = n; n_read < HISTORY_MAX && i > 0; i--)
		out[n_read++] = change_unpack(
		    atomic_load(&past[1 + (i - 1) % HISTORY_PLACES]));
	/* the oldest were overwritten meanwhile */
	n_after = atomic_load(&past[0]);
	if (n_after - n >= HISTORY_MAX)
		return 0;
	if (n_after - n > HISTORY_MAX - n_read)
		n_read = HISTORY_MAX - (uint32_t)(n_after - n);
	return n_read;
}
