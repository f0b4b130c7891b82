/* cache/cache_slice_put: what a server's answer to a question for a slice means:
 * the first one of a content that was not known, one of a content that is, or
 * one that says that it is not what it was. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/cache/cache_put.h"

/* How long something is asked for as a whole before slices are tried again. */
#define SLICE_WHOLE_MS 60000

/* A part whose place and whole length are told, and its length if it is. */
static bool
slice_read_place(const struct exch *y, struct content_range *out)
{
	const struct http_field *told =
	    fields_find(&y->resp.fields, FIELD_CONTENT_RANGE);
	uint64_t length = put_length(&y->resp);

	return y->resp.status == 206 && told != NULL &&
	       content_range_parse(told->value, out) && !out->is_unsatisfied &&
	       out->complete_len != RANGE_LEN_UNKNOWN &&
	       (length == OBJECTS_OPEN || length == range_len(out->range));
}

/* The strong entity-tag, or nothing. */
static span
slice_etag(struct exch *y)
{
	struct validators v;

	validators_read(&y->resp.fields, cache_now_s(y), &v);
	return v.has_etag && !v.etag.is_weak &&
		       v.etag.opaque.len <= SLICE_ETAG_MAX
		   ? v.etag.opaque
		   : span_of(NULL, 0);
}

/* Whether it may be kept, and how: as the whole would. */
static enum storable
slice_judge(struct cache_fill *f, struct exch *y, struct kept *out)
{
	struct cache_facts facts = put_facts(y);
	enum storable s;

	*out = (struct kept){
	    .kind = KEPT_SLICED,
	    .status = 200,
	    .version = y->resp.version,
	};
	s = storable_judge(&y->req, &y->resp, &f->policy, &facts, &out->fresh);
	if (s != STORABLE_YES)
		return s;
	put_fields(y, out->fresh.flags, &out->fields);
	(void)fields_del(&out->fields, FIELD_CONTENT_RANGE);
	out->fresh.flags &= ~(uint32_t)FRESH_PARTIAL;
	return STORABLE_YES;
}

/* --- the first one -------------------------------------------------------- */

bool
put_is_slice(struct exch *y)
{
	struct content_range got;

	if (y->resp.status == 416)
		return true;
	if (y->resp.status != 206)
		return false;
	if (!slice_read_place(y, &got) ||
	    range_len(got.range) != got.complete_len)
		return true;
	y->resp.status = 200;
	y->resp.reason = status_reason(200);
	(void)fields_del(&y->resp.fields, FIELD_CONTENT_RANGE);
	return false;
}

/* The slice that the answer is; at 0 when there is no room for it, or somebody
 * else has begun it. */
static struct obj_ref
slices_begin_first(struct cache_fill *f, const struct put *p,
    const struct slice_of *of, const struct kept *k, struct range got)
{
	struct obj_key key = slice_key(f->view, of, got.first / of->size);
	struct kept one = *k;
	struct obj_ref ref = {0, 0};

	/* it may say that the server had another version */
	cache_forget(f->view, &key, false);
	one.kind = KEPT_ANSWER;
	switch (objects_begin_as(f->view, &key, f->ref, &ref)) {
	case OBJ_BEGUN:
		if (put_head(p, ref, &one, range_len(got)))
			return ref;
		objects_abandon(f->view, ref);
		break;
	case OBJ_OTHER:
		break;
	case OBJ_NO_ROOM:
		return (struct obj_ref){0, 0};
	}
	objects_unpin(f->view, ref);
	return (struct obj_ref){0, 0};
}

/* Put the mark under what is to be filled, when the slice can be found already:
 * who waited for the mark asks for it at once. */
static bool
slices_store(struct cache_fill *f, struct exch *y, struct kept *k,
    struct range got, span etag)
{
	struct slice_of of = {
	    .size = k->slice, .complete_len = k->complete_len, .etag = etag};
	struct put p = put_of(f);
	struct obj_ref slice;

	if (!put_variant(f, y))
		return false;
	k->base = of.base = f->key;
	slice = slices_begin_first(f, &p, &of, k, got);
	if (!put_head(&p, f->ref, k, 0)) {
		if (slice.at != 0) {
			objects_abandon(f->view, slice);
			objects_unpin(f->view, slice);
		}
		return false;
	}
	put_note_tag(f, y, k);
	f->mark = f->ref;
	f->ref = slice;
	(void)objects_finish(f->view, f->mark);
	cache_wake_own(f->cw, f->cache->index, f->mark.at);
	return true;
}

/* A slice that nobody may share. When that is because of this request, it says
 * nothing of the next one. */
static enum fill_outcome
slices_refuse(struct cache_fill *f, const struct exch *y, enum storable why)
{
	if (why == STORABLE_NO_REQUEST || why == STORABLE_NO_AUTHORIZATION)
		put_pass(f, y);
	else
		put_mark(f, KEPT_PASS, PUT_PASS_MS);
	return FILL_USELESS;
}

enum fill_outcome
put_slices(struct cache_fill *f, struct exch *y)
{
	struct content_range got;
	span etag = slice_etag(y);
	enum storable s;
	struct kept k;

	/* behind the end of what is there, wherever that is */
	if (y->resp.status == 416 && f->asked.first > 0) {
		fill_abandon(f);
		return FILL_USELESS;
	}
	if (slice_read_place(y, &got) && etag.len > 0 &&
	    got.range.first == f->asked.first &&
	    got.range.last == u64_min(f->asked.last, got.complete_len - 1)) {
		s = slice_judge(f, y, &k);
		if (s != STORABLE_YES)
			return slices_refuse(f, y, s);
		k.slice = f->cache->slice;
		k.complete_len = got.complete_len;
		if (slices_store(f, y, &k, got.range, etag))
			return FILL_STORING;
	}
	put_mark(f, KEPT_WHOLE, SLICE_WHOLE_MS);
	return FILL_UNSLICED;
}

/* --- of what is known ----------------------------------------------------- */

/* Whether it is the part that was asked for, of the same content. */
static bool
slice_is_same(const struct cache_fill *f, struct exch *y)
{
	struct content_range got;
	uint64_t last = f->asked.last;

	if (!slice_read_place(y, &got) || !span_eq(slice_etag(y), f->of.etag))
		return false;
	if (f->of.complete_len == RANGE_LEN_UNKNOWN)
		last = got.complete_len - 1;
	else if (got.complete_len != f->of.complete_len)
		return false;
	return got.range.first == f->asked.first && got.range.last == last;
}

/* The mark of a version that is no more. */
static void
slice_drop_mark(struct cache_fill *f, struct exch *y)
{
	struct cached c = {.view = f->view};
	bool is_updating;

	if (objects_find(f->view, &f->of.base, &c.ref, &is_updating) ==
	    OBJ_NONE)
		return;
	if (cache_read_head(y, &c) && c.kept->kind == KEPT_SLICED &&
	    cache_validators(&c)->has_etag &&
	    span_eq(cache_validators(&c)->etag.opaque, f->of.etag))
		objects_drop(f->view, c.ref);
	objects_unpin(f->view, c.ref);
}

/* Statuses that tell what there is now, and not that something failed. */
static bool
slice_is_told(unsigned status)
{
	return status == 200 || status == 206 || status == 404 ||
	       status == 410 || status == 416;
}

static enum fill_outcome
slice_store(struct cache_fill *f, struct exch *y)
{
	struct put p = put_of(f);
	bool is_same = slice_is_same(f, y);
	struct kept k;

	if (is_same && slice_judge(f, y, &k) == STORABLE_YES) {
		k.kind = KEPT_ANSWER;
		return put_head(&p, f->ref, &k, range_len(f->asked))
			   ? FILL_STORING
			   : FILL_FAILED;
	}
	if (is_same || slice_is_told(y->resp.status)) {
		slice_drop_mark(f, y);
		put_mark(f, KEPT_PASS, SLICE_CHANGED_MS);
	}
	return FILL_FAILED;
}

void
put_known(struct cache_fill *f, struct exch *y)
{
	struct content_range got;

	if (y->is_settled) {
		f->fault = y->fault;
		f->fault_errno = y->fault_errno;
		fill_settle(f, FILL_FAILED);
	} else if (f->kind == FILL_SLICE) {
		fill_settle(f, slice_store(f, y));
	} else if (slice_is_same(f, y)) {
		(void)slice_read_place(y, &got);
		f->rest = range_len(got.range);
		fill_settle(f, FILL_PASSING);
	} else {
		fill_settle(f, FILL_FAILED);
	}
}
