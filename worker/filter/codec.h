/* filter/codec: codings as filters. Contexts of the libraries are large: they
 * belong to a pool of the worker, which lends them out, keeps those that can be
 * used again, and never has more than it may. Knows nothing of exchanges. */
#ifndef GH_CODEC_H
#define GH_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http/coding.h"
#include "worker/exch/bfilter.h"

struct codec_dict;
struct codec_pool;
struct counter_set;

/* Whether this build can make the coding, and whether it can take it away. Not
 * for IDENTITY. */
bool codec_is_built(enum coding c);
bool codec_decodes(enum coding c);

/* Levels of effort: the least, the most, and what is good for answers that are
 * made while they are sent (numbers: doc/compression.md). */
struct codec_levels {
	int8_t least;
	int8_t most;
	int8_t usual;
};
struct codec_levels codec_levels(enum coding c);

/* Bytes that one filter needs at most; with a dictionary that depends on it. */
size_t codec_memory(enum coding c, int level);
size_t codec_memory_decode(enum coding c);

/* `limit` bytes in all contexts together; what coding makes of content is
 * counted. */
struct codec_pool *codec_pool_new(uint64_t limit, struct counter_set *counters);
/* All filters must be closed. */
void codec_pool_free(struct codec_pool *p);
/* Bytes of all contexts, lent and kept, as codec_memory() counts them. */
uint64_t codec_pool_used(const struct codec_pool *p);

/* A filter that codes, in a level of codec_levels(); NULL: there is no room in
 * the pool now. Its state for bfilter_add() with codec_ops; built codings only.
 */
void *codec_open(struct codec_pool *p, enum coding c, int level);

/* A dictionary that was loaded for that coding and level before, by the SHA-256 of
 * its text; NULL: it has to be loaded. */
struct codec_dict *codec_dict_find(
    struct codec_pool *p, enum coding c, int level, const unsigned char *hash);
/* Load one. It stays until its room is needed. NULL: there is none for it, or its
 * text is none that all readers take for mere bytes. */
struct codec_dict *codec_dict_load(struct codec_pool *p, enum coding c,
    int level, const unsigned char *hash, span text);
/* Whether there is time for that: loading takes a tenth of a worker's at most, in the
 * long run. Told so much of it, in microseconds, as was taken. */
bool codec_dict_may_load(struct codec_pool *p, uint64_t now_us);
void codec_dict_spent(struct codec_pool *p, uint64_t us);
/* A filter that codes with it, as codec_open(). */
void *codec_open_with(struct codec_pool *p, struct codec_dict *d);

/* One that takes the coding away. More than `max` bytes of output (0: any
 * number) are refused as broken input, and so are windows above 8 MiB of zstd
 * and what follows the end. */
void *codec_open_decode(struct codec_pool *p, enum coding c, uint64_t max);

extern const struct bfilter_ops codec_ops;

#endif
