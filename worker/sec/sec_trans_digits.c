/* sec_trans_digits: the transformations between bytes and their digits. */
#include "common/http/chars.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_trans_int.h"

/* --- hexadecimal ---------------------------------------------------------- */

/* What the reference makes of any byte as a digit: nothing is refused. */
static uint8_t
loose_digit(char c)
{
	uint8_t u = (uint8_t)c;

	return (uint8_t)(u >= 'A' ? (u & 0xdf) - 'A' + 10 : u - '0');
}

static char
loose_byte(const char *p)
{
	return (char)(loose_digit(p[0]) * 16 + loose_digit(p[1]));
}

span
sec_trans_hex_decode(span in, char *out)
{
	size_t n = in.len / 2;

	for (size_t i = 0; i < n; i++)
		out[i] = loose_byte(in.p + 2 * i);
	return span_of(out, n);
}

span
sec_trans_hex_encode(span in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		out[2 * i] = digits[(uint8_t)in.p[i] >> 4];
		out[2 * i + 1] = digits[(uint8_t)in.p[i] & 0xf];
	}
	return span_of(out, 2 * in.len);
}

static bool
are_two_digits(span in, size_t at)
{
	return in.len - at >= 2 && char_is(in.p[at], CHAR_HEX) &&
	       char_is(in.p[at + 1], CHAR_HEX);
}

/* 0x41... becomes bytes. The text ends at the first NUL, one that is written
 * too; what follows the digits is passed over unread. */
span
sec_trans_sql_hex_decode(span in, char *out)
{
	span whole = span_of(in.p, sec_chr(in, 0, '\0'));
	struct sec_edit e = {.in = whole, .out = out};
	size_t i = 0;

	while ((i = sec_chr(whole, i, '0')) < whole.len) {
		if (whole.len - i < 4 || ascii_lower(whole.p[i + 1]) != 'x' ||
		    !are_two_digits(whole, i + 2)) {
			i++;
			continue;
		}
		sec_edit_cut(&e, i, 2);
		for (i += 2; are_two_digits(whole, i); i += 2)
			sec_edit_put(&e, i, 2, loose_byte(whole.p + i));
		i += i < whole.len;
	}
	if (e.from == 0 && whole.len == in.len)
		return in;
	sec_edit_cut(&e, whole.len, 0);
	return span_of(out, sec_chr(span_of(out, e.n), 0, '\0'));
}

/* --- base64 --------------------------------------------------------------- */

/* What a character stands for, or -1. */
static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (char_is_digit(c))
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Six bits more; writes a byte when there are eight. */
struct base64_bits {
	char *out;
	size_t n;
	uint32_t held;
	unsigned n_held;
};

static void
base64_add(struct base64_bits *b, int digit)
{
	b->held = b->held << 6 | (uint32_t)digit;
	b->n_held += 6;
	if (b->n_held < 8)
		return;
	b->n_held -= 8;
	b->out[b->n++] = (char)(b->held >> b->n_held & 0xff);
}

/* As far as the alphabet goes. */
span
sec_trans_base64_decode(span in, char *out)
{
	struct base64_bits b = {.out = out};

	for (size_t i = 0; i < in.len; i++) {
		int digit = base64_digit(in.p[i]);

		if (digit < 0)
			break;
		base64_add(&b, digit);
	}
	return span_of(out, b.n);
}

/* What is no digit is passed over, as far as a NUL. A lone "=" behind the first
 * digit of four makes nothing of the whole. */
span
sec_trans_base64_decode_ext(span in, char *out)
{
	struct base64_bits b = {.out = out};

	in.len = sec_chr(in, 0, '\0');
	for (size_t i = 0; i < in.len; i++) {
		int digit = base64_digit(in.p[i]);
		bool is_doubled = i + 1 < in.len && in.p[i + 1] == '=';

		if (digit >= 0)
			base64_add(&b, digit);
		else if (in.p[i] == '=' && b.n_held == 6 && !is_doubled)
			return span_of(out, 0);
	}
	return span_of(out, b.n);
}
