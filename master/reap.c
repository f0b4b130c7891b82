/* master/reap: what children say, and their deaths. A worker's pid is known
 * from the kernel's credentials of its first word; one that dies before it is
 * noticed by the end of its control socket. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/admin.h"
#include "master/commands.h"
#include "master/helpers.h"
#include "master/master.h"
#include "master/upgrade.h"

/* The steward is respawned after so long at least. */
#define STEWARD_MIN_MS 1000u
/* Messages of the steward that are heard in a second. */
#define STEWARD_WORDS_MAX 32u
/* After SIGABRT a worker that shows no life has so long until SIGKILL. */
#define ABORT_MS 1000u

static const char *const kind_names[] = {
    [CHILD_STEWARD] = "steward",
    [CHILD_NURSERY] = "nursery",
    [CHILD_WORKER] = "worker",
};

/* Note what a process left in its slot; root trusts nothing else of it. */
static void
child_bury_slot(struct child *c)
{
	struct master *m = c->master;
	struct slot *s = &m->slots->at[c->slot];
	char text[PANIC_TEXT_CAP * 4 + 1];

	if (c->kind == CHILD_NURSERY)
		return;
	atomic_store(&s->state, SLOT_DEAD);
	if (slot_panic_text(s, text, sizeof(text)) > 0)
		log_msg(LOG_ERROR, "%s panic pid=%d text=\"%s\"",
		    kind_names[c->kind], (int)c->pid, text);
	/* the steward mends what it held, then the slot becomes free */
	if (m->steward != NULL && m->steward != c)
		wake_send(m->slots, &m->wakes,
		    (struct slot_name){
			m->steward->slot, m->steward->incarnation},
		    WAKE_DEATH);
}

/* Slots of this master's dead that the steward has mended. */
static void
reap_free_slots(struct master *m)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *s = &m->slots->at[i];

		if (atomic_load(&s->state) != SLOT_DEAD ||
		    atomic_load(&s->epoch) != segment_epoch(m->segment) ||
		    atomic_load(&s->repaired) != atomic_load(&s->incarnation))
			continue;
		counters_fold(m->counters, i);
		slots_release(m->slots, i);
	}
}

static void
child_log_end(struct child *c, int status)
{
	bool is_expected = (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
			   c->master->state == MASTER_STOPPING;

	c->has_crashed = !is_expected &&
			 !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	if (WIFSIGNALED(status))
		log_msg(is_expected ? LOG_INFO : LOG_ERROR,
		    "%s died pid=%d signal=%d", kind_names[c->kind],
		    (int)c->pid, WTERMSIG(status));
	else
		log_msg(is_expected ? LOG_INFO : LOG_ERROR,
		    "%s ended pid=%d status=%d", kind_names[c->kind],
		    (int)c->pid, WEXITSTATUS(status));
}

static void
child_dead(struct child *c)
{
	struct master *m = c->master;
	struct gen *g = c->gen;

	child_bury_slot(c);
	helpers_leave(c);
	if (c->kind == CHILD_STEWARD) {
		m->steward = NULL;
		cachefiles_lost(m);
		quotafile_lost(m);
		commands_end(m);
		if (m->state <= MASTER_RUNNING)
			loop_timer_set(
			    m->loop, &m->steward_timer, STEWARD_MIN_MS);
	}
	child_free(c);
	if (g != NULL)
		gen_on_death(g, c);
	master_check_taken_over(m);
	master_check_end(m);
}

/* A descriptor that came with it is taken (*fd becomes -1) or the caller's to
 * close. */
static void
child_hear(struct child *c, const struct ctl_msg *msg, pid_t from, int *fd)
{
	switch ((enum ctl_type)msg->type) {
	case CTL_HELLO:
		if (c->kind == CHILD_WORKER && c->pid == 0)
			c->pid = from;
		break;
	case CTL_READY:
		if (c->kind == CHILD_WORKER)
			gen_on_ready(c->gen, c);
		break;
	case CTL_PREPARED:
		if (c->kind == CHILD_NURSERY) {
			gen_on_prepared(c->gen, msg, *fd);
			*fd = -1;
		}
		break;
	case CTL_REFUSED:
		if (c->kind == CHILD_NURSERY)
			gen_on_refused(c->gen, msg);
		break;
	case CTL_RETIRED:
		log_msg(LOG_INFO, "worker retired pid=%d connections=%llu",
		    (int)c->pid, (unsigned long long)msg->arg);
		c->has_retired = true;
		master_check_taken_over(c->master);
		break;
	case CTL_ASK:
		if (c->kind == CHILD_STEWARD) {
			ask_obey(c->master, msg->arg);
			break;
		}
		log_msg(LOG_WARN, "%s asked ignored=yes", kind_names[c->kind]);
		break;
	case CTL_RUN:
		/* they have a limit of their own */
		if (c->kind == CHILD_STEWARD &&
		    commands_run(c->master, msg->arg))
			c->n_heard--;
		break;
	case CTL_HELP:
		if (c->kind == CHILD_WORKER)
			helpers_ask(c, msg->arg);
		break;
	case CTL_CACHE_DONE:
		if (c->kind == CHILD_STEWARD)
			cachefiles_done(c->master, msg->arg == 1);
		break;
	case CTL_QUOTA_DONE:
		if (c->kind == CHILD_STEWARD)
			quotafile_done(c->master, msg->arg == 1);
		break;
	case CTL_QUOTA_SAVE:
	case CTL_QUOTA_LOAD:
	case CTL_STATE:
	case CTL_CONF:
	case CTL_ADMIN:
	case CTL_CERTIFICATES:
	case CTL_CACHE_SAVE:
	case CTL_CACHE_LOAD:
	case CTL_RAN:
	case CTL_HELPER:
	case CTL_SPAWN:
	case CTL_RETIRE:
	case CTL_CLOSE_IDLE:
	case CTL_LOG:
	case CTL_LOGS_DONE:
		log_msg(LOG_WARN, "%s said type=%u ignored=yes",
		    kind_names[c->kind], msg->type);
		break;
	}
}

/* A loud one may be out of the loop. */
static void
child_hang_up(struct child *c)
{
	watch_del(c->master->loop, &c->watch);
	(void)close(c->ctl);
	c->ctl = -1;
}

/* At most n messages. The socket's end is a death only for a worker that never
 * told its pid: all others are reaped. */
static void
child_read_some(struct child *c, uint32_t n)
{
	struct ctl_msg msg;
	pid_t from;
	int rc = 1;
	int fd;

	while (c->ctl >= 0 && n-- > 0 &&
	       (rc = ctl_recv(c->ctl, &msg, &fd, &from)) > 0) {
		child_hear(c, &msg, from, &fd);
		if (fd >= 0)
			(void)close(fd);
	}
	if (c->ctl < 0 || rc > 0 || (rc < 0 && errno == EAGAIN))
		return;
	child_hang_up(c);
	if (c->kind == CHILD_WORKER && c->pid == 0) {
		log_msg(
		    c->master->state == MASTER_STOPPING ? LOG_INFO : LOG_ERROR,
		    "worker died before its first word");
		child_dead(c);
	}
}

/* Everything that has come. */
static void
child_read(struct child *c)
{
	child_read_some(c, UINT32_MAX);
}

/* The steward speaks with the network: what it says is read one by one, and so
 * many a second that it cannot keep the master from anything else. */
static void
steward_read(struct child *c)
{
	if (++c->n_heard > STEWARD_WORDS_MAX) {
		log_msg(LOG_WARN, "steward says too much pid=%d heard=%u",
		    (int)c->pid, c->n_heard - 1);
		watch_del(c->master->loop, &c->watch);
		return;
	}
	child_read_some(c, 1);
}

void
reap_listen_again(struct master *m)
{
	struct child *c = m->steward;
	bool was_loud;

	if (c == NULL)
		return;
	was_loud = c->n_heard > STEWARD_WORDS_MAX;
	c->n_heard = 0;
	if (was_loud && c->ctl >= 0 &&
	    watch_add(
		m->loop, &c->watch, c->ctl, LOOP_LEVEL_IN, child_on_ctl, c) < 0)
		log_msg(LOG_ERROR, "steward not watched pid=%d error=\"%s\"",
		    (int)c->pid, strerror(errno));
}

void
child_on_ctl(void *self, unsigned events)
{
	struct child *c = self;

	(void)events;
	if (c->kind == CHILD_STEWARD)
		steward_read(c);
	else
		child_read(c);
}

/* Hear those whose pid is not known yet. */
static void
reap_hear_newborn(struct master *m)
{
	list_foreach_safe (n, &m->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->kind == CHILD_WORKER && c->pid == 0)
			child_read(c);
	}
}

static struct child *
child_find(struct master *m, pid_t pid)
{
	list_foreach (n, &m->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->pid == pid)
			return c;
	}
	return NULL;
}

/* Whose pid this was: a worker may die right after its first word. */
static struct child *
child_of(struct master *m, pid_t pid)
{
	struct child *c = child_find(m, pid);

	if (c != NULL)
		return c;
	reap_hear_newborn(m);
	return child_find(m, pid);
}

/* One that has ended; 0: there is none. */
static pid_t
reap_next(struct master *m, int *status)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid <= 0)
		return 0;
	commands_bury(m, info.si_pid);
	helpers_bury(m, info.si_pid);
	return waitpid(info.si_pid, status, WNOHANG);
}

void
reap_all(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = reap_next(m, &status)) > 0) {
		struct child *c;

		if (commands_reaped(m, pid, status) ||
		    helpers_reaped(m, pid, status))
			continue;
		c = child_of(m, pid);
		if (c == NULL) {
			upgrade_reaped(m, pid, status);
			continue;
		}
		/* what a dead steward asked for nobody waits for */
		if (c->kind != CHILD_STEWARD)
			child_read(c);
		child_log_end(c, status);
		child_dead(c);
	}
	commands_settle(m);
}

/* When it showed life last: before its first heartbeat, at its birth. */
static uint64_t
child_seen_ms(const struct child *c)
{
	uint64_t beat = atomic_load_explicit(
	    &c->master->slots->at[c->slot].heartbeat_ms, memory_order_relaxed);

	return beat == 0 ? c->born_ms : beat;
}

static void
child_watchdog(struct child *c, uint64_t now_ms, uint64_t limit_ms)
{
	uint64_t seen_ms = child_seen_ms(c);

	if (c->aborted_ms != 0) {
		if (now_ms - c->aborted_ms >= ABORT_MS)
			(void)kill(c->pid, SIGKILL);
		return;
	}
	if (seen_ms >= now_ms || now_ms - seen_ms < limit_ms)
		return;
	log_msg(LOG_ERROR, "%s shows no life pid=%d silent_ms=%llu",
	    kind_names[c->kind], (int)c->pid,
	    (unsigned long long)(now_ms - seen_ms));
	c->aborted_ms = now_ms;
	(void)kill(c->pid, SIGABRT);
}

/* 0: never. A nursery has no heart: it waits for the master alone. */
static uint64_t
child_limit_ms(const struct child *c)
{
	const struct gen *g =
	    c->kind == CHILD_STEWARD ? master_newest(c->master) : c->gen;
	struct conf_scope s;

	if (c->kind == CHILD_NURSERY || c->pid == 0 || g == NULL)
		return 0;
	s = conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
	return (uint64_t)conf_num(&s, KEY_GLOBAL_WORKER_WATCHDOG);
}

void
reap_watch(struct master *m)
{
	uint64_t now_ms = clock_mono_ms(loop_clock(m->loop));

	reap_free_slots(m);
	list_foreach (n, &m->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);
		uint64_t limit_ms = child_limit_ms(c);

		if (limit_ms > 0)
			child_watchdog(c, now_ms, limit_ms);
	}
}
