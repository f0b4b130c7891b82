/* store/snapshot_read: a file into a cache. Whatever its bytes are, reading
 * stays inside of its buffer and comes to an end: each record's length is
 * checked before anything follows from it, its sums before it is used. Of
 * damaged bytes nothing comes into the cache; behind a damaged record there is
 * nothing to go on from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/num.h"
#include "common/store/snapshot_int.h"

struct snapshot_reader {
	int fd;
	bool is_soft;
	bool has_top;
	struct snapshot_top top;
	uint64_t off; /* in the file */
	uint64_t number; /* of the next record */
	uint64_t evicted; /* by the cache, before the first */
	struct snapshot_counts counts;
	char *buf; /* what follows a record */
	size_t cap;
};

/* --- the beginning -------------------------------------------------------- */

bool
snapshot_pread(int fd, void *to, size_t len, uint64_t off)
{
	char *p = to;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ENODATA : errno;
			return false;
		}
		p += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return true;
}

bool
snapshot_top_read(int fd, struct snapshot_top *t)
{
	struct snapshot_top ours;

	snapshot_top_init(&ours);
	if (!snapshot_pread(fd, t, sizeof(*t), 0))
		return false;
	if (t->magic == ours.magic &&
	    memcmp(t->version, ours.version, sizeof(ours.version)) == 0 &&
	    t->sum == snapshot_top_sum(t))
		return true;
	errno = EINVAL;
	return false;
}

bool
snapshot_outdate(int fd)
{
	static const uint64_t zero;

	return pwrite(fd, &zero, sizeof(zero),
		   offsetof(struct snapshot_top, is_last)) == sizeof(zero) &&
	       fdatasync(fd) == 0;
}

bool
snapshot_adopt(int fd, struct objects *o, bool *is_last)
{
	struct snapshot_top t;

	if (!snapshot_top_read(fd, &t))
		return false;
	*is_last = t.is_last == SNAPSHOT_IS_LAST;
	objects_use_keys(o, t.key);
	return true;
}

/* --- a reader ------------------------------------------------------------- */

struct snapshot_reader *
snapshot_reader_new(int fd, bool is_soft)
{
	struct snapshot_reader *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	r->fd = fd;
	r->is_soft = is_soft;
	return r;
}

void
snapshot_reader_free(struct snapshot_reader *r)
{
	if (r == NULL)
		return;
	(void)close(r->fd);
	free(r->buf);
	free(r);
}

struct snapshot_counts
snapshot_loaded(const struct snapshot_reader *r)
{
	struct snapshot_counts c = r->counts;

	c.bytes = r->off;
	return c;
}

/* --- one object ----------------------------------------------------------- */

/* Into one that is the caller's to fill. */
static bool
fill_object(struct snapshot_reader *r, struct objects_view *v,
    struct obj_ref ref, const struct snapshot_record *rec)
{
	const char *name = r->buf + rec->n_labels * sizeof(uint64_t);
	struct obj_head head = {
	    .name = span_of(name, rec->name_len),
	    .labels = (const uint64_t *)(const void *)r->buf,
	    .n_labels = rec->n_labels,
	    .bytes = span_of(name + rec->name_len, rec->bytes_len),
	};

	if (r->is_soft || (rec->flags & SNAPSHOT_SOFT) != 0)
		objects_drop_softly(v, ref);
	return objects_set_head(v, ref, &head, rec->body_len) &&
	       objects_append(v, ref, r->buf + snapshot_head_len(rec),
		   (size_t)rec->body_len) &&
	       objects_finish(v, ref);
}

/* Whether the cache has a whole one under the key. While the caller fills one
 * under it, nobody else begins another. */
static bool
is_there(struct objects_view *v, const struct obj_key *k)
{
	struct obj_ref ref;
	bool is_updating;
	enum obj_state state = objects_find(v, k, &ref, &is_updating);

	if (state != OBJ_NONE)
		objects_unpin(v, ref);
	return state == OBJ_READY;
}

static void
load_object(struct snapshot_reader *r, struct objects_view *v,
    const struct snapshot_record *rec)
{
	struct obj_ref ref;
	enum obj_begin rc = objects_begin(v, &rec->key, &ref);

	if (rc == OBJ_NO_ROOM)
		return;
	if (rc == OBJ_BEGUN && !is_there(v, &rec->key) &&
	    fill_object(r, v, ref, rec))
		r->counts.objects++;
	else if (rc == OBJ_BEGUN)
		objects_abandon(v, ref);
	objects_unpin(v, ref);
}

/* --- records -------------------------------------------------------------- */

static bool
record_is_good(const struct snapshot_reader *r, const struct objects_view *v,
    const struct snapshot_record *rec)
{
	return rec->sum == snapshot_record_sum(&r->top, rec) &&
	       rec->number == r->number && rec->number <= v->m.max_entries &&
	       (rec->kind == SNAPSHOT_OBJECT || rec->kind == SNAPSHOT_END) &&
	       rec->n_labels <= OBJECTS_LABELS_MAX &&
	       snapshot_head_len(rec) <= OBJECTS_HEAD_MAX &&
	       rec->body_len <= SNAPSHOT_BODY_MAX;
}

static bool
reader_need(struct snapshot_reader *r, size_t cap)
{
	if (cap <= r->cap)
		return true;
	free(r->buf);
	r->buf = malloc(cap);
	r->cap = r->buf == NULL ? 0 : cap;
	return r->buf != NULL;
}

static enum snapshot_rc
read_record(struct snapshot_reader *r, struct objects_view *v)
{
	struct snapshot_record rec;
	size_t len;

	if (!snapshot_pread(r->fd, &rec, sizeof(rec), r->off))
		return SNAPSHOT_FAILED;
	if (!record_is_good(r, v, &rec)) {
		errno = EBADMSG;
		return SNAPSHOT_FAILED;
	}
	r->off += sizeof(rec);
	if (rec.kind == SNAPSHOT_END)
		return SNAPSHOT_WHOLE;
	r->number++;
	len = (size_t)(snapshot_head_len(&rec) + rec.body_len);
	/* one more, so that there is a buffer also for nothing */
	if (!reader_need(r, len + 1) ||
	    !snapshot_pread(r->fd, r->buf, len, r->off))
		return SNAPSHOT_FAILED;
	r->off += len;
	if (rec.data_sum == siphash(&r->top.seal, span_of(r->buf, len)))
		load_object(r, v, &rec);
	else
		r->counts.dropped++;
	return SNAPSHOT_MORE;
}

static bool
reader_begin(struct snapshot_reader *r, const struct objects_view *v)
{
	if (r->has_top)
		return true;
	if (!snapshot_top_read(r->fd, &r->top))
		return false;
	r->has_top = true;
	r->off = sizeof(r->top);
	r->evicted = atomic_load(&v->m.super->n_evicted);
	return true;
}

enum snapshot_rc
snapshot_read(struct snapshot_reader *r, struct objects_view *v)
{
	uint64_t from = r->off;

	if (!reader_begin(r, v))
		return SNAPSHOT_FAILED;
	if (memcmp(r->top.key, v->key, sizeof(v->key)) != 0) {
		errno = ESTALE;
		return SNAPSHOT_FAILED;
	}
	while (r->off - from < SNAPSHOT_PIECE_BYTES) {
		enum snapshot_rc rc = read_record(r, v);

		if (rc != SNAPSHOT_MORE)
			return rc;
		/* full: what comes would take the place of what came */
		if (atomic_load(&v->m.super->n_evicted) != r->evicted)
			return SNAPSHOT_WHOLE;
	}
	return SNAPSHOT_MORE;
}
