/* store/limits: buckets of four cells in one line of the processor's cache each;
 * a key may stand in one of two buckets. A cell is two words: a hash that names
 * the key, and {claimed, version, time}. Every change of a cell is a
 * compare-and-swap of the second word, so that a time never goes to another key
 * than the one that it was read for. */
#include "common/store/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define LIMITS_VERSION 3u
#define RANGE_PREFIX "limit "
#define CELLS_PER_BUCKET 4u
#define PLACES (2 * CELLS_PER_BUCKET)
/* Locks of keys that are new, shared by all buckets. */
#define LIMITS_LOCKS 256u
/* Processes count in lines of their own, as far as there are some. */
#define LIMITS_LANES 16u
/* Looks at a cell that others change meanwhile. */
#define LIMITS_TRIES 64
/* Words to people about a table are so far apart. */
#define TELL_US UINT64_C(60000000)
#define UNITS_PER_S (UINT64_C(1000000) * LIMITS_UNITS_PER_US)
#define UNITS_PER_DAY (86400 * UNITS_PER_S)

/* The second word, from the top: 1 claimed, 8 version, 55 time; of one that is
 * claimed the lowest 8 are the slot of who writes it. */
#define WORD_CLAIMED (UINT64_C(1) << 63)
#define WORD_TIME ((UINT64_C(1) << 55) - 1)
#define WORD_STEP (UINT64_C(1) << 55)
#define WORD_SLOT UINT64_C(0xff)

struct limits_cell {
	_Atomic uint64_t tag; /* 0: no key */
	_Atomic uint64_t word;
};

struct limits_bucket {
	struct limits_cell at[CELLS_PER_BUCKET];
} __attribute__((aligned(64)));

struct limits_lane {
	_Atomic uint64_t counts[LIMITS_COUNTS];
} __attribute__((aligned(64)));

struct limits_super {
	_Atomic uint32_t is_made;
	struct sipkey key; /* drawn once, so that nobody can aim */
	/* keys that were forgotten and requests not counted: asked after each
	 * request, so not only in the lanes */
	_Atomic uint64_t n_inexact;
	_Atomic uint64_t told; /* what limits_may_tell() had told of */
	_Atomic uint64_t told_us; /* and when, CLOCK_MONOTONIC */
	struct limits_lane lanes[LIMITS_LANES];
	struct shm_lock locks[LIMITS_LOCKS];
} __attribute__((aligned(SEGMENT_PAGE)));

struct limits {
	struct limits_super *super;
	struct limits_bucket *buckets;
	uint32_t n_buckets;
};

/* Where a key may stand, and what names it there. */
struct limits_key {
	uint64_t tag;
	struct limits_bucket *bucket[2];
	struct shm_lock *lock;
};

bool
limits_rule_make(
    struct limits_rule *r, uint64_t per_day, uint64_t burst, uint64_t delay)
{
	REQUIRE(per_day > 0 && burst > 0);
	/* rounded up: never more than the rate */
	r->gap = (UNITS_PER_DAY + per_day - 1) / per_day;
	return !__builtin_mul_overflow(r->gap, burst, &r->ahead) &&
	       !__builtin_mul_overflow(r->gap, delay, &r->held) &&
	       r->ahead <= LIMITS_AHEAD_MAX && r->held <= LIMITS_AHEAD_MAX;
}

/* --- the table ------------------------------------------------------------ */

static uint64_t
buckets_of(uint64_t keys)
{
	/* a second one to choose from */
	return u64_max((keys + CELLS_PER_BUCKET - 1) / CELLS_PER_BUCKET, 2);
}

uint64_t
limits_size(uint64_t keys)
{
	uint64_t len = sizeof(struct limits_super) +
		       buckets_of(keys) * sizeof(struct limits_bucket);

	return (len + SEGMENT_PAGE - 1) / SEGMENT_PAGE * SEGMENT_PAGE;
}

static struct limits
limits_at(void *at, uint64_t size)
{
	struct limits l = {.super = at};

	l.buckets = (struct limits_bucket *)(void *)(l.super + 1);
	l.n_buckets = (uint32_t)u64_min(
	    (size - sizeof(*l.super)) / sizeof(*l.buckets), UINT32_MAX);
	return l;
}

struct limits *
limits_claim(struct segment *s, span name, uint64_t keys)
{
	char text[SEGMENT_NAME_CAP] = RANGE_PREFIX;
	struct segment_want want = {
	    .kind = SEGMENT_KIND_LIMITS,
	    .version = LIMITS_VERSION,
	    .size = limits_size(keys),
	    .commit = limits_size(keys),
	    .name = text,
	};
	struct limits *l;
	void *at;

	REQUIRE(name.len > 0 && name.len <= LIMITS_NAME_MAX);
	memcpy(text + sizeof(RANGE_PREFIX) - 1, name.p, name.len);
	at = segment_claim(s, &want);
	if (at == NULL)
		return NULL;
	l = malloc(sizeof(*l));
	REQUIRE(l != NULL);
	*l = limits_at(at, want.size);
	if (atomic_load(&l->super->is_made) == 0) {
		sipkey_random(&l->super->key);
		atomic_store(&l->super->is_made, 1);
	}
	return l;
}

void
limits_unclaim(struct segment *s, struct limits *l)
{
	if (l == NULL)
		return;
	segment_unclaim(s, l->super);
	free(l);
}

static void
limits_note(struct limits *l, uint32_t slot, enum limits_count what)
{
	(void)atomic_fetch_add_explicit(
	    &l->super->lanes[slot % LIMITS_LANES].counts[what], 1,
	    memory_order_relaxed);
}

static void
limits_note_inexact(struct limits *l, uint32_t slot, enum limits_count what)
{
	limits_note(l, slot, what);
	(void)atomic_fetch_add_explicit(
	    &l->super->n_inexact, 1, memory_order_relaxed);
}

uint64_t
limits_count(const struct limits *l, enum limits_count what)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < LIMITS_LANES; i++)
		sum += atomic_load_explicit(
		    &l->super->lanes[i].counts[what], memory_order_relaxed);
	return sum;
}

bool
limits_may_tell(struct limits *l, uint64_t now_us)
{
	struct limits_super *s = l->super;
	uint64_t n = atomic_load_explicit(&s->n_inexact, memory_order_relaxed);
	uint64_t told_us;

	if (n == atomic_load(&s->told))
		return false;
	told_us = atomic_load(&s->told_us);
	if ((told_us != 0 && now_us < told_us + TELL_US) ||
	    !atomic_compare_exchange_strong(&s->told_us, &told_us, now_us))
		return false;
	atomic_store(&s->told, n);
	return true;
}

/* A number below n, evenly from 32 bits of a hash. */
static uint32_t
scale(uint32_t bits, uint32_t n)
{
	return (uint32_t)((uint64_t)bits * n >> 32);
}

static struct limits_key
limits_key(struct limits *l, span key)
{
	struct limits_key k;
	uint32_t first, second;
	uint64_t hash[2];

	siphash_pair(&l->super->key, key, hash);
	first = scale((uint32_t)hash[1], l->n_buckets);
	second = scale((uint32_t)(hash[1] >> 32), l->n_buckets);
	if (second == first)
		second = (first + 1) % l->n_buckets;
	k.tag = hash[0] != 0 ? hash[0] : 1;
	k.bucket[0] = &l->buckets[first];
	k.bucket[1] = &l->buckets[second];
	k.lock = &l->super->locks[first % LIMITS_LOCKS];
	return k;
}

static struct limits_cell *
key_place(const struct limits_key *k, uint32_t i)
{
	return &k->bucket[i / CELLS_PER_BUCKET]->at[i % CELLS_PER_BUCKET];
}

/* The cell of the key and its word; NULL when it has none, or loses it. */
static struct limits_cell *
key_find(const struct limits_key *k, uint64_t *word)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		struct limits_cell *c = key_place(k, i);

		if (atomic_load(&c->tag) != k->tag)
			continue;
		*word = atomic_load(&c->word);
		/* else it was given to another key in between */
		if (!(*word & WORD_CLAIMED) && atomic_load(&c->tag) == k->tag)
			return c;
	}
	return NULL;
}

/* --- a request ------------------------------------------------------------ */

/* What the rule says of a key whose cell holds `tat`, and what it holds then. */
static struct limits_answer
rule_judge(
    const struct limits_rule *r, uint64_t tat, uint64_t now, uint64_t *then)
{
	uint64_t ahead;

	*then = u64_max(tat, now) + r->gap;
	ahead = *then - now;
	if (ahead > r->ahead + r->held)
		return (struct limits_answer){.rc = LIMITS_REFUSED,
		    .wait_us =
			(ahead - r->ahead - r->held) / LIMITS_UNITS_PER_US + 1};
	if (ahead > r->ahead)
		return (struct limits_answer){.rc = LIMITS_HELD,
		    .wait_us = (ahead - r->ahead) / LIMITS_UNITS_PER_US + 1};
	return (struct limits_answer){
	    .rc = LIMITS_OK, .left = (r->ahead - ahead) / r->gap};
}

static uint64_t
word_of(uint64_t before, uint64_t time)
{
	return ((before + WORD_STEP) & ~WORD_TIME & ~WORD_CLAIMED) |
	       (time & WORD_TIME);
}

/* Of a key's places the one that loses least: one that is free or whose key has
 * been idle, else the one whose time is over first. NULL: all are being
 * written. */
static struct limits_cell *
key_victim(const struct limits_key *k, uint64_t *word)
{
	struct limits_cell *best = NULL;

	for (uint32_t i = 0; i < PLACES; i++) {
		struct limits_cell *c = key_place(k, i);
		uint64_t w = atomic_load(&c->word);

		if ((w & WORD_CLAIMED) ||
		    (best != NULL && (w & WORD_TIME) >= (*word & WORD_TIME)))
			continue;
		best = c;
		*word = w;
	}
	return best;
}

/* Give the key a place. The caller has the lock, so that nobody else gives it
 * one; what stands there may change until it is claimed. */
static bool
key_insert(struct limits *l, const struct limits_key *k, uint32_t slot,
    uint64_t now, uint64_t time)
{
	for (int i = 0; i < LIMITS_TRIES; i++) {
		uint64_t word;
		struct limits_cell *c = key_victim(k, &word);

		if (c == NULL)
			return false;
		if (!atomic_compare_exchange_strong(&c->word, &word,
			(word & ~WORD_TIME) | WORD_CLAIMED | slot))
			continue;
		CRASH_POINT();
		if ((word & WORD_TIME) > now)
			limits_note_inexact(l, slot, LIMITS_COUNT_EVICTED);
		atomic_store(&c->tag, k->tag);
		CRASH_POINT();
		atomic_store(&c->word, word_of(word, time));
		CRASH_POINT();
		return true;
	}
	return false;
}

/* The first request of a key. false: look again. */
static bool
key_begin(struct limits *l, const struct limits_key *k,
    const struct slots *slots, struct slot_name me, uint64_t now, uint64_t time,
    struct limits_answer *out)
{
	uint64_t word;
	bool is_there;

	if (lock_take(k->lock, slots, me) != LOCK_OK) {
		out->rc = LIMITS_UNKNOWN;
		return true;
	}
	CRASH_POINT();
	is_there = key_find(k, &word) != NULL;
	if (!is_there && !key_insert(l, k, me.slot, now, time))
		out->rc = LIMITS_UNKNOWN;
	lock_release(k->lock, me);
	return !is_there;
}

static struct limits_answer
key_take(struct limits *l, const struct limits_key *k,
    const struct slots *slots, struct slot_name me, const struct limits_rule *r,
    uint64_t now)
{
	struct limits_answer a;
	uint64_t time;

	for (int i = 0; i < LIMITS_TRIES; i++) {
		uint64_t word;
		struct limits_cell *c = key_find(k, &word);

		a = rule_judge(r, c == NULL ? 0 : word & WORD_TIME, now, &time);
		if (a.rc == LIMITS_REFUSED)
			return a;
		if (c == NULL) {
			if (key_begin(l, k, slots, me, now, time, &a))
				return a;
		} else if (atomic_compare_exchange_strong(
			       &c->word, &word, word_of(word, time))) {
			CRASH_POINT();
			return a;
		}
	}
	return (struct limits_answer){.rc = LIMITS_UNKNOWN};
}

struct limits_answer
limits_take(struct limits *l, const struct slots *slots, struct slot_name me,
    span key, const struct limits_rule *r, uint64_t now_us)
{
	struct limits_key k = limits_key(l, key);
	struct limits_answer a =
	    key_take(l, &k, slots, me, r, now_us * LIMITS_UNITS_PER_US);

	switch (a.rc) {
	case LIMITS_OK:
		limits_note(l, me.slot, LIMITS_COUNT_PASSED);
		break;
	case LIMITS_HELD:
		limits_note(l, me.slot, LIMITS_COUNT_HELD);
		break;
	case LIMITS_REFUSED:
		limits_note(l, me.slot, LIMITS_COUNT_REFUSED);
		break;
	case LIMITS_UNKNOWN:
		limits_note_inexact(l, me.slot, LIMITS_COUNT_UNKNOWN);
		break;
	}
	return a;
}

static void
key_give_back(struct limits *l, span key, uint64_t units, uint64_t now_us)
{
	struct limits_key k = limits_key(l, key);
	uint64_t now = now_us * LIMITS_UNITS_PER_US;

	for (int i = 0; i < LIMITS_TRIES; i++) {
		uint64_t word;
		struct limits_cell *c = key_find(&k, &word);
		uint64_t time;

		if (c == NULL)
			return;
		time = word & WORD_TIME;
		/* idle since then: there is nothing to give back */
		if (time <= now)
			return;
		if (atomic_compare_exchange_strong(&c->word, &word,
			word_of(word, time - u64_min(units, time))))
			return;
	}
}

void
limits_give_back(
    struct limits *l, span key, const struct limits_rule *r, uint64_t now_us)
{
	key_give_back(l, key, r->gap, now_us);
}

/* --- bytes ---------------------------------------------------------------- */

/* Rounded up: never more than the rate. */
static uint64_t
flow_units(const struct limits_flow *f, uint64_t bytes)
{
	return (bytes * UNITS_PER_S + f->rate - 1) / f->rate;
}

uint64_t
limits_flow_pass(
    const struct limits_flow *f, uint64_t *tat, uint64_t bytes, uint64_t now_us)
{
	uint64_t now = now_us * LIMITS_UNITS_PER_US;
	uint64_t ahead;

	*tat = u64_max(*tat, now) + flow_units(f, bytes);
	ahead = *tat - now;
	return ahead <= f->ahead ? 0
				 : (ahead - f->ahead) / LIMITS_UNITS_PER_US + 1;
}

bool
limits_flow_take(struct limits *l, const struct slots *slots,
    struct slot_name me, span key, const struct limits_flow *f, uint64_t bytes,
    uint64_t now_us, uint64_t *wait_us)
{
	struct limits_key k = limits_key(l, key);
	struct limits_answer a = {.rc = LIMITS_OK};

	for (int i = 0; i < LIMITS_TRIES && a.rc == LIMITS_OK; i++) {
		uint64_t word = 0;
		struct limits_cell *c = key_find(&k, &word);
		uint64_t tat = c == NULL ? 0 : word & WORD_TIME;

		*wait_us = limits_flow_pass(f, &tat, bytes, now_us);
		if (c == NULL) {
			if (key_begin(l, &k, slots, me,
				now_us * LIMITS_UNITS_PER_US, tat, &a) &&
			    a.rc == LIMITS_OK)
				return true;
		} else if (atomic_compare_exchange_strong(
			       &c->word, &word, word_of(word, tat))) {
			CRASH_POINT();
			return true;
		}
	}
	limits_note_inexact(l, me.slot, LIMITS_COUNT_UNKNOWN);
	return false;
}

void
limits_flow_give_back(struct limits *l, span key, const struct limits_flow *f,
    uint64_t bytes, uint64_t now_us)
{
	key_give_back(l, key, flow_units(f, bytes), now_us);
}

/* --- repair --------------------------------------------------------------- */

/* A place that the dead one was writing is nobody's. */
static void
bucket_repair(struct limits_bucket *b, uint32_t dead)
{
	for (uint32_t i = 0; i < CELLS_PER_BUCKET; i++) {
		struct limits_cell *c = &b->at[i];
		uint64_t w = atomic_load(&c->word);

		if (!(w & WORD_CLAIMED) || (w & WORD_SLOT) != dead)
			continue;
		atomic_store(&c->tag, 0);
		CRASH_POINT();
		atomic_store(&c->word, word_of(w, 0));
		CRASH_POINT();
	}
}

static void
table_repair(const struct limits *l, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	for (uint32_t i = 0; i < l->n_buckets; i++)
		bucket_repair(&l->buckets[i], dead);
	for (uint32_t i = 0; i < LIMITS_LOCKS; i++) {
		struct shm_lock *k = &l->super->locks[i];
		uint64_t owner = atomic_load(&k->owner);

		if (owner != 0 && slot_of_word(owner).slot == dead &&
		    lock_seize(k, slots, me))
			lock_release(k, me);
	}
}

bool
limits_repair(struct segment *s, const struct slots *slots, struct slot_name me,
    uint32_t dead)
{
	struct segment_found f;
	uint32_t at = 0;
	bool is_done = true;

	while (segment_next(s, SEGMENT_KIND_LIMITS, LIMITS_VERSION, &at, &f)) {
		struct limits l;

		if ((f.holder != 0 &&
			slot_is_alive(slots, slot_of_word(f.holder))) ||
		    !segment_hold(s, &f, slot_word(me))) {
			is_done = false;
			continue;
		}
		l = limits_at(f.at, f.size);
		table_repair(&l, slots, me, dead);
		segment_let_go(s, &f, slot_word(me));
	}
	return is_done;
}

bool
limits_next(struct segment *s, const struct slots *slots, struct slot_name me,
    uint32_t *at, struct limits_stats *out)
{
	struct segment_found f;

	while (segment_next(s, SEGMENT_KIND_LIMITS, LIMITS_VERSION, at, &f)) {
		struct limits l;

		if ((f.holder != 0 &&
			slot_is_alive(slots, slot_of_word(f.holder))) ||
		    !segment_hold(s, &f, slot_word(me)))
			continue;
		l = limits_at(f.at, f.size);
		for (uint32_t i = 0; i < LIMITS_COUNTS; i++)
			out->counts[i] = limits_count(&l, i);
		segment_let_go(s, &f, slot_word(me));
		/* "limit NAME" */
		memcpy(out->name, f.name + sizeof(RANGE_PREFIX) - 1,
		    sizeof(f.name) - (sizeof(RANGE_PREFIX) - 1));
		return true;
	}
	return false;
}

/* Whether another place of the two buckets holds the same key. */
static bool
bucket_is_whole(const struct limits_bucket *b)
{
	for (uint32_t i = 0; i < CELLS_PER_BUCKET; i++) {
		uint64_t tag = atomic_load(&b->at[i].tag);

		if (atomic_load(&b->at[i].word) & WORD_CLAIMED)
			return false;
		for (uint32_t k = 0; tag != 0 && k < i; k++)
			if (atomic_load(&b->at[k].tag) == tag)
				return false;
	}
	return true;
}

bool
limits_check(const struct limits *l)
{
	for (uint32_t i = 0; i < LIMITS_LOCKS; i++)
		if (atomic_load(&l->super->locks[i].owner) != 0)
			return false;
	for (uint32_t i = 0; i < l->n_buckets; i++)
		if (!bucket_is_whole(&l->buckets[i]))
			return false;
	return true;
}
