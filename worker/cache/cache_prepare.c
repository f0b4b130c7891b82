/* cache/cache_prepare: a [cache] section compiled for serving. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "common/store/tenants.h"
#include "worker/cache/cache_int.h"

#define PREPARE_MS_PER_S 1000
#define PREPARE_SLICE_MIN 4096u

/* Whole seconds, at least one when it is not 0. */
static uint32_t
prepare_seconds(const struct conf_scope *s, enum conf_key k)
{
	uint64_t ms = (uint64_t)conf_num(s, k);

	return (uint32_t)u64_min(
	    (ms + PREPARE_MS_PER_S - 1) / PREPARE_MS_PER_S, CC_SECONDS_MAX);
}

/* The words of all lines of a key. */
static const span *
prepare_words(
    const struct conf_scope *s, enum conf_key k, struct arena *a, uint32_t *n)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	uint32_t count = 0;
	span *out;

	while ((v = conf_next(s, k, &it)) != NULL)
		count += v->n_words;
	out = arena_alloc(a, count * sizeof(*out));
	it = (struct conf_iter){NULL, 0, false};
	*n = 0;
	while ((v = conf_next(s, k, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			out[(*n)++] = v->words[i].text;
	return out;
}

static void
prepare_tags(struct cache *c, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_CACHE_TAG_HEADER);

	c->tag_header = conf_text(s, KEY_CACHE_TAG_HEADER);
	if (v != NULL && !chars_all(v->text, CHAR_TOKEN))
		diag_error(d, v->at, "'%.*s' is no name of a field",
		    SPAN_FMT(v->text));
}

/* A slice is an object, and a cache of few objects forgets what it serves. */
#define PREPARE_SLICES_MIN 8u

static void
prepare_slice(struct cache *c, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_CACHE_SLICE);
	uint64_t memory = (uint64_t)conf_num(s, KEY_CACHE_MEMORY);

	c->slice = (uint64_t)conf_num(s, KEY_CACHE_SLICE);
	if (c->slice == 0)
		return;
	if (c->slice < PREPARE_SLICE_MIN)
		diag_error(d, v->at, "a slice has at least 4k");
	else if (c->slice > c->max_object)
		diag_error(d, v->at,
		    "a slice is kept as an object: max_object is less");
	else if (c->slice > memory / PREPARE_SLICES_MIN)
		diag_error(d, v->at, "memory has no room for %u slices",
		    PREPARE_SLICES_MIN);
}

static void
prepare_key(struct cache *c, const struct conf_scope *s, struct arena *a,
    struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_CACHE_KEY);
	struct var_src src = {conf_text(s, KEY_CACHE_KEY),
	    v == NULL ? c->at : v->at, VAR_WHEN_REQUEST};

	(void)tmpl_prepare(&c->key, a, &src, d);
}

struct cache *
cache_prepare(const struct boot *b, const struct conf_section *sec,
    uint32_t index, struct arena *a, struct diag *d)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	struct cache *c = arena_zalloc(a, sizeof(*c));

	c->name = sec->name;
	c->at = sec->at;
	c->index = index;
	c->tally =
	    claims_tally(b->claims, TALLY_CACHE, sec->name, span_of(NULL, 0));
	c->objects = claims_cache(b->claims, sec->name);
	c->sorts_query = conf_bool(&s, KEY_CACHE_SORT_QUERY);
	c->coalesces = conf_bool(&s, KEY_CACHE_COALESCE);
	c->tells_status = conf_bool(&s, KEY_CACHE_STATUS_HEADER);
	c->max_object = (uint64_t)conf_num(&s, KEY_CACHE_MAX_OBJECT);
	prepare_slice(c, &s, d);
	c->stale_while_revalidate_s =
	    prepare_seconds(&s, KEY_CACHE_STALE_WHILE_REVALIDATE);
	c->stale_if_error_s = prepare_seconds(&s, KEY_CACHE_STALE_IF_ERROR);
	c->negative_ttl_s = prepare_seconds(&s, KEY_CACHE_NEGATIVE_TTL);
	prepare_tags(c, &s, d);
	c->ignored =
	    prepare_words(&s, KEY_CACHE_IGNORE_QUERY, a, &c->n_ignored);
	prepare_key(c, &s, a, d);
	return c;
}

struct plan_access *
cache_purgers(struct cache *c)
{
	return &c->purgers;
}

span
cache_name(const struct cache *c)
{
	return c->name;
}
