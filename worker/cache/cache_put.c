/* cache/cache_put: what the head of an answer means for what is kept: keep it,
 * freshen what was kept, forget it, or leave all as it is. */
#include "worker/cache/cache_put.h"

#include "common/base/check.h"
#include "common/base/num.h"

/* PUT_PASS_MS where it costs more to find that out: an answer that is thrown away,
 * or one that is too long for those who began to read along. */
#define PUT_PASS_LONG_MS 60000
#define PUT_US_PER_MS 1000
#define PUT_US_PER_S 1000000
/* Parts are joined up to this length: bytes are copied for it. */
#define PUT_JOIN_MAX (16u * 1024 * 1024)

uint64_t
put_epoch(struct exch *x)
{
	return x->w->id_salt ^ ((uint64_t)worker_clock(x->w)->wall_us << 8) ^
	       ++x->w->request_seq;
}

struct cache_facts
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
put_labels(const struct put *p, const struct http_fields *fields, uint64_t *out)
{
	uint32_t n = 0;

	if (p->cache->tag_header.len == 0)
		return 0;
	fields_foreach(fld, fields)
	{
		span rest = fld->value;
		span tag;

		if (!span_ieq(fld->name, p->cache->tag_header))
			continue;
		while (n < OBJECTS_LABELS_MAX && storable_next_tag(&rest, &tag))
			out[n++] = objects_label(p->view, tag);
	}
	return n;
}

bool
put_head(const struct put *p, struct obj_ref ref, const struct kept *k,
    uint64_t length)
{
	uint64_t labels[OBJECTS_LABELS_MAX];
	struct obj_head h = {
	    .name = p->url,
	    .labels = labels,
	    .n_labels = put_labels(p, &k->fields, labels),
	    .bytes = kept_write(k, &p->x->arena),
	};

	/* the content is in other objects */
	if (k->kind == KEPT_SLICED)
		length = 0;
	return h.bytes.len > 0 &&
	       h.name.len + h.bytes.len + sizeof(labels) <= OBJECTS_HEAD_MAX &&
	       objects_set_head(p->view, ref, &h, length);
}

void
put_fields(struct exch *x, unsigned flags, struct http_fields *out)
{
	struct arena *a = &x->arena;

	fields_init(out, a, x->resp.fields.n + 1);
	fields_foreach(f, &x->resp.fields)
	{
		/* how long it is, the object knows */
		if (f->id != FIELD_CONTENT_LENGTH &&
		    storable_field(&x->resp.fields, f, flags))
			fields_add_known(
			    out, a, (enum field_id)f->id, f->name, f->value);
	}
	if (fields_find(out, FIELD_DATE) == NULL)
		fields_add_id(
		    out, a, FIELD_DATE, arena_span(a, worker_date(x->w)));
}

uint64_t
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

struct put
put_of(const struct cache_fill *f)
{
	return (struct put){
	    .x = f->y, .cache = f->cache, .view = f->view, .url = f->url};
}

/* --- parts ---------------------------------------------------------------- */

/* Bytes of the kept part that stand before the answer's, and behind them. */
static void
put_join_ranges(struct cache_fill *f, struct range old, struct range new,
    struct range *before, bool *has_before)
{
	*has_before = old.first < new.first;
	if (*has_before)
		*before = (struct range){old.first, new.first - 1};
	f->has_joined = old.last > new.last;
	if (f->has_joined)
		f->joined = (struct range){new.last + 1, old.last};
	f->joined_base = old.first;
	f->is_spliced = *has_before || f->has_joined;
}

/* A part with the fields that tell its place; all of it is no part. */
static void
put_place(struct exch *y, struct kept *k, struct range r, uint64_t complete_len)
{
	char *p = arena_alloc(&y->arena, CONTENT_RANGE_CAP);

	if (r.first == 0 && r.last == complete_len - 1) {
		k->status = 200;
		k->fresh.flags &= ~(uint32_t)FRESH_PARTIAL;
		(void)fields_del(&k->fields, FIELD_CONTENT_RANGE);
		return;
	}
	fields_set(&k->fields, &y->arena, FIELD_CONTENT_RANGE,
	    span_of(p, content_range_write(r, complete_len, p)));
}

/* The kept part that the answer joins, and both together (RFC 9111 3.4). */
static bool
put_may_join(struct cache_fill *f, struct exch *y,
    const struct content_range *got, struct cached *old, struct range *all)
{
	struct validators v;

	*old = (struct cached){.view = f->view, .ref = f->stale};
	if (!f->is_adding || !cache_read_head(y, old) || !old->is_part ||
	    old->part.complete_len != got->complete_len)
		return false;
	validators_read(&y->resp.fields, cache_now_s(y), &v);
	return validators_same_bytes(&v, cache_validators(old)) &&
	       range_join(got->range, old->part.range, all) &&
	       range_len(*all) <= PUT_JOIN_MAX;
}

/* The place of a 206 in the whole, with what is kept of it already. false: it
 * cannot be kept. *before: bytes to be copied first. */
static bool
put_part(struct cache_fill *f, struct exch *y, struct kept *k, uint64_t *length,
    struct range *before, bool *has_before)
{
	const struct http_field *told =
	    fields_find(&k->fields, FIELD_CONTENT_RANGE);
	struct content_range got;
	struct cached old;
	struct range all;

	*has_before = false;
	if (told == NULL || !content_range_parse(told->value, &got) ||
	    got.is_unsatisfied || got.complete_len == RANGE_LEN_UNKNOWN ||
	    (*length != OBJECTS_OPEN && *length != range_len(got.range)))
		return false;
	all = got.range;
	if (put_may_join(f, y, &got, &old, &all))
		put_join_ranges(
		    f, old.part.range, got.range, before, has_before);
	else
		all = got.range;
	*length = range_len(all);
	put_place(y, k, all, got.complete_len);
	return true;
}

/* --- fills ---------------------------------------------------------------- */

/* Give the object its head, and what of its body is kept elsewhere. */
static bool
put_begin(struct cache_fill *f, struct exch *y, struct kept *k, uint64_t length)
{
	struct put p = put_of(f);
	struct range before;
	bool has_before = false;

	if (k->status == 206 &&
	    !put_part(f, y, k, &length, &before, &has_before))
		return false;
	if (length != OBJECTS_OPEN && length > f->cache->max_object)
		return false;
	if (!put_variant(f, y) || !put_head(&p, f->ref, k, length))
		return false;
	if (has_before &&
	    !fill_copy(f->view, f->ref, f->stale, f->joined_base, before))
		return false;
	put_note_tag(f, y, k);
	return true;
}

/* Keep the answer. false: it is not to be kept, or there is no room. */
static bool
put_store(struct cache_fill *f, struct exch *y)
{
	struct cache_facts facts = put_facts(y);
	struct kept k = {
	    .kind = KEPT_ANSWER,
	    .status = y->resp.status,
	    .version = y->resp.version,
	    .epoch = put_epoch(y),
	};

	/* one that speaks of the range alone */
	if (y->resp.status == 416 ||
	    storable_judge(&y->req, &y->resp, &f->policy, &facts, &k.fresh) !=
		STORABLE_YES)
		return false;
	put_fields(y, k.fresh.flags, &k.fields);
	if (!put_begin(f, y, &k, put_length(&y->resp)))
		return false;
	dictionary_offer(f, y, put_length(&y->resp));
	return true;
}

enum storable
put_merge(struct exch *x, const struct cached *c,
    const struct cache_policy *policy, struct kept *out)
{
	struct cache_facts facts = put_facts(x);
	const struct http_field *age;
	enum storable s;
	struct http_msg m;
	struct cc cc;
	bool is_cdn;

	*out = *c->kept;
	storable_merge(
	    &out->fields, &x->arena, &x->resp.fields, out->fresh.flags);
	/* how old it is now is for this answer alone to tell */
	age = fields_find(&x->resp.fields, FIELD_AGE);
	if (age != NULL)
		fields_add_id(&out->fields, &x->arena, FIELD_AGE, age->value);
	m = x->resp;
	m.status = out->status;
	m.fields = out->fields;
	s = storable_judge_update(&x->req, &m, policy);
	is_cdn = cc_parse_response(&out->fields, &cc);
	freshness_of(&m, &cc, is_cdn, policy, &facts, &out->fresh);
	(void)fields_del(&out->fields, FIELD_AGE);
	return s;
}

bool
put_is_recalled(enum storable why)
{
	return why == STORABLE_NO_STORE || why == STORABLE_NO_PRIVATE ||
	       why == STORABLE_NO_VARY;
}

/* A 304 that speaks of another variant than the one that was asked for. */
static bool
put_select_other(struct cache_fill *f, const struct validators *told)
{
	for (uint32_t i = 0; i < f->n_others; i++) {
		struct obj_ref ref;
		bool is_updating;

		if (!freshen_selects(told, &f->others[i], false) ||
		    objects_find(f->view, &f->other_keys[i], &ref,
			&is_updating) == OBJ_NONE)
			continue;
		if (f->stale.at != 0)
			objects_unpin(f->view, f->stale);
		f->stale = ref;
		return true;
	}
	return false;
}

/* What a 304 says changes what is kept, or goes to the one who asked alone. */
static void
put_freshen_with(struct cache_fill *f, struct exch *y, const struct cached *c)
{
	struct put p = put_of(f);
	struct kept k;
	enum storable s = put_merge(y, c, &f->policy, &k);

	if (s == STORABLE_YES) {
		if (put_head(&p, c->ref, &k, c->length))
			objects_renew(f->view, c->ref,
			    objects_moment_of(f->view, f->ref));
		return;
	}
	if (put_is_recalled(s))
		objects_drop(f->view, c->ref);
	f->own_head = kept_write(&k, &y->arena);
}

/* The stored answer is good again (RFC 9111 4.3.4). false: the 304 speaks of
 * none that is kept. */
static bool
put_freshen(struct cache_fill *f, struct exch *y)
{
	struct cached c = {.view = f->view, .ref = f->stale};
	struct validators told;

	validators_read(&y->resp.fields, cache_now_s(y), &told);
	if (f->is_adding || f->stale.at == 0 || !cache_read_head(y, &c) ||
	    !freshen_selects(&told, cache_validators(&c), f->n_others == 0)) {
		if (!put_select_other(f, &told))
			return false;
		c.ref = f->stale;
		if (!cache_read_head(y, &c) ||
		    !freshen_selects(&told, cache_validators(&c), false))
			return false;
	}
	put_freshen_with(f, y, &c);
	return true;
}

/* Nobody else can use it: who waits is told to go its own way, and so is for a
 * while whoever comes. */
void
put_pass(struct cache_fill *f, const struct exch *y)
{
	uint64_t length = put_length(&y->resp);
	struct obj_facts facts;

	objects_facts(f->view, f->ref, &facts);
	if (f->cache->slice > 0 && y->resp.status == 200 &&
	    length != OBJECTS_OPEN && length > f->cache->max_object)
		put_mark(f, KEPT_PASS, PUT_PASS_LONG_MS);
	else if (facts.is_awaited)
		put_mark(f, KEPT_PASS, PUT_PASS_MS);
	else
		fill_abandon(f);
}

void
put_mark(struct cache_fill *f, enum kept_kind kind, int64_t for_ms)
{
	struct kept k = {
	    .kind = kind,
	    .status = 200,
	    .until_ms =
		worker_clock(f->cw->w)->wall_us / PUT_US_PER_MS + for_ms,
	};
	struct put p = put_of(f);
	struct obj_facts facts;

	objects_facts(f->view, f->ref, &facts);
	if (facts.has_head || !put_head(&p, f->ref, &k, 0) ||
	    !objects_finish(f->view, f->ref)) {
		fill_abandon(f);
		return;
	}
	fill_release(f);
}

void
put_note_outgrown(struct cache_fill *f, bool is_too_long)
{
	struct obj_ref ref;

	fill_outgrow(f);
	switch (objects_begin(f->view, &f->key, &ref)) {
	case OBJ_BEGUN:
		f->ref = ref;
		put_mark(
		    f, KEPT_PASS, is_too_long ? PUT_PASS_LONG_MS : PUT_PASS_MS);
		break;
	case OBJ_OTHER:
		objects_unpin(f->view, ref);
		break;
	case OBJ_NO_ROOM:
		break;
	}
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
	bool is_error = put_is_error(y->resp.status);

	if (f->kind == FILL_SLICE || f->kind == FILL_REST) {
		put_known(f, y);
	} else if (f->kind == FILL_CODED) {
		fill_settle(f, !y->is_settled && put_coded(f, y) ? FILL_STORING
								 : FILL_FAILED);
	} else if (y->is_settled) {
		f->fault = y->fault;
		f->fault_errno = y->fault_errno;
		fill_settle(f, FILL_FAILED);
	} else if (y->resp.status == 304) {
		fill_settle(
		    f, put_freshen(f, y) ? FILL_FRESHENED : FILL_FAILED);
	} else if (f->may_answer_error && is_error) {
		fill_settle(f, FILL_FAILED);
	} else if (f->kind == FILL_PROBE && put_is_slice(y)) {
		fill_settle(f, put_slices(f, y));
	} else if (put_store(f, y)) {
		fill_settle(f, FILL_STORING);
	} else {
		/* what it takes the place of is not to be given any more */
		if (f->stale.at != 0 && !f->is_adding && !is_error)
			objects_drop(f->view, f->stale);
		put_pass(f, y);
		fill_settle(f, FILL_PASSING);
	}
	return VERDICT_NEXT;
}
