/* base/vec: growing array of pointers for start-up code. */
#ifndef GH_VEC_H
#define GH_VEC_H

#include <stddef.h>
#include <stdint.h>

struct vec {
	void **at;
	uint32_t n;
	uint32_t cap;
};

void vec_init(struct vec *v);
/* Frees the array, not what it points to. */
void vec_fini(struct vec *v);
void vec_push(struct vec *v, void *p);

#endif
