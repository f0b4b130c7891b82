/* master/admin_cache: GET /v1/cache: what caches hold under a URL. A key cannot be
 * made without the request that it was made of, so all objects are looked
 * through, a bounded piece at a time, for those of its name. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/http/uri.h"
#include "common/store/kept.h"
#include "common/store/objects.h"
#include "master/admin.h"

/* Objects that are looked at before the steward does something else. */
#define FIND_PIECE 2000u
#define FIND_AGAIN_MS 1u
/* After that time what was found is all. */
#define FIND_MS 5000u
/* Objects that are told. */
#define FIND_TOLD 100u
#define FIND_DONE UINT32_MAX

struct find {
	struct list node; /* in admin.finds */
	struct admin *admin;
	struct serve_call *call;
	struct timer again;
	uint64_t until_ms;
	char *name; /* malloc'd */
	size_t len;
	json_t *found;
	uint32_t left; /* objects of this piece */
	/* how far each cache was looked through, by its number; FIND_DONE: to its
	 * end */
	uint32_t at[SEGMENT_RANGES_MAX];
	char head[OBJECTS_HEAD_MAX];
};

/* --- what is asked -------------------------------------------------------- */

const char *
admin_read_url(span url, char **name, size_t *len, bool *is_prefix)
{
	struct uri u;
	char *path;
	size_t path_len;

	*name = NULL;
	if (!uri_parse(url, &u) ||
	    (!span_ieq(u.scheme, SPAN_LIT("http")) &&
		!span_ieq(u.scheme, SPAN_LIT("https"))) ||
	    span_chr(u.host, '*') >= 0)
		return "this is no http:// or https:// URL";
	*is_prefix = span_ends(u.has_query ? u.query : u.path, SPAN_LIT("*"));
	path = malloc(u.path.len);
	*name = malloc(uri_name_cap(&u));
	REQUIRE(path != NULL && *name != NULL);
	if (uri_normalize_path(u.path, path, &path_len) == URI_PATH_AMBIGUOUS) {
		free(path);
		return "the path of this URL can be read in more than one way";
	}
	u.path = span_of(path, path_len);
	*len = uri_write_name(&u, *name);
	free(path);
	return NULL;
}

/* --- what is told --------------------------------------------------------- */

static const char *
kind_word(enum kept_kind kind)
{
	static const char *const words[] = {
	    [KEPT_ANSWER] = "answer",
	    [KEPT_VARIANTS] = "variants",
	    [KEPT_PASS] = "passed",
	    [KEPT_SLICED] = "sliced",
	    [KEPT_WHOLE] = "whole",
	    [KEPT_CODED] = "coded",
	    [KEPT_DICTIONARY] = "dictionary",
	};

	return words[kind];
}

static json_t *
field_json(const struct kept *k, enum field_id id)
{
	const struct http_field *f = fields_find(&k->fields, id);

	return f == NULL ? json_null() : tell_text(f->value);
}

static void
find_tell_answer(json_t *j, const struct kept *k, int64_t now_s)
{
	tell_number(j, "status", k->status);
	tell_number(j, "age_s", freshness_age(&k->fresh, now_s));
	(void)json_object_set_new(
	    j, "fresh_s", json_integer(freshness_ttl(&k->fresh, now_s)));
	(void)json_object_set_new(
	    j, "coding", field_json(k, FIELD_CONTENT_ENCODING));
	(void)json_object_set_new(j, "etag", field_json(k, FIELD_ETAG));
	if (k->kind == KEPT_SLICED)
		tell_number(j, "length", k->complete_len);
}

static json_t *
find_json(const struct find *f, const struct objects *o, const struct kept *k,
    const struct obj_facts *facts)
{
	json_t *j = json_object();

	(void)json_object_set_new(j, "cache", tell_text(objects_name(o)));
	(void)json_object_set_new(j, "kind", json_string(kind_word(k->kind)));
	tell_number(j, "length", facts->length);
	tell_number(j, "uses", facts->uses);
	(void)json_object_set_new(j, "soft", json_boolean(facts->is_soft));
	if (kept_is_answer(k))
		find_tell_answer(
		    j, k, clock_wall_s(loop_clock(f->admin->loop)));
	if (k->kind == KEPT_VARIANTS)
		(void)json_object_set_new(j, "vary", field_json(k, FIELD_VARY));
	return j;
}

/* --- what is found -------------------------------------------------------- */

/* One that is pinned. */
static void
find_look(struct find *f, const struct objects *o, struct objects_view *v,
    struct obj_ref ref)
{
	struct arena_pool pool;
	struct obj_facts facts;
	struct obj_head head;
	struct arena a;
	struct kept k;

	if (objects_head(v, ref, f->head, sizeof(f->head), &head) != 0 ||
	    !span_eq(head.name, span_of(f->name, f->len)) ||
	    json_array_size(f->found) >= FIND_TOLD)
		return;
	objects_facts(v, ref, &facts);
	arena_pool_init(&pool, 1);
	arena_init(&a, &pool);
	if (kept_read(head.bytes, &a, &k))
		(void)json_array_append_new(
		    f->found, find_json(f, o, &k, &facts));
	arena_fini(&a);
	arena_pool_fini(&pool);
}

static void
find_in(struct find *f, struct objects *o, struct slot_name me)
{
	const struct boot *b = f->admin->boot;
	struct objects_view *v = objects_view_new(o, b->slots, b->wakes, me);
	uint32_t *at = &f->at[objects_number(o)];
	struct obj_ref ref;

	for (; f->left > 0 && *at != FIND_DONE; f->left--) {
		if (!objects_next(v, at, &ref)) {
			*at = FIND_DONE;
			break;
		}
		find_look(f, o, v, ref);
		objects_unpin(v, ref);
	}
	objects_view_free(v);
}

/* A piece of it. Returns whether that was the last one. */
static bool
find_walk(struct find *f)
{
	const struct boot *b = f->admin->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct objects *o;
	bool is_partial = false;
	uint32_t at = 0;

	f->left = FIND_PIECE;
	while ((o = objects_walk(b->segment, b->slots, me, &at, &is_partial)) !=
	       NULL) {
		find_in(f, o, me);
		objects_walk_end(o, me);
	}
	return f->left > 0 && !is_partial;
}

static void
find_free(struct find *f)
{
	list_del(&f->node);
	loop_timer_clear(f->admin->loop, &f->again);
	json_decref(f->found);
	free(f->name);
	free(f);
}

static void
find_on_cancel(void *self, struct serve_call *c)
{
	(void)c;
	find_free(self);
}

static void
find_answer(struct find *f, bool is_complete)
{
	struct serve_call *c = f->call;
	json_t *j = json_object();

	(void)json_object_set_new(
	    j, "url", tell_text(span_of(f->name, f->len)));
	(void)json_object_set_new(j, "complete", json_boolean(is_complete));
	(void)json_object_set(j, "objects", f->found);
	find_free(f);
	admin_answer(c, 200, j);
}

static void
find_go_on(void *self)
{
	struct find *f = self;
	bool is_over = find_walk(f);

	if (is_over || clock_mono_ms(loop_clock(f->admin->loop)) >= f->until_ms)
		find_answer(f, is_over);
	else
		loop_timer_set(f->admin->loop, &f->again, FIND_AGAIN_MS);
}

void
admin_on_cache(void *self, struct serve_call *c)
{
	struct admin *a = self;
	span query = serve_request(c)->query;
	span begin = SPAN_LIT("url=");
	bool is_prefix = false;
	const char *why;
	struct find *f;

	if (!admin_begin(a, c))
		return;
	if (!span_starts(query, begin)) {
		admin_refuse(c, 400, "expected ?url= and a URL as it is");
		return;
	}
	f = calloc(1, sizeof(*f));
	REQUIRE(f != NULL);
	f->admin = a;
	f->call = c;
	f->until_ms = clock_mono_ms(loop_clock(a->loop)) + FIND_MS;
	f->found = json_array();
	timer_init(&f->again, find_go_on, f);
	list_push_back(&a->finds, &f->node);
	why = admin_read_url(
	    span_from(query, begin.len), &f->name, &f->len, &is_prefix);
	if (why == NULL && is_prefix)
		why = "one URL is looked for, not all that begin like it";
	if (why != NULL) {
		find_free(f);
		admin_refuse(c, 400, why);
		return;
	}
	serve_later(c, find_on_cancel, f);
	find_go_on(f);
}

void
admin_cache_end(struct admin *a)
{
	list_foreach_safe (n, &a->finds) {
		struct find *f = LIST_ENTRY(n, struct find, node);
		struct serve_call *c = f->call;

		find_free(f);
		admin_refuse(c, 503, "gatehouse ends");
	}
}
