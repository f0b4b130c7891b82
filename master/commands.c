/* master/commands: what the steward asks for is begun, ended when its time is
 * over, and told. Waiting is the steward's: here is room for so many at once.
 */
#include "master/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/master.h"

/* Begun in a second: a steward that is not itself cannot make us do nothing
 * else. */
#define COMMANDS_RATE 128u
/* What shells say of one that a signal ended. */
#define STATUS_SIGNAL 128u

struct command_run {
	struct master *master;
	pid_t pid; /* and its session; 0: this place is free */
	uint32_t number;
	bool is_late; /* ended by us */
	bool has_ended; /* what it began may still be there */
	int status; /* of wait(2) */
	bool is_wanted; /* the steward that asked waits for it */
	struct timer timer;
};

struct commands {
	struct command_run at[COMMANDS_MAX];
	uint32_t n_begun; /* since the last beat */
};

static void
command_tell(struct master *m, uint32_t what, uint32_t number)
{
	struct child *c = m->steward;

	/* one that does not read asks again when it has waited */
	if (c != NULL && c->ctl >= 0 &&
	    ctl_send_word(c->ctl, CTL_RAN, ctl_run_arg(what, number), -1) < 0 &&
	    !ctl_is_gone(errno))
		log_msg(LOG_WARN, "command not told pid=%d error=\"%s\"",
		    (int)c->pid, strerror(errno));
}

/* All of its session; one that has none yet has no children either. */
static void
command_kill(const struct command_run *r)
{
	if (kill(-r->pid, SIGKILL) < 0 && !r->has_ended)
		(void)kill(r->pid, SIGKILL);
}

static void
command_on_timer(void *self)
{
	struct command_run *r = self;

	r->is_late = true;
	command_kill(r);
}

/* --- beginning ------------------------------------------------------------ */

static bool
commands_has(const struct commands *all, uint32_t number)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++)
		if (all->at[i].pid != 0 && all->at[i].is_wanted &&
		    all->at[i].number == number)
			return true;
	return false;
}

static struct command_run *
commands_free_place(struct commands *all)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++)
		if (all->at[i].pid == 0)
			return &all->at[i];
	return NULL;
}

static bool
command_begin(struct command_run *r, const struct server_command *c)
{
	pid_t master = getpid();
	pid_t pid = fork();

	if (pid == 0)
		command_exec(c, master);
	if (pid < 0) {
		log_msg(LOG_ERROR,
		    "command not started upstream=%.*s server=%.*s "
		    "error=\"%s\"",
		    SPAN_FMT(c->upstream), SPAN_FMT(c->server),
		    strerror(errno));
		return false;
	}
	r->pid = pid;
	r->is_late = false;
	r->has_ended = false;
	r->is_wanted = true;
	loop_timer_set(r->master->loop, &r->timer, c->timeout_ms);
	return true;
}

static bool
command_try(struct master *m, uint32_t generation, uint32_t number)
{
	struct commands *all = m->commands;
	const struct gen *g = master_serving(m);
	struct command_run *r = commands_free_place(all);
	struct server_command c;

	if (m->state != MASTER_RUNNING || g == NULL || g->no != generation ||
	    r == NULL || all->n_begun >= COMMANDS_RATE)
		return false;
	if (!command_find(g->conf, number, &c)) {
		log_msg(LOG_WARN, "steward asked for command=%u ignored=yes",
		    number);
		return false;
	}
	if (!command_begin(r, &c))
		return false;
	r->number = number;
	all->n_begun++;
	return true;
}

bool
commands_run(struct master *m, uint64_t arg)
{
	uint32_t number = (uint32_t)arg;
	bool is_begun;

	if (commands_has(m->commands, number))
		return false;
	is_begun = command_try(m, (uint32_t)(arg >> 32), number);
	if (!is_begun)
		command_tell(m, RAN_NOT, number);
	return is_begun;
}

/* --- the end -------------------------------------------------------------- */

static struct command_run *
commands_find_pid(struct commands *all, pid_t pid)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++)
		if (all->at[i].pid == pid && !all->at[i].has_ended)
			return &all->at[i];
	return NULL;
}

void
commands_bury(struct master *m, pid_t pid)
{
	struct command_run *r = commands_find_pid(m->commands, pid);

	/* as long as it is not waited for no other process gets its number */
	if (r != NULL)
		command_kill(r);
}

static uint32_t
command_result(const struct command_run *r)
{
	if (r->is_late)
		return RAN_LATE;
	if (WIFSIGNALED(r->status))
		return STATUS_SIGNAL + (uint32_t)WTERMSIG(r->status);
	return (uint32_t)WEXITSTATUS(r->status);
}

bool
commands_reaped(struct master *m, pid_t pid, int status)
{
	struct command_run *r = commands_find_pid(m->commands, pid);

	if (r == NULL)
		return false;
	loop_timer_clear(m->loop, &r->timer);
	r->has_ended = true;
	r->status = status;
	return true;
}

void
commands_settle(struct master *m)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		struct command_run *r = &m->commands->at[i];

		/* its number is taken as long as one of its group is there */
		if (r->pid == 0 || !r->has_ended || kill(-r->pid, 0) == 0)
			continue;
		r->pid = 0;
		if (r->is_wanted)
			command_tell(m, command_result(r), r->number);
		master_check_end(m);
	}
}

/* The last of a group may have ended without a word to us. */
void
commands_beat(struct master *m)
{
	m->commands->n_begun = 0;
	commands_settle(m);
}

void
commands_end(struct master *m)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		struct command_run *r = &m->commands->at[i];

		r->is_wanted = false;
		if (r->pid != 0)
			command_kill(r);
	}
}

bool
commands_are_gone(const struct master *m)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++)
		if (m->commands->at[i].pid != 0)
			return false;
	return true;
}

void
commands_init(struct master *m)
{
	m->commands = calloc(1, sizeof(*m->commands));
	REQUIRE(m->commands != NULL);
	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		m->commands->at[i].master = m;
		timer_init(&m->commands->at[i].timer, command_on_timer,
		    &m->commands->at[i]);
	}
}

void
commands_close(struct master *m)
{
	free(m->commands);
	m->commands = NULL;
}
