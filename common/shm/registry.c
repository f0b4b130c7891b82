/* shm/registry: a table of names in the segment, and a map of them in the
 * master's own memory, which is what it believes. A new master reads the table
 * once; a lie in it costs the wrong numbers, nothing else. */
#include "common/shm/registry.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/shm/crash.h"

#define REGISTRY_VERSION 1u

struct registry_entry {
	uint64_t hash[2]; /* of the whole name */
	uint32_t refs[SEGMENT_MASTERS]; /* generations of each master */
	_Atomic uint32_t is_used;
	uint32_t text_len;
	char text[REGISTRY_TEXT_CAP];
};

struct registry_table {
	struct sipkey key[2];
	uint32_t cap;
	_Atomic uint32_t used; /* ids below it were given out at some time */
	uint64_t is_made; /* the keys are drawn */
	struct registry_entry at[];
};

/* What the master knows of an id. */
struct registry_name {
	uint64_t hash[2];
	uint32_t id;
};

struct registry {
	struct segment *segment;
	struct registry_table *table;
	uint32_t cap;
	struct map by_hash; /* of struct registry_name, by its hash bytes */
	struct registry_name **names; /* by id; NULL: free */
	uint32_t least; /* no id below it is free */
	uint32_t end; /* above all ids that were ever known */
	registry_f *ready;
	void *self;
};

static span
hash_span(const uint64_t hash[2])
{
	return span_of((const char *)hash, 2 * sizeof(hash[0]));
}

/* The hash is the master's own copy: no two names have the same, whatever is
 * written in the table meanwhile. */
static void
registry_know(struct registry *r, uint32_t id, const uint64_t hash[2])
{
	struct registry_name *n = malloc(sizeof(*n));

	REQUIRE(n != NULL);
	memcpy(n->hash, hash, sizeof(n->hash));
	n->id = id;
	r->names[id] = n;
	if (r->end <= id)
		r->end = id + 1;
	(void)map_put(&r->by_hash, hash_span(n->hash), n);
}

static void
registry_unknow(struct registry *r, uint32_t id)
{
	(void)map_del(&r->by_hash, hash_span(r->names[id]->hash));
	free(r->names[id]);
	r->names[id] = NULL;
}

/* Read once: what is checked is what is used. */
static uint32_t
registry_used(const struct registry *r)
{
	uint32_t used = atomic_load(&r->table->used);

	return used > r->cap ? r->cap : used;
}

/* The table as an earlier master left it. */
static void
registry_read(struct registry *r)
{
	struct registry_table *t = r->table;
	uint64_t hash[2];
	uint32_t used;

	if (!t->is_made) {
		sipkey_random(&t->key[0]);
		sipkey_random(&t->key[1]);
		t->cap = r->cap;
		t->is_made = 1;
	}
	used = registry_used(r);
	for (uint32_t id = 0; id < used; id++) {
		memcpy(hash, t->at[id].hash, sizeof(hash));
		if (atomic_load(&t->at[id].is_used) &&
		    map_get(&r->by_hash, hash_span(hash)) == NULL)
			registry_know(r, id, hash);
	}
}

struct registry *
registry_open(struct segment *s, const char *kind, uint32_t cap,
    registry_f *ready, void *self)
{
	struct segment_want want = {
	    .kind = SEGMENT_KIND_REGISTRY,
	    .version = REGISTRY_VERSION,
	    .size = sizeof(struct registry_table) +
		    cap * sizeof(struct registry_entry),
	    .commit = sizeof(struct registry_table),
	    .name = kind,
	};
	struct registry_table *t = segment_claim(s, &want);
	struct registry *r;

	if (t == NULL)
		return NULL;
	r = calloc(1, sizeof(*r));
	REQUIRE(r != NULL);
	r->names = calloc(cap, sizeof(struct registry_name *));
	REQUIRE(r->names != NULL);
	r->segment = s;
	r->table = t;
	r->cap = cap;
	r->ready = ready;
	r->self = self;
	map_init(&r->by_hash, false);
	registry_read(r);
	return r;
}

void
registry_close(struct registry *r)
{
	if (r == NULL)
		return;
	for (uint32_t id = 0; id < r->end; id++)
		free(r->names[id]);
	free(r->names);
	map_fini(&r->by_hash);
	free(r);
}

static uint32_t *
registry_refs(struct registry *r, uint32_t id)
{
	return &r->table->at[id].refs[segment_party(segment_epoch(r->segment))];
}

/* The least id that nobody has. */
static uint32_t
registry_free_id(struct registry *r)
{
	while (r->least < r->cap && r->names[r->least] != NULL)
		r->least++;
	return r->least;
}

static uint32_t
registry_give(struct registry *r, span name, const uint64_t hash[2])
{
	uint32_t id = registry_free_id(r);
	struct registry_entry *e;

	errno = ENOSPC;
	if (id == r->cap)
		return REGISTRY_NONE;
	e = &r->table->at[id];
	errno = ENOMEM;
	if (segment_commit(r->segment, e, sizeof(*e)) < 0 ||
	    !r->ready(r->self, id))
		return REGISTRY_NONE;
	CRASH_POINT();
	memcpy(e->hash, hash, sizeof(e->hash));
	memset(e->refs, 0, sizeof(e->refs));
	e->text_len = (uint32_t)size_min(name.len, sizeof(e->text));
	memcpy(e->text, name.p, e->text_len);
	CRASH_POINT();
	if (id >= atomic_load(&r->table->used))
		atomic_store(&r->table->used, id + 1);
	CRASH_POINT();
	atomic_store(&e->is_used, 1);
	registry_know(r, id, hash);
	return id;
}

uint32_t
registry_claim(struct registry *r, span name)
{
	uint64_t hash[2] = {
	    siphash(&r->table->key[0], name), siphash(&r->table->key[1], name)};
	const struct registry_name *n = map_get(&r->by_hash, hash_span(hash));
	uint32_t id = n == NULL ? registry_give(r, name, hash) : n->id;

	if (id != REGISTRY_NONE)
		++*registry_refs(r, id);
	return id;
}

static bool
registry_is_used(const struct registry_entry *e)
{
	for (uint32_t i = 0; i < SEGMENT_MASTERS; i++)
		if (e->refs[i] > 0)
			return true;
	return false;
}

static void
registry_drop(struct registry *r, uint32_t id)
{
	registry_unknow(r, id);
	if (id < r->least)
		r->least = id;
	atomic_store(&r->table->at[id].is_used, 0);
}

void
registry_unclaim(struct registry *r, uint32_t id)
{
	struct registry_entry *e;

	if (id >= r->cap || r->names[id] == NULL)
		return;
	e = &r->table->at[id];
	if (*registry_refs(r, id) > 0)
		--*registry_refs(r, id);
	if (!registry_is_used(e))
		registry_drop(r, id);
}

void
registry_forget(struct registry *r, uint64_t epoch)
{
	uint32_t used = registry_used(r);

	for (uint32_t id = 0; id < used; id++) {
		struct registry_entry *e = &r->table->at[id];

		e->refs[segment_party(epoch)] = 0;
		if (registry_is_used(e))
			continue;
		CRASH_POINT();
		/* what it alone knew is not in this master's map */
		if (r->names[id] == NULL)
			atomic_store(&e->is_used, 0);
		else
			registry_drop(r, id);
	}
}
