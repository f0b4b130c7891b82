/* master/check_command: checks that are commands. The steward runs no program:
 * it asks the master for the command of a server by numbers, for so many at
 * once as the master runs, and hears what came of it. */
#include <errno.h>

#include "common/base/log.h"
#include "common/ipc/boot.h"
#include "common/ipc/ctl.h"
#include "master/checks.h"
#include "master/commands.h"

/* The master ends a command when its time is over and says so within this. */
#define LATE_MS 5000u
/* When the master would begin none. */
#define PAUSE_MS 1000u

static void
command_goto(struct check_server *s, enum check_state to)
{
	struct check_commands *all = &s->group->all->commands;

	if (s->state == CHECK_WAITS || s->state == CHECK_RUNS)
		list_del(&s->node);
	all->n_running -= s->state == CHECK_RUNS;
	all->n_running += to == CHECK_RUNS;
	if (to == CHECK_WAITS)
		list_push_back(&all->waiting, &s->node);
	else if (to == CHECK_RUNS)
		list_push_back(&all->running, &s->node);
	s->state = to;
}

/* The next one's turn. false: the master does not listen now. */
static bool
command_begin(struct checks *c, struct check_server *s)
{
	uint64_t arg = ctl_run_arg(c->commands.generation, s->number);

	if (ctl_send_word(c->boot->ctl_fd, CTL_RUN, arg, -1) < 0) {
		if (errno != EAGAIN && !ctl_is_gone(errno))
			log_msg(
			    LOG_ERROR, "command not asked for error=%d", errno);
		return false;
	}
	command_goto(s, CHECK_RUNS);
	loop_timer_set(c->loop, &s->timer, s->group->what.timeout_ms + LATE_MS);
	return true;
}

static void
commands_pause(struct checks *c)
{
	loop_timer_set(c->loop, &c->commands.pause, PAUSE_MS);
}

static void
commands_next(struct checks *c)
{
	struct check_commands *all = &c->commands;

	while (all->n_running < COMMANDS_MAX && !list_is_empty(&all->waiting) &&
	       !timer_is_set(&all->pause)) {
		struct check_server *s =
		    LIST_ENTRY(all->waiting.next, struct check_server, node);

		if (!command_begin(c, s))
			commands_pause(c);
	}
}

static void
commands_on_pause(void *self)
{
	commands_next(self);
}

void
check_command_ask(struct check_server *s)
{
	command_goto(s, CHECK_WAITS);
	commands_next(s->group->all);
}

void
check_command_cancel(struct check_server *s)
{
	if (s->state == CHECK_WAITS || s->state == CHECK_RUNS)
		command_goto(s, CHECK_RESTS);
}

void
check_command_lost(struct check_server *s)
{
	struct checks *c = s->group->all;

	command_goto(s, CHECK_RESTS);
	check_rest(s);
	commands_next(c);
}

/* --- what came of it ------------------------------------------------------ */

static void
command_judge(struct check_server *s, uint32_t what)
{
	if (what == RAN_NOT)
		check_rest(s);
	else if (what == RAN_LATE)
		check_done(s, HEALTH_WHY_TIME, 0);
	else if (what == 0)
		check_done(s, HEALTH_WHY_NONE, 0);
	else
		check_done(s, HEALTH_WHY_COMMAND, what);
}

void
check_command_hear(struct checks *c, uint64_t arg)
{
	uint32_t number = (uint32_t)arg;
	uint32_t what = (uint32_t)(arg >> 32);

	list_foreach_safe (n, &c->commands.running) {
		struct check_server *s =
		    LIST_ENTRY(n, struct check_server, node);

		if (s->number != number)
			continue;
		command_goto(s, CHECK_RESTS);
		command_judge(s, what);
		break;
	}
	if (what == RAN_NOT)
		commands_pause(c);
	commands_next(c);
}

/* --- life ----------------------------------------------------------------- */

void
check_commands_init(struct checks *c)
{
	list_init(&c->commands.waiting);
	list_init(&c->commands.running);
	timer_init(&c->commands.pause, commands_on_pause, c);
}

void
check_commands_end(struct checks *c)
{
	loop_timer_clear(c->loop, &c->commands.pause);
}
