/* filter/codec_br: brotli (RFC 7932). Its library has no contexts that can be
 * used again; what one takes is bounded by its allocator. */
#ifdef HAVE_BROTLI

#include "worker/filter/codec_int.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Window and block as powers of two: what larger ones win is not worth their
 * memory for answers (doc/compression.md). */
#define BR_WINDOW 18
#define BR_BLOCK 16

/* Stands before each block of memory; keeps its alignment. */
union br_block {
	size_t len;
	max_align_t align;
};

struct br_memory {
	size_t left;
};

struct br {
	struct br_memory memory;
	BrotliEncoderState *e;
	BrotliEncoderOperation ending; /* it was begun and has not ended */
};

struct unbr {
	struct br_memory memory;
	BrotliDecoderState *d;
	bool is_begun;
};

static void *
br_alloc(void *opaque, size_t len)
{
	struct br_memory *m = opaque;
	union br_block *b;

	if (len > m->left || len > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + len);
	if (b == NULL)
		return NULL;
	b->len = len;
	m->left -= len;
	return b + 1;
}

static void
br_give(void *opaque, void *p)
{
	struct br_memory *m = opaque;
	union br_block *b = p;

	if (b == NULL)
		return;
	b--;
	m->left += b->len;
	free(b);
}

/* --- coding --------------------------------------------------------------- */

static void *
br_open(int level)
{
	struct br *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->memory.left = codec_memory(CODING_BR, level);
	b->e = BrotliEncoderCreateInstance(br_alloc, br_give, &b->memory);
	if (b->e == NULL) {
		free(b);
		return NULL;
	}
	(void)BrotliEncoderSetParameter(
	    b->e, BROTLI_PARAM_QUALITY, (uint32_t)level);
	(void)BrotliEncoderSetParameter(b->e, BROTLI_PARAM_LGWIN, BR_WINDOW);
	(void)BrotliEncoderSetParameter(b->e, BROTLI_PARAM_LGBLOCK, BR_BLOCK);
	return b;
}

static void
br_free(void *ctx)
{
	struct br *b = ctx;

	BrotliEncoderDestroyInstance(b->e);
	free(b);
}

static bool
br_run(struct br *b, struct bfilter_io *io, BrotliEncoderOperation op,
    size_t *in_len)
{
	const uint8_t *in = (const uint8_t *)io->in;
	uint8_t *out = (uint8_t *)io->out;
	BROTLI_BOOL ok;

	ok = BrotliEncoderCompressStream(
	    b->e, op, in_len, &in, &io->out_len, &out, NULL);
	io->in = (const char *)in;
	io->out = (char *)out;
	return ok == BROTLI_TRUE;
}

/* Begin an ending or go on with it: no input may come while it lasts. */
static bool
br_end(struct br *b, struct bfilter_io *io, BrotliEncoderOperation op)
{
	size_t none = 0;

	b->ending = op;
	if (!br_run(b, io, op, &none))
		return false;
	if (!BrotliEncoderHasMoreOutput(b->e))
		b->ending = BROTLI_OPERATION_PROCESS;
	return true;
}

/* Take input, and give what comes of it by itself. */
static bool
br_take(struct br *b, struct bfilter_io *io)
{
	while (io->out_len > 0 &&
	       (io->in_len > 0 || BrotliEncoderHasMoreOutput(b->e))) {
		if (!br_run(b, io, BROTLI_OPERATION_PROCESS, &io->in_len))
			return false;
	}
	return true;
}

static enum bfilter_rc
br_step(void *ctx, struct bfilter_io *io, enum bfilter_how how)
{
	static const BrotliEncoderOperation ops[] = {
	    [BFILTER_FLUSH] = BROTLI_OPERATION_FLUSH,
	    [BFILTER_LAST] = BROTLI_OPERATION_FINISH,
	};
	struct br *b = ctx;

	if (b->ending != BROTLI_OPERATION_PROCESS && !br_end(b, io, b->ending))
		return BFILTER_BAD;
	if (b->ending == BROTLI_OPERATION_PROCESS && !br_take(b, io))
		return BFILTER_BAD;
	if (io->out_len > 0 && how != BFILTER_RUN &&
	    !BrotliEncoderIsFinished(b->e) && !br_end(b, io, ops[how]))
		return BFILTER_BAD;
	if (BrotliEncoderIsFinished(b->e))
		return BFILTER_DONE;
	return io->out_len == 0 ? BFILTER_FULL : BFILTER_OK;
}

const struct codec_kind codec_br = {
    .open = br_open,
    .free = br_free,
    .step = br_step,
};

#ifdef HAVE_BROTLI_DICTIONARIES

/* --- with a dictionary ---------------------------------------------------- */

/* RFC 9842 4 */
#define DCB_MAGIC "\xff\x44\x43\x42"
/* Of a dictionary that is ready: where each byte's neighbours were seen, and tables
 * of them; as much again while it is made. Measured over all lengths that there
 * are. */
#define DCB_EACH 4
#define DCB_TABLES ((size_t)512 << 10)
#define DCB_TABLES_MAKING ((size_t)1280 << 10)

/* The library refers to the text. */
struct dcb {
	struct br_memory memory;
	BrotliEncoderPreparedDictionary *prepared;
	unsigned char text[];
};

/* Memory of the library for one, once it is made and while it is. */
static size_t
dcb_memory(size_t len)
{
	return DCB_EACH * len + DCB_TABLES;
}

static size_t
dcb_memory_making(size_t len)
{
	return 2 * DCB_EACH * len + DCB_TABLES_MAKING;
}

/* The window is that of the coding alone: a dictionary stands beside it. */
static bool
dcb_weigh(span text, int level, struct codec_loaded *out)
{
	*out = (struct codec_loaded){
	    .memory = text.len + dcb_memory_making(text.len),
	    .memory_each = codec_memory(CODING_DCB, level),
	};
	return true;
}

static void
dcb_load(span text, int level, struct codec_loaded *out)
{
	struct dcb *d = calloc(1, sizeof(*d) + text.len);

	if (d == NULL)
		return;
	memcpy(d->text, text.p, text.len);
	d->memory.left = dcb_memory_making(text.len);
	d->prepared =
	    BrotliEncoderPrepareDictionary(BROTLI_SHARED_DICTIONARY_RAW,
		text.len, d->text, level, br_alloc, br_give, &d->memory);
	if (d->prepared == NULL) {
		free(d);
		return;
	}
	out->p = d;
	out->memory = text.len + dcb_memory(text.len);
}

static void
dcb_unload(void *loaded)
{
	struct dcb *d = loaded;

	BrotliEncoderDestroyPreparedDictionary(d->prepared);
	free(d);
}

static void
dcb_use(void *ctx, const struct codec_loaded *loaded)
{
	const struct dcb *d = loaded->p;
	struct br *b = ctx;

	REQUIRE(BrotliEncoderAttachPreparedDictionary(b->e, d->prepared) ==
		BROTLI_TRUE);
}

const struct codec_kind codec_dcb = {
    .open = br_open,
    .free = br_free,
    .step = br_step,
    .weigh = dcb_weigh,
    .load = dcb_load,
    .unload = dcb_unload,
    .use = dcb_use,
    .magic = {DCB_MAGIC, sizeof(DCB_MAGIC) - 1},
};

#endif

/* --- decoding ------------------------------------------------------------- */

static void *
unbr_open(int level)
{
	struct unbr *u = calloc(1, sizeof(*u));

	(void)level;
	if (u == NULL)
		return NULL;
	u->memory.left = codec_memory_decode(CODING_BR);
	u->d = BrotliDecoderCreateInstance(br_alloc, br_give, &u->memory);
	if (u->d == NULL) {
		free(u);
		return NULL;
	}
	return u;
}

static void
unbr_free(void *ctx)
{
	struct unbr *u = ctx;

	BrotliDecoderDestroyInstance(u->d);
	free(u);
}

static enum bfilter_rc
unbr_step(void *ctx, struct bfilter_io *io, enum bfilter_how how)
{
	struct unbr *u = ctx;
	const uint8_t *in = (const uint8_t *)io->in;
	uint8_t *out = (uint8_t *)io->out;
	BrotliDecoderResult rc;

	u->is_begun |= io->in_len > 0;
	rc = BrotliDecoderDecompressStream(
	    u->d, &io->in_len, &in, &io->out_len, &out, NULL);
	io->in = (const char *)in;
	io->out = (char *)out;
	switch (rc) {
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return io->out_len == 0 ? BFILTER_FULL : BFILTER_BAD;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		if (how != BFILTER_LAST)
			return BFILTER_OK;
		/* content that is not there at all has no coding, either */
		return u->is_begun ? BFILTER_BAD : BFILTER_DONE;
	case BROTLI_DECODER_RESULT_SUCCESS:
		if (io->in_len > 0)
			return BFILTER_BAD;
		return how == BFILTER_LAST ? BFILTER_DONE : BFILTER_OK;
	case BROTLI_DECODER_RESULT_ERROR:
		break;
	}
	return BFILTER_BAD;
}

const struct codec_kind codec_unbr = {
    .open = unbr_open,
    .free = unbr_free,
    .step = unbr_step,
};

#endif
