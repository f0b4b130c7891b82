/* store/collections: names and values that rules keep beyond a request, in
 * collections: of an address, of a session, of all. Knows nothing of rules,
 * HTTP or clocks: a collection is found by a text, times are seconds of the
 * caller's clock. Protocol and repair: doc/shm.md 6.18. */
#ifndef GH_COLLECTIONS_H
#define GH_COLLECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Collections at once; where places are all taken, a new one takes that of the
 * one that changed the longest time ago. */
#define COLLECTIONS_MAX 8192u
/* Bytes of all that one holds, with its names. */
#define COLLECTION_ROOM 984u
/* Of a name: longer ones are not kept. Of a value: the rest is cut off. */
#define COLLECTION_NAME_MAX 64u
#define COLLECTION_VALUE_MAX 256u

struct collections;

/* A copy of one, to be read and changed. */
struct collection {
	uint64_t created_s, updated_s;
	uint32_t timeout_s; /* it ends so long after its last change */
	uint32_t n_updates;
	uint32_t n_full; /* values that found no room here */
	uint32_t len;
	char bytes[COLLECTION_ROOM];
};

struct collection_var {
	span name, value; /* in the collection, until it changes */
	uint64_t until_s; /* 0: as long as the collection */
};

/* In the segment; may_make in the master only. NULL with errno. */
struct collections *collections_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation has rules. false: there is
 * none. Master only. */
bool collections_ready(struct collections *c, struct segment *s);
bool collections_is_ready(const struct collections *c);

/* Who asks, and when. */
struct collections_by {
	const struct slots *slots;
	struct slot_name me;
	uint64_t now_s;
};

/* A copy of that one. false: there is none, it is over, or cannot be had. */
bool collections_read(struct collections *c, const struct collections_by *by,
    span key, struct collection *out);

/* Change it, or make it, as fn does with a copy: nobody else changes it
 * meanwhile. fn allocates nothing and calls no system. false: it cannot be had,
 * and fn was not called. */
typedef void collection_edit_f(void *self, struct collection *c);
bool collections_edit(struct collections *c, const struct collections_by *by,
    span key, collection_edit_f *fn, void *self);

/* --- what is in one, names without case ----------------------------------- */

/* Walk all: *at begins with 0. What another process wrote is bounded here. */
bool collection_next(
    const struct collection *c, uint32_t *at, struct collection_var *out);
bool collection_get(
    const struct collection *c, span name, struct collection_var *out);
/* A value that was there keeps its time, a new one has none. What does not fit
 * is not kept, and counted. */
void collection_put(struct collection *c, span name, span value);
/* Until when a value that is there holds. */
void collection_expire(struct collection *c, span name, uint64_t until_s);
void collection_drop(struct collection *c, span name);

/* --- for people, and for repair ------------------------------------------- */

/* Sums since the table was made: collections forgotten before their time;
 * what could not be read or changed; values without room. */
uint64_t collections_evicted(const struct collections *c);
uint64_t collections_missed(const struct collections *c);
uint64_t collections_full(const struct collections *c);

/* Mend what a dead process left. Steward only; may be repeated. */
void collections_repair(struct collections *c, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool collections_check(const struct collections *c);

#endif
