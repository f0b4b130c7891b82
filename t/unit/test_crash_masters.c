/* Deaths of masters at every step of what only they do, and of who holds the
 * lease. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/crash.h"
#include "common/shm/lease.h"
#include "common/shm/registry.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

/* --- the lease of repair -------------------------------------------------- */

struct leases {
	struct slots *t;
	struct segment_lease *lease;
	_Atomic uint64_t *inside; /* who has it, as a word */
	struct slot_name checker;
};

static void *
leases_set_up(struct segment *s, struct slots *t)
{
	struct segment_want want = {.kind = SEGMENT_KIND_UPSTATE,
	    .version = 99,
	    .size = SEGMENT_PAGE,
	    .commit = SEGMENT_PAGE,
	    .name = "inside"};
	struct leases *v = calloc(1, sizeof(*v));
	int slot = slots_take(t, SLOT_STEWARD, 1, segment_epoch(s));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->lease = segment_lease(s);
	v->inside = segment_claim(s, &want);
	ck_assert_ptr_nonnull(v->inside);
	v->checker = (struct slot_name){
	    (uint32_t)slot, atomic_load(&t->at[slot].incarnation)};
	return v;
}

/* No two who live have it at once. */
static void
leases_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct leases *v = ctx;
	uint64_t mine = slot_word(me);
	uint64_t before;

	if (!lease_hold(v->lease, v->t, me, 1))
		return;
	before = atomic_exchange(v->inside, mine);
	REQUIRE(before == 0 || !slot_is_alive(v->t, slot_of_word(before)));
	CRASH_POINT();
	REQUIRE(atomic_exchange(v->inside, 0) == mine);
	CRASH_POINT();
	lease_drop(v->lease, me);
	++*done;
}

/* Nothing is mended: who is dead has it no more. */
static bool
leases_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	(void)ctx;
	(void)me;
	(void)dead;
	CRASH_POINT();
	return true;
}

static bool
leases_check(void *ctx)
{
	struct leases *v = ctx;

	if (!lease_hold(v->lease, v->t, v->checker, 1))
		return false;
	lease_drop(v->lease, v->checker);
	return atomic_load(&v->lease->owner) == 0;
}

START_TEST(the_lease_of_a_dead_one_is_free)
{
	static const struct crash_case c = {
	    .name = "lease",
	    .set_up = leases_set_up,
	    .tear_down = free,
	    .work = leases_work,
	    .repair = leases_repair,
	    .check = leases_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 3);
}
END_TEST

/* --- ranges and ids, which masters alone take and give back --------------- */

#define THINGS 4
#define KEPT_WORD UINT64_C(0x6b657074)

/* The first master lives all the time and cleans up after the others: who works
 * is one after an upgrade. */
struct masters {
	struct segment *s;
	struct registry *things;
	uint64_t *kept;
	uint64_t committed; /* when nobody else has anything */
	pid_t pid; /* of the first */
};

static const struct segment_want kept_want = {.kind = SEGMENT_KIND_UPSTATE,
    .version = 98,
    .size = SEGMENT_PAGE,
    .commit = SEGMENT_PAGE,
    .name = "kept"};
static const struct segment_want more_want = {.kind = SEGMENT_KIND_UPSTATE,
    .version = 97,
    .size = 4 * SEGMENT_PAGE,
    .commit = 2 * SEGMENT_PAGE,
    .name = "more"};

static bool
things_ready(void *self, uint32_t id)
{
	(void)self;
	return id < THINGS;
}

static void *
masters_set_up(struct segment *s, struct slots *t)
{
	struct masters *v = calloc(1, sizeof(*v));

	(void)t;
	ck_assert_ptr_nonnull(v);
	v->s = s;
	v->pid = getpid();
	v->things = registry_open(s, "thing", THINGS, things_ready, v);
	ck_assert_ptr_nonnull(v->things);
	v->kept = segment_claim(s, &kept_want);
	ck_assert_ptr_nonnull(v->kept);
	*v->kept = KEPT_WORD;
	v->committed = segment_committed(s);
	return v;
}

static void
masters_tear_down(void *ctx)
{
	struct masters *v = ctx;

	registry_close(v->things);
	free(v);
}

/* In a process of its own: become the next master. */
static void
masters_be_next(struct masters *v)
{
	v->s = segment_open(dup(segment_fd(v->s)));
	REQUIRE(v->s != NULL);
	v->pid = getpid();
	v->things = registry_open(v->s, "thing", THINGS, things_ready, v);
	REQUIRE(v->things != NULL);
}

static void
masters_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct masters *v = ctx;
	unsigned char *more;
	uint32_t a, b;

	(void)me;
	if (v->pid != getpid())
		masters_be_next(v);
	more = segment_claim(v->s, &more_want);
	REQUIRE(more != NULL);
	for (uint32_t i = 0; i < more_want.size; i++)
		REQUIRE(more[i] == 0);
	memset(more, 1, more_want.size);
	a = registry_claim(v->things, SPAN_LIT("a"));
	b = registry_claim(v->things, SPAN_LIT("b"));
	REQUIRE(a < THINGS && b < THINGS && a != b);
	CRASH_POINT();
	registry_unclaim(v->things, a);
	registry_unclaim(v->things, b);
	segment_unclaim(v->s, more);
	++*done;
}

/* What others have is there all the time. */
static void
masters_look(void *ctx, struct slot_name me, uint64_t *done)
{
	const struct masters *v = ctx;
	const uint64_t *kept = segment_find(v->s, &kept_want);

	(void)me;
	REQUIRE(kept == v->kept && *kept == KEPT_WORD);
	++*done;
}

static bool
masters_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct masters *v = ctx;
	uint64_t epoch;

	(void)me;
	(void)dead;
	while (segment_find_gone(v->s, &epoch)) {
		registry_forget(v->things, epoch);
		CRASH_POINT();
		segment_forget(v->s, epoch);
	}
	return true;
}

/* One more master finds all the room and every id free. */
static _Noreturn void
masters_take_all(struct masters *v)
{
	static const char names[THINGS] = {'c', 'd', 'e', 'f'};
	uint32_t seen = 0;

	masters_be_next(v);
	for (uint32_t i = 0; i < THINGS; i++) {
		uint32_t id = registry_claim(v->things, span_of(&names[i], 1));

		REQUIRE(id < THINGS);
		seen |= 1u << id;
	}
	_exit(seen == (1u << THINGS) - 1 ? 0 : 1);
}

static bool
masters_check(void *ctx)
{
	struct masters *v = ctx;
	pid_t pid;
	int status;

	if (segment_committed(v->s) != v->committed)
		return false;
	crash_arm(0);
	pid = fork();
	if (pid == 0)
		masters_take_all(v);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return false;
	(void)masters_repair(v, (struct slot_name){0, 0}, 0);
	return segment_committed(v->s) == v->committed;
}

START_TEST(a_dead_master_leaves_no_range_and_no_id)
{
	static const struct crash_case c = {
	    .name = "master",
	    .set_up = masters_set_up,
	    .tear_down = masters_tear_down,
	    .work = masters_work,
	    .look = masters_look,
	    .repair = masters_repair,
	    .check = masters_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 10);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_lease_of_a_dead_one_is_free,
	    a_dead_master_leaves_no_range_and_no_id,
	};

	return unit_run("crash_masters", tests, NELEMS(tests));
}
