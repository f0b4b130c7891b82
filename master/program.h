/* master/program: a child of the master that becomes somebody else's program:
 * whether it can, and what it gives up before. */
#ifndef GH_PROGRAM_H
#define GH_PROGRAM_H

#include <stdint.h>
#include <sys/types.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"

/* What is run; for whom is its environment's business. */
struct program {
	const struct conf_tree *conf;
	char *const *args; /* the path first; NULL behind them */
	char *const *env; /* likewise */
	int talk_fd; /* its standard input and output; -1: /dev/null */
	uint64_t cpu_s; /* of a CPU's time; 0: no limit */
};

/* Note under `key` why the path at that word cannot be run, if it cannot. */
void program_check(
    const struct conf_word *path, const char *key, struct diag *d);
/* Words as execve() takes them, with room for n and a NULL behind them. */
void program_args(const struct conf_word *words, uint32_t n, char **args);
/* `NAME=value`, to be given back with free(). */
char *program_env(const char *name, span value);
/* In a child of `master`: become it, in a session of its own that it cannot
 * leave. */
_Noreturn void program_become(const struct program *p, pid_t master);

#endif
