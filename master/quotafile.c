/* master/quotafile: the file that remembers what is used of quotas over a
 * restart ([global] quota_file). It is opened, renamed and put aside here and
 * by nobody else; what is in it is the steward's to write and to read. It takes
 * its name when it is whole, and until then the one before has it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/store/quotas.h"
#include "master/keptfile.h"
#include "master/master.h"

/* What it is called when it was refused. */
#define QUOTAFILE_BAD ".refused"
/* How much of what was used a crash of the machine may cost. */
#define QUOTAFILE_EVERY_MS (UINT64_C(10) * 1000)

void
quotafile_check(const struct conf_tree *t, struct diag *d)
{
	struct conf_scope s = conf_scope_of(t, conf_first(t, CONF_GLOBAL));
	const struct conf_value *v = conf_get(&s, KEY_GLOBAL_QUOTA_FILE);

	if (v != NULL && v->text.len + sizeof(QUOTAFILE_BAD) > PATH_MAX)
		diag_error(d, v->at, "this path is too long");
}

static void
quotafile_forget(struct quotafile *f)
{
	free(f->path);
	free(f->temp);
	free(f->bad);
	f->path = f->temp = f->bad = NULL;
}

void
quotafile_init(struct master *m)
{
	m->quotafile.fd = -1;
}

/* --- one that is under way ------------------------------------------------ */

/* What is under way is nobody's business any more. */
static void
quotafile_drop(struct quotafile *f)
{
	if (f->fd >= 0) {
		if (keptfile_is_ours(f->fd, f->temp))
			(void)unlink(f->temp);
		(void)close(f->fd);
	}
	f->fd = -1;
	f->is_busy = false;
}

static void
quotafile_log(const struct quotafile *f, const char *what)
{
	log_msg(LOG_ERROR, "quota file %s path=\"%s\" error=\"%s\"", what,
	    f->path, strerror(errno));
}

static bool
quotafile_can(const struct master *m)
{
	return m->quotafile.path != NULL && !m->is_replaced &&
	       m->steward != NULL && m->steward->ctl >= 0 &&
	       quotas_is_ready(m->tenants.quotas);
}

static bool
quotafile_tell(struct master *m, enum ctl_type type, int fd)
{
	if (ctl_send_word(m->steward->ctl, type, 0, fd) < 0)
		return false;
	m->quotafile.is_busy = true;
	return true;
}

/* Once in the life of the table. Whether it is under way. */
static bool
quotafile_load(struct master *m)
{
	struct quotafile *f = &m->quotafile;
	int fd;

	if (quotas_is_loaded(m->tenants.quotas))
		return false;
	quotas_set_loaded(m->tenants.quotas);
	fd = keptfile_open(f->path);
	if (fd < 0) {
		if (errno != ENOENT)
			quotafile_log(f, "not used");
		return false;
	}
	f->is_loading = quotafile_tell(m, CTL_QUOTA_LOAD, fd);
	(void)close(fd);
	return f->is_loading;
}

static bool
quotafile_save(struct master *m)
{
	struct quotafile *f = &m->quotafile;
	uint64_t changes = quotas_changes(m->tenants.quotas);

	f->due_ms = clock_mono_ms(loop_clock(m->loop)) + QUOTAFILE_EVERY_MS;
	if (f->has_saved && f->changes == changes)
		return false;
	f->fd = keptfile_begin(f->temp);
	if (f->fd < 0 || !quotafile_tell(m, CTL_QUOTA_SAVE, f->fd)) {
		quotafile_log(f, "not written");
		quotafile_drop(f);
		return false;
	}
	f->changes = changes;
	return true;
}

/* --- of the master -------------------------------------------------------- */

void
quotafile_care(struct master *m)
{
	struct quotafile *f = &m->quotafile;

	if (!quotafile_can(m) || f->is_busy || m->state != MASTER_RUNNING ||
	    quotafile_load(m))
		return;
	if (clock_mono_ms(loop_clock(m->loop)) >= f->due_ms)
		(void)quotafile_save(m);
}

void
quotafile_use(const struct gen *g)
{
	struct conf_scope s =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
	span path = conf_text(&s, KEY_GLOBAL_QUOTA_FILE);
	struct quotafile *f = &g->master->quotafile;

	if (f->path != NULL && span_eq(path, span_str(f->path)))
		return;
	quotafile_drop(f);
	quotafile_forget(f);
	f->has_saved = false;
	f->due_ms = 0;
	if (path.len == 0)
		return;
	f->path = keptfile_path(path, "");
	f->temp = keptfile_path(path, KEPTFILE_TEMP);
	f->bad = keptfile_path(path, QUOTAFILE_BAD);
}

/* Kept for who wants to see what was wrong with it; the next one takes its
 * name. */
static void
quotafile_put_aside(const struct quotafile *f)
{
	if (rename(f->path, f->bad) < 0)
		quotafile_log(f, "not put aside");
	else
		log_msg(LOG_ERROR, "quota file refused path=\"%s\" kept=\"%s\"",
		    f->path, f->bad);
}

void
quotafile_done(struct master *m, bool is_ok)
{
	struct quotafile *f = &m->quotafile;

	if (!f->is_busy)
		return;
	if (f->is_loading) {
		f->is_loading = false;
		if (!is_ok)
			quotafile_put_aside(f);
	} else if (f->fd >= 0 && is_ok) {
		f->has_saved = keptfile_is_ours(f->fd, f->temp) &&
			       rename(f->temp, f->path) == 0;
		if (!f->has_saved)
			quotafile_log(f, "not written");
	}
	quotafile_drop(f);
	master_check_end(m);
}

void
quotafile_lost(struct master *m)
{
	m->quotafile.is_loading = false;
	quotafile_drop(&m->quotafile);
}

bool
quotafile_wants_last(const struct master *m)
{
	return quotafile_can(m) &&
	       (!m->quotafile.is_over || m->quotafile.is_busy);
}

bool
quotafile_last(struct master *m)
{
	struct quotafile *f = &m->quotafile;

	if (!quotafile_wants_last(m))
		return false;
	if (f->is_busy)
		return true;
	f->is_over = true;
	return quotafile_save(m);
}

void
quotafile_give_up(struct master *m)
{
	m->quotafile.is_over = true;
	quotafile_drop(&m->quotafile);
}

void
quotafile_close(struct master *m)
{
	quotafile_drop(&m->quotafile);
	quotafile_forget(&m->quotafile);
}
