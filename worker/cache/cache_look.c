/* cache/cache_look: finds what is kept for a request: the URL's one answer, or
 * over the list of what its answers vary on, one of the variants. */
#include "common/base/check.h"
#include "common/http/vary.h"
#include "worker/cache/cache_int.h"

/* Room for a head at the first try. */
#define LOOK_HEAD_CAP 2048
#define LOOK_HEAD_TRIES 3
#define LOOK_US_PER_MS 1000

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
	c->is_part = false;
	slices_end(c);
}

/* The one that takes the place of another one soon. It was asked for before: it
 * may be as old. */
static void
look_forget_update(struct objects_view *v, const struct obj_key *key)
{
	struct obj_ref ref;

	switch (objects_begin(v, key, &ref)) {
	case OBJ_BEGUN:
		objects_abandon(v, ref);
		break;
	case OBJ_OTHER:
		objects_drop(v, ref);
		break;
	case OBJ_NO_ROOM:
		return;
	}
	objects_unpin(v, ref);
}

void
cache_forget(struct objects_view *v, const struct obj_key *key, bool is_soft)
{
	struct obj_ref ref;
	bool is_updating;

	if (objects_find(v, key, &ref, &is_updating) == OBJ_NONE)
		return;
	if (is_updating)
		look_forget_update(v, key);
	if (is_soft)
		objects_drop_softly(v, ref);
	else
		objects_drop(v, ref);
	objects_unpin(v, ref);
}

/* A copy of the object's head in the exchange's arena. */
static bool
look_copy_head(
    struct exch *x, struct cached *c, struct obj_ref ref, struct obj_head *out)
{
	size_t cap = LOOK_HEAD_CAP;

	for (int i = 0; i < LOOK_HEAD_TRIES; i++) {
		char *p = arena_alloc(&x->arena, cap);
		ssize_t rc = objects_head(c->view, ref, p, cap, out);

		if (rc <= 0)
			return rc == 0;
		cap = (size_t)rc;
	}
	return false;
}

const struct validators *
cache_validators(struct cached *c)
{
	if (!c->has_validators)
		validators_read(
		    &c->kept->fields, c->kept->fresh.stored_s, &c->validators);
	c->has_validators = true;
	return &c->validators;
}

/* What a kept 206 is a part of. false: nobody can tell. */
static bool
look_part(struct cached *c)
{
	const struct http_field *f =
	    fields_find(&c->kept->fields, FIELD_CONTENT_RANGE);

	c->is_part = c->kept->kind == KEPT_ANSWER && c->kept->status == 206;
	return !c->is_part ||
	       (f != NULL && content_range_parse(f->value, &c->part) &&
		   !c->part.is_unsatisfied &&
		   c->part.complete_len != RANGE_LEN_UNKNOWN);
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
	c->length = k->kind == KEPT_SLICED ? k->complete_len : facts.length;
	c->has_validators = false;
	return look_part(c);
}

bool
cache_part_covers(const struct exch *x, struct cached *c)
{
	span value = exch_req_field(x, FIELD_RANGE);
	struct ranges r;

	if (!c->is_part)
		return true;
	if (value.len == 0 || x->req.method != METHOD_GET ||
	    !condition_allows_range(&x->req.fields, cache_validators(c)) ||
	    ranges_parse(value, c->part.complete_len, &r) != RANGES_OK)
		return false;
	for (unsigned i = 0; i < r.n; i++)
		if (!range_holds(c->part.range, r.at[i]))
			return false;
	return true;
}

bool
cache_variant_key(const struct cached *c, const struct kept *mark, span names,
    struct exch *x, struct obj_key *out)
{
	size_t head = sizeof(mark->epoch) + names.len + 1;
	char *text = arena_alloc(&x->arena, head + VARY_KEY_MAX);
	struct vary vary;
	size_t len;

	memcpy(text, &mark->epoch, sizeof(mark->epoch));
	if (names.len > 0)
		memcpy(text + sizeof(mark->epoch), names.p, names.len);
	text[head - 1] = '\n';
	if (!vary_parse_text(names, &vary) ||
	    !vary_key(&vary, &x->req.fields, text + head, VARY_KEY_MAX, &len))
		return false;
	*out = objects_key_of(c->view, c->base, span_of(text, head + len));
	return true;
}

static bool
look_is_over(const struct exch *x, const struct kept *k)
{
	return k->until_ms <= worker_clock(x->w)->wall_us / LOOK_US_PER_MS;
}

/* What one pinned object is. */
static enum look
look_judge(struct exch *x, struct cached *c, enum obj_state state)
{
	if (!cache_read_head(x, c))
		return state == OBJ_FILLING ? LOOK_FILLING : LOOK_NOTHING;
	switch (c->kept->kind) {
	case KEPT_ANSWER:
	case KEPT_SLICED:
		return LOOK_ANSWER;
	case KEPT_PASS:
		return look_is_over(x, c->kept) ? LOOK_NOTHING : LOOK_PASS;
	case KEPT_WHOLE:
		c->wants_whole |= !look_is_over(x, c->kept);
		return LOOK_NOTHING;
	case KEPT_VARIANTS:
		return LOOK_OTHERS;
	case KEPT_CODED:
	case KEPT_DICTIONARY:
		/* they stand under no key of a request */
		return LOOK_NOTHING;
	}
	UNREACHED();
}

/* Take over what another look found; what c had is given back. */
static void
look_adopt(struct cached *c, const struct cached *from)
{
	struct cache_waiter wait;

	cache_unpin(c);
	wait = c->wait;
	*c = *from;
	c->wait = wait;
	list_init(&c->wait.node);
}

/* Whether what `b` found is better: an answer before anything else, of two the
 * one that tells what it varies on (RFC 9111 4.1), and else the later one. */
static bool
look_is_better(const struct cached *a, enum look of_a, const struct cached *b,
    enum look of_b)
{
	if (of_a != LOOK_ANSWER || of_b != LOOK_ANSWER)
		return of_a != LOOK_ANSWER;
	if ((a->vary.len > 0) != (b->vary.len > 0))
		return b->vary.len > 0;
	return b->kept->fresh.stored_s >= a->kept->fresh.stored_s;
}

/* The variant under one set of names. */
static enum look
look_variant(struct exch *x, struct cached *c, span names, enum look before)
{
	struct cached one = *c;
	enum obj_state state;
	enum look how;

	one.ref.at = 0;
	one.kept = NULL;
	if (!cache_variant_key(c, c->mark, names, x, &one.key))
		return before;
	one.vary = names;
	if (before == LOOK_OTHERS) {
		/* a fill for it stands under the newest names */
		c->key = one.key;
		c->vary = names;
	}
	state = objects_find(c->view, &one.key, &one.ref, &one.is_updating);
	if (state == OBJ_NONE)
		return before;
	how = look_judge(x, &one, state);
	if (how != LOOK_NOTHING && how != LOOK_OTHERS &&
	    look_is_better(c, before, &one, how)) {
		look_adopt(c, &one);
		return how;
	}
	objects_unpin(c->view, one.ref);
	return before;
}

static enum look
look_variants(struct exch *x, struct cached *c)
{
	enum look how = LOOK_OTHERS;

	c->mark = c->kept;
	objects_touch(c->view, c->ref);
	cache_unpin(c);
	fields_foreach(f, &c->mark->fields)
	{
		if (f->id == FIELD_VARY)
			how = look_variant(x, c, f->value, how);
	}
	/* fields that are too long to select by select nothing */
	if (how == LOOK_OTHERS &&
	    memcmp(&c->key, &c->base, sizeof(c->key)) == 0)
		return LOOK_PASS;
	return how;
}

enum look
cache_look(struct exch *x, struct cached *c)
{
	enum obj_state state;
	enum look how;

	cache_unpin(c);
	c->key = c->base;
	c->vary.len = 0;
	c->mark = NULL;
	c->tries++;
	state = objects_find(c->view, &c->base, &c->ref, &c->is_updating);
	if (state == OBJ_NONE)
		return LOOK_NOTHING;
	how = look_judge(x, c, state);
	if (how == LOOK_OTHERS)
		how = look_variants(x, c);
	if (how != LOOK_ANSWER && how != LOOK_FILLING)
		cache_unpin(c);
	return how;
}
