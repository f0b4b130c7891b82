/* base/vec: growing array of pointers. */
#include "common/base/vec.h"

#include <stdlib.h>

#include "common/base/check.h"

void
vec_init(struct vec *v)
{
	*v = (struct vec){NULL, 0, 0};
}

void
vec_fini(struct vec *v)
{
	free(v->at);
	vec_init(v);
}

void
vec_push(struct vec *v, void *p)
{
	if (v->n == v->cap) {
		uint32_t cap = v->cap ? v->cap * 2 : 8;
		void **at = reallocarray(v->at, cap, sizeof(*at));

		REQUIRE(at != NULL && cap > v->cap);
		v->at = at;
		v->cap = cap;
	}
	v->at[v->n++] = p;
}
