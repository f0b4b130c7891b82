/* store/hitters: for each kind a lock and places. A place counts one name, and
 * is free while its count is 0. `floor` is the most that a name without a place
 * may have had: a name that comes to a place begins with it, and that is its
 * error. All is written inside the lock. */
#include "common/store/hitters.h"

#include <string.h>

#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

/* Where a name may be, by its hash: saves most searches. */
#define HINTS 1024u
#define COUNT_BITS 64u

struct hitter_text {
	_Atomic uint32_t
	    len; /* of the name; more than HITTERS_TEXT: it is cut */
	char text[HITTERS_TEXT];
};

struct hitter_set {
	struct shm_lock lock;
	_Atomic uint64_t n_dropped;
	uint64_t halved_ms; /* CLOCK_MONOTONIC, up to which it is done */
	_Atomic uint64_t floor;
	_Atomic uint32_t is_halving; /* counts are those of no time */
	_Atomic uint64_t count[HITTERS_PLACES]; /* 0: the place is free */
	uint64_t hash[HITTERS_PLACES];
	uint64_t error[HITTERS_PLACES];
	uint8_t hint[HINTS]; /* numbers of places; may be wrong */
	struct hitter_text text[HITTERS_PLACES];
} __attribute__((aligned(64)));

struct hitters {
	_Atomic uint32_t is_ready;
	struct sipkey key[2]; /* drawn once, so that nobody can aim */
	struct hitter_set set[HITTERS_N] __attribute__((aligned(SEGMENT_PAGE)));
};

static const struct segment_want hitters_want = {
    .kind = SEGMENT_KIND_HITTERS,
    .version = 2,
    .size = sizeof(struct hitters),
    .commit = SEGMENT_PAGE,
    .name = "hitters",
};

struct hitters *
hitters_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &hitters_want)
			: segment_find(s, &hitters_want);
}

bool
hitters_ready(struct hitters *h, struct segment *s)
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

static bool
hitters_is_ready(const struct hitters *h)
{
	return atomic_load_explicit(&h->is_ready, memory_order_acquire);
}

/* --- a place, inside the lock --------------------------------------------- */

static uint64_t
place_count(const struct hitter_set *s, uint32_t at)
{
	return atomic_load_explicit(&s->count[at], memory_order_relaxed);
}

static void
place_free(struct hitter_set *s, uint32_t at)
{
	atomic_store(&s->count[at], 0);
	CRASH_POINT();
	s->hash[at] = 0;
	s->error[at] = 0;
	memset(s->text[at].text, 0, sizeof(s->text[at].text));
	CRASH_POINT();
	/* last: there is no text where there is no length */
	atomic_store(&s->text[at].len, 0);
}

/* As much of it as there is room for. */
static void
place_write(struct hitter_text *t, const struct hitter_name *name)
{
	size_t head = size_min(name->head.len, HITTERS_TEXT);
	size_t tail = size_min(name->tail.len, HITTERS_TEXT - head);

	atomic_store(&t->len,
	    (uint32_t)u64_min(
		(uint64_t)name->head.len + name->tail.len, UINT32_MAX));
	memset(t->text, 0, sizeof(t->text));
	if (head > 0)
		memcpy(t->text, name->head.p, head);
	if (tail > 0)
		memcpy(t->text + head, name->tail.p, tail);
}

/* The place that counts it, or HITTERS_PLACES. */
static uint32_t
set_find(const struct hitter_set *s, uint64_t hash)
{
	uint32_t at = s->hint[hash % HINTS];

	if (s->hash[at] == hash && place_count(s, at) != 0)
		return at;
	for (at = 0; at < HITTERS_PLACES; at++)
		if (s->hash[at] == hash && place_count(s, at) != 0)
			break;
	return at;
}

/* The place that counts least. */
static uint32_t
set_least(const struct hitter_set *s)
{
	uint64_t count = place_count(s, 0);
	uint32_t least = 0;

	for (uint32_t i = 1; i < HITTERS_PLACES && count != 0; i++) {
		if (place_count(s, i) >= count)
			continue;
		least = i;
		count = place_count(s, i);
	}
	return least;
}

/* Give the name the place that counts least. Returns its number. */
static uint32_t
set_replace(struct hitter_set *s, uint64_t hash, const struct hitter_name *name,
    uint64_t weight)
{
	uint32_t at = set_least(s);
	uint64_t floor = u64_max(atomic_load(&s->floor), place_count(s, at));

	/* first: nobody who is without a place ever had more */
	atomic_store(&s->floor, floor);
	CRASH_POINT();
	atomic_store(&s->count[at], 0);
	CRASH_POINT();
	s->hash[at] = hash;
	s->error[at] = floor;
	CRASH_POINT();
	place_write(&s->text[at], name);
	CRASH_POINT();
	atomic_store(&s->count[at], floor + weight);
	CRASH_POINT();
	return at;
}

static void
set_count(struct hitter_set *s, uint64_t hash, const struct hitter_name *name,
    uint64_t weight)
{
	uint32_t at = set_find(s, hash);

	if (at < HITTERS_PLACES)
		atomic_store_explicit(&s->count[at],
		    place_count(s, at) + weight, memory_order_relaxed);
	else
		at = set_replace(s, hash, name, weight);
	CRASH_POINT();
	s->hint[hash % HINTS] = (uint8_t)at;
}

static void
set_halve(struct hitter_set *s, unsigned times)
{
	atomic_store(&s->is_halving, 1);
	CRASH_POINT();
	atomic_store(&s->floor, atomic_load(&s->floor) >> times);
	for (uint32_t i = 0; i < HITTERS_PLACES; i++) {
		uint64_t count = place_count(s, i);

		if (count == 0)
			continue;
		s->error[i] >>= times;
		if (count >> times == 0)
			place_free(s, i);
		else
			atomic_store(&s->count[i], count >> times);
	}
	CRASH_POINT();
	atomic_store(&s->is_halving, 0);
}

/* Do what time has brought. */
static void
set_age(struct hitter_set *s, uint64_t now_ms)
{
	uint64_t times;

	if (s->halved_ms == 0)
		s->halved_ms = now_ms;
	if (now_ms < s->halved_ms + HITTERS_HALF_MS)
		return;
	times = (now_ms - s->halved_ms) / HITTERS_HALF_MS;
	s->halved_ms += times * HITTERS_HALF_MS;
	CRASH_POINT();
	/* nothing is left of any count after so many */
	set_halve(s, (unsigned)u64_min(times, COUNT_BITS - 1));
}

/* What was freed, but not to the end. */
static void
set_wipe(struct hitter_set *s)
{
	for (uint32_t i = 0; i < HITTERS_PLACES; i++)
		if (place_count(s, i) == 0 && atomic_load(&s->text[i].len) != 0)
			place_free(s, i);
}

static void
set_forget(struct hitter_set *s)
{
	for (uint32_t i = 0; i < HITTERS_PLACES; i++)
		if (place_count(s, i) != 0)
			place_free(s, i);
	set_wipe(s);
	atomic_store(&s->floor, 0);
	CRASH_POINT();
	atomic_store(&s->is_halving, 0);
}

/* --- for everybody -------------------------------------------------------- */

/* Two keys, or "ab" and "c" would be "a" and "bc". */
static uint64_t
hitters_hash(const struct hitters *h, const struct hitter_name *name)
{
	struct sipkey own = h->key[0];

	if (name->tail.len > 0)
		own.k1 ^= siphash(&h->key[1], name->tail);
	return siphash(&own, name->head);
}

void
hitters_note(struct hitters *h, struct slot_name me, enum hitter_kind kind,
    const struct hitter_name *name, uint64_t weight, uint64_t now_ms)
{
	struct hitter_set *s = &h->set[kind];
	uint64_t hash;

	if (!hitters_is_ready(h))
		return;
	hash = hitters_hash(h, name);
	if (!lock_try(&s->lock, me)) {
		(void)atomic_fetch_add(&s->n_dropped, 1);
		return;
	}
	set_age(s, now_ms);
	set_count(s, hash, name, weight);
	lock_release(&s->lock, me);
}

/* Whether one place comes behind another one in the list; all of them are
 * behind HITTERS_PLACES. */
static bool
place_is_behind(const struct hitter_set *s, uint32_t at, uint32_t last)
{
	uint64_t a = place_count(s, at);
	uint64_t b;

	if (last == HITTERS_PLACES)
		return true;
	b = place_count(s, last);
	return a != b ? a < b : at > last;
}

/* The next of the list behind `last`, or HITTERS_PLACES. */
static uint32_t
set_next(const struct hitter_set *s, uint32_t last)
{
	uint32_t best = HITTERS_PLACES;
	uint64_t most = 0;

	for (uint32_t i = 0; i < HITTERS_PLACES; i++) {
		if (place_count(s, i) <= most || !place_is_behind(s, i, last))
			continue;
		best = i;
		most = place_count(s, i);
	}
	return best;
}

static void
set_copy(const struct hitter_set *s, uint32_t at, struct hitter *out)
{
	uint32_t len = atomic_load(&s->text[at].len);

	out->count = place_count(s, at);
	out->error = u64_min(s->error[at], out->count);
	out->is_cut = len > HITTERS_TEXT;
	out->len = out->is_cut ? HITTERS_TEXT : len;
	memcpy(out->text, s->text[at].text, HITTERS_TEXT);
}

uint32_t
hitters_top(struct hitters *h, const struct slots *slots, struct slot_name me,
    enum hitter_kind kind, uint64_t now_ms, struct hitter *out, uint32_t n)
{
	struct hitter_set *s = &h->set[kind];
	uint32_t last = HITTERS_PLACES;
	uint32_t i = 0;

	if (!hitters_is_ready(h) || lock_take(&s->lock, slots, me) != LOCK_OK)
		return 0;
	set_age(s, now_ms);
	while (i < n && (last = set_next(s, last)) < HITTERS_PLACES)
		set_copy(s, last, &out[i++]);
	lock_release(&s->lock, me);
	return i;
}

uint64_t
hitters_dropped(const struct hitters *h)
{
	uint64_t sum = 0;

	if (!hitters_is_ready(h))
		return 0;
	for (uint32_t i = 0; i < HITTERS_N; i++)
		sum += atomic_load(&h->set[i].n_dropped);
	return sum;
}

void
hitters_age(struct hitters *h, const struct slots *slots, struct slot_name me,
    uint64_t now_ms)
{
	if (!hitters_is_ready(h))
		return;
	for (uint32_t i = 0; i < HITTERS_N; i++) {
		struct hitter_set *s = &h->set[i];

		if (lock_take(&s->lock, slots, me) != LOCK_OK)
			continue;
		set_age(s, now_ms);
		lock_release(&s->lock, me);
	}
}

void
hitters_forget(
    struct hitters *h, const struct slots *slots, struct slot_name me)
{
	if (!hitters_is_ready(h))
		return;
	for (uint32_t i = 0; i < HITTERS_N; i++) {
		struct hitter_set *s = &h->set[i];

		if (lock_take(&s->lock, slots, me) != LOCK_OK)
			continue;
		set_forget(s);
		lock_release(&s->lock, me);
	}
}

/* --- repair --------------------------------------------------------------- */

void
hitters_repair(struct hitters *h, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	if (!hitters_is_ready(h))
		return;
	for (uint32_t i = 0; i < HITTERS_N; i++) {
		struct hitter_set *s = &h->set[i];
		uint64_t owner = atomic_load(&s->lock.owner);

		if (owner == 0 || slot_of_word(owner).slot != dead ||
		    !lock_seize(&s->lock, slots, me))
			continue;
		/* a place is whole or free, but for the halving */
		if (atomic_load(&s->is_halving))
			set_forget(s);
		else
			set_wipe(s);
		lock_release(&s->lock, me);
	}
}

static bool
place_is_whole(const struct hitter_set *s, uint32_t at)
{
	if (place_count(s, at) == 0)
		return atomic_load(&s->text[at].len) == 0;
	if (s->error[at] > place_count(s, at))
		return false;
	for (uint32_t i = 0; i < at; i++)
		if (place_count(s, i) != 0 && s->hash[i] == s->hash[at])
			return false;
	return true;
}

bool
hitters_check(const struct hitters *h)
{
	if (!hitters_is_ready(h))
		return true;
	for (uint32_t i = 0; i < HITTERS_N; i++) {
		const struct hitter_set *s = &h->set[i];

		if (atomic_load(&s->lock.owner) != 0 ||
		    atomic_load(&s->is_halving))
			return false;
		for (uint32_t at = 0; at < HITTERS_PLACES; at++)
			if (!place_is_whole(s, at))
				return false;
	}
	return true;
}
