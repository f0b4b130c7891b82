/* Unit tests of base/catdb and base/catdb_build: categories of hosts, the lists
 * they come from and the file between. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/catdb_build.h"
#include "common/base/catdb_int.h"
#include "common/base/check.h"
#include "common/base/domains.h"
#include "t/unit/unit.h"

#define N_MANY 1000000u
#define TEXT_CAP 512

static struct catdb db;
static span file;
static char *said;

static void
teardown(void)
{
	free((void *)(uintptr_t)file.p);
	file = span_of(NULL, 0);
	free(said);
	said = NULL;
}

/* The database of a list, and what is said about its lines. */
static void
build(const char *text)
{
	struct catdb_build *b = catdb_build_new();
	struct diag *d = diag_new();
	char why[CATDB_WHY_CAP];
	struct linefile f;

	teardown();
	linefile_open_text(&f, "list", span_str(text), LINEFILE_COMMENT, d);
	catdb_build_list(b, &f, SPAN_LIT("own"));
	linefile_close(&f);
	said = diag_render(d);
	diag_free(d);
	file = catdb_build_file(b);
	ck_assert_uint_eq(catdb_build_n_names(b),
	    ((struct catdb_head *)((uintptr_t)file.p))->n_names);
	catdb_build_free(b);
	ck_assert_msg(catdb_view(&db, file, why), "%s", why);
}

/* "a b" */
static const char *
categories_of(const char *host)
{
	static char out[TEXT_CAP];
	char name[DOMAINS_NAME_MAX];
	size_t len = domains_normalize(span_str(host), name);
	const struct catset *s = catdb_find(&db, span_of(name, len));
	size_t at = 0;

	out[0] = '\0';
	for (uint32_t i = 0; s != NULL && i < catdb_n_categories(&db); i++)
		if (catset_has(s, i))
			at += (size_t)snprintf(out + at, sizeof(out) - at,
			    "%s%.*s", at > 0 ? " " : "",
			    SPAN_FMT(catdb_category(&db, i)));
	return out;
}

START_TEST(a_host_has_the_categories_of_the_nearest_name)
{
	static const struct {
		const char *host;
		const char *categories;
	} rows[] = {
	    {"x.com", "ads tracking"},
	    {"X.COM.", "ads tracking"},
	    {"a.b.x.com", "ads tracking"},
	    {"news.x.com", "press"},
	    {"a.news.x.com", "press"},
	    {"xnews.x.com", "ads tracking"},
	    {"ax.com", ""},
	    {"com", ""},
	    {"plain.test", "own"},
	    {"www.plain.test", "own"},
	    {"dot.test", "own"},
	    {"a.dot.test", "own"},
	    {"hosts.test", "own ads"},
	    {"second.test", "own"},
	    {"localhost", ""},
	    {"192.0.2.7", "own"},
	    {"2001:db8::1", "own"},
	    {"2001:db8::2", ""},
	    {"7", ""},
	    {"", ""},
	};

	build("plain.test\n"
	      "x.com ads tracking\n"
	      "news.x.com press # c\n"
	      ".dot.test\n"
	      "127.0.0.1 localhost\n"
	      "fe80::1%lo0 localhost\n"
	      "0.0.0.0 hosts.test second.test\n"
	      "hosts.test ads\n"
	      "hosts.test ads\n"
	      "192.0.2.7\n"
	      "2001:DB8:0::1\n");
	ck_assert_str_eq(said, "");
	ck_assert_uint_eq(catdb_n_names(&db), 8);
	ck_assert_uint_eq(catdb_n_categories(&db), 4);
	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(strcmp(categories_of(rows[i].host),
				  rows[i].categories) == 0,
		    "%s: %s", rows[i].host, categories_of(rows[i].host));
	ck_assert_int_eq(catdb_category_find(&db, SPAN_LIT("press")), 3);
	ck_assert_int_eq(catdb_category_find(&db, SPAN_LIT("pres")), -1);
}
END_TEST

START_TEST(what_is_wrong_in_a_list_is_told_at_its_line)
{
	static const struct {
		const char *line;
		const char *said;
	} rows[] = {
	    {"a..b", "list:1:1: error: 'a..b': it is no name of a host"},
	    {"*.x.com", "list:1:1: error: '*.x.com': it is no name"},
	    {"x.com Ads", "list:1:1: error: 'x.com': the category is no word"},
	    {"x.com ads,press", "the category is no word"},
	    {"x.com a2345678901234567890123456789012", "is no word of at most"},
	    {"x.1", "it is no name of a host"},
	    {"1", "it is no name of a host"},
	    {"0.0.0.0 a b!", "list:1:11: error: 'b!': it is no name"},
	    {"192.0.2.1 ads", "list:1:1: error: the address leads somewhere"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		build(rows[i].line);
		ck_assert_msg(strstr(said, rows[i].said) != NULL, "%s: %s",
		    rows[i].line, said);
	}
}
END_TEST

START_TEST(a_list_without_a_category_needs_one_in_each_line)
{
	struct catdb_build *b = catdb_build_new();
	struct diag *d = diag_new();
	struct linefile f;

	linefile_open_text(
	    &f, "list", SPAN_LIT("a.test ads\nb.test\n"), LINEFILE_COMMENT, d);
	catdb_build_list(b, &f, span_of(NULL, 0));
	linefile_close(&f);
	said = diag_render(d);
	ck_assert_ptr_nonnull(
	    strstr(said, "list:2:1: error: the list has no category"));
	ck_assert_uint_eq(catdb_build_n_names(b), 1);
	diag_free(d);
	catdb_build_free(b);
}
END_TEST

START_TEST(there_are_256_categories_and_no_more)
{
	struct catdb_build *b = catdb_build_new();
	char why[CATDB_WHY_CAP];
	char category[16];

	for (unsigned i = 0; i < CATDB_CATEGORIES_MAX; i++) {
		(void)snprintf(category, sizeof(category), "c%u", i);
		ck_assert_ptr_null(
		    catdb_build_add(b, SPAN_LIT("x.com"), span_str(category)));
	}
	ck_assert_str_eq(
	    catdb_build_add(b, SPAN_LIT("x.com"), SPAN_LIT("more")),
	    "there are more than 256 categories");
	file = catdb_build_file(b);
	catdb_build_free(b);
	ck_assert(catdb_view(&db, file, why));
	ck_assert_uint_eq(catdb_n_categories(&db), CATDB_CATEGORIES_MAX);
	ck_assert(catset_has(catdb_find(&db, SPAN_LIT("x.com")), 255));
}
END_TEST

/* Each byte of it changed, and each end of it cut. */
START_TEST(a_file_that_was_changed_is_refused)
{
	char why[CATDB_WHY_CAP];
	char *bytes;

	build("a.test\nb.test ads\n");
	bytes = (char *)(uintptr_t)file.p;
	for (size_t i = 0; i < file.len; i++) {
		bytes[i] ^= 1;
		ck_assert_msg(!catdb_view(&db, file, why), "%zu", i);
		bytes[i] ^= 1;
		ck_assert_msg(
		    !catdb_view(&db, span_first(file, i), why), "%zu", i);
	}
	ck_assert(catdb_view(&db, file, why));
}
END_TEST

/* One byte changed by somebody who mends the checksum: either it is told, or
 * nothing outside of the file is looked at. */
START_TEST(a_file_that_was_made_up_is_not_believed)
{
	uint32_t n_refused = 0;
	char why[CATDB_WHY_CAP];
	struct catdb_head *h;

	build("a.test\nb.test ads\nc.d.test press\n");
	h = (struct catdb_head *)(uintptr_t)file.p;
	for (size_t i = offsetof(struct catdb_head, version); i < file.len;
	     i++) {
		static const unsigned char changes[] = {0x01, 0x80, 0xff};

		for (size_t k = 0; k < sizeof(changes); k++) {
			((char *)h)[i] ^= (char)changes[k];
			h->checksum = catdb_checksum(file);
			if (catdb_view(&db, file, why))
				(void)categories_of("x.c.d.test");
			else
				n_refused++;
			((char *)h)[i] ^= (char)changes[k];
		}
	}
	ck_assert_uint_gt(n_refused, (file.len - sizeof(*h)) / 2);
}
END_TEST

static const char *
refusal(const char *text, size_t len)
{
	static char why[CATDB_WHY_CAP];
	char path[] = "/tmp/gh-catdb-XXXXXX";
	int fd = mkstemp(path);
	struct catdb *read_db;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	(void)close(fd);
	read_db = catdb_read(path, why);
	ck_assert_int_eq(unlink(path), 0);
	if (read_db == NULL)
		return why;
	ck_assert_uint_eq(catdb_n_names(read_db), 1);
	ck_assert_ptr_nonnull(catdb_find(read_db, SPAN_LIT("b.a.test")));
	catdb_free(read_db);
	return "";
}

START_TEST(a_file_is_read_or_it_is_told_why_not)
{
	struct catdb_head *h;
	char why[CATDB_WHY_CAP];
	static char other[200];

	build("a.test\n");
	ck_assert_str_eq(refusal(file.p, file.len), "");
	ck_assert_ptr_nonnull(strstr(refusal("", 0), "too short"));
	ck_assert_ptr_nonnull(
	    strstr(refusal(other, sizeof(other)), "no database of"));
	ck_assert_ptr_nonnull(
	    strstr(refusal(file.p, file.len - 1), "another length"));
	h = (struct catdb_head *)(uintptr_t)file.p;
	h->checksum++;
	ck_assert_str_eq(refusal(file.p, file.len),
	    "it is damaged: its checksum is another");
	h->version++;
	ck_assert_ptr_nonnull(
	    strstr(refusal(file.p, file.len), "it has version 2, and"));
	ck_assert_ptr_null(catdb_read("/nowhere", why));
	ck_assert_str_eq(why, strerror(ENOENT));
	ck_assert_ptr_null(catdb_read("/dev/null", why));
	ck_assert_str_eq(why, "it is no file");
	catdb_free(NULL);
}
END_TEST

/* The gate (1 us) is that of a quiet machine; here others may work, and a
 * sanitizer be built in. The numbers are printed. */
START_TEST(a_million_names_are_looked_up_fast)
{
	struct catdb_build *b = catdb_build_new();
	char why[CATDB_WHY_CAP];
	clock_t began = clock();
	uint32_t n_found = 0;
	char name[64];
	double view_s;
	double build_s;

	for (uint32_t i = 0; i < N_MANY; i++) {
		int len = snprintf(name, sizeof(name), "host-%x.example%u.test",
		    i * 2654435761u, i % 100);

		(void)catdb_build_add(b, span_of(name, (size_t)len),
		    i % 3 == 0 ? SPAN_LIT("ads") : SPAN_LIT("press"));
	}
	file = catdb_build_file(b);
	catdb_build_free(b);
	build_s = (double)(clock() - began) / CLOCKS_PER_SEC;
	began = clock();
	ck_assert_msg(catdb_view(&db, file, why), "%s", why);
	view_s = (double)(clock() - began) / CLOCKS_PER_SEC;
	ck_assert_uint_eq(catdb_n_names(&db), N_MANY);
	began = clock();
	for (uint32_t i = 0; i < N_MANY; i++) {
		int len = snprintf(name, sizeof(name),
		    "www.host-%x.example%u.test", i * 2654435761u, i % 50);

		n_found += catdb_find(&db, span_of(name, (size_t)len)) != NULL;
	}
	printf("a million names: built in %.2f s, %zu bytes, looked through in "
	       "%.2f s, %.0f ns a look\n",
	    build_s, file.len, view_s,
	    (double)(clock() - began) / CLOCKS_PER_SEC / N_MANY * 1e9);
	ck_assert_uint_eq(n_found, N_MANY / 2);
	ck_assert_msg(view_s < 20, "%f s", view_s);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_host_has_the_categories_of_the_nearest_name,
	    what_is_wrong_in_a_list_is_told_at_its_line,
	    a_list_without_a_category_needs_one_in_each_line,
	    there_are_256_categories_and_no_more,
	    a_file_that_was_changed_is_refused,
	    a_file_that_was_made_up_is_not_believed,
	    a_file_is_read_or_it_is_told_why_not,
	    a_million_names_are_looked_up_fast,
	};

	return unit_run_in("catdb", tests, NELEMS(tests), teardown, teardown);
}
