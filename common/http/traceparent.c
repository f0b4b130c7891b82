/* http/traceparent: see traceparent.h. Section numbers are its document's. */
#include "common/http/traceparent.h"

#include <string.h>

/* Where the parts of a value begin. */
#define TRACE_AT 3u
#define FLAGS_AT 53u
/* 3.3.1.3: bytes of a key and of a value. */
#define KEY_MAX 256u
#define VALUE_MAX 256u

/* Lower case alone is valid (3.2.2). */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_read(const char *p, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(p[2 * i]);
		int low = hex_digit(p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* 3.2.2.3, 3.2.2.4: all zeroes are no id. */
static bool
id_is_fine(const uint8_t *id, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= id[i];
	return any != 0;
}

/* 3.2.4: the first version has its length, later ones may go on behind a dash;
 * ff is none. */
static bool
length_is_fine(span value, uint8_t version)
{
	if (version == 0xff)
		return false;
	if (value.len == TRACEPARENT_LEN)
		return true;
	return version > 0 && value.p[TRACEPARENT_LEN] == '-';
}

bool
traceparent_read(span value, struct traceparent *out)
{
	uint8_t version;

	if (value.len < TRACEPARENT_LEN ||
	    !hex_read(value.p, &version, sizeof(version)) ||
	    !length_is_fine(value, version))
		return false;
	if (value.p[TRACE_AT - 1] != '-' ||
	    value.p[TRACEPARENT_SPAN_AT - 1] != '-' ||
	    value.p[FLAGS_AT - 1] != '-' ||
	    !hex_read(value.p + TRACE_AT, out->trace_id, TRACE_ID_LEN) ||
	    !hex_read(
		value.p + TRACEPARENT_SPAN_AT, out->span_id, TRACE_SPAN_LEN) ||
	    !hex_read(value.p + FLAGS_AT, &out->flags, sizeof(out->flags)))
		return false;
	out->flags &= TRACE_SAMPLED | TRACE_RANDOM;
	return id_is_fine(out->trace_id, TRACE_ID_LEN) &&
	       id_is_fine(out->span_id, TRACE_SPAN_LEN);
}

void
traceparent_hex(const uint8_t *id, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[id[i] >> 4];
		out[2 * i + 1] = digits[id[i] & 15];
	}
}

void
traceparent_write(const struct traceparent *t, char out[TRACEPARENT_LEN])
{
	memcpy(out, "00-", TRACE_AT);
	traceparent_hex(t->trace_id, TRACE_ID_LEN, out + TRACE_AT);
	out[TRACEPARENT_SPAN_AT - 1] = '-';
	traceparent_hex(t->span_id, TRACE_SPAN_LEN, out + TRACEPARENT_SPAN_AT);
	out[FLAGS_AT - 1] = '-';
	traceparent_hex(&t->flags, sizeof(t->flags), out + FLAGS_AT);
}

/* --- tracestate ----------------------------------------------------------- */

/* 3.3.1.3.1 */
static bool
key_is_fine(span s)
{
	if (s.len == 0 || s.len > KEY_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool is_first =
		    (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!is_first && (i == 0 || span_chr(SPAN_LIT("_-*/@"), c) < 0))
			return false;
	}
	return true;
}

/* 3.3.1.3.2 */
static bool
value_is_fine(span s)
{
	if (s.len == 0 || s.len > VALUE_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == ',' ||
		    s.p[i] == '=')
			return false;
	return true;
}

static bool
is_known(const span *keys, size_t n, span key)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(keys[i], key))
			return true;
	return false;
}

bool
tracestate_is_fine(span list)
{
	span keys[TRACESTATE_MEMBERS];
	size_t n = 0;
	span member;

	if (list.len > TRACESTATE_MAX)
		return false;
	while (span_cut(&list, ',', &member)) {
		ptrdiff_t eq;

		member = span_trim(member);
		/* 3.3.1.1: members may be empty */
		if (member.len == 0)
			continue;
		eq = span_chr(member, '=');
		if (eq < 0 || n == TRACESTATE_MEMBERS)
			return false;
		keys[n] = span_first(member, (size_t)eq);
		if (!key_is_fine(keys[n]) || is_known(keys, n, keys[n]) ||
		    !value_is_fine(span_from(member, (size_t)eq + 1)))
			return false;
		n++;
	}
	return n > 0;
}
