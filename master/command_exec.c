/* master/command_exec: which command a number names, whether it can be run, and
 * what a child of the master gives up before it becomes it. */
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
#include "common/base/service_name.h"
#include "common/conf/conf_health.h"
#include "common/http/uri.h"
#include "common/http/peer_addr.h"
#include "master/commands.h"
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

/* --- what is run ---------------------------------------------------------- */

static bool
command_read(const struct conf_scope *s, struct server_command *out)
{
	struct conf_check check;

	out->line = conf_check_line(s);
	if (out->line == NULL || out->line->is_none)
		return false;
	conf_check_words(out->line->words, out->line->n_words, &check, NULL);
	out->n_args = check.n_args;
	out->timeout_ms = check.timeout_ms;
	return check.kind == CHECK_COMMAND;
}

bool
command_find(
    const struct conf_tree *t, uint32_t number, struct server_command *out)
{
	for (const struct conf_section *sec = conf_first(t, CONF_UPSTREAM);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(t, sec);
		struct conf_iter it = {0};
		const struct conf_value *v;

		while ((v = conf_next(&s, KEY_UPSTREAM_SERVER, &it)) != NULL) {
			if (v->n_words == 0 || number-- != 0)
				continue;
			out->conf = t;
			out->upstream = sec->name;
			out->server = v->words[0].text;
			return command_read(&s, out);
		}
	}
	return false;
}

/* --- whether it can be ---------------------------------------------------- */

/* NULL: it can. */
static const char *
file_problem(const char *path)
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
commands_check(const struct conf_tree *t, struct diag *d)
{
	for (const struct conf_section *sec = conf_first(t, CONF_UPSTREAM);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(t, sec);
		struct server_command c;
		const struct conf_word *w;
		const char *why;
		char *path;

		if (!command_read(&s, &c))
			continue;
		w = &c.line->words[1];
		path = strndup(w->text.p, w->text.len);
		REQUIRE(path != NULL);
		why = file_problem(path);
		if (why != NULL)
			diag_error(d, w->at, "health_check: %s: %s", path, why);
		free(path);
	}
}

/* --- becoming it ---------------------------------------------------------- */

static bool
limit(int what, rlim_t n)
{
	struct rlimit r = {n, n};

	return setrlimit(what, &r) == 0;
}

static bool
command_limit(const struct server_command *c)
{
	rlim_t seconds = (rlim_t)(c->timeout_ms / 1000 + 1);

	return limit(RLIMIT_CPU, seconds) && limit(RLIMIT_CORE, 0) &&
	       limit(RLIMIT_NOFILE, LIMIT_FILES) &&
	       limit(RLIMIT_FSIZE, LIMIT_FILE_SIZE) &&
	       limit(RLIMIT_AS, LIMIT_MEMORY);
}

/* Nothing to read, nobody who listens, no descriptor of ours. */
static bool
command_close_files(void)
{
	int keep[] = {STDERR_FILENO};
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (dup2(fd, i) < 0)
			return false;
	close_others(keep, NELEMS(keep));
	return true;
}

/* When the master dies, this does. */
static bool
command_follow(pid_t master)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	       getppid() == master;
}

static char *
env_text(const char *name, span value)
{
	size_t cap = strlen(name) + value.len + sizeof("=");
	char *text = malloc(cap);

	REQUIRE(text != NULL);
	(void)snprintf(text, cap, "%s=%.*s", name, SPAN_FMT(value));
	return text;
}

static void
command_env(const struct server_command *c, char **env)
{
	struct peer_addr at;
	char digits[sizeof("65535")] = "";
	span host;
	uint16_t port;

	(void)peer_addr_parse(c->server, &at);
	host = at.authority;
	if (!span_starts(host, SPAN_LIT("unix:")))
		(void)uri_parse_authority(at.authority, &host, &port);
	/* the port of a service is told by its name server */
	if (at.port != 0 && !service_name_is(host))
		(void)snprintf(digits, sizeof(digits), "%u", at.port);
	*env++ = env_text("GH_UPSTREAM", c->upstream);
	*env++ = env_text("GH_SERVER", c->server);
	*env++ = env_text("GH_HOST", host);
	*env++ = env_text("GH_PORT", span_str(digits));
	*env = NULL;
}

_Noreturn void
command_exec(const struct server_command *c, pid_t master)
{
	struct conf_scope global =
	    conf_scope_of(c->conf, conf_first(c->conf, CONF_GLOBAL));
	char *args[CHECK_ARGS_MAX + 1];
	char *env[5];

	signals_reset();
	for (uint32_t i = 0; i < c->n_args; i++) {
		span word = c->line->words[1 + i].text;

		args[i] = strndup(word.p, word.len);
		REQUIRE(args[i] != NULL);
	}
	args[c->n_args] = NULL;
	command_env(c, env);
	/* the limit of memory comes last: what is mapped may be above it */
	if (setsid() >= 0 && chdir("/") == 0 && priv_lower(&global) &&
	    command_follow(master) && command_close_files() &&
	    seccomp_keep_session() && command_limit(c))
		(void)execve(args[0], args, env);
	_exit(STATUS_NOT_RUN);
}
