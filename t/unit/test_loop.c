/* The event loop: what runs when. */
#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/loop.h"
#include "t/unit/unit.h"

#define TURNS 5

static struct loop *loop;
static char order[64];
static size_t n_order;

static void
note(char c)
{
	ck_assert_uint_lt(n_order, sizeof(order) - 1);
	order[n_order++] = c;
	order[n_order] = '\0';
}

static void
set_up(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	n_order = 0;
	order[0] = '\0';
}

static void
tear_down(void)
{
	loop_free(loop);
}

/* A task that always wants more. */
static void
run_greedy(void *self)
{
	note('g');
	loop_yield(loop, self);
}

static void
run_modest(void *self)
{
	(void)self;
	note('m');
}

static void
on_event(void *self, unsigned events)
{
	(void)self;
	(void)events;
	note('e');
}

START_TEST(who_yields_runs_once_a_step)
{
	struct task greedy;

	task_init(&greedy, run_greedy, &greedy);
	loop_yield(loop, &greedy);
	for (int i = 0; i < TURNS; i++)
		loop_step(loop, 0);
	ck_assert_str_eq(order, "ggggg");
	task_cancel(&greedy);
	loop_step(loop, 0);
	ck_assert_str_eq(order, "ggggg");
}
END_TEST

START_TEST(who_yields_does_not_make_the_loop_wait)
{
	struct task greedy;

	task_init(&greedy, run_greedy, &greedy);
	loop_yield(loop, &greedy);
	/* would sleep for a minute, and the test's time would be over */
	loop_step(loop, 60000);
	ck_assert_str_eq(order, "g");
	task_cancel(&greedy);
}
END_TEST

START_TEST(events_come_before_who_yielded)
{
	struct task greedy;
	struct watch w;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(
	    watch_add(loop, &w, ends[0], LOOP_LEVEL_IN, on_event, NULL), 0);
	task_init(&greedy, run_greedy, &greedy);
	loop_yield(loop, &greedy);
	loop_step(loop, 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	loop_step(loop, 0);
	loop_step(loop, 0);
	ck_assert_str_eq(order, "gegeg");
	task_cancel(&greedy);
	watch_close(loop, &w);
	(void)close(ends[1]);
}
END_TEST

START_TEST(what_was_deferred_runs_before_who_yielded)
{
	struct task greedy, modest, batch;

	task_init(&greedy, run_greedy, &greedy);
	task_init(&modest, run_modest, &modest);
	task_init(&batch, run_modest, &batch);
	loop_yield(loop, &greedy);
	loop_defer_batch(loop, &batch);
	loop_defer(loop, &modest);
	loop_step(loop, 0);
	ck_assert_str_eq(order, "mgm");
	task_cancel(&greedy);
}
END_TEST

START_TEST(a_task_is_in_one_queue_only)
{
	struct task modest;

	task_init(&modest, run_modest, &modest);
	loop_yield(loop, &modest);
	loop_defer(loop, &modest);
	ck_assert(task_is_queued(&modest));
	loop_step(loop, 0);
	loop_step(loop, 0);
	ck_assert_str_eq(order, "m");
	ck_assert(!task_is_queued(&modest));
}
END_TEST

/* Two ends; the first is watched late, and its peer has said something. */
static void
watch_late(struct watch *w, int ends[2])
{
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	watch_add_late(loop, w, ends[0], on_event, NULL);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
}

START_TEST(a_late_watch_is_told_nothing_before_somebody_waits)
{
	struct watch w;
	int ends[2];

	watch_late(&w, ends);
	loop_step(loop, 0);
	ck_assert_str_eq(order, "");
	/* what happened before is told now, and once */
	watch_arm(loop, &w);
	watch_arm(loop, &w);
	loop_step(loop, 0);
	loop_step(loop, 0);
	ck_assert_str_eq(order, "e");
	watch_close(loop, &w);
	(void)close(ends[1]);
}
END_TEST

START_TEST(a_late_watch_is_told_of_in_the_end)
{
	struct watch w;
	int ends[2];

	watch_late(&w, ends);
	/* the waits are as long as until it is due, not a minute */
	for (int i = 0; n_order == 0; i++) {
		ck_assert_int_lt(i, 100);
		loop_step(loop, 60000);
	}
	ck_assert_str_eq(order, "e");
	watch_close(loop, &w);
	(void)close(ends[1]);
}
END_TEST

/* Ended in each way before the kernel knew of it; what comes after on the same
 * descriptor is not theirs. */
START_TEST(a_late_watch_that_ended_is_forgotten)
{
	void (*const ends_it[])(struct loop *, struct watch *) = {
	    watch_close, watch_close_shared, watch_del};

	for (size_t i = 0; i < NELEMS(ends_it); i++) {
		struct watch w;
		int ends[2];

		watch_late(&w, ends);
		ends_it[i](loop, &w);
		watch_arm(loop, &w);
		for (int k = 0; k < 4; k++)
			loop_step(loop, LOOP_LATE_MS);
		ck_assert_str_eq(order, "");
		if (ends_it[i] == watch_del)
			ck_assert_int_eq(close(ends[0]), 0);
		(void)close(ends[1]);
	}
}
END_TEST

/* The kernel takes it only when its descriptor is one that can be watched: the
 * loop goes on and asks again. */
START_TEST(a_late_watch_that_the_kernel_refuses_is_tried_again)
{
	struct watch w;
	int ends[2];
	int fd;

	watch_late(&w, ends);
	fd = dup(ends[0]);
	ck_assert_int_ge(fd, 0);
	(void)close(ends[0]); /* EBADF */
	watch_arm(loop, &w);
	ck_assert(list_is_linked(&w.late));
	ck_assert_int_eq(dup2(fd, ends[0]), ends[0]);
	for (int i = 0; n_order == 0; i++) {
		ck_assert_int_lt(i, 100);
		loop_step(loop, 60000);
	}
	ck_assert_str_eq(order, "e");
	watch_del(loop, &w);
	(void)close(fd);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    who_yields_runs_once_a_step,
	    who_yields_does_not_make_the_loop_wait,
	    events_come_before_who_yielded,
	    what_was_deferred_runs_before_who_yielded,
	    a_task_is_in_one_queue_only,
	    a_late_watch_is_told_nothing_before_somebody_waits,
	    a_late_watch_is_told_of_in_the_end,
	    a_late_watch_that_ended_is_forgotten,
	    a_late_watch_that_the_kernel_refuses_is_tried_again,
	};

	return unit_run_in("net/loop", tests, NELEMS(tests), set_up, tear_down);
}
