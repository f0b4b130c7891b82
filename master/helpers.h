/* master/helpers: programs that tell workers who somebody is. They are children
 * of the master, which runs only what its own configuration names; a worker
 * asks by a number and is given the socket that speaks with it. None outlives
 * its worker for long. */
#ifndef GH_HELPERS_H
#define GH_HELPERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf/conf.h"

struct child;
struct master;

void helpers_init(struct master *m);
/* None may run any more. */
void helpers_close(struct master *m);
/* A worker wants one (CTL_HELP), and is answered with CTL_HELPER. One that it
 * has under the same number is ended instead. */
void helpers_ask(struct child *c, uint64_t number);
/* A worker is gone: those that it had end, of themselves or not. */
void helpers_leave(struct child *c);
/* Once a second. */
void helpers_beat(struct master *m);
/* A child has ended and is still there: what it has begun ends, too, if it was
 * one of them. */
void helpers_bury(struct master *m, pid_t pid);
/* It is gone, with this status of wait(2). false: it was none of them. */
bool helpers_reaped(struct master *m, pid_t pid, int status);
/* End all of them. */
void helpers_end(struct master *m);
bool helpers_are_gone(const struct master *m);
/* Whether all that a configuration names can be run; problems go to d. */
void helpers_check(const struct conf_tree *t, struct diag *d);

#endif
