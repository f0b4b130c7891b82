/* sec_op_check: the operators that ask whether a text is what it should be. */
#include "common/http/chars.h"
#include "worker/sec/sec_op_int.h"
#include "worker/sec/sec_scan.h"

/* --- validateByteRange ---------------------------------------------------- */

/* "9" or "32-126". */
static bool
read_range(span s, uint64_t *low, uint64_t *high)
{
	span first;

	s = span_trim(s);
	if (span_chr(s, '-') < 0)
		return span_u64(s, UINT8_MAX, low) &&
		       span_u64(s, UINT8_MAX, high);
	return span_cut(&s, '-', &first) &&
	       span_u64(span_trim(first), UINT8_MAX, low) &&
	       span_u64(span_trim(s), UINT8_MAX, high) && *low <= *high;
}

static void
gather_ranges(struct sec_byte_ranges *r)
{
	unsigned c = 0;

	r->n = 0;
	while (c <= UINT8_MAX) {
		unsigned low = c;

		while (c <= UINT8_MAX && r->is_allowed[c])
			c++;
		if (c > low) {
			r->low[r->n] = (uint8_t)low;
			r->more[r->n++] = (uint8_t)(c - 1 - low);
		}
		c++;
	}
}

bool
sec_op_ranges(
    span argument, struct sec_byte_ranges *out, struct place at, struct diag *d)
{
	span rest = argument;
	span part;

	memset(out->is_allowed, 0, sizeof(out->is_allowed));
	while (span_cut(&rest, ',', &part)) {
		uint64_t low;
		uint64_t high;

		if (!read_range(part, &low, &high)) {
			at.col = (uint16_t)(at.col + (part.p - argument.p));
			at.len = (uint16_t)part.len;
			diag_error(d, at,
			    "\"%.*s\" is no byte (0 to 255) or range of bytes "
			    "like 32-126",
			    SPAN_FMT(part));
			return false;
		}
		for (; low <= high; low++)
			out->is_allowed[low] = true;
	}
	gather_ranges(out);
	return true;
}

bool
sec_op_is_in_ranges(const struct sec_byte_ranges *r, span text)
{
	size_t i = 0;

	for (; text.len - i >= SEC_BYTES; i += SEC_BYTES) {
		sec_bytes good = {0};
		sec_bytes v;

		memcpy(&v, text.p + i, sizeof(v));
		for (unsigned k = 0; k < r->n; k++)
			good |= (sec_bytes)(v - r->low[k] <= r->more[k]);
		if (sec_first(~good) < SEC_BYTES)
			return false;
	}
	for (; i < text.len; i++) {
		if (!r->is_allowed[(uint8_t)text.p[i]])
			return false;
	}
	return true;
}

/* --- encodings ------------------------------------------------------------ */

SEC_INLINE sec_bytes
look_high(sec_bytes v)
{
	return sec_is_in(v, '\x80', '\xff');
}

bool
sec_op_is_utf8(span text)
{
	size_t i = 0;

	while ((i = sec_scan(text, i, look_high)) < text.len) {
		size_t len = span_utf8_len(text, i);

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

bool
sec_op_is_url_encoded(span text)
{
	size_t i = 0;

	while ((i = sec_chr(text, i, '%')) < text.len) {
		if (text.len - i < 3 || !char_is(text.p[i + 1], CHAR_HEX) ||
		    !char_is(text.p[i + 2], CHAR_HEX))
			return false;
		i += 3;
	}
	return true;
}

/* --- verifyCC ------------------------------------------------------------- */

bool
sec_op_is_card(span text)
{
	unsigned sum = 0;
	unsigned n = 0;

	for (size_t i = text.len; i-- > 0;) {
		unsigned digit;

		if (!char_is_digit(text.p[i]))
			continue;
		digit = (unsigned)(text.p[i] - '0');
		/* each second one from the right is doubled, and its digits
		 * are added */
		if (n++ % 2 == 1)
			digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
		sum += digit;
	}
	return n > 0 && sum % 10 == 0;
}
