/* unit/objects_fixture: a cache in a segment of its own, and objects whose
 * bytes follow from their name and version, so that whoever reads one can tell
 * whether it is what was written. */
#ifndef GH_UNIT_OBJECTS_FIXTURE_H
#define GH_UNIT_OBJECTS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/shm/wake.h"
#include "common/store/objects.h"

struct store {
	struct segment *segment;
	struct slots *slots;
	struct wake_fds wakes;
	struct objects *cache;
};

/* A segment of `budget` bytes with one cache of `memory` bytes. */
void store_open(struct store *s, uint64_t budget, uint64_t memory);
/* The same in a segment that is there. */
void store_open_in(struct store *s, struct segment *segment,
    struct slots *slots, uint64_t memory);
void store_close(struct store *s);
/* A view in the name of a new slot. */
struct objects_view *store_view(struct store *s);
/* That slot's process has died. */
void store_bury(struct store *s, const struct objects_view *v);
/* Whole walks until nothing waits. */
void store_sweep(struct objects_view *v);
/* objects_check(), failing the test with its reason. */
void store_check(struct objects_view *v);

struct obj_key store_key(const struct objects_view *v, uint32_t name);

/* What an object of that name has: everything follows from these. */
struct made {
	uint32_t name;
	uint32_t version; /* of the body */
	uint32_t len; /* of the body */
	bool is_open; /* the length is not told before the end */
};

/* Its head, with that version of its own; `buf` (STORE_HEAD_CAP) holds it. */
#define STORE_HEAD_CAP 4096u
void made_head(const struct made *m, uint32_t head_version, uint64_t *buf,
    struct obj_head *out);
/* Begin, fill in pieces and finish it; unpinned at the end. false: no room, or
 * another one fills it. */
bool made_store(struct objects_view *v, const struct made *m);
/* Append bytes [from, from + len) of the body. */
bool made_append(struct objects_view *v, struct obj_ref r, const struct made *m,
    uint32_t from, uint32_t len);
/* Read a pinned object of that name: its head is one that was made, every byte
 * of its body is the one that was written, and a READY one is whole. *out: what
 * its head says; version 0: it has no head. */
bool made_is_whole(
    struct objects_view *v, struct obj_ref r, uint32_t name, struct made *out);

#endif
