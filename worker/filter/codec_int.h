/* filter/codec_int: between the pool and the libraries. */
#ifndef GH_CODEC_INT_H
#define GH_CODEC_INT_H

#include "worker/filter/codec.h"

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
};

#ifdef HAVE_ZLIB
extern const struct codec_kind codec_gzip;
extern const struct codec_kind codec_gunzip;
#endif
#ifdef HAVE_BROTLI
extern const struct codec_kind codec_br;
extern const struct codec_kind codec_unbr;
#endif
#ifdef HAVE_ZSTD
extern const struct codec_kind codec_zstd;
extern const struct codec_kind codec_unzstd;
#endif

#endif
