/* tls_ja4: see tls_ja4.h. Three parts: what can be seen at a glance, a hash of
 * the cipher suites, and one of extensions and signature algorithms; suites and
 * extensions are sorted, since some clients shuffle them. */
#include "common/tls/tls_ja4.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "common/tls/tls_int.h"

/* Where its parts stand. */
enum {
	AT_VERSION = 1,
	AT_SNI = 3,
	AT_CIPHERS = 4,
	AT_EXTS = 6,
	AT_ALPN = 8,
	AT_HASH = 11,
	AT_EXTS_HASH = 24
};

/* As many as are told by two digits. */
#define COUNT_MAX 99u
#define HASH_BYTES 6u
/* "1301,": of two bytes. */
#define WORD_LEN 5u

/* RFC 8701: values that say nothing: 0x0a0a, 0x1a1a and so on. */
static bool
is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static uint16_t
pair_at(span s, size_t i)
{
	return (uint16_t)((unsigned char)s.p[2 * i] << 8 |
			  (unsigned char)s.p[2 * i + 1]);
}

/* Those of a list that say something. */
static uint32_t
list_take(span from, uint16_t *to)
{
	uint32_t n = 0;

	for (size_t i = 0; i < from.len / 2; i++)
		if (!is_grease(pair_at(from, i)))
			to[n++] = pair_at(from, i);
	return n;
}

static int
list_order(const void *a, const void *b)
{
	uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;

	return (x > y) - (x < y);
}

/* --- at a glance ---------------------------------------------------------- */

static const char *
version_word(uint16_t v)
{
	switch (v) {
	case TLS1_3_VERSION:
		return "13";
	case TLS1_2_VERSION:
		return "12";
	case TLS1_1_VERSION:
		return "11";
	case TLS1_VERSION:
		return "10";
	case SSL3_VERSION:
		return "s3";
	default:
		return "00";
	}
}

static uint16_t
version_of(const struct tls_hello *h)
{
	uint16_t best = 0;

	for (size_t i = 0; i < h->versions.len / 2; i++) {
		uint16_t v = pair_at(h->versions, i);

		if (!is_grease(v) && v > best)
			best = v;
	}
	return best != 0 ? best : h->version;
}

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* First and last character of the first protocol; of its hexadecimal form when
 * either is none. */
static void
alpn_word(const struct tls_hello *h, char out[2])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = h->alpn.len > 0 ? (unsigned char)h->alpn.p[0] : 0;
	unsigned char first, last;

	if (n == 0) {
		memcpy(out, "00", 2);
		return;
	}
	first = (unsigned char)h->alpn.p[1];
	last = (unsigned char)h->alpn.p[n];
	if (is_alnum(first) && is_alnum(last)) {
		out[0] = (char)first;
		out[1] = (char)last;
		return;
	}
	out[0] = digits[first >> 4];
	out[1] = digits[last & 15];
}

/* --- hashes --------------------------------------------------------------- */

static char *
words_put(char *at, const uint16_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		unsigned char two[2] = {
		    (unsigned char)(v[i] >> 8), (unsigned char)v[i]};

		if (i > 0)
			*at++ = ',';
		(void)tls_hex(two, sizeof(two), at);
		at += 2 * sizeof(two);
	}
	return at;
}

static void
hash_put(const char *text, size_t len, char out[2 * HASH_BYTES])
{
	unsigned char md[EVP_MAX_MD_SIZE] = {0};

	if (len > 0)
		REQUIRE(EVP_Digest(text, len, md, NULL, EVP_sha256(), NULL));
	(void)tls_hex(md, HASH_BYTES, out);
}

/* Extensions that are hashed: all but the two that depend on the site. */
static uint32_t
exts_take(const struct tls_hello *h, uint16_t *to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n_exts; i++)
		if (!is_grease(h->exts[i]) &&
		    h->exts[i] != TLSEXT_TYPE_server_name &&
		    h->exts[i] !=
			TLSEXT_TYPE_application_layer_protocol_negotiation)
			to[n++] = h->exts[i];
	return n;
}

static uint32_t
exts_count(const struct tls_hello *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n_exts; i++)
		n += !is_grease(h->exts[i]);
	return n;
}

/* What the hashes are made of. */
struct ja4_room {
	uint16_t *list; /* the longest of a hello */
	char text[]; /* of all of them */
};

/* OpenSSL takes hellos that are longer than what tls_hello_read() puts together:
 * room is made for what stands in this one. */
static struct ja4_room *
room_new(const struct tls_hello *h)
{
	size_t n = h->ciphers.len / 2 + h->n_exts + h->signatures.len / 2;
	struct ja4_room *r = malloc(sizeof(*r) + n * WORD_LEN);

	REQUIRE(r != NULL);
	r->list = calloc(n + 1, sizeof(*r->list));
	REQUIRE(r->list != NULL);
	return r;
}

static void
room_free(struct ja4_room *r)
{
	free(r->list);
	free(r);
}

static void
exts_hash(const struct tls_hello *h, struct ja4_room *r, char *out)
{
	uint32_t n = exts_take(h, r->list);
	char *at;

	qsort(r->list, n, sizeof(*r->list), list_order);
	at = words_put(r->text, r->list, n);
	n = list_take(h->signatures, r->list);
	if (n > 0) {
		*at++ = '_';
		at = words_put(at, r->list, n);
	}
	hash_put(r->text, (size_t)(at - r->text), out);
}

static void
count_put(uint32_t n, char out[2])
{
	n = n < COUNT_MAX ? n : COUNT_MAX;
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

void
tls_ja4(const struct tls_hello *h, char out[TLS_JA4_LEN])
{
	struct ja4_room *r = room_new(h);
	char *at;
	uint32_t n;

	n = list_take(h->ciphers, r->list);
	out[0] = 't';
	memcpy(out + AT_VERSION, version_word(version_of(h)), 2);
	out[AT_SNI] = h->has_sni ? 'd' : 'i';
	count_put(n, out + AT_CIPHERS);
	count_put(exts_count(h), out + AT_EXTS);
	alpn_word(h, out + AT_ALPN);
	out[AT_HASH - 1] = '_';
	qsort(r->list, n, sizeof(*r->list), list_order);
	at = words_put(r->text, r->list, n);
	hash_put(r->text, (size_t)(at - r->text), out + AT_HASH);
	out[AT_EXTS_HASH - 1] = '_';
	exts_hash(h, r, out + AT_EXTS_HASH);
	room_free(r);
}
