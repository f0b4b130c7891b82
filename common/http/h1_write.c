/* http/h1_write: a message as the bytes of an HTTP/1.x head. Decides nothing:
 * which fields stand in the table is the caller's. */
#include "common/http/h1.h"

#include <string.h>

#include "common/base/check.h"

#define VERSION_LEN 8 /* "HTTP/1.1" */
#define STATUS_DIGITS 3

/* Copy WIDTH to 2 * WIDTH bytes as two pieces that overlap. Both are read
 * before either is written. */
#define PUT_PAIR_OF(width, out, s) \
	do { \
		char first[width], last[width]; \
		memcpy(first, (s).p, (width)); \
		memcpy(last, (s).p + (s).len - (width), (width)); \
		memcpy((out), first, (width)); \
		memcpy((out) + (s).len - (width), last, (width)); \
	} while (0)

/* Copy a text and return where it ended. Short ones, as names and values of
 * fields are, go as two overlapping words instead of a call. */
static inline char *
put(char *out, span s)
{
	if (s.len >= 8 && s.len <= 16) {
		PUT_PAIR_OF(8, out, s);
	} else if (s.len > 16 && s.len <= 32) {
		PUT_PAIR_OF(16, out, s);
	} else if (s.len >= 4 && s.len < 8) {
		PUT_PAIR_OF(4, out, s);
	} else if (s.len < 4) {
		for (size_t i = 0; i < s.len; i++)
			out[i] = s.p[i];
	} else {
		memcpy(out, s.p, s.len);
	}
	return out + s.len;
}

static inline char *
put_pair(char *out, char a, char b)
{
	out[0] = a;
	out[1] = b;
	return out + 2;
}

static size_t
fields_size(const struct http_fields *f)
{
	size_t len = sizeof("\r\n") - 1;

	fields_foreach(fld, f) len +=
	    fld->name.len + fld->value.len + sizeof(": \r\n") - 1;
	return len;
}

static char *
put_fields(char *out, const struct http_fields *f)
{
	fields_foreach(fld, f)
	{
		out = put(out, fld->name);
		out = put_pair(out, ':', ' ');
		out = put(out, fld->value);
		out = put_pair(out, '\r', '\n');
	}
	return put_pair(out, '\r', '\n');
}

static span
version_text(const struct http_msg *m)
{
	return m->version == HTTP_1_0 ? SPAN_LIT("HTTP/1.0")
				      : SPAN_LIT("HTTP/1.1");
}

static span
method_text(const struct http_msg *m)
{
	return m->method_text.len > 0 ? m->method_text : method_name(m->method);
}

static span
reason_text(const struct http_msg *m)
{
	return m->reason.len > 0 ? m->reason : status_reason(m->status);
}

size_t
h1_request_size(const struct http_msg *m, span target)
{
	return method_text(m).len + 1 + target.len + 1 + VERSION_LEN + 2 +
	       fields_size(&m->fields);
}

size_t
h1_write_request(const struct http_msg *m, span target, char *out)
{
	char *p = put(out, method_text(m));

	*p++ = ' ';
	p = put(p, target);
	*p++ = ' ';
	p = put(p, version_text(m));
	p = put_pair(p, '\r', '\n');
	return (size_t)(put_fields(p, &m->fields) - out);
}

size_t
h1_response_size(const struct http_msg *m)
{
	return VERSION_LEN + 1 + STATUS_DIGITS + 1 + reason_text(m).len + 2 +
	       fields_size(&m->fields);
}

size_t
h1_write_response(const struct http_msg *m, char *out)
{
	char *p = put(out, version_text(m));

	REQUIRE(m->status >= 100 && m->status <= 999);
	*p++ = ' ';
	*p++ = (char)('0' + m->status / 100);
	*p++ = (char)('0' + m->status / 10 % 10);
	*p++ = (char)('0' + m->status % 10);
	*p++ = ' ';
	p = put(p, reason_text(m));
	p = put_pair(p, '\r', '\n');
	return (size_t)(put_fields(p, &m->fields) - out);
}

size_t
h1_trailers_size(const struct http_fields *trailers)
{
	return sizeof("0\r\n") - 1 + fields_size(trailers);
}

size_t
h1_write_trailers(const struct http_fields *trailers, char *out)
{
	char *p = put(out, SPAN_LIT("0\r\n"));

	return (size_t)(put_fields(p, trailers) - out);
}
