/* tls_hello: see tls_hello.h. */
#include "common/tls/tls_hello.h"

#include <string.h>

#include "common/base/num.h"

/* RFC 8446 5.1. */
#define RECORD_HEAD 5u
#define RECORD_HANDSHAKE 22
#define RECORD_MAX 16384u
/* RFC 8446 4: type and length. */
#define MESSAGE_HEAD 4u
#define MESSAGE_CLIENT_HELLO 1
#define HELLO_RANDOM 32u
#define HELLO_SESSION_MAX 32u

/* RFC 8446 4.2, RFC 6066 1.1, RFC 7301 3.1. */
enum {
	EXT_SERVER_NAME = 0,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_ALPN = 16,
	EXT_SUPPORTED_VERSIONS = 43
};

/* A host_name in a list of names: list length, type, name length. */
#define SNI_HEAD 5u

/* Reads from the front of *at. */
static bool
take(span *at, size_t n, span *out)
{
	if (at->len < n)
		return false;
	*out = span_first(*at, n);
	*at = span_from(*at, n);
	return true;
}

static uint32_t
number(span s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n = n << 8 | (unsigned char)s.p[i];
	return n;
}

/* A vector: its length in so many bytes, then that. */
static bool
take_vector(span *at, size_t n_len, span *out)
{
	span len;

	return take(at, n_len, &len) && take(at, number(len), out);
}

/* An extension that is a vector, of pairs of bytes when `is_pairs`. */
static bool
ext_vector(span content, size_t n_len, bool is_pairs, span *out)
{
	return take_vector(&content, n_len, out) && content.len == 0 &&
	       out->len > 0 && (!is_pairs || out->len % 2 == 0);
}

/* Protocols, none of them empty. */
static bool
ext_alpn(span content, span *out)
{
	span all, one;

	if (!ext_vector(content, 2, false, out))
		return false;
	for (all = *out; all.len > 0;)
		if (!take_vector(&all, 1, &one) || one.len == 0)
			return false;
	return true;
}

bool
tls_hello_ext(struct tls_hello *h, uint16_t type, span content)
{
	/* RFC 8446 4.2: at most one of each type */
	for (uint32_t i = 0; i < h->n_exts; i++)
		if (h->exts[i] == type)
			return false;
	if (h->n_exts == TLS_HELLO_EXTS_MAX)
		return false;
	h->exts[h->n_exts++] = type;
	switch (type) {
	case EXT_SERVER_NAME:
		h->has_sni = true;
		h->sni = content;
		return true;
	case EXT_ALPN:
		return ext_alpn(content, &h->alpn);
	case EXT_SUPPORTED_VERSIONS:
		return ext_vector(content, 1, true, &h->versions);
	case EXT_SIGNATURE_ALGORITHMS:
		return ext_vector(content, 2, true, &h->signatures);
	default:
		return true;
	}
}

bool
tls_hello_name(
    const struct tls_hello *h, char name[TLS_NAME_MAX + 1], size_t *len)
{
	span s = h->sni;

	*len = 0;
	if (!h->has_sni)
		return true;
	/* RFC 6066 3: one list of one host_name */
	if (s.len <= SNI_HEAD || number(span_first(s, 2)) != s.len - 2 ||
	    s.p[2] != 0 || number(span_of(s.p + 3, 2)) != s.len - SNI_HEAD)
		return false;
	s = span_from(s, SNI_HEAD);
	if (s.p[s.len - 1] == '.')
		s.len--;
	if (s.len == 0 || s.len > TLS_NAME_MAX || span_chr(s, '\0') >= 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		name[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32
								: s.p[i]);
	*len = s.len;
	return true;
}

static bool
hello_exts(span all, struct tls_hello *out)
{
	span type, content;

	while (all.len > 0)
		if (!take(&all, 2, &type) || !take_vector(&all, 2, &content) ||
		    !tls_hello_ext(out, (uint16_t)number(type), content))
			return false;
	return true;
}

/* The message without its head. */
static bool
hello_body(span b, struct tls_hello *out)
{
	span version, random, session, methods, exts;

	memset(out, 0, sizeof(*out));
	if (!take(&b, 2, &version) || !take(&b, HELLO_RANDOM, &random) ||
	    !take_vector(&b, 1, &session) || session.len > HELLO_SESSION_MAX ||
	    !take_vector(&b, 2, &out->ciphers) || out->ciphers.len == 0 ||
	    out->ciphers.len % 2 != 0 || !take_vector(&b, 1, &methods) ||
	    methods.len == 0)
		return false;
	out->version = (uint16_t)number(version);
	/* clients of old have no extensions at all */
	if (b.len == 0)
		return true;
	return take_vector(&b, 2, &exts) && b.len == 0 && hello_exts(exts, out);
}

/* Whether these bytes can begin a record of the first message. */
static bool
record_may_be(span head)
{
	if (head.len > 0 && head.p[0] != RECORD_HANDSHAKE)
		return false;
	if (head.len > 1 && head.p[1] != 3)
		return false;
	if (head.len < RECORD_HEAD)
		return true;
	head = span_from(head, 3);
	return number(span_first(head, 2)) > 0 &&
	       number(span_first(head, 2)) <= RECORD_MAX;
}

/* Whether what was put together so far can be the beginning of one, and how
 * long that is; 0: not known yet. */
static bool
message_may_be(span got, size_t *len)
{
	*len = 0;
	if (got.len > 0 && got.p[0] != MESSAGE_CLIENT_HELLO)
		return false;
	if (got.len < MESSAGE_HEAD)
		return true;
	*len = MESSAGE_HEAD + number(span_of(got.p + 1, 3));
	return *len <= TLS_HELLO_MAX;
}

enum tls_hello_rc
tls_hello_read(span wire, char *room, struct tls_hello *out)
{
	size_t got = 0, len = 0;

	while (len == 0 || got < len) {
		span head = span_first(wire, size_min(wire.len, RECORD_HEAD));
		span part;
		size_t n;

		if (!record_may_be(head))
			return TLS_HELLO_BAD;
		if (head.len < RECORD_HEAD)
			return TLS_HELLO_MORE;
		n = number(span_from(head, 3));
		wire = span_from(wire, RECORD_HEAD);
		part = span_first(wire, size_min(wire.len, n));
		/* nothing else fits behind it before it was answered */
		if (part.len > TLS_HELLO_MAX - got)
			return TLS_HELLO_BAD;
		memcpy(room + got, part.p, part.len);
		got += part.len;
		if (!message_may_be(span_of(room, got), &len))
			return TLS_HELLO_BAD;
		if (part.len < n && (len == 0 || got < len))
			return TLS_HELLO_MORE;
		wire = span_from(wire, part.len);
	}
	return got == len && hello_body(span_of(room + MESSAGE_HEAD,
					    len - MESSAGE_HEAD),
				 out)
		   ? TLS_HELLO_OK
		   : TLS_HELLO_BAD;
}
