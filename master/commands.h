/* master/commands: checks of servers that are commands. They are children of the
 * master, which runs only what its own configuration names and is told by
 * numbers whose turn it is. Each has a session of its own that it cannot leave,
 * and no part of it outlives it. */
#ifndef GH_COMMANDS_H
#define GH_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf/conf.h"

struct master;

/* At once. */
#define COMMANDS_MAX 16u

/* --- commands.c: those that run ------------------------------------------- */

void commands_init(struct master *m);
/* None may run any more. */
void commands_close(struct master *m);
/* The steward asks (CTL_RUN); it is answered with CTL_RAN, unless that command
 * runs already. Whether one was begun: so many in a second and no more are. */
bool commands_run(struct master *m, uint64_t arg);
/* Once a second. */
void commands_beat(struct master *m);
/* A child has ended and is still there: what it has begun ends, too, if it was
 * one of them. */
void commands_bury(struct master *m, pid_t pid);
/* It is gone, with this status of wait(2). false: it was none of them. */
bool commands_reaped(struct master *m, pid_t pid, int status);
/* Tell of those of which nothing is left. */
void commands_settle(struct master *m);
/* End all of them; nobody waits for what comes of it. */
void commands_end(struct master *m);
bool commands_are_gone(const struct master *m);

/* --- command_exec.c: one of them ------------------------------------------ */

/* What is run for a server. Borrows from the configuration. */
struct server_command {
	const struct conf_tree *conf;
	const struct conf_value *line; /* words[1] .. words[n_args] */
	uint32_t n_args;
	uint64_t timeout_ms;
	span upstream;
	span server;
};

/* Of the number that CTL_CONF told; false: that server has none. */
bool command_find(
    const struct conf_tree *t, uint32_t number, struct server_command *out);
/* In a child of `master`: become it. */
_Noreturn void command_exec(const struct server_command *c, pid_t master);
/* Whether all that a configuration names can be run; problems go to d. */
void commands_check(const struct conf_tree *t, struct diag *d);

#endif
