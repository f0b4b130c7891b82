/* cache/cache_fill: the internal exchange that asks a server for what is to be
 * kept, and the front that it is to its handler: content goes into an object, or
 * past it to the client that waits. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/cache/cache_int.h"
#include "worker/exch/internal.h"
#include "worker/exch/trail.h"

#define FILL_IOV 16

static void
fill_free_if_done(struct cache_fill *f)
{
	if (f->x != NULL || f->y != NULL)
		return;
	list_del(&f->node);
	free(f);
}

static void
fill_unpin(const struct cache_fill *f, struct obj_ref *ref)
{
	if (ref->at != 0)
		objects_unpin(f->view, *ref);
	ref->at = 0;
}

/* Tell whoever waits, here; the store tells the others. */
static void
fill_tell(struct cache_fill *f)
{
	if (f->ref.at != 0)
		cache_wake_own(f->cw, f->cache->index, f->ref.at);
	if (f->x != NULL)
		exch_kick(f->x);
}

void
fill_abandon(struct cache_fill *f)
{
	if (f->ref.at == 0)
		return;
	objects_abandon(f->view, f->ref);
	fill_release(f);
}

void
fill_outgrow(struct cache_fill *f)
{
	objects_outgrow(f->view, f->ref);
	fill_release(f);
}

void
fill_release(struct cache_fill *f)
{
	fill_tell(f);
	fill_unpin(f, &f->ref);
}

/* What x has to know of the server's answer. */
static void
fill_inform(const struct cache_fill *f, struct exch *x)
{
	struct cached *c = x->cached;
	struct kept *own;

	x->origin = f->y->origin;
	/* where no configuration names it, its text ends with y or before */
	x->origin.server = arena_span(&x->arena, f->y->origin.server);
	trail_copy(x, f->y);
	x->t.asked_us = f->y->t.asked_us;
	x->t.chosen_us = f->y->t.chosen_us;
	x->t.connect_us = f->y->t.connect_us;
	if (f->outcome == FILL_STORING || f->outcome == FILL_FRESHENED) {
		struct obj_ref ref = f->outcome != FILL_STORING ? f->stale
				     : f->mark.at != 0          ? f->mark
								: f->ref;

		objects_pin(c->view, ref);
		cache_unpin(c);
		c->ref = ref;
	}
	if (f->own_head.len == 0)
		return;
	own = arena_alloc(&x->arena, sizeof(*own));
	if (kept_read(arena_span(&x->arena, f->own_head), &x->arena, own))
		c->own = own;
}

void
fill_settle(struct cache_fill *f, enum fill_outcome outcome)
{
	f->outcome = outcome;
	/* the client's exchange may run when the fill is over */
	if (f->x != NULL)
		fill_inform(f, f->x);
	fill_tell(f);
}

/* --- as a front ----------------------------------------------------------- */

/* The object takes no more: what follows goes past it to the client that caused
 * the fill, if it still waits; the others see that it broke. Some of what was to
 * be appended last may be in it already. */
static void
fill_overflow(struct cache_fill *f, struct exch *y, bool is_too_long)
{
	bool is_all = f->kind != FILL_SLICE && f->kind != FILL_CODED &&
		      f->mark.at == 0 && !f->is_spliced;
	struct obj_facts facts;

	if (!is_all || f->x == NULL) {
		if (is_all)
			put_note_outgrown(f, is_too_long);
		exch_fault(y, F_INTERNAL, 0);
		return;
	}
	objects_facts(f->view, f->ref, &facts);
	/* others can write there */
	if (facts.filled - f->stored > y->resp_body.len) {
		exch_fault(y, F_INTERNAL, 0);
		return;
	}
	body_consume(&y->resp_body, facts.filled - f->stored);
	f->stored = facts.filled;
	f->is_live = true;
	put_note_outgrown(f, is_too_long);
}

bool
fill_copy(struct objects_view *v, struct obj_ref to, struct obj_ref from,
    uint64_t base, struct range r)
{
	uint64_t at = r.first - base;
	uint64_t end = r.last - base + 1;

	while (at < end) {
		struct iovec iov;
		uint64_t bytes;

		if (objects_body(v, from, at, end - at, &iov, 1, &bytes) == 0 ||
		    !objects_append(v, to, iov.iov_base, bytes))
			return false;
		at += bytes;
	}
	return true;
}

static bool
fill_store(struct cache_fill *f, struct exch *y)
{
	struct iovec iov[FILL_IOV];
	bool moved = false;
	uint64_t bytes;
	int n;

	while ((n = body_peek(y->out, iov, FILL_IOV, UINT64_MAX, &bytes)) > 0) {
		for (int i = 0; i < n; i++) {
			bool is_too_long =
			    f->stored + iov[i].iov_len > f->cache->max_object;

			if (is_too_long ||
			    !objects_append(f->view, f->ref, iov[i].iov_base,
				iov[i].iov_len)) {
				fill_overflow(f, y, is_too_long);
				return true;
			}
			dictionary_add(f, iov[i].iov_base, iov[i].iov_len);
			f->stored += iov[i].iov_len;
			body_consume(y->out, iov[i].iov_len);
			moved = true;
		}
	}
	if (body_is_done(y->out)) {
		if (f->has_joined && !fill_copy(f->view, f->ref, f->stale,
					 f->joined_base, f->joined))
			fill_abandon(f);
		if (f->ref.at != 0 && objects_finish(f->view, f->ref)) {
			counter_add(y->w->counters, COUNTER_CACHE_STORED, 1);
			dictionary_keep(f);
		}
		fill_release(f);
		y->is_sent = true;
		return true;
	}
	if (moved)
		fill_tell(f);
	return moved;
}

/* Content that nobody keeps: the client takes it by fill_pass(). */
static bool
fill_offer(struct cache_fill *f, struct exch *y)
{
	if (f->is_taken) {
		y->is_sent = true;
		return true;
	}
	if (f->x == NULL) {
		exch_fault(y, F_CLIENT_GONE, 0);
		return true;
	}
	if (body_is_done(&y->resp_body)) {
		exch_kick(f->x);
		/* its trailers and its end are taken first */
		if (f->x->resp_body.state == BODY_OPEN)
			return false;
		y->is_sent = true;
		return true;
	}
	if (y->resp_body.len > 0)
		exch_kick(f->x);
	return false;
}

static bool
fill_front_send(void *self, struct exch *y)
{
	struct cache_fill *f = self;

	if (y->out->state == BODY_ABORTED) {
		exch_fault(y, y->out->fault, 0);
		return true;
	}
	switch (f->outcome) {
	case FILL_STORING:
		/* somebody else fills that slice */
		if (f->ref.at == 0 && !f->is_live)
			break;
		return f->is_live ? fill_offer(f, y) : fill_store(f, y);
	case FILL_PASSING:
		return fill_offer(f, y);
	case FILL_OPEN:
	case FILL_FRESHENED:
	case FILL_UNSLICED:
	case FILL_USELESS:
	case FILL_FAILED:
		break;
	}
	/* nobody wants the content */
	y->is_sent = true;
	return true;
}

static void
fill_front_send_info(void *self, struct exch *y, struct http_msg *info)
{
	struct cache_fill *f = self;
	struct http_msg *copy;

	(void)y;
	if (f->x == NULL || f->x->is_begun)
		return;
	copy = arena_alloc(&f->x->arena, sizeof(*copy));
	msg_copy(copy, info, &f->x->arena);
	f->x->front->send_info(f->x->front_self, f->x, copy);
}

static void
fill_front_abort(void *self, struct exch *y)
{
	struct cache_fill *f = self;

	f->fault = y->fault;
	f->fault_errno = y->fault_errno;
	if (f->outcome == FILL_OPEN)
		f->outcome = FILL_FAILED;
	fill_abandon(f);
	if (f->x != NULL)
		exch_kick(f->x);
}

static void
fill_front_done(void *self, struct exch *y)
{
	struct cache_fill *f = self;

	if (f->outcome == FILL_OPEN)
		f->outcome = FILL_FAILED;
	if (f->fault == F_NONE)
		f->fault = y->fault;
	fill_abandon(f);
	dictionary_drop(f);
	fill_unpin(f, &f->stale);
	fill_unpin(f, &f->mark);
	f->y = NULL;
	f->cw->n_fills--;
	if (f->x != NULL)
		exch_kick(f->x);
	worker_conns_changed(f->cw->w);
	fill_free_if_done(f);
}

static bool
fill_front_local_addr(void *self, struct sock_addr *out)
{
	const struct cache_fill *f = self;

	*out = f->local;
	return f->has_local;
}

static const struct front_ops fill_front = {
    .name = "internal",
    .pull = internal_pull,
    .send = fill_front_send,
    .send_info = fill_front_send_info,
    .abort = fill_front_abort,
    .done = fill_front_done,
    .local_addr = fill_front_local_addr,
};

/* --- for the client's exchange -------------------------------------------- */

/* What is kept under the URL and may be good for this request, too: the tags of
 * its variants (RFC 9111 4.3.1). */
static void
fill_find_others(struct cache_fill *f, const struct cached *c)
{
	struct arena *a = &f->y->arena;
	struct validators *v = arena_zalloc(a, KEPT_TAGS_MAX * sizeof(*v));
	struct obj_key *keys = arena_zalloc(a, KEPT_TAGS_MAX * sizeof(*keys));

	f->others = v;
	f->other_keys = keys;
	if (c->mark == NULL)
		return;
	fields_foreach(fld, &c->mark->fields)
	{
		struct validators *one = &v[f->n_others];

		if (fld->id != FIELD_ETAG || f->n_others == KEPT_TAGS_MAX ||
		    fld->name.len != sizeof(keys[0]) ||
		    memcmp(fld->name.p, &c->key, sizeof(c->key)) == 0)
			continue;
		memcpy(&keys[f->n_others], fld->name.p, sizeof(keys[0]));
		one->has_etag =
		    etag_parse(arena_span(a, fld->value), &one->etag);
		f->n_others += one->has_etag;
	}
}

/* Only the cache's own conditions go to the server (RFC 9111 4.3.1). */
static void
fill_ask(struct cache_fill *f, struct cached *c)
{
	struct http_fields *fields = &f->y->req.fields;
	struct validators v[KEPT_TAGS_MAX + 1];
	size_t n = 0;

	fill_find_others(f, c);
	if (c->kept != NULL && !c->is_part)
		v[n++] = *cache_validators(c);
	for (uint32_t i = 0; i < f->n_others; i++)
		v[n++] = f->others[i];
	if (condition_ask(fields, &f->y->arena, v, n))
		return;
	f->n_others = 0;
	(void)fields_del(fields, FIELD_IF_NONE_MATCH);
	(void)fields_del(fields, FIELD_IF_MODIFIED_SINCE);
}

static struct cache_fill *
fill_new(struct exch *x, struct cached *c, struct obj_ref ref, span url)
{
	struct cache_fill *f = calloc(1, sizeof(*f));

	REQUIRE(f != NULL);
	f->cw = c->cw;
	f->cache = c->cache;
	f->view = c->view;
	f->ref = ref;
	f->base = c->base;
	f->has_local = x->front->local_addr(x->front_self, &f->local);
	f->y = exch_spawn(x, &fill_front, f);
	f->y->fill = f;
	f->url = arena_span(&f->y->arena, url);
	f->vary = arena_span(&f->y->arena, c->vary);
	f->is_base = c->mark == NULL;
	f->key = c->key;
	f->policy = c->policy;
	list_push_back(&c->cw->fills, &f->node);
	c->cw->n_fills++;
	return f;
}

/* Ask for these bytes, whatever they are now. */
static void
fill_ask_range(struct cache_fill *f, struct range r)
{
	struct http_fields *fields = &f->y->req.fields;
	span value =
	    r.last == RANGE_LEN_UNKNOWN - 1
		? arena_printf(
		      &f->y->arena, "bytes=%llu-", (unsigned long long)r.first)
		: arena_printf(&f->y->arena, "bytes=%llu-%llu",
		      (unsigned long long)r.first, (unsigned long long)r.last);

	f->asked = r;
	(void)fields_del(fields, FIELD_IF_RANGE);
	fields_set(fields, &f->y->arena, FIELD_RANGE, value);
}

/* Ask for a part of what is told by `of`. */
static void
fill_ask_known(struct cache_fill *f, const struct slice_of *of, struct range r)
{
	(void)fields_del(&f->y->req.fields, FIELD_IF_NONE_MATCH);
	(void)fields_del(&f->y->req.fields, FIELD_IF_MODIFIED_SINCE);
	f->of = *of;
	f->of.etag = arena_span(&f->y->arena, of->etag);
	fill_ask_range(f, r);
}

/* Whether the answer may come in slices: what is kept whole is asked about as a
 * whole. */
static bool
fill_is_probe(const struct cache_fill *f, const struct cached *c)
{
	return c->cache->slice > 0 && !c->wants_whole &&
	       f->url.len < OBJECTS_PURGE_CAP &&
	       (c->kept == NULL || c->kept->kind == KEPT_SLICED);
}

void
fill_begin_slice(
    struct exch *x, struct cached *c, struct obj_ref ref, uint64_t number)
{
	struct cache_fill *f = fill_new(x, c, ref, c->slices->url);

	f->kind = FILL_SLICE;
	fill_ask_known(f, &c->slices->of, slice_range(&c->slices->of, number));
	counter_add(x->w->counters, COUNTER_CACHE_FILLS, 1);
	exch_kick(f->y);
}

void
fill_begin_coded(struct exch *x, struct cached *c, struct obj_ref ref,
    const struct obj_key *key, enum coding coding)
{
	struct cache_fill *f = fill_new(x, c, ref, cache_url(x, c->cache));
	struct plan_settings *set = arena_alloc(&f->y->arena, sizeof(*set));

	f->kind = FILL_CODED;
	f->key = *key;
	f->stale = c->ref;
	objects_pin(f->view, f->stale);
	*set = *f->y->set;
	set->handler = &coded_handler;
	set->timeout_ms = 0;
	f->y->set = set;
	f->y->coding = coding;
	if (coding_has_dictionary(coding))
		dictionary_share(f->y, x);
	exch_kick(f->y);
}

void
fill_begin_rest(
    struct exch *x, struct cached *c, const struct slice_of *of, struct range r)
{
	struct cache_fill *f =
	    fill_new(x, c, (struct obj_ref){0, 0}, span_of(NULL, 0));

	f->kind = FILL_REST;
	fill_ask_known(f, of, r);
	f->x = x;
	c->fill = f;
	counter_add(x->w->counters, COUNTER_CACHE_FILLS, 1);
	exch_kick(f->y);
}

void
fill_begin(
    struct exch *x, struct cached *c, struct obj_ref ref, bool is_background)
{
	struct cache_fill *f = fill_new(x, c, ref, cache_url(x, c->cache));

	if (c->kept != NULL) {
		f->stale = c->ref;
		objects_pin(f->view, f->stale);
		f->is_adding = c->is_part;
		f->may_answer_error =
		    is_background || c->verdict.may_answer_error;
		f->y->is_spare = is_background || c->verdict.may_answer_lost;
	}
	fill_ask(f, c);
	if (fill_is_probe(f, c)) {
		f->kind = FILL_PROBE;
		fill_ask_range(f, slice_probe(x, c->cache->slice));
	}
	if (!is_background) {
		f->x = x;
		c->fill = f;
	}
	counter_add(x->w->counters, COUNTER_CACHE_FILLS, 1);
	exch_kick(f->y);
}

void
fill_leave(struct cache_fill *f)
{
	struct exch *y = f->y;

	f->x = NULL;
	/* what is kept is worth its end; what is not is the client's alone */
	if (y != NULL && (f->outcome == FILL_PASSING || f->is_live)) {
		exch_kill(y, F_CLIENT_GONE);
		return;
	}
	fill_free_if_done(f);
}

void
fill_hand_over(struct cache_fill *f, struct exch *x)
{
	struct exch *y = f->y;
	struct cached *c = x->cached;

	if (y == NULL) {
		exch_fault(x, f->fault, f->fault_errno);
		return;
	}
	msg_copy(&x->resp, &y->resp, &x->arena);
	x->is_own_answer = y->is_own_answer;
	x->is_page = y->is_page;
	/* it is this client's alone, and so may tell whose client it is */
	x->sticky = y->sticky;
	c->kept = NULL;
	cache_tell(x, c);
	exch_answer(x);
}

bool
fill_pass(struct cache_fill *f, struct exch *x)
{
	struct exch *y = f->y;
	bool moved = false;

	if (x->resp_body.state != BODY_OPEN)
		return false;
	if (y != NULL)
		moved = body_pass(&y->resp_body, &x->resp_body, UINT64_MAX,
			    &x->w->bufs) > 0;
	if (y != NULL && body_is_done(&y->resp_body)) {
		fields_copy(&x->resp.trailers, &y->resp.trailers, &x->arena);
		body_end(&x->resp_body);
		moved = true;
	} else if (y == NULL) {
		body_abort(&x->resp_body, f->fault);
		exch_fault(x, f->fault, f->fault_errno);
		return true;
	}
	if (moved)
		exch_kick(y);
	return moved;
}
