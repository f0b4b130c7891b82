/* net/offload: see offload.h. One lock around two lists; results come back to
 * the loop through an eventfd. */
#include "common/net/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/check.h"

#define OFFLOAD_THREADS_MAX 16u
/* The loop has clients that wait for nothing: it goes first. */
#define OFFLOAD_NICE 5

struct offload {
	struct loop *loop;
	struct watch watch; /* of the eventfd */
	pthread_t threads[OFFLOAD_THREADS_MAX];
	unsigned n_threads;
	uint32_t n_max;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t has_work;
	struct list waiting;
	struct list finished;
	uint32_t n_waiting;
	bool is_ending;
};

static void
offload_lock(struct offload *o)
{
	REQUIRE(pthread_mutex_lock(&o->lock) == 0);
}

static void
offload_unlock(struct offload *o)
{
	REQUIRE(pthread_mutex_unlock(&o->lock) == 0);
}

/* With the lock: the next job, once there is one; NULL: it is over. */
static struct offload_job *
offload_next(struct offload *o)
{
	struct offload_job *j;

	while (!o->is_ending && list_is_empty(&o->waiting))
		REQUIRE(pthread_cond_wait(&o->has_work, &o->lock) == 0);
	if (o->is_ending)
		return NULL;
	j = LIST_ENTRY(o->waiting.next, struct offload_job, node);
	list_del(&j->node);
	j->is_queued = false;
	o->n_waiting--;
	return j;
}

static void *
offload_thread(void *self)
{
	static const uint64_t one = 1;
	struct offload *o = self;
	struct offload_job *j;

	/* of this thread alone (setpriority(2)); without it all goes on */
	(void)setpriority(PRIO_PROCESS, 0, OFFLOAD_NICE);
	offload_lock(o);
	while ((j = offload_next(o)) != NULL) {
		offload_unlock(o);
		j->run(j);
		offload_lock(o);
		list_push_back(&o->finished, &j->node);
		/* a counter that is full wakes the loop as well */
		(void)!write(o->watch.fd, &one, sizeof(one));
	}
	offload_unlock(o);
	return NULL;
}

/* Tell the owners of what has been done. */
static void
offload_tell(struct offload *o)
{
	struct list done;

	list_init(&done);
	offload_lock(o);
	list_splice_back(&done, &o->finished);
	offload_unlock(o);
	while (!list_is_empty(&done)) {
		struct offload_job *j =
		    LIST_ENTRY(done.next, struct offload_job, node);

		list_del(&j->node);
		j->done(j, true);
	}
}

static void
offload_on_event(void *self, unsigned events)
{
	struct offload *o = self;
	uint64_t n;

	(void)events;
	(void)!read(o->watch.fd, &n, sizeof(n));
	offload_tell(o);
}

/* Signals are for the loop's thread: threads inherit that they are blocked. */
static int
offload_start(struct offload *o, unsigned n_threads)
{
	sigset_t all;
	sigset_t old;
	int rc = 0;

	(void)sigfillset(&all);
	REQUIRE(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	while (o->n_threads < n_threads && rc == 0) {
		rc = pthread_create(
		    &o->threads[o->n_threads], NULL, offload_thread, o);
		o->n_threads += rc == 0;
	}
	REQUIRE(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
	return rc;
}

struct offload *
offload_new(struct loop *l, unsigned n_threads, uint32_t n_max)
{
	struct offload *o = calloc(1, sizeof(*o));
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int err;

	REQUIRE(o != NULL && n_threads <= OFFLOAD_THREADS_MAX);
	o->loop = l;
	o->n_max = n_max;
	list_init(&o->waiting);
	list_init(&o->finished);
	REQUIRE(pthread_mutex_init(&o->lock, NULL) == 0);
	REQUIRE(pthread_cond_init(&o->has_work, NULL) == 0);
	o->watch.fd = -1;
	if (fd < 0 || watch_add(l, &o->watch, fd, LOOP_LEVEL_IN,
			  offload_on_event, o) < 0) {
		err = errno;
		if (fd >= 0)
			(void)close(fd);
	} else {
		err = offload_start(o, n_threads);
	}
	if (err == 0)
		return o;
	offload_free(o);
	errno = err;
	return NULL;
}

/* No thread is left. */
static void
offload_give_back(struct offload *o)
{
	offload_tell(o);
	while (!list_is_empty(&o->waiting)) {
		struct offload_job *j =
		    LIST_ENTRY(o->waiting.next, struct offload_job, node);

		list_del(&j->node);
		j->is_queued = false;
		j->done(j, false);
	}
}

void
offload_free(struct offload *o)
{
	if (o == NULL)
		return;
	offload_lock(o);
	o->is_ending = true;
	REQUIRE(pthread_cond_broadcast(&o->has_work) == 0);
	offload_unlock(o);
	for (unsigned i = 0; i < o->n_threads; i++)
		REQUIRE(pthread_join(o->threads[i], NULL) == 0);
	offload_give_back(o);
	if (o->watch.fd >= 0)
		watch_close(o->loop, &o->watch);
	(void)pthread_cond_destroy(&o->has_work);
	(void)pthread_mutex_destroy(&o->lock);
	free(o);
}

bool
offload_submit(struct offload *o, struct offload_job *j)
{
	bool has_room;

	offload_lock(o);
	has_room = o->n_waiting < o->n_max;
	if (has_room) {
		j->is_queued = true;
		o->n_waiting++;
		list_push_back(&o->waiting, &j->node);
		REQUIRE(pthread_cond_signal(&o->has_work) == 0);
	}
	offload_unlock(o);
	return has_room;
}

bool
offload_take_back(struct offload *o, struct offload_job *j)
{
	bool was_queued;

	offload_lock(o);
	was_queued = j->is_queued;
	if (was_queued) {
		j->is_queued = false;
		o->n_waiting--;
		list_del(&j->node);
	}
	offload_unlock(o);
	return was_queued;
}
