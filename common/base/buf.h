/* base/buf: refcounted blocks of bytes, and slices of them. What arrives from
 * a socket stays where it was read; slices travel, bytes do not. A block is
 * written by its one owner and read-only once a slice of it was given away,
 * except behind `used`. Blocks come from a per-worker pool. */
#ifndef GH_BUF_H
#define GH_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Data bytes of a pooled block: one read of a socket. Measured in bench/run:
 * larger reads do not pay for plain bodies. */
#define BUF_CAP 16384

struct buf_pool;

struct buf {
	uint32_t refs;
	uint32_t cap;
	uint32_t used; /* bytes filled from the start of data */
	struct buf_pool *pool;
	struct buf *next_free;
	char data[];
};

struct buf_pool {
	struct buf *free;
	uint32_t n_free;
	uint32_t n_free_max;
	uint32_t n_live;
	size_t large; /* bytes of blocks of other sizes */
};

/* Borrowed bytes (buf == NULL: they live as long as the exchange, for instance
 * in its arena or in prepared memory) or a counted reference to a block. */
struct slice {
	struct buf *buf;
	const char *p;
	uint32_t len;
};

void buf_pool_init(struct buf_pool *p, uint32_t n_free_max);
void buf_pool_fini(struct buf_pool *p);

/* A block of BUF_CAP bytes with one reference, used = 0. Panics when the
 * machine has no memory left. */
struct buf *buf_new(struct buf_pool *p);
/* A block of `cap` bytes (cap is limited by the caller), which is not kept for
 * reuse. With a pool it counts there; one of BUF_CAP bytes is the pool's own. */
struct buf *buf_new_sized(struct buf_pool *p, size_t cap);
struct buf *buf_ref(struct buf *b);
/* Drops a reference; NULL is allowed. */
void buf_unref(struct buf *b);

/* A slice of filled bytes; takes a reference of its own. */
struct slice slice_of(struct buf *b, uint32_t off, uint32_t len);
/* Drops the slice's reference and empties it. */
void slice_drop(struct slice *s);

static inline uint32_t
buf_room(const struct buf *b)
{
	return b->cap - b->used;
}

#endif
