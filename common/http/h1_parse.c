/* http/h1_parse: a complete head into a message (RFC 9112 2 to 5). One pass
 * over its bytes; nothing is copied but the table of fields. What the fields
 * mean for the connection is h1_frame's. */
#include "common/http/h1.h"

#include <string.h>

#include "common/http/chars.h"
#include "common/http/h1_frame.h"
#include "common/http/uri.h"

/* Fields of a table before it grows: what browsers send and we add. */
#define FIELDS_CAP 32

/* Longest method taken; the longest registered one has 17 bytes. */
#define METHOD_MAX 32

#define VERSION_LEN 8 /* "HTTP/1.1" */
#define STATUS_DIGITS 3

enum { STATUS_MIN = 100, STATUS_MAX = 599 };

/* The bytes left of a head. */
struct head {
	const char *p;
	const char *end;
};

static inline bool
at_line_end(const struct head *h)
{
	return h->end - h->p >= 2 && h->p[0] == '\r' && h->p[1] == '\n';
}

/* What is wrong with the byte at h->p, where a line should have ended. */
static enum h1_bad
stray_byte(const struct head *h)
{
	if (h->p == h->end)
		return H1_BAD_CUT;
	if (*h->p == '\r')
		return h->end - h->p < 2 ? H1_BAD_CUT : H1_BAD_BARE_CR;
	return *h->p == '\n' ? H1_BAD_BARE_LF : H1_BAD_CONTROL;
}

/* "HTTP/" DIGIT "." DIGIT, of a major version 1. A minor version above 1 is
 * 1.1 (RFC 9110 2.5). */
static enum h1_bad
read_version(struct head *h, struct http_msg *m)
{
	const char *p = h->p;

	if (h->end - p < VERSION_LEN || memcmp(p, "HTTP/", 5) != 0 ||
	    !char_is_digit(p[5]) || p[6] != '.' || !char_is_digit(p[7]))
		return H1_BAD_VERSION;
	m->version = p[7] == '0' ? HTTP_1_0 : HTTP_1_1;
	h->p += VERSION_LEN;
	return p[5] == '1' ? H1_BAD_NONE : H1_BAD_VERSION_MAJOR;
}

/* method SP request-target SP HTTP-version CRLF (3). */
static enum h1_bad
read_request_line(struct head *h, struct http_msg *m)
{
	const char *e = chars_token_end(h->p, h->end);
	enum h1_bad bad;

	m->method_text = span_of(h->p, (size_t)(e - h->p));
	if (m->method_text.len == 0 || e == h->end || *e != ' ')
		return H1_BAD_METHOD;
	if (m->method_text.len > METHOD_MAX)
		return H1_BAD_METHOD_LONG;
	m->method = method_lookup(m->method_text);
	h->p = e + 1;

	e = chars_target_end(h->p, h->end);
	m->raw_target = span_of(h->p, (size_t)(e - h->p));
	if (e < h->end && *e == '\r')
		return H1_BAD_VERSION;
	if (m->raw_target.len == 0 || e == h->end || *e != ' ')
		return H1_BAD_TARGET;
	h->p = e + 1;

	bad = read_version(h, m);
	if (bad != H1_BAD_NONE && bad != H1_BAD_VERSION_MAJOR)
		return bad;
	if (!at_line_end(h))
		return H1_BAD_VERSION;
	h->p += 2;
	return bad;
}

/* HTTP-version SP 3DIGIT [ SP [ reason ] ] CRLF (4). */
static enum h1_bad
read_status_line(struct head *h, struct http_msg *m)
{
	enum h1_bad bad = read_version(h, m);
	const char *e;

	if (bad != H1_BAD_NONE)
		return bad == H1_BAD_VERSION ? H1_BAD_STATUS_LINE : bad;
	if (h->end - h->p < 1 + STATUS_DIGITS || *h->p++ != ' ')
		return H1_BAD_STATUS_LINE;
	for (e = h->p + STATUS_DIGITS; h->p < e; h->p++) {
		if (!char_is_digit(*h->p))
			return H1_BAD_STATUS_LINE;
		m->status = (uint16_t)(m->status * 10 + (*h->p - '0'));
	}
	if (h->p < h->end && *h->p == ' ')
		h->p++;
	else if (!at_line_end(h))
		return H1_BAD_STATUS_LINE;
	e = chars_value_end(h->p, h->end);
	m->reason = span_of(h->p, (size_t)(e - h->p));
	h->p = e;
	if (!at_line_end(h))
		return stray_byte(h);
	h->p += 2;
	return m->status < STATUS_MIN || m->status > STATUS_MAX
		   ? H1_BAD_STATUS_CODE
		   : H1_BAD_NONE;
}

/* field-name ":" of a line; blanks between them are only taken if may_trim
 * (5.1). h->p is left behind the colon. */
static enum h1_bad
read_name(struct head *h, bool may_trim, span *name)
{
	const char *e = chars_token_end(h->p, h->end);

	*name = span_of(h->p, (size_t)(e - h->p));
	if (e == h->end || !char_is(*e, CHAR_VALUE)) {
		h->p = e;
		return at_line_end(h) ? H1_BAD_FIELD_NAME : stray_byte(h);
	}
	if (name->len == 0)
		return char_is_blank(*e) ? H1_BAD_FOLD : H1_BAD_FIELD_NAME;
	if (char_is_blank(*e)) {
		while (e < h->end && char_is_blank(*e))
			e++;
		if (e == h->end || *e != ':')
			return H1_BAD_FIELD_NAME;
		if (!may_trim)
			return H1_BAD_NAME_BLANK;
	}
	if (*e != ':')
		return H1_BAD_FIELD_NAME;
	h->p = e + 1;
	return H1_BAD_NONE;
}

/* The rest of a field line, without blanks around the value. */
static enum h1_bad
read_value(struct head *h, span *value)
{
	const char *start = h->p;
	const char *e;

	while (start < h->end && char_is_blank(*start))
		start++;
	h->p = chars_value_end(start, h->end);
	if (!at_line_end(h))
		return stray_byte(h);
	for (e = h->p; e > start && char_is_blank(e[-1]);)
		e--;
	*value = span_of(start, (size_t)(e - start));
	h->p += 2;
	return H1_BAD_NONE;
}

struct field_reader {
	struct head head;
	struct arena *arena;
	struct http_fields *into;
	unsigned without; /* FIELD_F_x: read, but left out */
	bool is_response;
};

static bool
is_second(const struct http_fields *f, enum field_id id)
{
	return (f->present[id / 64] >> (id % 64) & 1) != 0 &&
	       (field_flags(id) & FIELD_F_SINGLE) != 0;
}

static enum h1_bad
twice(enum field_id id)
{
	if (id == FIELD_HOST)
		return H1_BAD_HOST_TWICE;
	return id == FIELD_CONTENT_LENGTH ? H1_BAD_LENGTH_TWICE
					  : H1_BAD_FIELD_TWICE;
}

/* All field lines and the empty line, which is the head's end. */
static enum h1_bad
read_fields(struct field_reader *r)
{
	struct head *h = &r->head;
	enum h1_bad bad;
	span name, value;

	while (!at_line_end(h)) {
		enum field_id id;

		bad = read_name(h, r->is_response, &name);
		if (bad == H1_BAD_NONE)
			bad = read_value(h, &value);
		if (bad != H1_BAD_NONE)
			return bad;
		id = field_lookup(name);
		if ((field_flags(id) & r->without) != 0)
			continue;
		if (!r->is_response && is_second(r->into, id))
			return twice(id);
		fields_add_known(r->into, r->arena, id, name, value);
	}
	return h->p + 2 == h->end ? H1_BAD_NONE : H1_BAD_CUT;
}

/* An absolute-form target (3.2.2), which need not be of a known scheme. */
static enum h1_bad
read_absolute(struct http_msg *m)
{
	struct uri u;
	const char *target_end = m->raw_target.p + m->raw_target.len;

	if (span_find(m->raw_target, SPAN_LIT("://")) < 1)
		return H1_BAD_TARGET_FORM;
	if (!uri_parse(m->raw_target, &u))
		return H1_BAD_AUTHORITY;
	m->form = TARGET_ABSOLUTE;
	m->scheme = u.scheme;
	m->authority = u.authority;
	m->host = u.host;
	m->port = u.port;
	m->path = u.path;
	m->query = u.query;
	m->has_query = u.has_query;
	/* 3.2.4: OPTIONS for the server as a whole */
	if (m->method == METHOD_OPTIONS &&
	    u.authority.p + u.authority.len == target_end)
		m->path = SPAN_LIT("*");
	return H1_BAD_NONE;
}

/* host:port, both needed (RFC 9110 9.3.6). */
static enum h1_bad
read_connect_target(struct http_msg *m)
{
	m->form = TARGET_AUTHORITY;
	m->authority = m->raw_target;
	return uri_parse_authority(m->authority, &m->host, &m->port) &&
		       m->port != 0
		   ? H1_BAD_NONE
		   : H1_BAD_AUTHORITY;
}

/* The four forms of 3.2. */
static enum h1_bad
read_target(struct http_msg *m)
{
	span target = m->raw_target;
	ptrdiff_t query_at;

	if (m->method == METHOD_CONNECT)
		return read_connect_target(m);
	if (span_eq(target, SPAN_LIT("*"))) {
		m->form = TARGET_ASTERISK;
		m->path = target;
		return m->method == METHOD_OPTIONS ? H1_BAD_NONE
						   : H1_BAD_TARGET_FORM;
	}
	if (target.p[0] != '/')
		return read_absolute(m);
	m->form = TARGET_ORIGIN;
	m->path = target;
	query_at = span_chr(target, '?');
	if (query_at >= 0) {
		m->path = span_first(target, (size_t)query_at);
		m->query = span_from(target, (size_t)query_at + 1);
		m->has_query = true;
	}
	return H1_BAD_NONE;
}

/* Host must be there, once and well-formed, even when the target outranks it
 * (3.2); HTTP/1.0 may do without. */
static enum h1_bad
read_host(struct http_msg *m)
{
	struct http_field *fld = fields_find(&m->fields, FIELD_HOST);
	uint16_t port;
	span host;

	if (fld == NULL)
		return m->version < HTTP_1_1 ? H1_BAD_NONE
					     : H1_BAD_HOST_MISSING;
	if (!uri_parse_authority(fld->value, &host, &port))
		return H1_BAD_HOST;
	if (m->authority.len == 0) {
		m->authority = fld->value;
		m->host = host;
		m->port = port;
	}
	return H1_BAD_NONE;
}

static enum h1_bad
parse_request(span head, struct arena *a, struct http_msg *m)
{
	struct field_reader r = {
	    .head = {head.p, head.p + head.len},
	    .arena = a,
	    .into = &m->fields,
	};
	enum h1_bad bad = read_request_line(&r.head, m);

	if (bad == H1_BAD_NONE)
		bad = read_target(m);
	if (bad != H1_BAD_NONE)
		return bad;
	fields_init(&m->fields, a, FIELDS_CAP);
	bad = read_fields(&r);
	if (bad == H1_BAD_NONE)
		bad = read_host(m);
	return bad == H1_BAD_NONE ? h1_frame_request(m) : bad;
}

enum h1_rc
h1_parse_request(
    span head, struct arena *a, struct http_msg *m, enum h1_bad *bad)
{
	*m = (struct http_msg){.version = HTTP_1_1};
	*bad = parse_request(head, a, m);
	return *bad == H1_BAD_NONE ? H1_OK : H1_BAD;
}

enum h1_rc
h1_parse_response(span head, enum http_method to, struct arena *a,
    struct http_msg *m, bool *is_chunked, enum h1_bad *bad)
{
	struct field_reader r = {
	    .head = {head.p, head.p + head.len},
	    .arena = a,
	    .into = &m->fields,
	    .is_response = true,
	};

	*m = (struct http_msg){.version = HTTP_1_1};
	*is_chunked = false;
	*bad = read_status_line(&r.head, m);
	if (*bad != H1_BAD_NONE)
		return H1_BAD;
	fields_init(&m->fields, a, FIELDS_CAP);
	*bad = read_fields(&r);
	if (*bad == H1_BAD_NONE)
		*bad = h1_frame_response(m, to, is_chunked);
	return *bad == H1_BAD_NONE ? H1_OK : H1_BAD;
}

bool
h1_is_chunked(const struct http_msg *m)
{
	return m->version < HTTP_2 && m->body == LENGTH_OPEN;
}

enum h1_rc
h1_parse_trailers(
    span section, struct arena *a, struct http_msg *m, enum h1_bad *bad)
{
	struct field_reader r = {
	    .head = {section.p, section.p + section.len},
	    .arena = a,
	    .into = &m->trailers,
	    .without = FIELD_F_NO_TRAILER | FIELD_F_HOP,
	};

	fields_init(&m->trailers, a, 0);
	*bad = read_fields(&r);
	return *bad == H1_BAD_NONE ? H1_OK : H1_BAD;
}
