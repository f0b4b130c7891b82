/* Byte ranges: RFC 9110 14 and 15.3.7, RFC 9111 3.3 and 3.4. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/ranges.h"
#include "t/unit/unit.h"

/* Parts as "first-last" joined by blanks, "?" for ignored, "!" for 416. */
static void
print_ranges(span value, uint64_t len, char *out, size_t cap)
{
	char *copy = malloc(value.len > 0 ? value.len : 1);
	struct ranges r;
	size_t at = 0;

	ck_assert_ptr_nonnull(copy);
	if (value.len > 0)
		memcpy(copy, value.p, value.len);
	out[0] = '\0';
	switch (ranges_parse(span_of(copy, value.len), len, &r)) {
	case RANGES_IGNORE:
		(void)snprintf(out, cap, "?");
		break;
	case RANGES_UNSATISFIABLE:
		(void)snprintf(out, cap, "!");
		break;
	case RANGES_OK:
		for (unsigned i = 0; i < r.n; i++)
			at += (size_t)snprintf(out + at, cap - at,
			    "%s%llu-%llu", i > 0 ? " " : "",
			    (unsigned long long)r.at[i].first,
			    (unsigned long long)r.at[i].last);
		break;
	}
	free(copy);
}

struct range_row {
	const char *value;
	uint64_t len;
	const char *want;
};

static void
check_rows(const struct range_row *rows, size_t n)
{
	char got[512];

	for (size_t i = 0; i < n; i++) {
		print_ranges(
		    span_str(rows[i].value), rows[i].len, got, sizeof(got));
		ck_assert_msg(strcmp(got, rows[i].want) == 0,
		    "%s of %llu: %s, not %s", rows[i].value,
		    (unsigned long long)rows[i].len, got, rows[i].want);
	}
}

START_TEST(single_ranges_are_clipped_to_what_is_there)
{
	static const struct range_row rows[] = {
	    {"bytes=0-499", 10000, "0-499"},
	    {"bytes=500-999", 10000, "500-999"},
	    {"bytes=-500", 10000, "9500-9999"},
	    {"bytes=9500-", 10000, "9500-9999"},
	    {"bytes=0-0", 10000, "0-0"},
	    {"bytes=9999-9999", 10000, "9999-9999"},
	    {"bytes=0-", 10000, "0-9999"},
	    {"bytes=0-10000", 10000, "0-9999"},
	    {"bytes=9999-20000", 10000, "9999-9999"},
	    {"bytes=-10000", 10000, "0-9999"},
	    {"bytes=-20000", 10000, "0-9999"},
	    {"bytes=007-008", 10000, "7-8"},
	    {"Bytes=0-1", 10000, "0-1"},
	    {"BYTES=0-1", 10000, "0-1"},
	    {"bytes=0-18446744073709551615", 10, "0-9"},
	    {"bytes=0-18446744073709551616", 10, "0-9"},
	    {"bytes=0-99999999999999999999999999999999", 10, "0-9"},
	    {"bytes=-99999999999999999999999999999999", 10, "0-9"},
	    /* unsatisfiable */
	    {"bytes=10000-", 10000, "!"},
	    {"bytes=10000-10001", 10000, "!"},
	    {"bytes=18446744073709551615-", 10000, "!"},
	    {"bytes=18446744073709551616-", 10000, "!"},
	    {"bytes=99999999999999999999999999999999-", 10000, "!"},
	    {"bytes=-0", 10000, "!"},
	    {"bytes=0-", 0, "!"},
	    {"bytes=0-0", 0, "!"},
	    {"bytes=-0", 0, "!"},
	    /* satisfiable, but there is nothing to send */
	    {"bytes=-1", 0, "?"},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

START_TEST(what_is_no_byte_range_is_ignored)
{
	static const struct range_row rows[] = {
	    {"", 10, "?"},
	    {"bytes", 10, "?"},
	    {"bytes=", 10, "?"},
	    {"bytes=,", 10, "?"},
	    {"bytes=-", 10, "?"},
	    {"bytes=--1", 10, "?"},
	    {"bytes=1--2", 10, "?"},
	    {"bytes=5-4", 10, "?"},
	    {"bytes=50-40", 10, "?"},
	    {"bytes=a-b", 10, "?"},
	    {"bytes=1-b", 10, "?"},
	    {"bytes=0x1-2", 10, "?"},
	    {"bytes=+1-2", 10, "?"},
	    {"bytes=1", 10, "?"},
	    {"bytes=1 - 2", 10, "?"},
	    {"bytes=1-2 3-4", 10, "?"},
	    {"bytes=1-2-3", 10, "?"},
	    {"bytes=1-2;", 10, "?"},
	    {"bytes= 1-2", 10, "?"},
	    {"bytes =1-2", 10, "?"},
	    {" bytes=1-2", 10, "?"},
	    {"bytes 1-2", 10, "?"},
	    {"bytes:1-2", 10, "?"},
	    {"lines=1-2", 10, "?"},
	    {"byte=1-2", 10, "?"},
	    {"=1-2", 10, "?"},
	    {"none=1-2", 10, "?"},
	    /* one bad range spoils the set */
	    {"bytes=0-1,x", 10, "?"},
	    {"bytes=0-1,5-4", 10, "?"},
	    {"bytes=20-30,5-4", 10, "?"},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

START_TEST(several_ranges_keep_their_order_and_join_when_near)
{
	static const struct range_row rows[] = {
	    {"bytes=0-0,-1", 10000, "0-0 9999-9999"},
	    {"bytes=500-600,601-999", 10000, "500-999"},
	    {"bytes=500-700,601-999", 10000, "500-999"},
	    {"bytes=0-1, 5000-5001", 10000, "0-1 5000-5001"},
	    {"bytes=0-1\t,\t5000-5001", 10000, "0-1 5000-5001"},
	    {"bytes=0-1,,5000-5001,", 10000, "0-1 5000-5001"},
	    {"bytes=,0-1", 10000, "0-1"},
	    {"bytes=5000-5001,0-1", 10000, "5000-5001 0-1"},
	    {"bytes=0-9,90-99", 10000, "0-99"},
	    {"bytes=0-9,91-99", 10000, "0-9 91-99"},
	    {"bytes=90-99,0-9", 10000, "0-99"},
	    {"bytes=0-0,0-0,0-0,0-0", 10000, "0-0"},
	    {"bytes=0-,0-,0-,0-,0-,0-", 10000, "0-9999"},
	    {"bytes=1-,0-", 10000, "0-9999"},
	    {"bytes=0-10,1000-1010,5-1005", 10000, "0-1010"},
	    {"bytes=3000-3010,0-10,2000-2010,5-2005", 10000,
		"3000-3010 0-2010"},
	    {"bytes=0-10,1000-1010,2000-2010,900-1100", 10000,
		"0-10 900-1100 2000-2010"},
	    {"bytes=0-10,2000-2010,1000-1010,3000-3010,5-1005", 10000,
		"0-1010 2000-2010 3000-3010"},
	    {"bytes=0-10,20000-", 10000, "0-10"},
	    {"bytes=20000-,0-10", 10000, "0-10"},
	    {"bytes=20000-,30000-", 10000, "!"},
	    {"bytes=-0,-0", 10000, "!"},
	    {"bytes=-0,-1", 10000, "9999-9999"},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

/* `n` ranges of one byte, `step` apart. */
static span
many_ranges(char *out, size_t cap, unsigned n, unsigned step)
{
	size_t at = (size_t)snprintf(out, cap, "bytes=");

	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s%u-%u",
		    i > 0 ? "," : "", i * step, i * step);
	return span_of(out, at);
}

START_TEST(many_ranges_are_an_attack)
{
	struct ranges r;
	char text[2048];

	ck_assert_int_eq(
	    ranges_parse(
		many_ranges(text, sizeof(text), RANGES_MAX, 100), 100000, &r),
	    RANGES_OK);
	ck_assert_uint_eq(r.n, RANGES_MAX);
	ck_assert_uint_eq(ranges_total(&r), RANGES_MAX);
	ck_assert_int_eq(
	    ranges_parse(many_ranges(text, sizeof(text), RANGES_MAX + 1, 100),
		100000, &r),
	    RANGES_IGNORE);
	ck_assert_int_eq(
	    ranges_parse(many_ranges(text, sizeof(text), RANGES_ASKED_MAX, 1),
		100000, &r),
	    RANGES_OK);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_eq(ranges_total(&r), RANGES_ASKED_MAX);
	ck_assert_int_eq(ranges_parse(many_ranges(text, sizeof(text),
					  RANGES_ASKED_MAX + 1, 1),
			     100000, &r),
	    RANGES_IGNORE);
}
END_TEST

START_TEST(parts_are_held_joined_and_missing)
{
	static const struct {
		struct range want, have;
		bool is_held;
		bool is_joined;
		unsigned n;
		struct range missing[2];
	} rows[] = {
	    {{0, 9}, {0, 9}, true, true, 0, {{0, 0}}},
	    {{2, 5}, {0, 9}, true, true, 0, {{0, 0}}},
	    {{0, 9}, {2, 5}, false, true, 2, {{0, 1}, {6, 9}}},
	    {{0, 9}, {0, 5}, false, true, 1, {{6, 9}}},
	    {{0, 9}, {5, 9}, false, true, 1, {{0, 4}}},
	    {{0, 9}, {5, 20}, false, true, 1, {{0, 4}}},
	    {{5, 20}, {0, 9}, false, true, 1, {{10, 20}}},
	    {{4, 9}, {0, 4}, false, true, 1, {{5, 9}}},
	    {{0, 4}, {4, 9}, false, true, 1, {{0, 3}}},
	    {{0, 4}, {5, 9}, false, true, 1, {{0, 4}}},
	    {{5, 9}, {0, 4}, false, true, 1, {{5, 9}}},
	    {{0, 4}, {6, 9}, false, false, 1, {{0, 4}}},
	    {{6, 9}, {0, 4}, false, false, 1, {{6, 9}}},
	    {{0, UINT64_MAX - 1}, {5, UINT64_MAX - 1}, false, true, 1,
		{{0, 4}}},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct range missing[2];
		struct range joined;

		ck_assert_int_eq(
		    range_holds(rows[i].have, rows[i].want), rows[i].is_held);
		ck_assert_int_eq(
		    range_join(rows[i].want, rows[i].have, &joined),
		    rows[i].is_joined);
		ck_assert(range_holds(joined, rows[i].want) &&
			  range_holds(joined, rows[i].have));
		ck_assert_uint_eq(
		    range_missing(rows[i].want, rows[i].have, missing),
		    rows[i].n);
		for (unsigned n = 0; n < rows[i].n; n++) {
			ck_assert_uint_eq(
			    missing[n].first, rows[i].missing[n].first);
			ck_assert_uint_eq(
			    missing[n].last, rows[i].missing[n].last);
		}
	}
}
END_TEST

START_TEST(parts_in_any_order_lie_in_their_hull)
{
	struct range all;
	struct ranges r;

	ck_assert_int_eq(
	    ranges_parse(SPAN_LIT("bytes=500-509,5-9,-20"), 1000, &r),
	    RANGES_OK);
	ck_assert_uint_eq(r.n, 3);
	all = ranges_hull(&r);
	ck_assert_uint_eq(all.first, 5);
	ck_assert_uint_eq(all.last, 999);
	r.n = 1;
	all = ranges_hull(&r);
	ck_assert_uint_eq(all.first, 500);
	ck_assert_uint_eq(all.last, 509);
}
END_TEST

START_TEST(content_range_is_read_strictly)
{
	static const struct {
		const char *value;
		bool ok;
		bool is_unsatisfied;
		uint64_t first, last, complete;
	} rows[] = {
	    {"bytes 0-499/1234", true, false, 0, 499, 1234},
	    {"bytes 42-1233/*", true, false, 42, 1233, RANGE_LEN_UNKNOWN},
	    {"BYTES 0-0/1", true, false, 0, 0, 1},
	    {"bytes */1234", true, true, 0, 0, 1234},
	    {"bytes */0", true, true, 0, 0, 0},
	    {"bytes 0-9223372036854775806/9223372036854775807", true, false, 0,
		INT64_MAX - 1, INT64_MAX},
	    {"bytes 0-9/9", false, false, 0, 0, 0},
	    {"bytes 5-4/10", false, false, 0, 0, 0},
	    {"bytes 0-1234/1234", false, false, 0, 0, 0},
	    {"bytes */*", false, false, 0, 0, 0},
	    {"bytes 0-1", false, false, 0, 0, 0},
	    {"bytes 0-1/", false, false, 0, 0, 0},
	    {"bytes 0-/2", false, false, 0, 0, 0},
	    {"bytes -1/2", false, false, 0, 0, 0},
	    {"bytes 0/2", false, false, 0, 0, 0},
	    {"bytes=0-1/2", false, false, 0, 0, 0},
	    {"bytes  0-1/2", false, false, 0, 0, 0},
	    {"bytes\t0-1/2", false, false, 0, 0, 0},
	    {"bytes 0 - 1/2", false, false, 0, 0, 0},
	    {"bytes 0-1 /2", false, false, 0, 0, 0},
	    {"bytes 0-1/2/3", false, false, 0, 0, 0},
	    {"bytes 0-1/2, bytes 0-1/2", false, false, 0, 0, 0},
	    {"lines 0-1/2", false, false, 0, 0, 0},
	    {"bytes", false, false, 0, 0, 0},
	    {"", false, false, 0, 0, 0},
	    {"bytes ", false, false, 0, 0, 0},
	    {"bytes 0-18446744073709551616/*", false, false, 0, 0, 0},
	    {"bytes 0-9223372036854775808/*", false, false, 0, 0, 0},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct content_range r;

		ck_assert_msg(content_range_parse(
				  span_str(rows[i].value), &r) == rows[i].ok,
		    "%s", rows[i].value);
		if (!rows[i].ok)
			continue;
		ck_assert_int_eq(r.is_unsatisfied, rows[i].is_unsatisfied);
		ck_assert_uint_eq(r.range.first, rows[i].first);
		ck_assert_uint_eq(r.range.last, rows[i].last);
		ck_assert_uint_eq(r.complete_len, rows[i].complete);
	}
}
END_TEST

START_TEST(content_range_is_written)
{
	char out[CONTENT_RANGE_CAP];
	size_t len;

	len = content_range_write((struct range){0, 499}, 1234, out);
	ck_assert_span_eq(span_of(out, len), "bytes 0-499/1234");
	len = content_range_write(
	    (struct range){42, 1233}, RANGE_LEN_UNKNOWN, out);
	ck_assert_span_eq(span_of(out, len), "bytes 42-1233/*");
	len =
	    content_range_write((struct range){UINT64_MAX - 2, UINT64_MAX - 2},
		UINT64_MAX - 1, out);
	ck_assert_span_eq(span_of(out, len),
	    "bytes 18446744073709551613-18446744073709551613/"
	    "18446744073709551614");
	len = content_range_write_unsatisfied(0, out);
	ck_assert_span_eq(span_of(out, len), "bytes */0");
}
END_TEST

START_TEST(multiparts_are_framed_and_as_long_as_told)
{
	static const struct multipart m = {
	    {"SEP", 3}, {"text/plain", 10}, 1234};
	struct ranges r = {2, {{0, 3}, {1000, 1001}}};
	char out[512];
	size_t len;

	len = multipart_head(&m, r.at[0], true, out, sizeof(out));
	memcpy(out + len, "abcd", 4);
	len += 4;
	len += multipart_head(&m, r.at[1], false, out + len, sizeof(out) - len);
	memcpy(out + len, "ef", 2);
	len += 2;
	len += multipart_tail(&m, out + len, sizeof(out) - len);
	ck_assert_span_eq(span_of(out, len),
	    "--SEP\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Range: bytes 0-3/1234\r\n\r\n"
	    "abcd\r\n"
	    "--SEP\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Range: bytes 1000-1001/1234\r\n\r\n"
	    "ef\r\n"
	    "--SEP--\r\n");
	ck_assert_uint_eq(multipart_len(&m, &r), len);
	r.n = 1;
	ck_assert_uint_eq(
	    multipart_len(&m, &r), multipart_head(&m, r.at[0], true, NULL, 0) +
				       4 + multipart_tail(&m, NULL, 0));
	len = multipart_type(&m, out, sizeof(out));
	ck_assert_span_eq(
	    span_of(out, len), "multipart/byteranges; boundary=SEP");
}
END_TEST

START_TEST(nothing_is_written_where_it_does_not_fit)
{
	static const struct multipart m = {
	    {"SEP", 3}, {NULL, 0}, RANGE_LEN_UNKNOWN};
	struct range part = {5, 6};
	char out[64] = "x";
	size_t len = multipart_head(&m, part, true, NULL, 0);

	ck_assert_uint_eq(multipart_head(&m, part, true, out, len - 1), len);
	ck_assert_int_eq(out[0], 'x');
	ck_assert_uint_eq(multipart_head(&m, part, true, out, len), len);
	ck_assert_span_eq(
	    span_of(out, len), "--SEP\r\nContent-Range: bytes 5-6/*\r\n\r\n");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    single_ranges_are_clipped_to_what_is_there,
	    what_is_no_byte_range_is_ignored,
	    several_ranges_keep_their_order_and_join_when_near,
	    many_ranges_are_an_attack,
	    parts_are_held_joined_and_missing,
	    parts_in_any_order_lie_in_their_hull,
	    content_range_is_read_strictly,
	    content_range_is_written,
	    multiparts_are_framed_and_as_long_as_told,
	    nothing_is_written_where_it_does_not_fit,
	};

	return unit_run("ranges", tests, NELEMS(tests));
}
