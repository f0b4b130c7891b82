/* store/visits: sets of a few clients, each under a lock of its own. Of two
 * windows, the one that runs and the one before it, the sum is told as of a
 * window that ends now. */
#include "common/store/visits.h"

#include <assert.h>

#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

#define VISITS_SETS 4096u
#define VISITS_WAYS 8u
/* Paths are counted in these parts, because each stands for those that fell
 * onto bits which were set already. */
#define VISITS_PART 16u

struct visits_sum {
	uint32_t missing;
	uint32_t paths; /* in parts */
};

struct visit {
	uint64_t hash[2]; /* of the client; the first 0: free */
	uint64_t since_ms; /* when the window that runs began */
	struct visits_sum now, before;
	uint64_t seen[VISITS_BITS / 64]; /* hashes of paths, in this window */
};

struct visits_set {
	struct shm_lock lock;
	struct visit at[VISITS_WAYS];
} __attribute__((aligned(64)));

static_assert(VISITS_SETS * VISITS_WAYS == VISITS_MAX, "what is promised");

struct visits {
	struct sipkey key[2]; /* drawn once, so that nobody can aim */
	_Atomic uint32_t is_ready; /* the sets have memory */
	struct visits_set set[VISITS_SETS];
};

static const struct segment_want visits_want = {
    .kind = SEGMENT_KIND_VISITS,
    .version = 1,
    .size = sizeof(struct visits),
    .commit = SEGMENT_PAGE,
    .name = "visits",
};

struct visits *
visits_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &visits_want)
			: segment_find(s, &visits_want);
}

bool
visits_ready(struct visits *v, struct segment *s)
{
	if (visits_is_ready(v))
		return true;
	if (segment_commit(s, v, sizeof(*v)) < 0)
		return false;
	sipkey_random(&v->key[0]);
	sipkey_random(&v->key[1]);
	atomic_store(&v->is_ready, 1);
	return true;
}

bool
visits_is_ready(const struct visits *v)
{
	return atomic_load_explicit(&v->is_ready, memory_order_acquire) != 0;
}

/* --- a client ------------------------------------------------------------- */

struct visits_who {
	uint64_t hash[2];
	struct visits_set *set;
};

static struct visits_who
who_of(struct visits *v, span client)
{
	struct visits_who w;

	w.hash[0] = siphash(&v->key[0], client) | 1;
	w.hash[1] = siphash(&v->key[1], client);
	w.set = &v->set[w.hash[1] % VISITS_SETS];
	return w;
}

static struct visit *
set_find(const struct visits_who *w)
{
	for (uint32_t i = 0; i < VISITS_WAYS; i++) {
		struct visit *e = &w->set->at[i];

		if (e->hash[0] == w->hash[0] && e->hash[1] == w->hash[1])
			return e;
	}
	return NULL;
}

/* A place for a client that has none. */
static struct visit *
set_make(const struct visits_who *w, uint64_t now_ms)
{
	struct visit *e = &w->set->at[0];

	for (uint32_t i = 1; i < VISITS_WAYS && e->hash[0] != 0; i++)
		if (w->set->at[i].hash[0] == 0 ||
		    w->set->at[i].since_ms < e->since_ms)
			e = &w->set->at[i];
	e->hash[0] = 0;
	CRASH_POINT();
	*e = (struct visit){.hash = {0, w->hash[1]}, .since_ms = now_ms};
	CRASH_POINT();
	e->hash[0] = w->hash[0];
	CRASH_POINT();
	return e;
}

/* --- windows -------------------------------------------------------------- */

/* Times of other processes may lie a little before this one's. */
static uint64_t
age_ms(const struct visit *e, uint64_t now_ms)
{
	return now_ms > e->since_ms ? now_ms - e->since_ms : 0;
}

/* The window that runs is one that holds now_ms. */
static void
visit_turn(struct visit *e, uint64_t now_ms)
{
	uint64_t n = age_ms(e, now_ms) / VISITS_WINDOW_MS;

	if (n == 0)
		return;
	e->before = n == 1 ? e->now : (struct visits_sum){0};
	CRASH_POINT();
	e->now = (struct visits_sum){0};
	for (uint32_t i = 0; i < VISITS_BITS / 64; i++)
		e->seen[i] = 0;
	CRASH_POINT();
	e->since_ms += n * VISITS_WINDOW_MS;
}

/* A bit that is set for the first time stands for as many paths as chance has
 * fall onto set ones until that. */
static void
visit_path(struct visit *e, uint64_t hash)
{
	uint32_t bit = hash % VISITS_BITS;
	uint64_t *word = &e->seen[bit / 64];
	uint32_t n_free = VISITS_BITS;

	if ((*word >> bit % 64 & 1) != 0)
		return;
	for (uint32_t i = 0; i < VISITS_BITS / 64; i++)
		n_free -= (uint32_t)__builtin_popcountll(e->seen[i]);
	/* another process wrote the bits */
	e->now.paths += VISITS_BITS * VISITS_PART / (n_free > 0 ? n_free : 1);
	CRASH_POINT();
	*word |= UINT64_C(1) << bit % 64;
}

void
visits_note(struct visits *v, const struct visits_by *by, span client,
    span path, bool is_missing)
{
	struct visits_who w;
	uint64_t hash;
	struct visit *e;

	if (!visits_is_ready(v))
		return;
	w = who_of(v, client);
	hash = siphash(&v->key[0], path);
	if (lock_take(&w.set->lock, by->slots, by->me) != LOCK_OK)
		return;
	e = set_find(&w);
	if (e == NULL)
		e = set_make(&w, by->now_ms);
	visit_turn(e, by->now_ms);
	if (is_missing && e->now.missing < UINT32_MAX)
		e->now.missing++;
	visit_path(e, hash);
	CRASH_POINT();
	lock_release(&w.set->lock, by->me);
}

/* What a sum of the window before has in one that ends now. */
static uint32_t
weigh(uint32_t before, uint32_t now, uint64_t age)
{
	uint64_t n = before * (VISITS_WINDOW_MS - age) / VISITS_WINDOW_MS + now;

	return (uint32_t)u64_min(n, UINT32_MAX);
}

struct visits_rates
visits_read(struct visits *v, const struct visits_by *by, span client)
{
	struct visits_rates r = {0};
	struct visits_who w;
	struct visit e = {0};
	const struct visit *found;
	uint64_t age;

	if (!visits_is_ready(v))
		return r;
	w = who_of(v, client);
	if (lock_take(&w.set->lock, by->slots, by->me) != LOCK_OK)
		return r;
	found = set_find(&w);
	if (found != NULL)
		e = *found;
	lock_release(&w.set->lock, by->me);
	visit_turn(&e, by->now_ms);
	age = age_ms(&e, by->now_ms);
	r.missing = weigh(e.before.missing, e.now.missing, age);
	r.paths = (weigh(e.before.paths, e.now.paths, age) + VISITS_PART / 2) /
		  VISITS_PART;
	return r;
}

/* --- repair --------------------------------------------------------------- */

void
visits_repair(struct visits *v, const struct slots *slots, struct slot_name me,
    uint32_t dead)
{
	if (!visits_is_ready(v))
		return;
	for (uint32_t i = 0; i < VISITS_SETS; i++) {
		struct shm_lock *l = &v->set[i].lock;
		uint64_t owner = atomic_load(&l->owner);

		/* a place is whole or free at each step */
		if (owner != 0 && slot_of_word(owner).slot == dead &&
		    lock_seize(l, slots, me))
			lock_release(l, me);
	}
}

/* Whether two places are of one client. */
static bool
set_has_twice(const struct visits_set *set)
{
	for (uint32_t i = 0; i < VISITS_WAYS; i++)
		for (uint32_t k = i + 1; k < VISITS_WAYS; k++)
			if (set->at[i].hash[0] != 0 &&
			    set->at[i].hash[0] == set->at[k].hash[0] &&
			    set->at[i].hash[1] == set->at[k].hash[1])
				return true;
	return false;
}

bool
visits_check(const struct visits *v)
{
	for (uint32_t i = 0; i < VISITS_SETS; i++)
		if (atomic_load(&v->set[i].lock.owner) != 0 ||
		    set_has_twice(&v->set[i]))
			return false;
	return true;
}
