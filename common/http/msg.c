/* http/msg: tables of fields, methods and reason phrases. Knows nothing of any
 * wire. */
#include "common/http/msg.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Room of a table that had none. */
#define FIELDS_CAP_MIN 8

enum { SAFE = 1, IDEMPOTENT = 2 };

struct method_row {
	span name;
	unsigned flags;
};

static const struct method_row methods[METHOD_N] = {
#define METHOD(id, name, flags) \
	[METHOD_##id] = {{name, sizeof(name) - 1}, flags},
#include "common/http/method.def"
#undef METHOD
};

enum http_method
method_lookup(span text)
{
	for (unsigned m = METHOD_OTHER + 1; m < METHOD_N; m++)
		if (span_eq(methods[m].name, text))
			return (enum http_method)m;
	return METHOD_OTHER;
}

span
method_name(enum http_method m)
{
	REQUIRE(m > METHOD_OTHER && m < METHOD_N);
	return methods[m].name;
}

bool
method_is_safe(enum http_method m)
{
	return (methods[m].flags & SAFE) != 0;
}

bool
method_is_idempotent(enum http_method m)
{
	return (methods[m].flags & IDEMPOTENT) != 0;
}

span
status_reason(unsigned status)
{
	switch (status) {
#define STATUS(code, text, flags) \
	case code: \
		return SPAN_LIT(text);
#include "common/http/status.def"
#undef STATUS
	default:
		return SPAN_LIT("");
	}
}

enum { HEURISTIC = 1 };

bool
status_is_heuristic(unsigned status)
{
	switch (status) {
#define STATUS(code, text, flags) \
	case code: \
		return (flags) != 0;
#include "common/http/status.def"
#undef STATUS
	default:
		return false;
	}
}

static inline bool
may_hold(const struct http_fields *f, enum field_id id)
{
	return (f->present[id / 64] >> (id % 64) & 1) != 0;
}

void
fields_init(struct http_fields *f, struct arena *a, uint32_t cap)
{
	size_t len;

	*f = (struct http_fields){.cap = cap};
	if (cap == 0)
		return;
	REQUIRE(size_mul(cap, sizeof(*f->at), &len));
	f->at = arena_alloc(a, len);
}

void
fields_grow(struct http_fields *f, struct arena *a)
{
	struct http_field *old = f->at;
	size_t len;

	REQUIRE(f->cap <= UINT32_MAX / 2);
	f->cap = f->cap == 0 ? FIELDS_CAP_MIN : f->cap * 2;
	REQUIRE(size_mul(f->cap, sizeof(*f->at), &len));
	f->at = arena_alloc(a, len);
	if (f->n > 0)
		memcpy(f->at, old, f->n * sizeof(*f->at));
}

void
fields_add(struct http_fields *f, struct arena *a, span name, span value)
{
	fields_add_known(f, a, field_lookup(name), name, value);
}

void
fields_add_id(
    struct http_fields *f, struct arena *a, enum field_id id, span value)
{
	fields_add_known(f, a, id, field_name(id), value);
}

static struct http_field *
find_from(
    const struct http_fields *f, struct http_field *from, enum field_id id)
{
	for (struct http_field *fld = from; fld < f->at + f->n; fld++)
		if (fld->id == id && !fld->is_gone)
			return fld;
	return NULL;
}

struct http_field *
fields_find(const struct http_fields *f, enum field_id id)
{
	REQUIRE(id > FIELD_OTHER && id < FIELD_N);
	return may_hold(f, id) ? find_from(f, f->at, id) : NULL;
}

struct http_field *
fields_next(const struct http_fields *f, const struct http_field *prev)
{
	REQUIRE(prev >= f->at && prev < f->at + f->n);
	return find_from(f, f->at + (prev - f->at) + 1, prev->id);
}

struct http_field *
fields_find_name(const struct http_fields *f, span name)
{
	enum field_id id = field_lookup(name);

	if (id != FIELD_OTHER)
		return fields_find(f, id);
	if (!may_hold(f, FIELD_OTHER))
		return NULL;
	fields_foreach(fld, f) if (fld->id == FIELD_OTHER &&
				   span_ieq(fld->name, name)) return fld;
	return NULL;
}

uint32_t
fields_del(struct http_fields *f, enum field_id id)
{
	uint32_t n = 0;

	for (struct http_field *fld = fields_find(f, id); fld != NULL;
	     fld = find_from(f, fld, id)) {
		fld->is_gone = true;
		n++;
	}
	f->present[id / 64] &= ~((uint64_t)1 << (id % 64));
	return n;
}

uint32_t
fields_del_name(struct http_fields *f, span name)
{
	enum field_id id = field_lookup(name);
	uint32_t n = 0;

	if (id != FIELD_OTHER)
		return fields_del(f, id);
	fields_foreach(fld, f)
	{
		if (fld->id == FIELD_OTHER && span_ieq(fld->name, name)) {
			fld->is_gone = true;
			n++;
		}
	}
	return n;
}

void
fields_del_digests(struct http_fields *f)
{
	(void)fields_del(f, FIELD_CONTENT_DIGEST);
	(void)fields_del(f, FIELD_REPR_DIGEST);
	(void)fields_del_name(f, SPAN_LIT("digest"));
	(void)fields_del_name(f, SPAN_LIT("content-md5"));
}

void
fields_set(struct http_fields *f, struct arena *a, enum field_id id, span value)
{
	struct http_field *first = fields_find(f, id);

	if (first == NULL) {
		fields_add_id(f, a, id, value);
		return;
	}
	first->value = value;
	for (struct http_field *fld = find_from(f, first + 1, id); fld != NULL;
	     fld = find_from(f, fld + 1, id))
		fld->is_gone = true;
}

span
fields_joined(const struct http_fields *f, enum field_id id, struct arena *a)
{
	span sep = id == FIELD_COOKIE ? SPAN_LIT("; ") : SPAN_LIT(", ");
	struct http_field *first = fields_find(f, id);
	struct http_field *fld;
	size_t n = 0;
	span *parts;

	if (first == NULL)
		return span_of(NULL, 0);
	for (fld = first; fld != NULL; fld = fields_next(f, fld))
		n += 2;
	if (n == 2)
		return first->value;
	parts = arena_alloc(a, n * sizeof(*parts));
	n = 0;
	for (fld = first; fld != NULL; fld = fields_next(f, fld)) {
		parts[n++] = fld->value;
		parts[n++] = sep;
	}
	return arena_concat(a, parts, n - 1);
}

bool
fields_has_token(const struct http_fields *f, enum field_id id, span token)
{
	span member;

	for (struct http_field *fld = fields_find(f, id); fld != NULL;
	     fld = fields_next(f, fld)) {
		span rest = fld->value;

		while (span_member(&rest, &member))
			if (span_ieq(member, token))
				return true;
	}
	return false;
}

void
fields_copy(
    struct http_fields *to, const struct http_fields *from, struct arena *a)
{
	fields_init(to, a, from->n);
	fields_foreach(f, from)
	{
		fields_add_known(to, a, (enum field_id)f->id,
		    arena_span(a, f->name), arena_span(a, f->value));
	}
}

span
msg_uri(const struct http_msg *m, struct arena *a)
{
	const span parts[] = {m->path, SPAN_LIT("?"), m->query};

	if (!m->has_query)
		return m->path;
	/* the texts of a copy may be neighbours with another byte between */
	if (m->path.p + m->path.len + 1 == m->query.p &&
	    m->path.p[m->path.len] == '?')
		return span_of(m->path.p, m->path.len + 1 + m->query.len);
	return arena_concat(a, parts, NELEMS(parts));
}

void
msg_copy(struct http_msg *to, const struct http_msg *from, struct arena *a)
{
	span *const text[] = {
	    &to->method_text,
	    &to->raw_target,
	    &to->scheme,
	    &to->authority,
	    &to->host,
	    &to->path,
	    &to->query,
	    &to->protocol,
	    &to->reason,
	};

	*to = *from;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		*text[i] = arena_span(a, *text[i]);
	/* between brackets it stays where they are */
	if (from->host.p > from->authority.p &&
	    from->host.p + from->host.len <=
		from->authority.p + from->authority.len)
		to->host.p =
		    to->authority.p + (from->host.p - from->authority.p);
	fields_copy(&to->fields, &from->fields, a);
	fields_copy(&to->trailers, &from->trailers, a);
}
