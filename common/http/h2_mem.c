/* http/h2_mem: counts the memory of one session. Each piece carries its size in
 * front, so that what is given back is counted, too. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/h2_int.h"

#define MEM_ALIGN 16

struct mem_piece {
	size_t size; /* with this header */
	char data[] __attribute__((aligned(MEM_ALIGN)));
};

static struct mem_piece *
piece_of(void *p)
{
	return CONTAINER_OF(p, struct mem_piece, data);
}

static bool
mem_fits(const struct h2_mem *m, size_t len, size_t *size)
{
	return size_add(len, sizeof(struct mem_piece), size) &&
	       *size <= m->max - m->used;
}

static void
mem_took(struct h2_mem *m, size_t size)
{
	m->used += size;
	if (m->used > m->peak)
		m->peak = m->used;
}

static void *
mem_malloc(size_t len, void *self)
{
	struct h2_mem *m = self;
	struct mem_piece *piece;
	size_t size;

	if (!mem_fits(m, len, &size))
		return NULL;
	piece = malloc(size);
	REQUIRE(piece != NULL);
	piece->size = size;
	mem_took(m, size);
	return piece->data;
}

static void
mem_free(void *p, void *self)
{
	struct h2_mem *m = self;
	struct mem_piece *piece;

	if (p == NULL)
		return;
	piece = piece_of(p);
	m->used -= piece->size;
	free(piece);
}

static void *
mem_calloc(size_t n, size_t each, void *self)
{
	size_t len;
	void *p;

	if (!size_mul(n, each, &len))
		return NULL;
	p = mem_malloc(len, self);
	return p == NULL ? NULL : memset(p, 0, len);
}

static void *
mem_realloc(void *p, size_t len, void *self)
{
	struct h2_mem *m = self;
	struct mem_piece *piece;
	size_t size, old;

	if (p == NULL)
		return mem_malloc(len, self);
	if (!mem_fits(m, len, &size))
		return NULL;
	piece = piece_of(p);
	old = piece->size;
	piece = realloc(piece, size);
	REQUIRE(piece != NULL);
	piece->size = size;
	m->used -= old;
	mem_took(m, size);
	return piece->data;
}

nghttp2_mem
h2_mem_hooks(struct h2_mem *m)
{
	return (nghttp2_mem){
	    .mem_user_data = m,
	    .malloc = mem_malloc,
	    .free = mem_free,
	    .calloc = mem_calloc,
	    .realloc = mem_realloc,
	};
}
