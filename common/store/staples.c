/* store/staples: places of one answer each; one writer under a lock, readers by
 * the version of the place. An answer stands in the first place of its window
 * that was free, so that a place that was never used ends a search. */
#include "common/store/staples.h"

#include <assert.h>
#include <string.h>

#include "common/base/check.h"
#include "common/shm/crash.h"
#include "common/shm/lock.h"

/* Reading again when it was written meanwhile, before it counts as a miss. */
#define STAPLE_READS 8

struct staple_place {
	struct shm_version version;
	_Atomic uint32_t is_used; /* some answer stood here once */
	_Atomic int64_t until_s; /* over, or 0: the place is free */
	int64_t since_s;
	uint32_t len;
	uint32_t pad;
	uint8_t print[STAPLE_PRINT_LEN];
	char der[STAPLE_CAP];
};

static_assert(sizeof(struct staple_place) == 8192, "two pages");

struct staples {
	struct shm_lock lock;
	_Atomic uint32_t is_ready; /* the places are committed */
	struct staple_place at[STAPLES_MAX]
	    __attribute__((aligned(SEGMENT_PAGE)));
};

static const struct segment_want staples_want = {
    .kind = SEGMENT_KIND_STAPLES,
    .version = 1,
    .size = sizeof(struct staples),
    .commit = SEGMENT_PAGE,
    .name = "staples",
};

struct staples *
staples_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &staples_want)
			: segment_find(s, &staples_want);
}

bool
staples_ready(struct staples *t, struct segment *s)
{
	return segment_ready(s, t, sizeof(*t), &t->is_ready);
}

/* The i-th place of a certificate's window. */
static uint32_t
place_no(const uint8_t print[STAPLE_PRINT_LEN], uint32_t i)
{
	uint32_t first;

	memcpy(&first, print, sizeof(first));
	return (first % STAPLES_MAX + i) % STAPLES_MAX;
}

static bool
place_is_of(const struct staple_place *p, const uint8_t print[STAPLE_PRINT_LEN])
{
	return memcmp(p->print, print, STAPLE_PRINT_LEN) == 0;
}

/* --- reading -------------------------------------------------------------- */

enum place_rc { PLACE_FOUND, PLACE_OTHER, PLACE_UNUSED, PLACE_TORN };

static enum place_rc
place_copy(const struct staple_place *p, const uint8_t *print, char *out,
    struct staple *found)
{
	uint32_t seen;
	uint32_t len;
	bool is_own;

	if (atomic_load(&p->is_used) == 0)
		return PLACE_UNUSED;
	if (!version_read(&p->version, &seen))
		return PLACE_TORN;
	is_own = place_is_of(p, print);
	/* whoever wrote it: a length is looked at before it is used */
	len = p->len;
	if (is_own && len <= STAPLE_CAP) {
		memcpy(out, p->der, len);
		found->der = span_of(out, len);
		found->since_s = p->since_s;
		found->until_s = atomic_load(&p->until_s);
	}
	if (!version_is(&p->version, seen))
		return PLACE_TORN;
	return is_own && len <= STAPLE_CAP ? PLACE_FOUND : PLACE_OTHER;
}

static enum place_rc
place_read(const struct staple_place *p, const uint8_t *print, char *out,
    struct staple *found)
{
	enum place_rc rc = PLACE_TORN;

	for (int i = 0; i < STAPLE_READS && rc == PLACE_TORN; i++)
		rc = place_copy(p, print, out, found);
	return rc;
}

bool
staples_find(const struct staples *t, const uint8_t print[STAPLE_PRINT_LEN],
    int64_t now_s, char *out, struct staple *found)
{
	if (atomic_load(&t->is_ready) == 0)
		return false;
	for (uint32_t i = 0; i < STAPLE_WINDOW; i++) {
		switch (
		    place_read(&t->at[place_no(print, i)], print, out, found)) {
		case PLACE_FOUND:
			return found->until_s > now_s;
		case PLACE_UNUSED:
			return false;
		case PLACE_OTHER:
		case PLACE_TORN:
			break;
		}
	}
	return false;
}

/* --- writing -------------------------------------------------------------- */

/* Where an answer stands, or else is to stand; NULL: nowhere. */
static struct staple_place *
staples_place(
    struct staples *t, const uint8_t print[STAPLE_PRINT_LEN], int64_t now_s)
{
	struct staple_place *free_one = NULL;

	for (uint32_t i = 0; i < STAPLE_WINDOW; i++) {
		struct staple_place *p = &t->at[place_no(print, i)];
		bool is_used = atomic_load(&p->is_used) != 0;

		if (is_used && place_is_of(p, print))
			return p;
		if (free_one == NULL && atomic_load(&p->until_s) <= now_s)
			free_one = p;
		if (!is_used)
			break;
	}
	return free_one;
}

static void
place_write(struct staple_place *p, const uint8_t print[STAPLE_PRINT_LEN],
    const struct staple *s)
{
	version_open(&p->version);
	CRASH_POINT();
	atomic_store(&p->until_s, 0);
	CRASH_POINT();
	atomic_store(&p->is_used, 1);
	CRASH_POINT();
	memcpy(p->print, print, STAPLE_PRINT_LEN);
	CRASH_POINT();
	memcpy(p->der, s->der.p, s->der.len);
	CRASH_POINT();
	p->len = (uint32_t)s->der.len;
	p->since_s = s->since_s;
	CRASH_POINT();
	atomic_store(&p->until_s, s->until_s);
	CRASH_POINT();
	version_close(&p->version);
}

bool
staples_put(struct staples *t, const struct slots *slots, struct slot_name me,
    const uint8_t print[STAPLE_PRINT_LEN], const struct staple *s,
    int64_t now_s)
{
	struct staple_place *p;

	REQUIRE(s->der.len > 0 && s->der.len <= STAPLE_CAP);
	if (atomic_load(&t->is_ready) == 0 ||
	    lock_take(&t->lock, slots, me) != LOCK_OK)
		return false;
	p = staples_place(t, print, now_s);
	CRASH_POINT();
	if (p != NULL)
		place_write(p, print, s);
	lock_release(&t->lock, me);
	return p != NULL;
}

static void
place_clear(struct staple_place *p)
{
	version_open(&p->version);
	CRASH_POINT();
	atomic_store(&p->until_s, 0);
	CRASH_POINT();
	version_close(&p->version);
}

bool
staples_drop(struct staples *t, const struct slots *slots, struct slot_name me,
    const uint8_t print[STAPLE_PRINT_LEN])
{
	if (atomic_load(&t->is_ready) == 0)
		return true;
	if (lock_take(&t->lock, slots, me) != LOCK_OK)
		return false;
	for (uint32_t i = 0; i < STAPLE_WINDOW; i++) {
		struct staple_place *p = &t->at[place_no(print, i)];

		if (atomic_load(&p->is_used) != 0 && place_is_of(p, print))
			place_clear(p);
	}
	lock_release(&t->lock, me);
	return true;
}

/* --- repair --------------------------------------------------------------- */

void
staples_repair(struct staples *t, const struct slots *slots,
    struct slot_name me, uint32_t dead)
{
	uint64_t owner = atomic_load(&t->lock.owner);

	if (owner == 0 || slot_of_word(owner).slot != dead ||
	    !lock_seize(&t->lock, slots, me))
		return;
	for (uint32_t i = 0; i < STAPLES_MAX; i++) {
		struct staple_place *p = &t->at[i];
		uint32_t seen;

		if (version_read(&p->version, &seen))
			continue;
		/* half of a name may be another one's */
		memset(p->print, 0, sizeof(p->print));
		CRASH_POINT();
		place_clear(p);
	}
	lock_release(&t->lock, me);
}

/* Whether two places of one window hold an answer for the same. */
static bool
staples_has_twice(const struct staples *t, uint32_t no)
{
	const struct staple_place *p = &t->at[no];

	for (uint32_t i = 1; i < STAPLE_WINDOW; i++) {
		const struct staple_place *other =
		    &t->at[(no + i) % STAPLES_MAX];

		if (atomic_load(&p->until_s) != 0 &&
		    atomic_load(&other->until_s) != 0 &&
		    place_is_of(other, p->print))
			return true;
	}
	return false;
}

bool
staples_check(const struct staples *t)
{
	if (atomic_load(&t->lock.owner) != 0)
		return false;
	if (atomic_load(&t->is_ready) == 0)
		return true;
	for (uint32_t i = 0; i < STAPLES_MAX; i++) {
		const struct staple_place *p = &t->at[i];
		uint32_t seen;

		if (!version_read(&p->version, &seen) || p->len > STAPLE_CAP ||
		    (atomic_load(&p->until_s) != 0 &&
			atomic_load(&p->is_used) == 0) ||
		    staples_has_twice(t, i))
			return false;
	}
	return true;
}
