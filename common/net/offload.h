/* net/offload: a few threads for what would block the loop: work that takes
 * milliseconds of a CPU. Everything but `run` happens in the loop's thread. A
 * job touches nothing but its own memory while it runs. */
#ifndef GH_OFFLOAD_H
#define GH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/net/loop.h"

struct offload;

/* A piece of work; lives in the object that owns it, which stays in place until
 * done() or a take-back. */
struct offload_job {
	struct list node;
	/* In a thread of the pool. */
	void (*run)(struct offload_job *j);
	/* In the loop's thread. !was_run: the pool was closed before. */
	void (*done)(struct offload_job *j, bool was_run);
	bool is_queued; /* of the pool: nobody runs it yet */
};

/* Start the threads, which take no signals and yield to everybody else; at most
 * n_max jobs wait at a time. NULL with errno. */
struct offload *offload_new(struct loop *l, unsigned n_threads, uint32_t n_max);
/* End it: what runs is waited for, what waits is given back without having run;
 * done() is called for all. NULL is allowed. */
void offload_free(struct offload *o);

/* Hand over a job. false: as many wait as may, and nothing happened. */
bool offload_submit(struct offload *o, struct offload_job *j);
/* Nobody wants it any more. true: it had not begun, done() is not called and
 * the memory is the caller's again; false: done() will come. */
bool offload_take_back(struct offload *o, struct offload_job *j);

#endif
