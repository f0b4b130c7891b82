/* cache/cache_serve: an answer out of an object: the head is copied, the content
 * goes to the client straight from the segment while the object is pinned. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/cache/cache_int.h"

/* Content in flight: it costs no memory, so that many pieces go in one call. */
#define SERVE_HIGH (4u * 1024 * 1024)
#define SERVE_STATUS_CAP 512
#define SERVE_PART_CAP 512
#define SERVE_BOUNDARY_LEN 24

static void
serve_field(struct exch *x, enum field_id id, span value)
{
	fields_set(&x->resp.fields, &x->arena, id, value);
}

static void
serve_number(struct exch *x, enum field_id id, uint64_t n)
{
	char *p = arena_alloc(&x->arena, sizeof("18446744073709551615"));

	serve_field(x, id, span_of(p, u64_format(n, p)));
}

void
cache_tell(struct exch *x, struct cached *c)
{
	struct cache_status s = {
	    .name = c->cache->name,
	    .is_hit = c->fwd == CACHE_FWD_NONE,
	    .fwd = c->fwd,
	    .fwd_status = x->origin.status,
	    .is_collapsed = c->is_collapsed,
	    .is_stored =
		c->mode == CACHED_SERVING && c->is_fetched && c->own == NULL,
	    .detail = c->slices != NULL ? SPAN_LIT("sliced") : SPAN_LIT(""),
	};
	char *p;
	size_t n;

	if (!c->cache->tells_status)
		return;
	if (c->kept != NULL) {
		s.has_ttl = true;
		s.ttl_s = freshness_ttl(&c->kept->fresh, cache_now_s(x));
	}
	p = arena_alloc(&x->arena, SERVE_STATUS_CAP);
	n = cachestatus_write(&s, p, SERVE_STATUS_CAP);
	/* RFC 9211 2: behind the members of caches nearer to the origin */
	if (n > 0)
		fields_add_id(&x->resp.fields, &x->arena, FIELD_CACHE_STATUS,
		    span_of(p, n));
}

/* RFC 9111 5.1: what comes out of the cache tells its age; what was just made
 * for this client only when it came with one. */
static void
serve_age(struct exch *x, const struct cached *c)
{
	uint32_t age = freshness_age(&c->kept->fresh, cache_now_s(x));

	if (!c->is_fetched || age > 0)
		serve_number(x, FIELD_AGE, age);
}

static void
serve_head(struct exch *x, struct cached *c, unsigned status)
{
	const struct kept *k = c->kept;

	memset(&x->resp, 0, sizeof(x->resp));
	x->resp.version = k->version;
	x->resp.status = (uint16_t)status;
	x->resp.reason = status_reason(status);
	/* nobody needs them as they were kept from here on */
	x->resp.fields = k->fields;
	x->is_own_answer = false;
	body_fini(&x->resp_body);
	body_init(&x->resp_body, SERVE_HIGH);
}

/* RFC 9110 15.4.5 */
static void
serve_not_modified(struct exch *x, struct cached *c)
{
	serve_head(x, c, 304);
	fields_foreach(f, &x->resp.fields)
	{
		if (!condition_keeps_in_304(&c->kept->fields, f))
			f->is_gone = true;
	}
	x->resp.body = LENGTH_NONE;
	body_end(&x->resp_body);
}

/* Length of the whole, of which the object may be a part. */
static uint64_t
serve_complete(const struct cached *c)
{
	return c->is_part ? c->part.complete_len : c->length;
}

/* The range is one of the whole. */
static void
serve_piece(struct cached *c, struct range r)
{
	if (c->is_part) {
		r.first -= c->part.range.first;
		r.last -= c->part.range.first;
	}
	c->pieces[c->n_pieces++] = (struct cached_piece){.range = r};
}

static void
serve_text(struct cached *c, span text)
{
	c->pieces[c->n_pieces++] =
	    (struct cached_piece){.is_text = true, .text = text};
}

static span
serve_boundary(struct exch *x)
{
	return arena_printf(&x->arena, "gatehouse-%016llx",
	    (unsigned long long)(x->w->id_salt ^ ++x->w->request_seq));
}

/* RFC 9110 15.3.7.2 */
static void
serve_parts(struct exch *x, struct cached *c, const struct ranges *r)
{
	const struct http_field *type =
	    fields_find(&c->kept->fields, FIELD_CONTENT_TYPE);
	struct multipart m = {
	    .boundary = serve_boundary(x),
	    .content_type = type == NULL ? span_of(NULL, 0) : type->value,
	    .complete_len = serve_complete(c),
	};
	size_t cap = SERVE_PART_CAP + m.content_type.len;
	char *p = arena_alloc(&x->arena, cap);

	x->resp.length = multipart_len(&m, r);
	serve_field(
	    x, FIELD_CONTENT_TYPE, span_of(p, multipart_type(&m, p, cap)));
	for (unsigned i = 0; i < r->n; i++) {
		p = arena_alloc(&x->arena, cap);
		serve_text(c,
		    span_of(p, multipart_head(&m, r->at[i], i == 0, p, cap)));
		serve_piece(c, r->at[i]);
	}
	p = arena_alloc(&x->arena, cap);
	serve_text(c, span_of(p, multipart_tail(&m, p, cap)));
}

static void
serve_part(struct exch *x, struct cached *c, struct range r)
{
	char *p = arena_alloc(&x->arena, CONTENT_RANGE_CAP);

	serve_field(x, FIELD_CONTENT_RANGE,
	    span_of(p, content_range_write(r, serve_complete(c), p)));
	x->resp.length = range_len(r);
	serve_piece(c, r);
}

static void
serve_unsatisfiable(struct exch *x, struct cached *c)
{
	char *p = arena_alloc(&x->arena, CONTENT_RANGE_CAP);

	exch_reply_status(x, 416);
	serve_field(x, FIELD_CONTENT_RANGE,
	    span_of(p, content_range_write_unsatisfied(c->length, p)));
}

/* The parts that are asked for, when they are to be had (RFC 9110 14.2). */
static enum ranges_rc
serve_ranges(const struct exch *x, struct cached *c, struct ranges *r)
{
	span value = exch_req_field(x, FIELD_RANGE);

	if (value.len == 0 || x->req.method != METHOD_GET ||
	    (c->kept->status != 200 && !c->is_part) ||
	    c->length == OBJECTS_OPEN ||
	    !condition_allows_range(&x->req.fields, cache_validators(c)))
		return RANGES_IGNORE;
	return ranges_parse(value, serve_complete(c), r);
}

static void
serve_whole(struct exch *x, struct cached *c)
{
	serve_head(x, c, c->kept->status);
	if (c->length == OBJECTS_OPEN) {
		x->resp.body = LENGTH_OPEN;
		serve_piece(c, (struct range){0, OBJECTS_OPEN - 1});
		return;
	}
	x->resp.body = LENGTH_KNOWN;
	x->resp.length = c->length;
	serve_number(x, FIELD_CONTENT_LENGTH, c->length);
	if (c->length > 0)
		serve_piece(c, (struct range){0, c->length - 1});
}

static void
serve_content(struct exch *x, struct cached *c)
{
	struct ranges r;

	c->pieces = arena_alloc(&x->arena, CACHED_PIECES * sizeof(*c->pieces));
	c->n_pieces = 0;
	switch (serve_ranges(x, c, &r)) {
	case RANGES_UNSATISFIABLE:
		serve_unsatisfiable(x, c);
		return;
	case RANGES_IGNORE:
		serve_whole(x, c);
		break;
	case RANGES_OK:
		serve_head(x, c, 206);
		(void)fields_del(&x->resp.fields, FIELD_CONTENT_RANGE);
		x->resp.body = LENGTH_KNOWN;
		if (r.n == 1)
			serve_part(x, c, r.at[0]);
		else
			serve_parts(x, c, &r);
		serve_number(x, FIELD_CONTENT_LENGTH, x->resp.length);
		break;
	}
	if (x->req.method == METHOD_HEAD)
		c->n_pieces = 0;
}

static bool
serve_is_conditional(const struct exch *x)
{
	const struct http_fields *f = &x->req.fields;

	return fields_find(f, FIELD_IF_NONE_MATCH) != NULL ||
	       fields_find(f, FIELD_IF_MODIFIED_SINCE) != NULL;
}

static bool
serve_is_unmodified(const struct exch *x, struct cached *c)
{
	return serve_is_conditional(x) &&
	       condition_judge(&x->req, c->kept->status, cache_validators(c),
		   cache_now_s(x)) == CONDITION_NOT_MODIFIED;
}

bool
cache_serves_from(
    const struct exch *x, struct cached *c, struct range *out, uint64_t *at)
{
	struct ranges r;

	*at = 0;
	*out = (struct range){0, c->length - 1};
	if (x->req.method == METHOD_HEAD || serve_is_unmodified(x, c))
		return false;
	switch (serve_ranges(x, c, &r)) {
	case RANGES_UNSATISFIABLE:
		return false;
	case RANGES_OK:
		*at = r.at[0].first;
		*out = ranges_hull(&r);
		return true;
	case RANGES_IGNORE:
		return true;
	}
	UNREACHED();
}

void
cache_serve(struct exch *x, struct cached *c)
{
	if (c->kept->kind == KEPT_SLICED && !slices_begin(x, c))
		return;
	c->mode = CACHED_SERVING;
	objects_touch(c->view, c->ref);
	if (serve_is_unmodified(x, c))
		serve_not_modified(x, c);
	else
		serve_content(x, c);
	if (!x->is_own_answer)
		serve_age(x, c);
	cache_tell(x, c);
	exch_answer(x);
	(void)cache_serve_step(x, c);
}

/* Bytes of the object's body, as many as there are and the answer takes.
 * Returns how many. */
static uint64_t
serve_bytes(struct exch *x, struct cached *c, struct range r)
{
	struct iovec iov[BODY_SLICES];
	uint32_t room = body_room(&x->resp_body);
	uint64_t at = r.first + c->sent;
	uint64_t bytes;
	int n;

	if (room == 0)
		return 0;
	n = objects_body(c->view, c->ref, at, u64_min(r.last - at + 1, room),
	    iov, BODY_SLICES - x->resp_body.n, &bytes);
	for (int i = 0; i < n; i++) {
		struct slice s = {
		    NULL, iov[i].iov_base, (uint32_t)iov[i].iov_len};

		body_push(&x->resp_body, &s);
	}
	c->sent += bytes;
	return bytes;
}

/* The object has no more bytes now: is that its end, is it broken, or do we
 * wait? Whether anything changed. */
static bool
serve_dry(struct exch *x, struct cached *c, struct range r)
{
	struct obj_facts facts;

	cache_wait(c->cw, &c->wait, c->ref);
	objects_facts(c->view, c->ref, &facts);
	if (facts.filled > r.first + c->sent)
		return true;
	if (facts.state == OBJ_FILLING)
		return false;
	if (c->fill != NULL && c->fill->is_live && x->resp.status != 206) {
		/* it outgrew the cache: the rest comes past it */
		c->mode = CACHED_PASSING;
		return true;
	}
	if (facts.length == facts.filled && facts.state != OBJ_BROKEN) {
		c->piece++;
		c->sent = 0;
		return true;
	}
	if (rest_follow(x, c, r))
		return true;
	body_abort(&x->resp_body, F_ORIGIN_CUT);
	exch_fault(x, F_ORIGIN_CUT, 0);
	return true;
}

bool
cache_serve_step(struct exch *x, struct cached *c)
{
	bool moved = false;

	if (x->resp_body.state != BODY_OPEN)
		return false;
	while (c->piece < c->n_pieces && body_room(&x->resp_body) > 0) {
		const struct cached_piece *p = &c->pieces[c->piece];
		uint64_t len = p->is_text ? p->text.len : range_len(p->range);

		if (p->is_text) {
			struct slice s = {
			    NULL, p->text.p, (uint32_t)p->text.len};

			body_push(&x->resp_body, &s);
			c->sent = len;
		} else if (c->slices != NULL) {
			if (!slices_step(x, c, p->range))
				return moved;
			if (c->mode != CACHED_SERVING || x->is_failing)
				return true;
		} else if (serve_bytes(x, c, p->range) == 0) {
			if (!serve_dry(x, c, p->range))
				return moved;
			if (c->mode != CACHED_SERVING || x->is_failing)
				return true;
			moved = true;
			continue;
		}
		moved = true;
		if (c->sent == len) {
			c->piece++;
			c->sent = 0;
		}
	}
	if (c->piece < c->n_pieces)
		return moved;
	body_end(&x->resp_body);
	return true;
}
