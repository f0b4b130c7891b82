/* master/admin_purge: POST /v1/purge: what is to be found in no cache any more
 * when it is answered, by no worker. A cache takes a few purges at a time, till
 * they are swept, and is not to be entered while another steward is in it: then
 * it is tried again, for a while. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/http/storable.h"
#include "common/store/objects.h"
#include "master/admin.h"

/* Between two tries: each lets a piece of a walk be swept first. */
#define PURGE_AGAIN_MS 10u
#define PURGE_MS 5000u

struct purge {
	struct list node; /* in admin.purges */
	struct admin *admin;
	struct serve_call *call;
	struct timer again;
	uint64_t until_ms;
	json_t *told; /* holds the tags and the cache's name */
	span cache; /* p == NULL: every one */
	bool is_soft;
	enum obj_purge_what what;
	char *name; /* of a URL; malloc'd */
	span *texts; /* what is purged one after the other */
	uint32_t n;
	uint32_t done[SEGMENT_RANGES_MAX]; /* of them, by the cache's number */
};

static void
purge_free(struct purge *p)
{
	list_del(&p->node);
	loop_timer_clear(p->admin->loop, &p->again);
	json_decref(p->told);
	free(p->name);
	free(p->texts);
	free(p);
}

/* The client left: what was not done yet is not done. */
static void
purge_on_cancel(void *self, struct serve_call *c)
{
	(void)c;
	purge_free(self);
}

static void
purge_refuse(struct purge *p, unsigned status, const char *why)
{
	struct serve_call *c = p->call;

	purge_free(p);
	admin_refuse(c, status, why);
}

/* --- what is told --------------------------------------------------------- */

static void
purge_add(struct purge *p, span text)
{
	p->texts = reallocarray(p->texts, p->n + 1, sizeof(p->texts[0]));
	REQUIRE(p->texts != NULL);
	p->texts[p->n++] = text;
}

/* One that ends in `*` is for all that begins like it. Returns why not, NULL when
 * it is read. */
static const char *
purge_read_url(struct purge *p, span url)
{
	bool is_prefix;
	size_t len;
	const char *why = admin_read_url(url, &p->name, &len, &is_prefix);

	if (why != NULL)
		return why;
	/* one that is escaped is a part of the name */
	p->what = is_prefix ? OBJ_PURGE_PREFIX : OBJ_PURGE_NAME;
	len -= is_prefix;
	if (len >= OBJECTS_PURGE_CAP)
		return "this URL is too long: write less of it, and `*`";
	purge_add(p, span_of(p->name, len));
	return NULL;
}

static const char *
purge_read_tags(struct purge *p, const json_t *tags)
{
	const json_t *j;
	size_t i;

	p->what = OBJ_PURGE_LABEL;
	json_array_foreach(tags, i, j)
	{
		span rest =
		    span_of(json_string_value(j), json_string_length(j));
		span tag;

		if (rest.len == 0)
			return "a tag is a text that is not empty";
		while (storable_next_tag(&rest, &tag))
			purge_add(p, tag);
	}
	return p->n > 0 ? NULL : "no tag is told";
}

static const char *
purge_read(struct purge *p)
{
	const char *url = NULL;
	const char *cache = NULL;
	const json_t *tags = NULL;
	int is_all = 0;
	int is_soft = 0;

	if (json_unpack(p->told, "{s?s, s?o, s?b, s?b, s?s !}", "url", &url,
		"tags", &tags, "all", &is_all, "soft", &is_soft, "cache",
		&cache) != 0)
		return "this is no object of url, tags, all, soft, cache";
	if ((url != NULL) + (tags != NULL) + is_all != 1)
		return "one of url, tags and all says what is to go";
	if (cache != NULL)
		p->cache = span_str(cache);
	p->is_soft = is_soft != 0;
	if (url != NULL)
		return purge_read_url(p, span_str(url));
	if (tags != NULL)
		return purge_read_tags(p, tags);
	p->what = OBJ_PURGE_ALL;
	purge_add(p, span_of("", 0));
	return NULL;
}

/* --- what is done --------------------------------------------------------- */

/* All that is still to be purged there. false: it takes no more now. */
static bool
purge_in(struct purge *p, struct objects *o, struct slot_name me)
{
	const struct boot *b = p->admin->boot;
	struct objects_view *v = objects_view_new(o, b->slots, b->wakes, me);
	uint32_t *done = &p->done[objects_number(o)];
	bool is_taken = true;

	while (*done < p->n && is_taken) {
		span text = p->texts[*done];
		bool is_label = p->what == OBJ_PURGE_LABEL;
		struct obj_purge one = {
		    .what = p->what,
		    .is_soft = p->is_soft,
		    .text = is_label ? span_of(NULL, 0) : text,
		    .label = is_label ? objects_label(v, text) : 0,
		};

		is_taken = objects_purge(v, &one);
		*done += is_taken;
	}
	objects_view_free(v);
	return is_taken;
}

static void
purge_note(json_t *caches, span name)
{
	const json_t *j;
	size_t i;

	json_array_foreach(caches, i, j)
	{
		if (span_eq(name, span_str(json_string_value(j))))
			return;
	}
	(void)json_array_append_new(caches, tell_text(name));
}

/* Whether nothing is left to be done; the names of caches go to `caches`. */
static bool
purge_walk(struct purge *p, json_t *caches)
{
	const struct boot *b = p->admin->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct objects *o;
	bool is_partial = false;
	bool is_done = true;
	uint32_t at = 0;

	while ((o = objects_walk(b->segment, b->slots, me, &at, &is_partial)) !=
	       NULL) {
		if (p->cache.p == NULL || span_eq(p->cache, objects_name(o))) {
			purge_note(caches, objects_name(o));
			is_done &= purge_in(p, o, me);
		}
		objects_walk_end(o, me);
	}
	return is_done && !is_partial;
}

static const char *
purge_word(enum obj_purge_what what)
{
	switch (what) {
	case OBJ_PURGE_ALL:
		return "all";
	case OBJ_PURGE_PREFIX:
		return "prefix";
	case OBJ_PURGE_LABEL:
		return "tags";
	case OBJ_PURGE_NAME:
		return "url";
	}
	UNREACHED();
}

/* Who it was goes into the log. */
static void
purge_answer(struct purge *p, json_t *caches)
{
	struct serve_call *c = p->call;
	json_t *j = json_object();
	char who[ADMIN_WHO_CAP];

	log_msg(LOG_NOTICE, "purged what=%s count=%u soft=%s caches=%zu %s",
	    purge_word(p->what), p->n, p->is_soft ? "yes" : "no",
	    json_array_size(caches), admin_who(c, who));
	purge_free(p);
	(void)json_object_set_new(j, "ok", json_true());
	(void)json_object_set(j, "caches", caches);
	admin_answer(c, 200, j);
}

static void
purge_try(void *self)
{
	struct purge *p = self;
	uint64_t now_ms = clock_mono_ms(loop_clock(p->admin->loop));
	json_t *caches = json_array();
	bool is_done = purge_walk(p, caches);

	if (is_done && json_array_size(caches) > 0)
		purge_answer(p, caches);
	else if (is_done)
		purge_refuse(p, 404,
		    p->cache.p == NULL ? "there is no cache"
				       : "there is no cache of that name");
	else if (now_ms >= p->until_ms)
		purge_refuse(p, 503,
		    "too many purges at once: some of this was not done");
	else
		loop_timer_set(p->admin->loop, &p->again, PURGE_AGAIN_MS);
	json_decref(caches);
}

void
admin_on_purge(void *self, struct serve_call *c)
{
	struct admin *a = self;
	span text = serve_content(c);
	const char *why;
	struct purge *p;

	if (!admin_begin(a, c))
		return;
	p = calloc(1, sizeof(*p));
	REQUIRE(p != NULL);
	p->admin = a;
	p->call = c;
	p->until_ms = clock_mono_ms(loop_clock(a->loop)) + PURGE_MS;
	p->told = json_loadb(text.p != NULL ? text.p : "", text.len,
	    JSON_REJECT_DUPLICATES, NULL);
	timer_init(&p->again, purge_try, p);
	list_push_back(&a->purges, &p->node);
	why = purge_read(p);
	if (why != NULL) {
		purge_refuse(p, 400, why);
		return;
	}
	serve_later(c, purge_on_cancel, p);
	purge_try(p);
}

void
admin_purge_end(struct admin *a)
{
	list_foreach_safe (n, &a->purges) {
		purge_refuse(
		    LIST_ENTRY(n, struct purge, node), 503, "gatehouse ends");
	}
}
