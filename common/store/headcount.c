/* store/headcount: shards of places, each with a lock. A place is one address
 * in one process: only that process changes its number, so that a death takes
 * its numbers along and nobody else's. The number of an address is the sum over
 * its places, which stand in one shard; it is read and raised inside the lock,
 * and lowered outside of it. */
#include "common/store/headcount.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define SHARDS 4096u
#define WAYS (HEADCOUNT_PLACES / SHARDS)

/* A place's word: slot in the upper half, number in the lower; a number of 0:
 * the place is free. */
#define WORD_NUMBER UINT64_C(0xffffffff)
#define WORD_SLOT_SHIFT 32

struct headcount_shard {
	struct shm_lock lock;
	uint64_t tag[WAYS]; /* names the address; inside the lock */
	_Atomic uint64_t word[WAYS];
} __attribute__((aligned(64)));

struct headcount {
	_Atomic uint32_t is_ready;
	struct sipkey key[2]; /* drawn once, so that nobody can aim */
	struct headcount_shard shard[SHARDS]
	    __attribute__((aligned(SEGMENT_PAGE)));
};

static const struct segment_want headcount_want = {
    .kind = SEGMENT_KIND_HEADCOUNT,
    .version = 1,
    .size = sizeof(struct headcount),
    .commit = SEGMENT_PAGE,
    .name = "headcount",
};

struct headcount *
headcount_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &headcount_want)
			: segment_find(s, &headcount_want);
}

bool
headcount_ready(struct headcount *h, struct segment *s)
{
	if (atomic_load(&h->is_ready))
		return true;
	if (segment_commit(s, h, sizeof(*h)) < 0)
		return false;
	sipkey_random(&h->key[0]);
	sipkey_random(&h->key[1]);
	atomic_store(&h->is_ready, 1);
	return true;
}

static uint32_t
word_number(uint64_t word)
{
	return (uint32_t)(word & WORD_NUMBER);
}

static uint32_t
word_slot(uint64_t word)
{
	return (uint32_t)(word >> WORD_SLOT_SHIFT);
}

/* What an address is called, for one who counts. */
static uint64_t
headcount_tag(const struct headcount *h, span name, const struct ip *ip)
{
	struct sipkey own = h->key[0];
	struct ip net = ip_client(ip);

	own.k1 ^= siphash(&h->key[1], name);
	return siphash(&own, span_of((const char *)net.b, sizeof(net.b)));
}

/* The number of a tag in all processes; *own is the place where `slot` counts
 * it, or one where it could, or WAYS. */
static uint64_t
shard_sum(
    const struct headcount_shard *s, uint64_t tag, uint32_t slot, uint32_t *own)
{
	uint32_t free_at = WAYS;
	uint64_t sum = 0;

	*own = WAYS;
	for (uint32_t i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load(&s->word[i]);

		if (word_number(word) == 0) {
			free_at = i;
			continue;
		}
		if (s->tag[i] != tag)
			continue;
		sum += word_number(word);
		if (word_slot(word) == slot)
			*own = i;
	}
	if (*own == WAYS)
		*own = free_at;
	return sum;
}

/* Inside the lock. */
static enum headcount_rc
shard_enter(struct headcount_shard *s, uint64_t tag, uint32_t slot,
    uint32_t max, uint32_t *at)
{
	uint64_t word;

	if (shard_sum(s, tag, slot, at) >= max)
		return HEADCOUNT_REFUSED;
	if (*at == WAYS)
		return HEADCOUNT_UNKNOWN;
	word = atomic_load(&s->word[*at]);
	if (word_number(word) == 0) {
		s->tag[*at] = tag;
		CRASH_POINT();
		atomic_store(
		    &s->word[*at], (uint64_t)slot << WORD_SLOT_SHIFT | 1);
	} else {
		/* none of its own that ended in between is lost: those are of
		 * this very process */
		(void)atomic_fetch_add(&s->word[*at], 1);
	}
	CRASH_POINT();
	return HEADCOUNT_OK;
}

enum headcount_rc
headcount_enter(struct headcount *h, const struct slots *slots,
    struct slot_name me, span name, const struct ip *ip, uint32_t max,
    uint32_t *place)
{
	enum headcount_rc rc;
	struct headcount_shard *s;
	uint64_t tag;
	uint32_t at;

	*place = 0;
	if (!atomic_load_explicit(&h->is_ready, memory_order_acquire))
		return HEADCOUNT_UNKNOWN;
	tag = headcount_tag(h, name, ip);
	s = &h->shard[tag % SHARDS];
	if (lock_take(&s->lock, slots, me) != LOCK_OK)
		return HEADCOUNT_UNKNOWN;
	CRASH_POINT();
	rc = shard_enter(s, tag, me.slot, max, &at);
	lock_release(&s->lock, me);
	if (rc == HEADCOUNT_OK)
		*place = (uint32_t)(tag % SHARDS) * WAYS + at + 1;
	return rc;
}

void
headcount_leave(struct headcount *h, struct slot_name me, uint32_t place)
{
	_Atomic uint64_t *at;
	uint64_t word;

	if (place == 0)
		return;
	REQUIRE(place <= HEADCOUNT_PLACES);
	at = &h->shard[(place - 1) / WAYS].word[(place - 1) % WAYS];
	word = atomic_load(at);
	/* what others write here by mistake is not made worse */
	if (word_slot(word) == me.slot && word_number(word) > 0)
		(void)atomic_fetch_sub(at, 1);
	CRASH_POINT();
}

uint64_t
headcount_sum(const struct headcount *h)
{
	uint64_t sum = 0;

	if (!atomic_load(&h->is_ready))
		return 0;
	for (uint32_t i = 0; i < SHARDS; i++)
		for (uint32_t k = 0; k < WAYS; k++)
			sum += word_number(atomic_load(&h->shard[i].word[k]));
	return sum;
}

/* --- repair --------------------------------------------------------------- */

static void
shard_repair(struct headcount_shard *s, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	uint64_t owner = atomic_load(&s->lock.owner);

	for (uint32_t i = 0; i < WAYS; i++) {
		if (word_slot(atomic_load(&s->word[i])) != dead ||
		    word_number(atomic_load(&s->word[i])) == 0)
			continue;
		atomic_store(&s->word[i], 0);
		CRASH_POINT();
	}
	/* a place is whole or free, at each step */
	if (owner != 0 && slot_of_word(owner).slot == dead &&
	    lock_seize(&s->lock, slots, me))
		lock_release(&s->lock, me);
}

void
headcount_repair(struct headcount *h, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	if (!atomic_load(&h->is_ready))
		return;
	for (uint32_t i = 0; i < SHARDS; i++)
		shard_repair(&h->shard[i], slots, me, dead);
}

/* Whether each place is of another pair. */
static bool
shard_is_whole(const struct headcount_shard *s)
{
	if (atomic_load(&s->lock.owner) != 0)
		return false;
	for (uint32_t i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load(&s->word[i]);

		if (word_number(word) == 0)
			continue;
		if (word_slot(word) >= SLOTS_MAX)
			return false;
		for (uint32_t k = 0; k < i; k++) {
			uint64_t other = atomic_load(&s->word[k]);

			if (word_number(other) > 0 &&
			    word_slot(other) == word_slot(word) &&
			    s->tag[k] == s->tag[i])
				return false;
		}
	}
	return true;
}

bool
headcount_check(const struct headcount *h)
{
	for (uint32_t i = 0; i < SHARDS; i++)
		if (!shard_is_whole(&h->shard[i]))
			return false;
	return true;
}
