/* store/snapshot_int: bytes of a snapshot, in this machine's order. */
#ifndef GH_SNAPSHOT_INT_H
#define GH_SNAPSHOT_INT_H

#include <assert.h>
#include <stdint.h>

#include "common/base/siphash.h"
#include "common/store/objects_int.h"
#include "common/store/snapshot.h"

/* As this machine orders bytes: another order is another file. */
#define SNAPSHOT_MAGIC UINT64_C(0x3150414e53484701)
#define SNAPSHOT_IS_LAST UINT64_C(0x5453414c53494854)
#define SNAPSHOT_VERSION_CAP 40

/* Work of one piece, in bytes of objects and in entries looked at. */
#define SNAPSHOT_PIECE_BYTES (UINT64_C(4) << 20)
#define SNAPSHOT_PIECE_ENTRIES 32768u

/* The file's first bytes. Heads of objects are as the version of gatehouse that
 * wrote them has them, so a file is for that version alone. */
struct snapshot_top {
	uint64_t magic;
	char version[SNAPSHOT_VERSION_CAP]; /* PACKAGE_VERSION, zeros */
	struct sipkey key[2]; /* of the cache */
	struct sipkey seal; /* of this file's sums */
	uint64_t sum; /* of all before it */
	uint64_t is_last; /* SNAPSHOT_IS_LAST, until snapshot_outdate() */
};

enum snapshot_kind { SNAPSHOT_OBJECT = 1, SNAPSHOT_END };

#define SNAPSHOT_SOFT 1u

/* Before each object: its labels, name, head and body follow. The last one says
 * how many there were. */
struct snapshot_record {
	uint32_t kind;
	uint32_t flags;
	uint64_t number; /* from 0 */
	struct obj_key key;
	uint64_t body_len;
	uint32_t n_labels;
	uint32_t name_len;
	uint32_t bytes_len;
	uint32_t reserved;
	uint64_t data_sum; /* of what follows */
	uint64_t sum; /* of all before it */
};

static_assert(sizeof(struct snapshot_top) == 112, "as doc/shm.md has it");
static_assert(sizeof(struct snapshot_record) == 72, "as doc/shm.md has it");

static inline uint64_t
snapshot_top_sum(const struct snapshot_top *t)
{
	return siphash(&t->seal,
	    span_of((const char *)t, offsetof(struct snapshot_top, sum)));
}

static inline uint64_t
snapshot_record_sum(
    const struct snapshot_top *t, const struct snapshot_record *r)
{
	return siphash(&t->seal,
	    span_of((const char *)r, offsetof(struct snapshot_record, sum)));
}

/* Bytes of labels, name and head. */
static inline uint64_t
snapshot_head_len(const struct snapshot_record *r)
{
	return r->n_labels * (uint64_t)sizeof(uint64_t) + r->name_len +
	       (uint64_t)r->bytes_len;
}

/* What a file of this version begins with, but for sums and keys. */
void snapshot_top_init(struct snapshot_top *t);
/* Read and check it. false with errno. */
bool snapshot_top_read(int fd, struct snapshot_top *t);
/* All len bytes at `off`. false with errno (ENODATA: the file ends before). */
bool snapshot_pread(int fd, void *p, size_t len, uint64_t off);

#endif
