/* cache/cache_code: stored answers in content codings. What a hit is coded to is
 * kept beside the answer, under a key that is made of the answer's own number:
 * who finds the answer finds its codings, and what takes the answer's place, or
 * purges it, leaves none of them to be found. The fields are always those of the
 * answer; only content is taken from here, so that what freshens the answer
 * freshens them all. They are made by a fill like any other, whose server is the
 * answer itself. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/cache/cache_put.h"
#include "worker/exch/handler.h"

static struct obj_key
code_key(struct exch *x, const struct cached *c, enum coding coding)
{
	const uint64_t *epoch = &c->kept->epoch;
	span parts[3] = {
	    span_of((const char *)epoch, sizeof(*epoch)),
	    coding_name(coding),
	    SPAN_LIT(""),
	};

	/* what it is coded with is part of what it is */
	if (coding_has_dictionary(coding))
		parts[2] = span_of((const char *)x->dictionary->hash,
		    sizeof(x->dictionary->hash));
	return objects_key_of(
	    c->view, c->base, arena_concat(&x->arena, parts, NELEMS(parts)));
}

/* Whether what is served is a whole answer that has codings. */
static bool
code_is_possible(
    const struct exch *x, const struct cached *c, struct obj_facts *facts)
{
	if (x->handler != &cache_handler || c->mode != CACHED_SERVING ||
	    c->slices != NULL || c->is_part || c->ref.at == 0 ||
	    c->kept == NULL || c->kept->kind != KEPT_ANSWER ||
	    c->kept->epoch == 0)
		return false;
	objects_facts(c->view, c->ref, facts);
	return facts->length == facts->filled && facts->state == OBJ_READY;
}

/* Serve the whole of `ref`, pinned, in the place of what was to be served. */
static void
code_take(struct exch *x, struct cached *c, struct obj_ref ref, uint64_t length)
{
	uint32_t high = x->resp_body.high;

	cache_wait_end(&c->wait);
	objects_unpin(c->view, c->ref);
	objects_touch(c->view, ref);
	c->ref = ref;
	c->length = length;
	c->n_pieces = 0;
	c->piece = 0;
	c->sent = 0;
	if (length > 0)
		c->pieces[c->n_pieces++] =
		    (struct cached_piece){.range = {0, length - 1}};
	body_fini(&x->resp_body);
	body_init(&x->resp_body, high);
}

/* Let it be made for those who come later. */
static void
code_make(struct exch *x, struct cached *c, const struct obj_key *key,
    enum coding coding)
{
	struct obj_ref ref;

	if (x->req.method == METHOD_HEAD || cc_has(&c->cc, CC_NO_STORE) ||
	    c->cw->n_fills >= x->w->n_conns_max)
		return;
	switch (objects_begin_as(c->view, key, c->ref, &ref)) {
	case OBJ_BEGUN:
		fill_begin_coded(x, c, ref, key, coding);
		break;
	case OBJ_OTHER:
		objects_unpin(c->view, ref);
		break;
	case OBJ_NO_ROOM:
		break;
	}
}

bool
cache_code(struct exch *x, enum coding coding, uint64_t *length)
{
	struct cached *c = x->cached;
	struct obj_facts facts;
	enum obj_state state;
	struct obj_key key;
	struct obj_ref ref;
	bool is_updating;

	if (!code_is_possible(x, c, &facts))
		return false;
	key = code_key(x, c, coding);
	state = objects_find(c->view, &key, &ref, &is_updating);
	if (state == OBJ_NONE) {
		code_make(x, c, &key, coding);
		return false;
	}
	objects_facts(c->view, ref, &facts);
	if (state != OBJ_READY || facts.length != facts.filled) {
		objects_unpin(c->view, ref);
		return false;
	}
	code_take(x, c, ref, facts.length);
	*length = facts.length;
	counter_add(x->w->counters, COUNTER_CACHE_CODED, 1);
	return true;
}

/* --- as the server of the fill -------------------------------------------- */

static enum verdict
coded_open(struct exch *y)
{
	struct cache_fill *f = y->fill;
	struct obj_facts facts;

	objects_facts(f->view, f->stale, &facts);
	f->rest = facts.length;
	fields_init(&y->resp.fields, &y->arena, 1);
	y->resp.version = HTTP_1_1;
	y->resp.status = 200;
	y->resp.body = LENGTH_OPEN;
	exch_answer(y);
	return VERDICT_REPLY;
}

static bool
coded_pump(struct exch *y)
{
	struct cache_fill *f = y->fill;
	struct iovec iov[BODY_SLICES];
	uint32_t room = body_room(&y->resp_body);
	struct obj_facts facts;
	uint64_t bytes;
	int n;

	if (y->resp_body.state != BODY_OPEN)
		return false;
	if (f->rest == 0) {
		body_end(&y->resp_body);
		return true;
	}
	if (room == 0)
		return false;
	objects_facts(f->view, f->stale, &facts);
	n = objects_body(f->view, f->stale, facts.filled - f->rest,
	    u64_min(f->rest, room), iov, BODY_SLICES - y->resp_body.n, &bytes);
	if (n == 0) {
		exch_fault(y, F_INTERNAL, 0);
		return true;
	}
	for (int i = 0; i < n; i++) {
		struct slice s = {
		    NULL, iov[i].iov_base, (uint32_t)iov[i].iov_len};

		body_push(&y->resp_body, &s);
	}
	f->rest -= bytes;
	return true;
}

const struct handler coded_handler = {
    .name = "cache",
    .open = coded_open,
    .pump = coded_pump,
};

/* What names and labels the answer has, its codings have: purges find them. */
bool
put_coded(struct cache_fill *f, struct exch *y)
{
	struct put p = put_of(f);
	struct cached c = {.view = f->view, .ref = f->stale};
	struct kept k;

	if (!cache_read_head(y, &c) || c.kept->kind != KEPT_ANSWER)
		return false;
	k = *c.kept;
	k.kind = KEPT_CODED;
	fields_foreach(fld, &k.fields)
	{
		if (!span_ieq(fld->name, f->cache->tag_header))
			fld->is_gone = true;
	}
	return put_head(&p, f->ref, &k, OBJECTS_OPEN);
}
