/* master/upgrade: fork and exec of another binary, and the list of descriptors
 * that it is given. Decides nothing about generations: it only asks for their
 * end when the new master serves. */
#include "master/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/daemon.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/pidfile.h"

/* "VERSION segment ready pidfile wake*256 listen*": decimal,
 * blank-separated. */
#define UPGRADE_ENV "GATEHOUSE_UPGRADE"
#define UPGRADE_VERSION 1u
/* Written by the new master when it serves. */
#define UPGRADE_WORD 'r'
/* A heartbeat older than this, of a process whose pid is gone, is of nobody. */
#define UPGRADE_STALE_MS 5000u

/* Exception: file-scope, because it is about the process itself, is written
 * once before anything else, and titles overwrite the originals. */
static struct {
	char path[PATH_MAX];
	char **argv;
	int dir;
} self = {.dir = -1};

void
upgrade_remember(int argc, char **argv)
{
	ssize_t n =
	    readlink("/proc/self/exe", self.path, sizeof(self.path) - 1);

	self.path[n > 0 ? n : 0] = '\0';
	self.dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	self.argv = calloc((size_t)argc + 1, sizeof(char *));
	REQUIRE(self.argv != NULL);
	for (int i = 0; i < argc; i++) {
		self.argv[i] = strdup(argv[i]);
		REQUIRE(self.argv[i] != NULL);
	}
}

/* --- the old master ------------------------------------------------------- */

static char *
upgrade_list(const struct master *m, int ready)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	(void)fprintf(out, "%u %d %d %d", UPGRADE_VERSION,
	    segment_fd(m->segment), ready, m->pid_fd);
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		(void)fprintf(out, " %d", m->wakes.at[i]);
	list_foreach (n, &m->lsocks)
		(void)fprintf(
		    out, " %d", LIST_ENTRY(n, struct lsock, node)->fd);
	REQUIRE(fclose(out) == 0);
	return text;
}

static void
upgrade_let_through(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

/* In the child: become the new binary. What goes wrong is seen by the end of
 * the pipe. */
static _Noreturn void
upgrade_exec(struct master *m, int ready)
{
	const struct gen *serving = master_serving(m);
	char *list = upgrade_list(m, ready);

	signals_reset();
	upgrade_let_through(segment_fd(m->segment));
	upgrade_let_through(ready);
	upgrade_let_through(m->pid_fd);
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		upgrade_let_through(m->wakes.at[i]);
	list_foreach (n, &m->lsocks)
		upgrade_let_through(LIST_ENTRY(n, struct lsock, node)->fd);
	/* until it has opened its own log, it speaks into ours */
	if (serving->error_log.fd >= 0)
		(void)dup2(serving->error_log.fd, STDERR_FILENO);
	if (self.dir >= 0 && fchdir(self.dir) < 0)
		log_msg(LOG_WARN,
		    "upgrade runs in another directory error=\"%s\"",
		    strerror(errno));
	if (setenv(UPGRADE_ENV, list, 1) == 0)
		(void)execv(self.path, self.argv);
	log_msg(LOG_ERROR, "upgrade cannot run path=\"%s\" error=\"%s\"",
	    self.path, strerror(errno));
	_exit(EXIT_FAILURE);
}

static void
upgrade_forget(struct master *m)
{
	watch_close_shared(m->loop, &m->upgrade.ready);
	loop_timer_clear(m->loop, &m->upgrade.timer);
}

static void
upgrade_failed(struct master *m, const char *why)
{
	log_msg(LOG_ERROR, "upgrade failed pid=%d reason=\"%s\" goes_on=pid %d",
	    (int)m->upgrade.pid, why, (int)getpid());
	upgrade_forget(m);
	/* also one that hangs; it is reaped like any child */
	(void)kill(m->upgrade.pid, SIGKILL);
}

/* The new master serves: finish what runs and end. */
static void
upgrade_done(struct master *m)
{
	log_msg(LOG_NOTICE, "upgrade done pid=%d", (int)m->upgrade.pid);
	upgrade_forget(m);
	notify_main(m->upgrade.pid);
	m->is_replaced = true;
	m->upgrade.pid = 0;
	master_hand_over(m);
}

static void
upgrade_on_ready(void *self_, unsigned events)
{
	struct master *m = self_;
	char word = 0;
	ssize_t n = read(m->upgrade.ready.fd, &word, 1);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1 && word == UPGRADE_WORD)
		upgrade_done(m);
	else
		upgrade_failed(m, "it ended before it was ready");
}

static void
upgrade_on_timer(void *self_)
{
	upgrade_failed(self_, "upgrade_timeout is over");
}

static uint64_t
upgrade_timeout_ms(struct master *m)
{
	const struct gen *g = master_serving(m);
	struct conf_scope s =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));

	return (uint64_t)conf_num(&s, KEY_GLOBAL_UPGRADE_TIMEOUT);
}

static void
upgrade_refuse(const char *why)
{
	log_msg(LOG_ERROR, "upgrade refused reason=\"%s\"", why);
}

void
upgrade_begin(struct master *m)
{
	int ends[2];

	if (m->state != MASTER_RUNNING || master_serving(m) == NULL) {
		upgrade_refuse("nothing serves");
		return;
	}
	if (m->upgrade.pid != 0) {
		/* or it has failed, which was told, and is about to end */
		if (m->upgrade.ready.fd >= 0)
			upgrade_refuse("one is under way");
		else
			m->wants_upgrade = true;
		return;
	}
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		upgrade_refuse(strerror(errno));
		return;
	}
	m->upgrade.pid = fork();
	if (m->upgrade.pid == 0)
		upgrade_exec(m, ends[1]);
	(void)close(ends[1]);
	timer_init(&m->upgrade.timer, upgrade_on_timer, m);
	if (m->upgrade.pid < 0 || watch_add(m->loop, &m->upgrade.ready, ends[0],
				      LOOP_LEVEL_IN, upgrade_on_ready, m) < 0) {
		upgrade_refuse(strerror(errno));
		(void)close(ends[0]);
		if (m->upgrade.pid > 0)
			(void)kill(m->upgrade.pid, SIGKILL);
		else
			m->upgrade.pid = 0;
		return;
	}
	loop_timer_set(m->loop, &m->upgrade.timer, upgrade_timeout_ms(m));
	log_msg(LOG_NOTICE, "upgrade begun pid=%d path=\"%s\"",
	    (int)m->upgrade.pid, self.path);
}

void
upgrade_reaped(struct master *m, pid_t pid, int status)
{
	if (m->upgrade.pid == 0 || pid != m->upgrade.pid)
		return;
	log_msg(LOG_INFO, "upgrade ended pid=%d status=%d signal=%d", (int)pid,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (m->upgrade.ready.fd >= 0)
		upgrade_failed(m, "it ended before it was ready");
	m->upgrade.pid = 0;
	upgrade_resume(m);
}

void
upgrade_resume(struct master *m)
{
	if (!m->wants_upgrade)
		return;
	m->wants_upgrade = false;
	(void)raise(SIGUSR2);
}

/* --- the new master ------------------------------------------------------- */

/* The next number of the list; -1 stands for "none". */
static bool
inherit_number(span *rest, int *out)
{
	uint64_t v;
	span word;

	if (!span_cut(rest, ' ', &word))
		return false;
	if (span_eq(word, SPAN_LIT("-1"))) {
		*out = -1;
		return true;
	}
	if (!span_u64(word, INT_MAX, &v))
		return false;
	*out = (int)v;
	return true;
}

static bool
inherit_fd(span *rest, int *out)
{
	return inherit_number(rest, out) &&
	       (*out < 0 || fcntl(*out, F_SETFD, FD_CLOEXEC) == 0);
}

static bool
inherit_list(struct master *m, span rest)
{
	int version;
	int fd;

	if (!inherit_number(&rest, &version) || version != UPGRADE_VERSION ||
	    !inherit_fd(&rest, &m->inherited.segment_fd) ||
	    !inherit_fd(&rest, &m->inherited.ready_fd) ||
	    !inherit_fd(&rest, &m->pid_fd))
		return false;
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (!inherit_fd(&rest, &m->wakes.at[i]))
			return false;
	while (rest.len > 0) {
		if (!inherit_fd(&rest, &fd) || !listen_inherit(m, fd))
			return false;
	}
	return true;
}

bool
upgrade_inherit(struct master *m)
{
	const char *list = getenv(UPGRADE_ENV);
	bool is_well;

	m->inherited.segment_fd = m->inherited.ready_fd = -1;
	if (list == NULL)
		return true;
	is_well = inherit_list(m, span_str(list));
	(void)unsetenv(UPGRADE_ENV);
	m->inherited.is_upgrade = true;
	if (!is_well)
		(void)fprintf(
		    stderr, "gatehouse: %s is malformed\n", UPGRADE_ENV);
	return is_well;
}

void
upgrade_ready(struct master *m)
{
	const char word = UPGRADE_WORD;

	if (m->inherited.ready_fd < 0)
		return;
	listen_drop_unused(m);
	if (m->is_daemon)
		daemon_be_quiet();
	/* the old master may be gone by now: then nobody waits */
	if (write(m->inherited.ready_fd, &word, 1) < 0)
		log_msg(LOG_WARN, "the old master is not told error=\"%s\"",
		    strerror(errno));
	(void)close(m->inherited.ready_fd);
	m->inherited.ready_fd = -1;
}

/* --- both ----------------------------------------------------------------- */

/* A slot whose process is gone and whose master is, too: it becomes ours. */
static void
sweep_slot(struct master *m, uint32_t i, uint64_t now_ms)
{
	struct slot *s = &m->slots->at[i];
	uint32_t state = atomic_load(&s->state);
	uint32_t pid = atomic_load(&s->pid);
	uint64_t beat_ms = atomic_load(&s->heartbeat_ms);

	if (state == SLOT_FREE ||
	    (beat_ms <= now_ms && now_ms - beat_ms < UPGRADE_STALE_MS))
		return;
	if (state != SLOT_DEAD && pid > 1 && pid <= INT_MAX &&
	    (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
		return;
	atomic_store(&s->epoch, segment_epoch(m->segment));
	atomic_store(&s->state, SLOT_DEAD);
	log_msg(LOG_INFO, "took over slot=%u pid=%u", i, pid);
}

/* Slots of a master that is gone; whether none of them is left. */
static bool
sweep_slots(struct master *m, uint64_t epoch)
{
	uint64_t now_ms = clock_mono_ms(loop_clock(m->loop));
	bool is_all = true;

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *s = &m->slots->at[i];

		if (atomic_load(&s->epoch) != epoch)
			continue;
		sweep_slot(m, i, now_ms);
		is_all &= atomic_load(&s->state) == SLOT_FREE ||
			  atomic_load(&s->epoch) != epoch;
	}
	return is_all;
}

void
upgrade_sweep(struct master *m)
{
	uint64_t epoch;

	/* as long as its processes live what it claimed is in use */
	if (!segment_find_gone(m->segment, &epoch) || !sweep_slots(m, epoch))
		return;
	tenants_forget(&m->tenants, epoch);
	segment_forget(m->segment, epoch);
	log_msg(
	    LOG_INFO, "master is gone epoch=%llu", (unsigned long long)epoch);
}
