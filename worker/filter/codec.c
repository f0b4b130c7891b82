/* filter/codec: the pool of contexts, and the filter that a context is while it
 * is lent. What it costs is counted by what it may cost, so that no stream can
 * make the others go without. */
#include "worker/filter/codec.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/num.h"
#include "common/shm/counters.h"
#include "worker/filter/codec_int.h"

/* Contexts that wait for their next use. */
#define CODEC_IDLE_MAX 16
#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
/* Best for all levels: zlib's own formula for 15 bits of window and memory
 * level 8 is 256 KiB and its structs; inflate takes a window and tables. */
#define GZIP_MEMORY (272 * KIB)
#define GUNZIP_MEMORY (48 * KIB)
/* Measured over all levels with the parameters of codec_zstd; decoding: a window
 * of 8 MiB (RFC 8878 3.1.1.1.2) and buffers of a block. */
#define ZSTD_MEMORY (3 * MIB)
#define UNZSTD_MEMORY (9 * MIB)
/* A window of 16 MiB (RFC 7932 9.1) with what is written behind it. */
#define UNBR_MEMORY (17 * MIB)

/* By level, measured with the parameters of codec_br, which refuses to take
 * more. */
static const size_t br_memory[] = {512 * KIB, 512 * KIB, 2 * MIB, 2 * MIB,
    6 * MIB, 8 * MIB, 9 * MIB, 16 * MIB, 28 * MIB, 48 * MIB};

struct codec_row {
	const struct codec_kind *code; /* NULL: not built */
	const struct codec_kind *decode;
	struct codec_levels levels;
};

static const struct codec_row codec_rows[CODING_N] = {
#ifdef HAVE_ZLIB
    [CODING_GZIP] = {&codec_gzip, &codec_gunzip, {1, 9, 5}},
#else
    [CODING_GZIP] = {NULL, NULL, {1, 9, 5}},
#endif
#ifdef HAVE_BROTLI
    [CODING_BR] = {&codec_br, &codec_unbr, {0, 9, 3}},
#else
    [CODING_BR] = {NULL, NULL, {0, 9, 3}},
#endif
#ifdef HAVE_ZSTD
    [CODING_ZSTD] = {&codec_zstd, &codec_unzstd, {1, 19, 6}},
    [CODING_DCZ] = {&codec_dcz, NULL, {1, 6, 3}},
#else
    [CODING_ZSTD] = {NULL, NULL, {1, 19, 6}},
    [CODING_DCZ] = {NULL, NULL, {1, 6, 3}},
#endif
#ifdef HAVE_BROTLI_DICTIONARIES
    [CODING_DCB] = {&codec_dcb, NULL, {5, 9, 5}},
#else
    [CODING_DCB] = {NULL, NULL, {5, 9, 5}},
#endif
};

struct codec_pool {
	uint64_t limit;
	uint64_t used;
	struct counter_set *counters;
	struct list idle; /* of struct codec, the longest unused first */
	uint32_t n_idle;
	struct codec_dicts *dicts;
};

/* A context, lent or kept. */
struct codec {
	struct codec_pool *pool;
	struct list node; /* of codec_pool.idle */
	const struct codec_kind *kind;
	void *ctx;
	struct codec_dict *dict; /* that it codes with; or NULL */
	span head; /* what of it is still to stand before the content */
	size_t memory;
	int level;
	uint64_t left; /* bytes of output that it may still make */
	uint64_t in; /* bytes so far */
	uint64_t out;
	bool is_coding; /* not decoding */
};

bool
codec_is_built(enum coding c)
{
	return codec_rows[c].code != NULL;
}

bool
codec_decodes(enum coding c)
{
	return codec_rows[c].decode != NULL;
}

struct codec_levels
codec_levels(enum coding c)
{
	return codec_rows[c].levels;
}

size_t
codec_memory(enum coding c, int level)
{
	REQUIRE(level >= codec_rows[c].levels.least &&
		level <= codec_rows[c].levels.most);
	switch (c) {
	case CODING_GZIP:
		return GZIP_MEMORY;
	case CODING_BR:
	case CODING_DCB:
		return br_memory[level];
	case CODING_ZSTD:
		return ZSTD_MEMORY;
	case CODING_DCZ:
	case CODING_IDENTITY:
	case CODING_N:
		break;
	}
	UNREACHED();
}

size_t
codec_memory_decode(enum coding c)
{
	switch (c) {
	case CODING_GZIP:
		return GUNZIP_MEMORY;
	case CODING_BR:
		return UNBR_MEMORY;
	case CODING_ZSTD:
		return UNZSTD_MEMORY;
	case CODING_DCZ:
	case CODING_DCB:
	case CODING_IDENTITY:
	case CODING_N:
		break;
	}
	UNREACHED();
}

/* --- the pool ------------------------------------------------------------- */

struct codec_pool *
codec_pool_new(uint64_t limit, struct counter_set *counters)
{
	struct codec_pool *p = calloc(1, sizeof(*p));

	REQUIRE(p != NULL);
	p->limit = limit;
	p->counters = counters;
	list_init(&p->idle);
	p->dicts = codec_dicts_new(p);
	return p;
}

static void
codec_free(struct codec *k)
{
	k->kind->free(k->ctx);
	if (k->dict != NULL)
		codec_dict_unref(k->dict);
	codec_pool_release(k->pool, k->memory);
	free(k);
}

static void
pool_drop_oldest(struct codec_pool *p)
{
	struct codec *k = LIST_ENTRY(p->idle.next, struct codec, node);

	list_del(&k->node);
	p->n_idle--;
	codec_free(k);
}

void
codec_pool_free(struct codec_pool *p)
{
	if (p == NULL)
		return;
	while (p->n_idle > 0)
		pool_drop_oldest(p);
	codec_dicts_free(p->dicts);
	REQUIRE(p->used == 0);
	free(p);
}

uint64_t
codec_pool_used(const struct codec_pool *p)
{
	return p->used;
}

bool
codec_pool_reserve(struct codec_pool *p, size_t memory)
{
	while (p->used + memory > p->limit && p->n_idle > 0)
		pool_drop_oldest(p);
	while (p->used + memory > p->limit && codec_dicts_drop(p->dicts))
		continue;
	if (p->used + memory > p->limit)
		return false;
	p->used += memory;
	return true;
}

void
codec_pool_release(struct codec_pool *p, size_t memory)
{
	p->used -= memory;
}

struct codec_dicts *
codec_pool_dicts(struct codec_pool *p)
{
	return p->dicts;
}

const struct codec_kind *
codec_kind_of(enum coding c)
{
	return codec_rows[c].code;
}

/* One that was used before and does the same. */
static struct codec *
pool_take(struct codec_pool *p, const struct codec_kind *kind, int level)
{
	list_foreach (n, &p->idle) {
		struct codec *k = LIST_ENTRY(n, struct codec, node);

		if (k->kind != kind || k->level != level)
			continue;
		list_del(&k->node);
		p->n_idle--;
		return k;
	}
	return NULL;
}

static struct codec *
pool_make(struct codec_pool *p, const struct codec_kind *kind, int level,
    size_t memory)
{
	struct codec *k;

	if (!codec_pool_reserve(p, memory))
		return NULL;
	k = calloc(1, sizeof(*k));
	REQUIRE(k != NULL);
	*k = (struct codec){.pool = p,
	    .kind = kind,
	    .ctx = kind->open(level),
	    .memory = memory,
	    .level = level};
	if (k->ctx == NULL) {
		codec_pool_release(p, memory);
		free(k);
		return NULL;
	}
	list_init(&k->node);
	return k;
}

static struct codec *
pool_open(struct codec_pool *p, const struct codec_kind *kind, int level,
    size_t memory)
{
	struct codec *k = pool_take(p, kind, level);

	return k != NULL ? k : pool_make(p, kind, level, memory);
}

void *
codec_open(struct codec_pool *p, enum coding c, int level)
{
	struct codec *k =
	    pool_open(p, codec_rows[c].code, level, codec_memory(c, level));

	if (k != NULL) {
		k->left = UINT64_MAX;
		k->is_coding = true;
	}
	return k;
}

void *
codec_open_with(struct codec_pool *p, struct codec_dict *d)
{
	const struct codec_kind *kind = codec_kind_of(codec_dict_coding(d));
	struct codec *k;

	/* nobody unloads it while room is made for this one */
	codec_dict_ref(d);
	k = pool_make(p, kind, codec_dict_level(d), codec_dict_memory_each(d));
	if (k == NULL) {
		codec_dict_unref(d);
		return NULL;
	}
	k->dict = d;
	k->left = UINT64_MAX;
	k->is_coding = true;
	k->head = codec_dict_use(d, k->ctx);
	return k;
}

void *
codec_open_decode(struct codec_pool *p, enum coding c, uint64_t max)
{
	struct codec *k =
	    pool_open(p, codec_rows[c].decode, 0, codec_memory_decode(c));

	if (k != NULL)
		k->left = max == 0 ? UINT64_MAX : max;
	return k;
}

/* --- the filter ----------------------------------------------------------- */

/* What stands before the content. */
static void
codec_give_head(struct codec *k, struct bfilter_io *io)
{
	size_t n = size_min(k->head.len, io->out_len);

	if (n == 0)
		return;
	memcpy(io->out, k->head.p, n);
	k->head = span_from(k->head, n);
	io->out += n;
	io->out_len -= n;
}

static enum bfilter_rc
codec_step(void *self, struct bfilter_io *io, enum bfilter_how how)
{
	struct codec *k = self;
	size_t room = io->out_len;
	size_t had = io->in_len;
	enum bfilter_rc rc;
	size_t made;

	codec_give_head(k, io);
	rc = k->kind->step(k->ctx, io, how);
	made = room - io->out_len;
	if (made > k->left)
		return BFILTER_BAD;
	k->left -= made;
	k->in += had - io->in_len;
	k->out += made;
	return rc;
}

static void
codec_close(void *self)
{
	struct codec *k = self;
	struct codec_pool *p = k->pool;

	if (k->is_coding) {
		counter_add(p->counters, COUNTER_COMPRESS_IN, k->in);
		counter_add(p->counters, COUNTER_COMPRESS_OUT, k->out);
	}
	k->in = k->out = 0;
	if (k->kind->reset == NULL) {
		codec_free(k);
		return;
	}
	k->kind->reset(k->ctx);
	list_push_back(&p->idle, &k->node);
	if (++p->n_idle > CODEC_IDLE_MAX)
		pool_drop_oldest(p);
}

const struct bfilter_ops codec_ops = {
    .name = "coding",
    .step = codec_step,
    .close = codec_close,
};
