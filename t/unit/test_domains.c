/* Unit tests of base/domains and base/linefile: sets of host names, and lists
 * in files. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/domains.h"
#include "common/base/linefile.h"
#include "t/unit/unit.h"

#define N_MANY 1000000u

static bool
has(const struct domains *d, const char *host)
{
	char name[DOMAINS_NAME_MAX];
	size_t len = domains_normalize(span_str(host), name);

	return len > 0 && domains_find(d, span_of(name, len));
}

START_TEST(a_name_is_itself_below_it_or_both)
{
	static const struct {
		const char *host;
		bool is_in;
	} rows[] = {
	    {"itself.test", true},
	    {"ITSELF.Test.", true},
	    {"a.itself.test", false},
	    {"xitself.test", false},
	    {"test", false},
	    {"both.test", true},
	    {"a.both.test", true},
	    {"a.b.both.test", true},
	    {"aboth.test", false},
	    {"below.test", false},
	    {"a.below.test", true},
	    {"a.b.below.test", true},
	    {"192.0.2.1", true},
	    {"192.0.2.10", false},
	    {"2001:db8::1", true},
	    {"[2001:DB8:0::1]", true},
	    {"2001:db8::2", false},
	    {"single", true},
	    {"a.twice.test", true},
	    {"twice.test", true},
	};
	struct domains *d = domains_new();

	ck_assert(!has(d, "itself.test"));
	ck_assert(domains_add(d, SPAN_LIT("Itself.test")));
	ck_assert(domains_add(d, SPAN_LIT(".both.TEST.")));
	ck_assert(domains_add(d, SPAN_LIT("*.below.test")));
	ck_assert(domains_add(d, SPAN_LIT("192.0.2.1")));
	ck_assert(domains_add(d, SPAN_LIT("2001:db8:0:0::1")));
	ck_assert(domains_add(d, SPAN_LIT("single")));
	ck_assert(domains_add(d, SPAN_LIT("twice.test")));
	ck_assert(domains_add(d, SPAN_LIT("*.twice.test")));
	ck_assert_uint_eq(domains_count(d), 7);
	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(
		    has(d, rows[i].host) == rows[i].is_in, "%s", rows[i].host);
	ck_assert(!domains_find(NULL, SPAN_LIT("itself.test")));
	domains_free(d);
	domains_free(NULL);
}
END_TEST

START_TEST(what_is_no_name_is_refused)
{
	static const char *const bad[] = {"", ".", "..", "a..b", ".a..b", "*",
	    "*.", "a.*.b", "a b", "b\xc3\xbc.de", "a/b", "a:80", "http://a",
	    "a@b", "[::1", "-.a!", "a,b",
	    "a23456789012345678901234567890123456789012345678901234567890"
	    "1234.test"};
	struct domains *d = domains_new();
	char name[300];

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(!domains_add(d, span_str(bad[i])), "%s", bad[i]);
	memset(name, 'a', sizeof(name));
	for (size_t i = 1; i < sizeof(name); i += 2)
		name[i] = '.';
	ck_assert(domains_add(d, span_of(name, DOMAINS_NAME_MAX)));
	ck_assert(!domains_add(d, span_of(name, DOMAINS_NAME_MAX + 2)));
	ck_assert_uint_eq(domains_count(d), 1);
	domains_free(d);
}
END_TEST

/* The gates (2 s, 1 us) are those of a quiet machine; here others may work, and
 * a sanitizer be built in. The numbers are printed. */
START_TEST(a_million_names_are_loaded_and_found_fast)
{
	struct domains *d = domains_new();
	clock_t began = clock();
	uint32_t n_found = 0;
	char name[64];
	double load_s;

	domains_reserve(d, N_MANY);
	for (uint32_t i = 0; i < N_MANY; i++) {
		int len = snprintf(name, sizeof(name),
		    ".host-%x.example%u.test", i * 2654435761u, i % 100);

		(void)domains_add(d, span_of(name, (size_t)len));
	}
	load_s = (double)(clock() - began) / CLOCKS_PER_SEC;
	ck_assert_uint_eq(domains_count(d), N_MANY);
	began = clock();
	for (uint32_t i = 0; i < N_MANY; i++) {
		int len = snprintf(name, sizeof(name),
		    "www.host-%x.example%u.test", i * 2654435761u, i % 50);

		n_found += domains_find(d, span_of(name, (size_t)len));
	}
	printf("a million names: %.2f s, %.0f ns a look\n", load_s,
	    (double)(clock() - began) / CLOCKS_PER_SEC / N_MANY * 1e9);
	ck_assert_uint_eq(n_found, N_MANY / 2);
	ck_assert_msg(load_s < 20, "%f s", load_s);
	domains_free(d);
}
END_TEST

/* What a file's lines are, one behind a '|' each, and what is said. */
static char *
read_all(const char *text, size_t len, enum linefile_tail tail, char *out)
{
	struct diag *d = diag_new();
	struct linefile f;
	char *said;
	span line;

	linefile_open_text(&f, "list", span_of(text, len), tail, d);
	while (linefile_next(&f, &line))
		out += sprintf(out, "%u%.*s|", f.line, SPAN_FMT(line));
	*out = '\0';
	linefile_close(&f);
	said = diag_render(d);
	diag_free(d);
	return said;
}

START_TEST(lines_come_without_comments_and_blanks)
{
	static const char text[] = "\xef\xbb\xbf# a\n one\t\r\n\n two # b\n"
				   "three#c\n\t# d\nlast";
	char out[200];
	char *said = read_all(text, sizeof(text) - 1, LINEFILE_COMMENT, out);

	ck_assert_str_eq(out, "2one|4two|5three#c|7last|");
	ck_assert_str_eq(said, "");
	free(said);
	said = read_all(text, sizeof(text) - 1, LINEFILE_WHOLE, out);
	ck_assert_str_eq(out, "2one|4two # b|5three#c|7last|");
	free(said);
}
END_TEST

START_TEST(lines_that_are_no_text_are_told_where_they_stand)
{
	static const char text[] = "one\ntw\0o\nthree\x7f\nfour\n";
	size_t long_len = LINEFILE_LINE_MAX + 2;
	char *text_long = malloc(long_len);
	char out[200];
	char *said = read_all(text, sizeof(text) - 1, LINEFILE_COMMENT, out);

	ck_assert_str_eq(out, "1one|4four|");
	ck_assert_ptr_nonnull(strstr(said, "list:2:3: error: a control byte"));
	ck_assert_ptr_nonnull(strstr(said, "list:3:6: error: a control byte"));
	free(said);
	ck_assert_ptr_nonnull(text_long);
	memset(text_long, 'a', long_len);
	text_long[long_len - 1] = '\n';
	said = read_all(text_long, long_len, LINEFILE_COMMENT, out);
	ck_assert_str_eq(out, "");
	ck_assert_ptr_nonnull(
	    strstr(said, "list:1:1: error: the line is long"));
	free(said);
	free(text_long);
}
END_TEST

START_TEST(a_file_of_nothing_but_mistakes_is_left_soon)
{
	struct diag *d = diag_new();
	struct linefile f;
	uint32_t n = 0;
	span line;

	linefile_open_text(&f, "list",
	    SPAN_LIT("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\nq\nr\ns\n"
		     "t\nu\nv\nw\n"),
	    LINEFILE_COMMENT, d);
	while (linefile_next(&f, &line)) {
		n++;
		linefile_error(&f, line, "wrong: %.*s", SPAN_FMT(line));
	}
	ck_assert_uint_eq(n, LINEFILE_ERRORS_MAX);
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), LINEFILE_ERRORS_MAX + 1);
	linefile_close(&f);
	diag_free(d);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_told_where_it_is_named)
{
	struct place from = {.line = 7, .col = 3};
	struct diag *d = diag_new();
	struct linefile f;
	char *said;

	from.file = diag_file(d, "conf", span_of(NULL, 0));
	ck_assert(!linefile_open(&f, "/nowhere", LINEFILE_COMMENT, from, d));
	ck_assert(!linefile_open(&f, "/tmp", LINEFILE_COMMENT, from, d));
	said = diag_render(d);
	ck_assert_ptr_nonnull(strstr(
	    said, "conf:7:3: error: /nowhere cannot be opened: No such file"));
	ck_assert_ptr_nonnull(strstr(
	    said, "conf:7:3: error: /tmp cannot be read: Is a directory"));
	free(said);
	diag_free(d);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_name_is_itself_below_it_or_both,
	    what_is_no_name_is_refused,
	    a_million_names_are_loaded_and_found_fast,
	    lines_come_without_comments_and_blanks,
	    lines_that_are_no_text_are_told_where_they_stand,
	    a_file_of_nothing_but_mistakes_is_left_soon,
	    a_file_that_cannot_be_read_is_told_where_it_is_named,
	};

	return unit_run("domains", tests, NELEMS(tests));
}
