/* cache/cache_slice: content that is kept in slices, as those who read it see
 * it: which slice a byte is in, getting one that is not there, the next one a
 * little early. A slice is found by what ties it to the others, so that none of
 * another version can come into an answer. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/cache/cache_int.h"

/* Times that one slice may break before the answer does without the cache. */
#define SLICE_TRIES 4
/* How many are looked for at once for who wants nothing but what is there. */
#define SLICES_LOOKED_FOR 4096
#define SLICE_US_PER_MS 1000
/* Larger numbers are no first bytes, but what is asked for from the end. */
#define SLICE_FIRST_MAX (UINT64_C(1) << 62)

/* --- which ---------------------------------------------------------------- */

struct range
slice_range(const struct slice_of *of, uint64_t number)
{
	uint64_t first = number * of->size;

	return (struct range){
	    first, u64_min(of->size, of->complete_len - first) + first - 1};
}

struct obj_key
slice_key(
    const struct objects_view *v, const struct slice_of *of, uint64_t number)
{
	uint64_t numbers[] = {of->size, of->complete_len, number};
	char text[sizeof(numbers) + SLICE_ETAG_MAX];
	/* shorter than what tells variants apart */
	struct obj_key base = objects_key_of(v, of->base, SPAN_LIT("slices"));

	REQUIRE(of->etag.len <= SLICE_ETAG_MAX);
	memcpy(text, numbers, sizeof(numbers));
	memcpy(text + sizeof(numbers), of->etag.p, of->etag.len);
	return objects_key_of(
	    v, base, span_of(text, sizeof(numbers) + of->etag.len));
}

struct range
slice_probe(const struct exch *x, uint64_t size)
{
	uint64_t first = 0;
	struct ranges r;

	if (ranges_parse(exch_req_field(x, FIELD_RANGE), INT64_MAX, &r) ==
		RANGES_OK &&
	    r.n == 1 && r.at[0].first < SLICE_FIRST_MAX)
		first = r.at[0].first - r.at[0].first % size;
	return (struct range){first, first + size - 1};
}

/* --- getting one ---------------------------------------------------------- */

enum slice_rc {
	SLICE_THERE, /* pinned, some of it can be read or will be soon */
	SLICE_WAIT,
	SLICE_CHANGED, /* the server has another version now */
	SLICE_LOST /* it cannot be had through the cache */
};

static void
slice_unpin(struct cached *c)
{
	struct cached_slices *s = c->slices;

	cache_wait_end(&c->wait);
	if (s->ref.at != 0)
		objects_unpin(c->view, s->ref);
	s->ref.at = 0;
}

void
slices_end(struct cached *c)
{
	if (c->slices != NULL)
		slice_unpin(c);
	c->slices = NULL;
}

/* What this answer says of itself, when it did not begin yet. */
static void
slice_note_fetch(struct exch *x, struct cached *c, bool is_ours)
{
	if (c->result == RESULT_HIT)
		c->result = is_ours ? RESULT_MISS : RESULT_COLLAPSED;
	if (x->is_answered || c->fwd != CACHE_FWD_NONE)
		return;
	c->fwd = CACHE_FWD_PARTIAL;
	c->is_collapsed = !is_ours;
}

/* Fetch one; *ref is pinned and FILLING, by us or by others. */
static bool
slice_fetch(
    struct exch *x, struct cached *c, uint64_t number, struct obj_ref *ref)
{
	struct obj_key key = slice_key(c->view, &c->slices->of, number);

	if (cc_has(&c->cc, CC_NO_STORE) || cc_has(&c->cc, CC_ONLY_IF_CACHED) ||
	    c->cw->n_fills >= x->w->n_conns_max)
		return false;
	switch (objects_begin(c->view, &key, ref)) {
	case OBJ_BEGUN:
		slice_note_fetch(x, c, true);
		objects_pin(c->view, *ref);
		fill_begin_slice(x, c, *ref, number);
		return true;
	case OBJ_OTHER:
		slice_note_fetch(x, c, false);
		return true;
	case OBJ_NO_ROOM:
		return false;
	}
	UNREACHED();
}

/* Pin that slice, fetched when it is not there. */
static bool
slice_find(struct exch *x, struct cached *c, uint64_t number)
{
	struct cached_slices *s = c->slices;
	struct obj_key key = slice_key(c->view, &s->of, number);
	bool is_updating;

	switch (objects_find(c->view, &key, &s->ref, &is_updating)) {
	case OBJ_READY:
		objects_touch(c->view, s->ref);
		break;
	case OBJ_FILLING:
		if (!c->is_fetched)
			slice_note_fetch(x, c, false);
		break;
	case OBJ_NONE:
	case OBJ_BROKEN:
		s->ref.at = 0;
		if (!slice_fetch(x, c, number, &s->ref))
			return false;
	}
	s->number = number;
	return true;
}

/* What the pinned one is. SLICE_LOST: of no use, look for another one. */
static enum slice_rc
slice_judge(const struct exch *x, struct cached *c)
{
	struct cached_slices *s = c->slices;
	uint64_t now_ms = worker_clock(x->w)->mono_us / SLICE_US_PER_MS;
	struct obj_facts facts;

	cache_wait(c->cw, &c->wait, s->ref);
	objects_facts(c->view, s->ref, &facts);
	if (facts.state == OBJ_FILLING && !facts.has_head)
		return SLICE_WAIT;
	if (!facts.has_head || facts.state == OBJ_BROKEN)
		return SLICE_LOST;
	if (facts.length == range_len(slice_range(&s->of, s->number)))
		return SLICE_THERE;
	if (now_ms < facts.born_ms + SLICE_CHANGED_MS)
		return SLICE_CHANGED;
	objects_drop(c->view, s->ref);
	return SLICE_LOST;
}

/* Have the slice pinned that the byte is in. Nothing of another one may be on
 * its way to the client. */
static enum slice_rc
slice_have(struct exch *x, struct cached *c, uint64_t at)
{
	struct cached_slices *s = c->slices;
	uint64_t number = at / s->of.size;

	if (s->ref.at != 0 && s->number != number) {
		slice_unpin(c);
		s->tries = 0;
	}
	while (s->tries <= SLICE_TRIES) {
		enum slice_rc rc;

		if (s->ref.at == 0 && !slice_find(x, c, number))
			return SLICE_LOST;
		rc = slice_judge(x, c);
		if (rc != SLICE_LOST)
			return rc;
		slice_unpin(c);
		s->tries++;
	}
	return SLICE_LOST;
}

/* --- before the answer begins --------------------------------------------- */

/* The slices of c->kept. Without a strong tag, which a 304 may have taken, none
 * can be had. */
static void
slices_open(struct exch *x, struct cached *c, uint64_t at)
{
	const struct validators *v = cache_validators(c);
	struct cached_slices *s = arena_zalloc(&x->arena, sizeof(*s));
	bool is_strong = v->has_etag && !v->etag.is_weak &&
			 v->etag.opaque.len <= SLICE_ETAG_MAX;

	s->of = (struct slice_of){
	    .base = c->kept->base,
	    .size = c->kept->slice,
	    .complete_len = c->kept->complete_len,
	    .etag = is_strong ? arena_span(&x->arena, v->etag.opaque)
			      : span_of(NULL, 0),
	};
	if (!is_strong) {
		objects_drop(c->view, c->ref);
		s->tries = SLICE_TRIES + 1;
	}
	s->url = cache_url(x, c->cache);
	s->first_at = at;
	c->slices = s;
}

/* Whether all slices of the range are there, for who wants nothing else. */
static bool
slices_are_whole(const struct cached *c, struct range r)
{
	const struct slice_of *of = &c->slices->of;
	uint64_t last = r.last / of->size;

	if (last - r.first / of->size >= SLICES_LOOKED_FOR)
		return false;
	for (uint64_t i = r.first / of->size; i <= last; i++) {
		struct obj_key key = slice_key(c->view, of, i);
		struct obj_ref ref;
		bool is_updating;

		if (objects_find(c->view, &key, &ref, &is_updating) == OBJ_NONE)
			return false;
		objects_unpin(c->view, ref);
	}
	return true;
}

bool
slices_begin(struct exch *x, struct cached *c)
{
	struct range all;
	uint64_t at;

	if (!cache_serves_from(x, c, &all, &at))
		return true;
	if (c->slices == NULL)
		slices_open(x, c, at);
	if (cc_has(&c->cc, CC_ONLY_IF_CACHED) && !slices_are_whole(c, all))
		c->slices->tries = SLICE_TRIES + 1;
	if (slice_have(x, c, at) == SLICE_THERE)
		return true;
	c->mode = CACHED_WAITING;
	exch_kick(x);
	return false;
}

bool
slices_pump(struct exch *x, struct cached *c)
{
	switch (slice_have(x, c, c->slices->first_at)) {
	case SLICE_THERE:
		cache_serve(x, c);
		return true;
	case SLICE_WAIT:
		return false;
	case SLICE_CHANGED:
		if (c->tries <= CACHED_TRIES) {
			cache_look_again(x, c);
			return true;
		}
		break;
	case SLICE_LOST:
		break;
	}
	if (cc_has(&c->cc, CC_ONLY_IF_CACHED)) {
		(void)cache_timeout(x, c);
		c->mode = CACHED_SERVING;
		exch_answer(x);
		return true;
	}
	slice_note_fetch(x, c, true);
	(void)cache_go_aside(x, c);
	return true;
}

/* --- while it goes on ----------------------------------------------------- */

/* Bytes of the pinned slice, as many as there are and the answer takes. */
static uint64_t
slice_push(struct exch *x, struct cached *c, struct range want)
{
	struct iovec iov[BODY_SLICES];
	uint32_t room = body_room(&x->resp_body);
	uint64_t base = c->slices->number * c->slices->of.size;
	uint64_t bytes;
	int n;

	if (room == 0)
		return 0;
	n = objects_body(c->view, c->slices->ref, want.first - base,
	    u64_min(range_len(want), room), iov, BODY_SLICES - x->resp_body.n,
	    &bytes);
	for (int i = 0; i < n; i++) {
		struct slice one = {
		    NULL, iov[i].iov_base, (uint32_t)iov[i].iov_len};

		body_push(&x->resp_body, &one);
	}
	c->sent += bytes;
	return bytes;
}

/* The next one is fetched when half of this one is with the client: one slice
 * ahead, no more. */
static void
slices_look_ahead(struct exch *x, struct cached *c, struct range r)
{
	struct cached_slices *s = c->slices;
	uint64_t next = s->number + 1;
	struct obj_key key;
	struct obj_ref ref;
	bool is_updating;

	if (s->ref.at == 0 || s->ahead == next || next * s->of.size > r.last ||
	    r.first + c->sent - x->resp_body.len <
		s->number * s->of.size + s->of.size / 2)
		return;
	s->ahead = next;
	key = slice_key(c->view, &s->of, next);
	if (objects_find(c->view, &key, &ref, &is_updating) != OBJ_NONE ||
	    slice_fetch(x, c, next, &ref))
		objects_unpin(c->view, ref);
}

/* Whether something of the pinned slice is on its way. Who waits for the whole of
 * it takes nothing before: it gets a copy. */
static bool
slice_is_in_use(struct exch *x)
{
	if (x->resp_body.len > 0 && x->resp_body.wants_whole)
		body_own(&x->resp_body);
	else if (x->resp_body.len > 0)
		return true;
	return false;
}

/* The pinned slice has no more now. Whether anything changed. */
static bool
slice_dry(struct exch *x, struct cached *c, uint64_t at)
{
	struct cached_slices *s = c->slices;
	struct obj_facts facts;

	cache_wait(c->cw, &c->wait, s->ref);
	objects_facts(c->view, s->ref, &facts);
	if (facts.filled > at - s->number * s->of.size)
		return true;
	/* it broke: what was read of it is on its way */
	if (facts.state == OBJ_FILLING || slice_is_in_use(x))
		return false;
	slice_unpin(c);
	s->tries++;
	return true;
}

static void
slice_fail(struct exch *x)
{
	body_abort(&x->resp_body, F_ORIGIN_CUT);
	exch_fault(x, F_ORIGIN_CUT, 0);
}

/* What is missing cannot come through the cache. */
static void
slice_lost(struct exch *x, struct cached *c, struct range r)
{
	if (cc_has(&c->cc, CC_ONLY_IF_CACHED))
		slice_fail(x);
	else
		rest_begin(x, c, r, c->slices->of.etag);
}

bool
slices_step(struct exch *x, struct cached *c, struct range r)
{
	struct cached_slices *s = c->slices;
	uint64_t at = r.first + c->sent;
	bool is_in_use = s->ref.at != 0 && slice_is_in_use(x);
	struct range want;

	slices_look_ahead(x, c, r);
	/* what is on its way lies in the slice that is pinned */
	if (is_in_use && s->number != at / s->of.size)
		return false;
	switch (is_in_use ? SLICE_THERE : slice_have(x, c, at)) {
	case SLICE_THERE:
		break;
	case SLICE_WAIT:
		return false;
	case SLICE_CHANGED:
		slice_fail(x);
		return true;
	case SLICE_LOST:
		slice_lost(x, c, (struct range){at, r.last});
		return true;
	}
	want = slice_range(&s->of, s->number);
	want = (struct range){at, u64_min(want.last, r.last)};
	if (slice_push(x, c, want) > 0)
		return true;
	return body_room(&x->resp_body) > 0 && slice_dry(x, c, at);
}
