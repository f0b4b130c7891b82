/* cache/cache_mark: the mark under a URL whose answers vary: which sets of field
 * names select one of them, and the tags of those that are kept, so that a
 * server can say which one is good for a request that selects none. */
#include "common/base/check.h"
#include "common/http/vary.h"
#include "worker/cache/cache_put.h"

struct mark {
	struct obj_ref ref; /* pinned; at 0: there is none yet */
	struct kept kept;
};

/* The mark under the URL as it is now, or a new one. */
static void
mark_open(struct cache_fill *f, struct exch *y, struct mark *m)
{
	struct cached c = {.view = f->view};
	bool is_updating;

	m->ref.at = 0;
	if (objects_find(f->view, &f->base, &c.ref, &is_updating) ==
		OBJ_READY &&
	    cache_read_head(y, &c) && c.kept->kind == KEPT_VARIANTS) {
		m->ref = c.ref;
		m->kept = *c.kept;
		return;
	}
	if (c.ref.at != 0)
		objects_unpin(f->view, c.ref);
	m->kept = (struct kept){
	    .kind = KEPT_VARIANTS, .status = 200, .epoch = put_epoch(y)};
	fields_init(&m->kept.fields, &y->arena, 2);
}

static void
mark_close(const struct cache_fill *f, struct mark *m)
{
	if (m->ref.at != 0)
		objects_unpin(f->view, m->ref);
}

/* Take out the oldest field of that id when there are `max` of them. */
static void
mark_make_room(struct kept *k, enum field_id id, uint32_t max)
{
	struct http_field *oldest = fields_find(&k->fields, id);
	uint32_t n = 0;

	for (struct http_field *f = oldest; f != NULL;
	     f = fields_next(&k->fields, f))
		n++;
	if (n >= max)
		oldest->is_gone = true;
}

/* The set is the newest one. */
static void
mark_add_names(struct mark *m, struct exch *y, span names)
{
	fields_foreach(f, &m->kept.fields)
	{
		if (f->id == FIELD_VARY && span_eq(f->value, names))
			f->is_gone = true;
	}
	mark_make_room(&m->kept, FIELD_VARY, KEPT_SETS_MAX);
	fields_add_id(&m->kept.fields, &y->arena, FIELD_VARY, names);
}

/* Put a new one under the URL: what waits there looks again, and finds it. */
static bool
mark_make(struct cache_fill *f, struct exch *y, const struct mark *m)
{
	struct put p = {
	    .x = y, .cache = f->cache, .view = f->view, .url = f->url};
	struct obj_ref ref = f->ref;
	bool ok;

	if (!f->is_base) {
		enum obj_begin rc = objects_begin(f->view, &f->base, &ref);

		if (rc == OBJ_OTHER)
			objects_unpin(f->view, ref);
		if (rc != OBJ_BEGUN)
			return false;
	}
	ok = put_head(&p, ref, &m->kept, 0) && objects_finish(f->view, ref);
	if (!ok)
		objects_abandon(f->view, ref);
	cache_wake_own(f->cw, f->cache->index, ref.at);
	if (!f->is_base)
		objects_unpin(f->view, ref);
	return ok;
}

static bool
mark_write(struct cache_fill *f, struct exch *y, const struct mark *m)
{
	struct put p = {
	    .x = y, .cache = f->cache, .view = f->view, .url = f->url};

	if (m->ref.at == 0)
		return mark_make(f, y, m);
	return put_head(&p, m->ref, &m->kept, 0);
}

/* The names that select the answer, in canonical form; empty: all requests get
 * it. false: they cannot be kept. */
static bool
mark_names(struct exch *y, span *out)
{
	char *names = arena_alloc(&y->arena, VARY_TEXT_MAX);
	struct vary vary;

	if (!vary_parse(&y->resp.fields, &vary))
		return false;
	*out = span_of(names, vary_write_names(&vary, names));
	return true;
}

/* Begin under the variant's own key, and make the mark name its set. */
static bool
mark_move(struct cache_fill *f, struct exch *y, struct mark *m, span names)
{
	struct cached c = {.view = f->view, .base = f->base};
	struct obj_ref ref;

	mark_add_names(m, y, names);
	if (!cache_variant_key(&c, &m->kept, names, y, &f->key))
		return false;
	switch (objects_begin_as(f->view, &f->key, f->ref, &ref)) {
	case OBJ_BEGUN:
		break;
	case OBJ_OTHER:
		objects_unpin(f->view, ref);
		return false;
	case OBJ_NO_ROOM:
		return false;
	}
	if (!mark_write(f, y, m)) {
		objects_abandon(f->view, ref);
		objects_unpin(f->view, ref);
		return false;
	}
	/* what was begun under another key: who waits looks again */
	if (!f->is_base || m->ref.at != 0)
		objects_abandon(f->view, f->ref);
	cache_wake_own(f->cw, f->cache->index, f->ref.at);
	objects_unpin(f->view, f->ref);
	f->is_base = false;
	f->vary = names;
	f->ref = ref;
	return true;
}

bool
put_variant(struct cache_fill *f, struct exch *y)
{
	struct mark m;
	span names;
	bool ok;

	if (!mark_names(y, &names))
		return false;
	if (f->is_base ? names.len == 0 : span_eq(names, f->vary))
		return true;
	mark_open(f, y, &m);
	ok = mark_move(f, y, &m, names);
	mark_close(f, &m);
	return ok;
}

void
put_note_tag(struct cache_fill *f, struct exch *y, const struct kept *k)
{
	const struct http_field *tag = fields_find(&k->fields, FIELD_ETAG);
	span key = span_of((const char *)&f->key, sizeof(f->key));
	struct mark m;

	if (f->is_base || tag == NULL)
		return;
	mark_open(f, y, &m);
	fields_foreach(one, &m.kept.fields)
	{
		if (one->id == FIELD_ETAG && span_eq(one->name, key))
			one->is_gone = true;
	}
	mark_make_room(&m.kept, FIELD_ETAG, KEPT_TAGS_MAX);
	fields_add_known(&m.kept.fields, &y->arena, FIELD_ETAG,
	    arena_span(&y->arena, key), tag->value);
	if (m.ref.at != 0)
		(void)mark_write(f, y, &m);
	mark_close(f, &m);
}
