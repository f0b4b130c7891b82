/* auth/signed: see signed.h. */
#include "worker/auth/signed.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/http/chars.h"
#include "worker/auth/auth_file.h"

/* Bytes of a SHA-256, and characters of them. */
#define SIGNED_HASH_LEN 32u
#define SIGNED_TEXT_LEN 43u
/* No clock will show a later second (9999-12-31). */
#define SIGNED_SECONDS_MAX UINT64_C(253402300799)
#define SIGNED_ESCAPE_LEN 3u

/* --- arguments ------------------------------------------------------------ */

bool
signed_is_any(span query, span prefix)
{
	span pair;

	while (span_cut(&query, '&', &pair))
		if (span_starts(pair, prefix))
			return true;
	return false;
}

/* A value without its escapes (RFC 3986 2.1); '+' is one. false: an escape is
 * none. */
static bool
signed_decode(span in, struct arena *a, span *out)
{
	char *to = arena_alloc(a, in.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		int high;
		int low;

		if (in.p[i] != '%') {
			to[len++] = in.p[i];
			continue;
		}
		if (in.len - i < SIGNED_ESCAPE_LEN)
			return false;
		high = char_hex(in.p[++i]);
		low = char_hex(in.p[++i]);
		if (high < 0 || low < 0)
			return false;
		to[len++] = (char)(high << 4 | low);
	}
	*out = span_of(to, len);
	return true;
}

/* Where the value of an argument goes; NULL: none has that name. */
static span *
signed_place(struct signed_url *u, span name)
{
	if (span_eq(name, SPAN_LIT("expires")))
		return &u->expires;
	if (span_eq(name, SPAN_LIT("user")))
		return &u->user;
	if (span_eq(name, SPAN_LIT("ip")))
		return &u->ip;
	if (span_eq(name, SPAN_LIT("signature")))
		return &u->signature;
	return NULL;
}

/* One argument; `pair` stands behind the prefix. NULL: it was kept. */
static const char *
signed_keep(struct signed_url *u, span pair, struct arena *a)
{
	ptrdiff_t eq = span_chr(pair, '=');
	span *place;

	if (eq < 0)
		return "an argument has no value";
	place = signed_place(u, span_first(pair, (size_t)eq));
	if (place == NULL)
		return "an argument is not known";
	if (place->p != NULL)
		return "an argument stands there twice";
	if (!signed_decode(span_from(pair, (size_t)eq + 1), a, place))
		return "an escape of an argument is malformed";
	return place->len > 0 ? NULL : "an argument is empty";
}

/* NULL: what was sent can be what it should be. The lines of the text have one
 * reading only because none of these can hold the end of a line. */
static const char *
signed_judge(const struct signed_url *u)
{
	uint64_t seconds;

	if (u->signature.p == NULL || u->expires.p == NULL)
		return "the signature or its expiry is missing";
	if (!span_u64(u->expires, SIGNED_SECONDS_MAX, &seconds))
		return "the expiry is no number";
	if (u->user.p != NULL && auth_name_fault(u->user) != NULL)
		return "the user is no name";
	if (u->ip.p != NULL && !auth_is_text(u->ip))
		return "the address is none";
	return NULL;
}

const char *
signed_read(span query, span prefix, struct arena *a, struct signed_url *out)
{
	struct signed_url u = {.query = span_of(NULL, 0)};
	char *rest = arena_alloc(a, query.len + 1);
	const char *why = NULL;
	bool has_more = false;
	size_t len = 0;
	span pair;

	while (why == NULL && span_cut(&query, '&', &pair)) {
		if (span_starts(pair, prefix)) {
			why = signed_keep(&u, span_from(pair, prefix.len), a);
			continue;
		}
		if (has_more)
			rest[len++] = '&';
		if (pair.len > 0)
			memcpy(rest + len, pair.p, pair.len);
		len += pair.len;
		has_more = true;
	}
	if (why == NULL)
		why = signed_judge(&u);
	u.query = span_of(rest, len);
	*out = why == NULL ? u : (struct signed_url){.query = span_of(NULL, 0)};
	return why;
}

/* --- the signature -------------------------------------------------------- */

static span
signed_method(span method)
{
	return span_eq(method, SPAN_LIT("HEAD")) ? SPAN_LIT("GET") : method;
}

span
signed_text(
    const struct signed_url *u, const struct signed_request *r, struct arena *a)
{
	const span lines[] = {signed_method(r->method), r->host, r->path,
	    u->query, u->expires, u->user, u->ip};
	span parts[2 * NELEMS(lines)];

	for (size_t i = 0; i < NELEMS(lines); i++) {
		parts[2 * i] = lines[i];
		parts[2 * i + 1] = SPAN_LIT("\n");
	}
	return arena_concat(a, parts, NELEMS(parts));
}

bool
signed_is_by(const struct signed_url *u, span text, span secret)
{
	char sent[BASE64_BYTES(SIGNED_TEXT_LEN)];
	unsigned char made[EVP_MAX_MD_SIZE];
	unsigned made_len = 0;
	size_t len;

	return u->signature.len == SIGNED_TEXT_LEN &&
	       base64url_read(u->signature, sent, &len) &&
	       len == SIGNED_HASH_LEN &&
	       HMAC(EVP_sha256(), secret.p, (int)secret.len,
		   (const unsigned char *)text.p, text.len, made,
		   &made_len) != NULL &&
	       made_len == len && CRYPTO_memcmp(made, sent, len) == 0;
}

bool
signed_is_over(const struct signed_url *u, uint64_t now_s, uint64_t skew_s)
{
	uint64_t seconds;

	return !span_u64(u->expires, SIGNED_SECONDS_MAX, &seconds) ||
	       seconds + skew_s <= now_s;
}
