/* cache/cache_look: finds what is kept for a request: the URL's one answer, or
 * over the list of what it varies on, one of its variants. */
#include "common/base/check.h"
#include "common/http/vary.h"
#include "worker/cache/cache_int.h"

/* Room for a head at the first try. */
#define LOOK_HEAD_CAP 2048

int64_t
cache_now_s(const struct exch *x)
{
	return clock_wall_s(worker_clock(x->w));
}

void
cache_unpin(struct cached *c)
{
	cache_wait_end(&c->wait);
	if (c->ref.at != 0)
		objects_unpin(c->view, c->ref);
	c->ref.at = 0;
	c->kept = NULL;
}

/* A copy of the object's head in the exchange's arena. */
static bool
look_copy_head(
    struct exch *x, struct cached *c, struct obj_ref ref, struct obj_head *out)
{
	size_t cap = LOOK_HEAD_CAP;

	for (int i = 0; i < 3; i++) {
		char *p = arena_alloc(&x->arena, cap);
		ssize_t rc = objects_head(c->view, ref, p, cap, out);

		if (rc <= 0)
			return rc == 0;
		cap = (size_t)rc;
	}
	return false;
}

bool
cache_read_head(struct exch *x, struct cached *c)
{
	struct kept *k = arena_alloc(&x->arena, sizeof(*k));
	struct obj_facts facts;
	struct obj_head head;

	if (!look_copy_head(x, c, c->ref, &head) ||
	    !kept_read(head.bytes, &x->arena, k))
		return false;
	objects_facts(c->view, c->ref, &facts);
	if (facts.is_soft)
		freshness_expire(&k->fresh, cache_now_s(x));
	c->kept = k;
	c->length = facts.length;
	validators_read(&k->fields, k->fresh.stored_s, &c->validators);
	return true;
}

bool
cache_variant_key(const struct objects_view *v, struct obj_key base,
    const struct kept *mark, struct exch *x, struct obj_key *out)
{
	char *text = arena_alloc(&x->arena, sizeof(mark->epoch) + VARY_KEY_MAX);
	struct vary vary;
	size_t len;

	memcpy(text, &mark->epoch, sizeof(mark->epoch));
	if (!vary_parse_text(mark->vary, &vary) ||
	    !vary_key(&vary, &x->req.fields, text + sizeof(mark->epoch),
		VARY_KEY_MAX, &len))
		return false;
	*out =
	    objects_key_of(v, base, span_of(text, sizeof(mark->epoch) + len));
	return true;
}

/* What the pinned object is to the request. */
static enum look
look_at(struct exch *x, struct cached *c, enum obj_state state, bool is_variant)
{
	if (!cache_read_head(x, c))
		return state == OBJ_FILLING ? LOOK_FILLING : LOOK_NOTHING;
	switch (c->kept->kind) {
	case KEPT_ANSWER:
		return LOOK_ANSWER;
	case KEPT_PASS:
		if (c->kept->until_ms > worker_clock(x->w)->wall_us / 1000)
			return LOOK_PASS;
		return LOOK_NOTHING;
	case KEPT_VARIANTS:
		break;
	}
	if (is_variant ||
	    !cache_variant_key(c->view, c->base, c->kept, x, &c->key))
		return LOOK_NOTHING;
	c->vary = c->kept->vary;
	objects_touch(c->view, c->ref);
	cache_unpin(c);
	state = objects_find(c->view, &c->key, &c->ref, &c->is_updating);
	if (state == OBJ_NONE)
		return LOOK_OTHERS;
	return look_at(x, c, state, true);
}

enum look
cache_look(struct exch *x, struct cached *c)
{
	enum obj_state state;
	enum look how;

	cache_unpin(c);
	c->key = c->base;
	c->vary.len = 0;
	c->tries++;
	state = objects_find(c->view, &c->base, &c->ref, &c->is_updating);
	if (state == OBJ_NONE)
		return LOOK_NOTHING;
	how = look_at(x, c, state, false);
	if (how != LOOK_ANSWER && how != LOOK_FILLING)
		cache_unpin(c);
	return how;
}
