/* unit/crash: the harness. Two bystanders work all the time; a victim dies at
 * its n-th step; a repairer mends, itself killed at its m-th step first; then
 * the bystanders pause and the checker looks. */
#include "t/unit/crash.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

#define BYSTANDERS 2
#define BUDGET (UINT64_C(64) << 20)
/* More steps than any operation has. */
#define STEPS_MAX 2000u
#define TURNS_MAX 1000u
/* Turns of waiting for somebody; each gives the CPU away. */
#define PATIENCE 20000000u

/* What the processes of a run tell each other. */
struct crash_board {
	_Atomic uint32_t is_paused; /* bystanders shall stand still */
	_Atomic uint32_t n_still; /* that many do */
	_Atomic uint32_t is_over;
	_Atomic uint64_t done[BYSTANDERS];
};

struct crash_run {
	const struct crash_case *c;
	struct segment *s;
	struct slots *t;
	void *ctx;
	struct crash_board *board;
	pid_t bystander[BYSTANDERS];
	uint32_t n_deaths;
};

static struct slot_name
run_slot(struct crash_run *r, enum slot_role role)
{
	int slot = slots_take(r->t, role, 1, segment_epoch(r->s));

	REQUIRE(slot >= 0);
	atomic_store(&r->t->at[slot].state, SLOT_SERVING);
	return (struct slot_name){
	    (uint32_t)slot, atomic_load(&r->t->at[slot].incarnation)};
}

static _Noreturn void
bystander_main(struct crash_run *r, uint32_t i, struct slot_name me)
{
	void (*turn)(void *, struct slot_name, uint64_t *) =
	    r->c->look != NULL ? r->c->look : r->c->work;
	struct crash_board *b = r->board;
	uint64_t done = 0;

	crash_arm(0);
	while (!atomic_load(&b->is_over)) {
		if (atomic_load(&b->is_paused)) {
			atomic_fetch_add(&b->n_still, 1);
			while (atomic_load(&b->is_paused))
				(void)sched_yield();
			atomic_fetch_sub(&b->n_still, 1);
			continue;
		}
		turn(r->ctx, me, &done);
		atomic_store(&b->done[i], done);
		/* there may be fewer CPUs than processes */
		(void)sched_yield();
	}
	_exit(0);
}

static void
run_wait_still(struct crash_run *r, uint32_t n)
{
	for (uint32_t i = 0; atomic_load(&r->board->n_still) != n; i++) {
		ck_assert_msg(
		    i < PATIENCE, "%s: a bystander hangs", r->c->name);
		(void)sched_yield();
	}
}

static void
run_pause(struct crash_run *r)
{
	atomic_store(&r->board->is_paused, 1);
	run_wait_still(r, BYSTANDERS);
}

static void
run_go_on(struct crash_run *r)
{
	atomic_store(&r->board->is_paused, 0);
	run_wait_still(r, 0);
}

/* Both get something done from now on. */
static void
run_wait_work(struct crash_run *r)
{
	for (uint32_t b = 0; b < BYSTANDERS; b++) {
		uint64_t before = atomic_load(&r->board->done[b]);

		for (uint32_t i = 0; atomic_load(&r->board->done[b]) == before;
		     i++) {
			ck_assert_msg(i < PATIENCE,
			    "%s: bystander %u gets nothing done", r->c->name,
			    b);
			(void)sched_yield();
		}
	}
}

/* Whether the process died at its step; else it had fewer steps. */
static bool
run_reap(struct crash_run *r, pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		ck_assert_int_eq(WEXITSTATUS(status), 0);
		return false;
	}
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	r->n_deaths++;
	return true;
}

static void
run_bury(struct crash_run *r, struct slot_name who)
{
	atomic_store(&r->t->at[who.slot].state, SLOT_DEAD);
}

/* A process that works and dies at its step; with contention a turn may have
 * fewer of them, so it has several turns. */
static bool
run_kill_worker(struct crash_run *r, struct slot_name me, uint32_t step)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		uint64_t done = 0;

		crash_arm(step);
		for (uint32_t i = 0; i < TURNS_MAX; i++)
			r->c->work(r->ctx, me, &done);
		_exit(0);
	}
	return run_reap(r, pid);
}

/* A process that repairs and dies at its step (0: does not). */
static bool
run_repair(struct crash_run *r, uint32_t dead, uint32_t step)
{
	struct slot_name me = run_slot(r, SLOT_STEWARD);
	pid_t pid = fork();
	bool has_died;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		crash_arm(step);
		for (uint32_t i = 0; !r->c->repair(r->ctx, me, dead); i++)
			REQUIRE(i < PATIENCE);
		_exit(0);
	}
	has_died = run_reap(r, pid);
	run_bury(r, me);
	/* what a steward held is mended by the next one */
	if (!has_died)
		slots_release(r->t, me.slot);
	else
		while (run_repair(r, me.slot, 0))
			continue;
	if (has_died)
		slots_release(r->t, me.slot);
	return has_died;
}

static void
run_check(struct crash_run *r, uint32_t step, uint32_t repair_step)
{
	run_pause(r);
	ck_assert_msg(r->c->check(r->ctx), "%s: broken by a death at %u, %u",
	    r->c->name, step, repair_step);
	run_go_on(r);
}

/* One death at `step`, and one of the repairer at `repair_step`. Returns that,
 * or 0 when the repair had fewer steps. */
static uint32_t
run_deaths(struct crash_run *r, uint32_t step, uint32_t repair_step)
{
	struct slot_name victim = run_slot(r, SLOT_WORKER);

	ck_assert_msg(run_kill_worker(r, victim, step), "%s: no step %u",
	    r->c->name, step);
	run_bury(r, victim);
	if (r->c->others_go_on)
		run_wait_work(r);
	if (repair_step > 0 && !run_repair(r, victim.slot, repair_step))
		repair_step = 0;
	(void)run_repair(r, victim.slot, 0);
	slots_release(r->t, victim.slot);
	run_wait_work(r);
	run_check(r, step, repair_step);
	return repair_step;
}

/* Steps of one turn while nobody else works. */
static uint32_t
run_count_steps(struct crash_run *r)
{
	struct slot_name me = run_slot(r, SLOT_WORKER);
	uint64_t done = 0;

	run_pause(r);
	crash_arm(0);
	r->c->work(r->ctx, me, &done);
	run_go_on(r);
	run_bury(r, me);
	slots_release(r->t, me.slot);
	return crash_passed();
}

static void
run_open(struct crash_run *r, const struct crash_case *c)
{
	memset(r, 0, sizeof(*r));
	r->c = c;
	r->s = segment_new(BUDGET);
	ck_assert_ptr_nonnull(r->s);
	r->t = slots_map(r->s, true);
	ck_assert_ptr_nonnull(r->t);
	r->ctx = c->set_up(r->s, r->t);
	r->board = mmap(NULL, sizeof(*r->board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(r->board, MAP_FAILED);
	for (uint32_t i = 0; i < BYSTANDERS; i++) {
		struct slot_name me = run_slot(r, SLOT_WORKER);

		r->bystander[i] = fork();
		ck_assert_int_ge(r->bystander[i], 0);
		if (r->bystander[i] == 0)
			bystander_main(r, i, me);
	}
}

static void
run_close(struct crash_run *r)
{
	atomic_store(&r->board->is_over, 1);
	for (uint32_t i = 0; i < BYSTANDERS; i++) {
		int status;

		ck_assert_int_eq(
		    waitpid(r->bystander[i], &status, 0), r->bystander[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	r->c->tear_down(r->ctx);
	(void)munmap(r->board, sizeof(*r->board));
	segment_free(r->s);
}

uint32_t
crash_run(const struct crash_case *c)
{
	struct crash_run r;
	uint32_t n_steps;

	run_open(&r, c);
	run_wait_work(&r);
	n_steps = run_count_steps(&r);
	ck_assert_uint_gt(n_steps, 0);
	for (uint32_t step = 1; step <= n_steps; step++) {
		uint32_t stride = c->repair_stride > 0 ? c->repair_stride : 1;
		uint32_t repair_step = 1 + step % stride;

		(void)run_deaths(&r, step, 0);
		while (run_deaths(&r, step, repair_step) > 0) {
			repair_step += stride;
			ck_assert_uint_lt(repair_step, STEPS_MAX);
		}
	}
	run_close(&r);
	return r.n_deaths;
}
