/* store/ticket_keys: a ring of keys in the order in which they take over; one
 * writer under a lock, readers by version. */
#include "common/store/ticket_keys.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

/* Reading again when it was written meanwhile, before it counts as a miss. */
#define TICKET_READS 8
/* One that was overdue, and the one behind it. */
#define ROTATE_MAX 2u

struct ticket_place {
	uint64_t from_ms; /* when it takes over */
	struct ticket_key key;
};

/* Key number i stands at at[i % TICKET_KEYS_MAX]. Place n is where the next one
 * is written, so that the key there before is one that nobody may use. */
struct ticket_keys {
	struct shm_lock lock;
	struct shm_version version;
	_Atomic uint32_t n; /* keys ever added */
	struct ticket_place at[TICKET_KEYS_MAX];
};

static const struct segment_want ticket_keys_want = {
    .kind = SEGMENT_KIND_TICKET_KEYS,
    .version = 1,
    .size = sizeof(struct ticket_keys),
    .commit = sizeof(struct ticket_keys),
    .name = "ticket keys",
};

static void
key_random(struct ticket_key *key)
{
	REQUIRE(getrandom(key, sizeof(*key), 0) == sizeof(*key));
}

struct ticket_keys *
ticket_keys_map(struct segment *s, bool may_make)
{
	struct ticket_keys *t;

	if (!may_make)
		return segment_find(s, &ticket_keys_want);
	t = segment_claim(s, &ticket_keys_want);
	if (t == NULL)
		return NULL;
	/* not into the core file of any process; kept across fork */
	(void)madvise(t, sizeof(*t), MADV_DONTDUMP);
	if (atomic_load(&t->n) > 0)
		return t;
	key_random(&t->at[0].key);
	t->at[0].from_ms = clock_mono_us() / 1000;
	atomic_store(&t->n, 1);
	return t;
}

static const struct ticket_place *
place_of(const struct ticket_keys *t, uint32_t i)
{
	return &t->at[i % TICKET_KEYS_MAX];
}

/* The least number that may be looked at. */
static uint32_t
keys_first(uint32_t n)
{
	return n < TICKET_KEYS_MAX ? 0 : n - (TICKET_KEYS_MAX - 1);
}

/* --- reading -------------------------------------------------------------- */

/* The number behind that of the key that encrypts; 0: there is none. */
static uint32_t
keys_current(const struct ticket_keys *t, uint32_t n, uint64_t now_ms)
{
	uint32_t i = n;

	while (i > keys_first(n) && place_of(t, i - 1)->from_ms > now_ms)
		i--;
	return i > keys_first(n) ? i : 0;
}

static bool
read_current(
    const struct ticket_keys *t, uint64_t now_ms, struct ticket_key *out)
{
	uint32_t i = keys_current(t, atomic_load(&t->n), now_ms);

	if (i > 0)
		*out = place_of(t, i - 1)->key;
	return i > 0;
}

bool
ticket_keys_current(
    const struct ticket_keys *t, uint64_t now_ms, struct ticket_key *out)
{
	for (int i = 0; i < TICKET_READS; i++) {
		uint32_t seen;
		bool is_there;

		if (!version_read(&t->version, &seen))
			continue;
		is_there = read_current(t, now_ms, out);
		if (version_is(&t->version, seen))
			return is_there;
	}
	return false;
}

/* A key is good until the last ticket has ended that was made with it. */
static enum ticket_find
read_find(const struct ticket_keys *t, const uint8_t name[TICKET_NAME_LEN],
    uint64_t now_ms, struct ticket_key *out)
{
	uint32_t n = atomic_load(&t->n);
	uint32_t current = keys_current(t, n, now_ms);

	for (uint32_t i = n; i > keys_first(n); i--) {
		const struct ticket_place *p = place_of(t, i - 1);

		if (memcmp(p->key.name, name, TICKET_NAME_LEN) != 0)
			continue;
		/* the next one: on a CPU whose clock is ahead it encrypts */
		if (i < current &&
		    place_of(t, i)->from_ms + TICKET_LIFE_MS <= now_ms)
			return TICKET_UNKNOWN;
		*out = p->key;
		return i < current ? TICKET_RENEW : TICKET_CURRENT;
	}
	return TICKET_UNKNOWN;
}

enum ticket_find
ticket_keys_find(const struct ticket_keys *t,
    const uint8_t name[TICKET_NAME_LEN], uint64_t now_ms,
    struct ticket_key *out)
{
	for (int i = 0; i < TICKET_READS; i++) {
		enum ticket_find found;
		uint32_t seen;

		if (!version_read(&t->version, &seen))
			continue;
		found = read_find(t, name, now_ms, out);
		if (version_is(&t->version, seen))
			return found;
	}
	return TICKET_UNKNOWN;
}

/* --- writing -------------------------------------------------------------- */

bool
ticket_keys_add(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, const struct ticket_key *key, uint64_t from_ms)
{
	struct ticket_place *p;
	uint32_t n;

	if (lock_take(&t->lock, slots, me) != LOCK_OK)
		return false;
	n = atomic_load(&t->n);
	p = &t->at[n % TICKET_KEYS_MAX];
	version_open(&t->version);
	CRASH_POINT();
	p->key = *key;
	CRASH_POINT();
	p->from_ms = u64_max(from_ms, place_of(t, n - 1)->from_ms);
	CRASH_POINT();
	atomic_store(&t->n, n + 1);
	CRASH_POINT();
	version_close(&t->version);
	lock_release(&t->lock, me);
	return true;
}

/* When the newest, which is not the first, is to take over. */
static uint64_t
keys_due_ms(const struct ticket_keys *t, uint32_t n, uint64_t rotation_ms)
{
	return place_of(t, n - 2)->from_ms + rotation_ms;
}

/* The newest takes over earlier: the rotation is faster now. Another may have
 * added one meanwhile: its time is judged inside the lock. */
static void
keys_hasten(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, uint64_t rotation_ms)
{
	struct ticket_place *newest;
	uint64_t due_ms;
	uint32_t n;

	if (lock_take(&t->lock, slots, me) != LOCK_OK)
		return;
	n = atomic_load(&t->n);
	newest = &t->at[(n - 1) % TICKET_KEYS_MAX];
	due_ms = keys_due_ms(t, n, rotation_ms);
	version_open(&t->version);
	CRASH_POINT();
	newest->from_ms = u64_min(newest->from_ms, due_ms);
	CRASH_POINT();
	version_close(&t->version);
	lock_release(&t->lock, me);
}

uint32_t
ticket_keys_rotate(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, uint64_t now_ms, uint64_t rotation_ms)
{
	for (uint32_t added = 0;; added++) {
		uint32_t n = atomic_load(&t->n);
		uint64_t newest_ms = place_of(t, n - 1)->from_ms;
		struct ticket_key key;
		bool is_added;

		if (newest_ms > now_ms && n > 1 &&
		    newest_ms > keys_due_ms(t, n, rotation_ms))
			keys_hasten(t, slots, me, rotation_ms);
		if (newest_ms > now_ms || added == ROTATE_MAX)
			return added;
		/* a system call: not inside the lock */
		key_random(&key);
		is_added = ticket_keys_add(t, slots, me, &key,
		    u64_max(newest_ms + rotation_ms, now_ms));
		explicit_bzero(&key, sizeof(key));
		if (!is_added)
			return added;
	}
}

/* --- repair --------------------------------------------------------------- */

void
ticket_keys_repair(struct ticket_keys *t, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	uint64_t owner = atomic_load(&t->lock.owner);
	struct ticket_place *p;

	if (owner == 0 || slot_of_word(owner).slot != dead ||
	    !lock_seize(&t->lock, slots, me))
		return;
	p = &t->at[atomic_load(&t->n) % TICKET_KEYS_MAX];
	version_open(&t->version);
	CRASH_POINT();
	explicit_bzero(p, sizeof(*p));
	CRASH_POINT();
	version_close(&t->version);
	lock_release(&t->lock, me);
}

bool
ticket_keys_check(const struct ticket_keys *t)
{
	uint32_t n = atomic_load(&t->n);

	if (n == 0 || atomic_load(&t->lock.owner) != 0 ||
	    atomic_load(&t->version.n) % 2 != 0)
		return false;
	for (uint32_t i = keys_first(n); i + 1 < n; i++)
		if (place_of(t, i)->from_ms > place_of(t, i + 1)->from_ms)
			return false;
	return true;
}
