/* The shared segment: ranges that come, go, grow and shrink while others use
 * them, the budget, names and ids, slots, locks, pins. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/counters.h"
#include "common/shm/lease.h"
#include "common/shm/lock.h"
#include "common/shm/registry.h"
#include "common/shm/segment.h"
#include "common/shm/wake.h"
#include "common/store/upstate.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)

static struct segment *seg;

static void
set_up(void)
{
	seg = segment_new(16 * MIB);
	ck_assert_ptr_nonnull(seg);
}

static void
tear_down(void)
{
	segment_free(seg);
}

static struct segment_want
want(const char *name, uint64_t size, uint64_t commit)
{
	return (struct segment_want){
	    SEGMENT_KIND_REGISTRY, 7, size, commit, name};
}

START_TEST(a_range_is_found_by_kind_name_version_and_size)
{
	struct segment_want a = want("a", MIB, MIB);
	struct segment_want other = a;
	char *p = segment_claim(seg, &a);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_eq(segment_find(seg, &a), p);
	other.version++;
	ck_assert_ptr_null(segment_find(seg, &other));
	other = a;
	other.size = 2 * MIB;
	ck_assert_ptr_null(segment_find(seg, &other));
	other = a;
	other.name = "b";
	ck_assert_ptr_null(segment_find(seg, &other));
	other = a;
	other.kind = SEGMENT_KIND_SLOTS;
	ck_assert_ptr_null(segment_find(seg, &other));
}
END_TEST

START_TEST(a_range_goes_with_its_last_user_and_comes_back_empty)
{
	struct segment_want a = want("a", MIB, MIB);
	uint64_t before = segment_committed(seg);
	char *p = segment_claim(seg, &a);

	ck_assert_ptr_eq(segment_claim(seg, &a), p);
	p[0] = p[MIB - 1] = 'x';
	ck_assert_uint_eq(segment_committed(seg), before + MIB);
	segment_unclaim(seg, p);
	ck_assert_int_eq(p[MIB - 1], 'x');
	segment_unclaim(seg, p);
	ck_assert_uint_eq(segment_committed(seg), before);
	ck_assert_ptr_null(segment_find(seg, &a));
	p = segment_claim(seg, &a);
	ck_assert_int_eq(p[0], 0);
	ck_assert_int_eq(p[MIB - 1], 0);
}
END_TEST

START_TEST(one_that_grew_and_one_that_shrank_stand_beside_the_old)
{
	struct segment_want old = want("a", 2 * MIB, 2 * MIB);
	struct segment_want more = want("a", 4 * MIB, 4 * MIB);
	struct segment_want less = want("a", MIB, MIB);
	char *p = segment_claim(seg, &old);
	char *q, *r;

	memset(p, 'p', 2 * MIB);
	q = segment_claim(seg, &more);
	r = segment_claim(seg, &less);
	memset(q, 'q', 4 * MIB);
	memset(r, 'r', MIB);
	ck_assert_int_eq(p[0], 'p');
	ck_assert_int_eq(p[2 * MIB - 1], 'p');
	segment_unclaim(seg, p);
	ck_assert_int_eq(q[0], 'q');
	ck_assert_int_eq(q[4 * MIB - 1], 'q');
	ck_assert_int_eq(r[0], 'r');
	/* the room of the old one is used again */
	old.name = "b";
	ck_assert_ptr_eq(segment_claim(seg, &old), p);
}
END_TEST

START_TEST(what_passes_the_budget_is_refused_and_costs_nothing)
{
	struct segment_want big = want("big", 64 * MIB, 64 * MIB);
	struct segment_want lazy = want("lazy", 64 * MIB, 0);
	uint64_t before = segment_committed(seg);
	char *p;

	ck_assert_ptr_null(segment_claim(seg, &big));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(segment_committed(seg), before);
	p = segment_claim(seg, &lazy);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(segment_committed(seg), before);
	ck_assert_int_eq(segment_commit(seg, p + 8 * MIB, 100), 0);
	ck_assert_uint_eq(segment_committed(seg), before + SEGMENT_PAGE);
	/* the same again is free */
	ck_assert_int_eq(segment_commit(seg, p + 8 * MIB + 100, 100), 0);
	ck_assert_uint_eq(segment_committed(seg), before + SEGMENT_PAGE);
	ck_assert_int_eq(segment_commit(seg, p, 32 * MIB), -1);
	ck_assert_int_eq(errno, ENOMEM);
	segment_set_budget(seg, 64 * MIB);
	ck_assert_int_eq(segment_commit(seg, p, 32 * MIB), 0);
}
END_TEST

START_TEST(a_budget_without_room_for_the_directory_is_refused)
{
	ck_assert_ptr_null(segment_new(4096));
	ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

START_TEST(the_next_master_finds_all_and_keeps_what_it_uses)
{
	struct segment_want kept = want("kept", MIB, MIB);
	struct segment_want lost = want("lost", MIB, MIB);
	char *p = segment_claim(seg, &kept);
	struct segment *next;
	uint64_t epoch;
	char *q;

	p[5] = 'k';
	ck_assert_ptr_nonnull(segment_claim(seg, &lost));
	next = segment_open(dup(segment_fd(seg)));
	ck_assert_ptr_nonnull(next);
	ck_assert_uint_eq(segment_epoch(next), segment_epoch(seg) + 1);
	q = segment_claim(next, &kept);
	ck_assert_int_eq(q[5], 'k');
	/* both use it: neither end alone is the end */
	segment_unclaim(seg, p);
	ck_assert_ptr_nonnull(segment_find(next, &kept));
	ck_assert_ptr_nonnull(segment_find(next, &lost));
	ck_assert(!segment_find_gone(next, &epoch));
	segment_forget(next, segment_epoch(seg));
	ck_assert_ptr_null(segment_find(next, &lost));
	ck_assert_int_eq(q[5], 'k');
	segment_unclaim(next, q);
	ck_assert_ptr_null(segment_find(next, &kept));
	segment_free(next);
}
END_TEST

START_TEST(a_master_that_ended_is_found_and_forgotten)
{
	uint64_t epoch = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct segment *next = segment_open(dup(segment_fd(seg)));
		struct segment_want a = want("of the dead", MIB, MIB);

		_exit(next == NULL || segment_claim(next, &a) == NULL);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(segment_find_gone(seg, &epoch));
	ck_assert_uint_eq(epoch, segment_epoch(seg) + 1);
	segment_forget(seg, epoch);
	ck_assert(!segment_find_gone(seg, &epoch));
	ck_assert_ptr_null(
	    segment_find(seg, &(struct segment_want){SEGMENT_KIND_REGISTRY, 7,
				  MIB, MIB, "of the dead"}));
}
END_TEST

START_TEST(so_many_masters_may_live_at_once_and_no_more)
{
	struct segment *all[SEGMENT_MASTERS] = {NULL};

	for (uint32_t i = 0; i + 1 < SEGMENT_MASTERS; i++) {
		all[i] = segment_open(dup(segment_fd(seg)));
		ck_assert_ptr_nonnull(all[i]);
	}
	ck_assert_ptr_null(segment_open(segment_fd(seg)));
	ck_assert_int_eq(errno, EBUSY);
	segment_forget(all[0], segment_epoch(seg));
	all[SEGMENT_MASTERS - 1] = segment_open(dup(segment_fd(seg)));
	ck_assert_ptr_nonnull(all[SEGMENT_MASTERS - 1]);
	for (uint32_t i = 0; i < SEGMENT_MASTERS; i++)
		segment_free(all[i]);
}
END_TEST

START_TEST(another_layout_is_not_opened)
{
	int fd = segment_fd(seg);
	uint32_t version = 9999;

	/* behind the magic */
	ck_assert_int_eq(
	    pwrite(fd, &version, sizeof(version), sizeof(uint64_t)),
	    sizeof(version));
	ck_assert_ptr_null(segment_open(fd));
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

START_TEST(nobody_can_shrink_or_grow_it)
{
	ck_assert_int_eq(ftruncate(segment_fd(seg), 4096), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(
	    ftruncate(segment_fd(seg), (off_t)(SEGMENT_ROOM * 2)), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

/* Where the directory keeps the place of the range of that name. */
static off_t
place_of_off(const char *name, uint64_t off)
{
	char page[SEGMENT_PAGE];
	char *p;

	ck_assert_int_eq(
	    pread(segment_fd(seg), page, sizeof(page), 0), sizeof(page));
	p = memmem(page, sizeof(page), name, strlen(name));
	ck_assert_ptr_nonnull(p);
	while (p > page && memcmp(p, &off, sizeof(off)) != 0)
		p--;
	ck_assert(p > page);
	return p - page;
}

#define LOOKS 100000

START_TEST(a_place_that_is_written_meanwhile_is_checked_as_it_is_used)
{
	struct segment_want w = want("aimed", 4096, 4096);
	struct segment_want first = want("first", 4096, 4096);
	char *at = segment_claim(seg, &first);
	char *mine = segment_claim(seg, &w);
	const uint64_t bad = UINT64_C(1) << 62;
	uint64_t good = 0;
	off_t place;
	pid_t pid;

	/* the super block ends where the first range begins */
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(mine);
	while (segment_find(seg, &w) != NULL && good < MIB) {
		char *here;

		good += SEGMENT_PAGE;
		here = at - good;
		if (memcmp(here, "suoh", 4) == 0)
			break;
	}
	good += (uint64_t)(mine - at);
	place = place_of_off("aimed", good);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	for (uint64_t *p = (void *)(mine - good + place); pid == 0;) {
		*(volatile uint64_t *)p = bad;
		*(volatile uint64_t *)p = good;
	}
	for (int i = 0; i < LOOKS; i++) {
		char *found = segment_find(seg, &w);

		if (found != NULL && found != mine)
			(void)kill(pid, SIGKILL);
		ck_assert(found == NULL || found == mine);
	}
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* --- names ---------------------------------------------------------------- */

static uint32_t ready_calls;
static bool ready_answer = true;

static bool
note_ready(void *self, uint32_t id)
{
	(void)self;
	(void)id;
	ready_calls++;
	return ready_answer;
}

static struct registry *
names(struct segment *s, uint32_t cap)
{
	struct registry *r = registry_open(s, "server", cap, note_ready, NULL);

	ck_assert_ptr_nonnull(r);
	return r;
}

START_TEST(the_same_name_has_the_same_id_as_long_as_somebody_knows_it)
{
	struct registry *r = names(seg, 100);
	uint32_t a = registry_claim(r, SPAN_LIT("app 10.0.0.1:80"));
	uint32_t b = registry_claim(r, SPAN_LIT("app 10.0.0.2:80"));

	ready_calls = 0;
	ck_assert_uint_ne(a, b);
	ck_assert_uint_eq(registry_claim(r, SPAN_LIT("app 10.0.0.1:80")), a);
	ck_assert_uint_eq(ready_calls, 0);
	registry_unclaim(r, a);
	ck_assert_uint_ne(registry_claim(r, SPAN_LIT("c")), a);
	registry_unclaim(r, a);
	/* now it is free, and made ready anew for another */
	ready_calls = 0;
	ck_assert_uint_eq(registry_claim(r, SPAN_LIT("d")), a);
	ck_assert_uint_eq(ready_calls, 1);
	registry_close(r);
}
END_TEST

START_TEST(long_names_that_begin_alike_are_told_apart)
{
	struct registry *r = names(seg, 100);
	char one[300];
	char two[300];

	memset(one, 'x', sizeof(one));
	memset(two, 'x', sizeof(two));
	two[sizeof(two) - 1] = 'y';
	ck_assert_uint_ne(registry_claim(r, span_of(one, sizeof(one))),
	    registry_claim(r, span_of(two, sizeof(two))));
	registry_close(r);
}
END_TEST

START_TEST(a_full_registry_and_a_full_budget_say_so)
{
	struct registry *r = names(seg, 2);

	ck_assert_uint_ne(registry_claim(r, SPAN_LIT("a")), REGISTRY_NONE);
	ready_answer = false;
	ck_assert_uint_eq(registry_claim(r, SPAN_LIT("b")), REGISTRY_NONE);
	ready_answer = true;
	ck_assert_uint_ne(registry_claim(r, SPAN_LIT("b")), REGISTRY_NONE);
	ck_assert_uint_eq(registry_claim(r, SPAN_LIT("c")), REGISTRY_NONE);
	ck_assert_int_eq(errno, ENOSPC);
	registry_close(r);
}
END_TEST

START_TEST(the_next_master_gives_the_same_ids)
{
	struct registry *r = names(seg, 100);
	uint32_t a = registry_claim(r, SPAN_LIT("a"));
	uint32_t b = registry_claim(r, SPAN_LIT("b"));
	struct segment *next = segment_open(dup(segment_fd(seg)));
	struct registry *n = names(next, 100);

	ready_calls = 0;
	ck_assert_uint_eq(registry_claim(n, SPAN_LIT("b")), b);
	ck_assert_uint_eq(ready_calls, 0);
	registry_unclaim(r, b);
	ck_assert_uint_eq(registry_claim(n, SPAN_LIT("b")), b);
	/* what only the old master's generations knew goes with it */
	registry_forget(n, segment_epoch(seg));
	ck_assert_uint_eq(registry_claim(n, SPAN_LIT("new")), a);
	registry_close(r);
	registry_close(n);
	segment_free(next);
}
END_TEST

/* --- slots, locks, pins --------------------------------------------------- */

static struct slot_name
take(struct slots *t)
{
	int slot = slots_take(t, SLOT_WORKER, 1, 1);

	ck_assert_int_ge(slot, 0);
	return (struct slot_name){
	    (uint32_t)slot, atomic_load(&t->at[slot].incarnation)};
}

START_TEST(an_old_name_never_fits_a_new_process)
{
	struct slots *t = slots_map(seg, true);
	struct slot_name old = take(t);

	ck_assert(slot_is_alive(t, old));
	slots_release(t, old.slot);
	ck_assert(!slot_is_alive(t, old));
	ck_assert_uint_eq(take(t).slot, old.slot);
	ck_assert(!slot_is_alive(t, old));
	ck_assert(!slot_is_alive(t, (struct slot_name){SLOTS_MAX, 1}));
	ck_assert(!slot_is_alive(t, slot_of_word(0)));
}
END_TEST

START_TEST(there_are_so_many_slots_and_no_more)
{
	struct slots *t = slots_map(seg, true);

	for (int i = 0; i < SLOTS_MAX; i++)
		ck_assert_int_eq(slots_take(t, SLOT_WORKER, 1, 1), i);
	ck_assert_int_eq(slots_take(t, SLOT_WORKER, 1, 1), -1);
	slots_release(t, 100);
	ck_assert_int_eq(slots_take(t, SLOT_WORKER, 1, 1), 100);
}
END_TEST

START_TEST(a_lock_waits_for_the_living_and_tells_of_the_dead)
{
	struct slots *t = slots_map(seg, true);
	struct shm_lock l = {0};
	struct slot_name a = take(t);
	struct slot_name b = take(t);

	ck_assert_int_eq(lock_take(&l, t, a), LOCK_OK);
	ck_assert_int_eq(lock_take(&l, t, b), LOCK_BUSY);
	ck_assert(!lock_seize(&l, t, b));
	atomic_store(&t->at[a.slot].state, SLOT_DEAD);
	ck_assert_int_eq(lock_take(&l, t, b), LOCK_DEAD);
	ck_assert(lock_seize(&l, t, b));
	lock_release(&l, b);
	ck_assert_int_eq(lock_take(&l, t, b), LOCK_OK);
	/* one that was thought dead releases nothing of others */
	lock_release(&l, a);
	ck_assert_int_eq(lock_take(&l, t, a), LOCK_BUSY);
}
END_TEST

/* By the clock of another turn, a little ahead, it holds it all the same. */
START_TEST(a_lease_is_held_by_who_was_seen_by_a_later_clock)
{
	struct slots *t = slots_map(seg, true);
	struct segment_lease *l = segment_lease(seg);
	struct slot_name a = take(t);
	struct slot_name b = take(t);

	ck_assert(lease_hold(l, t, a, 5000));
	ck_assert(!lease_hold(l, t, b, 4990));
	ck_assert(!lease_hold(l, t, b, 7999));
	ck_assert(lease_hold(l, t, b, 8000));
	ck_assert(!lease_hold(l, t, a, 8000));
	/* a clock that went far back says nothing of who was seen */
	ck_assert(lease_hold(l, t, a, 5000));
}
END_TEST

START_TEST(pins_are_one_bit_a_process)
{
	struct shm_pins p = {{0}};

	ck_assert(!pins_any(&p));
	pins_set(&p, 0);
	pins_set(&p, 255);
	pins_clear(&p, 0);
	ck_assert(pins_any(&p));
	pins_clear(&p, 255);
	ck_assert(!pins_any(&p));
}
END_TEST

START_TEST(a_reader_knows_a_torn_read)
{
	struct shm_version v = {0};
	uint32_t seen;

	ck_assert(version_read(&v, &seen));
	ck_assert(version_is(&v, seen));
	version_open(&v);
	ck_assert(!version_is(&v, seen));
	ck_assert(!version_read(&v, &seen));
	version_close(&v);
	ck_assert(version_read(&v, &seen));
}
END_TEST

/* --- waking --------------------------------------------------------------- */

struct heard {
	uint32_t n;
	uint64_t sum;
	bool has_lost;
};

static void
hear(void *self, uint64_t token)
{
	struct heard *h = self;

	h->n++;
	h->sum += token;
	h->has_lost |= token == 0;
}

START_TEST(tokens_arrive_once_and_an_overflow_is_told)
{
	struct slots *t = slots_map(seg, true);
	struct slot_name me = take(t);
	struct slot_name old = {me.slot, me.incarnation - 1};
	struct heard h = {0, 0, false};
	struct wake_fds fds;

	ck_assert_int_eq(wake_open(&fds), 0);
	wake_take(t, &fds, me.slot, hear, &h);
	ck_assert_uint_eq(h.n, 0);
	wake_send(t, &fds, me, 7);
	wake_send(t, &fds, me, 7);
	wake_send(t, &fds, me, 7 + WAKE_CELLS);
	wake_send(t, &fds, old, 1);
	wake_take(t, &fds, me.slot, hear, &h);
	ck_assert_uint_eq(h.n, 2);
	ck_assert_uint_eq(h.sum, 14 + WAKE_CELLS);
	ck_assert(!h.has_lost);
	for (uint64_t i = 1; i <= WAKE_CELLS + 1; i++)
		wake_send(t, &fds, me, i);
	wake_take(t, &fds, me.slot, hear, &h);
	ck_assert(h.has_lost);
	wake_close(&fds);
}
END_TEST

START_TEST(another_process_is_woken)
{
	struct slots *t = slots_map(seg, true);
	struct slot_name me = take(t);
	struct heard h = {0, 0, false};
	struct wake_fds fds;
	pid_t pid;

	ck_assert_int_eq(wake_open(&fds), 0);
	pid = fork();
	if (pid == 0) {
		wake_send(t, &fds, me, 42);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	wake_take(t, &fds, me.slot, hear, &h);
	ck_assert_uint_eq(h.sum, 42);
	wake_close(&fds);
}
END_TEST

/* --- numbers of servers --------------------------------------------------- */

START_TEST(all_processes_count_together)
{
	struct slots *t = slots_map(seg, true);
	struct upstate *u = upstate_open(seg, true);
	struct slot_name a = take(t);
	struct slot_name b = take(t);

	ck_assert(upstate_ready(u, 0) && upstate_ready(u, 5000));
	upstate_begin(u, a.slot, 5000);
	upstate_begin(u, b.slot, 5000);
	upstate_begin(u, b.slot, 0);
	ck_assert_uint_eq(upstate_active(u, 5000), 2);
	ck_assert_uint_eq(upstate_active(u, 0), 1);
	upstate_add(u, 5000, UPSTATE_REQUESTS);
	ck_assert_uint_eq(upstate_get(u, 5000, UPSTATE_REQUESTS), 1);
	ck_assert(upstate_check(u, t));
	/* the dead one's share goes, the other's stays */
	atomic_store(&t->at[b.slot].state, SLOT_DEAD);
	ck_assert(!upstate_check(u, t));
	ck_assert(upstate_repair(u, t, b.slot));
	ck_assert(upstate_check(u, t));
	ck_assert_uint_eq(upstate_active(u, 5000), 1);
	ck_assert_uint_eq(upstate_active(u, 0), 0);
	upstate_end(u, a.slot, 5000);
	ck_assert_uint_eq(upstate_active(u, 5000), 0);
	/* a name's successor begins at 0 */
	ck_assert(upstate_ready(u, 5000));
	ck_assert_uint_eq(upstate_get(u, 5000, UPSTATE_REQUESTS), 0);
	upstate_free(u);
}
END_TEST

START_TEST(no_more_begin_than_may)
{
	struct slots *t = slots_map(seg, true);
	struct upstate *u = upstate_open(seg, true);
	struct slot_name a = take(t);
	struct slot_name b = take(t);

	ck_assert(upstate_ready(u, 0));
	ck_assert(!upstate_try_begin(u, a.slot, 0, 0));
	ck_assert(upstate_try_begin(u, a.slot, 0, 2));
	ck_assert(upstate_try_begin(u, b.slot, 0, 2));
	ck_assert(!upstate_try_begin(u, a.slot, 0, 2));
	ck_assert(!upstate_try_begin(u, b.slot, 0, 1));
	ck_assert_uint_eq(upstate_active(u, 0), 2);
	ck_assert(upstate_check(u, t));
	/* who had it last gives it back; a limit may rise meanwhile */
	upstate_end(u, b.slot, 0);
	ck_assert(upstate_try_begin(u, a.slot, 0, 2));
	ck_assert(upstate_try_begin(u, a.slot, 0, 3));
	atomic_store(&t->at[a.slot].state, SLOT_DEAD);
	ck_assert(upstate_repair(u, t, a.slot));
	ck_assert_uint_eq(upstate_active(u, 0), 0);
	upstate_free(u);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_range_is_found_by_kind_name_version_and_size,
	    a_range_goes_with_its_last_user_and_comes_back_empty,
	    one_that_grew_and_one_that_shrank_stand_beside_the_old,
	    what_passes_the_budget_is_refused_and_costs_nothing,
	    a_budget_without_room_for_the_directory_is_refused,
	    the_next_master_finds_all_and_keeps_what_it_uses,
	    a_master_that_ended_is_found_and_forgotten,
	    so_many_masters_may_live_at_once_and_no_more,
	    another_layout_is_not_opened,
	    nobody_can_shrink_or_grow_it,
	    a_place_that_is_written_meanwhile_is_checked_as_it_is_used,
	    the_same_name_has_the_same_id_as_long_as_somebody_knows_it,
	    long_names_that_begin_alike_are_told_apart,
	    a_full_registry_and_a_full_budget_say_so,
	    the_next_master_gives_the_same_ids,
	    an_old_name_never_fits_a_new_process,
	    there_are_so_many_slots_and_no_more,
	    a_lock_waits_for_the_living_and_tells_of_the_dead,
	    a_lease_is_held_by_who_was_seen_by_a_later_clock,
	    pins_are_one_bit_a_process,
	    a_reader_knows_a_torn_read,
	    tokens_arrive_once_and_an_overflow_is_told,
	    another_process_is_woken,
	    all_processes_count_together,
	    no_more_begin_than_may,
	};

	return unit_run_in("shm", tests, NELEMS(tests), set_up, tear_down);
}
