/* store/spots: one row for each name, under a lock of its own. */
#include "common/store/spots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

/* Reading again when it was written meanwhile. */
#define SPOTS_READS 8

static_assert(sizeof(struct spot) == 44, "no bytes that nobody sets");

struct spots_row {
	struct shm_lock lock;
	struct shm_version version;
	struct spots_set set;
} __attribute__((aligned(64)));

struct spots_table {
	_Atomic uint32_t used; /* ids below it were made ready at some time */
	struct spots_row row[SPOTS_MAX];
};

struct spots {
	struct segment *segment;
	struct spots_table *t;
};

static const struct segment_want spots_want = {
    .kind = SEGMENT_KIND_SPOTS,
    .version = 2,
    .size = sizeof(struct spots_table),
    .commit = sizeof(uint32_t),
    .name = "spots",
};

struct spots *
spots_open(struct segment *s, bool may_make)
{
	struct spots *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	t->segment = s;
	t->t = may_make ? segment_claim(s, &spots_want)
			: segment_find(s, &spots_want);
	if (t->t != NULL)
		return t;
	free(t);
	return NULL;
}

void
spots_free(struct spots *t)
{
	free(t);
}

bool
spots_ready(void *self, uint32_t id)
{
	struct spots *t = self;
	struct spots_row *r = &t->t->row[id];

	if (segment_commit(t->segment, r, sizeof(*r)) < 0)
		return false;
	memset(&r->set, 0, sizeof(r->set));
	if (id >= atomic_load(&t->t->used))
		atomic_store(&t->t->used, id + 1);
	return true;
}

static bool
set_is_whole(const struct spots_set *s)
{
	for (uint32_t i = 0; i < SPOTS_PER_NAME; i++)
		if (s->at[i].n > 2 || s->at[i].share > SPOT_SHARE_MAX)
			return false;
	return true;
}

bool
spots_read(const struct spots *t, uint32_t id, struct spots_set *out)
{
	const struct spots_row *r = &t->t->row[id];
	uint32_t seen;

	REQUIRE(id < SPOTS_MAX);
	for (int i = 0; i < SPOTS_READS; i++) {
		if (!version_read(&r->version, &seen))
			continue;
		memcpy(out, &r->set, sizeof(*out));
		if (version_is(&r->version, seen))
			return set_is_whole(out);
	}
	return false;
}

/* --- who stands where ----------------------------------------------------- */

/* One that is free; best one that no request is at any more. SPOTS_PER_NAME:
 * there is none. */
static uint32_t
set_room(const struct spots_set *s, const struct upstate *u,
    const struct spots_name *name)
{
	uint32_t found = SPOTS_PER_NAME;

	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		if (s->at[k].n > 0)
			continue;
		if (upstate_active(u, name->servers[k]) == 0)
			return k;
		if (found == SPOTS_PER_NAME)
			found = k;
	}
	return found;
}

static uint32_t
hosts_find(const struct spot *hosts, uint32_t n, const struct spot *s)
{
	uint32_t i = 0;

	while (i < n && !spot_is(&hosts[i], s))
		i++;
	return i;
}

/* Those that stay keep their spots, the others go, new ones come. Returns which
 * spots have a new one, by bit. */
static uint32_t
set_fill(struct spots_set *s, const struct spot *hosts, uint32_t n,
    const struct upstate *u, const struct spots_name *name)
{
	uint32_t placed = 0;
	uint32_t fresh = 0;

	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		uint32_t i =
		    s->at[k].n == 0 ? n : hosts_find(hosts, n, &s->at[k]);

		if (i == n || (placed >> i) & 1) {
			memset(&s->at[k], 0, sizeof(s->at[k]));
			continue;
		}
		s->at[k] = hosts[i];
		placed |= UINT32_C(1) << i;
	}
	s->is_known = 1;
	s->is_failing = 0;
	s->n_ignored = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k =
		    (placed >> i) & 1 ? SPOTS_PER_NAME : set_room(s, u, name);

		if (k < SPOTS_PER_NAME) {
			s->at[k] = hosts[i];
			fresh |= UINT32_C(1) << k;
		} else {
			s->n_ignored += !((placed >> i) & 1);
		}
	}
	return fresh;
}

static void
row_write(struct spots_row *r, const struct spots_set *s)
{
	version_open(&r->version);
	CRASH_POINT();
	memcpy(&r->set, s, sizeof(*s));
	CRASH_POINT();
	version_close(&r->version);
}

enum spots_rc
spots_put(struct spots *t, const struct spots_by *by,
    const struct spots_name *name, const struct dns_answer *a,
    struct spots_set *out)
{
	struct spots_row *r = &t->t->row[name->id];
	struct spot hosts[DNS_ADDRS_MAX];
	uint32_t n = spots_hosts(a, hosts);
	struct spots_set was, now;
	uint32_t fresh;

	REQUIRE(name->id < SPOTS_MAX);
	if (!spots_read(t, name->id, &was))
		return SPOTS_BUSY;
	now = was;
	(void)set_fill(&now, hosts, n, by->upstate, name);
	if (memcmp(&now, &was, sizeof(now)) == 0)
		return SPOTS_SAME;
	if (lock_take(&r->lock, by->slots, by->me) != LOCK_OK)
		return SPOTS_BUSY;
	now = r->set;
	fresh = set_fill(&now, hosts, n, by->upstate, name);
	/* before anybody sees it there */
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
		if ((fresh >> k) & 1)
			upstate_renew(by->upstate, name->servers[k]);
	CRASH_POINT();
	row_write(r, &now);
	lock_release(&r->lock, by->me);
	upstate_change(by->upstate);
	if (out != NULL)
		*out = now;
	return SPOTS_CHANGED;
}

void
spots_fail(struct spots *t, const struct spots_by *by, uint32_t id)
{
	struct spots_row *r = &t->t->row[id];
	struct spots_set s;

	REQUIRE(id < SPOTS_MAX);
	if (!spots_read(t, id, &s) || s.is_known || s.is_failing ||
	    lock_take(&r->lock, by->slots, by->me) != LOCK_OK)
		return;
	s = r->set;
	s.is_failing = !s.is_known;
	CRASH_POINT();
	row_write(r, &s);
	lock_release(&r->lock, by->me);
	upstate_change(by->upstate);
}

/* --- repair --------------------------------------------------------------- */

static uint32_t
spots_used(const struct spots *t)
{
	uint32_t n = atomic_load(&t->t->used);

	return n < SPOTS_MAX ? n : SPOTS_MAX;
}

void
spots_repair(struct spots *t, const struct spots_by *by, uint32_t dead)
{
	static const struct spots_set none = {.is_known = 0};
	uint32_t n = spots_used(t);

	for (uint32_t id = 0; id < n; id++) {
		struct spots_row *r = &t->t->row[id];
		uint64_t owner = atomic_load(&r->lock.owner);

		if (owner == 0 || slot_of_word(owner).slot != dead ||
		    !lock_seize(&r->lock, by->slots, by->me))
			continue;
		row_write(r, &none);
		lock_release(&r->lock, by->me);
		upstate_change(by->upstate);
	}
}

bool
spots_check(const struct spots *t)
{
	uint32_t n = spots_used(t);

	for (uint32_t id = 0; id < n; id++) {
		const struct spots_row *r = &t->t->row[id];

		if (atomic_load(&r->lock.owner) != 0 ||
		    atomic_load(&r->version.n) % 2 != 0 ||
		    !set_is_whole(&r->set))
			return false;
	}
	return true;
}
