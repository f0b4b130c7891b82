/* cache/cache_put: what the head of an answer means for what is kept: keep it,
 * freshen what was kept, forget it, or leave all as it is. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/vary.h"
#include "worker/cache/cache_int.h"

/* How long nobody waits in line for answers that cannot be shared. */
#define PUT_PASS_MS 5000
#define PUT_US_PER_MS 1000
#define PUT_US_PER_S 1000000

static struct cache_facts
put_facts(const struct exch *x)
{
	return (struct cache_facts){
	    .scheme = x->client.scheme,
	    .request_s = x->t.begin_wall_us / PUT_US_PER_S,
	    .response_s = cache_now_s(x),
	};
}

/* The tags of an answer as numbers. */
static uint32_t
put_labels(
    const struct cache_fill *f, const struct http_fields *fields, uint64_t *out)
{
	uint32_t n = 0;

	if (f->cache->tag_header.len == 0)
		return 0;
	fields_foreach(fld, fields)
	{
		span rest = fld->value;
		span tag;

		if (!span_ieq(fld->name, f->cache->tag_header))
			continue;
		while (n < OBJECTS_LABELS_MAX && cache_tag_next(&rest, &tag))
			out[n++] = cache_tag_label(f->view, tag);
	}
	return n;
}

/* Give an object this head. */
static bool
put_head(struct cache_fill *f, struct obj_ref ref, const struct kept *k,
    uint64_t length)
{
	uint64_t labels[OBJECTS_LABELS_MAX];
	struct obj_head h = {
	    .name = f->url,
	    .labels = labels,
	    .n_labels = put_labels(f, &k->fields, labels),
	    .bytes = kept_write(k, &f->y->arena),
	};

	return h.bytes.len > 0 &&
	       h.name.len + h.bytes.len + sizeof(labels) <= OBJECTS_HEAD_MAX &&
	       objects_set_head(f->view, ref, &h, length);
}

/* Fields that are kept of an answer, with the date it came at when it has none
 * (RFC 9110 6.6.1). */
static void
put_fields(struct exch *y, unsigned flags, struct http_fields *out)
{
	struct arena *a = &y->arena;

	fields_init(out, a, y->resp.fields.n + 1);
	fields_foreach(f, &y->resp.fields)
	{
		if (storable_field(&y->resp.fields, f, flags))
			fields_add_known(
			    out, a, (enum field_id)f->id, f->name, f->value);
	}
	if (fields_find(out, FIELD_DATE) == NULL)
		fields_add_id(
		    out, a, FIELD_DATE, arena_span(a, worker_date(y->w)));
}

/* --- variants ------------------------------------------------------------- */

/* The names that select among the URL's answers from now on: those of before
 * and those of this answer, so that both are told apart. */
static bool
put_names(struct cache_fill *f, struct exch *y, struct vary *out)
{
	struct http_fields both;

	fields_init(&both, &y->arena, 2);
	if (f->vary.len > 0)
		fields_add_id(&both, &y->arena, FIELD_VARY, f->vary);
	for (struct http_field *v = fields_find(&y->resp.fields, FIELD_VARY);
	     v != NULL; v = fields_next(&y->resp.fields, v))
		fields_add_id(&both, &y->arena, FIELD_VARY, v->value);
	return vary_parse(&both, out);
}

static uint64_t
put_epoch(struct exch *y)
{
	return y->w->id_salt ^ ((uint64_t)worker_clock(y->w)->wall_us << 8) ^
	       ++y->w->request_seq;
}

/* Put the mark under the URL; what waits there looks again and finds it. */
static bool
put_mark(struct cache_fill *f, struct exch *y, const struct kept *mark)
{
	struct obj_ref ref = f->ref;
	bool ok;

	(void)y;
	if (!f->is_base) {
		enum obj_begin rc = objects_begin(f->view, &f->base, &ref);

		if (rc == OBJ_OTHER)
			objects_unpin(f->view, ref);
		if (rc != OBJ_BEGUN)
			return false;
	}
	ok = put_head(f, ref, mark, 0) && objects_finish(f->view, ref);
	if (!ok)
		objects_abandon(f->view, ref);
	cache_wake_own(f->cw, f->cache->index, ref.at);
	if (!f->is_base)
		objects_unpin(f->view, ref);
	return ok;
}

/* The answer is one of several: it is filled under its own key. false: it cannot
 * be kept. */
static bool
put_variant(struct cache_fill *f, struct exch *y)
{
	struct kept mark = {.kind = KEPT_VARIANTS, .status = 200};
	char *names = arena_alloc(&y->arena, VARY_TEXT_MAX);
	struct obj_ref ref;
	struct obj_key key;
	struct vary vary;

	if (!put_names(f, y, &vary))
		return false;
	mark.vary = span_of(names, vary_write_names(&vary, names));
	if (span_eq(mark.vary, f->vary))
		return true;
	mark.epoch = put_epoch(y);
	if (!cache_variant_key(f->view, f->base, &mark, y, &key))
		return false;
	switch (objects_begin(f->view, &key, &ref)) {
	case OBJ_BEGUN:
		break;
	case OBJ_OTHER:
		objects_unpin(f->view, ref);
		return false;
	case OBJ_NO_ROOM:
		return false;
	}
	if (!put_mark(f, y, &mark)) {
		objects_abandon(f->view, ref);
		objects_unpin(f->view, ref);
		return false;
	}
	if (!f->is_base)
		objects_abandon(f->view, f->ref);
	objects_unpin(f->view, f->ref);
	f->is_base = false;
	f->ref = ref;
	return true;
}

/* --- fills ---------------------------------------------------------------- */

static uint64_t
put_length(const struct http_msg *m)
{
	switch (m->body) {
	case LENGTH_NONE:
		return 0;
	case LENGTH_KNOWN:
		return m->length;
	case LENGTH_OPEN:
		return OBJECTS_OPEN;
	}
	UNREACHED();
}

/* Keep the answer. false: it is not to be kept, or there is no room. */
static bool
put_store(struct cache_fill *f, struct exch *y)
{
	struct cache_facts facts = put_facts(y);
	uint64_t length = put_length(&y->resp);
	struct kept k = {
	    .kind = KEPT_ANSWER,
	    .status = y->resp.status,
	    .version = y->resp.version,
	};

	if (storable_judge(&y->req, &y->resp, &f->policy, &facts, &k.fresh) !=
		STORABLE_YES ||
	    (length != OBJECTS_OPEN && length > f->cache->max_object) ||
	    !put_variant(f, y))
		return false;
	put_fields(y, k.fresh.flags, &k.fields);
	return put_head(f, f->ref, &k, length);
}

/* The stored answer is good again (RFC 9111 4.3.4). false: the 304 speaks of
 * another one. */
static bool
put_freshen(struct cache_fill *f, struct exch *y)
{
	struct cached c = {.view = f->view, .ref = f->stale};
	struct cache_facts facts = put_facts(y);
	const struct http_field *age;
	struct validators told;
	struct http_msg m;
	struct kept k;
	struct cc cc;
	bool is_cdn;

	if (f->stale.at == 0 || !cache_read_head(y, &c))
		return false;
	k = *c.kept;
	validators_read(&y->resp.fields, facts.response_s, &told);
	if (!freshen_selects(&told, &c.validators, true))
		return false;
	storable_merge(&k.fields, &y->arena, &y->resp.fields, k.fresh.flags);
	/* how old it is now is for this answer alone to tell */
	age = fields_find(&y->resp.fields, FIELD_AGE);
	if (age != NULL)
		fields_add_id(&k.fields, &y->arena, FIELD_AGE, age->value);
	m = y->resp;
	m.status = k.status;
	m.fields = k.fields;
	is_cdn = cc_parse_response(&k.fields, &cc);
	freshness_of(&m, &cc, is_cdn, &f->policy, &facts, &k.fresh);
	(void)fields_del(&k.fields, FIELD_AGE);
	(void)put_head(f, f->stale, &k, c.length);
	return true;
}

/* Nobody else can use it: who waits is told to go its own way, and so is for a
 * while whoever comes. */
static void
put_pass(struct cache_fill *f)
{
	struct kept k = {
	    .kind = KEPT_PASS,
	    .status = 200,
	    .until_ms =
		worker_clock(f->cw->w)->wall_us / PUT_US_PER_MS + PUT_PASS_MS,
	};
	struct obj_facts facts;

	objects_facts(f->view, f->ref, &facts);
	if (!facts.is_awaited || !put_head(f, f->ref, &k, 0) ||
	    !objects_finish(f->view, f->ref)) {
		fill_abandon(f);
		return;
	}
	fill_release(f);
}

/* Statuses that stale-if-error is about (RFC 5861 4). */
static bool
put_is_error(unsigned status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

enum verdict
fill_put(struct exch *y)
{
	struct cache_fill *f = y->fill;

	f->status = y->origin.status;
	if (y->is_settled) {
		f->fault = y->fault;
		f->fault_errno = y->fault_errno;
		fill_settle(f, FILL_FAILED);
	} else if (y->resp.status == 304) {
		fill_settle(
		    f, put_freshen(f, y) ? FILL_FRESHENED : FILL_FAILED);
	} else if (f->may_answer_error && put_is_error(y->resp.status)) {
		fill_settle(f, FILL_FAILED);
	} else if (put_store(f, y)) {
		fill_settle(f, FILL_STORING);
	} else {
		put_pass(f);
		fill_settle(f, FILL_PASSING);
	}
	return VERDICT_NEXT;
}

/* --- answers to clients --------------------------------------------------- */

static void
put_forget_key(struct exch *x, struct cached *c, const struct forget *at)
{
	struct obj_key key =
	    objects_key(c->view, cache_key_text(x, c->cache, at));
	struct obj_ref ref;
	bool is_updating;

	if (objects_find(c->view, &key, &ref, &is_updating) == OBJ_NONE)
		return;
	objects_drop(c->view, ref);
	objects_unpin(c->view, ref);
}

/* RFC 9111 4.4 */
static void
put_forget(struct exch *x, struct cached *c)
{
	struct forget at[FORGET_MAX];
	unsigned n =
	    storable_forget(&x->req, x->client.scheme, &x->resp, &x->arena, at);

	for (unsigned i = 0; i < n; i++)
		put_forget_key(x, c, &at[i]);
}

/* What a HEAD says of the stored answer to GET (RFC 9111 4.3.5). */
static void
put_from_head(struct exch *x, struct cached *c)
{
	struct cache_facts facts = put_facts(x);
	struct validators told;

	if (cache_look(x, c) != LOOK_ANSWER)
		return;
	validators_read(&x->resp.fields, facts.response_s, &told);
	if (freshen_judge_head(&x->resp, &told, &c->validators, c->length) ==
	    FRESHEN_EXPIRE)
		objects_drop_softly(c->view, c->ref);
	cache_unpin(c);
}

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
		put_forget(x, c);
	else if (x->req.method == METHOD_HEAD && c->url.len > 0)
		put_from_head(x, c);
	cache_tell(x, c);
	return VERDICT_NEXT;
}
