/* filter/codec_int: between the pool and the libraries. */
#ifndef GH_CODEC_INT_H
#define GH_CODEC_INT_H

#include "worker/filter/codec.h"

/* A dictionary as a library wants it. */
struct codec_loaded {
	void *p;
	size_t memory; /* bytes of it */
	size_t memory_each; /* of each context that uses it */
};

/* One direction of one library. */
struct codec_kind {
	/* NULL: no memory. */
	void *(*open)(int level);
	/* As new, in the same level; NULL: it cannot be used again. */
	void (*reset)(void *ctx);
	void (*free)(void *ctx);
	/* See struct bfilter_ops. */
	enum bfilter_rc (*step)(
	    void *ctx, struct bfilter_io *io, enum bfilter_how how);
	/* Of codings with a dictionary; else NULL. What it will cost at most, while it
	 * is loaded, too; false: the library would take it for something else than
	 * bytes. */
	bool (*weigh)(span text, int level, struct codec_loaded *out);
	/* Fill in p (NULL: no memory), and what it takes then if that is less. The
	 * text is copied. */
	void (*load)(span text, int level, struct codec_loaded *out);
	void (*unload)(void *loaded);
	/* Code with it, which must live as long. */
	void (*use)(void *ctx, const struct codec_loaded *d);
	span
	    magic; /* stands before the dictionary's hash, and that before all */
};

#ifdef HAVE_ZLIB
extern const struct codec_kind codec_gzip;
extern const struct codec_kind codec_gunzip;
#endif
#ifdef HAVE_BROTLI
extern const struct codec_kind codec_br;
extern const struct codec_kind codec_unbr;
#endif
#ifdef HAVE_BROTLI_DICTIONARIES
extern const struct codec_kind codec_dcb;
#endif
#ifdef HAVE_ZSTD
extern const struct codec_kind codec_zstd;
extern const struct codec_kind codec_unzstd;
extern const struct codec_kind codec_dcz;
#endif

/* --- between the pool and its dictionaries -------------------------------- */

/* Count so many bytes more, which those that nobody uses make room for. false:
 * there is no room. */
bool codec_pool_reserve(struct codec_pool *p, size_t memory);
void codec_pool_release(struct codec_pool *p, size_t memory);
struct codec_dicts *codec_pool_dicts(struct codec_pool *p);
const struct codec_kind *codec_kind_of(enum coding c);

/* Dictionaries that were loaded. */
struct codec_dicts *codec_dicts_new(struct codec_pool *p);
/* None may be in use. */
void codec_dicts_free(struct codec_dicts *ds);
/* Unload the one that was not used for the longest time. false: all are in use.
 */
bool codec_dicts_drop(struct codec_dicts *ds);
enum coding codec_dict_coding(const struct codec_dict *d);
int codec_dict_level(const struct codec_dict *d);
/* Bytes of each context that codes with it. */
size_t codec_dict_memory_each(const struct codec_dict *d);
/* Let a context code with it; what stands before all that comes of that. */
span codec_dict_use(struct codec_dict *d, void *ctx);
/* One stream more, or less, uses it. */
void codec_dict_ref(struct codec_dict *d);
void codec_dict_unref(struct codec_dict *d);

#endif
