/* http/h2_head: what a field section of HTTP/2 must be (RFC 9113 8). It ends in
 * a message that an HTTP/1 connection could carry as it is, or in a reason why
 * there is none: names are tokens in lower case, values hold no byte that ends
 * a line, nothing frames but the stream itself. */
#include <string.h>

#include "common/base/check.h"
#include "common/http/chars.h"
#include "common/http/h2_int.h"
#include "common/http/uri.h"

/* Fields of a table before it grows: what browsers send and we add. */
#define FIELDS_CAP 24
/* What a field counts beside its text (6.5.2). */
#define FIELD_OVERHEAD 32u
/* As of HTTP/1: signed 64-bit file offsets. */
#define CONTENT_LENGTH_MAX INT64_MAX
/* Longest method taken; the longest registered one has 17 bytes. */
#define METHOD_MAX 32
/* What a request line has beside method and target. */
#define LINE_OVERHEAD (sizeof("  HTTP/1.1") - 1)

#define STATUS_DIGITS 3

enum { STATUS_MIN = 100, STATUS_SWITCHING = 101, STATUS_MAX = 599 };

enum pseudo {
	PSEUDO_METHOD = 1 << 0,
	PSEUDO_SCHEME = 1 << 1,
	PSEUDO_AUTHORITY = 1 << 2,
	PSEUDO_PATH = 1 << 3,
	PSEUDO_PROTOCOL = 1 << 4,
	PSEUDO_STATUS = 1 << 5
};

static const struct {
	span name;
	enum pseudo bit;
	enum h2_section section;
} pseudos[] = {
    {{":method", 7}, PSEUDO_METHOD, H2_REQUEST_HEAD},
    {{":scheme", 7}, PSEUDO_SCHEME, H2_REQUEST_HEAD},
    {{":authority", 10}, PSEUDO_AUTHORITY, H2_REQUEST_HEAD},
    {{":path", 5}, PSEUDO_PATH, H2_REQUEST_HEAD},
    {{":protocol", 9}, PSEUDO_PROTOCOL, H2_REQUEST_HEAD},
    {{":status", 7}, PSEUDO_STATUS, H2_ANSWER_HEAD},
};

void
h2_head_begin(struct h2_head *h, struct h2_stream *st, enum h2_section section)
{
	*h = (struct h2_head){.st = st, .section = section};
	h->m.version = HTTP_2;
	if (st != NULL)
		fields_init(&h->m.fields, st->arena,
		    section == H2_TRAILERS ? 0 : FIELDS_CAP);
}

/* --- fields --------------------------------------------------------------- */

/* The bytes of a value (8.2.1, RFC 9110 5.5). */
static bool
is_value(span v)
{
	if (v.len == 0)
		return true;
	return !char_is_blank(v.p[0]) && !char_is_blank(v.p[v.len - 1]) &&
	       chars_value_end(v.p, v.p + v.len) == v.p + v.len;
}

static bool
is_lower_token(span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!char_is(name.p[i], CHAR_TOKEN) ||
		    (name.p[i] >= 'A' && name.p[i] <= 'Z'))
			return false;
	return name.len > 0;
}

/* A status is three digits; 101 has no meaning here (8.6). */
static enum h2_bad
take_status(struct h2_head *h, span value)
{
	uint64_t status;

	if (value.len != STATUS_DIGITS ||
	    !span_u64(value, STATUS_MAX, &status) || status < STATUS_MIN ||
	    status == STATUS_SWITCHING)
		return H2_BAD_STATUS;
	h->m.status = (uint16_t)status;
	h->m.reason = status_reason(h->m.status);
	return H2_BAD_NONE;
}

static enum h2_bad
take_pseudo(struct h2_head *h, enum pseudo bit, span value)
{
	struct http_msg *m = &h->m;

	switch (bit) {
	case PSEUDO_METHOD:
		if (!chars_all(value, CHAR_TOKEN))
			return H2_BAD_METHOD;
		m->method_text = value;
		m->method = method_lookup(value);
		return value.len > METHOD_MAX ? H2_BAD_METHOD_LONG
					      : H2_BAD_NONE;
	case PSEUDO_SCHEME:
		m->scheme = value;
		return chars_all(value, CHAR_SCHEME) ? H2_BAD_NONE
						     : H2_BAD_SCHEME;
	case PSEUDO_AUTHORITY:
		m->authority = value;
		return uri_parse_authority(value, &m->host, &m->port)
			   ? H2_BAD_NONE
			   : H2_BAD_AUTHORITY;
	case PSEUDO_PATH:
		m->raw_target = value;
		return chars_all(value, CHAR_TARGET) ? H2_BAD_NONE
						     : H2_BAD_PATH;
	case PSEUDO_PROTOCOL:
		m->protocol = value;
		return chars_all(value, CHAR_TOKEN) ? H2_BAD_NONE
						    : H2_BAD_PROTOCOL;
	case PSEUDO_STATUS:
		return take_status(h, value);
	}
	UNREACHED();
}

static enum h2_bad
add_pseudo(struct h2_head *h, span name, span value)
{
	if (h->has_fields)
		return H2_BAD_PSEUDO_LATE;
	for (size_t i = 0; i < NELEMS(pseudos); i++) {
		if (!span_eq(pseudos[i].name, name))
			continue;
		if (pseudos[i].section != h->section)
			break;
		if (h->pseudo & pseudos[i].bit)
			return H2_BAD_PSEUDO_TWICE;
		h->pseudo |= pseudos[i].bit;
		return take_pseudo(
		    h, pseudos[i].bit, arena_span(h->st->arena, value));
	}
	return H2_BAD_PSEUDO_UNKNOWN;
}

static bool
is_second(const struct http_fields *f, enum field_id id)
{
	return (f->present[id / 64] >> (id % 64) & 1) != 0 &&
	       (field_flags(id) & FIELD_F_SINGLE) != 0;
}

/* Fields that mean more than themselves. */
static enum h2_bad
check_known(struct h2_head *h, enum field_id id, span value)
{
	switch ((unsigned)id) {
	case FIELD_CONNECTION:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
		return H2_BAD_FIELD_CONNECTION; /* 8.2.2 */
	case FIELD_TE:
		return span_ieq(value, SPAN_LIT("trailers")) ? H2_BAD_NONE
							     : H2_BAD_FIELD_TE;
	case FIELD_CONTENT_LENGTH:
		if (fields_find(&h->m.fields, id) != NULL)
			return H2_BAD_LENGTH_TWICE;
		break;
	case FIELD_COOKIE:
		h->n_cookies++;
		break;
	default:
		break;
	}
	if (h->section == H2_REQUEST_HEAD && is_second(&h->m.fields, id))
		return id == FIELD_HOST ? H2_BAD_HOST_TWICE
					: H2_BAD_FIELD_TWICE;
	return H2_BAD_NONE;
}

static enum h2_bad
add_field(struct h2_head *h, span name, span value)
{
	enum field_id id = field_lookup(name);
	struct arena *a = h->st->arena;
	enum h2_bad bad;

	h->has_fields = true;
	if (id != FIELD_OTHER) {
		if (!span_eq(name, field_name(id)))
			return H2_BAD_FIELD_NAME;
		name = field_name(id);
	} else if (!is_lower_token(name)) {
		return H2_BAD_FIELD_NAME;
	}
	if (!is_value(value))
		return H2_BAD_FIELD_VALUE;
	bad = check_known(h, id, value);
	if (bad != H2_BAD_NONE)
		return bad;
	if (h->section == H2_TRAILERS &&
	    (field_flags(id) & (FIELD_F_NO_TRAILER | FIELD_F_HOP)) != 0)
		return H2_BAD_NONE;
	if (id == FIELD_OTHER)
		name = arena_span(a, name);
	fields_add_known(&h->m.fields, a, id, name, arena_span(a, value));
	return H2_BAD_NONE;
}

void
h2_head_field(
    struct h2_head *h, span name, span value, const struct h1_limits *lim)
{
	bool is_pseudo = name.len > 0 && name.p[0] == ':';

	h->size += name.len + value.len + FIELD_OVERHEAD;
	if (!is_pseudo)
		h->n_fields++;
	if (h->st == NULL || h->bad != H2_BAD_NONE)
		return;
	if (h->size > lim->head_max)
		h->bad = H2_BAD_HEAD_LARGE;
	else if (h->n_fields > lim->fields_max)
		h->bad = H2_BAD_FIELDS_MANY;
	else if (is_pseudo)
		h->bad = add_pseudo(h, name, value);
	else
		h->bad = add_field(h, name, value);
	if (h->m.method_text.len + h->m.raw_target.len + LINE_OVERHEAD >
		lim->line_max &&
	    h->bad == H2_BAD_NONE)
		h->bad = H2_BAD_LINE_LONG;
}

/* --- the end of a request's head ------------------------------------------ */

/* Which pseudo-fields must be there, and which may (8.3.1, 8.5, RFC 8441 4). */
static enum h2_bad
check_pseudos(const struct h2_head *h, bool has_connect_protocol)
{
	bool is_connect = h->m.method == METHOD_CONNECT;
	uint32_t both = PSEUDO_SCHEME | PSEUDO_PATH;

	if (!(h->pseudo & PSEUDO_METHOD))
		return H2_BAD_PSEUDO_MISSING;
	if (h->pseudo & PSEUDO_PROTOCOL) {
		if (!is_connect || !has_connect_protocol)
			return H2_BAD_PROTOCOL;
		both |= PSEUDO_AUTHORITY;
	} else if (is_connect) {
		if (h->pseudo & both)
			return H2_BAD_CONNECT;
		both = PSEUDO_AUTHORITY;
	}
	return (h->pseudo & both) == both ? H2_BAD_NONE : H2_BAD_PSEUDO_MISSING;
}

/* :path is the origin form, or "*" of an OPTIONS. */
static enum h2_bad
read_path(struct http_msg *m)
{
	span target = m->raw_target;
	ptrdiff_t query_at;

	if (m->method == METHOD_CONNECT && m->protocol.len == 0) {
		m->form = TARGET_AUTHORITY;
		m->raw_target = m->authority;
		return m->port != 0 ? H2_BAD_NONE : H2_BAD_AUTHORITY;
	}
	m->path = target;
	if (span_eq(target, SPAN_LIT("*"))) {
		m->form = TARGET_ASTERISK;
		return m->method == METHOD_OPTIONS ? H2_BAD_NONE : H2_BAD_PATH;
	}
	if (target.p[0] != '/')
		return H2_BAD_PATH;
	m->form = TARGET_ORIGIN;
	query_at = span_chr(target, '?');
	if (query_at >= 0) {
		m->path = span_first(target, (size_t)query_at);
		m->query = span_from(target, (size_t)query_at + 1);
		m->has_query = true;
	}
	return H2_BAD_NONE;
}

/* Whether both name the same place; ports that are not told are the scheme's. */
static bool
is_same_place(const struct http_msg *m, span host, uint16_t port)
{
	uint16_t usual = uri_default_port(m->scheme);

	return span_ieq(m->host, host) &&
	       (m->port != 0 ? m->port : usual) == (port != 0 ? port : usual);
}

/* :authority and Host (8.3.1): one is needed, and they may not differ. Later
 * readers find Host. */
static enum h2_bad
read_host(struct h2_head *h)
{
	struct http_msg *m = &h->m;
	struct http_field *fld = fields_find(&m->fields, FIELD_HOST);
	uint16_t port;
	span host;

	if (fld == NULL) {
		if (m->authority.len == 0)
			return H2_BAD_AUTHORITY_MISSING;
		fields_add_id(
		    &m->fields, h->st->arena, FIELD_HOST, m->authority);
		return H2_BAD_NONE;
	}
	if (!uri_parse_authority(fld->value, &host, &port))
		return H2_BAD_AUTHORITY;
	if (m->authority.len > 0)
		return is_same_place(m, host, port) ? H2_BAD_NONE
						    : H2_BAD_AUTHORITY_DIFFERS;
	m->authority = fld->value;
	m->host = host;
	m->port = port;
	return H2_BAD_NONE;
}

/* Crumbs of a Cookie are one field again (8.2.3). */
static void
join_cookies(struct h2_head *h)
{
	if (h->n_cookies > 1)
		fields_set(&h->m.fields, h->st->arena, FIELD_COOKIE,
		    fields_joined(&h->m.fields, FIELD_COOKIE, h->st->arena));
}

/* Content-Length, when there is one. */
static enum h2_bad
read_length(struct h2_head *h, bool *has_length)
{
	struct http_field *fld =
	    fields_find(&h->m.fields, FIELD_CONTENT_LENGTH);

	*has_length = fld != NULL;
	if (fld == NULL)
		return H2_BAD_NONE;
	if (!span_u64(fld->value, CONTENT_LENGTH_MAX, &h->m.length))
		return H2_BAD_LENGTH;
	/* "010" is ten, but eight to who takes it for octal */
	while (fld->value.len > 1 && fld->value.p[0] == '0')
		fld->value = span_from(fld->value, 1);
	return H2_BAD_NONE;
}

/* How long the content is: what the field says, or until the stream ends. */
static enum h2_bad
frame_request(struct h2_head *h, bool is_last)
{
	struct http_msg *m = &h->m;
	bool has_length;
	enum h2_bad bad = read_length(h, &has_length);

	if (bad != H2_BAD_NONE)
		return bad;
	if (is_last && m->length > 0)
		return H2_BAD_LENGTH_DIFFERS;
	if (is_last)
		m->body = LENGTH_NONE;
	else
		m->body = has_length ? LENGTH_KNOWN : LENGTH_OPEN;
	return H2_BAD_NONE;
}

/* RFC 9110 10.1.1. */
static enum h2_bad
read_expect(struct http_msg *m)
{
	struct http_field *fld = fields_find(&m->fields, FIELD_EXPECT);

	if (fld == NULL)
		return H2_BAD_NONE;
	for (; fld != NULL; fld = fields_next(&m->fields, fld))
		if (!span_ieq(fld->value, SPAN_LIT("100-continue")))
			return H2_BAD_EXPECTATION;
	m->want_continue = m->body == LENGTH_OPEN ||
			   (m->body == LENGTH_KNOWN && m->length > 0);
	return H2_BAD_NONE;
}

static enum h2_bad
end_request(struct h2_head *h, bool is_last, bool has_connect_protocol)
{
	struct h2_stream *st = h->st;
	enum h2_bad bad = check_pseudos(h, has_connect_protocol);

	if (bad == H2_BAD_NONE)
		bad = read_path(&h->m);
	if (bad == H2_BAD_NONE)
		bad = read_host(h);
	if (bad == H2_BAD_NONE)
		bad = frame_request(h, is_last);
	if (bad == H2_BAD_NONE)
		bad = read_expect(&h->m);
	join_cookies(h);
	st->is_tunnel = h->m.method == METHOD_CONNECT;
	st->has_length = h->m.body == LENGTH_KNOWN && !st->is_tunnel;
	st->length = h->m.length;
	return bad;
}

/* --- the end of an answer's head ------------------------------------------ */

static enum h2_bad
end_answer(struct h2_head *h, bool is_last)
{
	struct h2_stream *st = h->st;
	struct http_msg *m = &h->m;
	bool has_length;
	enum h2_bad bad;

	if (!(h->pseudo & PSEUDO_STATUS))
		return H2_BAD_PSEUDO_MISSING;
	if (m->status < 200)
		return is_last ? H2_BAD_STATUS : H2_BAD_NONE;
	bad = read_length(h, &has_length);
	if (bad != H2_BAD_NONE)
		return bad;
	st->is_without = st->is_to_head || m->status == 204 || m->status == 304;
	if (st->is_tunnel && m->status / 100 == 2) {
		m->body = LENGTH_OPEN;
		return H2_BAD_NONE;
	}
	st->is_tunnel = false;
	if (st->is_without || is_last) {
		if (!st->is_without && m->length > 0)
			return H2_BAD_LENGTH_DIFFERS;
		m->body = LENGTH_NONE;
		m->length = 0;
		return H2_BAD_NONE;
	}
	m->body = has_length ? LENGTH_KNOWN : LENGTH_OPEN;
	st->has_length = has_length;
	st->length = m->length;
	return H2_BAD_NONE;
}

void
h2_head_end(struct h2_head *h, bool is_last, bool has_connect_protocol)
{
	if (h->bad != H2_BAD_NONE)
		return;
	switch (h->section) {
	case H2_REQUEST_HEAD:
		h->bad = end_request(h, is_last, has_connect_protocol);
		return;
	case H2_ANSWER_HEAD:
		h->bad = end_answer(h, is_last);
		return;
	case H2_TRAILERS:
		if (!is_last || h->st->is_tunnel)
			h->bad = H2_BAD_TRAILERS;
		return;
	}
	UNREACHED();
}

/* --- priority ------------------------------------------------------------- */

/* One member of the dictionary: "u=3", "i", "i=?0"; others are ignored, and so
 * is what is out of range (RFC 9218 4, RFC 8941 3.2). */
static void
read_priority(span member, nghttp2_extpri *out)
{
	if (member.len == 3 && memcmp(member.p, "u=", 2) == 0 &&
	    member.p[2] >= '0' && member.p[2] <= '7')
		out->urgency = (uint32_t)(member.p[2] - '0');
	else if (span_eq(member, SPAN_LIT("i")) ||
		 span_eq(member, SPAN_LIT("i=?1")))
		out->inc = 1;
	else if (span_eq(member, SPAN_LIT("i=?0")))
		out->inc = 0;
}

bool
h2_head_priority(const struct http_msg *m, nghttp2_extpri *out)
{
	const struct http_field *fld = fields_find(&m->fields, FIELD_PRIORITY);

	if (fld == NULL)
		return false;
	*out = (nghttp2_extpri){NGHTTP2_EXTPRI_DEFAULT_URGENCY, 0};
	for (; fld != NULL; fld = fields_next(&m->fields, fld)) {
		span rest = fld->value;
		span member;

		while (span_member(&rest, &member))
			read_priority(member, out);
	}
	return true;
}
