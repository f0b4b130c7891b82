/* sec_trans: each transformation does what ModSecurity 2.9 does, byte for byte
 * (its reference manual, and its answers to the texts below). */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_trans.h"

#define V(trans, in, out) \
	{ \
		SEC_TRANS_##trans, {in, sizeof(in) - 1}, \
		{ \
			out, sizeof(out) - 1 \
		} \
	}

static const struct {
	enum sec_trans trans;
	span in;
	span out;
} vectors[] = {
    V(BASE64_DECODE, "VGVzdA==", "Test"),
    V(BASE64_DECODE, "VGVzdA", "Test"),
    V(BASE64_DECODE, "VGVz dA==", "Tes"),
    V(BASE64_DECODE, "A", ""),
    V(BASE64_DECODE, "QUJDR", "ABC"),
    V(BASE64_DECODE, "<x>", ""),
    V(BASE64_DECODE_EXT, "VG.V z-dA==", "Test"),
    V(BASE64_DECODE_EXT, "V=x", ""),
    V(BASE64_DECODE_EXT, "VG=x", "Tl"),
    V(BASE64_ENCODE, "TestCase", "VGVzdENhc2U="),
    V(BASE64_ENCODE, "\0\xff", "AP8="),
    V(CMD_LINE, "c\\m^d.exe \"/c\" 'DIR'", "cmd.exe/c dir"),
    V(CMD_LINE, "a,;\t b", "a b"),
    V(CMD_LINE, "ping (x)", "ping(x)"),
    V(CMD_LINE, "plain text of words", "plain text of words"),
    V(CMD_LINE, "ab\0cd", "ab"),
    V(CMD_LINE, "a \"/b", "a/b"),
    V(COMPRESS_WHITESPACE, "a  b\t\n\xa0 c\v", "a b c "),
    V(COMPRESS_WHITESPACE, "a b c", "a b c"),
    V(COMPRESS_WHITESPACE, "\t", " "),
    V(CSS_DECODE, "ja\\vascript", "javascript"),
    V(CSS_DECODE, "\\6a\\61vascript", "javascript"),
    V(CSS_DECODE, "\\00006a\\61 \t", "ja\t"),
    V(CSS_DECODE, "\\ff21\\0ff21\\00ff21\\1ff21", "AAA!"),
    V(CSS_DECODE, "a\\\nb\\", "ab"),
    V(CSS_DECODE, "\\\\41", "\\41"),
    V(ESCAPE_SEQ_DECODE, "\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\'\\\"",
	"\a\b\f\n\r\t\v\\?'\""),
    V(ESCAPE_SEQ_DECODE, "\\x41\\X42\\103\\0\\400", "ABC\0\0"),
    V(ESCAPE_SEQ_DECODE, "\\u\\xZZ\\8", "uxZZ8"),
    V(ESCAPE_SEQ_DECODE, "end\\", "end\\"),
    V(HEX_DECODE, "54657374", "Test"),
    V(HEX_DECODE, "414", "A"),
    V(HEX_DECODE, "zz", "S"),
    V(HEX_ENCODE, "Te\xff\0", "5465ff00"),
    V(HTML_ENTITY_DECODE, "&lt;a&gt;&AMP;&quot;&nbsp;", "<a>&\"\xa0"),
    V(HTML_ENTITY_DECODE, "&lt &LTx &ltx;", "< &LTx &ltx;"),
    V(HTML_ENTITY_DECODE, "&#65&#66;&#x43;&#X44", "ABCD"),
    V(HTML_ENTITY_DECODE, "&#256;&#x141;", "\0A"),
    V(HTML_ENTITY_DECODE, "&#99999999999999999999;", "\xff"),
    V(HTML_ENTITY_DECODE, "&#;&#x;&;&apos;&", "&#;&#x;&;&apos;&"),
    V(JS_DECODE, "\\u0041\\x42\\103\\D\\n", "ABCD\n"),
    V(JS_DECODE, "\\uff21\\uFF5e\\uff5f\\uFE21", "A~_!"),
    V(JS_DECODE, "\\400\\3777\\8\\u12",
	" 0\xff"
	"78u12"),
    V(JS_DECODE, "end\\", "end\\"),
    V(LENGTH, "", "0"),
    V(LENGTH, "0123456789ab", "12"),
    V(LOWERCASE, "SELECT * From A[Z]@\xc0", "select * from a[z]@\xc0"),
    V(LOWERCASE, "quite a lot of small letters, and then ONE of them",
	"quite a lot of small letters, and then one of them"),
    V(MD5, "a",
	"\x0c\xc1\x75\xb9\xc0\xf1\xb6\xa8\x31\xc3\x99\xe2\x69\x77\x26\x61"),
    V(NORMALIZE_PATH, "/foo/bar/../baz", "/foo/baz"),
    V(NORMALIZE_PATH, "/./foo//bar/.", "/foo/bar"),
    V(NORMALIZE_PATH, "/../../etc/passwd", "/etc/passwd"),
    V(NORMALIZE_PATH, "../../a", "../../a"),
    V(NORMALIZE_PATH, "a/../b/./c/", "b/c/"),
    V(NORMALIZE_PATH, "ab/c../d", "ab/d"),
    V(NORMALIZE_PATH, "a../d", "a../d"),
    V(NORMALIZE_PATH, "dir\\foo\\..\\bar", "dir\\foo\\..\\bar"),
    V(NORMALIZE_PATH, "/", "/"),
    V(NORMALIZE_PATH, "/a/..", ""),
    V(NORMALIZE_PATH, ".", ""),
    V(NORMALIZE_PATH_WIN, "dir\\foo\\..\\bar", "dir/bar"),
    V(NORMALIZE_PATH_WIN, "\\a\\\\b", "/a/b"),
    V(NORMALIZE_PATH_WIN, "/a/./b", "/a/b"),
    V(REMOVE_COMMENTS, "a/*b*/ c", "a c"),
    V(REMOVE_COMMENTS, "a/*b*/", "a\0"),
    V(REMOVE_COMMENTS, "a<!-- b -->#c", "a#c"),
    V(REMOVE_COMMENTS, "a/*b", "a "),
    V(REMOVE_COMMENTS, "a -- b", "a "),
    V(REMOVE_COMMENTS, "a # b", "a "),
    V(REMOVE_COMMENTS_CHAR, "a/*b*/c<!--d-->e--f#g", "abcdefg"),
    V(REMOVE_COMMENTS_CHAR, "a - b < c * d / e", "a - b < c * d / e"),
    V(REMOVE_NULLS, "a\0b\0\0c", "abc"),
    V(REMOVE_WHITESPACE, " a\tb\n\xa0 c ", "abc"),
    V(REPLACE_COMMENTS, "a/*b*/c/*d", "a c "),
    V(REPLACE_COMMENTS, "a/*/b*/c", "a c"),
    V(REPLACE_COMMENTS, "a*/b / * c", "a*/b / * c"),
    V(REPLACE_NULLS, "a\0b", "a b"),
    V(SHA1, "abc",
	"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e"
	"\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"),
    V(SQL_HEX_DECODE, "0x414243 x", "ABC x"),
    V(SQL_HEX_DECODE, "10X4a4", "1J4"),
    V(SQL_HEX_DECODE, "0x4100410x42", "A"),
    V(SQL_HEX_DECODE, "0x410x42", "A0x42"),
    V(SQL_HEX_DECODE, "0x 0xg 00", "0x 0xg 00"),
    V(SQL_HEX_DECODE, "ab\0cd", "ab"),
    V(TRIM, " \ta b\v\n", "a b"),
    V(TRIM, "  ", ""),
    V(TRIM_LEFT, "  a ", "a "),
    V(TRIM_RIGHT, " a\r\n", " a"),
    V(TRIM_RIGHT, "\xa0", "\xa0"),
    V(UPPERCASE, "select {a} `z", "SELECT {A} `Z"),
    V(URL_DECODE, "a%20b+c%2g%4", "a b c%2g%4"),
    V(URL_DECODE, "%u0041%00", "%u0041\0"),
    V(URL_DECODE_UNI, "%u0041%U0042%43+%uff24",
	"AB"
	"C D"),
    V(URL_DECODE_UNI, "%u4e00after",
	"\0"
	"after"),
    V(URL_DECODE_UNI, "%uZZZZ%u12%zz%", "%uZZZZ%u12%zz%"),
    V(URL_DECODE_UNI, "%uu0041%%41", "%uu0041%A"),
    V(URL_ENCODE, "a b*C9-_.~/", "a+b*C9%2d%5f%2e%7e%2f"),
    V(UTF8_TO_UNICODE, "a\xc3\xa9\xe4\xb8\x80\xf0\x9f\x98\x80z",
	"a%u00e9%u4e00%u1f600z"),
    V(UTF8_TO_UNICODE, "a\0b", "ab"),
    V(UTF8_TO_UNICODE, "\xc3x\xe4\xb8x", "x\xb8x"),
    V(UTF8_TO_UNICODE, "\x80\xff\xf5z", "\x80\xff\xf5z"),
    V(UTF8_TO_UNICODE, "\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80",
	"%u0000\xc0%ud800\xed%u110000"),
    V(UTF8_TO_UNICODE, "\xf5\x80\x80\x80", "\xf5%u140000"),
};

/* The result in memory of exactly the room it may have. */
static span
run(enum sec_trans trans, span in, const struct sec_unicode *map, char **room)
{
	size_t cap = sec_trans_room(trans, in.len);
	span out;

	*room = malloc(cap);
	ck_assert_ptr_nonnull(*room);
	out = sec_trans_run(trans, in, map, *room);
	ck_assert_uint_le(out.len, cap);
	ck_assert(out.p == in.p || out.p == *room);
	if (out.p == in.p)
		ck_assert_uint_eq(out.len, in.len);
	return out;
}

START_TEST(each_does_what_the_reference_does)
{
	for (size_t i = 0; i < NELEMS(vectors); i++) {
		char *room;
		span out = run(vectors[i].trans, vectors[i].in, NULL, &room);

		ck_assert_msg(span_eq(out, vectors[i].out),
		    "vector %zu (\"%s\"): \"%.*s\"", i, vectors[i].in.p,
		    SPAN_FMT(out));
		free(room);
	}
}
END_TEST

START_TEST(what_does_not_change_is_given_back)
{
	for (size_t i = 0; i < NELEMS(vectors); i++) {
		char *room;
		span out = run(vectors[i].trans, vectors[i].in, NULL, &room);

		if (span_eq(vectors[i].in, vectors[i].out))
			ck_assert_ptr_eq(out.p, vectors[i].in.p);
		free(room);
	}
}
END_TEST

/* Beginnings and ends of each text, in memory of their own, with each of the
 * transformations: within the room, and nothing is read behind them. */
START_TEST(all_parts_of_texts_stay_in_their_room)
{
	for (size_t i = 0; i < NELEMS(vectors); i++) {
		span in = vectors[i].in;

		for (size_t n = 0; n <= 2 * in.len; n++) {
			span part = n <= in.len ? span_first(in, n)
						: span_from(in, n - in.len);
			char *copy = malloc(part.len + (part.len == 0));
			char *room;

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, part.p, part.len);
			part.p = copy;
			for (unsigned t = 0; t < SEC_N_TRANS; t++) {
				(void)run((enum sec_trans)t, part, NULL, &room);
				free(room);
			}
			free(copy);
		}
	}
}
END_TEST

/* What a change finds does not hang on where in a text it stands. */
START_TEST(a_change_is_found_at_each_place)
{
	static const enum sec_trans found[] = {SEC_TRANS_LOWERCASE,
	    SEC_TRANS_REMOVE_WHITESPACE, SEC_TRANS_REMOVE_NULLS,
	    SEC_TRANS_URL_DECODE_UNI, SEC_TRANS_HTML_ENTITY_DECODE,
	    SEC_TRANS_JS_DECODE, SEC_TRANS_CSS_DECODE, SEC_TRANS_CMD_LINE,
	    SEC_TRANS_UTF8_TO_UNICODE, SEC_TRANS_REMOVE_COMMENTS_CHAR};
	static const char *const changes[] = {
	    "A", " ", "", "%41", "&lt;", "\\x41", "\\41", "^", "\xc3\xa9", "#"};
	char text[64];

	for (size_t i = 0; i < NELEMS(found); i++) {
		size_t n = strlen(changes[i]) + (changes[i][0] == '\0');

		for (size_t at = 0; at + n <= 48; at++) {
			char *room;
			span out;

			memset(text, 'x', sizeof(text));
			memcpy(text + at, changes[i], n);
			out = run(found[i], span_of(text, 48), NULL, &room);
			ck_assert_ptr_eq(out.p, room);
			for (size_t k = 0; k < at; k++)
				ck_assert_int_eq(out.p[k], 'x');
			ck_assert_int_eq(out.p[out.len - 1],
			    at + n < 48 ? 'x' : out.p[out.len - 1]);
			free(room);
		}
	}
}
END_TEST

/* --- the map -------------------------------------------------------------- */

static struct diag *d;
static char path[] = "/tmp/test_sec_trans.XXXXXX";

static struct sec_unicode *
map_of(const char *text, uint32_t code_page)
{
	struct place at = {.line = 1};
	struct sec_unicode *map;
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_sec_trans.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	map = sec_unicode_new(path, code_page, at, d);
	(void)unlink(path);
	return map;
}

#define MAP \
	"(MAC - Roman)\n\n\n1250  (ANSI)\n00a1:21 00a2:63\n\n" \
	"20127 (US-ASCII)\n4e00:2f 00a2:64 \n00ff:79\n"

START_TEST(a_map_says_what_code_points_become)
{
	struct sec_unicode *map = map_of(MAP, 20127);
	char *room;
	span out;

	ck_assert_ptr_nonnull(map);
	out = run(SEC_TRANS_URL_DECODE_UNI,
	    SPAN_LIT("%u4E00%u00a2%u00ff%u00a1%u4e01"), map, &room);
	ck_assert_span_eq(out, "/dy\xa1\x01");
	free(room);
	sec_unicode_free(map);
}
END_TEST

START_TEST(of_a_file_one_map_is_read)
{
	struct sec_unicode *map = map_of(MAP, 1250);

	ck_assert_ptr_nonnull(map);
	ck_assert_uint_eq(map->to[0xa1], 0x21);
	ck_assert_uint_eq(map->to[0xa2], 0x63);
	ck_assert_uint_eq(map->to[0x4e00], 0);
	sec_unicode_free(map);
}
END_TEST

START_TEST(a_map_that_is_not_there_or_is_broken_is_told)
{
	char *text;

	ck_assert_ptr_null(map_of(MAP, 437));
	ck_assert_ptr_null(map_of("437 (x)\n00a0:20 a0:20\n", 437));
	ck_assert_ptr_null(map_of("437 (x)\n00a0:2 \n", 437));
	text = diag_render(d);
	ck_assert_ptr_nonnull(strstr(text, "has no map of code page 437"));
	ck_assert_ptr_nonnull(strstr(text, ":2:9"));
	ck_assert_ptr_nonnull(strstr(text, "\"a0:20\" is no pair"));
	free(text);
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 3);
}
END_TEST

static void
set_up(void)
{
	d = diag_new();
}

static void
tear_down(void)
{
	diag_free(d);
}

int
main(void)
{
	const TTest *const tests[] = {
	    each_does_what_the_reference_does,
	    what_does_not_change_is_given_back,
	    all_parts_of_texts_stay_in_their_room,
	    a_change_is_found_at_each_place,
	    a_map_says_what_code_points_become,
	    of_a_file_one_map_is_read,
	    a_map_that_is_not_there_or_is_broken_is_told,
	};

	return unit_run_in(
	    "sec_trans", tests, NELEMS(tests), set_up, tear_down);
}
