/* base/map: text to pointer, hashed with a random key, open addressing. For
 * start-up tables and small run-time sets; keys are borrowed and must live as
 * long as the map. */
#ifndef GH_MAP_H
#define GH_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/siphash.h"
#include "common/base/span.h"

struct map_slot {
	span key;
	uint64_t hash;
	void *value;
};

struct map {
	struct map_slot *slots;
	uint32_t n_slots; /* power of two or 0 */
	uint32_t n;
	bool is_caseless;
	struct sipkey key;
};

/* is_caseless: keys are compared without ASCII case. */
void map_init(struct map *m, bool is_caseless);
void map_fini(struct map *m);
/* The value, or NULL when the key is not there. */
void *map_get(const struct map *m, span key);
/* Put or replace; value must not be NULL. Returns the old value or NULL. */
void *map_put(struct map *m, span key, void *value);
/* Take out; returns the old value or NULL. */
void *map_del(struct map *m, span key);

#define map_foreach(s, m) \
	for (struct map_slot *s = (m)->slots; s < (m)->slots + (m)->n_slots; \
	     s++) \
		if (s->value != NULL)

#endif
