/* up/sticky_cookie: the seal is SipHash-2-4 under two keys, 128 bits. It covers
 * all that stands before it, and the text is as long as its bytes: no bit of it
 * is anybody's to choose. */
#include "worker/up/sticky_cookie.h"

#include <assert.h>
#include <string.h>

#include "common/base/base64.h"

#define COOKIE_VERSION 1
#define SERVER_AT 1u
#define UNTIL_AT 9u
#define SEAL_AT 17u
#define SEAL_LEN 16u
#define RAW_LEN (SEAL_AT + SEAL_LEN)

static_assert(RAW_LEN % 3 == 0 && BASE64_CHARS(RAW_LEN) == STICKY_COOKIE_LEN,
    "every digit is used whole");

/* Big-endian: the same on every machine. */
static void
word_write(uint8_t *p, uint64_t w)
{
	for (int i = 7; i >= 0; i--, w >>= 8)
		p[i] = (uint8_t)w;
}

static uint64_t
word_read(const uint8_t *p)
{
	uint64_t w = 0;

	for (int i = 0; i < 8; i++)
		w = w << 8 | p[i];
	return w;
}

static uint64_t
raw_seal(const struct session_secret *secret, int i, const uint8_t raw[RAW_LEN])
{
	return siphash(&secret->seal[i], span_of((const char *)raw, SEAL_AT));
}

void
sticky_cookie_write(const struct session_secret *secret,
    const struct sticky_cookie *c, char out[STICKY_COOKIE_LEN])
{
	uint8_t raw[RAW_LEN];

	raw[0] = COOKIE_VERSION;
	word_write(raw + SERVER_AT, c->server);
	word_write(raw + UNTIL_AT, c->until_s);
	word_write(raw + SEAL_AT, raw_seal(secret, 0, raw));
	word_write(raw + SEAL_AT + 8, raw_seal(secret, 1, raw));
	(void)base64url_write(span_of((const char *)raw, RAW_LEN), out);
}

bool
sticky_cookie_read(
    const struct session_secret *secret, span text, struct sticky_cookie *out)
{
	uint8_t raw[BASE64_BYTES(STICKY_COOKIE_LEN)];
	uint64_t differs;
	size_t len;

	if (text.len != STICKY_COOKIE_LEN ||
	    !base64url_read(text, (char *)raw, &len) || len != RAW_LEN ||
	    raw[0] != COOKIE_VERSION)
		return false;
	/* as a whole: it takes the same time wherever it differs */
	differs = (word_read(raw + SEAL_AT) ^ raw_seal(secret, 0, raw)) |
		  (word_read(raw + SEAL_AT + 8) ^ raw_seal(secret, 1, raw));
	if (differs != 0)
		return false;
	out->server = word_read(raw + SERVER_AT);
	out->until_s = word_read(raw + UNTIL_AT);
	return true;
}
