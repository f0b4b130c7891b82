/* master/master: start, the one loop, and the end. */
#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/loglevel.h"
#include "master/admin.h"
#include "master/cmd.h"
#include "master/commands.h"
#include "master/helpers.h"
#include "master/daemon.h"
#include "master/notify.h"
#include "master/pidfile.h"
#include "master/report.h"
#include "master/title.h"
#include "master/upgrade.h"

#define BEAT_MS 1000u
/* After SIGTERM children have so long until SIGKILL. */
#define STOP_MS 2000u
/* A graceful end may take shutdown_timeout and this. */
#define QUIT_MORE_MS 3000u
/* A worker that gets no CPU is not waited for longer before a reload has
 * ended. */
#define TAKE_OVER_MS 1000u
/* And this for files of caches, behind it. */
#define SAVE_MS 30000u

struct conf_tree *
conf_source_load(const struct conf_source *src, struct diag *d)
{
	if (src->text.p != NULL)
		return conf_read_text(src->path, src->text, d);
	return conf_read(src->path, d);
}

struct gen *
master_serving(struct master *m)
{
	list_foreach (n, &m->gens) {
		struct gen *g = LIST_ENTRY(n, struct gen, node);

		if (gen_is_serving(g))
			return g;
	}
	return NULL;
}

struct gen *
master_newest(struct master *m)
{
	struct gen *g = master_serving(m);

	if (g != NULL || list_is_empty(&m->gens))
		return g;
	return LIST_ENTRY(m->gens.prev, struct gen, node);
}

bool
master_is_starting(const struct master *m)
{
	list_foreach (n, &m->gens) {
		if (LIST_ENTRY(n, struct gen, node)->state == GEN_STARTING)
			return true;
	}
	return timer_is_set(&m->taking_over);
}

static void
master_warn_fixed(const char *key)
{
	log_msg(LOG_WARN,
	    "config: %s is another now; that takes effect with the next start",
	    key);
}

/* What master_open() decided stays; a reload that wants it otherwise is told.
 */
static void
master_check_fixed(const struct master *m, const struct conf_tree *t)
{
	struct conf_scope s = conf_scope_of(t, conf_first(t, CONF_GLOBAL));
	span pid_file = conf_text(&s, KEY_GLOBAL_PID_FILE);
	span ours = span_str(m->pid_file == NULL ? "" : m->pid_file);

	if (conf_bool(&s, KEY_GLOBAL_DAEMON) != m->is_daemon)
		master_warn_fixed("daemon");
	if (!span_eq(pid_file, ours))
		master_warn_fixed("pid_file");
}

/* Who was answered may look for the file: it is there before the first worker
 * accepts. After an upgrade it is the old master's until we are ready. */
void
master_prepared(const struct master *m)
{
	if (m->state == MASTER_STARTING && m->pid_fd >= 0 &&
	    m->inherited.ready_fd < 0)
		pidfile_write(m->pid_fd);
}

void
master_ready(struct master *m)
{
	struct gen *g = master_serving(m);

	REQUIRE(g != NULL);
	if (m->state == MASTER_STARTING) {
		m->state = MASTER_RUNNING;
		if (m->pid_fd >= 0 && m->inherited.ready_fd >= 0)
			pidfile_write(m->pid_fd);
		daemon_tell(&m->daemon_fd);
		upgrade_ready(m);
	} else {
		master_check_fixed(m, g->conf);
	}
	loop_timer_set(m->loop, &m->taking_over, TAKE_OVER_MS);
	master_check_taken_over(m);
}

static void
master_on_taken_over(void *self)
{
	struct master *m = self;
	struct gen *g = master_serving(m);

	if (m->state > MASTER_RUNNING)
		return;
	if (g != NULL)
		reload_end(g, NULL);
	master_reloaded(m);
}

/* Whoever connects when the reload has ended shall not meet what was before. */
void
master_check_taken_over(struct master *m)
{
	if (!timer_is_set(&m->taking_over))
		return;
	list_foreach (n, &m->children) {
		const struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->is_retiring && !c->has_retired)
			return;
	}
	master_on_taken_over(m);
}

void
master_reloaded(struct master *m)
{
	const struct gen *g = master_serving(m);

	loop_timer_clear(m->loop, &m->taking_over);
	notify_ready(g == NULL ? 0 : g->no);
	if (m->wants_reload) {
		m->wants_reload = false;
		(void)raise(SIGHUP);
	} else {
		upgrade_resume(m);
	}
}

static void
master_signal_all(struct master *m, int sig)
{
	list_foreach (n, &m->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->pid > 0)
			(void)kill(c->pid, sig);
	}
}

/* The steward may have something to write when the others are gone. */
static void
master_end_children(struct master *m)
{
	bool is_awaited = cachefiles_wants_last(m) || quotafile_wants_last(m);

	list_foreach (n, &m->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->pid > 0 && (c != m->steward || !is_awaited))
			(void)kill(c->pid, SIGTERM);
	}
}

static void
master_on_deadline(void *self)
{
	struct master *m = self;

	cachefiles_give_up(m);
	quotafile_give_up(m);
	if (m->state == MASTER_QUITTING) {
		log_msg(LOG_WARN, "stop shutdown_timeout is over");
		master_stop(m, m->exit_code);
		return;
	}
	master_signal_all(m, SIGKILL);
	loop_timer_set(m->loop, &m->deadline, STOP_MS);
}

/* Nobody changes what caches hold: whether their files are being written. A
 * graceful stop has time for that; a fast one has STOP_MS in all. */
static bool
master_saves(struct master *m)
{
	bool was_begun = m->cache_round.is_last;

	if (!quotafile_last(m) && !cachefiles_last(m))
		return false;
	if (!was_begun && m->state == MASTER_QUITTING)
		loop_timer_set(m->loop, &m->deadline, SAVE_MS);
	return true;
}

void
master_check_end(struct master *m)
{
	bool has_worker = false;

	list_foreach (n, &m->children) {
		const struct child *c = LIST_ENTRY(n, struct child, node);

		has_worker |= c->kind == CHILD_WORKER;
	}
	if (m->state == MASTER_QUITTING && !has_worker && !master_saves(m))
		master_stop(m, m->exit_code);
	if (m->state != MASTER_STOPPING)
		return;
	if (list_is_empty(&m->children) && commands_are_gone(m) &&
	    helpers_are_gone(m))
		m->is_done = true;
	else if (!has_worker && m->steward != NULL && !master_saves(m))
		(void)kill(m->steward->pid, SIGTERM);
}

void
master_stop(struct master *m, int exit_code)
{
	if (m->state == MASTER_STOPPING)
		return;
	m->state = MASTER_STOPPING;
	tell_state(m);
	m->exit_code = exit_code;
	notify_stopping();
	commands_end(m);
	helpers_end(m);
	master_end_children(m);
	loop_timer_set(m->loop, &m->deadline, STOP_MS);
	master_check_end(m);
}

/* The longest that any generation has to finish; 0: as long as it takes. */
static uint64_t
master_grace_ms(struct master *m)
{
	uint64_t most = 1;

	list_foreach (n, &m->gens) {
		const struct gen *g = LIST_ENTRY(n, struct gen, node);
		struct conf_scope s =
		    conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
		uint64_t ms =
		    (uint64_t)conf_num(&s, KEY_GLOBAL_SHUTDOWN_TIMEOUT);

		if (ms == 0)
			return 0;
		most = ms > most ? ms : most;
	}
	return most;
}

/* Clients that are between two requests need not wait for the end. */
static void
master_close_idle(struct master *m)
{
	list_foreach (n, &m->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->kind == CHILD_WORKER && c->ctl >= 0 &&
		    ctl_send_word(c->ctl, CTL_CLOSE_IDLE, 0, -1) < 0 &&
		    !ctl_is_gone(errno))
			log_msg(LOG_WARN, "close not told pid=%d error=\"%s\"",
			    (int)c->pid, strerror(errno));
	}
}

void
master_quit(struct master *m)
{
	uint64_t grace_ms = master_grace_ms(m);

	if (m->state == MASTER_QUITTING || m->state == MASTER_STOPPING)
		return;
	m->state = MASTER_QUITTING;
	certs_stop(m);
	tell_state(m);
	notify_stopping();
	commands_end(m);
	if (grace_ms > 0)
		loop_timer_set(m->loop, &m->deadline, grace_ms + QUIT_MORE_MS);
	list_foreach_safe (n, &m->gens) {
		gen_retire(LIST_ENTRY(n, struct gen, node));
	}
	master_close_idle(m);
	master_check_end(m);
}

void
master_hand_over(struct master *m)
{
	m->state = MASTER_QUITTING;
	admin_hand_over(m);
	cachefiles_close(m);
	quotafile_close(m);
	commands_end(m);
	tell_state(m);
	list_foreach_safe (n, &m->gens) {
		gen_retire(LIST_ENTRY(n, struct gen, node));
	}
	master_check_end(m);
}

static void
master_on_beat(void *self)
{
	struct master *m = self;

	reap_watch(m);
	upgrade_sweep(m);
	segment_sweep(m->segment);
	if (m->has_waited && m->wants_reload) {
		m->wants_reload = false;
		(void)raise(SIGHUP);
	}
	commands_beat(m);
	helpers_beat(m);
	reap_listen_again(m);
	cachefiles_care(m);
	quotafile_care(m);
	tell_again(m);
	loop_timer_set(m->loop, &m->beat, BEAT_MS);
}

static void
master_on_steward_due(void *self)
{
	struct master *m = self;

	if (m->steward != NULL || m->state > MASTER_RUNNING)
		return;
	/* drained, there is no configuration for it: later */
	if (list_is_empty(&m->gens) || !spawn_steward(m))
		loop_timer_set(m->loop, &m->steward_timer, m->steward_wait_ms);
}

/* The old master's, when both read it the same way; else this one begins with
 * an empty one, and so without what the old one's workers knew. */
static struct segment *
master_inherit_segment(struct master *m)
{
	struct segment *s;

	if (m->inherited.segment_fd < 0)
		return NULL;
	s = segment_open(m->inherited.segment_fd);
	if (s == NULL) {
		log_msg(LOG_WARN,
		    "shared memory begins empty reason=\"the old one: %s\"",
		    strerror(errno));
		(void)close(m->inherited.segment_fd);
		wake_close(&m->wakes);
	}
	m->inherited.segment_fd = -1;
	return s;
}

static bool
master_open_segment(struct master *m, const struct conf_tree *conf)
{
	m->segment = master_inherit_segment(m);
	if (m->segment == NULL)
		m->segment = segment_new(tenants_budget(conf, 0));
	if (m->segment == NULL)
		return false;
	m->slots = slots_map(m->segment, true);
	m->counters = counters_map(m->segment, true);
	if (m->slots == NULL || m->counters == NULL ||
	    !tenants_open(&m->tenants, m->segment))
		return false;
	log_obey(&m->tenants.loglevel->order);
	return m->wakes.at[0] >= 0 || wake_open(&m->wakes) == 0;
}

/* The daemon's folder is the root: its file must be found from there. */
static bool
master_go_background(struct master *m)
{
	if (m->source.text.p == NULL) {
		m->real_path = realpath(m->source.path, NULL);
		if (m->real_path == NULL)
			return false;
		m->source.path = m->real_path;
	}
	/* the old master has been in the background for long */
	if (m->inherited.is_upgrade)
		return chdir("/") == 0;
	return daemon_start(&m->daemon_fd);
}

/* What is decided once, by the first reading of the configuration. */
static bool
master_open(struct master *m, const struct conf_tree *t)
{
	struct conf_scope s = conf_scope_of(t, conf_first(t, CONF_GLOBAL));
	span pid_file = conf_text(&s, KEY_GLOBAL_PID_FILE);

	m->is_daemon = conf_bool(&s, KEY_GLOBAL_DAEMON);
	if (m->is_daemon && !master_go_background(m))
		return report_errno("cannot go to the background");
	if (pid_file.len > 0) {
		m->pid_file = strndup(pid_file.p, pid_file.len);
		REQUIRE(m->pid_file != NULL);
		/* an inherited lock is still held */
		if (m->pid_fd < 0)
			m->pid_fd = pidfile_open(m->pid_file);
		if (m->pid_fd < 0)
			return false;
	}
	if (!master_open_segment(m, t))
		return report_errno("cannot make the shared segment");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return report_errno("cannot become a subreaper");
	m->loop = loop_new();
	if (m->loop == NULL || signals_open(m) < 0)
		return report_errno("cannot watch signals");
	m->began_ms = clock_mono_ms(loop_clock(m->loop));
	return true;
}

static void
master_init(struct master *m, const struct conf_source *src)
{
	memset(m, 0, sizeof(*m));
	m->source = *src;
	m->daemon_fd = m->pid_fd = m->signals.fd = -1;
	m->upgrade.ready.fd = -1;
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		m->wakes.at[i] = -1;
	m->steward_wait_ms = BEAT_MS;
	list_init(&m->children);
	list_init(&m->gens);
	list_init(&m->lsocks);
	timer_init(&m->probation, probation_on_timer, m);
	timer_init(&m->taking_over, master_on_taken_over, m);
	timer_init(&m->beat, master_on_beat, m);
	timer_init(&m->deadline, master_on_deadline, m);
	timer_init(&m->steward_timer, master_on_steward_due, m);
	cachefiles_init(m);
	quotafile_init(m);
	commands_init(m);
	helpers_init(m);
	certs_init(m);
	tell_init(m);
}

/* Give everything back, so that leak checkers see only leaks. */
static void
master_close(struct master *m)
{
	if (m->pid_fd >= 0 && !m->is_replaced && m->inherited.ready_fd < 0)
		pidfile_remove(m->pid_fd, m->pid_file);
	admin_close(m, &m->admin);
	cachefiles_close(m);
	quotafile_close(m);
	commands_close(m);
	helpers_close(m);
	free(m->reload.problems);
	list_foreach_safe (n, &m->gens)
		gen_end(LIST_ENTRY(n, struct gen, node));
	probation_forget(m);
	logfile_forget_error_log();
	if (m->loop != NULL)
		watch_close(m->loop, &m->signals);
	loop_free(m->loop);
	log_obey(NULL);
	tenants_close(&m->tenants);
	segment_free(m->segment);
	free(m->pid_file);
	free(m->real_path);
}

int
master_run(const struct conf_source *src)
{
	struct master m;
	struct diag *d = diag_new();
	struct conf_tree *t = conf_source_load(src, d);
	bool is_open;

	/* chance for its tables, of which processes that are confined have none */
	json_object_seed(0);
	master_init(&m, src);
	if (!upgrade_inherit(&m))
		return EXIT_FAILURE;
	if (diag_count(d, DIAG_ERROR) > 0) {
		conf_free(t);
		diag_free(d);
		return cmd_test(src);
	}
	is_open = master_open(&m, t);
	conf_free(t);
	diag_free(d);
	title_set("gatehouse: master");
	if (!is_open || !gen_start(&m, reading_new(&m.source))) {
		master_close(&m);
		return EXIT_FAILURE;
	}
	if (!spawn_steward(&m))
		master_on_steward_due(&m);
	loop_timer_set(m.loop, &m.beat, BEAT_MS);
	while (!m.is_done)
		loop_step(m.loop, BEAT_MS);
	master_close(&m);
	return m.exit_code;
}
