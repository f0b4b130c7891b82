/* http/h1_frame: framing (RFC 9112 6) and connection options (RFC 9110 7.6.1)
 * of a parsed head. Two readers that could disagree about where a message ends
 * are what request smuggling lives from: everything that is not said in exactly
 * one way is refused. */
#include "common/http/h1_frame.h"

#include "common/http/chars.h"

/* RFC 9112 does not limit a length; signed 64-bit file offsets do. */
#define CONTENT_LENGTH_MAX INT64_MAX

enum { STATUS_NO_CONTENT = 204, STATUS_UNCHANGED = 304 };

/* Name one reason why a Transfer-Encoding other than "chunked" is refused:
 * 501 for a coding that somebody may know, 400 for what nobody can (6.1, 6.3).
 * Only called for those. */
static enum h1_bad
coding_refusal(const struct http_fields *f, const struct http_field *fld)
{
	bool has_unknown = false;
	bool has_chunked = false;
	span member;

	for (; fld != NULL; fld = fields_next(f, fld)) {
		span rest = fld->value;

		while (span_member(&rest, &member)) {
			ptrdiff_t params = span_chr(member, ';');
			span name =
			    params < 0
				? member
				: span_trim(span_first(member, (size_t)params));

			/* chunked twice, or something after it */
			if (has_chunked || !chars_all(name, CHAR_TOKEN))
				return H1_BAD_CODING;
			if (span_ieq(name, SPAN_LIT("chunked")))
				has_chunked = true;
			else
				has_unknown = true;
		}
	}
	return has_unknown ? H1_BAD_CODING_UNKNOWN : H1_BAD_CODING;
}

/* "010" is ten by the grammar, but eight to who takes it for octal. */
static void
strip_zeros(span *digits)
{
	while (digits->len > 1 && digits->p[0] == '0')
		*digits = span_from(*digits, 1);
}

/* Read Transfer-Encoding and Content-Length. *is_chunked, or m->length with
 * *has_length. */
static enum h1_bad
read_lengths(struct http_msg *m, bool *is_chunked, bool *has_length)
{
	const struct http_fields *f = &m->fields;
	struct http_field *coding = fields_find(f, FIELD_TRANSFER_ENCODING);
	struct http_field *length = fields_find(f, FIELD_CONTENT_LENGTH);

	*is_chunked = coding != NULL;
	*has_length = length != NULL;
	if (coding != NULL) {
		if (m->version < HTTP_1_1)
			return H1_BAD_CODING_1_0;
		if (!span_ieq(coding->value, SPAN_LIT("chunked")) ||
		    fields_next(f, coding) != NULL)
			return coding_refusal(f, coding);
		if (length != NULL)
			return H1_BAD_LENGTH_CODED;
	}
	if (length == NULL)
		return H1_BAD_NONE;
	if (fields_next(f, length) != NULL)
		return H1_BAD_LENGTH_TWICE;
	if (!span_u64(length->value, CONTENT_LENGTH_MAX, &m->length))
		return H1_BAD_LENGTH;
	strip_zeros(&length->value);
	return H1_BAD_NONE;
}

struct options {
	bool close;
	bool keep_alive;
	bool upgrade;
};

/* A field whose loss would change what the message means to the next reader.
 * Origins are known to nominate Transfer-Encoding: it ends here anyway. */
static bool
is_nomination_bad(span option, bool is_request)
{
	unsigned flags = field_flags(field_lookup(option));

	return (flags & FIELD_F_NOMINATE_BAD) != 0 &&
	       (is_request || (flags & FIELD_F_HOP) == 0);
}

static enum h1_bad
read_options(const struct http_fields *f, bool is_request, struct options *o)
{
	struct http_field *fld = fields_find(f, FIELD_CONNECTION);
	span option;

	for (; fld != NULL; fld = fields_next(f, fld)) {
		span rest = fld->value;

		while (span_member(&rest, &option)) {
			if (span_ieq(option, SPAN_LIT("keep-alive")))
				o->keep_alive = true;
			else if (span_ieq(option, SPAN_LIT("close")))
				o->close = true;
			else if (span_ieq(option, SPAN_LIT("upgrade")))
				o->upgrade = true;
			else if (is_nomination_bad(option, is_request))
				return H1_BAD_NOMINATION;
		}
	}
	return H1_BAD_NONE;
}

static enum h1_bad
read_connection(struct http_msg *m, bool is_request)
{
	struct options o = {false, false, false};
	enum h1_bad bad = read_options(&m->fields, is_request, &o);

	m->want_close =
	    o.close || (m->version < HTTP_1_1 && !o.keep_alive); /* 9.3 */
	/* RFC 9110 7.8: not to be honoured in HTTP/1.0 */
	m->want_upgrade = o.upgrade && m->version >= HTTP_1_1 &&
			  fields_find(&m->fields, FIELD_UPGRADE) != NULL;
	return bad;
}

/* RFC 9110 10.1.1. */
static enum h1_bad
read_expect(struct http_msg *m)
{
	struct http_field *fld = fields_find(&m->fields, FIELD_EXPECT);

	if (fld == NULL)
		return H1_BAD_NONE;
	for (; fld != NULL; fld = fields_next(&m->fields, fld))
		if (!span_ieq(fld->value, SPAN_LIT("100-continue")))
			return H1_BAD_EXPECTATION;
	m->want_continue = m->version >= HTTP_1_1 &&
			   (m->body == LENGTH_OPEN ||
			       (m->body == LENGTH_KNOWN && m->length > 0));
	return H1_BAD_NONE;
}

enum h1_bad
h1_frame_request(struct http_msg *m)
{
	bool is_chunked, has_length;
	enum h1_bad bad = read_lengths(m, &is_chunked, &has_length);

	if (bad != H1_BAD_NONE)
		return bad;
	m->body = LENGTH_NONE;
	if (is_chunked)
		m->body = LENGTH_OPEN;
	else if (has_length)
		m->body = LENGTH_KNOWN;
	bad = read_connection(m, true);
	return bad != H1_BAD_NONE ? bad : read_expect(m);
}

static bool
has_no_content(unsigned status, enum http_method to)
{
	return to == METHOD_HEAD || status < 200 ||
	       status == STATUS_NO_CONTENT || status == STATUS_UNCHANGED;
}

enum h1_bad
h1_frame_response(struct http_msg *m, enum http_method to, bool *is_chunked)
{
	bool has_length;
	enum h1_bad bad;

	*is_chunked = false;
	m->body = LENGTH_NONE;
	bad = read_connection(m, false);
	if (bad != H1_BAD_NONE)
		return bad;
	/* 6.3 item 2: a tunnel begins, and lengths are to be ignored */
	if (to == METHOD_CONNECT && m->status / 100 == 2)
		return H1_BAD_NONE;
	bad = read_lengths(m, is_chunked, &has_length);
	if (bad != H1_BAD_NONE)
		return bad;
	if (has_no_content(m->status, to)) {
		/* an origin that announces content here may also send it */
		if (m->status == STATUS_NO_CONTENT && to != METHOD_HEAD)
			m->want_close |= *is_chunked || m->length > 0;
		*is_chunked = false;
		m->length = 0;
		return H1_BAD_NONE;
	}
	m->body = has_length ? LENGTH_KNOWN : LENGTH_OPEN;
	if (!has_length && !*is_chunked)
		m->want_close = true;
	return H1_BAD_NONE;
}
