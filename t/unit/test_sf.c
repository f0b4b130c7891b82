/* Structured Fields by the parsing algorithms of RFC 9651 4.2. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/sf.h"
#include "t/unit/unit.h"

/* Members as "key type number|text" joined by blanks, or "!" for a failure. */
struct dict_row {
	const char *in;
	const char *want;
};

static const char type_letters[] = "idstbBDUl";

static void
print_member(char *out, size_t cap, const struct sf_member *m)
{
	size_t at = strlen(out);
	char letter = type_letters[m->type];

	if (m->type == SF_INTEGER || m->type == SF_DECIMAL ||
	    m->type == SF_BOOLEAN || m->type == SF_DATE)
		(void)snprintf(out + at, cap - at, "%.*s=%c%lld ",
		    SPAN_FMT(m->key), letter, (long long)m->number);
	else
		(void)snprintf(out + at, cap - at, "%.*s=%c<%.*s> ",
		    SPAN_FMT(m->key), letter, SPAN_FMT(m->text));
}

static void
read_dict(span in, char *out, size_t cap)
{
	char *copy = malloc(in.len > 0 ? in.len : 1);
	struct sf_member m;
	struct sf_dict d;
	enum sf_rc rc;

	ck_assert_ptr_nonnull(copy);
	if (in.len > 0)
		memcpy(copy, in.p, in.len);
	out[0] = '\0';
	sf_dict_init(&d, span_of(copy, in.len));
	while ((rc = sf_dict_next(&d, &m)) == SF_OK)
		print_member(out, cap, &m);
	if (rc == SF_BAD)
		(void)snprintf(out, cap, "!");
	free(copy);
}

static void
check_rows(const struct dict_row *rows, size_t n)
{
	char got[512];

	for (size_t i = 0; i < n; i++) {
		read_dict(span_str(rows[i].in), got, sizeof(got));
		ck_assert_msg(strcmp(got, rows[i].want) == 0,
		    "[%s] gives [%s], not [%s]", rows[i].in, got, rows[i].want);
	}
}

START_TEST(an_item_is_one_value)
{
	static const char *const bad[] = {"", " ", ",", "a, b", "1 2", "(a)",
	    "a=1", ":YQ==", "\"a", "?2", ";a", "a;", "a;A"};
	static const char *const good[] = {
	    "a", " 1 ", "-1.5;x", ":YQ==:;a=1;b", "\"a b\"", "?0", "@1"};
	struct sf_member m;

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    !sf_item_read(span_str(bad[i]), &m), "%s", bad[i]);
	for (size_t i = 0; i < NELEMS(good); i++)
		ck_assert_msg(
		    sf_item_read(span_str(good[i]), &m), "%s", good[i]);
	ck_assert(sf_item_read(SPAN_LIT(":YQ==:;a"), &m));
	ck_assert(m.type == SF_BYTES && span_eq(m.text, SPAN_LIT("YQ==")));
}
END_TEST

START_TEST(members_are_keys_with_values_or_true)
{
	static const struct dict_row rows[] = {
	    {"", ""},
	    {"   ", ""},
	    {"a", "a=B1 "},
	    {" a ", "a=B1 "},
	    {"a,b", "a=B1 b=B1 "},
	    {"a , b", "a=B1 b=B1 "},
	    {"a\t,\t b", "a=B1 b=B1 "},
	    {"a=1,a=2", "a=i1 a=i2 "},
	    {"*a=1", "*a=i1 "},
	    {"a_-.*9=1", "a_-.*9=i1 "},
	    {"a;x", "a=B1 "},
	    {"a;x;y=2; z=\"q\"", "a=B1 "},
	    {"a=1;x, b", "a=i1 b=B1 "},
	    {"a;x=?0;*y=tok:/", "a=B1 "},
	    {"a,", "!"},
	    {"a, ", "!"},
	    {"a,,b", "!"},
	    {",a", "!"},
	    {",", "!"},
	    {"a b", "!"},
	    {"a;", "!"},
	    {"a;x=", "!"},
	    {"a;X", "!"},
	    {"a ;x", "!"},
	    {"a;\tx", "!"},
	    {"a;x=(1 2)", "!"},
	    {"A=1", "!"},
	    {"MaX-aGe=1", "!"},
	    {"1=1", "!"},
	    {"-a", "!"},
	    {"a =1", "!"},
	    {"a= 1", "!"},
	    {"a=", "!"},
	    {"a=,b", "!"},
	    {"max-age=10000, &&&&&", "!"},
	    {"a\x01", "!"},
	    {"\xc3\xa4", "!"},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

START_TEST(numbers_have_the_ranges_of_the_rfc)
{
	static const struct dict_row rows[] = {
	    {"a=0", "a=i0 "},
	    {"a=-0", "a=i0 "},
	    {"a=-1", "a=i-1 "},
	    {"a=007", "a=i7 "},
	    {"a=999999999999999", "a=i999999999999999 "},
	    {"a=-999999999999999", "a=i-999999999999999 "},
	    {"a=1000000000000000", "!"},
	    {"a=0000000000000001", "!"},
	    {"a=1.5", "a=d1500 "},
	    {"a=-1.5", "a=d-1500 "},
	    {"a=0.001", "a=d1 "},
	    {"a=1.05", "a=d1050 "},
	    {"a=999999999999.999", "a=d999999999999999 "},
	    {"a=1000000000000.1", "!"},
	    {"a=1.0001", "!"},
	    {"a=1.", "!"},
	    {"a=.5", "!"},
	    {"a=-", "!"},
	    {"a=--1", "!"},
	    {"a=+1", "!"},
	    {"a=1e3", "!"},
	    {"a=1.5.5", "!"},
	    {"a=@0", "a=D0 "},
	    {"a=@-62135596800", "a=D-62135596800 "},
	    {"a=@1.5", "!"},
	    {"a=@", "!"},
	    {"a=?1", "a=B1 "},
	    {"a=?0", "a=B0 "},
	    {"a=?", "!"},
	    {"a=?2", "!"},
	    {"a=?01", "!"},
	    {"a=true", "a=t<true> "},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

START_TEST(texts_are_strings_tokens_bytes_and_display_strings)
{
	static const struct dict_row rows[] = {
	    {"a=\"\"", "a=s<> "},
	    {"a=\"b, c\", d", "a=s<b, c> d=B1 "},
	    {"a=\"\\\"\\\\\"", "a=s<\\\"\\\\> "},
	    {"a=\" ~\"", "a=s< ~> "},
	    {"a=\"\\b\"", "!"},
	    {"a=\"", "!"},
	    {"a=\"\\", "!"},
	    {"a=\"\\\"", "!"},
	    {"a=\"\t\"", "!"},
	    {"a=\"\x7f\"", "!"},
	    {"a=\"\xc3\xa4\"", "!"},
	    {"a='b'", "!"},
	    {"a=b", "a=t<b> "},
	    {"a=B", "a=t<B> "},
	    {"a=*b", "a=t<*b> "},
	    {"a=b:/c!#$%&'*+-.^_`|~9", "a=t<b:/c!#$%&'*+-.^_`|~9> "},
	    {"a=b=c", "!"},
	    {"a=b\"", "!"},
	    {"a=::", "a=b<> "},
	    {"a=:YWJj:", "a=b<YWJj> "},
	    {"a=:YWI=:", "a=b<YWI=> "},
	    {"a=:YQ==:", "a=b<YQ==> "},
	    {"a=:YQ:", "a=b<YQ> "},
	    {"a=:+/09:", "a=b<+/09> "},
	    {"a=:Y:", "!"},
	    {"a=:YQ===:", "!"},
	    {"a=:Y=Q=:", "!"},
	    {"a=:YW-_:", "!"},
	    {"a=:YW Jj:", "!"},
	    {"a=:YWJj", "!"},
	    {"a=%\"\"", "a=U<> "},
	    {"a=%\"f%c3%bcr\"", "a=U<f%c3%bcr> "},
	    {"a=%\"%e2%82%ac\"", "a=U<%e2%82%ac> "},
	    {"a=%\"%f0%9f%98%80!\"", "a=U<%f0%9f%98%80!> "},
	    {"a=%\"%25\"", "a=U<%25> "},
	    {"a=%\" ~%0a\"", "a=U< ~%0a> "},
	    {"a=%\"%C3%BC\"", "!"},
	    {"a=%\"%c3\"", "!"},
	    {"a=%\"%c3x\"", "!"},
	    {"a=%\"%ff\"", "!"},
	    {"a=%\"%ffabc\"", "!"},
	    {"a=%\"%c0%80\"", "!"},
	    {"a=%\"%ed%a0%80\"", "!"},
	    {"a=%\"%2\"", "!"},
	    {"a=%\"%\"", "!"},
	    {"a=%\"%zz\"", "!"},
	    {"a=%\"x", "!"},
	    {"a=%x", "!"},
	    {"a=%\"\xc3\xbc\"", "!"},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

START_TEST(inner_lists_hold_items_and_no_lists)
{
	static const struct dict_row rows[] = {
	    {"a=()", "a=l<> "},
	    {"a=(  )", "a=l<  > "},
	    {"a=(1)", "a=l<1> "},
	    {"a=( 1  \"x)\" t )", "a=l< 1  \"x)\" t > "},
	    {"a=(1;p 2;q=r);s, b", "a=l<1;p 2;q=r> b=B1 "},
	    {"a=(1", "!"},
	    {"a=(1,2)", "!"},
	    {"a=(1\t2)", "!"},
	    {"a=(1\"x\")", "!"},
	    {"a=((1))", "!"},
	    {"a=(", "!"},
	    {"a=(1))", "!"},
	    {"(1)", "!"},
	};

	check_rows(rows, NELEMS(rows));
}
END_TEST

/* Whatever is cut off, nothing behind the text is read, and what was whole is
 * read as it was. */
START_TEST(every_beginning_is_read_within_its_bounds)
{
	static const char text[] =
	    "a=1.5;b=(\"x\" y);c=:YQ==:, d=%\"%e2%82%ac\";e, f=@12, g=?0";
	char got[512];

	for (size_t len = 0; len < sizeof(text); len++)
		read_dict(span_of(text, len), got, sizeof(got));
	ck_assert_str_eq(got, "!");
	read_dict(span_str("a=1.5;b=\"x\";c=:YQ==:, d=%\"%e2%82%ac\";e, f=@12"),
	    got, sizeof(got));
	ck_assert_str_eq(got, "a=d1500 d=U<%e2%82%ac> f=D12 ");
}
END_TEST

START_TEST(strings_are_written_with_escapes_or_not_at_all)
{
	char out[16];
	size_t len;

	len = sf_write_string(span_str("a\"b\\c"), out, sizeof(out));
	ck_assert_span_eq(span_of(out, len), "\"a\\\"b\\\\c\"");
	len = sf_write_string(span_str(" ~"), out, sizeof(out));
	ck_assert_span_eq(span_of(out, len), "\" ~\"");
	len = sf_write_string(span_str(""), out, 2);
	ck_assert_span_eq(span_of(out, len), "\"\"");
	len = sf_write_string(span_str("abc"), out, 5);
	ck_assert_span_eq(span_of(out, len), "\"abc\"");
	ck_assert_uint_eq(sf_write_string(span_str("abc"), out, 4), 0);
	ck_assert_uint_eq(sf_write_string(span_str("ab\""), out, 5), 0);
	ck_assert_uint_eq(sf_write_string(span_str(""), out, 1), 0);
	ck_assert_uint_eq(sf_write_string(span_str("a\x7f"), out, 16), 0);
	ck_assert_uint_eq(sf_write_string(span_str("\xc3\xa4"), out, 16), 0);
	ck_assert_uint_eq(sf_write_string(span_str("a\tb"), out, 16), 0);
}
END_TEST

START_TEST(tokens_begin_with_a_letter_or_an_asterisk)
{
	ck_assert(sf_is_token(SPAN_LIT("gatehouse")));
	ck_assert(sf_is_token(SPAN_LIT("*a/b:c")));
	ck_assert(!sf_is_token(SPAN_LIT("")));
	ck_assert(!sf_is_token(SPAN_LIT("1a")));
	ck_assert(!sf_is_token(SPAN_LIT("a b")));
	ck_assert(!sf_is_token(SPAN_LIT("a\"")));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    an_item_is_one_value,
	    members_are_keys_with_values_or_true,
	    numbers_have_the_ranges_of_the_rfc,
	    texts_are_strings_tokens_bytes_and_display_strings,
	    inner_lists_hold_items_and_no_lists,
	    every_beginning_is_read_within_its_bounds,
	    strings_are_written_with_escapes_or_not_at_all,
	    tokens_begin_with_a_letter_or_an_asterisk,
	};

	return unit_run("sf", tests, NELEMS(tests));
}
