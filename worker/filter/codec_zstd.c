/* filter/codec_zstd: zstd (RFC 8878). */
#ifdef HAVE_ZSTD

#include "worker/filter/codec_int.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Window and tables as powers of two: the same in all levels, so that the level
 * is one of time and not of memory (doc/compression.md). */
#define ZSTD_WINDOW 18
#define ZSTD_TABLE 17
/* With a dictionary the window holds it and a fourth more, so that an answer of
 * its length can be told by it to the end; clients must know 8 MiB at least (RFC
 * 9842 5). */
#define DCZ_WINDOW_MAX 22
/* Tables of a dictionary and of a context, measured over all lengths and levels
 * that there are. */
#define DCZ_TABLES ((size_t)4 << 20)
/* The first bytes of a dictionary that is more than bytes (RFC 8878 5). */
#define ZSTD_DICTIONARY_MAGIC "\x37\xa4\x30\xec"
/* A frame that readers of zstd skip (RFC 9842 5), and the hash in it. */
#define DCZ_MAGIC "\x5e\x2a\x4d\x18\x20\x00\x00\x00"

/* What every decoder has to know, and no more (RFC 8878 3.1.1.1.2). */
#define UNZSTD_WINDOW_MAX 23

struct zst {
	ZSTD_CCtx *c;
	bool is_ending; /* an end was begun and has not come out */
	ZSTD_EndDirective ending;
};

struct unzst {
	ZSTD_DCtx *d;
	bool is_begun; /* anything came */
	bool is_whole; /* it stands behind a frame's end */
};

/* --- coding --------------------------------------------------------------- */

static void *
zst_open(int level)
{
	static const struct {
		ZSTD_cParameter id;
		int value;
	} params[] = {
	    {ZSTD_c_windowLog, ZSTD_WINDOW},
	    {ZSTD_c_hashLog, ZSTD_TABLE},
	    {ZSTD_c_chainLog, ZSTD_TABLE},
	};
	struct zst *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	z->c = ZSTD_createCCtx();
	if (z->c == NULL) {
		free(z);
		return NULL;
	}
	REQUIRE(!ZSTD_isError(
	    ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, level)));
	for (size_t i = 0; i < NELEMS(params); i++)
		REQUIRE(!ZSTD_isError(ZSTD_CCtx_setParameter(
		    z->c, params[i].id, params[i].value)));
	return z;
}

static void
zst_reset(void *ctx)
{
	struct zst *z = ctx;

	(void)ZSTD_CCtx_reset(z->c, ZSTD_reset_session_only);
	z->is_ending = false;
}

static void
zst_free(void *ctx)
{
	struct zst *z = ctx;

	(void)ZSTD_freeCCtx(z->c);
	free(z);
}

/* Bytes that are still to come out, or an error. */
static size_t
zst_run(
    struct zst *z, struct bfilter_io *io, size_t in_len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = {io->in, in_len, 0};
	ZSTD_outBuffer out = {io->out, io->out_len, 0};
	size_t rc = ZSTD_compressStream2(z->c, &out, &in, how);

	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	return rc;
}

/* Begin an end or go on with it: no input comes while it lasts. */
static bool
zst_end(struct zst *z, struct bfilter_io *io, ZSTD_EndDirective how)
{
	size_t rc = zst_run(z, io, 0, how);

	z->ending = how;
	z->is_ending = rc != 0;
	return !ZSTD_isError(rc);
}

static bool
zst_take(struct zst *z, struct bfilter_io *io)
{
	while (io->in_len > 0 && io->out_len > 0) {
		if (ZSTD_isError(zst_run(z, io, io->in_len, ZSTD_e_continue)))
			return false;
	}
	return true;
}

static enum bfilter_rc
zst_step(void *ctx, struct bfilter_io *io, enum bfilter_how how)
{
	static const ZSTD_EndDirective ends[] = {
	    [BFILTER_FLUSH] = ZSTD_e_flush,
	    [BFILTER_LAST] = ZSTD_e_end,
	};
	struct zst *z = ctx;
	bool is_last = z->is_ending && z->ending == ZSTD_e_end;

	if (z->is_ending && !zst_end(z, io, z->ending))
		return BFILTER_BAD;
	if (!z->is_ending && is_last)
		return BFILTER_DONE;
	if (!z->is_ending && !zst_take(z, io))
		return BFILTER_BAD;
	if (io->out_len == 0)
		return BFILTER_FULL;
	if (how == BFILTER_RUN)
		return BFILTER_OK;
	if (!zst_end(z, io, ends[how]))
		return BFILTER_BAD;
	if (z->is_ending)
		return BFILTER_FULL;
	return how == BFILTER_LAST ? BFILTER_DONE : BFILTER_OK;
}

const struct codec_kind codec_zstd = {
    .open = zst_open,
    .reset = zst_reset,
    .free = zst_free,
    .step = zst_step,
};

/* --- with a dictionary ---------------------------------------------------- */

static int
dcz_window(size_t len)
{
	int log = ZSTD_WINDOW;

	while (log < DCZ_WINDOW_MAX && ((size_t)1 << log) < len + len / 4)
		log++;
	return log;
}

static bool
dcz_weigh(span text, int level, struct codec_loaded *out)
{
	(void)level;
	*out = (struct codec_loaded){
	    .memory = text.len + DCZ_TABLES,
	    .memory_each = ((size_t)1 << dcz_window(text.len)) + DCZ_TABLES,
	};
	return !span_starts(text, SPAN_LIT(ZSTD_DICTIONARY_MAGIC));
}

struct dcz {
	ZSTD_CDict *dict;
	int window;
};

static void
dcz_load(span text, int level, struct codec_loaded *out)
{
	struct dcz *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return;
	d->dict = ZSTD_createCDict(text.p, text.len, level);
	d->window = dcz_window(text.len);
	if (d->dict == NULL) {
		free(d);
		return;
	}
	out->p = d;
}

static void
dcz_unload(void *loaded)
{
	struct dcz *d = loaded;

	(void)ZSTD_freeCDict(d->dict);
	free(d);
}

static void
dcz_use(void *ctx, const struct codec_loaded *loaded)
{
	const struct dcz *d = loaded->p;
	struct zst *z = ctx;

	REQUIRE(!ZSTD_isError(
	    ZSTD_CCtx_setParameter(z->c, ZSTD_c_windowLog, d->window)));
	REQUIRE(!ZSTD_isError(ZSTD_CCtx_refCDict(z->c, d->dict)));
}

/* A context of its window is of no use for the next dictionary. */
const struct codec_kind codec_dcz = {
    .open = zst_open,
    .free = zst_free,
    .step = zst_step,
    .weigh = dcz_weigh,
    .load = dcz_load,
    .unload = dcz_unload,
    .use = dcz_use,
    .magic = {DCZ_MAGIC, sizeof(DCZ_MAGIC) - 1},
};

/* --- decoding ------------------------------------------------------------- */

static void *
unzst_open(int level)
{
	struct unzst *z = calloc(1, sizeof(*z));

	(void)level;
	if (z == NULL)
		return NULL;
	z->d = ZSTD_createDCtx();
	if (z->d == NULL) {
		free(z);
		return NULL;
	}
	REQUIRE(!ZSTD_isError(ZSTD_DCtx_setParameter(
	    z->d, ZSTD_d_windowLogMax, UNZSTD_WINDOW_MAX)));
	return z;
}

static void
unzst_reset(void *ctx)
{
	struct unzst *z = ctx;

	(void)ZSTD_DCtx_reset(z->d, ZSTD_reset_session_only);
	z->is_begun = z->is_whole = false;
}

static void
unzst_free(void *ctx)
{
	struct unzst *z = ctx;

	(void)ZSTD_freeDCtx(z->d);
	free(z);
}

static enum bfilter_rc
unzst_step(void *ctx, struct bfilter_io *io, enum bfilter_how how)
{
	struct unzst *z = ctx;
	ZSTD_inBuffer in = {io->in, io->in_len, 0};
	ZSTD_outBuffer out = {io->out, io->out_len, 0};
	size_t rc = 0;

	z->is_begun |= io->in_len > 0;
	/* frames follow each other; without input it gives what it holds */
	while (out.pos < out.size && (in.pos < in.size || !z->is_whole)) {
		size_t before = out.pos + in.pos;

		rc = ZSTD_decompressStream(z->d, &out, &in);
		if (ZSTD_isError(rc))
			return BFILTER_BAD;
		z->is_whole = rc == 0;
		if (out.pos + in.pos == before)
			break;
	}
	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (io->out_len == 0)
		return BFILTER_FULL;
	if (how != BFILTER_LAST)
		return BFILTER_OK;
	/* content that is not there at all has no coding, either */
	return z->is_whole || !z->is_begun ? BFILTER_DONE : BFILTER_BAD;
}

const struct codec_kind codec_unzstd = {
    .open = unzst_open,
    .reset = unzst_reset,
    .free = unzst_free,
    .step = unzst_step,
};

#endif
