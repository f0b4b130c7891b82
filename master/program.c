/* master/program: see program.h. What runs has the user of the workers, no
 * descriptor of ours, bounded memory, and ends with the master. */
#include "master/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "master/master.h"
#include "master/priv.h"
#include "master/seccomp.h"

/* As shells say it of what they cannot run. */
#define STATUS_NOT_RUN 126
/* Address space: an interpreter with its libraries. */
#define LIMIT_MEMORY (1024u * 1024 * 1024)
#define LIMIT_FILES 256u
/* Of a file that it writes. */
#define LIMIT_FILE_SIZE (16u * 1024 * 1024)

/* --- whether it can be ---------------------------------------------------- */

/* NULL: it can. */
static const char *
program_problem(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "it is no file";
	if ((st.st_mode & S_IWOTH) != 0)
		return "everybody may write it";
	if (access(path, X_OK) < 0)
		return "it cannot be executed";
	return NULL;
}

void
program_check(const struct conf_word *path, const char *key, struct diag *d)
{
	char *name = strndup(path->text.p, path->text.len);
	const char *why;

	REQUIRE(name != NULL);
	why = program_problem(name);
	if (why != NULL)
		diag_error(d, path->at, "%s: %s: %s", key, name, why);
	free(name);
}

/* --- becoming it ---------------------------------------------------------- */

void
program_args(const struct conf_word *words, uint32_t n, char **args)
{
	for (uint32_t i = 0; i < n; i++) {
		args[i] = strndup(words[i].text.p, words[i].text.len);
		REQUIRE(args[i] != NULL);
	}
	args[n] = NULL;
}

char *
program_env(const char *name, span value)
{
	size_t cap = strlen(name) + value.len + sizeof("=");
	char *text = malloc(cap);

	REQUIRE(text != NULL);
	(void)snprintf(text, cap, "%s=%.*s", name, SPAN_FMT(value));
	return text;
}

static bool
limit(int what, rlim_t n)
{
	struct rlimit r = {n, n};

	return setrlimit(what, &r) == 0;
}

static bool
program_limit(const struct program *p)
{
	return (p->cpu_s == 0 || limit(RLIMIT_CPU, (rlim_t)p->cpu_s)) &&
	       limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, LIMIT_FILES) &&
	       limit(RLIMIT_FSIZE, LIMIT_FILE_SIZE) &&
	       limit(RLIMIT_AS, LIMIT_MEMORY);
}

/* Nobody who listens but at talk_fd, no descriptor of ours. */
static bool
program_close_files(int talk_fd)
{
	int keep[] = {STDERR_FILENO};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd = talk_fd >= 0 ? talk_fd : null_fd;

	if (null_fd < 0 || dup2(fd, STDIN_FILENO) < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0 || dup2(null_fd, STDERR_FILENO) < 0)
		return false;
	close_others(keep, NELEMS(keep));
	return true;
}

/* When the master dies, this does. */
static bool
program_follow(pid_t master)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	       getppid() == master;
}

_Noreturn void
program_become(const struct program *p, pid_t master)
{
	struct conf_scope global =
	    conf_scope_of(p->conf, conf_first(p->conf, CONF_GLOBAL));

	signals_reset();
	/* the limit of memory comes last: what is mapped may be above it */
	if (setsid() >= 0 && chdir("/") == 0 && priv_lower(&global) &&
	    program_follow(master) && program_close_files(p->talk_fd) &&
	    seccomp_keep_session() && program_limit(p))
		(void)execve(p->args[0], p->args, p->env);
	_exit(STATUS_NOT_RUN);
}
