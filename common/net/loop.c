/* net/loop: epoll. Each event's callback is followed by what it deferred;
 * objects that closed are freed after the last event of the batch, so that an
 * event that was fetched before finds its watch still in place. */
#include "common/net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/base/check.h"

/* Events taken per wait. */
#define LOOP_EVENTS 256
/* Bound of one wait when no timer is due. */
#define LOOP_WAIT_MAX_MS 60000u

struct loop {
	int ep;
	bool is_stopped;
	uint64_t batch_no;
	bool is_crowded; /* the batch took as many events as it can */
	struct clock clock;
	struct timer_wheel timers;
	struct list now; /* after this callback */
	struct list next; /* who yielded: in the next step */
	struct list batch; /* after this batch */
	struct list reap; /* last */
	struct list late; /* watches added since the last tick of late_timer */
	struct list later; /* and those of before */
	struct timer late_timer; /* set while there are any */
	struct epoll_event events[LOOP_EVENTS];
};

static void loop_on_late(void *self);

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	REQUIRE(l != NULL);
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	if (l->ep < 0) {
		free(l);
		return NULL;
	}
	list_init(&l->now);
	list_init(&l->next);
	list_init(&l->batch);
	list_init(&l->reap);
	list_init(&l->late);
	list_init(&l->later);
	timer_init(&l->late_timer, loop_on_late, l);
	clock_update(&l->clock);
	timer_wheel_init(&l->timers, clock_mono_ms(&l->clock));
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	(void)close(l->ep);
	free(l);
}

static uint32_t
mode_events(enum loop_mode mode)
{
	switch (mode) {
	case LOOP_EDGE:
		return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	case LOOP_LEVEL_IN:
		return EPOLLIN;
	case LOOP_LEVEL_OUT:
		return EPOLLOUT;
	case LOOP_LEVEL_BOTH:
		return EPOLLIN | EPOLLOUT;
	case LOOP_LISTEN:
		return EPOLLIN | EPOLLEXCLUSIVE;
	}
	UNREACHED();
}

static int
watch_ctl(struct loop *l, int op, struct watch *w, enum loop_mode mode)
{
	struct epoll_event ev = {
	    .events = mode_events(mode),
	    .data.ptr = w,
	};

	return epoll_ctl(l->ep, op, w->fd, &ev);
}

static void
watch_init(struct watch *w, int fd, watch_f *fn, void *self)
{
	REQUIRE(fd >= 0);
	*w = (struct watch){.fd = fd, .fn = fn, .self = self};
	list_init(&w->late);
}

int
watch_add(struct loop *l, struct watch *w, int fd, enum loop_mode mode,
    watch_f *fn, void *self)
{
	watch_init(w, fd, fn, self);
	if (watch_ctl(l, EPOLL_CTL_ADD, w, mode) == 0)
		return 0;
	w->fd = -1;
	return -1;
}

/* A connection that serves one request at once needs no event: two calls of
 * the kernel's are saved, into the set and out of it. */
void
watch_add_late(struct loop *l, struct watch *w, int fd, watch_f *fn, void *self)
{
	watch_init(w, fd, fn, self);
	list_push_back(&l->late, &w->late);
	if (!timer_is_set(&l->late_timer))
		loop_timer_set(l, &l->late_timer, LOOP_LATE_MS);
}

void
watch_arm(struct loop *l, struct watch *w)
{
	if (w->fd < 0 || !list_is_linked(&w->late) ||
	    watch_ctl(l, EPOLL_CTL_ADD, w, LOOP_EDGE) < 0)
		return;
	list_del(&w->late);
}

static void
loop_on_late(void *self)
{
	struct loop *l = self;
	struct list due;

	list_init(&due);
	list_splice_back(&due, &l->later);
	list_splice_back(&l->later, &l->late);
	while (!list_is_empty(&due)) {
		struct watch *w = LIST_ENTRY(due.next, struct watch, late);

		watch_arm(l, w);
		if (list_is_linked(&w->late)) {
			list_del(&w->late);
			list_push_back(&l->later, &w->late);
		}
	}
	if (!list_is_empty(&l->later))
		loop_timer_set(l, &l->late_timer, LOOP_LATE_MS);
}

int
watch_mode(struct loop *l, struct watch *w, enum loop_mode mode)
{
	return watch_ctl(l, EPOLL_CTL_MOD, w, mode);
}

void
watch_del(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	if (list_is_linked(&w->late))
		list_del(&w->late);
	else
		(void)epoll_ctl(l->ep, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

void
watch_close(struct loop *l, struct watch *w)
{
	int fd = w->fd;

	(void)l;
	if (fd < 0)
		return;
	list_del(&w->late);
	w->fd = -1;
	/* saves a system call for each connection */
	(void)close(fd);
}

void
watch_close_shared(struct loop *l, struct watch *w)
{
	int fd = w->fd;

	if (fd < 0)
		return;
	watch_del(l, w);
	(void)close(fd);
}

void
task_init(struct task *t, task_f *fn, void *self)
{
	list_init(&t->node);
	t->fn = fn;
	t->self = self;
}

static void
task_queue(struct list *queue, struct task *t)
{
	if (!task_is_queued(t))
		list_push_back(queue, &t->node);
}

void
loop_defer(struct loop *l, struct task *t)
{
	task_queue(&l->now, t);
}

void
loop_yield(struct loop *l, struct task *t)
{
	task_queue(&l->next, t);
}

void
loop_defer_batch(struct loop *l, struct task *t)
{
	task_queue(&l->batch, t);
}

void
loop_reap(struct loop *l, struct task *t)
{
	task_queue(&l->reap, t);
}

void
task_cancel(struct task *t)
{
	list_del(&t->node);
}

struct timer_wheel *
loop_timers(struct loop *l)
{
	return &l->timers;
}

const struct clock *
loop_clock(const struct loop *l)
{
	return &l->clock;
}

uint64_t
loop_batch(const struct loop *l)
{
	return l->batch_no;
}

bool
loop_is_crowded(const struct loop *l)
{
	return l->is_crowded;
}

static void
run_tasks(struct list *queue)
{
	while (!list_is_empty(queue)) {
		struct task *t = LIST_ENTRY(queue->next, struct task, node);

		list_del(&t->node);
		t->fn(t->self);
	}
}

static unsigned
loop_events(uint32_t events)
{
	unsigned e = 0;

	if (events & EPOLLIN)
		e |= LOOP_IN;
	if (events & EPOLLOUT)
		e |= LOOP_OUT;
	if (events & EPOLLRDHUP)
		e |= LOOP_RDHUP;
	if (events & (EPOLLHUP | EPOLLERR))
		e |= LOOP_HUP;
	return e;
}

static void
loop_dispatch(struct loop *l, int n)
{
	for (int i = 0; i < n; i++) {
		struct watch *w = l->events[i].data.ptr;

		if (w->fd < 0)
			continue;
		w->fn(w->self, loop_events(l->events[i].events));
		run_tasks(&l->now);
	}
}

static int
loop_wait_ms(struct loop *l, uint64_t max_ms)
{
	if (!list_is_empty(&l->now) || !list_is_empty(&l->next) ||
	    !list_is_empty(&l->batch))
		return 0;
	if (max_ms > LOOP_WAIT_MAX_MS)
		max_ms = LOOP_WAIT_MAX_MS;
	return (int)timer_wheel_wait_ms(&l->timers, max_ms);
}

/* The number of events. A process that was stopped and goes on is interrupted,
 * and what has come meanwhile is not missed. */
static int
loop_wait(struct loop *l, int wait_ms)
{
	int n;

	while ((n = epoll_wait(l->ep, l->events, LOOP_EVENTS, wait_ms)) < 0) {
		REQUIRE(errno == EINTR);
		wait_ms = 0;
	}
	l->batch_no++;
	l->is_crowded = n == LOOP_EVENTS;
	return n;
}

/* Who waited for an event that came in time is not late because the process was:
 * events come before timers, also those of the while between the end of the
 * wait and the time that was read behind it. */
static void
loop_run_timers(struct loop *l)
{
	uint64_t now_ms = clock_mono_ms(&l->clock);

	if (timer_wheel_is_due(&l->timers, now_ms))
		loop_dispatch(l, loop_wait(l, 0));
	timer_wheel_advance(&l->timers, now_ms);
	run_tasks(&l->now);
}

void
loop_step(struct loop *l, uint64_t max_wait_ms)
{
	int n = loop_wait(l, loop_wait_ms(l, max_wait_ms));
	struct list yielded;

	clock_update(&l->clock);
	timer_wheel_count_from(&l->timers, clock_mono_ms(&l->clock));
	run_tasks(&l->now);
	list_init(&yielded);
	list_splice_back(&yielded, &l->next);
	loop_dispatch(l, n);
	loop_run_timers(l);
	run_tasks(&yielded);
	run_tasks(&l->now);
	run_tasks(&l->batch);
	run_tasks(&l->now);
	run_tasks(&l->reap);
}

void
loop_run(struct loop *l)
{
	l->is_stopped = false;
	while (!l->is_stopped)
		loop_step(l, LOOP_WAIT_MAX_MS);
}

void
loop_stop(struct loop *l)
{
	l->is_stopped = true;
}
