/* store/objects_read: what is in an object. Whatever a number in the segment
 * says, reads stay inside of the range and come to an end: each is read once
 * and checked against this process's own bounds. */
#include <string.h>

#include "common/base/num.h"
#include "common/store/objects_int.h"

/* Copying a head again when it was replaced meanwhile. */
#define HEAD_TRIES 8u

/* --- head ----------------------------------------------------------------- */

/* Bytes of labels, name and the caller's own. */
static uint64_t
top_len(const struct obj_head_top *t)
{
	return (uint64_t)t->n_labels * sizeof(uint64_t) + t->name_len +
	       t->bytes_len;
}

/* The head of that version. */
static bool
head_look_at(const struct obj_map *m, const struct obj_entry *e,
    uint32_t version, struct obj_head_top *top, uint32_t *run)
{
	uint32_t len;

	*run = obj_get(&e->heads[version & 1]);
	len = obj_run_len(m, *run);
	if (len == 0)
		return false;
	memcpy(top, obj_bytes(m, *run), sizeof(*top));
	return top->n_labels <= OBJECTS_LABELS_MAX &&
	       sizeof(*top) + top_len(top) <= (uint64_t)len * OBJ_BLOCK;
}

/* A head is never changed, and its run is not thrown away before another
 * version says which one counts: a version that is the same before and after
 * means that what was copied is whole. */
static bool
version_is_still(const struct obj_entry *e, uint32_t version)
{
	atomic_thread_fence(memory_order_acquire);
	return obj_get(&e->head_version) == version;
}

bool
obj_head_copy(const struct obj_map *m, const struct obj_entry *e,
    obj_head_f *copy, void *self)
{
	for (uint32_t i = 0; i < HEAD_TRIES; i++) {
		struct obj_head_top top;
		uint32_t run;
		uint32_t version = atomic_load_explicit(
		    &e->head_version, memory_order_acquire);
		bool is_there = head_look_at(m, e, version, &top, &run);

		if (is_there)
			copy(self, &top, obj_bytes(m, run) + sizeof(top));
		if (version_is_still(e, version))
			return is_there;
	}
	return false;
}

struct head_out {
	char *buf;
	size_t cap;
	struct obj_head *out;
	size_t more; /* bytes that are missing */
};

/* Labels first: they are aligned, whatever the buffer is. */
static void
head_out_copy(void *self, const struct obj_head_top *top, const char *bytes)
{
	struct head_out *h = self;
	size_t gap = -(uintptr_t)h->buf % sizeof(uint64_t);
	size_t len = (size_t)top_len(top);
	char *at = h->buf + gap;
	size_t labels = top->n_labels * sizeof(uint64_t);

	h->more = gap + len > h->cap ? len + sizeof(uint64_t) : 0;
	if (h->more > 0)
		return;
	memcpy(at, bytes, len);
	h->out->labels = (const uint64_t *)(const void *)at;
	h->out->n_labels = top->n_labels;
	h->out->name = span_of(at + labels, top->name_len);
	h->out->bytes = span_of(at + labels + top->name_len, top->bytes_len);
}

ssize_t
objects_head(struct objects_view *v, struct obj_ref r, void *buf, size_t cap,
    struct obj_head *out)
{
	const struct obj_entry *e = obj_entry(&v->m, r.at);
	struct head_out h = {buf, cap, out, 0};

	if (e == NULL || !obj_head_copy(&v->m, e, head_out_copy, &h))
		return -1;
	return (ssize_t)h.more;
}

/* --- facts ---------------------------------------------------------------- */

static enum obj_state
state_of(uint64_t life)
{
	switch (life_state(life)) {
	case LIFE_FILLING:
		return OBJ_FILLING;
	case LIFE_READY:
		return OBJ_READY;
	case LIFE_FREE:
	case LIFE_MAKING:
	case LIFE_LEAVING:
	case LIFE_GONE:
	case LIFE_FREEING:
		break;
	}
	return (life_flags(life) & LIFE_BROKEN) != 0 ? OBJ_BROKEN : OBJ_NONE;
}

void
objects_facts(struct objects_view *v, struct obj_ref r, struct obj_facts *out)
{
	const struct obj_entry *e = obj_entry(&v->m, r.at);
	uint64_t life;

	REQUIRE(e != NULL);
	/* life first: what is READY has its length and all of its body */
	life = atomic_load_explicit(&e->life, memory_order_acquire);
	*out = (struct obj_facts){
	    .state = life_gen(life) == r.gen ? state_of(life) : OBJ_NONE,
	    .is_gone = life_gen(life) != r.gen || !life_is_found(life),
	    .is_soft = (life_flags(life) & LIFE_SOFT) != 0,
	    .is_outgrown = life_gen(life) == r.gen &&
			   (life_flags(life) & LIFE_OUTGROWN) != 0,
	    .is_awaited = pins_any(&e->waiters),
	    .has_head = obj_get(&e->heads[atomic_load_explicit(&e->head_version,
					      memory_order_acquire) &
					  1]) != 0,
	    .filled = atomic_load_explicit(&e->filled, memory_order_acquire),
	    .length = obj_get(&e->length),
	    .uses = obj_get(&e->uses),
	    .born_ms = obj_get(&e->born_ms),
	};
}

/* --- body ----------------------------------------------------------------- */

/* Where the byte at `off` is to be looked for: where this object was read last,
 * or at its beginning. A run before `filled` changes no more. */
static struct obj_place *
place_of(struct objects_view *v, struct obj_ref r, uint64_t off)
{
	struct obj_place *p = &v->places[r.at % OBJ_PLACES];

	if (p->ref.at != r.at || p->ref.gen != r.gen || p->off > off ||
	    p->run == 0)
		*p = (struct obj_place){r,
		    atomic_load_explicit(
			&obj_entry(&v->m, r.at)->first, memory_order_acquire),
		    0};
	return p;
}

/* Bytes of the run, and what follows it. 0: it is none. */
static uint64_t
run_read(const struct obj_map *m, uint32_t run, uint32_t *next)
{
	uint64_t len = (uint64_t)obj_run_len(m, run) * OBJ_BLOCK;

	if (len > 0)
		*next = atomic_load_explicit(
		    &m->metas[run - 1].next, memory_order_acquire);
	return len;
}

int
objects_body(struct objects_view *v, struct obj_ref r, uint64_t off,
    uint64_t max, struct iovec *iov, int n, uint64_t *bytes)
{
	const struct obj_entry *e = obj_entry(&v->m, r.at);
	uint64_t end, len;
	struct obj_place *p;
	uint32_t next = 0;
	int k = 0;

	REQUIRE(e != NULL);
	*bytes = 0;
	end = atomic_load_explicit(&e->filled, memory_order_acquire);
	/* nothing is longer than all the memory: this bounds the walk */
	end = u64_min(end, (uint64_t)v->m.max_blocks * OBJ_BLOCK);
	if (off >= end)
		return 0;
	end = off + u64_min(max, end - off);
	p = place_of(v, r, off);
	while (off < end && k < n) {
		len = run_read(&v->m, p->run, &next);
		if (len == 0)
			break;
		if (off - p->off >= len) {
			*p = (struct obj_place){r, next, p->off + len};
			continue;
		}
		iov[k].iov_base = obj_bytes(&v->m, p->run) + (off - p->off);
		iov[k].iov_len =
		    (size_t)u64_min(len - (off - p->off), end - off);
		off += iov[k].iov_len;
		*bytes += iov[k++].iov_len;
	}
	return k;
}

/* --- all of them ---------------------------------------------------------- */

bool
objects_next(struct objects_view *v, uint32_t *at, struct obj_ref *out)
{
	uint32_t reach = obj_reach(&v->m);

	while (*at < reach) {
		uint64_t life = atomic_load(&obj_entry(&v->m, ++*at)->life);

		if (life_state(life) != LIFE_READY)
			continue;
		*out = (struct obj_ref){*at, life_gen(life)};
		if (obj_pin(v, *at, out->gen))
			return true;
	}
	return false;
}
