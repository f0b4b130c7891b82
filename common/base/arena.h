/* base/arena: memory that is freed all at once. An arena takes fixed-size
 * chunks from a pool (one pool per worker, so that a chunk stays warm) and one
 * oversize chunk for each piece that does not fit. Not for shared memory. */
#ifndef GH_ARENA_H
#define GH_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Bytes of a pooled chunk, its header included. Measured: the head of a
 * browser's request, the exchange and its fields fit into one. */
#define ARENA_CHUNK 8192
#define ARENA_ALIGN 16

struct arena_chunk;

/* Free chunks kept for reuse. */
struct arena_pool {
	struct arena_chunk *free;
	uint32_t n_free;
	uint32_t n_free_max;
	uint32_t n_live; /* chunks handed out, for tests and memory_limit */
	size_t large; /* bytes of oversize chunks handed out */
};

struct arena {
	struct arena_pool *pool;
	struct arena_chunk *chunks; /* newest pooled chunk first */
	struct arena_chunk *large;
	char *at;
	char *end;
	size_t used; /* bytes of all chunks */
};

/* At most n_free_max chunks are kept when idle. */
void arena_pool_init(struct arena_pool *p, uint32_t n_free_max);
void arena_pool_fini(struct arena_pool *p);

/* An empty arena: no chunk until the first allocation. */
void arena_init(struct arena *a, struct arena_pool *pool);
/* Give everything back. */
void arena_fini(struct arena *a);

/* What arena_alloc() does when a piece does not fit into what is left of the
 * chunk. For it alone. */
void *arena_alloc_slow(struct arena *a, size_t len);

/* `len` bytes aligned to 16, not zeroed. Panics when the machine has no memory
 * left (sizes are limited by the callers). len may be 0. */
static inline void *
arena_alloc(struct arena *a, size_t len)
{
	/* 0 when it is 0 or overflows */
	size_t need = (len + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	void *p = a->at;

	if (need == 0 || need > (size_t)(a->end - a->at))
		return arena_alloc_slow(a, len);
	a->at += need;
	return p;
}

/* The same, the first `n` bytes zeroed. */
void *arena_zalloc_first(struct arena *a, size_t len, size_t n);
/* All of them zeroed. */
static inline void *
arena_zalloc(struct arena *a, size_t len)
{
	return arena_zalloc_first(a, len, len);
}

/* A copy of the text, with a NUL behind it that is not counted. */
span arena_span(struct arena *a, span s);
/* printf into the arena; a NUL behind it that is not counted. */
span arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The parts one after the other; a NUL behind that is not counted. */
span arena_concat(struct arena *a, const span *parts, size_t n);

#endif
