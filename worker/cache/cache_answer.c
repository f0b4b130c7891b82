/* cache/cache_answer: what a server's answer to a client's own exchange means
 * for what is kept: unsafe methods make it doubtful, HEAD may freshen it, and
 * the answer to a POST may be one for GET. */
#include "common/base/check.h"
#include "worker/cache/cache_put.h"

/* RFC 9111 4.4 */
static void
answer_forget_key(struct exch *x, struct cached *c, const struct forget *at)
{
	struct obj_key key =
	    objects_key(c->view, cache_key_text(x, c->cache, at));

	cache_forget(c->view, &key, false);
}

static void
answer_forget(struct exch *x, struct cached *c)
{
	struct forget at[FORGET_MAX];
	unsigned n =
	    storable_forget(&x->req, x->client.scheme, &x->resp, &x->arena, at);

	/* the target as it was written, too */
	if (n > 0)
		answer_forget_key(x, c, NULL);
	for (unsigned i = 0; i < n; i++)
		answer_forget_key(x, c, &at[i]);
}

/* It is still what is kept, with fields that may be for everybody. */
static void
answer_update(struct exch *x, struct cached *c)
{
	struct put p = {.x = x,
	    .cache = c->cache,
	    .view = c->view,
	    .url = cache_url(x, c->cache)};
	struct kept k;
	enum storable s = put_merge(x, c, &c->policy, &k);

	if (s == STORABLE_YES && put_head(&p, c->ref, &k, c->length))
		objects_renew(c->view, c->ref, c->moment);
	else if (put_is_recalled(s))
		objects_drop_softly(c->view, c->ref);
}

/* What a HEAD says of the stored answer to GET (RFC 9111 4.3.5). */
static void
answer_to_head(struct exch *x, struct cached *c)
{
	struct validators told;

	if (cache_look(x, c) == LOOK_ANSWER && !c->is_part) {
		validators_read(&x->resp.fields, cache_now_s(x), &told);
		switch (freshen_judge_head(
		    &x->resp, &told, cache_validators(c), c->length)) {
		case FRESHEN_UPDATE:
			answer_update(x, c);
			break;
		case FRESHEN_EXPIRE:
			objects_drop_softly(c->view, c->ref);
			break;
		case FRESHEN_NOTHING:
			break;
		}
	}
	cache_unpin(c);
}

/* --- POST ----------------------------------------------------------------- */

/* Content on its way to the client is kept, too; p == NULL: it is complete. */
static void
answer_tee(void *self, const char *p, size_t len)
{
	struct exch *x = self;
	struct cached *c = x->cached;

	if (c->ref.at == 0)
		return;
	c->sent += len;
	if (p != NULL && c->sent <= c->cache->max_object &&
	    objects_append(c->view, c->ref, p, len))
		return;
	if (p == NULL)
		(void)objects_finish(c->view, c->ref);
	else
		objects_abandon(c->view, c->ref);
	cache_wake_own(c->cw, c->cache->index, c->ref.at);
	cache_unpin(c);
}

/* RFC 9110 9.3.3: with a lifetime and the target as its Content-Location it is
 * an answer to GET, too. */
static void
answer_to_post(struct exch *x, struct cached *c)
{
	struct cache_facts facts = put_facts(x);
	struct put p = {.x = x,
	    .cache = c->cache,
	    .view = c->view,
	    .url = cache_url(x, c->cache)};
	struct kept k = {
	    .kind = KEPT_ANSWER,
	    .status = x->resp.status,
	    .version = x->resp.version,
	    .epoch = put_epoch(x),
	};
	struct obj_key key =
	    objects_key(c->view, cache_key_text(x, c->cache, NULL));
	uint64_t length = put_length(&x->resp);
	struct obj_ref ref;

	/* what varies is kept when it is asked for with GET */
	if (storable_judge(&x->req, &x->resp, &c->policy, &facts, &k.fresh) !=
		STORABLE_YES ||
	    fields_find(&x->resp.fields, FIELD_VARY) != NULL ||
	    x->resp.status == 206 || length > c->cache->max_object)
		return;
	put_fields(x, k.fresh.flags, &k.fields);
	switch (objects_begin(c->view, &key, &ref)) {
	case OBJ_BEGUN:
		break;
	case OBJ_OTHER:
		objects_unpin(c->view, ref);
		return;
	case OBJ_NO_ROOM:
		return;
	}
	c->ref = ref;
	/* a purge since it was asked may have meant it; nobody knows any more */
	if (objects_moment_of(c->view, ref) == c->moment &&
	    put_head(&p, ref, &k, length)) {
		body_tee(&x->resp_body, answer_tee, x);
		return;
	}
	objects_abandon(c->view, ref);
	cache_unpin(c);
}

/* --- the stage ------------------------------------------------------------ */

enum verdict
stage_cache_put(struct exch *x)
{
	struct cached *c = x->cached;

	if (x->fill != NULL)
		return fill_put(x);
	cache_note_result(x);
	if (c == NULL || x->handler == &cache_handler || x->is_own_answer ||
	    x->sink != NULL || c->view == NULL)
		return VERDICT_NEXT;
	if (!method_is_safe(x->req.method))
		answer_forget(x, c);
	/* one that was looked for */
	if (x->req.method == METHOD_HEAD && c->tries > 0)
		answer_to_head(x, c);
	else if (x->req.method == METHOD_POST)
		answer_to_post(x, c);
	cache_tell(x, c);
	return VERDICT_NEXT;
}

void
cache_close(struct exch *x)
{
	struct cached *c = x->cached;

	/* an answer to POST that did not come to its end */
	if (c != NULL && c->ref.at != 0) {
		objects_abandon(c->view, c->ref);
		cache_unpin(c);
	}
	cache_count(x);
}
