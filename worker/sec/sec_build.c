/* sec_build: growing arrays of what is read, in the set's arena, and how an
 * unknown word is told. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_int.h"

#define LIST_FIRST 4u

static void
list_grow(struct sec_build *b, struct sec_list *l, size_t size, uint32_t cap)
{
	size_t len;
	void *at;

	REQUIRE(size_mul(cap, size, &len));
	at = arena_zalloc(b->a, len);
	if (l->n > 0)
		memcpy(at, l->at, l->n * size);
	l->at = at;
	l->cap = cap;
}

void *
sec_list_add(struct sec_build *b, struct sec_list *l, size_t size, span part)
{
	/* nothing is read any more: what was has bounds */
	if (b->x != NULL && l->n == SEC_LIST_MAX && l != &b->tx_names) {
		sec_lex_error(
		    b->x, part, "more than %u of a kind", SEC_LIST_MAX);
		return NULL;
	}
	if (l->n == l->cap)
		list_grow(b, l, size, l->cap == 0 ? LIST_FIRST : l->cap * 2);
	return (char *)l->at + size * l->n++;
}

struct sec_list
sec_list_join(
    struct sec_build *b, struct sec_list l, struct sec_list more, size_t size)
{
	if (more.n == 0)
		return l;
	if (l.n == 0)
		return more;
	list_grow(b, &l, size, l.n + more.n);
	memcpy((char *)l.at + size * l.n, more.at, size * more.n);
	l.n += more.n;
	return l;
}

void
sec_unknown(struct sec_build *b, const char *kind, span word, const char *like)
{
	sec_lex_error(b->x, word, "unknown %s '%.*s'%s%s%s", kind,
	    SPAN_FMT(word), like != NULL ? ": is it '" : "",
	    like != NULL ? like : "", like != NULL ? "'?" : "");
}
