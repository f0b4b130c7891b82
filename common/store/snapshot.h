/* store/snapshot: what a cache holds, in a file, so that it outlives the
 * segment. Written and read piece by piece by one process that has both open;
 * neither knows a path. Nothing in a file is believed: what is not as it was
 * written is left out. Bytes: doc/shm.md 6.7. */
#ifndef GH_SNAPSHOT_H
#define GH_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/store/objects.h"

/* A longer body is not written: a piece of work holds a whole object. */
#define SNAPSHOT_BODY_MAX (UINT64_C(32) << 20)

enum snapshot_rc {
	SNAPSHOT_MORE, /* call again */
	SNAPSHOT_WHOLE, /* all of it, to its end */
	SNAPSHOT_FAILED /* it ended early; errno says why */
};

/* How much that was. */
struct snapshot_counts {
	uint64_t objects; /* written, or put into the cache */
	uint64_t dropped; /* read, but damaged */
	uint64_t bytes; /* of the file */
};

/* --- master --------------------------------------------------------------- */

/* Whether the file begins as one that a cache can be filled from: then `o`,
 * which must be new, makes keys as that cache did. Only fixed places of fixed
 * length are looked at. *is_last: the cache did not change after it. false with
 * errno (EINVAL: it is none, or of another version). */
bool snapshot_adopt(int fd, struct objects *o, bool *is_last);
/* From now on the cache changes: nobody who asks later hears that the file is
 * the last one. false with errno. */
bool snapshot_outdate(int fd);

/* --- steward -------------------------------------------------------------- */

struct snapshot_writer;

/* Takes fd, of an empty file. `is_last`: nobody changes the cache before it is
 * given up. Never NULL. */
struct snapshot_writer *snapshot_writer_new(int fd, bool is_last);
void snapshot_writer_free(struct snapshot_writer *w);
/* The next piece, about 4 MiB or one object. A view of the same cache each time
 * (else FAILED with ESTALE); it keeps no pins. WHOLE: it is on the disk. */
enum snapshot_rc snapshot_write(
    struct snapshot_writer *w, struct objects_view *v);
struct snapshot_counts snapshot_written(const struct snapshot_writer *w);

struct snapshot_reader;

/* Takes fd, which snapshot_adopt() found good. `is_soft`: the cache may have
 * changed after it: what comes out of it is to be validated before use. Never
 * NULL. */
struct snapshot_reader *snapshot_reader_new(int fd, bool is_soft);
void snapshot_reader_free(struct snapshot_reader *r);
/* The next piece, as snapshot_write(). What the cache has already stays. WHOLE
 * also when the cache is full before the end. */
enum snapshot_rc snapshot_read(
    struct snapshot_reader *r, struct objects_view *v);
struct snapshot_counts snapshot_loaded(const struct snapshot_reader *r);

#endif
