/* shm/registry: stable ids for the names of what is shared: two generations, or
 * two masters, that know the same name mean the same id, and so the same place
 * in the tables of its kind. Only masters give and take ids (doc/shm.md 2). */
#ifndef GH_REGISTRY_H
#define GH_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"

/* No id: the registry is full or has no such name. */
#define REGISTRY_NONE UINT32_MAX
/* Of a name, for people; longer ones are cut there, never confused. */
#define REGISTRY_TEXT_CAP 96

struct registry;

/* Called before an id is given to a new name: make what its tables hold there
 * usable and empty. false: no memory; then the id is not given. */
typedef bool registry_f(void *self, uint32_t id);

/* The registry of one kind of things, with ids below `cap`. Master only. NULL
 * with errno. */
struct registry *registry_open(struct segment *s, const char *kind,
    uint32_t cap, registry_f *ready, void *self);
void registry_close(struct registry *r);

/* The id of a name for one more generation; REGISTRY_NONE with errno. */
uint32_t registry_claim(struct registry *r, span name);
/* One generation less; with the last one of all masters the id is free. */
void registry_unclaim(struct registry *r, uint32_t id);
/* A master before this one is gone: its claims fall. */
void registry_forget(struct registry *r, uint64_t epoch);

#endif
