/* master/nursery: the process in which a generation is prepared, and whose
 * forks the workers are. What goes wrong while preparing ends here; the
 * master's own memory never holds rules or keys. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "master/cert_facts.h"
#include "master/cpu.h"
#include "master/master.h"
#include "master/priv.h"
#include "master/report.h"
#include "master/title.h"

static int
fd_order(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void
close_others(int *keep, uint32_t n)
{
	int from = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(keep[0]), fd_order);
	for (uint32_t i = 0; i < n; i++) {
		if (keep[i] < from)
			continue;
		if (keep[i] > from)
			(void)close_range(
			    (unsigned)from, (unsigned)keep[i] - 1, 0);
		from = keep[i] + 1;
	}
	(void)close_range((unsigned)from, ~0u, 0);
}

/* Keep what a process of this boot needs. */
static void
nursery_close_others(const struct boot *b, int ctl)
{
	uint32_t n = 0;
	int *keep =
	    calloc(b->n_listens + b->n_logs + SLOTS_MAX + 2u, sizeof(*keep));

	REQUIRE(keep != NULL);
	keep[n++] = ctl;
	keep[n++] = b->error_log_fd;
	for (uint32_t i = 0; i < b->n_listens; i++)
		keep[n++] = b->listens[i].fd;
	for (uint32_t i = 0; i < b->n_logs; i++)
		keep[n++] = b->logs[i].fd;
	memcpy(keep + n, b->wakes->at, sizeof(b->wakes->at));
	close_others(keep, n + SLOTS_MAX);
	free(keep);
}

/* Send all pieces; the master reads them as fast as it can. */
static void
nursery_send(int ctl, const struct ctl_msg *m, int fd)
{
	struct pollfd p = {.fd = ctl, .events = POLLOUT};

	while (ctl_send(ctl, m, fd) < 0) {
		if (errno != EAGAIN)
			_exit(EXIT_FAILURE);
		(void)poll(&p, 1, -1);
	}
}

static void
nursery_refuse(int ctl, const struct diag *d)
{
	size_t len;
	size_t at = 0;
	char *wire = diag_serialize(d, &len);
	struct ctl_msg m;

	memset(&m, 0, offsetof(struct ctl_msg, text));
	m.type = CTL_REFUSED;
	do {
		m.len = (uint32_t)size_min(len - at, CTL_TEXT_MAX);
		memcpy(m.text, wire + at, m.len);
		at += m.len;
		m.arg = at == len;
		nursery_send(ctl, &m, -1);
	} while (at < len);
	free(wire);
}

/* In the newborn worker. */
static _Noreturn void
nursery_be_worker(struct boot *b, const struct ctl_msg *m, int ctl)
{
	struct conf_scope s =
	    conf_scope_of(b->conf, conf_first(b->conf, CONF_GLOBAL));
	char who[32];

	(void)snprintf(who, sizeof(who), "worker %u", (unsigned)m->arg);
	(void)close(b->ctl_fd);
	b->ctl_fd = ctl;
	b->slot = m->slot;
	atomic_store(&b->slots->at[b->slot].pid, (uint32_t)getpid());
	b->incarnation = m->incarnation;
	b->worker = (uint32_t)m->arg;
	b->cpu =
	    conf_bool(&s, KEY_GLOBAL_CPU_AFFINITY) ? cpu_pin(b->worker) : -1;
	log_open(b->error_log_fd, b->log_level, who);
	title_set("gatehouse: worker %u", (unsigned)m->arg);
	if (!priv_drop(&s))
		_exit(EXIT_FAILURE);
	(void)ctl_send_word(ctl, CTL_HELLO, 0, -1);
	exit(worker_main(b));
}

/* A fork of a fork: the worker's parent ends at once, so that the worker
 * becomes the child of the nearest subreaper, which is the master. */
static void
nursery_spawn(struct boot *b, const struct ctl_msg *m, int ctl)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			nursery_be_worker(b, m, ctl);
		_exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (pid < 0)
		log_msg(LOG_ERROR, "fork failed error=\"%s\"", strerror(errno));
	else
		(void)waitpid(pid, NULL, 0);
	(void)close(ctl);
}

/* Workers that are born from now on write to the new file. */
static void
nursery_take_log(struct boot *b, uint64_t index, int fd)
{
	struct boot_log *logs;

	if (index == CTL_LOG_ERROR) {
		(void)close(b->error_log_fd);
		b->error_log_fd = fd;
		log_open(fd, b->log_level, "nursery");
		return;
	}
	if (index >= b->n_logs) {
		(void)close(fd);
		return;
	}
	/* the table is this process's own copy */
	memcpy(&logs, &b->logs, sizeof(logs));
	(void)close(logs[index].fd);
	logs[index].fd = fd;
}

/* Obey until the master closes its end. */
static _Noreturn void
nursery_serve(struct boot *b, int ctl)
{
	struct pollfd p = {.fd = ctl, .events = POLLIN};
	struct ctl_msg m;
	int fd;
	int rc;

	for (;;) {
		rc = ctl_recv(ctl, &m, &fd, NULL);
		if (rc == 0 || (rc < 0 && errno != EAGAIN))
			_exit(EXIT_SUCCESS);
		if (rc < 0) {
			(void)poll(&p, 1, -1);
			continue;
		}
		if (m.type == CTL_SPAWN && fd >= 0)
			nursery_spawn(b, &m, fd);
		else if (m.type == CTL_LOG && fd >= 0)
			nursery_take_log(b, m.arg, fd);
		else if (fd >= 0)
			(void)close(fd);
	}
}

static void
nursery_tell_prepared(int ctl, const struct prepared *p)
{
	int facts = cert_facts_new(p);
	struct ctl_msg m;

	if (facts < 0)
		log_msg(LOG_ERROR, "certificates not told error=\"%s\"",
		    strerror(errno));
	memset(&m, 0, offsetof(struct ctl_msg, text));
	m.type = CTL_PREPARED;
	m.arg = (uint64_t)worker_prepare_ends(p);
	nursery_send(ctl, &m, facts);
	if (facts >= 0)
		(void)close(facts);
}

_Noreturn void
nursery_main(const struct boot *of_master, struct diag *d, int ctl)
{
	struct boot b = *of_master;
	struct conf_scope s =
	    conf_scope_of(b.conf, conf_first(b.conf, CONF_GLOBAL));

	title_set("gatehouse: generation %u", b.generation);
	/* a daemon's standard error has no reader after the start */
	(void)signal(SIGPIPE, SIG_IGN);
	log_open(b.error_log_fd, b.log_level, "nursery");
	nursery_close_others(&b, ctl);
	b.ctl_fd = ctl;
	b.sources = d;
	b.prepared = worker_prepare(&b, d);
	if (b.prepared == NULL) {
		nursery_refuse(ctl, d);
		_exit(EXIT_SUCCESS);
	}
	report_warnings(d);
	/* inherited by the workers */
	if (!priv_limits((uint32_t)conf_num(&s, KEY_GLOBAL_WORKER_CONNECTIONS)))
		_exit(EXIT_FAILURE);
	nursery_tell_prepared(ctl, b.prepared);
	nursery_serve(&b, ctl);
}
