/* up/sticky_cookie: the seal is SipHash-2-4 under two keys, 128 bits. It covers
 * all that stands before it, and the text is as long as its bytes: no bit of it
 * is anybody's to choose. */
#include "worker/up/sticky_cookie.h"

#include <assert.h>
#include <string.h>

#define COOKIE_VERSION 1
#define SERVER_AT 1u
#define UNTIL_AT 9u
#define SEAL_AT 17u
#define SEAL_LEN 16u
#define RAW_LEN (SEAL_AT + SEAL_LEN)
#define RAW_GROUP 3u
#define TEXT_GROUP 4u
#define DIGIT_BITS 6

static_assert(RAW_LEN % RAW_GROUP == 0 &&
		  RAW_LEN / RAW_GROUP * TEXT_GROUP == STICKY_COOKIE_LEN,
    "every digit is used whole");

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789-_";
#define DIGIT_MASK 63u

static void
text_write(const uint8_t raw[RAW_LEN], char out[STICKY_COOKIE_LEN])
{
	for (size_t i = 0; i < RAW_LEN; i += RAW_GROUP) {
		uint32_t group = (uint32_t)raw[i] << 16 |
				 (uint32_t)raw[i + 1] << 8 | raw[i + 2];

		for (int k = TEXT_GROUP - 1; k >= 0; k--)
			*out++ = digits[group >> (k * DIGIT_BITS) & DIGIT_MASK];
	}
}

static bool
text_read(span text, uint8_t raw[RAW_LEN])
{
	for (size_t i = 0; i < STICKY_COOKIE_LEN; i += TEXT_GROUP) {
		uint32_t group = 0;

		for (size_t k = 0; k < TEXT_GROUP; k++) {
			char c = text.p[i + k];
			const char *digit =
			    c == '\0' ? NULL : strchr(digits, c);

			if (digit == NULL)
				return false;
			group =
			    group << DIGIT_BITS | (uint32_t)(digit - digits);
		}
		*raw++ = (uint8_t)(group >> 16);
		*raw++ = (uint8_t)(group >> 8);
		*raw++ = (uint8_t)group;
	}
	return true;
}

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
	text_write(raw, out);
}

bool
sticky_cookie_read(
    const struct session_secret *secret, span text, struct sticky_cookie *out)
{
	uint8_t raw[RAW_LEN];
	uint64_t differs;

	if (text.len != STICKY_COOKIE_LEN || !text_read(text, raw) ||
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
