/* master/helpers: see helpers.h. */
#include "master/helpers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/master.h"
#include "master/program.h"

/* Begun in a second: a worker that is not itself cannot make us do nothing
 * else. The others come a pause later. */
#define HELPERS_RATE 128u
/* At once. */
#define HELPERS_MAX 2048u
/* Beats that one has to end after its input did. */
#define HELPER_BEATS 3u
/* Words of what is run, with its path. */
#define HELPER_ARGS_MAX 64u

struct helper_run {
	struct list node; /* in helpers.runs */
	const struct child *owner; /* NULL: gone */
	uint64_t number; /* the owner's */
	pid_t pid; /* and its session */
	uint32_t n_beats; /* since the owner is gone */
};

struct helpers {
	struct list runs;
	uint32_t n;
	uint32_t n_begun; /* since the last beat */
};

/* --- which ---------------------------------------------------------------- */

static bool
helper_is_one(const struct conf_scope *s)
{
	return span_eq(conf_text(s, KEY_AUTH_SCHEME), SPAN_LIT("helper"));
}

/* Words of what is run, from all lines of the key. */
static uint32_t
helper_words(
    const struct conf_scope *s, struct conf_word words[HELPER_ARGS_MAX])
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	uint32_t n = 0;

	while ((v = conf_next(s, KEY_AUTH_HELPER, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words && n < HELPER_ARGS_MAX; i++)
			words[n++] = v->words[i];
	return n;
}

/* The section that a number names; NULL: none, or it has no such place. */
static const struct conf_section *
helper_section(const struct conf_tree *t, uint64_t number)
{
	uint64_t at = ctl_help_auth(number);

	for (const struct conf_section *sec = conf_first(t, CONF_AUTH);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(t, sec);

		if (at-- != 0)
			continue;
		return helper_is_one(&s) && ctl_help_place(number) <
						(uint64_t)conf_num(&s,
						    KEY_AUTH_HELPER_CHILDREN)
			   ? sec
			   : NULL;
	}
	return NULL;
}

void
helpers_check(const struct conf_tree *t, struct diag *d)
{
	for (const struct conf_section *sec = conf_first(t, CONF_AUTH);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(t, sec);
		struct conf_word words[HELPER_ARGS_MAX];
		uint32_t n = helper_is_one(&s) ? helper_words(&s, words) : 0;

		if (n > 0)
			program_check(&words[0], "helper", d);
		if (n == HELPER_ARGS_MAX)
			diag_error(d, words[n - 1].at,
			    "helper: more than %u words", HELPER_ARGS_MAX - 1);
	}
}

/* --- beginning ------------------------------------------------------------ */

_Noreturn static void
helper_exec(const struct conf_tree *t, const struct conf_section *sec,
    int talk_fd, pid_t master)
{
	struct conf_scope s = conf_scope_of(t, sec);
	struct conf_word words[HELPER_ARGS_MAX];
	char *args[HELPER_ARGS_MAX + 1];
	char *env[] = {program_env("GH_AUTH", sec->name), NULL};

	program_args(words, helper_words(&s, words), args);
	program_become(
	    &(struct program){
		.conf = t, .args = args, .env = env, .talk_fd = talk_fd},
	    master);
}

static void
helper_note(struct child *c, uint64_t number, pid_t pid)
{
	struct helpers *all = c->master->helpers;
	struct helper_run *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	r->owner = c;
	r->number = number;
	r->pid = pid;
	list_push_back(&all->runs, &r->node);
	all->n++;
	all->n_begun++;
}

/* The end of its socket that is the worker's; -1: it was not begun. */
static int
helper_fork(struct child *c, const struct conf_section *sec, uint64_t number)
{
	pid_t master = getpid();
	pid_t pid = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		ends[0] = ends[1] = -1;
	else
		pid = fork();
	if (pid == 0)
		helper_exec(c->gen->conf, sec, ends[1], master);
	if (pid < 0)
		log_msg(LOG_ERROR, "helper not started auth=%.*s error=\"%s\"",
		    SPAN_FMT(sec->name), strerror(errno));
	if (ends[1] >= 0)
		(void)close(ends[1]);
	if (pid < 0) {
		if (ends[0] >= 0)
			(void)close(ends[0]);
		return -1;
	}
	log_msg(LOG_INFO, "helper started auth=%.*s pid=%d worker=%d",
	    SPAN_FMT(sec->name), (int)pid, (int)c->pid);
	helper_note(c, number, pid);
	return ends[0];
}

static int
helper_begin(struct child *c, uint64_t number)
{
	const struct helpers *all = c->master->helpers;
	const struct conf_section *sec = helper_section(c->gen->conf, number);

	if (c->master->state == MASTER_STOPPING || sec == NULL ||
	    all->n >= HELPERS_MAX || all->n_begun >= HELPERS_RATE)
		return -1;
	return helper_fork(c, sec, number);
}

/* All of its session; one that has none yet has no children either. */
static void
helper_kill(const struct helper_run *r)
{
	if (kill(-r->pid, SIGKILL) < 0)
		(void)kill(r->pid, SIGKILL);
}

void
helpers_ask(struct child *c, uint64_t number)
{
	bool is_there = false;
	int fd;

	list_foreach (n, &c->master->helpers->runs) {
		const struct helper_run *r =
		    LIST_ENTRY(n, struct helper_run, node);

		if (r->owner != c || r->number != number)
			continue;
		helper_kill(r);
		is_there = true;
	}
	fd = is_there ? -1 : helper_begin(c, number);
	/* a worker that is not told asks again */
	if (c->ctl >= 0 && ctl_send_word(c->ctl, CTL_HELPER, number, fd) < 0 &&
	    !ctl_is_gone(errno))
		log_msg(LOG_WARN, "helper not passed pid=%d error=\"%s\"",
		    (int)c->pid, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

/* --- the end -------------------------------------------------------------- */

static struct helper_run *
helpers_find_pid(const struct helpers *all, pid_t pid)
{
	list_foreach (n, &all->runs) {
		struct helper_run *r = LIST_ENTRY(n, struct helper_run, node);

		if (r->pid == pid)
			return r;
	}
	return NULL;
}

void
helpers_leave(struct child *c)
{
	list_foreach (n, &c->master->helpers->runs) {
		struct helper_run *r = LIST_ENTRY(n, struct helper_run, node);

		if (r->owner == c)
			r->owner = NULL;
	}
}

void
helpers_beat(struct master *m)
{
	m->helpers->n_begun = 0;
	list_foreach (n, &m->helpers->runs) {
		struct helper_run *r = LIST_ENTRY(n, struct helper_run, node);

		if (r->owner == NULL && ++r->n_beats >= HELPER_BEATS)
			helper_kill(r);
	}
}

void
helpers_bury(struct master *m, pid_t pid)
{
	const struct helper_run *r = helpers_find_pid(m->helpers, pid);

	/* as long as it is not waited for no other process gets its number */
	if (r != NULL)
		(void)kill(-r->pid, SIGKILL);
}

bool
helpers_reaped(struct master *m, pid_t pid, int status)
{
	struct helper_run *r = helpers_find_pid(m->helpers, pid);

	if (r == NULL)
		return false;
	log_msg(r->owner == NULL ? LOG_INFO : LOG_WARN,
	    "helper ended pid=%d %s=%d", (int)pid,
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	list_del(&r->node);
	m->helpers->n--;
	free(r);
	master_check_end(m);
	return true;
}

void
helpers_end(struct master *m)
{
	list_foreach (n, &m->helpers->runs)
		helper_kill(LIST_ENTRY(n, struct helper_run, node));
}

bool
helpers_are_gone(const struct master *m)
{
	return m->helpers->n == 0;
}

void
helpers_init(struct master *m)
{
	m->helpers = calloc(1, sizeof(*m->helpers));
	REQUIRE(m->helpers != NULL);
	list_init(&m->helpers->runs);
}

void
helpers_close(struct master *m)
{
	list_foreach_safe (n, &m->helpers->runs)
		free(LIST_ENTRY(n, struct helper_run, node));
	free(m->helpers);
	m->helpers = NULL;
}
