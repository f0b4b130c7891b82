/* Cache directives: RFC 9111 5.2 and 5.4, RFC 9213. */
#include <check.h>
#include <stdio.h>

#include "common/http/cc.h"
#include "t/unit/cache_fixture.h"

/* What was read, as text: names in the order of cc.def, "=N" with numbers, a
 * "?" behind those that name fields only. */
struct cc_row_want {
	const char *fields;
	const char *want;
};

static const char *const cc_texts[CC_N] = {
    "pragma",
#define CC(id, name, kind) name,
#include "common/http/cc.def"
#undef CC
};

static bool
has_number(unsigned id)
{
	return id >= CC_MAX_AGE;
}

static void
print_cc(const struct cc *cc, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned id = 0; id < CC_N; id++) {
		if ((cc->seen & CC_BIT(id)) != 0)
			at += (size_t)snprintf(
			    out + at, cap - at, "%s", cc_texts[id]);
		if ((cc->seen & CC_BIT(id)) != 0 && has_number(id))
			at += (size_t)snprintf(out + at, cap - at, "=%u",
			    (unsigned)cc->seconds[id]);
		if ((cc->seen & CC_BIT(id)) != 0)
			at += (size_t)snprintf(out + at, cap - at, " ");
		if ((cc->named & CC_BIT(id)) != 0)
			at += (size_t)snprintf(
			    out + at, cap - at, "%s? ", cc_texts[id]);
	}
}

typedef void parse_f(const struct http_fields *f, struct cc *out);

static void
check_rows(parse_f *parse, const struct cc_row_want *rows, size_t n)
{
	struct http_fields f;
	char got[512];
	struct cc cc;

	for (size_t i = 0; i < n; i++) {
		fix_fields(&f, rows[i].fields);
		parse(&f, &cc);
		print_cc(&cc, got, sizeof(got));
		ck_assert_msg(strcmp(got, rows[i].want) == 0,
		    "[%s] gives [%s], not [%s]", rows[i].fields, got,
		    rows[i].want);
	}
}

#define CACHE(s) "Cache-Control: " s "\n"
#define CDN(s) "CDN-Cache-Control: " s "\n"

START_TEST(directives_are_read_in_any_case_and_over_lines)
{
	static const struct cc_row_want rows[] = {
	    {"", ""},
	    {CACHE(""), ""},
	    {CACHE(",, ,"), ""},
	    {CACHE("no-store"), "no-store "},
	    {CACHE("No-StOrE"), "no-store "},
	    {"CACHE-CONTROL: NO-CACHE\n", "no-cache "},
	    {CACHE("public, max-age=5"), "public max-age=5 "},
	    {CACHE("public") CACHE("max-age=5"), "public max-age=5 "},
	    {CACHE("private ,\tno-cache"), "no-cache private "},
	    {CACHE("foo, max-age=5, bar=7"), "max-age=5 "},
	    {CACHE("foo bar, max-age=5"), "max-age=5 "},
	    {CACHE("must-revalidate, proxy-revalidate, must-understand, "
		   "immutable, no-transform, only-if-cached"),
		"no-transform must-revalidate proxy-revalidate "
		"must-understand immutable only-if-cached "},
	    {CACHE("max-age=1, s-maxage=2, min-fresh=3, max-stale=4, "
		   "stale-while-revalidate=5, stale-if-error=6"),
		"max-age=1 s-maxage=2 min-fresh=3 max-stale=4 "
		"stale-while-revalidate=5 stale-if-error=6 "},
	    {CACHE("no-stores, xno-store, no-stor"), ""},
	};

	check_rows(cc_parse, rows, NELEMS(rows));
}
END_TEST

START_TEST(numbers_are_delta_seconds_or_stale)
{
	static const struct cc_row_want rows[] = {
	    {CACHE("max-age=0"), "max-age=0 "},
	    {CACHE("max-age=003600"), "max-age=3600 "},
	    {CACHE("max-age=\"3600\""), "max-age=3600 "},
	    {CACHE("MAX-AGE=3600"), "max-age=3600 "},
	    {CACHE("max-age=2147483647"), "max-age=2147483647 "},
	    {CACHE("max-age=2147483648"), "max-age=2147483648 "},
	    {CACHE("max-age=2147483649"), "max-age=2147483648 "},
	    {CACHE("max-age=4294967296"), "max-age=2147483648 "},
	    {CACHE("max-age=18446744073709551616"), "max-age=2147483648 "},
	    {CACHE("max-age=99999999999999999999999999999999999999999"),
		"max-age=2147483648 "},
	    {CACHE("max-age=-1"), "max-age=0 "},
	    {CACHE("max-age=-2147483649"), "max-age=0 "},
	    {CACHE("max-age=+5"), "max-age=0 "},
	    {CACHE("max-age=3600.0"), "max-age=0 "},
	    {CACHE("max-age=3600.5"), "max-age=0 "},
	    {CACHE("max-age=1e9"), "max-age=0 "},
	    {CACHE("max-age=0x10"), "max-age=0 "},
	    {CACHE("max-age=a3600"), "max-age=0 "},
	    {CACHE("max-age=3600a"), "max-age=0 "},
	    {CACHE("max-age='3600'"), "max-age=0 "},
	    {CACHE("max-age=\"36 00\""), "max-age=0 "},
	    {CACHE("max-age=\"36\\00\""), "max-age=0 "},
	    {CACHE("max-age=\"\""), "max-age=0 "},
	    {CACHE("max-age="), "max-age=0 "},
	    {CACHE("max-age"), "max-age=0 "},
	    {CACHE("max-age =3600"), "max-age=0 "},
	    {CACHE("max-age= 3600"), "max-age=0 "},
	    {CACHE("max-age: 3600"), "max-age=0 "},
	    {CACHE("max-age 3600"), "max-age=0 "},
	    {CACHE("max-age=3600 5"), "max-age=0 "},
	    {CACHE("max-age==3600"), "max-age=0 "},
	    {CACHE("s-maxage=x"), "s-maxage=0 "},
	    {CACHE("max-stale"), "max-stale=2147483648 "},
	    {CACHE("max-stale=7"), "max-stale=7 "},
	    {CACHE("max-stale=x"), "max-stale=0 "},
	    {CACHE("max-stale="), "max-stale=0 "},
	    {CACHE("min-fresh=7"), "min-fresh=7 "},
	    {CACHE("min-fresh=x"), ""},
	    {CACHE("min-fresh"), ""},
	    {CACHE("stale-if-error"), "stale-if-error=0 "},
	    {CACHE("stale-while-revalidate=-5"), "stale-while-revalidate=0 "},
	};

	check_rows(cc_parse, rows, NELEMS(rows));
}
END_TEST

START_TEST(the_first_of_several_numbers_counts)
{
	static const struct cc_row_want rows[] = {
	    {CACHE("max-age=1800, max-age=1"), "max-age=1800 "},
	    {CACHE("max-age=1, max-age=1800"), "max-age=1 "},
	    {CACHE("max-age=1800") CACHE("max-age=1"), "max-age=1800 "},
	    {CACHE("max-age=1") CACHE("max-age=1800"), "max-age=1 "},
	    {CACHE("max-age=x, max-age=1800"), "max-age=0 "},
	    {CACHE("max-age=1800, max-age=x"), "max-age=1800 "},
	    {CACHE("max-stale, max-stale=3"), "max-stale=2147483648 "},
	    {CACHE("min-fresh=x, min-fresh=3"), "min-fresh=3 "},
	    {CACHE("no-store, no-store"), "no-store "},
	    {CACHE("private, public"), "private public "},
	    {CACHE("max-age=10, no-cache"), "no-cache max-age=10 "},
	};

	check_rows(cc_parse, rows, NELEMS(rows));
}
END_TEST

START_TEST(quoted_strings_hide_what_is_in_them)
{
	static const struct cc_row_want rows[] = {
	    {CACHE("extension=\"max-age=3600\", max-age=1"), "max-age=1 "},
	    {CACHE("max-age=1, extension=\"max-age=3600\""), "max-age=1 "},
	    {CACHE("ext=\"a, no-store, b\", max-age=1"), "max-age=1 "},
	    {CACHE("ext=\"a\\\", no-store\", max-age=1"), "max-age=1 "},
	    {CACHE("\"no-store\", max-age=1"), "max-age=1 "},
	    /* a quote that is never closed hides nothing */
	    {CACHE("ext=\"a, no-store, max-age=1"), "no-store max-age=1 "},
	    {CACHE("ext=\"a\\\", no-store"), "no-store "},
	    {CACHE("max-age=\"5, private"), "private max-age=0 "},
	    {CACHE("a=\"b, c=\"d, e=\"f, no-store"), "no-store "},
	    {CACHE("ext=\"a") CACHE("no-store"), "no-store "},
	    {CACHE("\""), ""},
	};

	check_rows(cc_parse, rows, NELEMS(rows));
}
END_TEST

START_TEST(what_forbids_counts_with_any_argument_what_allows_does_not)
{
	static const struct cc_row_want rows[] = {
	    {CACHE("no-store=x"), "no-store "},
	    {CACHE("no-store=\"x\""), "no-store "},
	    {CACHE("no-store max-age=5"), "no-store "},
	    {CACHE("no-store;"), "no-store "},
	    {CACHE("must-revalidate="), "must-revalidate "},
	    {CACHE("public=x"), ""},
	    {CACHE("public;"), ""},
	    {CACHE("must-understand=1, no-store"), "no-store "},
	    {CACHE("immutable=1"), ""},
	};

	check_rows(cc_parse, rows, NELEMS(rows));
}
END_TEST

START_TEST(lists_of_names_are_kept_apart_from_the_whole)
{
	static const struct cc_row_want rows[] = {
	    {CACHE("no-cache=\"a\""), "no-cache? "},
	    {CACHE("private=\"a, b\""), "private? "},
	    {CACHE("private=a"), "private? "},
	    {CACHE("private=\"a\", private"), "private private? "},
	    {CACHE("no-cache, no-cache=\"a\""), "no-cache no-cache? "},
	    /* what is no list of names is the whole */
	    {CACHE("private=\"\""), "private "},
	    {CACHE("private=\" , \""), "private "},
	    {CACHE("private="), "private "},
	    {CACHE("private=\"a b\""), "private "},
	    {CACHE("private=\"a\\b\""), "private "},
	    {CACHE("no-cache=\"a:\""), "no-cache "},
	    {CACHE("no-cache =\"a\""), "no-cache "},
	    {CACHE("no-cache=\"a"), "no-cache "},
	};

	check_rows(cc_parse, rows, NELEMS(rows));
}
END_TEST

START_TEST(too_many_names_are_the_whole)
{
	char text[512] = "Cache-Control: private=\"a";
	struct http_fields f;
	struct cc cc;

	for (unsigned i = 1; i < CC_NAMES_MAX; i++)
		(void)strcat(text, ", b");
	(void)strcat(text, "\"");
	fix_fields(&f, text);
	cc_parse(&f, &cc);
	ck_assert_uint_eq(cc.seen, 0);
	ck_assert_uint_eq(cc.named, CC_BIT(CC_PRIVATE));
	text[strlen(text) - 1] = '\0';
	(void)strcat(text, ", c\"");
	fix_fields(&f, text);
	cc_parse(&f, &cc);
	ck_assert_uint_eq(cc.seen, CC_BIT(CC_PRIVATE));
	ck_assert_uint_eq(cc.named, 0);
}
END_TEST

START_TEST(pragma_speaks_when_there_is_no_cache_control)
{
	static const struct cc_row_want rows[] = {
	    {"Pragma: no-cache\n", "pragma no-cache "},
	    {"Pragma: No-Cache\n", "pragma no-cache "},
	    {"Pragma: foo, no-cache\n", "pragma no-cache "},
	    {"Pragma: foo\nPragma: no-cache\n", "pragma no-cache "},
	    {"Pragma: foo\n", ""},
	    {"Pragma: no-cache=\"x\"\n", ""},
	    {"Pragma: no-cache\n" CACHE("max-age=5"), "max-age=5 "},
	    {"Pragma: no-cache\n" CACHE(""), ""},
	    {CACHE("no-cache"), "no-cache "},
	};

	check_rows(cc_parse_request, rows, NELEMS(rows));
}
END_TEST

static void
parse_cdn(const struct http_fields *f, struct cc *out)
{
	if (!cc_parse_cdn(f, out))
		*out = (struct cc){.seen = CC_PRAGMA};
}

/* "pragma " stands for: ignored as a whole. */
START_TEST(cdn_cache_control_is_a_dictionary)
{
	static const struct cc_row_want rows[] = {
	    {"", "pragma "},
	    {CDN(""), "pragma "},
	    {CDN("max-age=3600"), "max-age=3600 "},
	    {CDN("max-age=2147483648"), "max-age=2147483648 "},
	    {CDN("max-age=99999999999"), "max-age=2147483648 "},
	    {CDN("max-age=-5"), "max-age=0 "},
	    {CDN("max-age=0"), "max-age=0 "},
	    {CDN("no-store"), "no-store "},
	    {CDN("no-store=?1"), "no-store "},
	    {CDN("no-store=?0, public"), "public "},
	    {CDN("private"), "private "},
	    {CDN("no-cache, max-age=5"), "no-cache max-age=5 "},
	    {CDN("no-cache=\"a, b\""), "no-cache? "},
	    {CDN("no-cache=\"\""), "no-cache "},
	    {CDN("private=?0"), ""},
	    {CDN("foobar, max-age=3600"), "max-age=3600 "},
	    {CDN("foo=(1 2), max-age=3600;x=y"), "max-age=3600 "},
	    {CDN("foo"), ""},
	    {CDN("max-age=1, max-age=2"), "max-age=2 "},
	    {CDN("no-store, no-store=?0"), ""},
	    {CDN("no-cache=\"a\", no-cache"), "no-cache "},
	    {CDN("max-age=1") CDN("no-cache"), "no-cache max-age=1 "},
	    {CDN("") CDN("max-age=1"), "max-age=1 "},
	    {CDN("max-stale"), "max-stale=2147483648 "},
	    /* not to be parsed */
	    {CDN("max-age=10000, &&&&&"), "pragma "},
	    {CDN("max-age=1") CDN("&&&&&"), "pragma "},
	    {CDN("MaX-aGe=3600"), "pragma "},
	    {CDN("max-age =100"), "pragma "},
	    {CDN("max-age= 100"), "pragma "},
	    {CDN("max-age=100,"), "pragma "},
	    {CDN("max-age=9999999999999999"), "pragma "},
	    {CDN("no-store, a=\"x"), "pragma "},
	    /* of another type */
	    {CDN("max-age=\"10000\""), "pragma "},
	    {CDN("max-age=10.5"), "pragma "},
	    {CDN("max-age"), "pragma "},
	    {CDN("max-age=?1"), "pragma "},
	    {CDN("no-store=5, max-age=5"), "pragma "},
	    {CDN("no-cache=a"), "pragma "},
	    {CDN("private=(a b)"), "pragma "},
	    {CDN("public=\"x\""), "pragma "},
	    {CDN("max-stale=\"5\""), "pragma "},
	};

	check_rows(parse_cdn, rows, NELEMS(rows));
}
END_TEST

static void
parse_response(const struct http_fields *f, struct cc *out)
{
	(void)cc_parse_response(f, out);
}

START_TEST(cdn_cache_control_wins_both_ways)
{
	static const struct cc_row_want rows[] = {
	    {CACHE("no-store") CDN("max-age=5"), "max-age=5 "},
	    {CACHE("max-age=5") CDN("no-store"), "no-store "},
	    {CACHE("max-age=5, private") CDN("foo"), ""},
	    {CACHE("no-store") CDN("max-age=5, &&&"), "no-store "},
	    {CACHE("no-store") CDN(""), "no-store "},
	    {CACHE("no-store") CDN("max-age=\"5\""), "no-store "},
	};

	check_rows(parse_response, rows, NELEMS(rows));
}
END_TEST

START_TEST(named_fields_are_found_without_case)
{
	static const struct {
		const char *fields;
		const char *name;
		bool is_named;
	} rows[] = {
	    {CACHE("no-cache=\"a\""), "A", true},
	    {CACHE("no-cache=\"a, Set-Cookie\""), "set-cookie", true},
	    {CACHE("private=a"), "a", true},
	    {CACHE("private=\"a\"") CACHE("no-cache=\"b\""), "b", true},
	    {CACHE("private=\"a\""), "b", false},
	    {CACHE("private=\"ab\""), "a", false},
	    {CACHE("other=\"a\""), "a", false},
	    {CACHE("max-age=1"), "1", false},
	    {CACHE("private=\"a\"") CDN("private=\"b\""), "a", false},
	    {CACHE("private=\"a\"") CDN("private=\"b\""), "b", true},
	    {CDN("foo=\"b\", private=\"c\"") CDN("no-cache=\"d\""), "d", true},
	    {CDN("foo=\"b\", private=\"c\""), "b", false},
	    {CDN("foo=b, private=?1"), "b", false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct http_fields f;
		struct cc cc;
		bool is_cdn;

		fix_fields(&f, rows[i].fields);
		is_cdn = cc_parse_response(&f, &cc);
		ck_assert_msg(cc_names(&f, is_cdn, span_str(rows[i].name)) ==
				  rows[i].is_named,
		    "%s in %s", rows[i].name, rows[i].fields);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    directives_are_read_in_any_case_and_over_lines,
	    numbers_are_delta_seconds_or_stale,
	    the_first_of_several_numbers_counts,
	    quoted_strings_hide_what_is_in_them,
	    what_forbids_counts_with_any_argument_what_allows_does_not,
	    lists_of_names_are_kept_apart_from_the_whole,
	    too_many_names_are_the_whole,
	    pragma_speaks_when_there_is_no_cache_control,
	    cdn_cache_control_is_a_dictionary,
	    cdn_cache_control_wins_both_ways,
	    named_fields_are_found_without_case,
	};

	return unit_run_in(
	    "cc", tests, NELEMS(tests), fix_set_up, fix_tear_down);
}
