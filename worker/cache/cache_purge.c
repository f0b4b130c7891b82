/* cache/cache_purge: PURGE, by who may (purge_allow): the URL with all its
 * variants, all URLs below a path that ends in `*`, all answers with a tag, or
 * everything. */
#include "common/base/check.h"
#include "worker/cache/cache_int.h"
#include "worker/exch/handler.h"
#include "worker/exch/sink.h"

/* Field of a PURGE: `soft`, `all`, both. */
#define PURGE_FIELD "Purge"

/* By name: whoever wrote it another way meant the same, and so are its variants
 * reached. One that is too long for a name goes by its key alone. */
static bool
purge_url(struct exch *x, struct cached *c, bool is_soft)
{
	struct obj_purge p = {.what = OBJ_PURGE_NAME,
	    .is_soft = is_soft,
	    .text = cache_url(x, c->cache)};
	struct obj_key key =
	    objects_key(c->view, cache_key_text(x, c->cache, NULL));

	/* what is on its way goes for good, and by its key it is found */
	cache_forget(c->view, &key, is_soft);
	return p.text.len >= OBJECTS_PURGE_CAP || objects_purge(c->view, &p);
}

static bool
purge_tags(struct cached *c, span tags, bool is_soft)
{
	bool ok = true;
	span tag;

	while (ok && storable_next_tag(&tags, &tag)) {
		struct obj_purge p = {.what = OBJ_PURGE_LABEL,
		    .is_soft = is_soft,
		    .label = objects_label(c->view, tag)};

		ok = objects_purge(c->view, &p);
	}
	return ok;
}

static span
purge_field(const struct exch *x, span name)
{
	const struct http_field *f =
	    name.len == 0 ? NULL : fields_find_name(&x->req.fields, name);

	return f == NULL ? span_of(NULL, 0) : f->value;
}

static bool
purge_do(struct exch *x, struct cached *c)
{
	span how = purge_field(x, SPAN_LIT(PURGE_FIELD));
	span tags = purge_field(x, c->cache->tag_header);
	struct obj_purge p = {.what = OBJ_PURGE_ALL};
	bool is_all = false;
	span word;

	while (storable_next_tag(&how, &word)) {
		if (span_ieq(word, SPAN_LIT("soft")))
			p.is_soft = true;
		else if (span_ieq(word, SPAN_LIT("all")))
			is_all = true;
	}
	if (is_all)
		return objects_purge(c->view, &p);
	if (tags.len > 0)
		return purge_tags(c, tags, p.is_soft);
	/* one that is escaped is a part of the name */
	if (!span_ends(x->req.path, SPAN_LIT("*")) || x->req.has_query)
		return purge_url(x, c, p.is_soft);
	p.what = OBJ_PURGE_PREFIX;
	p.text = cache_url(x, c->cache);
	p.text.len--;
	return objects_purge(c->view, &p);
}

enum verdict
cache_purge(struct exch *x, struct cached *c)
{
	const struct plan_access *l = &c->cache->purgers;
	enum verdict v;
	bool is_allowed;

	if (c->purger == NULL)
		c->purger = arena_zalloc(&x->arena, sizeof(*c->purger));
	v = l->judge(x, l, c->purger);
	if (v != VERDICT_NEXT)
		return v;
	is_allowed = !c->purger->is_denied;
	sink_note(x, "cache", c->cache->at, "%.*s, a PURGE, which %s",
	    SPAN_FMT(c->cache->name),
	    is_allowed ? "is obeyed" : "is not for this client");
	if (!is_allowed) {
		exch_reply_status(x, 403);
		return VERDICT_REPLY;
	}
	c->result = RESULT_PURGED;
	if (x->sink == NULL && c->view != NULL && !purge_do(x, c)) {
		exch_reply_status(x, 503);
		return VERDICT_REPLY;
	}
	exch_reply(x, 200, SPAN_LIT("text/plain; charset=utf-8"),
	    SPAN_LIT("purged\n"));
	return VERDICT_REPLY;
}
