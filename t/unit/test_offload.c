/* The pool of threads: what is handed over is run elsewhere and told here, as
 * much as may wait and no more, and nothing is lost at its end. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "common/base/check.h"
#include "common/net/offload.h"
#include "t/unit/unit.h"

#define TURN_MS 1000u

static struct loop *loop;
static pthread_t loop_thread;
static sem_t gate; /* jobs of `held` wait for it */
static sem_t begun;
static unsigned n_done;
static unsigned n_back; /* told that they have not run */

struct job {
	struct offload_job job;
	bool was_elsewhere;
	bool has_signals;
};

static void
set_up(void)
{
	loop = loop_new();
	loop_thread = pthread_self();
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
	n_done = n_back = 0;
}

static void
tear_down(void)
{
	loop_free(loop);
}

static void
run_plain(struct offload_job *j)
{
	struct job *mine = LIST_ENTRY(j, struct job, job);
	sigset_t set;

	mine->was_elsewhere = !pthread_equal(pthread_self(), loop_thread);
	(void)pthread_sigmask(SIG_BLOCK, NULL, &set);
	mine->has_signals = sigismember(&set, SIGTERM) == 0;
}

static void
run_held(struct offload_job *j)
{
	run_plain(j);
	(void)sem_post(&begun);
	while (sem_wait(&gate) < 0 && errno == EINTR)
		continue;
}

static void
on_done(struct offload_job *j, bool was_run)
{
	ck_assert(pthread_equal(pthread_self(), loop_thread));
	ck_assert(!list_is_linked(&j->node));
	n_done += was_run;
	n_back += !was_run;
}

static void
job_init(struct job *j, void (*run)(struct offload_job *))
{
	memset(j, 0, sizeof(*j));
	list_init(&j->job.node);
	j->job.run = run;
	j->job.done = on_done;
}

static void
wait_done(unsigned n)
{
	while (n_done < n)
		loop_step(loop, TURN_MS);
}

START_TEST(jobs_run_elsewhere_and_are_told_here)
{
	struct offload *o = offload_new(loop, 2, 64);
	struct job jobs[64];

	for (size_t i = 0; i < NELEMS(jobs); i++) {
		job_init(&jobs[i], run_plain);
		ck_assert(offload_submit(o, &jobs[i].job));
	}
	wait_done(NELEMS(jobs));
	for (size_t i = 0; i < NELEMS(jobs); i++) {
		ck_assert(jobs[i].was_elsewhere);
		ck_assert(!jobs[i].has_signals);
	}
	offload_free(o);
	ck_assert_uint_eq(n_done, NELEMS(jobs));
	ck_assert_uint_eq(n_back, 0);
}
END_TEST

START_TEST(more_than_may_wait_are_refused)
{
	struct offload *o = offload_new(loop, 1, 2);
	struct job jobs[4];

	for (size_t i = 0; i < NELEMS(jobs); i++)
		job_init(&jobs[i], run_held);
	ck_assert(offload_submit(o, &jobs[0].job));
	(void)sem_wait(&begun);
	ck_assert(offload_submit(o, &jobs[1].job));
	ck_assert(offload_submit(o, &jobs[2].job));
	ck_assert(!offload_submit(o, &jobs[3].job));
	for (size_t i = 0; i < 3; i++)
		(void)sem_post(&gate);
	wait_done(3);
	/* there is room again */
	ck_assert(offload_submit(o, &jobs[3].job));
	(void)sem_post(&gate);
	wait_done(4);
	offload_free(o);
}
END_TEST

START_TEST(what_has_not_begun_can_be_taken_back)
{
	struct offload *o = offload_new(loop, 1, 2);
	struct job running;
	struct job waiting;
	struct job other;

	job_init(&running, run_held);
	job_init(&waiting, run_plain);
	job_init(&other, run_plain);
	ck_assert(offload_submit(o, &running.job));
	(void)sem_wait(&begun);
	ck_assert(offload_submit(o, &waiting.job));
	ck_assert(offload_submit(o, &other.job));
	ck_assert(offload_take_back(o, &waiting.job));
	ck_assert(!offload_take_back(o, &running.job));
	/* the place is free */
	ck_assert(offload_submit(o, &waiting.job));
	ck_assert(offload_take_back(o, &waiting.job));
	(void)sem_post(&gate);
	wait_done(2);
	offload_free(o);
	ck_assert_uint_eq(n_done, 2);
	ck_assert(!waiting.was_elsewhere);
	ck_assert(other.was_elsewhere);
}
END_TEST

START_TEST(at_its_end_all_are_told)
{
	struct offload *o = offload_new(loop, 1, 8);
	struct job jobs[5];

	for (size_t i = 0; i < NELEMS(jobs); i++) {
		job_init(&jobs[i], run_held);
		ck_assert(offload_submit(o, &jobs[i].job));
	}
	(void)sem_wait(&begun);
	/* the one that runs ends; those behind it need not */
	for (size_t i = 0; i < NELEMS(jobs); i++)
		(void)sem_post(&gate);
	offload_free(o);
	ck_assert_uint_ge(n_done, 1);
	ck_assert_uint_eq(n_done + n_back, NELEMS(jobs));
}
END_TEST

START_TEST(one_without_work_ends)
{
	offload_free(offload_new(loop, 2, 8));
	offload_free(NULL);
	ck_assert_uint_eq(n_done + n_back, 0);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {jobs_run_elsewhere_and_are_told_here,
	    more_than_may_wait_are_refused,
	    what_has_not_begun_can_be_taken_back, at_its_end_all_are_told,
	    one_without_work_ends};

	return unit_run_in("offload", tests, NELEMS(tests), set_up, tear_down);
}
