/* base/arena: chunks of one size from a LIFO pool, so that the memory of the
 * exchange that just ended, still warm, serves the next one. */
#include "common/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	char data[] __attribute__((aligned(ARENA_ALIGN)));
};

void
arena_pool_init(struct arena_pool *p, uint32_t n_free_max)
{
	p->free = NULL;
	p->n_free = 0;
	p->n_free_max = n_free_max;
	p->n_live = 0;
	p->large = 0;
#ifdef GH_SANITIZED
	/* every chunk is freed, so that a use after free is found */
	p->n_free_max = 0;
#endif
}

void
arena_pool_fini(struct arena_pool *p)
{
	while (p->free != NULL) {
		struct arena_chunk *c = p->free;

		p->free = c->next;
		free(c);
	}
	p->n_free = 0;
}

static struct arena_chunk *
chunk_new(size_t size)
{
	struct arena_chunk *c = malloc(size);

	REQUIRE(c != NULL);
	c->size = size;
	return c;
}

static struct arena_chunk *
pool_take(struct arena_pool *p)
{
	struct arena_chunk *c = p->free;

	p->n_live++;
	if (c == NULL)
		return chunk_new(ARENA_CHUNK);
	p->free = c->next;
	p->n_free--;
	return c;
}

static void
pool_give(struct arena_pool *p, struct arena_chunk *c)
{
	p->n_live--;
	if (p->n_free >= p->n_free_max) {
		free(c);
		return;
	}
	c->next = p->free;
	p->free = c;
	p->n_free++;
}

void
arena_init(struct arena *a, struct arena_pool *pool)
{
	*a = (struct arena){.pool = pool};
}

void
arena_fini(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		pool_give(a->pool, c);
	}
	while (a->large != NULL) {
		struct arena_chunk *c = a->large;

		a->large = c->next;
		a->pool->large -= c->size;
		free(c);
	}
	a->at = a->end = NULL;
	a->used = 0;
}

void *
arena_alloc_slow(struct arena *a, size_t len)
{
	struct arena_chunk *c;

	REQUIRE(len <= SIZE_MAX - ARENA_ALIGN);
	if (len == 0 && a->at != NULL)
		return a->at;
	len = (len + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (len > (ARENA_CHUNK - sizeof(*c)) / 2) {
		size_t size;

		REQUIRE(size_add(len, sizeof(*c), &size));
		c = chunk_new(size);
		c->next = a->large;
		a->large = c;
		a->pool->large += size;
		a->used += size;
		return c->data;
	}
	c = pool_take(a->pool);
	c->next = a->chunks;
	a->chunks = c;
	a->used += ARENA_CHUNK;
	a->at = c->data + len;
	a->end = (char *)c + ARENA_CHUNK;
	return c->data;
}

/* Never inlined: of a size that it knows, the compiler clears word by word
 * (rep stos), which takes longer than memset(). */
__attribute__((noinline)) void *
arena_zalloc_first(struct arena *a, size_t len, size_t n)
{
	return memset(arena_alloc(a, len), 0, n);
}

span
arena_span(struct arena *a, span s)
{
	char *p = arena_alloc(a, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return span_of(p, s.len);
}

span
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	REQUIRE(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return span_of(p, (size_t)n);
}

span
arena_concat(struct arena *a, const span *parts, size_t n)
{
	size_t len = 0;
	size_t at = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	p = arena_alloc(a, len + 1);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0)
			memcpy(p + at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	p[len] = '\0';
	return span_of(p, len);
}
