/* store/names: sets of entries, each known by the hash of its name alone. */
#include "common/store/names.h"

#include <string.h>

#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define NAMES_SETS 128u
#define NAMES_WAYS 4u
/* Reading again when it was written meanwhile, before it counts as a miss. */
#define NAMES_READS 8

struct names_entry {
	uint64_t hash[2]; /* of the lower-case name; 0, 0: empty */
	uint64_t good_until_ms;
	struct dns_answer answer;
};

struct names_set {
	struct shm_lock lock;
	struct shm_version version; /* of all entries of the set */
	struct names_entry at[NAMES_WAYS];
};

struct names {
	struct sipkey key[2]; /* drawn once, so that nobody can aim */
	_Atomic uint32_t is_made;
	struct names_set set[NAMES_SETS];
};

#define NAMES_WANT(of, text) \
	{ \
		.kind = (of), .version = 3, .size = sizeof(struct names), \
		.commit = sizeof(struct names), .name = (text), \
	}

static const struct segment_want names_want[] = {
    [NAMES_OF_SERVERS] = NAMES_WANT(SEGMENT_KIND_NAMES, "names"),
    [NAMES_OF_CLIENTS] = NAMES_WANT(SEGMENT_KIND_CRAWLERS, "crawlers"),
};

struct names *
names_map(struct segment *s, enum names_of whose, bool may_make)
{
	struct names *t;

	if (!may_make)
		return segment_find(s, &names_want[whose]);
	t = segment_claim(s, &names_want[whose]);
	if (t == NULL || atomic_load(&t->is_made))
		return t;
	sipkey_random(&t->key[0]);
	sipkey_random(&t->key[1]);
	atomic_store(&t->is_made, 1);
	return t;
}

static uint32_t
names_hash(const struct names *t, span name, uint64_t hash[2])
{
	hash[0] = siphash_lower(&t->key[0], name);
	hash[1] = siphash_lower(&t->key[1], name) | 1; /* never 0, 0 */
	return (uint32_t)(hash[0] % NAMES_SETS);
}

static bool
entry_is(const struct names_entry *e, const uint64_t hash[2])
{
	return e->hash[0] == hash[0] && e->hash[1] == hash[1];
}

/* A copy of the entry of that hash as it was at one moment. */
static bool
set_read(const struct names_set *set, const uint64_t hash[2],
    struct names_entry *out)
{
	for (int i = 0; i < NAMES_READS; i++) {
		bool is_there = false;
		uint32_t seen;

		if (!version_read(&set->version, &seen))
			continue;
		for (uint32_t k = 0; k < NAMES_WAYS && !is_there; k++) {
			memcpy(out, &set->at[k], sizeof(*out));
			is_there = entry_is(out, hash);
		}
		if (version_is(&set->version, seen))
			return is_there;
	}
	return false;
}

bool
names_get(const struct names *t, span name, uint64_t now_ms,
    struct dns_answer *out, uint64_t *good_until_ms)
{
	struct names_entry e;
	uint64_t hash[2];
	uint32_t i = names_hash(t, name, hash);

	if (!set_read(&t->set[i], hash, &e) || e.good_until_ms <= now_ms ||
	    !dns_answer_is_whole(&e.answer))
		return false;
	*out = e.answer;
	*good_until_ms = e.good_until_ms;
	return true;
}

/* Its own place, else that of the entry that ends first. */
static struct names_entry *
set_place(struct names_set *set, const uint64_t hash[2])
{
	struct names_entry *first = &set->at[0];

	for (uint32_t k = 0; k < NAMES_WAYS; k++) {
		struct names_entry *e = &set->at[k];

		if (entry_is(e, hash))
			return e;
		if (e->good_until_ms < first->good_until_ms)
			first = e;
	}
	return first;
}

void
names_put(struct names *t, const struct slots *slots, struct slot_name me,
    span name, const struct dns_answer *a, uint64_t good_until_ms)
{
	uint64_t hash[2];
	struct names_set *set = &t->set[names_hash(t, name, hash)];
	struct names_entry *e;

	if (lock_take(&set->lock, slots, me) != LOCK_OK)
		return;
	e = set_place(set, hash);
	version_open(&set->version);
	CRASH_POINT();
	e->answer = *a;
	CRASH_POINT();
	e->good_until_ms = good_until_ms;
	memcpy(e->hash, hash, sizeof(e->hash));
	CRASH_POINT();
	version_close(&set->version);
	lock_release(&set->lock, me);
}

void
names_repair(struct names *t, const struct slots *slots, struct slot_name me,
    uint32_t dead)
{
	for (uint32_t i = 0; i < NAMES_SETS; i++) {
		struct names_set *set = &t->set[i];
		uint64_t owner = atomic_load(&set->lock.owner);

		if (owner == 0 || slot_of_word(owner).slot != dead ||
		    !lock_seize(&set->lock, slots, me))
			continue;
		version_open(&set->version);
		CRASH_POINT();
		memset(set->at, 0, sizeof(set->at));
		CRASH_POINT();
		version_close(&set->version);
		lock_release(&set->lock, me);
	}
}

bool
names_check(const struct names *t)
{
	for (uint32_t i = 0; i < NAMES_SETS; i++) {
		const struct names_set *set = &t->set[i];

		if (atomic_load(&set->lock.owner) != 0 ||
		    atomic_load(&set->version.n) % 2 != 0)
			return false;
		for (uint32_t k = 0; k < NAMES_WAYS; k++)
			if (!dns_answer_is_whole(&set->at[k].answer))
				return false;
	}
	return true;
}
