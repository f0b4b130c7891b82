/* filter/codec_dict: dictionaries as codecs want them. To make one ready costs
 * as much as to code its text, so that those which were used last stay, within
 * what the pool may have. Which bytes they are, the caller knows. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/num.h"
#include "common/http/dictionary.h"
#include "worker/filter/codec_int.h"

/* Dictionaries that wait for their next use. */
#define DICTS_IDLE_MAX 8
/* So much of a worker's time may go into making dictionaries ready, and so much of
 * it at once: a client who names many large ones in turn costs the others no more. */
#define DICTS_TIME_SHARE 10u
#define DICTS_BURST_US 250000u
/* Bytes of the longer one of the magic numbers that there are (RFC 9842 4, 5). */
#define MAGIC_CAP 8

struct codec_dict {
	struct list node; /* of codec_dicts.all */
	struct codec_dicts *of;
	struct codec_loaded loaded;
	const struct codec_kind *kind;
	uint32_t refs; /* streams that use it */
	enum coding coding;
	int level;
	unsigned char hash[DICTIONARY_HASH_LEN];
	char head[MAGIC_CAP + DICTIONARY_HASH_LEN]; /* of every stream */
};

struct codec_dicts {
	struct codec_pool *pool;
	struct list all; /* of struct codec_dict, the longest unused first */
	uint32_t n;
	uint64_t spent_us; /* of the burst */
	uint64_t at_us; /* when that was known */
};

struct codec_dicts *
codec_dicts_new(struct codec_pool *p)
{
	struct codec_dicts *ds = calloc(1, sizeof(*ds));

	REQUIRE(ds != NULL);
	ds->pool = p;
	list_init(&ds->all);
	return ds;
}

bool
codec_dicts_drop(struct codec_dicts *ds)
{
	list_foreach (n, &ds->all) {
		struct codec_dict *d = LIST_ENTRY(n, struct codec_dict, node);

		if (d->refs > 0)
			continue;
		list_del(&d->node);
		ds->n--;
		d->kind->unload(d->loaded.p);
		codec_pool_release(ds->pool, d->loaded.memory);
		free(d);
		return true;
	}
	return false;
}

void
codec_dicts_free(struct codec_dicts *ds)
{
	while (codec_dicts_drop(ds))
		continue;
	REQUIRE(ds->n == 0);
	free(ds);
}

struct codec_dict *
codec_dict_find(
    struct codec_pool *p, enum coding c, int level, const unsigned char *hash)
{
	struct codec_dicts *ds = codec_pool_dicts(p);

	list_foreach (n, &ds->all) {
		struct codec_dict *d = LIST_ENTRY(n, struct codec_dict, node);

		if (d->coding != c || d->level != level ||
		    memcmp(d->hash, hash, sizeof(d->hash)) != 0)
			continue;
		list_del(&d->node);
		list_push_back(&ds->all, &d->node);
		return d;
	}
	return NULL;
}

struct codec_dict *
codec_dict_load(struct codec_pool *p, enum coding c, int level,
    const unsigned char *hash, span text)
{
	const struct codec_kind *kind = codec_kind_of(c);
	struct codec_dicts *ds = codec_pool_dicts(p);
	struct codec_loaded loaded;
	struct codec_dict *d;
	size_t most;

	if (!kind->weigh(text, level, &loaded))
		return NULL;
	most = loaded.memory;
	while (ds->n >= DICTS_IDLE_MAX && codec_dicts_drop(ds))
		continue;
	if (!codec_pool_reserve(p, most))
		return NULL;
	kind->load(text, level, &loaded);
	if (loaded.p == NULL) {
		codec_pool_release(p, most);
		return NULL;
	}
	codec_pool_release(p, most - loaded.memory);
	d = calloc(1, sizeof(*d));
	REQUIRE(d != NULL);
	*d = (struct codec_dict){.of = ds,
	    .loaded = loaded,
	    .kind = kind,
	    .coding = c,
	    .level = level};
	memcpy(d->hash, hash, sizeof(d->hash));
	REQUIRE(kind->magic.len <= MAGIC_CAP);
	memcpy(d->head, kind->magic.p, kind->magic.len);
	memcpy(d->head + kind->magic.len, hash, sizeof(d->hash));
	list_init(&d->node);
	list_push_back(&ds->all, &d->node);
	ds->n++;
	return d;
}

bool
codec_dict_may_load(struct codec_pool *p, uint64_t now_us)
{
	struct codec_dicts *ds = codec_pool_dicts(p);
	uint64_t back_us = (now_us - ds->at_us) / DICTS_TIME_SHARE;

	ds->spent_us -= u64_min(ds->spent_us, back_us);
	ds->at_us = now_us;
	return ds->spent_us < DICTS_BURST_US;
}

void
codec_dict_spent(struct codec_pool *p, uint64_t us)
{
	codec_pool_dicts(p)->spent_us += us;
}

enum coding
codec_dict_coding(const struct codec_dict *d)
{
	return d->coding;
}

int
codec_dict_level(const struct codec_dict *d)
{
	return d->level;
}

size_t
codec_dict_memory_each(const struct codec_dict *d)
{
	return d->loaded.memory_each;
}

span
codec_dict_use(struct codec_dict *d, void *ctx)
{
	d->kind->use(ctx, &d->loaded);
	return span_of(d->head, d->kind->magic.len + sizeof(d->hash));
}

void
codec_dict_ref(struct codec_dict *d)
{
	d->refs++;
}

void
codec_dict_unref(struct codec_dict *d)
{
	REQUIRE(d->refs > 0);
	d->refs--;
}
