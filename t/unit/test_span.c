/* Borrowed text: searching, cutting, numbers. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"
#include "t/unit/unit.h"

#define T(s) SPAN_LIT(s)

START_TEST(texts_are_compared_by_bytes)
{
	span none = {NULL, 0};

	ck_assert(span_eq(none, T("")));
	ck_assert(span_eq(T("a\0b"), T("a\0b")));
	ck_assert(!span_eq(T("a\0b"), T("a\0c")));
	ck_assert(!span_eq(T("a"), T("ab")));
	ck_assert(span_ieq(T("aZ[`{"), T("Az[`{")));
	/* bytes that differ from letters by the bit of case only */
	ck_assert(!span_ieq(T("@[\xc4"), T("`{\xe4")));
	ck_assert(!span_ieq(T("a"), T("ab")));
	ck_assert_int_eq(span_cmp(T("ab"), T("ab")), 0);
	ck_assert_int_eq(span_cmp(none, T("")), 0);
	ck_assert_int_lt(span_cmp(T("ab"), T("abc")), 0);
	ck_assert_int_gt(span_cmp(T("b"), T("abc")), 0);
	ck_assert_int_lt(span_cmp(T("a"), T("\xff")), 0);
	ck_assert_int_gt(span_cmp(T("a"), none), 0);
}
END_TEST

START_TEST(beginnings_and_ends_are_found)
{
	ck_assert(span_starts(T("abc"), T("ab")));
	ck_assert(span_starts(T("abc"), T("")));
	ck_assert(!span_starts(T("ab"), T("abc")));
	ck_assert(!span_starts(T("abc"), T("b")));
	ck_assert(span_ends(T("abc"), T("bc")));
	ck_assert(span_ends(T("abc"), T("")));
	ck_assert(!span_ends(T("bc"), T("abc")));
	ck_assert(!span_ends(T("abc"), T("BC")));
	ck_assert(span_iends(T("abc"), T("BC")));
	ck_assert(!span_iends(T("c"), T("BC")));
}
END_TEST

START_TEST(bytes_and_texts_are_searched)
{
	ck_assert_int_eq(span_chr(T("abab"), 'b'), 1);
	ck_assert_int_eq(span_rchr(T("abab"), 'b'), 3);
	ck_assert_int_eq(span_chr(T("abab"), 'c'), -1);
	ck_assert_int_eq(span_rchr(T("abab"), 'c'), -1);
	ck_assert_int_eq(span_chr(span_of(NULL, 0), 'a'), -1);
	ck_assert_int_eq(span_rchr(span_of(NULL, 0), 'a'), -1);
	ck_assert_int_eq(span_find(T("aaab"), T("ab")), 2);
	ck_assert_int_eq(span_find(T("aabaac"), T("aac")), 3);
	ck_assert_int_eq(span_find(T("abc"), T("abcd")), -1);
	ck_assert_int_eq(span_find(T("abc"), T("cd")), -1);
	ck_assert_int_eq(span_find(T("abc"), T("")), 0);
	ck_assert_int_eq(span_find(span_of(NULL, 0), T("a")), -1);
	ck_assert_int_eq(span_find(T("x\0y"), T("\0y")), 1);
}
END_TEST

/* Compared with a search that looks at each place. */
START_TEST(searching_agrees_with_a_look_at_each_place)
{
	char text[10];
	char needle[3];

	for (unsigned bits = 0; bits < 1u << 10; bits++) {
		for (unsigned i = 0; i < sizeof(text); i++)
			text[i] = bits >> i & 1 ? 'b' : 'a';
		for (unsigned nb = 0; nb < 8; nb++) {
			ptrdiff_t want = -1;

			for (unsigned i = 0; i < 3; i++)
				needle[i] = nb >> i & 1 ? 'b' : 'a';
			for (size_t i = 8; i-- > 0;)
				if (memcmp(text + i, needle, 3) == 0)
					want = (ptrdiff_t)i;
			ck_assert_int_eq(
			    span_find(span_of(text, 10), span_of(needle, 3)),
			    want);
		}
	}
}
END_TEST

START_TEST(parts_are_capped_to_the_text)
{
	ck_assert_span_eq(span_from(T("abc"), 1), "bc");
	ck_assert_span_eq(span_from(T("abc"), 4), "");
	ck_assert_span_eq(span_first(T("abc"), 2), "ab");
	ck_assert_span_eq(span_first(T("abc"), 4), "abc");
	ck_assert_span_eq(span_trim(T(" \t a b\t ")), "a b");
	ck_assert_span_eq(span_trim(T(" \t ")), "");
	ck_assert_span_eq(span_trim(T("\ra\n")), "\ra\n");
	ck_assert_uint_eq(span_str(NULL).len, 0);
	ck_assert_span_eq(span_str("ab"), "ab");
}
END_TEST

START_TEST(a_text_is_cut_at_each_separator)
{
	span rest = T("a,,b,");
	static const char *const want[] = {"a", "", "b", ""};
	span head;

	for (size_t i = 0; i < NELEMS(want); i++) {
		ck_assert(span_cut(&rest, ',', &head));
		ck_assert_span_eq(head, want[i]);
	}
	ck_assert(!span_cut(&rest, ',', &head));
	rest = T("");
	ck_assert(span_cut(&rest, ',', &head));
	ck_assert_uint_eq(head.len, 0);
	ck_assert(!span_cut(&rest, ',', &head));
}
END_TEST

START_TEST(words_are_what_stands_between_blanks)
{
	span rest = T(" \ta  bc\t");
	span word;

	ck_assert(span_word(&rest, &word));
	ck_assert_span_eq(word, "a");
	ck_assert(span_word(&rest, &word));
	ck_assert_span_eq(word, "bc");
	ck_assert(!span_word(&rest, &word));
	ck_assert(!span_word(&rest, &word));
	rest = span_of(NULL, 0);
	ck_assert(!span_word(&rest, &word));
}
END_TEST

/* RFC 9110 5.6.1, and 5.6.4 for what stands in quotes. */
START_TEST(members_of_a_list_are_read_past_quoted_commas)
{
	span rest = T(", a ,,\"b,\\\"c,\" ; d=\",\",\t, e,\"f, g\\");
	static const char *const want[] = {
	    "a", "\"b,\\\"c,\" ; d=\",\"", "e", "\"f, g\\"};
	span member;

	for (size_t i = 0; i < NELEMS(want); i++) {
		ck_assert(span_member(&rest, &member));
		ck_assert_span_eq(member, want[i]);
	}
	ck_assert(!span_member(&rest, &member));
	rest = T(" , ,");
	ck_assert(!span_member(&rest, &member));
}
END_TEST

START_TEST(numbers_are_digits_within_their_bound)
{
	static const struct {
		span text;
		uint64_t max;
		uint64_t value; /* UINT64_MAX - 1: refused */
	} rows[] = {
	    {T("0"), 0, 0},
	    {T("1"), 0, UINT64_MAX - 1},
	    {T("007"), 9, 7},
	    {T("255"), 255, 255},
	    {T("256"), 255, UINT64_MAX - 1},
	    {T("18446744073709551615"), UINT64_MAX, UINT64_MAX},
	    {T("18446744073709551616"), UINT64_MAX, UINT64_MAX - 1},
	    {T("99999999999999999999"), UINT64_MAX, UINT64_MAX - 1},
	    {T("5"), 4, UINT64_MAX - 1},
	    {T(""), UINT64_MAX, UINT64_MAX - 1},
	    {T("+1"), UINT64_MAX, UINT64_MAX - 1},
	    {T("-1"), UINT64_MAX, UINT64_MAX - 1},
	    {T(" 1"), UINT64_MAX, UINT64_MAX - 1},
	    {T("1 "), UINT64_MAX, UINT64_MAX - 1},
	    {T("1\0"), UINT64_MAX, UINT64_MAX - 1},
	    {T("0x1"), UINT64_MAX, UINT64_MAX - 1},
	    {T("/"), UINT64_MAX, UINT64_MAX - 1},
	    {T(":"), UINT64_MAX, UINT64_MAX - 1},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		uint64_t n = 0;
		bool ok = span_u64(rows[i].text, rows[i].max, &n);

		ck_assert_msg(ok == (rows[i].value != UINT64_MAX - 1), "%.*s",
		    SPAN_FMT(rows[i].text));
		if (ok)
			ck_assert_uint_eq(n, rows[i].value);
	}
}
END_TEST

START_TEST(sums_and_products_say_when_they_do_not_fit)
{
	size_t n;

	ck_assert(size_add(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
	ck_assert(!size_add(SIZE_MAX, 1, &n));
	ck_assert(size_mul(SIZE_MAX / 2, 2, &n) && n == SIZE_MAX - 1);
	ck_assert(!size_mul(SIZE_MAX / 2 + 1, 2, &n));
	ck_assert_uint_eq(u64_min(UINT64_MAX, 3), 3);
	ck_assert_uint_eq(size_min(3, SIZE_MAX), 3);
}
END_TEST

START_TEST(numbers_become_text_and_numbers_again)
{
	char out[20];

	ck_assert_span_eq(span_of(out, u64_format(0, out)), "0");
	ck_assert_span_eq(
	    span_of(out, u64_format(UINT64_MAX, out)), "18446744073709551615");
	ck_assert_span_eq(span_of(out, u64_format_hex(0, out)), "0");
	ck_assert_span_eq(
	    span_of(out, u64_format_hex(UINT64_MAX, out)), "ffffffffffffffff");
	for (uint64_t n = 0; n < 30000; n++) {
		char want[6];

		(void)snprintf(want, sizeof(want), "%" PRIu64, n);
		ck_assert_span_eq(span_of(out, u64_format(n, out)), want);
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t n = (UINT64_C(1) << bit) - 1;
		uint64_t back;

		ck_assert(span_u64(
		    span_of(out, u64_format(n, out)), UINT64_MAX, &back));
		ck_assert_uint_eq(n, back);
		ck_assert_uint_eq(u64_format_hex(n, out),
		    bit / 4 + (bit % 4 > 0 || bit == 0));
	}
}
END_TEST

START_TEST(hexadecimal_of_one_length_is_what_printf_says)
{
	char want[17];
	char out[17] = "";

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t n = (uint64_t)random() << 33 ^ (uint64_t)random();

		n = i < 16 ? UINT64_C(0x0123456789abcdef) << (4 * i) : n;
		(void)snprintf(want, sizeof(want), "%016" PRIx64, n);
		u64_format_hex16(n, out);
		ck_assert_str_eq(out, want);
	}
}
END_TEST

START_TEST(every_byte_of_a_text_is_lowered)
{
	char text[256 + 7];
	char low[sizeof(text)];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t len = 0; len <= sizeof(text); len++) {
		memset(low, '?', sizeof(low));
		ascii_lower_copy(low, span_of(text, len));
		for (size_t i = 0; i < sizeof(text); i++)
			ck_assert_int_eq(
			    low[i], i < len ? ascii_lower(text[i]) : '?');
	}
}
END_TEST

START_TEST(what_does_not_fit_into_a_text_is_remembered)
{
	char room[8];
	struct text t;

	text_init(&t, room, sizeof(room));
	text_add_str(&t, "ab");
	text_add_char(&t, 'c');
	text_add_u64(&t, 1234);
	ck_assert_span_eq(text_span(&t), "abc1234");
	text_add(&t, span_of(NULL, 0));
	text_printf(&t, "%c", 'd');
	ck_assert(!t.is_cut);
	ck_assert_span_eq(text_span(&t), "abc1234d");
	text_add_str(&t, "");
	ck_assert(!t.is_cut);
	text_add_char(&t, 'e');
	ck_assert(t.is_cut);
	ck_assert_span_eq(text_span(&t), "abc1234d");
	text_init(&t, room, 3);
	text_printf(&t, "%s", "abcd");
	ck_assert(t.is_cut);
	ck_assert_span_eq(text_span(&t), "abc");
	text_init(&t, NULL, 0);
	text_add_str(&t, "x");
	ck_assert(t.is_cut);
	ck_assert_uint_eq(t.len, 0);
}
END_TEST

START_TEST(a_printed_text_longer_than_a_line_is_cut)
{
	char room[4096];
	struct text t;

	text_init(&t, room, sizeof(room));
	text_printf(&t, "%1023s", "x");
	ck_assert(!t.is_cut);
	ck_assert_uint_eq(t.len, 1023);
	text_printf(&t, "%1024s", "x");
	ck_assert(t.is_cut);
	ck_assert_uint_eq(t.len, 2046);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    texts_are_compared_by_bytes,
	    beginnings_and_ends_are_found,
	    bytes_and_texts_are_searched,
	    searching_agrees_with_a_look_at_each_place,
	    parts_are_capped_to_the_text,
	    a_text_is_cut_at_each_separator,
	    words_are_what_stands_between_blanks,
	    members_of_a_list_are_read_past_quoted_commas,
	    numbers_are_digits_within_their_bound,
	    sums_and_products_say_when_they_do_not_fit,
	    numbers_become_text_and_numbers_again,
	    hexadecimal_of_one_length_is_what_printf_says,
	    every_byte_of_a_text_is_lowered,
	    what_does_not_fit_into_a_text_is_remembered,
	    a_printed_text_longer_than_a_line_is_cut,
	};

	return unit_run("span", tests, NELEMS(tests));
}
