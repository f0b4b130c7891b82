/* master/logfile: log files are opened here and by nobody else; the others get
 * descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/master.h"

#define LOG_FILE_MODE 0640

/* The process's own standard streams keep their meaning under any path of
 * theirs; opening /dev/stdout anew fails for sockets. */
static int
logfile_std(const char *path)
{
	if (strcmp(path, "stderr") == 0 || strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	if (strcmp(path, "stdout") == 0 || strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	return -1;
}

/* Never waits: a pipe that nobody reads is an error, and one that is full loses
 * lines instead of time. */
static int
logfile_open(const char *path)
{
	int std = logfile_std(path);

	if (std >= 0)
		return fcntl(std, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	    LOG_FILE_MODE);
}

static void
logfile_init(struct logfile *f, struct gen *g, span path, struct place at)
{
	f->path = strndup(path.p, path.len);
	REQUIRE(f->path != NULL);
	f->fd = logfile_open(f->path);
	if (f->fd < 0)
		diag_error(g->diag, at, "cannot open the log %s: %s", f->path,
		    strerror(errno));
}

static void
logfile_fini(struct logfile *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
	/* allocated by logfile_init() */
	free((void *)(uintptr_t)f->path);
	f->path = NULL;
}

static bool
is_error_log(const struct conf_section *s)
{
	return span_eq(s->name, SPAN_LIT("error"));
}

/* [log error] path, else error_log. */
static void
error_log_open(struct gen *g)
{
	struct conf_scope global =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
	const struct conf_section *sec =
	    conf_section(g->conf, CONF_LOG, SPAN_LIT("error"));
	span path = conf_text(&global, KEY_GLOBAL_ERROR_LOG);
	span level = conf_text(&global, KEY_GLOBAL_LOG_LEVEL);
	struct place at = {0, 0, 0, 0};

	if (sec != NULL) {
		struct conf_scope s = conf_scope_of(g->conf, sec);
		const struct conf_value *v = conf_get(&s, KEY_LOG_PATH);
		span own = conf_text(&s, KEY_LOG_LEVEL);

		level = own.len > 0 ? own : level;
		if (v != NULL) {
			path = v->text;
			at = v->at;
		}
	}
	if (!log_level_parse(level, &g->boot.log_level))
		g->boot.log_level = LOG_NOTICE;
	logfile_init(&g->error_log, g, path, at);
	g->boot.error_log_fd = g->error_log.fd;
}

/* The log of a section, if a path stands under `key`. */
static void
logfiles_add(struct gen *g, const struct conf_section *sec, enum conf_key key)
{
	struct conf_scope s = conf_scope_of(g->conf, sec);
	const struct conf_value *v = conf_get(&s, key);
	uint32_t i = g->boot.n_logs;

	if (v == NULL)
		return;
	logfile_init(&g->files[i], g, v->text, v->at);
	g->logs[i] = (struct boot_log){sec, g->files[i].fd};
	g->boot.n_logs++;
}

static uint32_t
count_sections(const struct gen *g, enum conf_type type)
{
	uint32_t n = 0;

	for (const struct conf_section *s = conf_first(g->conf, type);
	     s != NULL; s = s->next)
		n++;
	return n;
}

void
logfiles_open(struct gen *g)
{
	uint32_t n = count_sections(g, CONF_LOG) + count_sections(g, CONF_WAF);

	g->logs = calloc(n + 1u, sizeof(*g->logs));
	g->files = calloc(n + 1u, sizeof(*g->files));
	REQUIRE(g->logs != NULL && g->files != NULL);
	g->boot.logs = g->logs;
	for (const struct conf_section *s = conf_first(g->conf, CONF_LOG);
	     s != NULL; s = s->next) {
		/* to a server workers have ways of their own */
		if (!is_error_log(s))
			logfiles_add(g, s, KEY_LOG_PATH);
	}
	for (const struct conf_section *s = conf_first(g->conf, CONF_WAF);
	     s != NULL; s = s->next)
		logfiles_add(g, s, KEY_WAF_AUDIT_LOG);
	error_log_open(g);
}

void
logfiles_close(struct gen *g)
{
	for (uint32_t i = 0; i < g->boot.n_logs; i++)
		logfile_fini(&g->files[i]);
	g->boot.n_logs = 0;
	logfile_fini(&g->error_log);
}

void
logfile_forget_error_log(void)
{
	log_take_fd(STDERR_FILENO);
}

void
logfile_use_error_log(const struct gen *g, const char *who)
{
	/* of its own: it outlives the generation, when that was the last */
	int fd = fcntl(g->error_log.fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd < 0) {
		log_msg(LOG_ERROR, "error log not used error=\"%s\"",
		    strerror(errno));
		return;
	}
	log_take_fd(fd);
	log_open(fd, g->boot.log_level, who);
}

/* Open one again; the old one stays when that fails. */
static bool
logfile_again(struct logfile *f)
{
	int fd = logfile_open(f->path);

	if (fd < 0) {
		log_msg(LOG_ERROR, "log reopen failed path=\"%s\" error=\"%s\"",
		    f->path, strerror(errno));
		return false;
	}
	(void)close(f->fd);
	f->fd = fd;
	return true;
}

static void
logfiles_tell(struct gen *g, uint64_t index, int fd)
{
	list_foreach (n, &g->master->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->ctl < 0 || (c->gen != g && c->gen != NULL))
			continue;
		if (c->gen == NULL && index != CTL_LOG_ERROR)
			continue;
		/* one that just ended needs no log */
		if (ctl_send_word(c->ctl, CTL_LOG, index, fd) < 0 &&
		    !ctl_is_gone(errno))
			log_msg(LOG_ERROR,
			    "log reopen not told pid=%d error=\"%s\"",
			    (int)c->pid, strerror(errno));
	}
}

void
logfiles_reopen(struct master *m)
{
	log_msg(LOG_NOTICE, "reopen logs");
	list_foreach (n, &m->gens) {
		struct gen *g = LIST_ENTRY(n, struct gen, node);

		for (uint32_t i = 0; i < g->boot.n_logs; i++) {
			if (!logfile_again(&g->files[i]))
				continue;
			g->logs[i].fd = g->files[i].fd;
			logfiles_tell(g, i, g->files[i].fd);
		}
		if (logfile_again(&g->error_log)) {
			g->boot.error_log_fd = g->error_log.fd;
			logfiles_tell(g, CTL_LOG_ERROR, g->error_log.fd);
		}
		if (gen_is_serving(g))
			logfile_use_error_log(g, "master");
	}
}
