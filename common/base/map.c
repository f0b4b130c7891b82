/* base/map: open addressing with linear probing, at most half full. */
#include "common/base/map.h"

#include <stdlib.h>

#include "common/base/check.h"

#define MAP_SLOTS_MIN 16

void
map_init(struct map *m, bool is_caseless)
{
	*m = (struct map){.is_caseless = is_caseless};
	sipkey_random(&m->key);
}

void
map_fini(struct map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->n_slots = m->n = 0;
}

static uint64_t
map_hash(const struct map *m, span key)
{
	return m->is_caseless ? siphash_lower(&m->key, key)
			      : siphash(&m->key, key);
}

/* The slot that holds the key, or the free one where it would go. */
static struct map_slot *
map_slot(const struct map *m, span key, uint64_t hash)
{
	uint32_t mask = m->n_slots - 1;

	for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
		struct map_slot *s = &m->slots[i];

		if (s->value == NULL)
			return s;
		if (s->hash == hash && (m->is_caseless ? span_ieq(s->key, key)
						       : span_eq(s->key, key)))
			return s;
	}
}

void *
map_get(const struct map *m, span key)
{
	if (m->n == 0)
		return NULL;
	return map_slot(m, key, map_hash(m, key))->value;
}

static void
map_grow(struct map *m)
{
	struct map_slot *old = m->slots;
	uint32_t n_old = m->n_slots;

	m->n_slots = n_old ? n_old * 2 : MAP_SLOTS_MIN;
	REQUIRE(m->n_slots > n_old);
	m->slots = calloc(m->n_slots, sizeof(*m->slots));
	REQUIRE(m->slots != NULL);
	for (uint32_t i = 0; i < n_old; i++)
		if (old[i].value != NULL)
			*map_slot(m, old[i].key, old[i].hash) = old[i];
	free(old);
}

void *
map_put(struct map *m, span key, void *value)
{
	uint64_t hash = map_hash(m, key);
	struct map_slot *s;
	void *old;

	REQUIRE(value != NULL);
	if (m->n_slots == 0 || m->n >= m->n_slots / 2)
		map_grow(m);
	s = map_slot(m, key, hash);
	old = s->value;
	*s = (struct map_slot){old ? s->key : key, hash, value};
	m->n += old == NULL;
	return old;
}

void *
map_del(struct map *m, span key)
{
	struct map_slot *s;
	uint32_t mask = m->n_slots - 1;
	uint32_t hole;
	void *old;

	if (m->n == 0)
		return NULL;
	s = map_slot(m, key, map_hash(m, key));
	old = s->value;
	if (old == NULL)
		return NULL;
	m->n--;
	/* close the gap, so that what was probed past it is still found */
	hole = (uint32_t)(s - m->slots);
	for (uint32_t i = (hole + 1) & mask; m->slots[i].value != NULL;
	     i = (i + 1) & mask) {
		uint32_t home = (uint32_t)m->slots[i].hash & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){{NULL, 0}, 0, NULL};
	return old;
}
