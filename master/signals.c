/* master/signals: what each signal asks for (ARCHITECTURE: managed with
 * signals). They are read from a descriptor, so nothing runs inside a handler.
 */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/log.h"
#include "master/admin.h"
#include "master/master.h"
#include "master/upgrade.h"

static void
signals_set(sigset_t *set)
{
	static const int all[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGTERM,
	    SIGINT, SIGWINCH, SIGTTIN, SIGTTOU, SIGCHLD};

	(void)sigemptyset(set);
	for (size_t i = 0; i < NELEMS(all); i++)
		(void)sigaddset(set, all[i]);
}

/* Old generations whose tunnels live on hold slots: without enough of them for
 * another generation the reload waits, and is asked for again by the beat. */
static bool
signal_has_slots(struct master *m)
{
	const struct gen *g = master_serving(m);
	uint32_t want = g == NULL ? 1 : g->n_wanted + 1;
	uint32_t n_free = slots_free(m->slots);

	if (n_free >= want)
		return true;
	if (!m->has_waited)
		log_msg(LOG_WARN,
		    "reload waits reason=\"old generations hold the slots\" "
		    "free=%u wanted=%u",
		    n_free, want);
	m->has_waited = true;
	return false;
}

void
signal_reload(struct master *m)
{
	if (m->state > MASTER_RUNNING)
		return;
	if (master_is_starting(m)) {
		m->wants_reload = true;
		return;
	}
	if (!signal_has_slots(m)) {
		m->wants_reload = true;
		return;
	}
	m->has_waited = false;
	log_msg(LOG_NOTICE, "reload begun");
	m->is_drained = false;
	(void)gen_start(m, reading_new(&m->source));
}

/* Behind a reload that is under way: what it read is what the new one shall
 * find. */
static void
signal_upgrade(struct master *m)
{
	if (master_is_starting(m))
		m->wants_upgrade = true;
	else
		upgrade_begin(m);
}

void
signal_drain(struct master *m)
{
	bool is_reloading = m->state == MASTER_RUNNING && master_is_starting(m);

	log_msg(LOG_NOTICE, "drain begun");
	m->is_drained = true;
	/* a reload that waited was asked for before, too */
	m->wants_reload = false;
	tell_state(m);
	list_foreach_safe (n, &m->gens) {
		gen_retire(LIST_ENTRY(n, struct gen, node));
	}
	/* the service manager waits for the end of the reload */
	if (is_reloading)
		master_reloaded(m);
}

static void
signal_resize(struct master *m, int by)
{
	/* the newest: it may be about to serve */
	struct gen *g = LIST_ENTRY(m->gens.prev, struct gen, node);

	if (!list_is_empty(&m->gens))
		gen_resize(g, by);
}

/* WINCH, TTIN, TTOU. A terminal sends them to whatever runs in its foreground;
 * there they are obeyed only by a daemon, which has none. */
static void
signal_daemon_only(struct master *m, int sig, bool is_persons)
{
	if (m->is_daemon && sig == SIGWINCH)
		signal_drain(m);
	else if (m->is_daemon)
		signal_resize(m, sig == SIGTTIN ? 1 : -1);
	else if (is_persons)
		log_msg(LOG_NOTICE, "signal=%d ignored reason=\"not a daemon\"",
		    sig);
}

static void
signal_obey(struct master *m, int sig, bool is_persons)
{
	switch (sig) {
	case SIGHUP:
		signal_reload(m);
		break;
	case SIGUSR1:
		logfiles_reopen(m);
		break;
	case SIGUSR2:
		signal_upgrade(m);
		break;
	case SIGQUIT:
		log_msg(LOG_NOTICE, "graceful stop begun");
		master_quit(m);
		break;
	case SIGTERM:
	case SIGINT:
		log_msg(LOG_NOTICE, "fast stop begun");
		master_stop(m, m->state == MASTER_STARTING ? 1 : 0);
		break;
	case SIGCHLD:
		reap_all(m);
		break;
	default:
		signal_daemon_only(m, sig, is_persons);
		break;
	}
}

static void
signals_on_event(void *self, unsigned events)
{
	struct master *m = self;
	struct signalfd_siginfo info;

	(void)events;
	while (read(m->signals.fd, &info, sizeof(info)) == sizeof(info))
		signal_obey(m, (int)info.ssi_signo, info.ssi_code != SI_KERNEL);
}

int
signals_open(struct master *m)
{
	sigset_t set;
	int fd;

	signals_set(&set);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -1;
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	return watch_add(
	    m->loop, &m->signals, fd, LOOP_LEVEL_IN, signals_on_event, m);
}

void
signals_reset(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
}
