/* store/snapshot_write: a cache into a file. An object is copied while it is
 * pinned and written when it no longer is; what goes or comes meanwhile is
 * missed, what was purged before is left out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/num.h"
#include "common/store/snapshot_int.h"

/* Pieces of a body that are asked for at once. */
#define BODY_PIECES 16

struct snapshot_writer {
	int fd;
	bool has_top;
	struct snapshot_top top;
	uint64_t off; /* in the file */
	uint64_t number;
	uint32_t at; /* entry that was looked at last */
	char *buf; /* a record and what follows it */
	size_t cap;
};

void
snapshot_top_init(struct snapshot_top *t)
{
	memset(t, 0, sizeof(*t));
	t->magic = SNAPSHOT_MAGIC;
	memcpy(t->version, PACKAGE_VERSION,
	    size_min(sizeof(PACKAGE_VERSION), sizeof(t->version)));
}

struct snapshot_writer *
snapshot_writer_new(int fd, bool is_last)
{
	struct snapshot_writer *w = calloc(1, sizeof(*w));

	REQUIRE(w != NULL);
	w->fd = fd;
	snapshot_top_init(&w->top);
	sipkey_random(&w->top.seal);
	w->top.is_last = is_last ? SNAPSHOT_IS_LAST : 0;
	return w;
}

void
snapshot_writer_free(struct snapshot_writer *w)
{
	if (w == NULL)
		return;
	(void)close(w->fd);
	free(w->buf);
	free(w);
}

struct snapshot_counts
snapshot_written(const struct snapshot_writer *w)
{
	return (struct snapshot_counts){.objects = w->number, .bytes = w->off};
}

/* A disk that is full takes a part. false with errno. */
static bool
write_all(struct snapshot_writer *w, const void *from, size_t len)
{
	const char *p = from;

	while (len > 0) {
		ssize_t n = pwrite(w->fd, p, len, (off_t)w->off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ENOSPC : errno;
			return false;
		}
		p += n;
		len -= (size_t)n;
		w->off += (uint64_t)n;
	}
	return true;
}

static bool
write_top(struct snapshot_writer *w, const struct objects_view *v)
{
	if (w->has_top)
		return true;
	w->has_top = true;
	memcpy(w->top.key, v->key, sizeof(w->top.key));
	w->top.sum = snapshot_top_sum(&w->top);
	return write_all(w, &w->top, sizeof(w->top));
}

static void
writer_need(struct snapshot_writer *w, size_t cap)
{
	if (cap <= w->cap)
		return;
	free(w->buf);
	w->buf = malloc(cap);
	REQUIRE(w->buf != NULL);
	w->cap = cap;
}

/* The body, behind what the buffer has. false: it is not all there. */
static bool
copy_body(struct objects_view *v, struct obj_ref ref, char *to, uint64_t len)
{
	struct iovec iov[BODY_PIECES];
	uint64_t off = 0;
	uint64_t n;

	while (off < len) {
		int k =
		    objects_body(v, ref, off, len - off, iov, BODY_PIECES, &n);

		for (int i = 0; i < k; i++) {
			memcpy(to + off, iov[i].iov_base, iov[i].iov_len);
			off += iov[i].iov_len;
		}
		if (k == 0)
			return false;
	}
	return true;
}

/* A pinned object into the buffer. Returns its bytes there, 0: it is nothing
 * for a file. */
static size_t
copy_object(
    struct snapshot_writer *w, struct objects_view *v, struct obj_ref ref)
{
	struct snapshot_record r = {
	    .kind = SNAPSHOT_OBJECT,
	    .number = w->number,
	    .key = obj_key_at(obj_entry(&v->m, ref.at)),
	};
	struct obj_facts facts;
	struct obj_head head;
	enum obj_verdict verdict;
	uint64_t soft_seq;
	char *data;
	size_t head_len;

	objects_facts(v, ref, &facts);
	r.body_len = facts.length;
	if (facts.length > SNAPSHOT_BODY_MAX || facts.filled != facts.length)
		return 0;
	writer_need(w, sizeof(r) + OBJECTS_HEAD_MAX + facts.length);
	data = w->buf + sizeof(r);
	if (objects_head(v, ref, data, OBJECTS_HEAD_MAX, &head) != 0)
		return 0;
	r.n_labels = head.n_labels;
	r.name_len = (uint32_t)head.name.len;
	r.bytes_len = (uint32_t)head.bytes.len;
	head_len = (size_t)snapshot_head_len(&r);
	if (!copy_body(v, ref, data + head_len, r.body_len))
		return 0;
	/* after the copy: what was said until now counts */
	verdict = obj_purge_judge(&v->m, ref.at, &soft_seq);
	objects_facts(v, ref, &facts);
	if (facts.is_gone || verdict == VERDICT_DROP)
		return 0;
	if (facts.is_soft || verdict == VERDICT_SOFT)
		r.flags |= SNAPSHOT_SOFT;
	r.data_sum =
	    siphash(&w->top.seal, span_of(data, head_len + r.body_len));
	r.sum = snapshot_record_sum(&w->top, &r);
	memcpy(w->buf, &r, sizeof(r));
	return sizeof(r) + head_len + (size_t)r.body_len;
}

/* One entry. false with errno. */
static bool
write_entry(struct snapshot_writer *w, struct objects_view *v)
{
	uint64_t life = atomic_load(&obj_entry(&v->m, ++w->at)->life);
	struct obj_ref ref = {w->at, life_gen(life)};
	size_t len;

	if (life_state(life) != LIFE_READY || !obj_pin(v, ref.at, ref.gen))
		return true;
	len = copy_object(w, v, ref);
	objects_unpin(v, ref);
	if (len == 0)
		return true;
	w->number++;
	return write_all(w, w->buf, len);
}

static bool
write_end(struct snapshot_writer *w)
{
	struct snapshot_record r = {.kind = SNAPSHOT_END, .number = w->number};

	r.sum = snapshot_record_sum(&w->top, &r);
	return write_all(w, &r, sizeof(r)) && fdatasync(w->fd) == 0;
}

enum snapshot_rc
snapshot_write(struct snapshot_writer *w, struct objects_view *v)
{
	uint32_t reach = obj_reach(&v->m);
	uint64_t from = w->off;

	if (!write_top(w, v))
		return SNAPSHOT_FAILED;
	if (memcmp(w->top.key, v->key, sizeof(v->key)) != 0) {
		errno = ESTALE;
		return SNAPSHOT_FAILED;
	}
	for (uint32_t i = 0; w->at < reach; i++) {
		if (i == SNAPSHOT_PIECE_ENTRIES ||
		    w->off - from >= SNAPSHOT_PIECE_BYTES) {
			/* begun now, so that the end has little to wait for; no
			 * promise, and not all file systems can */
			(void)sync_file_range(w->fd, (off_t)from,
			    (off_t)(w->off - from), SYNC_FILE_RANGE_WRITE);
			return SNAPSHOT_MORE;
		}
		if (!write_entry(w, v))
			return SNAPSHOT_FAILED;
	}
	return write_end(w) ? SNAPSHOT_WHOLE : SNAPSHOT_FAILED;
}
