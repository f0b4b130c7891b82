/* filter/codec_gzip: gzip (RFC 1952) by zlib. */
#ifdef HAVE_ZLIB

#define ZLIB_CONST
#include "worker/filter/codec_int.h"

#include <stdlib.h>
#include <zlib.h>

#include "common/base/check.h"

/* The largest window, in gzip's own frame (zlib.h, deflateInit2). */
#define GZIP_WINDOW (15 + 16)
#define GZIP_MEM_LEVEL 8

struct gunzip {
	z_stream z;
	bool is_begun; /* anything came */
	bool is_whole; /* it stands behind a member's end */
};

static void
gzip_in(z_stream *z, const struct bfilter_io *io)
{
	z->next_in = (const Bytef *)io->in;
	z->avail_in = (uInt)io->in_len;
	z->next_out = (Bytef *)io->out;
	z->avail_out = (uInt)io->out_len;
}

static void
gzip_out(const z_stream *z, struct bfilter_io *io)
{
	io->in = (const char *)z->next_in;
	io->in_len = z->avail_in;
	io->out = (char *)z->next_out;
	io->out_len = z->avail_out;
}

/* --- coding --------------------------------------------------------------- */

static void *
gzip_open(int level)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z != NULL && deflateInit2(z, level, Z_DEFLATED, GZIP_WINDOW,
			     GZIP_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static void
gzip_reset(void *ctx)
{
	(void)deflateReset(ctx);
}

static void
gzip_free(void *ctx)
{
	(void)deflateEnd(ctx);
	free(ctx);
}

static enum bfilter_rc
gzip_step(void *ctx, struct bfilter_io *io, enum bfilter_how how)
{
	static const int flush[] = {
	    [BFILTER_RUN] = Z_NO_FLUSH,
	    [BFILTER_FLUSH] = Z_SYNC_FLUSH,
	    [BFILTER_LAST] = Z_FINISH,
	};
	z_stream *z = ctx;
	int rc;

	gzip_in(z, io);
	rc = deflate(z, flush[how]);
	gzip_out(z, io);
	/* Z_BUF_ERROR: there was nothing to do */
	REQUIRE(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
	if (rc == Z_STREAM_END)
		return BFILTER_DONE;
	return io->out_len == 0 ? BFILTER_FULL : BFILTER_OK;
}

const struct codec_kind codec_gzip = {
    .open = gzip_open,
    .reset = gzip_reset,
    .free = gzip_free,
    .step = gzip_step,
};

/* --- decoding ------------------------------------------------------------- */

static void *
gunzip_open(int level)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	(void)level;
	if (g != NULL && inflateInit2(&g->z, GZIP_WINDOW) == Z_OK)
		return g;
	free(g);
	return NULL;
}

static void
gunzip_reset(void *ctx)
{
	struct gunzip *g = ctx;

	(void)inflateReset(&g->z);
	g->is_begun = g->is_whole = false;
}

static void
gunzip_free(void *ctx)
{
	struct gunzip *g = ctx;

	(void)inflateEnd(&g->z);
	free(g);
}

/* What is left when zlib takes no more. */
static enum bfilter_rc
gunzip_end(
    const struct gunzip *g, const struct bfilter_io *io, enum bfilter_how how)
{
	if (io->out_len == 0)
		return BFILTER_FULL;
	if (how != BFILTER_LAST)
		return BFILTER_OK;
	/* content that is not there at all has no coding, either */
	return g->is_whole || !g->is_begun ? BFILTER_DONE : BFILTER_BAD;
}

static enum bfilter_rc
gunzip_step(void *ctx, struct bfilter_io *io, enum bfilter_how how)
{
	struct gunzip *g = ctx;
	int rc;

	g->is_begun |= io->in_len > 0;
	do {
		/* RFC 1952 2.2: members follow each other */
		if (g->is_whole && io->in_len > 0) {
			(void)inflateReset(&g->z);
			g->is_whole = false;
		}
		gzip_in(&g->z, io);
		rc = g->is_whole ? Z_BUF_ERROR : inflate(&g->z, Z_NO_FLUSH);
		gzip_out(&g->z, io);
		if (rc == Z_STREAM_END)
			g->is_whole = true;
		else if (rc != Z_OK && rc != Z_BUF_ERROR)
			return BFILTER_BAD;
	} while (io->in_len > 0 && io->out_len > 0);
	return gunzip_end(g, io, how);
}

const struct codec_kind codec_gunzip = {
    .open = gunzip_open,
    .reset = gunzip_reset,
    .free = gunzip_free,
    .step = gunzip_step,
};

#endif
