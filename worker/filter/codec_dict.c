/* filter/codec_dict: dictionaries as codecs want them. To make one ready costs
 * as much as to code its text, so that those which were used last stay, within
 * what the pool may have. Which bytes they are, the caller knows. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/http/dictionary.h"
#include "worker/filter/codec_int.h"

/* Dictionaries that wait for their next use. */
#define DICTS_IDLE_MAX 8
/* RFC 9842 5: a frame that readers of zstd skip, and the hash in it. */
#define DCZ_MAGIC "\x5e\x2a\x4d\x18\x20\x00\x00\x00"
#define DCZ_MAGIC_LEN (sizeof(DCZ_MAGIC) - 1)
#define DCZ_HEAD_LEN (DCZ_MAGIC_LEN + DICTIONARY_HASH_LEN)

struct codec_dict {
	struct list node; /* of codec_dicts.all */
	struct codec_dicts *of;
	struct codec_loaded loaded;
	uint32_t refs; /* streams that use it */
	int level;
	char head[DCZ_HEAD_LEN]; /* what every stream begins with */
};

struct codec_dicts {
	struct codec_pool *pool;
	struct list all; /* of struct codec_dict, the longest unused first */
	uint32_t n;
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
		codec_kind_of(CODING_DCZ)->unload(d->loaded.p);
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
codec_dict_find(struct codec_pool *p, int level, const unsigned char *hash)
{
	struct codec_dicts *ds = codec_pool_dicts(p);

	list_foreach (n, &ds->all) {
		struct codec_dict *d = LIST_ENTRY(n, struct codec_dict, node);

		if (d->level != level || memcmp(d->head + DCZ_MAGIC_LEN, hash,
					     DICTIONARY_HASH_LEN) != 0)
			continue;
		list_del(&d->node);
		list_push_back(&ds->all, &d->node);
		return d;
	}
	return NULL;
}

struct codec_dict *
codec_dict_load(
    struct codec_pool *p, int level, const unsigned char *hash, span text)
{
	const struct codec_kind *kind = codec_kind_of(CODING_DCZ);
	struct codec_dicts *ds = codec_pool_dicts(p);
	struct codec_loaded loaded;
	struct codec_dict *d;

	if (!kind->weigh(text, &loaded))
		return NULL;
	while (ds->n >= DICTS_IDLE_MAX && codec_dicts_drop(ds))
		continue;
	if (!codec_pool_reserve(p, loaded.memory))
		return NULL;
	kind->load(text, level, &loaded);
	if (loaded.p == NULL) {
		codec_pool_release(p, loaded.memory);
		return NULL;
	}
	d = calloc(1, sizeof(*d));
	REQUIRE(d != NULL);
	d->of = ds;
	d->loaded = loaded;
	d->level = level;
	memcpy(d->head, DCZ_MAGIC, DCZ_MAGIC_LEN);
	memcpy(d->head + DCZ_MAGIC_LEN, hash, DICTIONARY_HASH_LEN);
	list_init(&d->node);
	list_push_back(&ds->all, &d->node);
	ds->n++;
	return d;
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

void
codec_dict_use(struct codec_dict *d, void *ctx)
{
	codec_kind_of(CODING_DCZ)
	    ->use(ctx, &d->loaded, span_of(d->head, sizeof(d->head)));
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
