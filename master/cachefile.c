/* master/cachefile: files that outlive caches ([cache] file). They are opened,
 * renamed and removed here and by nobody else; what is in them is the steward's
 * to write and to read. One at a time is under way. A file takes its name when
 * it is whole, and until then the one before has it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "common/store/snapshot.h"
#include "master/admin.h"
#include "master/keptfile.h"
#include "master/master.h"

/* How much of a cache a crash may cost. */
#define CACHEFILE_EVERY_MS (UINT64_C(10) * 60 * 1000)

/* Of one cache. */
struct cachefile {
	char *path;
	char *temp;
	struct objects *objects; /* claimed */
	int load_fd; /* to be loaded; -1 */
	bool is_soft; /* what is loaded is to be validated */
};

struct cachefiles {
	struct segment *segment;
	uint32_t n;
	struct cachefile at[];
};

/* --- of a generation ------------------------------------------------------ */

void
cachefiles_check(const struct conf_tree *t, struct diag *d)
{
	for (const struct conf_section *s = conf_first(t, CONF_CACHE);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(t, s);
		const struct conf_value *v = conf_get(&scope, KEY_CACHE_FILE);

		if (v == NULL || v->text.len == 0)
			continue;
		if (v->text.len + sizeof(KEPTFILE_TEMP) > PATH_MAX)
			diag_error(d, v->at, "this path is too long");
		for (const struct conf_section *o = conf_first(t, CONF_CACHE);
		     o != s; o = o->next) {
			struct conf_scope other = conf_scope_of(t, o);

			if (span_eq(conf_text(&other, KEY_CACHE_FILE), v->text))
				diag_error(d, v->at,
				    "it is the file of [cache %.*s] already",
				    SPAN_FMT(o->name));
		}
	}
}

/* A new cache is to be filled from its file. */
static void
cachefile_look(struct cachefile *f, struct objects *made)
{
	bool is_last = false;

	if (!objects_is_new(made))
		return;
	f->load_fd = keptfile_open(f->path);
	if (f->load_fd < 0) {
		if (errno != ENOENT)
			log_msg(LOG_WARN,
			    "cache file not used path=\"%s\" error=\"%s\"",
			    f->path, strerror(errno));
		return;
	}
	if (snapshot_adopt(f->load_fd, made, &is_last)) {
		f->is_soft = !is_last;
		return;
	}
	log_msg(LOG_WARN, "cache file not used path=\"%s\" error=\"%s\"",
	    f->path, strerror(errno));
	(void)close(f->load_fd);
	f->load_fd = -1;
}

static void
cachefile_init(struct cachefile *f, const struct gen *g,
    const struct conf_section *s, span path)
{
	struct objects *made = claims_cache(g->claims, s->name);

	f->load_fd = -1;
	f->path = keptfile_path(path, "");
	f->temp = keptfile_path(path, KEPTFILE_TEMP);
	if (made == NULL)
		return;
	/* our own: the cache must be there after its last generation */
	f->objects =
	    objects_claim(g->master->segment, s->name, objects_memory(made));
	if (f->objects != NULL)
		cachefile_look(f, made);
}

void
cachefiles_open(struct gen *g)
{
	uint32_t n = 0;

	for (const struct conf_section *s = conf_first(g->conf, CONF_CACHE);
	     s != NULL; s = s->next)
		n++;
	g->cachefiles =
	    calloc(1, sizeof(*g->cachefiles) + n * sizeof(struct cachefile));
	REQUIRE(g->cachefiles != NULL);
	g->cachefiles->segment = g->master->segment;
	for (const struct conf_section *s = conf_first(g->conf, CONF_CACHE);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(g->conf, s);
		span path = conf_text(&scope, KEY_CACHE_FILE);

		if (path.len > 0)
			cachefile_init(
			    &g->cachefiles->at[g->cachefiles->n++], g, s, path);
	}
}

void
cachefiles_prepared(struct gen *g)
{
	struct cachefiles *c = g->cachefiles;

	for (uint32_t i = 0; c != NULL && i < c->n; i++)
		if (c->at[i].load_fd >= 0 &&
		    !snapshot_outdate(c->at[i].load_fd))
			c->at[i].is_soft = true;
}

void
cachefiles_free(struct cachefiles *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->n; i++) {
		struct cachefile *f = &c->at[i];

		if (f->load_fd >= 0)
			(void)close(f->load_fd);
		objects_unclaim(c->segment, f->objects);
		free(f->path);
		free(f->temp);
	}
	free(c);
}

/* --- one that is under way ------------------------------------------------ */

/* Give up what is under way, if anything is. */
static void
cachejob_drop(struct cachejob *j)
{
	if (j->fd >= 0) {
		if (keptfile_is_ours(j->fd, j->temp))
			(void)unlink(j->temp);
		(void)close(j->fd);
	}
	free(j->path);
	free(j->temp);
	*j = (struct cachejob){.fd = -1};
}

/* For people. */
static void
cachejob_note(struct master *m, bool is_ok)
{
	m->cache_saved.is_known = true;
	m->cache_saved.is_ok = is_ok;
	m->cache_saved.wall_us = loop_clock(m->loop)->wall_us;
	tell_state(m);
}

static void
cachejob_log(const struct cachejob *j, bool is_ok, int err)
{
	if (is_ok)
		log_msg(LOG_INFO, "cache file written path=\"%s\"", j->path);
	else
		log_msg(LOG_ERROR,
		    "cache file not written path=\"%s\" error=\"%s\"", j->path,
		    strerror(err));
}

/* The steward is done with it. */
static void
cachejob_end(struct master *m, bool is_whole)
{
	struct cachejob *j = &m->cachejob;

	if (j->fd >= 0) {
		bool is_ok = is_whole && keptfile_is_ours(j->fd, j->temp) &&
			     rename(j->temp, j->path) == 0;

		cachejob_log(j, is_ok, is_whole ? errno : ECANCELED);
		cachejob_note(m, is_ok);
	}
	cachejob_drop(j);
}

static bool
cachejob_tell(struct master *m, enum ctl_type type, const struct cachefile *f,
    bool has_flag, int fd)
{
	uint64_t arg =
	    objects_number(f->objects) | (has_flag ? CTL_CACHE_FLAG : 0);

	return ctl_send_word(m->steward->ctl, type, arg, fd) == 0;
}

/* false: it did not come to be under way. */
static bool
cachejob_save(struct master *m, const struct cachefile *f, bool is_last)
{
	struct cachejob *j = &m->cachejob;

	if (f->objects == NULL || f->load_fd >= 0)
		return false;
	*j = (struct cachejob){
	    .path = strdup(f->path),
	    .temp = strdup(f->temp),
	};
	REQUIRE(j->path != NULL && j->temp != NULL);
	j->fd = keptfile_begin(j->temp);
	if (j->fd >= 0 && cachejob_tell(m, CTL_CACHE_SAVE, f, is_last, j->fd)) {
		j->is_busy = true;
		return true;
	}
	cachejob_log(j, false, errno);
	cachejob_note(m, false);
	cachejob_drop(j);
	return false;
}

/* One that is loaded is not looked at again, whatever comes of it. */
static bool
cachejob_load(struct master *m, struct cachefile *f)
{
	bool is_told;

	if (f->load_fd < 0)
		return false;
	is_told = cachejob_tell(m, CTL_CACHE_LOAD, f, f->is_soft, f->load_fd);
	(void)close(f->load_fd);
	f->load_fd = -1;
	m->cachejob = (struct cachejob){.fd = -1, .is_busy = is_told};
	return is_told;
}

/* --- of the master -------------------------------------------------------- */

void
cachefiles_init(struct master *m)
{
	m->cachejob.fd = -1;
}

static bool
cachefiles_can(const struct master *m)
{
	return m->cachefiles != NULL && !m->is_replaced && m->steward != NULL &&
	       m->steward->ctl >= 0;
}

/* What came into caches, or was found good there. */
static uint64_t
cachefiles_changes(const struct master *m)
{
	return counters_sum(m->counters, COUNTER_CACHE_STORED) +
	       counters_sum(m->counters, COUNTER_CACHE_REVALIDATED);
}

/* A round begins when it is time and something has changed. */
static void
cachefiles_round(struct master *m)
{
	uint64_t now_ms = clock_mono_ms(loop_clock(m->loop));
	uint64_t changes;

	if (m->cache_round.due_ms == 0)
		m->cache_round.due_ms = now_ms + CACHEFILE_EVERY_MS;
	if (now_ms < m->cache_round.due_ms)
		return;
	m->cache_round.due_ms = now_ms + CACHEFILE_EVERY_MS;
	changes = cachefiles_changes(m);
	if (changes == m->cache_round.changes)
		return;
	m->cache_round.changes = changes;
	m->cache_round.next = 0;
}

void
cachefiles_care(struct master *m)
{
	struct cachefiles *c = m->cachefiles;

	if (!cachefiles_can(m) || m->cachejob.is_busy ||
	    m->state != MASTER_RUNNING)
		return;
	for (uint32_t i = 0; i < c->n; i++)
		if (cachejob_load(m, &c->at[i]))
			return;
	cachefiles_round(m);
	while (m->cache_round.next < c->n)
		if (cachejob_save(m, &c->at[m->cache_round.next++], false))
			return;
}

static bool
cachefiles_have(const struct cachefiles *c, const char *path)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (strcmp(c->at[i].path, path) == 0)
			return true;
	return false;
}

static bool
cachefiles_are_among(
    const struct cachefiles *c, const struct cachefiles *others)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (!cachefiles_have(others, c->at[i].path))
			return false;
	return true;
}

void
cachefiles_use(struct gen *g)
{
	struct master *m = g->master;
	struct cache_round *r = &m->cache_round;
	struct cachefiles *old = m->cachefiles;
	bool was_under_way = old != NULL && r->next < old->n;

	m->cachefiles = g->cachefiles;
	g->cachefiles = NULL;
	r->next = was_under_way ? 0 : UINT32_MAX;
	/* a name that is new to a cache that is not gets its file soon */
	if (old != NULL && !cachefiles_are_among(m->cachefiles, old))
		r->next = 0;
	cachefiles_free(old);
}

void
cachefiles_drop(struct master *m)
{
	cachefiles_free(m->cachefiles);
	m->cachefiles = NULL;
}

void
cachefiles_close(struct master *m)
{
	cachejob_drop(&m->cachejob);
	cachefiles_drop(m);
}

void
cachefiles_done(struct master *m, bool is_whole)
{
	if (!m->cachejob.is_busy)
		return;
	cachejob_end(m, is_whole);
	cachefiles_care(m);
	master_check_end(m);
}

void
cachefiles_lost(struct master *m)
{
	cachejob_end(m, false);
}

bool
cachefiles_wants_last(const struct master *m)
{
	return cachefiles_can(m) && m->cachefiles->n > 0 &&
	       !m->cache_round.is_over;
}

void
cachefiles_give_up(struct master *m)
{
	m->cache_round.is_over = true;
}

bool
cachefiles_last(struct master *m)
{
	struct cache_round *r = &m->cache_round;

	if (!cachefiles_wants_last(m))
		return false;
	if (m->cachejob.is_busy)
		return true;
	if (!r->is_last) {
		r->is_last = true;
		r->next = 0;
	}
	while (r->next < m->cachefiles->n)
		if (cachejob_save(m, &m->cachefiles->at[r->next++], true))
			return true;
	r->is_over = true;
	return false;
}
