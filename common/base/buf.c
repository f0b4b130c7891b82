/* base/buf: blocks come and go through a LIFO pool. */
#include "common/base/buf.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"

void
buf_pool_init(struct buf_pool *p, uint32_t n_free_max)
{
	*p = (struct buf_pool){.n_free_max = n_free_max};
#ifdef GH_SANITIZED
	p->n_free_max = 0;
#endif
}

void
buf_pool_fini(struct buf_pool *p)
{
	while (p->free != NULL) {
		struct buf *b = p->free;

		p->free = b->next_free;
		free(b);
	}
	p->n_free = 0;
}

static struct buf *
buf_begin(struct buf *b, size_t cap, struct buf_pool *p)
{
	b->refs = 1;
	b->cap = (uint32_t)cap;
	b->used = 0;
	b->pool = p;
	b->next_free = NULL;
	return b;
}

struct buf *
buf_new(struct buf_pool *p)
{
	struct buf *b = p->free;

	p->n_live++;
	if (b != NULL) {
		p->free = b->next_free;
		p->n_free--;
	} else {
		b = malloc(sizeof(*b) + BUF_CAP);
		REQUIRE(b != NULL);
	}
	return buf_begin(b, BUF_CAP, p);
}

struct buf *
buf_new_sized(struct buf_pool *p, size_t cap)
{
	struct buf *b;
	size_t size;

	/* a pool tells its own blocks by their room */
	if (p != NULL && cap == BUF_CAP)
		return buf_new(p);
	REQUIRE(cap <= UINT32_MAX && size_add(cap, sizeof(*b), &size));
	b = malloc(size);
	REQUIRE(b != NULL);
	if (p != NULL)
		p->large += cap;
	return buf_begin(b, cap, p);
}

struct buf *
buf_ref(struct buf *b)
{
	REQUIRE(b->refs > 0 && b->refs < UINT32_MAX);
	b->refs++;
	return b;
}

void
buf_unref(struct buf *b)
{
	struct buf_pool *p;

	if (b == NULL)
		return;
	REQUIRE(b->refs > 0);
	if (--b->refs > 0)
		return;
	p = b->pool;
	if (p != NULL && b->cap != BUF_CAP) {
		p->large -= b->cap;
		p = NULL;
	} else if (p != NULL) {
		p->n_live--;
	}
	if (p == NULL || p->n_free >= p->n_free_max) {
		free(b);
		return;
	}
	b->next_free = p->free;
	p->free = b;
	p->n_free++;
}

struct slice
slice_of(struct buf *b, uint32_t off, uint32_t len)
{
	REQUIRE(off <= b->used && len <= b->used - off);
	return (struct slice){buf_ref(b), b->data + off, len};
}

void
slice_drop(struct slice *s)
{
	buf_unref(s->buf);
	*s = (struct slice){NULL, NULL, 0};
}
