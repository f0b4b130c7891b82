/* sec_trans: which function does which transformation, and those that change
 * letters, white space and NULs. */
#include "worker/sec/sec_trans.h"

#include <openssl/evp.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_trans_int.h"

/* How much longer a result may be. */
static const struct {
	uint8_t num;
	uint8_t den;
} rooms[SEC_N_TRANS] = {
#define SEC_TRANS(id, name, num, den) [SEC_TRANS_##id] = {num, den},
#define SEC_TRANS_ALIAS(id, name)
#include "worker/sec/sec_trans.def"
#undef SEC_TRANS
#undef SEC_TRANS_ALIAS
};

size_t
sec_trans_room(enum sec_trans t, size_t len)
{
	size_t room;

	REQUIRE(t < SEC_N_TRANS);
	REQUIRE(size_mul(len, rooms[t].num, &room));
	return room / rooms[t].den + SEC_TRANS_MORE;
}

/* --- letters -------------------------------------------------------------- */

SEC_INLINE sec_bytes
look_upper(sec_bytes v)
{
	return sec_is_in(v, 'A', 'Z');
}

SEC_INLINE sec_bytes
look_lower(sec_bytes v)
{
	return sec_is_in(v, 'a', 'z');
}

/* Bit 5 is what is between the two forms of a letter. */
SEC_INLINE span
fold(span in, sec_look_f look, char *out)
{
	size_t i = sec_scan(in, 0, look);

	if (i == in.len)
		return in;
	i -= i % SEC_BYTES;
	memcpy(out, in.p, i);
	for (; in.len - i >= SEC_BYTES; i += SEC_BYTES) {
		sec_bytes v;

		memcpy(&v, in.p + i, sizeof(v));
		v ^= look(v) & 0x20;
		memcpy(out + i, &v, sizeof(v));
	}
	for (; i < in.len; i++) {
		sec_bytes v = {(uint8_t)in.p[i]};

		out[i] = (char)(v ^ (look(v) & 0x20))[0];
	}
	return span_of(out, in.len);
}

static span
trans_lowercase(span in, char *out)
{
	return fold(in, look_upper, out);
}

static span
trans_uppercase(span in, char *out)
{
	return fold(in, look_lower, out);
}

/* --- white space and NULs ------------------------------------------------- */

SEC_INLINE sec_bytes
look_nul(sec_bytes v)
{
	return sec_is(v, '\0');
}

SEC_INLINE sec_bytes
look_white(sec_bytes v)
{
	return sec_is_white(v);
}

static bool
is_white(char c)
{
	return sec_white(c) || c == SEC_NBSP;
}

static span
trans_remove_whitespace(span in, char *out)
{
	size_t i = sec_scan(in, 0, look_white);
	size_t n = i;

	if (i == in.len)
		return in;
	memcpy(out, in.p, i);
	for (; i < in.len; i++) {
		out[n] = in.p[i];
		n += !is_white(in.p[i]);
	}
	return span_of(out, n);
}

static span
trans_remove_nulls(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};

	for (size_t i = 0; (i = sec_scan(in, i, look_nul)) < in.len; i++)
		sec_edit_cut(&e, i, 1);
	return sec_edit_done(&e);
}

static span
trans_replace_nulls(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};

	for (size_t i = 0; (i = sec_scan(in, i, look_nul)) < in.len; i++)
		sec_edit_put(&e, i, 1, ' ');
	return sec_edit_done(&e);
}

/* A run of white space becomes one blank. */
static span
trans_compress_whitespace(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_scan(in, i, look_white)) < in.len) {
		size_t end = i + 1;

		while (end < in.len && is_white(in.p[end]))
			end++;
		if (end > i + 1 || in.p[i] != ' ')
			sec_edit_put(&e, i, end - i, ' ');
		i = end;
	}
	return sec_edit_done(&e);
}

/* The text without `left` bytes in front and what is behind `right`. */
static span
part(span in, size_t left, size_t right, char *out)
{
	if (left == 0 && right == in.len)
		return in;
	memcpy(out, in.p + left, right - left);
	return span_of(out, right - left);
}

static size_t
left_end(span in)
{
	size_t i = 0;

	while (i < in.len && sec_white(in.p[i]))
		i++;
	return i;
}

static size_t
right_end(span in, size_t left)
{
	size_t i = in.len;

	while (i > left && sec_white(in.p[i - 1]))
		i--;
	return i;
}

static span
trans_trim(span in, char *out)
{
	size_t left = left_end(in);

	return part(in, left, right_end(in, left), out);
}

static span
trans_trim_left(span in, char *out)
{
	return part(in, left_end(in), in.len, out);
}

static span
trans_trim_right(span in, char *out)
{
	return part(in, 0, right_end(in, 0), out);
}

/* --- numbers, digests ----------------------------------------------------- */

static span
trans_length(span in, char *out)
{
	return span_of(out, u64_format(in.len, out));
}

static span
digest(span in, const EVP_MD *how, char *out)
{
	unsigned len = 0;

	/* a library that must not do it (FIPS) says nothing */
	if (EVP_Digest(in.p, in.len, (unsigned char *)out, &len, how, NULL) !=
	    1)
		len = 0;
	return span_of(out, len);
}

static span
trans_md5(span in, char *out)
{
	return digest(in, EVP_md5(), out);
}

static span
trans_sha1(span in, char *out)
{
	return digest(in, EVP_sha1(), out);
}

static span
trans_base64_encode(span in, char *out)
{
	return span_of(out, base64_write(in, out));
}

/* --- which does which ----------------------------------------------------- */

typedef span trans_f(span in, char *out);

static trans_f *const functions[SEC_N_TRANS] = {
    [SEC_TRANS_BASE64_DECODE] = sec_trans_base64_decode,
    [SEC_TRANS_BASE64_DECODE_EXT] = sec_trans_base64_decode_ext,
    [SEC_TRANS_BASE64_ENCODE] = trans_base64_encode,
    [SEC_TRANS_CMD_LINE] = sec_trans_cmd_line,
    [SEC_TRANS_COMPRESS_WHITESPACE] = trans_compress_whitespace,
    [SEC_TRANS_CSS_DECODE] = sec_trans_css_decode,
    [SEC_TRANS_ESCAPE_SEQ_DECODE] = sec_trans_escape_seq_decode,
    [SEC_TRANS_HEX_DECODE] = sec_trans_hex_decode,
    [SEC_TRANS_HEX_ENCODE] = sec_trans_hex_encode,
    [SEC_TRANS_HTML_ENTITY_DECODE] = sec_trans_html_entity_decode,
    [SEC_TRANS_JS_DECODE] = sec_trans_js_decode,
    [SEC_TRANS_LENGTH] = trans_length,
    [SEC_TRANS_LOWERCASE] = trans_lowercase,
    [SEC_TRANS_MD5] = trans_md5,
    [SEC_TRANS_NORMALIZE_PATH] = sec_trans_normalize_path,
    [SEC_TRANS_NORMALIZE_PATH_WIN] = sec_trans_normalize_path_win,
    [SEC_TRANS_REMOVE_COMMENTS] = sec_trans_remove_comments,
    [SEC_TRANS_REMOVE_COMMENTS_CHAR] = sec_trans_remove_comments_char,
    [SEC_TRANS_REMOVE_NULLS] = trans_remove_nulls,
    [SEC_TRANS_REMOVE_WHITESPACE] = trans_remove_whitespace,
    [SEC_TRANS_REPLACE_COMMENTS] = sec_trans_replace_comments,
    [SEC_TRANS_REPLACE_NULLS] = trans_replace_nulls,
    [SEC_TRANS_SHA1] = trans_sha1,
    [SEC_TRANS_SQL_HEX_DECODE] = sec_trans_sql_hex_decode,
    [SEC_TRANS_TRIM] = trans_trim,
    [SEC_TRANS_TRIM_LEFT] = trans_trim_left,
    [SEC_TRANS_TRIM_RIGHT] = trans_trim_right,
    [SEC_TRANS_UPPERCASE] = trans_uppercase,
    [SEC_TRANS_URL_DECODE] = sec_trans_url_decode,
    [SEC_TRANS_URL_ENCODE] = sec_trans_url_encode,
    [SEC_TRANS_UTF8_TO_UNICODE] = sec_trans_utf8_to_unicode,
};

/* Texts that have no bytes and yet give some. */
static bool
is_of_length(enum sec_trans t)
{
	return t == SEC_TRANS_LENGTH || t == SEC_TRANS_MD5 ||
	       t == SEC_TRANS_SHA1;
}

span
sec_trans_run(
    enum sec_trans t, span in, const struct sec_unicode *map, char *out)
{
	REQUIRE(t < SEC_N_TRANS);
	if (in.len == 0 && !is_of_length(t))
		return in;
	if (t == SEC_TRANS_URL_DECODE_UNI)
		return sec_trans_url_decode_uni(in, map, out);
	return functions[t](in, out);
}
