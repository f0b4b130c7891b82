/* base/catdb_int: the file of a database of categories, between who builds it
 * and who reads it. Numbers are in the byte order of the machine; a file of
 * another order has another version.
 *
 *     struct catdb_head
 *     struct catdb_category   n_categories times
 *     struct catset           n_sets times
 *     struct catdb_slot       n_slots times: open addressing, probed linearly
 *     pool                    pool_len bytes: one that is nobody's, then names
 *                             behind CATDB_POOL_HEAD bytes each: length, number
 *                             of the set (two bytes) */
#ifndef GH_CATDB_INT_H
#define GH_CATDB_INT_H

#include <assert.h>

#include "common/base/catdb.h"

#define CATDB_MAGIC "GHCATDB\n"
#define CATDB_MAGIC_LEN 8u
#define CATDB_VERSION 1u
#define CATDB_SETS_MAX (1u << 16)
#define CATDB_SLOTS_MIN 16u
#define CATDB_SLOTS_MAX (1u << 25)
#define CATDB_POOL_MAX (1u << 29)
#define CATDB_POOL_HEAD 3u
/* Slots that are looked at for one name. The longest run of a good table is
 * some hundred (linear probing, two thirds full). */
#define CATDB_PROBES_MAX 1024u

struct catdb_head {
	char magic[CATDB_MAGIC_LEN];
	uint64_t checksum; /* catdb_checksum() */
	uint32_t version;
	uint32_t n_categories;
	uint32_t n_sets;
	uint32_t n_names;
	uint32_t n_slots; /* a power of two, two thirds full at most */
	uint32_t pool_len;
	uint32_t labels_max; /* of any name */
	uint32_t zero;
	uint64_t seed; /* of namehash() */
};
static_assert(sizeof(struct catdb_head) == 56, "the file's head");

struct catdb_category {
	uint8_t len;
	char text[CATDB_CATEGORY_LEN_MAX];
};
static_assert(sizeof(struct catdb_category) == 32, "a category of the file");

struct catdb_slot {
	uint32_t hash;
	uint32_t at; /* in the pool; 0: empty */
};

struct catdb {
	const struct catdb_head *head;
	const struct catdb_category *categories;
	const struct catset *sets;
	const struct catdb_slot *slots;
	const char *pool;
	void *block; /* what catdb_free() gives back */
	size_t len;
};

/* Of a file, over all behind it. `file` holds a whole head. */
uint64_t catdb_checksum(span file);
/* Look at the bytes of a file, aligned to 8, which must live as long as *db.
 * false: `why` tells what is wrong. */
bool catdb_view(struct catdb *db, span file, char why[CATDB_WHY_CAP]);

#endif
