/* store/sessions: sets of a few places, each with a lock and a version. A place
 * that is not written to the end has no time, and so is free. */
#include "common/store/sessions.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/check.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define SESSIONS_SETS 8192u
#define SESSIONS_WAYS 12u
/* Reading again when it was written meanwhile, before it counts as a miss. */
#define SESSIONS_READS 8

struct session_place {
	uint64_t hash[2];
	uint64_t owner;
	uint64_t server;
	uint64_t until_ms; /* CLOCK_MONOTONIC; over, or 0: the place is free */
};

struct sessions_set {
	struct shm_lock lock;
	struct shm_version version;
	struct session_place at[SESSIONS_WAYS];
} __attribute__((aligned(64)));

static_assert(
    SESSIONS_SETS * SESSIONS_WAYS == SESSIONS_MAX, "what is promised");

/* The first page: what is there before the sets are. */
struct sessions_base {
	_Atomic uint32_t is_drawn;
	_Atomic uint32_t is_ready;
	struct session_secret secret;
	struct sipkey key[3]; /* of the table: nobody can aim at a set */
} __attribute__((aligned(SEGMENT_PAGE)));

struct sessions {
	struct sessions_base base;
	struct sessions_set set[SESSIONS_SETS];
};

static const struct segment_want sessions_want = {
    .kind = SEGMENT_KIND_SESSIONS,
    .version = 1,
    .size = sizeof(struct sessions),
    .commit = sizeof(struct sessions_base),
    .name = "sessions",
};

static void
sessions_draw(struct sessions_base *b)
{
	sipkey_random(&b->secret.name);
	for (size_t i = 0; i < NELEMS(b->secret.seal); i++)
		sipkey_random(&b->secret.seal[i]);
	for (size_t i = 0; i < NELEMS(b->key); i++)
		sipkey_random(&b->key[i]);
	atomic_store(&b->is_drawn, 1);
}

struct sessions *
sessions_map(struct segment *s, bool may_make)
{
	struct sessions *t;

	if (!may_make)
		return segment_find(s, &sessions_want);
	t = segment_claim(s, &sessions_want);
	if (t == NULL)
		return NULL;
	/* not into the core file of any process; kept across fork */
	(void)madvise(t, sizeof(t->base), MADV_DONTDUMP);
	if (!atomic_load(&t->base.is_drawn))
		sessions_draw(&t->base);
	return t;
}

bool
sessions_ready(struct sessions *t, struct segment *s)
{
	return segment_ready(s, t, sizeof(*t), &t->base.is_ready);
}

void
sessions_secret(const struct sessions *t, struct session_secret *out)
{
	*out = t->base.secret;
}

/* --- names ---------------------------------------------------------------- */

/* Of the upstream a key for the servers in it: where one text ends and the
 * other begins is never in doubt. */
uint64_t
session_server(const struct session_secret *secret, span upstream, span server)
{
	struct sipkey own = secret->name;
	uint64_t name;

	own.k1 ^= siphash(&secret->name, upstream);
	name = siphash(&own, server);
	return name == 0 ? 1 : name;
}

struct session_key
session_key(const struct sessions *t, span upstream, span text)
{
	const struct sipkey *key = t->base.key;
	struct session_key out = {.owner = siphash(&key[2], upstream)};

	for (size_t i = 0; i < NELEMS(out.hash); i++) {
		struct sipkey own = {key[i].k0, key[i].k1 ^ out.owner};

		out.hash[i] = siphash(&own, text);
	}
	return out;
}

/* --- reading -------------------------------------------------------------- */

static bool
place_is(const struct session_place *p, const struct session_key *key)
{
	return p->hash[0] == key->hash[0] && p->hash[1] == key->hash[1] &&
	       p->owner == key->owner;
}

/* The index of its place, or SESSIONS_WAYS. */
static uint32_t
set_find(const struct sessions_set *set, const struct session_key *key,
    uint64_t now_ms)
{
	uint32_t i = 0;

	while (i < SESSIONS_WAYS &&
	       (set->at[i].until_ms <= now_ms || !place_is(&set->at[i], key)))
		i++;
	return i;
}

bool
sessions_find(const struct sessions *t, const struct session_key *key,
    uint64_t now_ms, struct session *out)
{
	const struct sessions_set *set = &t->set[key->hash[0] % SESSIONS_SETS];

	if (!atomic_load_explicit(&t->base.is_ready, memory_order_acquire))
		return false;
	for (int i = 0; i < SESSIONS_READS; i++) {
		uint32_t seen;
		uint32_t at;

		if (!version_read(&set->version, &seen))
			continue;
		at = set_find(set, key, now_ms);
		if (at < SESSIONS_WAYS)
			*out = (struct session){
			    set->at[at].server, set->at[at].until_ms};
		if (version_is(&set->version, seen))
			return at < SESSIONS_WAYS;
	}
	return false;
}

/* --- writing -------------------------------------------------------------- */

/* Live places of that owner. */
static uint32_t
set_count(const struct sessions_set *set, uint64_t owner)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SESSIONS_WAYS; i++)
		n += set->at[i].owner == owner;
	return n;
}

/* A free place; else one of the owner that has the most, so that nobody's
 * sessions are pushed out by the flood of another one. */
static struct session_place *
set_make_room(struct sessions_set *set, uint64_t owner, uint64_t now_ms)
{
	struct session_place *victim = NULL;
	uint32_t most = 0;

	for (uint32_t i = 0; i < SESSIONS_WAYS; i++) {
		struct session_place *p = &set->at[i];
		uint32_t n = 2 * set_count(set, p->owner);

		if (p->until_ms <= now_ms)
			return p;
		/* among equals who asks gives */
		n += p->owner == owner;
		if (victim == NULL || n > most ||
		    (n == most && p->until_ms < victim->until_ms)) {
			victim = p;
			most = n;
		}
	}
	return victim;
}

static void
set_write(struct sessions_set *set, struct session_place *p,
    const struct session_key *key, const struct session *next)
{
	version_open(&set->version);
	CRASH_POINT();
	p->until_ms = 0;
	CRASH_POINT();
	p->hash[0] = key->hash[0];
	p->hash[1] = key->hash[1];
	CRASH_POINT();
	p->owner = key->owner;
	CRASH_POINT();
	p->server = next->server;
	CRASH_POINT();
	p->until_ms = next->until_ms;
	CRASH_POINT();
	version_close(&set->version);
	CRASH_POINT();
}

/* Inside the lock. */
static uint64_t
set_bind(struct sessions_set *set, const struct session_key *key, uint64_t from,
    const struct session *next, uint64_t now_ms)
{
	uint32_t i = set_find(set, key, now_ms);
	struct session_place *p;

	if (i < SESSIONS_WAYS && set->at[i].server != from &&
	    set->at[i].server != next->server)
		return set->at[i].server;
	p = i < SESSIONS_WAYS ? &set->at[i]
			      : set_make_room(set, key->owner, now_ms);
	set_write(set, p, key, next);
	return next->server;
}

uint64_t
sessions_bind(struct sessions *t, const struct slots *slots,
    struct slot_name me, const struct session_key *key, uint64_t from,
    const struct session *next, uint64_t now_ms)
{
	struct sessions_set *set = &t->set[key->hash[0] % SESSIONS_SETS];
	uint64_t server;

	if (!atomic_load_explicit(&t->base.is_ready, memory_order_acquire) ||
	    lock_take(&set->lock, slots, me) != LOCK_OK)
		return next->server;
	server = set_bind(set, key, from, next, now_ms);
	lock_release(&set->lock, me);
	return server;
}

/* --- repair --------------------------------------------------------------- */

void
sessions_repair(struct sessions *t, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	if (!atomic_load(&t->base.is_ready))
		return;
	for (uint32_t i = 0; i < SESSIONS_SETS; i++) {
		struct sessions_set *set = &t->set[i];
		uint64_t owner = atomic_load(&set->lock.owner);

		if (owner == 0 || slot_of_word(owner).slot != dead ||
		    !lock_seize(&set->lock, slots, me))
			continue;
		/* a place is whole or has no time, at each step */
		version_open(&set->version);
		CRASH_POINT();
		version_close(&set->version);
		CRASH_POINT();
		lock_release(&set->lock, me);
	}
}

static bool
set_is_whole(const struct sessions_set *set)
{
	if (atomic_load(&set->lock.owner) != 0 ||
	    atomic_load(&set->version.n) % 2 != 0)
		return false;
	for (uint32_t i = 0; i < SESSIONS_WAYS; i++) {
		const struct session_place *p = &set->at[i];
		struct session_key key = {{p->hash[0], p->hash[1]}, p->owner};

		if (p->until_ms == 0)
			continue;
		if (p->server == 0)
			return false;
		for (uint32_t k = i + 1; k < SESSIONS_WAYS; k++)
			if (set->at[k].until_ms == p->until_ms &&
			    place_is(&set->at[k], &key))
				return false;
	}
	return true;
}

bool
sessions_check(const struct sessions *t)
{
	for (uint32_t i = 0; i < SESSIONS_SETS; i++)
		if (!set_is_whole(&t->set[i]))
			return false;
	return true;
}
