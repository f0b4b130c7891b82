/* cache/cache_rest: the end of an answer that began out of the cache and cannot
 * go on from there: a server is asked for the bytes that are missing, and what
 * comes is for one client. Only under a strong entity-tag, which says that both
 * are the same (RFC 9110 15.3.7.3). */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/cache/cache_int.h"

static void
rest_fail(struct exch *x, enum fault_id why, int err)
{
	body_abort(&x->resp_body, why);
	exch_fault(x, why, err);
}

void
rest_begin(struct exch *x, struct cached *c, struct range r, span etag)
{
	struct slice_of of = {
	    .complete_len = c->length == OBJECTS_OPEN ? RANGE_LEN_UNKNOWN
			    : c->is_part              ? c->part.complete_len
						      : c->length,
	    .etag = etag,
	};

	if (c->fill != NULL)
		fill_leave(c->fill);
	c->mode = CACHED_PASSING;
	if (c->is_part) {
		r.first += c->part.range.first;
		r.last += c->part.range.first;
	}
	fill_begin_rest(x, c, &of, r);
}

bool
rest_follow(struct exch *x, struct cached *c, struct range r)
{
	/* fields of the answer have been changed for this client */
	struct cached old = {.view = c->view, .ref = c->ref};
	const struct validators *v;
	struct obj_facts facts;

	objects_facts(c->view, c->ref, &facts);
	if (!facts.is_outgrown || !cache_read_head(x, &old))
		return false;
	v = cache_validators(&old);
	if (!v->has_etag || v->etag.is_weak ||
	    v->etag.opaque.len > SLICE_ETAG_MAX)
		return false;
	r.first += c->sent;
	rest_begin(x, c, r, v->etag.opaque);
	return true;
}

bool
rest_pass(struct exch *x, struct cached *c)
{
	struct cache_fill *f = c->fill;
	uint64_t bytes;

	if (x->resp_body.state != BODY_OPEN)
		return false;
	if (f->outcome == FILL_OPEN && f->y != NULL)
		return false;
	if (f->outcome != FILL_PASSING || f->y == NULL) {
		rest_fail(x, F_ORIGIN_CUT, f->fault_errno);
		return true;
	}
	bytes =
	    body_pass(&f->y->resp_body, &x->resp_body, f->rest, &x->w->bufs);
	f->rest -= bytes;
	if (f->rest == 0) {
		f->is_taken = true;
		exch_kick(f->y);
		f->x = NULL;
		c->fill = NULL;
		c->mode = CACHED_SERVING;
		c->piece++;
		c->sent = 0;
		return true;
	}
	if (body_is_done(&f->y->resp_body)) {
		rest_fail(x, F_ORIGIN_CUT, 0);
		return true;
	}
	if (bytes > 0)
		exch_kick(f->y);
	return bytes > 0;
}
