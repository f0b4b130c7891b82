/* The loop: in which order things are called, and what is not called any more
 * after it was closed. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/loop.h"
#include "t/unit/unit.h"

static struct loop *loop;
/* What was called: a letter each. */
static char seen[64];
static size_t n_seen;

static void
set_up(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	n_seen = 0;
}

static void
tear_down(void)
{
	loop_free(loop);
}

static void
note(char c)
{
	ck_assert_uint_lt(n_seen, sizeof(seen) - 1);
	seen[n_seen++] = c;
}

static void
check_seen(const char *want)
{
	ck_assert_span_eq(span_of(seen, n_seen), want);
	n_seen = 0;
}

struct named {
	struct task task;
	char name;
	struct named *then; /* to queue when it runs */
	void (*queue)(struct loop *l, struct task *t);
};

static void
on_task(void *self)
{
	struct named *t = self;

	ck_assert(!task_is_queued(&t->task));
	note(t->name);
	if (t->then != NULL)
		t->queue(loop, &t->then->task);
}

static void
named_init(struct named *t, char name)
{
	*t = (struct named){.name = name};
	task_init(&t->task, on_task, t);
}

#define ARM_MS 5

/* An eventfd that stays readable and what its event does. */
struct source {
	struct watch watch;
	char name;
	struct named *defer[3]; /* now, batch, reap */
	struct source *close; /* another one, or itself */
	struct timer *arm;
	uint64_t batch; /* of its last event */
};

static void
on_source(void *self, unsigned events)
{
	struct source *s = self;

	ck_assert(events & LOOP_IN);
	ck_assert_uint_ne(s->batch, loop_batch(loop));
	s->batch = loop_batch(loop);
	note(s->name);
	if (s->defer[0] != NULL)
		loop_defer(loop, &s->defer[0]->task);
	if (s->defer[1] != NULL)
		loop_defer_batch(loop, &s->defer[1]->task);
	if (s->defer[2] != NULL)
		loop_reap(loop, &s->defer[2]->task);
	if (s->close != NULL)
		watch_close(loop, &s->close->watch);
	if (s->arm != NULL)
		loop_timer_set(loop, s->arm, ARM_MS);
}

static void
source_init(struct source *s, char name)
{
	*s = (struct source){.name = name};
	ck_assert_int_eq(
	    watch_add(loop, &s->watch, eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC),
		LOOP_LEVEL_IN, on_source, s),
	    0);
}

static void
on_timer(void *self)
{
	(void)self;
	note('t');
}

START_TEST(what_is_deferred_runs_after_the_callback_the_batch_and_last)
{
	struct source a, b;
	struct named now, batch, reap;

	source_init(&a, 'a');
	source_init(&b, 'b');
	named_init(&now, 'n');
	named_init(&batch, 's');
	named_init(&reap, 'r');
	a.defer[0] = b.defer[0] = &now;
	a.defer[1] = b.defer[1] = &batch;
	a.defer[2] = b.defer[2] = &reap;
	loop_step(loop, 1000);
	check_seen("anbnsr");
	watch_close(loop, &a.watch);
	watch_close(loop, &b.watch);
}
END_TEST

START_TEST(what_a_task_defers_runs_in_the_same_step)
{
	struct named first, second, flush, last;

	named_init(&first, '1');
	named_init(&second, '2');
	named_init(&flush, '3');
	named_init(&last, '4');
	first.then = &second;
	first.queue = loop_defer;
	second.then = &flush;
	second.queue = loop_defer_batch;
	flush.then = &last;
	flush.queue = loop_defer;
	loop_defer(loop, &first.task);
	loop_step(loop, 60000);
	check_seen("1234");
}
END_TEST

START_TEST(a_step_does_not_wait_when_something_is_deferred)
{
	struct named a, b;

	named_init(&a, 'a');
	named_init(&b, 'b');
	loop_defer_batch(loop, &a.task);
	loop_step(loop, 60000);
	check_seen("a");
	loop_defer(loop, &b.task);
	loop_step(loop, 60000);
	check_seen("b");
}
END_TEST

START_TEST(a_task_is_in_one_queue_once)
{
	struct named a;

	named_init(&a, 'a');
	ck_assert(!task_is_queued(&a.task));
	loop_defer(loop, &a.task);
	loop_defer(loop, &a.task);
	loop_defer_batch(loop, &a.task);
	loop_reap(loop, &a.task);
	ck_assert(task_is_queued(&a.task));
	loop_step(loop, 0);
	check_seen("a");
	loop_defer(loop, &a.task);
	task_cancel(&a.task);
	task_cancel(&a.task);
	loop_step(loop, 0);
	check_seen("");
}
END_TEST

/* Both are ready in one batch; whichever comes first closes the other. */
START_TEST(a_watch_that_was_closed_in_a_batch_hears_nothing_of_it)
{
	struct source a, b;

	source_init(&a, 'a');
	source_init(&b, 'a');
	a.close = &b;
	b.close = &a;
	loop_step(loop, 1000);
	check_seen("a");
	loop_step(loop, 0);
	check_seen("a");
	ck_assert((a.watch.fd < 0) != (b.watch.fd < 0));
	watch_close(loop, &a.watch);
	watch_close(loop, &b.watch);
	watch_close(loop, &b.watch);
	watch_del(loop, &b.watch);
	loop_step(loop, 0);
	check_seen("");
}
END_TEST

START_TEST(a_watch_may_close_itself)
{
	struct source a;
	struct named reap;

	source_init(&a, 'a');
	named_init(&reap, 'r');
	a.close = &a;
	a.defer[2] = &reap;
	loop_step(loop, 1000);
	check_seen("ar");
	ck_assert_int_eq(a.watch.fd, -1);
	loop_step(loop, 0);
	check_seen("");
}
END_TEST

/* A copy of the descriptor, as a fork has it, keeps epoll's entry alive. */
START_TEST(a_shared_descriptor_is_not_heard_of_after_its_close)
{
	struct source *a = malloc(sizeof(*a));
	int copy;

	ck_assert_ptr_nonnull(a);
	source_init(a, 'a');
	copy = dup(a->watch.fd);
	ck_assert_int_ge(copy, 0);
	watch_close_shared(loop, &a->watch);
	ck_assert_int_eq(a->watch.fd, -1);
	watch_close_shared(loop, &a->watch);
	free(a);
	loop_step(loop, 0);
	check_seen("");
	ck_assert_int_eq(close(copy), 0);
}
END_TEST

START_TEST(a_watch_that_is_only_deleted_leaves_its_descriptor_open)
{
	struct source a;
	int fd;

	source_init(&a, 'a');
	fd = a.watch.fd;
	watch_del(loop, &a.watch);
	loop_step(loop, 0);
	check_seen("");
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

static void
on_events(void *self, unsigned events)
{
	unsigned *sum = self;

	*sum |= events;
	note('e');
}

START_TEST(events_of_a_socket_are_told_once_an_edge)
{
	struct watch w;
	unsigned sum = 0;
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert_int_eq(
	    watch_add(loop, &w, ends[0], LOOP_EDGE, on_events, &sum), 0);
	loop_step(loop, 1000);
	ck_assert_uint_eq(sum, LOOP_OUT);
	check_seen("e");
	loop_step(loop, 0);
	check_seen("");
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	loop_step(loop, 1000);
	ck_assert_uint_eq(sum, LOOP_OUT | LOOP_IN);
	check_seen("e");
	ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	loop_step(loop, 1000);
	ck_assert_uint_eq(sum, LOOP_OUT | LOOP_IN | LOOP_RDHUP);
	check_seen("e");
	ck_assert_int_eq(close(ends[1]), 0);
	loop_step(loop, 1000);
	ck_assert_uint_eq(sum, LOOP_OUT | LOOP_IN | LOOP_RDHUP | LOOP_HUP);
	watch_close(loop, &w);
}
END_TEST

START_TEST(a_level_watch_can_turn_to_the_other_direction)
{
	struct watch w;
	unsigned sum = 0;
	int ends[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert_int_eq(
	    watch_add(loop, &w, ends[0], LOOP_LEVEL_IN, on_events, &sum), 0);
	loop_step(loop, 0);
	check_seen("");
	ck_assert_int_eq(watch_mode(loop, &w, LOOP_LEVEL_OUT), 0);
	loop_step(loop, 0);
	loop_step(loop, 0);
	check_seen("ee");
	ck_assert_uint_eq(sum, LOOP_OUT);
	ck_assert_int_eq(watch_mode(loop, &w, LOOP_LEVEL_BOTH), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	loop_step(loop, 0);
	ck_assert_uint_eq(sum, LOOP_OUT | LOOP_IN);
	watch_close(loop, &w);
	ck_assert_int_eq(close(ends[1]), 0);
}
END_TEST

START_TEST(what_cannot_be_watched_says_why)
{
	struct watch w;
	int fd = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(
	    watch_add(loop, &w, fd, LOOP_EDGE, on_events, NULL), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(w.fd, -1);
}
END_TEST

START_TEST(timers_are_due_behind_the_events_of_their_batch)
{
	struct source a;
	struct timer t;
	uint64_t begin_ms = clock_mono_ms(loop_clock(loop));

	timer_init(&t, on_timer, NULL);
	loop_timer_set(loop, &t, 3);
	while (n_seen == 0)
		loop_step(loop, 1000);
	check_seen("t");
	ck_assert_uint_ge(clock_mono_ms(loop_clock(loop)), begin_ms + 3);
	source_init(&a, 'a');
	loop_timer_set(loop, &t, 1);
	while (clock_mono_ms(loop_clock(loop)) == clock_mono_us() / 1000)
		;
	loop_step(loop, 1000);
	/* asked again when one is due: some may have come before its time */
	check_seen("aat");
	loop_step(loop, 1000);
	check_seen("a");
	loop_timer_set(loop, &t, 1);
	loop_timer_clear(loop, &t);
	ck_assert(!timer_is_set(&t));
	watch_close(loop, &a.watch);
}
END_TEST

/* However long the loop was kept from running before. */
START_TEST(what_an_event_arms_counts_from_its_batch)
{
	struct source a;
	struct timer t;
	uint64_t begin_ms = clock_mono_ms(loop_clock(loop));

	timer_init(&t, on_timer, NULL);
	source_init(&a, 'a');
	a.arm = &t;
	/* or it is told again: a slot of the wheel may be due */
	a.close = &a;
	while (clock_mono_us() / 1000 < begin_ms + 2 * ARM_MS)
		;
	loop_step(loop, 1000);
	check_seen("a");
	begin_ms = clock_mono_ms(loop_clock(loop));
	while (n_seen == 0)
		loop_step(loop, 1000);
	check_seen("t");
	ck_assert_uint_ge(clock_mono_ms(loop_clock(loop)), begin_ms + ARM_MS);
}
END_TEST

static void
on_stop(void *self)
{
	note('x');
	loop_stop(self);
}

START_TEST(a_loop_runs_until_it_is_stopped)
{
	struct task t;

	task_init(&t, on_stop, loop);
	for (int i = 0; i < 2; i++) {
		loop_defer(loop, &t);
		loop_run(loop);
		check_seen("x");
	}
	loop_free(NULL);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_is_deferred_runs_after_the_callback_the_batch_and_last,
	    what_a_task_defers_runs_in_the_same_step,
	    a_step_does_not_wait_when_something_is_deferred,
	    a_task_is_in_one_queue_once,
	    a_watch_that_was_closed_in_a_batch_hears_nothing_of_it,
	    a_watch_may_close_itself,
	    a_shared_descriptor_is_not_heard_of_after_its_close,
	    a_watch_that_is_only_deleted_leaves_its_descriptor_open,
	    events_of_a_socket_are_told_once_an_edge,
	    a_level_watch_can_turn_to_the_other_direction,
	    what_cannot_be_watched_says_why,
	    timers_are_due_behind_the_events_of_their_batch,
	    what_an_event_arms_counts_from_its_batch,
	    a_loop_runs_until_it_is_stopped,
	};

	return unit_run_in(
	    "loop_order", tests, NELEMS(tests), set_up, tear_down);
}
