/* master/keeper: files of caches, in the steward. It is in a cache only while
 * it works on a piece, so that a master can give the cache up and the walk for
 * the dead finds it. */
#include "master/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/snapshot.h"

/* Times that the cache may be missed: another steward walks through it for a
 * moment while a new master takes over. */
#define MISSED_MAX 10u

struct keeper {
	const struct boot *boot;
	uint32_t n_missed;
	uint32_t cache; /* number of the one that is worked on */
	/* at most one of them */
	struct snapshot_writer *writer;
	struct snapshot_reader *reader;
};

struct keeper *
keeper_new(const struct boot *b)
{
	struct keeper *k = calloc(1, sizeof(*k));

	REQUIRE(k != NULL);
	k->boot = b;
	return k;
}

static void
keeper_drop(struct keeper *k)
{
	snapshot_writer_free(k->writer);
	snapshot_reader_free(k->reader);
	k->writer = NULL;
	k->reader = NULL;
}

void
keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	keeper_drop(k);
	free(k);
}

void
keeper_hear(struct keeper *k, const struct ctl_msg *m, int fd)
{
	bool has_flag = (m->arg & CTL_CACHE_FLAG) != 0;

	keeper_drop(k);
	k->cache = (uint32_t)m->arg;
	k->n_missed = 0;
	if (m->type == CTL_CACHE_SAVE)
		k->writer = snapshot_writer_new(fd, has_flag);
	else
		k->reader = snapshot_reader_new(fd, has_flag);
}

/* FAILED with ENOENT: the cache is not there; with EAGAIN: another one that
 * walks may be in it. */
static enum snapshot_rc
keeper_piece(struct keeper *k)
{
	const struct boot *b = k->boot;
	struct slot_name me = {b->slot, b->incarnation};
	enum snapshot_rc rc = SNAPSHOT_FAILED;
	bool is_partial = false;
	int err = 0;
	struct objects *o;
	uint32_t at = 0;

	while ((o = objects_walk(b->segment, b->slots, me, &at, &is_partial)) !=
	       NULL) {
		if (objects_number(o) == k->cache) {
			struct objects_view *v =
			    objects_view_new(o, b->slots, b->wakes, me);

			rc = k->writer != NULL ? snapshot_write(k->writer, v)
					       : snapshot_read(k->reader, v);
			err = errno;
			objects_view_free(v);
		}
		objects_walk_end(o, me);
	}
	if (err == 0)
		err = is_partial ? EAGAIN : ENOENT;
	errno = err;
	return rc;
}

static void
keeper_log(const struct keeper *k, enum snapshot_rc rc)
{
	const char *what = k->writer != NULL ? "written" : "loaded";
	struct snapshot_counts c = k->writer != NULL
				       ? snapshot_written(k->writer)
				       : snapshot_loaded(k->reader);

	log_msg(rc == SNAPSHOT_WHOLE && c.dropped == 0 ? LOG_INFO : LOG_WARN,
	    "cache file %s whole=%s objects=%llu damaged=%llu bytes=%llu "
	    "error=\"%s\"",
	    what, rc == SNAPSHOT_WHOLE ? "yes" : "no",
	    (unsigned long long)c.objects, (unsigned long long)c.dropped,
	    (unsigned long long)c.bytes,
	    rc == SNAPSHOT_WHOLE ? "" : strerror(errno));
}

bool
keeper_work(struct keeper *k)
{
	enum snapshot_rc rc;

	if (k->writer == NULL && k->reader == NULL)
		return false;
	rc = keeper_piece(k);
	if (rc == SNAPSHOT_MORE)
		return true;
	/* not at once: with the next event, or beat */
	if (rc == SNAPSHOT_FAILED && errno == EAGAIN &&
	    ++k->n_missed <= MISSED_MAX)
		return false;
	keeper_log(k, rc);
	keeper_drop(k);
	if (ctl_send_word(
		k->boot->ctl_fd, CTL_CACHE_DONE, rc == SNAPSHOT_WHOLE, -1) < 0)
		log_msg(LOG_ERROR, "cache file not told error=\"%s\"",
		    strerror(errno));
	return false;
}
