/* The chunked coding (RFC 9112 7.1). */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/h1.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

#define EIGHT "aaaaaaaa"
#define SIXTY_FOUR EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
#define EXT_255 \
	SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT \
	    EIGHT "aaaaaaa"

/* What came out of a decoder. */
struct decoded {
	enum h1_chunk_rc rc;
	size_t used; /* of all the input */
	char content[600];
	size_t len;
};

static void
decode_part(struct h1_chunk *c, struct decoded *d, span part)
{
	char *copy = feed_dup(part);
	span rest = span_of(copy, part.len);
	span data;
	size_t used;

	do {
		d->rc = h1_chunk_step(c, rest, &used, &data);
		ck_assert_uint_le(used, rest.len);
		d->used += used;
		rest = span_from(rest, used);
		if (d->rc == H1_CHUNK_DATA) {
			ck_assert_uint_gt(data.len, 0);
			ck_assert_uint_le(
			    d->len + data.len, sizeof(d->content));
			memcpy(d->content + d->len, data.p, data.len);
			d->len += data.len;
		}
	} while (d->rc == H1_CHUNK_DATA);
	free(copy);
}

static void
decode(struct decoded *d, bool may_have_ext, span in, size_t split)
{
	struct h1_chunk c = {.may_have_ext = may_have_ext};

	*d = (struct decoded){.rc = H1_CHUNK_MORE};
	decode_part(&c, d, span_first(in, split));
	if (d->rc == H1_CHUNK_MORE)
		decode_part(&c, d, span_from(in, split));
}

static void
decode_bytes(struct decoded *d, bool may_have_ext, span in)
{
	struct h1_chunk c = {.may_have_ext = may_have_ext};

	*d = (struct decoded){.rc = H1_CHUNK_MORE};
	for (size_t i = 0; i < in.len && d->rc == H1_CHUNK_MORE; i++)
		decode_part(&c, d, span_of(in.p + i, 1));
}

/* Complete, with this content and nothing of what follows, however it is cut;
 * every beginning of it asks for more. */
static void
check_good(bool may_have_ext, const char *coded, const char *content)
{
	span in = span_str(coded);
	struct decoded d;

	for (size_t split = 0; split <= in.len; split++) {
		char *text = malloc(in.len + 8);
		span more = span_of(text, in.len + 2);

		ck_assert_ptr_nonnull(text);
		memcpy(text, in.p, in.len);
		memcpy(text + in.len, "\r\n", 2);
		decode(&d, may_have_ext, more, split);
		ck_assert_msg(d.rc == H1_CHUNK_LAST, "%d: %s", d.rc, coded);
		ck_assert_uint_eq(d.used, in.len);
		ck_assert_span_eq(span_of(d.content, d.len), content);
		if (split < in.len) {
			decode(&d, may_have_ext, span_first(in, split), 0);
			ck_assert_int_eq(d.rc, H1_CHUNK_MORE);
			ck_assert_uint_eq(d.used, split);
		}
		free(text);
	}
	decode_bytes(&d, may_have_ext, in);
	ck_assert_int_eq(d.rc, H1_CHUNK_LAST);
	ck_assert_span_eq(span_of(d.content, d.len), content);
}

static void
check_bad(bool may_have_ext, const char *coded)
{
	span in = span_str(coded);
	struct decoded d;

	for (size_t split = 0; split <= in.len; split++) {
		decode(&d, may_have_ext, in, split);
		ck_assert_msg(d.rc == H1_CHUNK_BAD, "%d: %s", d.rc, coded);
	}
	decode_bytes(&d, may_have_ext, in);
	ck_assert_int_eq(d.rc, H1_CHUNK_BAD);
}

START_TEST(chunks_are_joined_to_content)
{
	for (int ext = 0; ext < 2; ext++) {
		check_good(ext, "0\r\n", "");
		check_good(ext, "5\r\nhello\r\n0\r\n", "hello");
		check_good(ext, "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n",
		    "hello world");
		check_good(ext,
		    "00000000000000aA\r\n" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
			EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
			    EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
		    "aa\r\n0000000000000000\r\n",
		    EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
			EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
			    EIGHT EIGHT "aa");
		check_good(ext, "4\r\n\r\n\r\n\r\n0\r\n", "\r\n\r\n");
	}
}
END_TEST

START_TEST(sizes_are_hexadecimal_digits_and_nothing_else)
{
	for (int ext = 0; ext < 2; ext++) {
		check_bad(ext, "\r\n");
		check_bad(ext, " 5\r\nhello\r\n");
		check_bad(ext, "\t5\r\nhello\r\n");
		check_bad(ext, "5 \r\nhello\r\n");
		check_bad(ext, "+5\r\nhello\r\n");
		check_bad(ext, "-5\r\nhello\r\n");
		check_bad(ext, "0x5\r\nhello\r\n");
		check_bad(ext, "5h\r\nhello\r\n");
		check_bad(ext, "g\r\n");
		check_bad(ext, "5,5\r\nhello\r\n");
		check_bad(ext, "\r5\r\nhello\r\n");
		check_bad(ext, ";a\r\n");
		check_bad(ext, "\x80\r\n");
	}
}
END_TEST

START_TEST(sizes_reach_two_to_the_63_less_one)
{
	struct h1_chunk c = {.may_have_ext = false};
	span data;
	size_t used;

	ck_assert_int_eq(
	    h1_chunk_step(&c, SPAN_LIT("7fffffffffffffff\r\nx"), &used, &data),
	    H1_CHUNK_DATA);
	ck_assert_uint_eq(c.left, (uint64_t)INT64_MAX - 1);
	check_bad(false, "8000000000000000\r\n");
	check_bad(false, "ffffffffffffffff\r\n");
	check_bad(false, "10000000000000000\r\n");
	check_bad(false, "10000000000000005\r\nhello\r\n");
	/* leading zeros are bounded */
	check_bad(false, "00000000000000005\r\nhello\r\n");
}
END_TEST

START_TEST(line_ends_are_cr_lf)
{
	for (int ext = 0; ext < 2; ext++) {
		check_bad(ext, "5\nhello\r\n");
		check_bad(ext, "5\rhello\r\n");
		check_bad(ext, "5\r\rhello\r\n");
		check_bad(ext, "5\r\nhello\n");
		check_bad(ext, "5\r\nhello0\r\n");
		check_bad(ext, "5\r\nhello\rX");
		check_bad(ext, "5\r\nhello\r\n0\n");
		check_bad(ext, "5\r\nhello\r\n\r\n");
		check_bad(ext, "5\r\nhello!\r\n");
	}
}
END_TEST

START_TEST(extensions_are_refused_unless_allowed)
{
	check_bad(false, "5;a=b\r\nhello\r\n");
	check_bad(false, "5 ;a=b\r\nhello\r\n");
	check_bad(false, "5;\r\nhello\r\n");
	check_bad(false, "0;a\r\n");
	check_good(true, "5;a=b\r\nhello\r\n0;c=\"d;\t\xff\"\r\n", "hello");
	check_good(true, "5 \t;a=b;c\r\nhello\r\n0\r\n", "hello");
	check_bad(true, "5;a\nb\r\nhello\r\n");
	check_bad(true, "5;a\rb\r\nhello\r\n");
	check_bad(true, "5;a\x01\r\nhello\r\n");
	check_bad(true, "5;a\x7f\r\nhello\r\n");
	check_bad(true, "5 a\r\nhello\r\n");
	check_bad(true, "5 \t\r\nhello\r\n");
}
END_TEST

START_TEST(extensions_are_bounded)
{
	/* the byte that ends them counts */
	check_good(true, "1;" EXT_255 "\r\nx\r\n0;" EXT_255 "\r\n", "x");
	check_bad(true, "1;" EXT_255 "a\r\nx\r\n0\r\n");
	check_bad(true, "1;" EXT_255 EXT_255);
}
END_TEST

START_TEST(the_end_and_a_refusal_repeat)
{
	struct h1_chunk c = {.may_have_ext = false};
	span data;
	size_t used;

	ck_assert_int_eq(h1_chunk_step(&c, SPAN_LIT("0\r\n\r\n"), &used, &data),
	    H1_CHUNK_LAST);
	ck_assert_uint_eq(used, 3);
	ck_assert_int_eq(
	    h1_chunk_step(&c, SPAN_LIT("\r\n"), &used, &data), H1_CHUNK_LAST);
	ck_assert_uint_eq(used, 0);
	c = (struct h1_chunk){.may_have_ext = false};
	ck_assert_int_eq(
	    h1_chunk_step(&c, SPAN_LIT("x"), &used, &data), H1_CHUNK_BAD);
	ck_assert_int_eq(
	    h1_chunk_step(&c, SPAN_LIT("0\r\n"), &used, &data), H1_CHUNK_BAD);
	ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(written_lines_are_read_again)
{
	static const uint64_t sizes[] = {
	    1, 9, 10, 255, 4096, 0x123456789abcdef, INT64_MAX};
	char line[H1_CHUNK_LINE_CAP + 1];

	for (size_t i = 0; i < NELEMS(sizes); i++) {
		struct h1_chunk c = {.may_have_ext = false};
		size_t len = h1_chunk_line(sizes[i], line);
		span data;
		size_t used;

		ck_assert_uint_le(len, H1_CHUNK_LINE_CAP);
		line[len] = 'x';
		ck_assert_int_eq(
		    h1_chunk_step(&c, span_of(line, len + 1), &used, &data),
		    H1_CHUNK_DATA);
		ck_assert_uint_eq(c.left, sizes[i] - 1);
	}
	ck_assert_uint_eq(h1_chunk_line(UINT64_MAX, line), H1_CHUNK_LINE_CAP);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    chunks_are_joined_to_content,
	    sizes_are_hexadecimal_digits_and_nothing_else,
	    sizes_reach_two_to_the_63_less_one,
	    line_ends_are_cr_lf,
	    extensions_are_refused_unless_allowed,
	    extensions_are_bounded,
	    the_end_and_a_refusal_repeat,
	    written_lines_are_read_again,
	};

	return unit_run("h1_chunk", tests, NELEMS(tests));
}
