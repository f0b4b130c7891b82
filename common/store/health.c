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

/* --- checks: {since when, status, why, was bad before, result} ------------ */

#define CHECKED_MASK UINT64_C(3)
#define CHECKED_BACK UINT64_C(4)
#define CHECKED_WHY_SHIFT 4
#define CHECKED_WHY_MASK UINT64_C(0x3f)
#define CHECKED_DETAIL_SHIFT 10
#define CHECKED_DETAIL_MASK UINT64_C(0x3ff)
#define CHECKED_SINCE_SHIFT 20

static_assert(HEALTH_BAD <= CHECKED_MASK, "a result fits");
static_assert(HEALTH_WHYS - 1 <= CHECKED_WHY_MASK, "a reason fits");

void
health_check_adopt(struct upstate *u, uint32_t id, uint64_t check)
{
	if (atomic_load(upstate_word(u, id, UPSTATE_CHECK_ID)) == check)
		return;
	atomic_store(upstate_word(u, id, UPSTATE_CHECKED), 0);
	CRASH_POINT();
	atomic_store(upstate_word(u, id, UPSTATE_CHECK_ID), check);
	upstate_change(u);
}

static enum health_checked
checked_of(uint64_t w)
{
	uint64_t result = w & CHECKED_MASK;

	return result <= HEALTH_BAD ? (enum health_checked)result
				    : HEALTH_UNKNOWN;
}

enum health_checked
health_checked(struct upstate *u, uint32_t id)
{
	return checked_of(atomic_load(upstate_word(u, id, UPSTATE_CHECKED)));
}

void
health_check_set(struct upstate *u, uint32_t id, enum health_why why,
    uint32_t detail, uint64_t now_ms)
{
	_Atomic uint64_t *word = upstate_word(u, id, UPSTATE_CHECKED);
	bool was_bad = checked_of(atomic_load(word)) == HEALTH_BAD;
	bool is_good = why == HEALTH_WHY_NONE;

	atomic_store(
	    word, now_ms << CHECKED_SINCE_SHIFT |
		      (detail & CHECKED_DETAIL_MASK) << CHECKED_DETAIL_SHIFT |
		      (uint64_t)why << CHECKED_WHY_SHIFT |
		      (is_good && was_bad ? CHECKED_BACK : 0) |
		      (uint64_t)(is_good ? HEALTH_GOOD : HEALTH_BAD));
	CRASH_POINT();
	upstate_change(u);
}

/* --- orders: {since when, what} ------------------------------------------- */

#define ORDER_BITS 8
#define ORDER_MASK ((UINT64_C(1) << ORDER_BITS) - 1)

static const char *const order_names[HEALTH_ORDERS] = {
    [HEALTH_ORDER_AUTO] = "auto",
    [HEALTH_ORDER_UP] = "up",
    [HEALTH_ORDER_DRAIN] = "drain",
    [HEALTH_ORDER_DOWN] = "down",
};

void
health_order_set(
    struct upstate *u, uint32_t id, enum health_order what, uint64_t now_ms)
{
	atomic_store(upstate_word(u, id, UPSTATE_ORDER),
	    now_ms << ORDER_BITS | (uint64_t)what);
	CRASH_POINT();
	upstate_change(u);
}

const char *
health_order_name(enum health_order what)
{
	REQUIRE(what < HEALTH_ORDERS);
	return order_names[what];
}

enum health_order
health_order_find(span name)
{
	for (size_t i = 0; i < HEALTH_ORDERS; i++)
		if (span_eq(name, span_str(order_names[i])))
			return (enum health_order)i;
	return HEALTH_ORDERS;
}

void
health_weight_set(struct upstate *u, uint32_t id, uint32_t weight)
{
	REQUIRE(weight <= HEALTH_WEIGHT_MAX);
	atomic_store(upstate_word(u, id, UPSTATE_WEIGHT), weight);
	CRASH_POINT();
	upstate_change(u);
}

uint32_t
health_weight(struct upstate *u, uint32_t id)
{
	uint64_t w = atomic_load(upstate_word(u, id, UPSTATE_WEIGHT));

	return w <= HEALTH_WEIGHT_MAX ? (uint32_t)w : 0;
}

/* --- all together --------------------------------------------------------- */

/* When it came back last by what this word says. */
static void
back_at_least(struct health *out, uint64_t ms)
{
	if (ms > out->back_ms)
		out->back_ms = out->since_ms = ms;
}

/* Whether the operator's word alone decides. */
static bool
look_order(struct upstate *u, uint32_t id, struct health *out)
{
	uint64_t w = atomic_load(upstate_word(u, id, UPSTATE_ORDER));
	uint64_t what = w & ORDER_MASK;

	out->order =
	    what < HEALTH_ORDERS ? (enum health_order)what : HEALTH_ORDER_AUTO;
	switch (out->order) {
	case HEALTH_ORDER_DRAIN:
		out->state = HEALTH_DRAINING;
		break;
	case HEALTH_ORDER_DOWN:
		out->state = HEALTH_OFF;
		break;
	case HEALTH_ORDER_AUTO:
	case HEALTH_ORDER_UP:
	case HEALTH_ORDERS:
		back_at_least(out, w >> ORDER_BITS);
		return out->order == HEALTH_ORDER_UP;
	}
	out->since_ms = w >> ORDER_BITS;
	return true;
}

/* Whether its checks say that it is not well. */
static bool
look_checked(struct upstate *u, uint32_t id, struct health *out)
{
	uint64_t w = atomic_load(upstate_word(u, id, UPSTATE_CHECKED));
	uint64_t why = w >> CHECKED_WHY_SHIFT & CHECKED_WHY_MASK;

	if (checked_of(w) != HEALTH_BAD) {
		if (w & CHECKED_BACK)
			back_at_least(out, w >> CHECKED_SINCE_SHIFT);
		return false;
	}
	out->state = HEALTH_DOWN;
	out->since_ms = w >> CHECKED_SINCE_SHIFT;
	out->why = why < HEALTH_WHYS ? (enum health_why)why : HEALTH_WHY_NONE;
	out->detail =
	    (uint32_t)(w >> CHECKED_DETAIL_SHIFT & CHECKED_DETAIL_MASK);
	return true;
}

static void
look_ejected(
    struct upstate *u, uint32_t id, uint64_t now_ms, struct health *out)
{
	uint64_t w = atomic_load(upstate_word(u, id, UPSTATE_EJECTED));
	uint64_t at;

	if (w & EJECT_CLAIMED)
		return;
	if (now_ms >= eject_until(w)) {
		back_at_least(out, eject_until(w));
		return;
	}
	at = atomic_load(upstate_word(u, id, UPSTATE_EJECTED_AT));
	out->state = HEALTH_EJECTED;
	out->until_ms = eject_until(w);
	out->since_ms = at >> EJECT_WHY_BITS;
	at &= (1u << EJECT_WHY_BITS) - 1;
	out->run = at < EJECT_RUNS ? (enum conf_eject_run)at : EJECT_5XX;
}

void
health_look(struct upstate *u, uint32_t id, uint64_t now_ms, struct health *out)
{
	*out = (struct health){.state = HEALTH_UP};
	if (look_order(u, id, out) || look_checked(u, id, out))
		return;
	look_ejected(u, id, now_ms, out);
}

bool
health_is_well(struct upstate *u, uint32_t id, uint64_t now_ms)
{
	struct health h = {.state = HEALTH_UP};

	if (look_checked(u, id, &h))
		return false;
	look_ejected(u, id, now_ms, &h);
	return h.state == HEALTH_UP;
}

const char *
health_state_name(enum health_state s)
{
	switch (s) {
	case HEALTH_UP:
		return "up";
	case HEALTH_EJECTED:
		return "ejected";
	case HEALTH_DOWN:
		return "down";
	case HEALTH_DRAINING:
		return "draining";
	case HEALTH_OFF:
		return "off";
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

const char *
health_why_name(enum health_why why)
{
	static const char *const names[] = {
	    [HEALTH_WHY_NONE] = "",
#define HEALTH_WHY(id, text) [HEALTH_WHY_##id] = (text),
#include "common/store/health_why.def"
#undef HEALTH_WHY
	};

	REQUIRE(why < HEALTH_WHYS);
	return names[why];
}

/* --- how many are left ---------------------------------------------------- */

#define WHOLE_TENTHS 1000u

void
health_class_add(struct health_class *c, const struct health *h)
{
	if (h->state == HEALTH_DRAINING || h->state == HEALTH_OFF)
		return;
	c->n++;
	c->n_fit += h->state == HEALTH_UP;
}

bool
health_class_is_below(const struct health_class *c, uint32_t tenths)
{
	return (uint64_t)c->n_fit * WHOLE_TENTHS < (uint64_t)c->n * tenths;
}

bool
health_panics(const struct health_class *usual,
    const struct health_class *backup, uint32_t tenths)
{
	return health_class_is_below(usual, tenths) &&
	       (usual->n_fit > 0 || backup->n_fit == 0);
}
