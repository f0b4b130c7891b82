/* sec_trans_decode: the transformations that take the escapes of languages out
 * of a text: of URLs, HTML, JavaScript, CSS, C. What is no escape stays; each
 * language has its own way of leaving what is broken. */
#include "common/http/chars.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_trans.h"
#include "worker/sec/sec_trans_int.h"

static bool
is_hex(span in, size_t at)
{
	return at < in.len && char_is(in.p[at], CHAR_HEX);
}

static bool
are_hex(span in, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_hex(in, at + i))
			return false;
	}
	return true;
}

static char
hex_byte(const char *p)
{
	return (char)(char_hex(p[0]) << 4 | char_hex(p[1]));
}

/* Letters, digits and signs of the half of Unicode's "full width" forms that is
 * ASCII: U+FF01 to U+FF5E. `p`: four digits. */
static char
narrow(const char *p)
{
	uint8_t low = (uint8_t)hex_byte(p + 2);

	if (low > 0 && low < 0x5f && hex_byte(p) == '\xff')
		low += 0x20;
	return (char)low;
}

/* --- URLs ----------------------------------------------------------------- */

SEC_INLINE sec_bytes
look_url(sec_bytes v)
{
	return sec_is(v, '%') | sec_is(v, '+');
}

span
sec_trans_url_decode(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_scan(in, i, look_url)) < in.len) {
		if (in.p[i] == '+') {
			sec_edit_put(&e, i, 1, ' ');
		} else if (are_hex(in, i + 1, 2)) {
			sec_edit_put(&e, i, 3, hex_byte(in.p + i + 1));
			i += 2;
		}
		i++;
	}
	return sec_edit_done(&e);
}

/* What %uXXXX stands for; `p`: four digits. */
static char
unicode_byte(const char *p, const struct sec_unicode *map)
{
	unsigned code =
	    (unsigned)(uint8_t)hex_byte(p) << 8 | (uint8_t)hex_byte(p + 2);

	if (map != NULL && map->to[code] != 0)
		return (char)map->to[code];
	return narrow(p);
}

span
sec_trans_url_decode_uni(span in, const struct sec_unicode *map, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_scan(in, i, look_url)) < in.len) {
		size_t used = 1;

		if (in.p[i] == '+') {
			sec_edit_put(&e, i, 1, ' ');
		} else if (are_hex(in, i + 1, 2)) {
			used = 3;
			sec_edit_put(&e, i, used, hex_byte(in.p + i + 1));
		} else if (i + 1 < in.len && ascii_lower(in.p[i + 1]) == 'u' &&
			   are_hex(in, i + 2, 4)) {
			used = 6;
			sec_edit_put(
			    &e, i, used, unicode_byte(in.p + i + 2, map));
		}
		i += used;
	}
	return sec_edit_done(&e);
}

span
sec_trans_url_encode(span in, char *out)
{
	static const char digits[] = "0123456789abcdef";
	struct sec_edit e = {.in = in, .out = out};

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = (uint8_t)in.p[i];

		if (c == ' ') {
			sec_edit_put(&e, i, 1, '+');
		} else if (c != '*' && !char_is_digit((char)c) &&
			   (uint8_t)((c | 0x20) - 'a') > 'z' - 'a') {
			sec_edit_put(&e, i, 1, '%');
			out[e.n++] = digits[c >> 4];
			out[e.n++] = digits[c & 0xf];
		}
	}
	return sec_edit_done(&e);
}

/* --- UTF-8 ---------------------------------------------------------------- */

SEC_INLINE sec_bytes
look_utf8(sec_bytes v)
{
	return sec_is_in(v, '\x80', '\xff') | sec_is(v, '\0');
}

/* From here on no byte begins a character (RFC 3629). */
#define UTF8_NO_LEAD 0xf5

/* Bytes of the character that begins with `lead`, as the first byte says it,
 * and the bits that are its own. */
static size_t
utf8_claim(uint8_t lead, uint32_t *bits)
{
	if ((lead & 0xe0) == 0xc0) {
		*bits = lead & 0x1f;
		return 2;
	}
	if ((lead & 0xf0) == 0xe0) {
		*bits = lead & 0x0f;
		return 3;
	}
	if ((lead & 0xf8) == 0xf0) {
		*bits = lead & 0x07;
		return 4;
	}
	return 0;
}

/* Whether `n` bytes that continue a character follow `at`. */
static bool
utf8_goes_on(span in, size_t at, size_t n, uint32_t *code)
{
	for (size_t i = 1; i <= n; i++) {
		if (at + i >= in.len || (in.p[at + i] & 0xc0) != 0x80)
			return false;
		*code = *code << 6 | (in.p[at + i] & 0x3f);
	}
	return true;
}

/* %uXXXX, of four digits at least. Returns the bytes. */
static size_t
put_code(uint32_t code, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	out[n++] = '%';
	out[n++] = 'u';
	for (int shift = 20; shift >= 0; shift -= 4) {
		if (shift < 16 || code >> shift != 0)
			out[n++] = digits[code >> shift & 0xf];
	}
	return n;
}

/* Codes that no character has, or that a shorter one says. */
static bool
is_odd_code(uint32_t code, size_t len)
{
	static const uint32_t least[] = {
	    [2] = 0x80, [3] = 0x800, [4] = 0x10000};

	return (code >= 0xd800 && code <= 0xdfff) || code < least[len];
}

/* Bytes that are taken at `at`: a character, or one byte that is lost. 0: the
 * byte stays. The reference loses NULs and the first bytes of characters that
 * do not go on, but none that can begin no character. */
static size_t
utf8_taken(span in, size_t at, uint32_t *code)
{
	uint8_t lead = (uint8_t)in.p[at];
	size_t len = utf8_claim(lead, code);

	if (lead == 0)
		return 1;
	if (len == 0)
		return 0;
	if (utf8_goes_on(in, at, len - 1, code))
		return len;
	return lead < UTF8_NO_LEAD ? 1 : 0;
}

/* Of characters that should not be, the first byte is there, too. */
span
sec_trans_utf8_to_unicode(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_scan(in, i, look_utf8)) < in.len) {
		char lead = in.p[i];
		uint32_t code = 0;
		size_t len = utf8_taken(in, i, &code);

		if (len > 0)
			sec_edit_cut(&e, i, len);
		if (len > 1) {
			if ((uint8_t)lead >= UTF8_NO_LEAD)
				out[e.n++] = lead;
			e.n += put_code(code, out + e.n);
			if (is_odd_code(code, len))
				out[e.n++] = lead;
		}
		i += len > 0 ? len : 1;
	}
	return sec_edit_done(&e);
}

/* --- HTML ----------------------------------------------------------------- */

/* A number as strtol() reads it, of digits only, cut to its last byte: beyond
 * the greatest long it is that one. */
static char
number_byte(span digits, unsigned base)
{
	uint64_t v = 0;

	for (size_t i = 0; i < digits.len; i++) {
		unsigned d = (unsigned)char_hex(digits.p[i]);

		if (v > ((uint64_t)INT64_MAX - d) / base)
			return '\xff';
		v = v * base + d;
	}
	return (char)(v & 0xff);
}

/* Where the run of a class of digits ends. */
static size_t
digits_end(span in, size_t at, bool is_hexadecimal)
{
	while (at < in.len && (is_hexadecimal ? char_is(in.p[at], CHAR_HEX)
					      : char_is_digit(in.p[at])))
		at++;
	return at;
}

/* "#123" or "#x1f" at `at`: where its digits end, or 0. */
static size_t
html_number(span in, size_t at, char *c)
{
	bool is_x = at + 1 < in.len && ascii_lower(in.p[at + 1]) == 'x';
	size_t begin = at + 1 + is_x;
	size_t end = digits_end(in, begin, is_x);

	if (end <= begin)
		return 0;
	*c = number_byte(span_of(in.p + begin, end - begin), is_x ? 16 : 10);
	return end;
}

/* A name that the reference knows: where it ends, or 0. */
static size_t
html_name(span in, size_t at, char *c)
{
	static const struct {
		span name;
		char c;
	} names[] = {
	    {{"quot", 4}, '"'},
	    {{"amp", 3}, '&'},
	    {{"lt", 2}, '<'},
	    {{"gt", 2}, '>'},
	    {{"nbsp", 4}, SEC_NBSP},
	};
	size_t end = at;

	while (end < in.len && (char_is_digit(in.p[end]) ||
				   (uint8_t)((in.p[end] | 0x20) - 'a') <= 25))
		end++;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_ieq(span_of(in.p + at, end - at), names[i].name)) {
			*c = names[i].c;
			return end;
		}
	}
	return 0;
}

span
sec_trans_html_entity_decode(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_chr(in, i, '&')) < in.len) {
		size_t end = 0;
		char c = 0;

		if (i + 1 < in.len && in.p[i + 1] == '#')
			end = html_number(in, i + 1, &c);
		else
			end = html_name(in, i + 1, &c);
		if (end == 0) {
			i++;
			continue;
		}
		if (end < in.len && in.p[end] == ';')
			end++;
		sec_edit_put(&e, i, end - i, c);
		i = end;
	}
	return sec_edit_done(&e);
}

/* --- backslashes ---------------------------------------------------------- */

/* What \c stands for in C and JavaScript, or c itself. */
static char
letter_escape(char c)
{
	switch (c) {
	case 'a':
		return '\a';
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'v':
		return '\v';
	default:
		return c;
	}
}

/* Up to three octal digits at `at`; returns how many. */
static size_t
octal(span in, size_t at, unsigned *value)
{
	size_t n = 0;

	*value = 0;
	while (n < 3 && at + n < in.len && in.p[at + n] >= '0' &&
	       in.p[at + n] <= '7')
		*value = *value * 8 + (unsigned)(in.p[at + n++] - '0');
	return n;
}

/* The escape behind the backslash at `at`, which is not the last byte. Returns
 * its bytes, the backslash in. */
static size_t
js_escape(span in, size_t at, char *c)
{
	unsigned value;
	size_t n;

	if (in.p[at + 1] == 'u' && are_hex(in, at + 2, 4)) {
		*c = narrow(in.p + at + 2);
		return 6;
	}
	if (in.p[at + 1] == 'x' && are_hex(in, at + 2, 2)) {
		*c = hex_byte(in.p + at + 2);
		return 4;
	}
	n = octal(in, at + 1, &value);
	/* of three digits that are more than a byte, two are taken */
	if (value > UINT8_MAX) {
		value /= 8;
		n--;
	}
	*c = n > 0 ? (char)value : letter_escape(in.p[at + 1]);
	return 1 + (n > 0 ? n : 1);
}

/* The same in C; there is no \x of fewer than two digits. */
static size_t
c_escape(span in, size_t at, char *c)
{
	unsigned value;
	size_t n;

	if (ascii_lower(in.p[at + 1]) == 'x' && are_hex(in, at + 2, 2)) {
		*c = hex_byte(in.p + at + 2);
		return 4;
	}
	n = octal(in, at + 1, &value);
	*c = n > 0 ? (char)(value & 0xff) : letter_escape(in.p[at + 1]);
	return 1 + (n > 0 ? n : 1);
}

typedef size_t escape_f(span in, size_t at, char *c);

SEC_INLINE span
unescape(span in, escape_f escape, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_chr(in, i, '\\')) + 1 < in.len) {
		char c;
		size_t used = escape(in, i, &c);

		sec_edit_put(&e, i, used, c);
		i += used;
	}
	return sec_edit_done(&e);
}

span
sec_trans_js_decode(span in, char *out)
{
	return unescape(in, js_escape, out);
}

span
sec_trans_escape_seq_decode(span in, char *out)
{
	return unescape(in, c_escape, out);
}

/* Up to six digits stand for one byte: the last two of them. Codes of four
 * digits without the zeros in front may be "full width". */
static char
css_byte(const char *p, size_t n)
{
	if (n == 1)
		return (char)char_hex(*p);
	for (; n > 4 && *p == '0'; n--)
		p++;
	return n == 4 ? narrow(p) : hex_byte(p + n - 2);
}

span
sec_trans_css_decode(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_chr(in, i, '\\')) < in.len) {
		size_t n = 0;

		while (n < 6 && is_hex(in, i + 1 + n))
			n++;
		if (n > 0) {
			size_t used = 1 + n;

			/* one byte of white space ends it */
			used += i + used < in.len && sec_white(in.p[i + used]);
			sec_edit_put(&e, i, used, css_byte(in.p + i + 1, n));
			i += used;
		} else if (i + 1 < in.len && in.p[i + 1] == '\n') {
			sec_edit_cut(&e, i, 2);
			i += 2;
		} else {
			/* what follows stays, whatever it is */
			sec_edit_cut(&e, i, 1);
			i += 2;
		}
	}
	return sec_edit_done(&e);
}
