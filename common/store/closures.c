/* store/closures: a table of words. A word is the site's hash and its order; it
 * changes as a whole, so that whoever dies leaves the old or the new. A place
 * that was ever used stays so, which ends every search at the first free one; one
 * without an order may become another site's. */
#include "common/store/closures.h"

#include <stdatomic.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"

/* The order stands in the low bits; the rest is the hash, never 0. */
#define CLOSURE_BITS 2
#define CLOSURE_MASK ((UINT64_C(1) << CLOSURE_BITS) - 1)

struct closures {
	_Atomic uint64_t at[CLOSURES_MAX];
};

static const struct segment_want closures_want = {
    .kind = SEGMENT_KIND_CLOSURES,
    .version = 1,
    .size = sizeof(struct closures),
    .commit = sizeof(struct closures),
    .name = "closures",
};

static const char *const orders[CLOSURE_ORDERS] = {
    [CLOSURE_AUTO] = "auto",
    [CLOSURE_ON] = "on",
    [CLOSURE_OFF] = "off",
};

struct closures *
closures_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &closures_want)
			: segment_find(s, &closures_want);
}

uint64_t
closure_id(span site)
{
	/* not a secret: names are the configuration's */
	static const struct sipkey key = {0x67617465, 0x686f757365};
	uint64_t hash = siphash(&key, site) & ~CLOSURE_MASK;

	return hash != 0 ? hash : CLOSURE_MASK + 1;
}

static uint32_t
closure_place(uint64_t id, uint32_t i)
{
	return (uint32_t)((id >> CLOSURE_BITS) + i) % CLOSURES_MAX;
}

enum closure_order
closures_get(const struct closures *t, uint64_t id)
{
	for (uint32_t i = 0; i < CLOSURES_MAX; i++) {
		uint64_t word = atomic_load_explicit(
		    &t->at[closure_place(id, i)], memory_order_relaxed);

		if (word == 0)
			break;
		/* a word that nobody wrote so is no order */
		if ((word & ~CLOSURE_MASK) == id)
			return (word & CLOSURE_MASK) < CLOSURE_ORDERS
				   ? (enum closure_order)(word & CLOSURE_MASK)
				   : CLOSURE_AUTO;
	}
	return CLOSURE_AUTO;
}

/* Where the site's word stands, or else the first place that may be its;
 * CLOSURES_MAX: there is none. */
static uint32_t
closure_find(const struct closures *t, uint64_t id)
{
	uint32_t free_at = CLOSURES_MAX;

	for (uint32_t i = 0; i < CLOSURES_MAX; i++) {
		uint32_t at = closure_place(id, i);
		uint64_t word = atomic_load(&t->at[at]);

		if ((word & ~CLOSURE_MASK) == id)
			return at;
		if (free_at == CLOSURES_MAX &&
		    (word & CLOSURE_MASK) == CLOSURE_AUTO)
			free_at = at;
		if (word == 0)
			break;
	}
	return free_at;
}

bool
closures_set(struct closures *t, uint64_t id, enum closure_order order)
{
	uint32_t at = closure_find(t, id);

	REQUIRE(order < CLOSURE_ORDERS);
	if (at == CLOSURES_MAX)
		return false;
	CRASH_POINT();
	atomic_store(&t->at[at], id | (uint64_t)order);
	CRASH_POINT();
	return true;
}

enum closure_order
closure_order_find(span word)
{
	unsigned i = 0;

	while (i < CLOSURE_ORDERS && !span_eq(word, span_str(orders[i])))
		i++;
	return (enum closure_order)i;
}

const char *
closure_order_name(enum closure_order order)
{
	REQUIRE(order < CLOSURE_ORDERS);
	return orders[order];
}

bool
closures_check(const struct closures *t)
{
	for (uint32_t i = 0; i < CLOSURES_MAX; i++) {
		uint64_t word = atomic_load(&t->at[i]);

		if (word == 0)
			continue;
		/* found where a search begins and goes on to */
		if ((word & CLOSURE_MASK) >= CLOSURE_ORDERS ||
		    closure_find(t, word & ~CLOSURE_MASK) != i)
			return false;
	}
	return true;
}
