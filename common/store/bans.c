/* store/bans: buckets of five places; an address may stand in one of two. A
 * place is the address and a word {claimed, version, why, until}: readers take
 * the word before and after the address. Writers hold the lock of the address,
 * so that it stands in one place only, and claim the place by a
 * compare-and-swap, since another address may want it, too. */
#include "common/store/bans.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define PER_BUCKET 5u
#define BUCKETS (BANS_MAX / PER_BUCKET)
#define PLACES (2 * PER_BUCKET)
/* Locks of addresses, shared by all buckets. */
#define LOCKS 256u
/* Looks at places that others change meanwhile. */
#define TRIES 64

/* From the top: 1 claimed, 12 version, 4 why, 47 until in milliseconds (0: the
 * place is free); of one that is claimed the lowest 8 are the slot of who
 * writes it. */
#define WORD_CLAIMED (UINT64_C(1) << 63)
#define WORD_STEP (UINT64_C(1) << 51)
#define WORD_VERSION (WORD_CLAIMED - WORD_STEP)
#define WORD_WHY_SHIFT 47
#define WORD_WHY UINT64_C(0xf)
#define WORD_UNTIL ((UINT64_C(1) << WORD_WHY_SHIFT) - 1)
#define WORD_SLOT UINT64_C(0xff)

struct bans_place {
	_Atomic uint64_t word;
	_Atomic uint64_t ip[2];
};

struct bans_bucket {
	struct bans_place at[PER_BUCKET];
} __attribute__((aligned(64)));

struct bans {
	_Atomic uint32_t is_made;
	struct sipkey key; /* drawn once, so that nobody can aim */
	/* when the last of all ends: nobody is banned from then on */
	_Atomic uint64_t last_ms;
	_Atomic uint64_t n_added;
	_Atomic uint64_t n_evicted;
	struct shm_lock locks[LOCKS];
	struct bans_bucket buckets[BUCKETS];
};

/* Where an address may stand. */
struct bans_key {
	uint64_t ip[2];
	struct bans_bucket *bucket[2];
	struct shm_lock *lock;
};

static const char *const why_names[] = {
#define BAN_WHY(id, name) [BAN_WHY_##id] = name,
#include "common/store/ban_why.def"
#undef BAN_WHY
};

static const struct segment_want bans_want = {
    .kind = SEGMENT_KIND_BANS,
    .version = 1,
    .size = sizeof(struct bans),
    .commit = sizeof(struct bans),
    .name = "bans",
};

const char *
ban_why_name(enum ban_why why)
{
	return why < BAN_WHY_N ? why_names[why] : "?";
}

struct bans *
bans_map(struct segment *s, bool may_make)
{
	struct bans *b;

	if (!may_make)
		return segment_find(s, &bans_want);
	b = segment_claim(s, &bans_want);
	if (b != NULL && atomic_load(&b->is_made) == 0) {
		sipkey_random(&b->key);
		atomic_store(&b->is_made, 1);
	}
	return b;
}

uint64_t
bans_added(const struct bans *b)
{
	return atomic_load(&b->n_added);
}

uint64_t
bans_evicted(const struct bans *b)
{
	return atomic_load(&b->n_evicted);
}

/* --- where an address stands ---------------------------------------------- */

/* Readers change nothing through it. */
static struct bans_key
bans_key(const struct bans *b, const struct ip *ip)
{
	struct bans *own = (struct bans *)(uintptr_t)b;
	struct ip net = ip_client(ip);
	struct bans_key k;
	uint32_t first;
	uint32_t second;
	uint64_t hash;

	hash = siphash(&b->key, span_of((const char *)net.b, sizeof(net.b)));
	first = (uint32_t)hash % BUCKETS;
	second = (uint32_t)(hash >> 32) % BUCKETS;
	if (second == first)
		second = (first + 1) % BUCKETS;
	memcpy(k.ip, net.b, sizeof(k.ip));
	k.bucket[0] = &own->buckets[first];
	k.bucket[1] = &own->buckets[second];
	k.lock = &own->locks[first % LOCKS];
	return k;
}

static struct bans_place *
key_place(const struct bans_key *k, uint32_t i)
{
	return &k->bucket[i / PER_BUCKET]->at[i % PER_BUCKET];
}

static uint64_t
word_until(uint64_t word)
{
	return word & WORD_CLAIMED ? 0 : word & WORD_UNTIL;
}

/* A place as one whole; false: it is free, over, or being written. */
static bool
place_read(
    const struct bans_place *p, uint64_t now_ms, uint64_t *word, uint64_t ip[2])
{
	*word = atomic_load(&p->word);
	if (word_until(*word) <= now_ms)
		return false;
	ip[0] = atomic_load(&p->ip[0]);
	ip[1] = atomic_load(&p->ip[1]);
	return atomic_load(&p->word) == *word;
}

/* The place that bans it, and its word; NULL: none does. */
static struct bans_place *
key_find(const struct bans_key *k, uint64_t now_ms, uint64_t *word)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		struct bans_place *p = key_place(k, i);
		uint64_t ip[2];

		if (place_read(p, now_ms, word, ip) && ip[0] == k->ip[0] &&
		    ip[1] == k->ip[1])
			return p;
	}
	return NULL;
}

bool
bans_has(const struct bans *b, const struct ip *ip, uint64_t now_ms)
{
	struct bans_key k;
	uint64_t word;

	if (atomic_load_explicit(&b->last_ms, memory_order_relaxed) <= now_ms)
		return false;
	k = bans_key(b, ip);
	return key_find(&k, now_ms, &word) != NULL;
}

/* --- changes -------------------------------------------------------------- */

static uint64_t
word_next(uint64_t before, enum ban_why why, uint64_t until_ms)
{
	return ((before + WORD_STEP) & WORD_VERSION) |
	       (uint64_t)why << WORD_WHY_SHIFT | (until_ms & WORD_UNTIL);
}

/* Of the places one that is free, or over, or ends first. NULL: all are being
 * written. */
static struct bans_place *
key_victim(const struct bans_key *k, uint64_t *word)
{
	struct bans_place *best = NULL;

	for (uint32_t i = 0; i < PLACES; i++) {
		struct bans_place *p = key_place(k, i);
		uint64_t w = atomic_load(&p->word);

		if ((w & WORD_CLAIMED) ||
		    (best != NULL && word_until(w) >= word_until(*word)))
			continue;
		best = p;
		*word = w;
	}
	return best;
}

/* Put it into a place. The caller has the lock of the address. */
static bool
key_insert(struct bans *b, const struct bans_key *k, uint32_t slot,
    enum ban_why why, uint64_t now_ms, uint64_t until_ms)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t word;
		struct bans_place *p = key_victim(k, &word);

		if (p == NULL)
			return false;
		if (!atomic_compare_exchange_strong(&p->word, &word,
			(word & WORD_VERSION) | WORD_CLAIMED | slot))
			continue;
		CRASH_POINT();
		if (word_until(word) > now_ms)
			(void)atomic_fetch_add(&b->n_evicted, 1);
		atomic_store(&p->ip[0], k->ip[0]);
		CRASH_POINT();
		atomic_store(&p->ip[1], k->ip[1]);
		CRASH_POINT();
		atomic_store(&p->word, word_next(word, why, until_ms));
		CRASH_POINT();
		return true;
	}
	return false;
}

/* Inside the lock. */
static bool
key_ban(struct bans *b, const struct bans_key *k, uint32_t slot,
    enum ban_why why, uint64_t now_ms, uint64_t until_ms)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t word;
		struct bans_place *p = key_find(k, now_ms, &word);

		if (p == NULL)
			return key_insert(b, k, slot, why, now_ms, until_ms);
		/* else it was pushed out meanwhile: look again */
		if (until_ms <= word_until(word) ||
		    atomic_compare_exchange_strong(
			&p->word, &word, word_next(word, why, until_ms)))
			return true;
	}
	return false;
}

static void
bans_note_last(struct bans *b, uint64_t until_ms)
{
	uint64_t last_ms = atomic_load(&b->last_ms);

	/* each turn that fails found another one's later time */
	while (until_ms > last_ms &&
	       !atomic_compare_exchange_weak(&b->last_ms, &last_ms, until_ms))
		continue;
}

bool
bans_add(struct bans *b, const struct slots *slots, struct slot_name me,
    const struct ip *ip, enum ban_why why, uint64_t now_ms, uint64_t for_ms)
{
	uint64_t until_ms = now_ms + u64_min(for_ms, BANS_MS_MAX);
	struct bans_key k = bans_key(b, ip);
	bool is_done;

	/* first: a ban that nobody looks for would be none */
	bans_note_last(b, until_ms);
	if (lock_take(k.lock, slots, me) != LOCK_OK)
		return false;
	CRASH_POINT();
	is_done = key_ban(b, &k, me.slot, why, now_ms, until_ms);
	lock_release(k.lock, me);
	if (is_done)
		(void)atomic_fetch_add(&b->n_added, 1);
	return is_done;
}

enum bans_rc
bans_lift(struct bans *b, const struct slots *slots, struct slot_name me,
    const struct ip *ip, uint64_t now_ms)
{
	struct bans_key k = bans_key(b, ip);
	enum bans_rc rc = BANS_BUSY;
	struct bans_place *p;
	uint64_t word;

	if (lock_take(k.lock, slots, me) != LOCK_OK)
		return BANS_BUSY;
	CRASH_POINT();
	for (int i = 0; rc == BANS_BUSY && i < TRIES; i++) {
		p = key_find(&k, now_ms, &word);
		if (p == NULL)
			rc = BANS_NONE;
		else if (atomic_compare_exchange_strong(&p->word, &word,
			     word_next(word, BAN_WHY_OPERATOR, 0)))
			rc = BANS_OK;
	}
	lock_release(k.lock, me);
	return rc;
}

bool
bans_next(const struct bans *b, uint64_t now_ms, uint32_t *at, struct ban *out)
{
	if (atomic_load(&b->last_ms) <= now_ms)
		return false;
	while (*at < BANS_MAX) {
		const struct bans_place *p =
		    &b->buckets[*at / PER_BUCKET].at[*at % PER_BUCKET];
		uint64_t ip[2];
		uint64_t word;

		++*at;
		if (!place_read(p, now_ms, &word, ip))
			continue;
		memcpy(out->ip.b, ip, sizeof(out->ip.b));
		out->why = (enum ban_why)(word >> WORD_WHY_SHIFT & WORD_WHY);
		out->until_ms = word_until(word);
		return true;
	}
	return false;
}

/* --- repair --------------------------------------------------------------- */

/* A place that the dead one was writing is nobody's. */
static void
bucket_repair(struct bans_bucket *k, uint32_t dead)
{
	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		uint64_t w = atomic_load(&k->at[i].word);

		if (!(w & WORD_CLAIMED) || (w & WORD_SLOT) != dead)
			continue;
		atomic_store(&k->at[i].word, word_next(w, BAN_WHY_OPERATOR, 0));
		CRASH_POINT();
	}
}

void
bans_repair(struct bans *b, const struct slots *slots, struct slot_name me,
    uint32_t dead)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		bucket_repair(&b->buckets[i], dead);
	for (uint32_t i = 0; i < LOCKS; i++) {
		uint64_t owner = atomic_load(&b->locks[i].owner);

		if (owner != 0 && slot_of_word(owner).slot == dead &&
		    lock_seize(&b->locks[i], slots, me))
			lock_release(&b->locks[i], me);
	}
}

static bool
bucket_is_whole(const struct bans_bucket *k)
{
	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		const struct bans_place *p = &k->at[i];

		if (atomic_load(&p->word) & WORD_CLAIMED)
			return false;
		for (uint32_t n = 0; n < i; n++)
			if (word_until(p->word) != 0 &&
			    word_until(k->at[n].word) == word_until(p->word) &&
			    k->at[n].ip[0] == p->ip[0] &&
			    k->at[n].ip[1] == p->ip[1])
				return false;
	}
	return true;
}

bool
bans_check(const struct bans *b)
{
	for (uint32_t i = 0; i < LOCKS; i++)
		if (atomic_load(&b->locks[i].owner) != 0)
			return false;
	for (uint32_t i = 0; i < BUCKETS; i++)
		if (!bucket_is_whole(&b->buckets[i]))
			return false;
	return true;
}
