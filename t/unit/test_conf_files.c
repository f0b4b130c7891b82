/* Files: includes, their order and bounds, relative paths, secrets. */
#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

#define ALL_PARTS 10

/* A fresh folder; its real path. */
struct folder {
	char path[PATH_MAX];
};

static struct folder
folder_new(void)
{
	char name[] = "/tmp/gh-conf-XXXXXX";
	struct folder f;

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_ptr_nonnull(realpath(name, f.path));
	return f;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *state)
{
	(void)st;
	(void)flag;
	(void)state;
	return remove(path);
}

static void
folder_free(const struct folder *f)
{
	ck_assert_int_eq(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void
put_bytes(
    const struct folder *f, const char *name, const char *text, size_t len)
{
	char path[PATH_MAX + 100];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(text, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

static void
put(const struct folder *f, const char *name, const char *text)
{
	put_bytes(f, name, text, strlen(text));
}

static void
put_folder(const struct folder *f, const char *name)
{
	char path[PATH_MAX + 100];

	(void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static struct conf_tree *
load(const struct folder *f, const char *name, unsigned part, struct diag *d)
{
	char path[PATH_MAX + 100];

	(void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return conf_load_part(path, NULL, span_of(NULL, 0), part, d);
}

static struct loaded
must_load(const struct folder *f, const char *name)
{
	struct loaded l = {.d = diag_new()};

	l.tree = load(f, name, CONF_PART, l.d);
	if (l.tree == NULL) {
		char *why = diag_render(l.d);

		ck_abort_msg("%s", why);
	}
	return l;
}

/* What is said, with the folder's name taken out. */
static char *
refusal_of(const struct folder *f, const char *name, unsigned part)
{
	struct diag *d = diag_new();
	char *said;
	char *at;
	size_t len = strlen(f->path) + 1;

	ck_assert_ptr_null(load(f, name, part, d));
	said = conf_problems(d);
	while ((at = strstr(said, f->path)) != NULL)
		memmove(at, at + len, strlen(at + len) + 1);
	diag_free(d);
	return said;
}

static void
check_said(const struct folder *f, const char *name, const char *expected)
{
	char *said = refusal_of(f, name, CONF_PART);

	ck_assert_str_eq(said, expected);
	free(said);
}

START_TEST(included_files_are_read_in_their_place)
{
	struct folder f = folder_new();
	struct loaded l;
	const struct conf_section *s;
	static const char *const order[] = {"a", "b", "c", "d"};

	put_folder(&f, "conf.d");
	put(&f, "main.ini",
	    "[global]\ninclude = conf.d/*.ini none-*.ini\nworkers = 3\n"
	    "[site d]\nrespond = 200 d\n");
	put(&f, "conf.d/2.ini", "[site b]\nrespond = 200 b\n");
	put(&f, "conf.d/1.ini", "; first\n\n[site a]\nrespond = 200 a");
	put(&f, "conf.d/3.ini",
	    "[site c]\nrespond = 200 c\n[global]\ninclude = ../log.ini\n");
	put(&f, "conf.d/4.txt", "nothing to read");
	put(&f, "log.ini", "[log access]\npath = logs/a\n");
	l = must_load(&f, "main.ini");
	s = conf_first(l.tree, CONF_SITE);
	for (size_t i = 0; i < NELEMS(order); i++, s = s->next)
		ck_assert_span(s->name, order[i]);
	ck_assert_ptr_null(s);
	/* the key behind the include is [global]'s still */
	ck_assert_int_eq(
	    conf_first(l.tree, CONF_GLOBAL)->first[KEY_GLOBAL_WORKERS]->num, 3);
	ck_assert_ptr_null(conf_first(l.tree, CONF_GLOBAL)->next);
	loaded_free(&l);
	folder_free(&f);
}
END_TEST

START_TEST(messages_cite_the_real_file)
{
	struct folder f = folder_new();

	put(&f, "main.ini",
	    "[global]\ninclude = b.ini c.ini\n[site s]\nrespond = 200\n");
	put(&f, "b.ini", "websocket = on\n[site s]\nrespond = 300\n");
	put(&f, "c.ini",
	    "[site t]\nupstream = apq\n[upstream app]\n"
	    "server = x:1\nserver = y:1 z\n");
	check_said(&f, "main.ini",
	    "main.ini:3:1: [site s] stands twice, first in b.ini:2\n"
	    "b.ini:1:1: 'websocket' stands before any [section]; an included "
	    "file begins with one\n"
	    "c.ini:2:12: [site t]: upstream 'apq' is not defined; did you mean "
	    "'app' (line 3)?\n"
	    "c.ini:5:14: server: unknown option 'z'\n");
	folder_free(&f);
}
END_TEST

START_TEST(a_cycle_is_refused)
{
	struct folder f = folder_new();

	put(&f, "a.ini",
	    "[global]\ninclude = b.ini\n[site s]\nrespond = 200\n");
	put(&f, "b.ini", "[global]\ninclude = [a].ini\n");
	check_said(&f, "a.ini",
	    "b.ini:2:11: include: a cycle: 'a.ini' is being read already\n");
	put(&f, "c.ini", "[global]\ninclude = c.ini\n");
	check_said(&f, "c.ini",
	    "c.ini:2:11: include: a cycle: 'c.ini' is being read already\n");
	folder_free(&f);
}
END_TEST

START_TEST(depth_is_bounded)
{
	struct folder f = folder_new();
	char name[20];
	char text[60];

	for (int i = 0; i <= CONF_DEPTH_MAX; i++) {
		(void)sprintf(name, "%d.ini", i);
		(void)sprintf(text, "[global]\ninclude = %d.ini\n", i + 1);
		put(&f, name, text);
	}
	(void)sprintf(name, "%d.ini", CONF_DEPTH_MAX + 1);
	put(&f, name, "[site s]\nrespond = 200\n");
	check_said(&f, "0.ini",
	    "16.ini:2:11: include: files include each other more than 16 deep "
	    "at '17.ini'\n");
	{
		struct loaded l = must_load(&f, "1.ini");

		ck_assert_ptr_nonnull(conf_first(l.tree, CONF_SITE));
		loaded_free(&l);
	}
	folder_free(&f);
}
END_TEST

START_TEST(what_cannot_be_read_is_named)
{
	struct folder f = folder_new();
	char fifo[PATH_MAX + 10];

	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", f.path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	put_folder(&f, "sub");
	put(&f, "a.ini",
	    "[global]\ninclude = gone.ini sub fifo\n[site s]\nrespond = 1\n");
	check_said(&f, "a.ini",
	    "a.ini:2:11: cannot read 'gone.ini': No such file or directory\n"
	    "a.ini:2:20: cannot read 'sub': Is a directory\n"
	    "a.ini:2:24: cannot read 'fifo': not a regular file\n"
	    "a.ini:4:11: respond = 1: expected a status from 200 to 599, then "
	    "a text if wanted\n");
	folder_free(&f);
}
END_TEST

START_TEST(the_first_file_must_be_there)
{
	struct folder f = folder_new();
	struct diag *d = diag_new();
	char *said;

	ck_assert_ptr_null(load(&f, "none.ini", CONF_PART, d));
	said = diag_render(d);
	ck_assert_ptr_nonnull(strstr(said, "none.ini': No such file"));
	ck_assert_uint_eq(diag_count(d, DIAG_ERROR), 1);
	free(said);
	diag_free(d);
	folder_free(&f);
}
END_TEST

START_TEST(a_file_that_is_too_large_is_refused)
{
	struct folder f = folder_new();
	char path[PATH_MAX + 10];

	put(&f, "a.ini", "[global]\ninclude = b.ini\n");
	put(&f, "b.ini", "");
	(void)snprintf(path, sizeof(path), "%s/b.ini", f.path);
	ck_assert_int_eq(truncate(path, CONF_FILE_MAX + 1), 0);
	check_said(&f, "a.ini",
	    "a.ini:2:11: cannot read 'b.ini': the file is too large\n");
	folder_free(&f);
}
END_TEST

START_TEST(paths_are_relative_to_their_file)
{
	struct folder f = folder_new();
	struct loaded l;
	char expected[PATH_MAX + 100];
	const struct conf_section *s;

	put_folder(&f, "sub");
	put(&f, "a.ini",
	    "[global]\ninclude = sub/b.ini\nerror_log = stderr\n"
	    "[site s]\nrespond = 200\n[log a]\npath = a.log\n");
	put(&f, "sub/b.ini", "[log b]\npath = b.log\n[log c]\npath = /c.log\n");
	l = must_load(&f, "a.ini");
	s = conf_section(l.tree, CONF_LOG, SPAN_LIT("a"));
	(void)snprintf(expected, sizeof(expected), "%s/a.log", f.path);
	ck_assert_span(s->first[KEY_LOG_PATH]->text, expected);
	s = conf_section(l.tree, CONF_LOG, SPAN_LIT("b"));
	(void)snprintf(expected, sizeof(expected), "%s/sub/b.log", f.path);
	ck_assert_span(s->first[KEY_LOG_PATH]->text, expected);
	s = conf_section(l.tree, CONF_LOG, SPAN_LIT("c"));
	ck_assert_span(s->first[KEY_LOG_PATH]->text, "/c.log");
	s = conf_first(l.tree, CONF_GLOBAL);
	ck_assert_span(s->first[KEY_GLOBAL_ERROR_LOG]->text, "stderr");
	loaded_free(&l);
	folder_free(&f);
}
END_TEST

START_TEST(a_byte_order_mark_may_begin_each_file)
{
	struct folder f = folder_new();
	struct loaded l;

	put(&f, "a.ini", "\xef\xbb\xbf[global]\ninclude = b.ini\n");
	put(&f, "b.ini", "\xef\xbb\xbf[site s]\nrespond = 200\n");
	l = must_load(&f, "a.ini");
	ck_assert_uint_eq(conf_first(l.tree, CONF_SITE)->at.col, 1);
	loaded_free(&l);
	put(&f, "b.ini", "\xff\xfe[\0s\0");
	check_said(&f, "a.ini", "b.ini:1:1: not UTF-8\n");
	folder_free(&f);
}
END_TEST

static struct conf_value *
secret_of(const struct loaded *l)
{
	return conf_first(l->tree, CONF_AUTH)->first[KEY_AUTH_SECRET];
}

START_TEST(secrets_are_read_and_never_shown)
{
	struct folder f = folder_new();
	struct loaded l = {.d = diag_new()};
	char *dump;

	put(&f, "a.ini", "[auth a]\nsecret = file:key\n");
	put(&f, "key", "sesame open\r\n");
	l.tree = load(&f, "a.ini", ALL_PARTS, l.d);
	ck_assert_ptr_nonnull(l.tree);
	ck_assert_span(secret_of(&l)->text, "sesame open");
	dump = conf_dumped(l.tree);
	ck_assert_ptr_null(strstr(dump, "sesame"));
	ck_assert_ptr_nonnull(strstr(dump, "secret = file:/"));
	free(dump);
	loaded_free(&l);

	l = conf_must_load_part("[auth a]\nsecret = sesame\n", ALL_PARTS);
	ck_assert_span(secret_of(&l)->text, "sesame");
	dump = conf_dumped(l.tree);
	ck_assert_ptr_null(strstr(dump, "sesame"));
	ck_assert_ptr_nonnull(strstr(dump, "secret = ***"));
	free(dump);
	loaded_free(&l);

	l = conf_must_load_part(
	    "[site a.test]\nrespond = 200 x\n"
	    "request_header = authorization: Bearer sesame\n"
	    "request_header = +Cookie:  a=sesame\n"
	    "request_header = -X-Api-Key\n"
	    "request_header = X-Other: plain\n",
	    ALL_PARTS);
	dump = conf_dumped(l.tree);
	ck_assert_ptr_null(strstr(dump, "sesame"));
	ck_assert_ptr_nonnull(
	    strstr(dump, "request_header = authorization: ***\n"));
	ck_assert_ptr_nonnull(strstr(dump, "request_header = +Cookie:  ***\n"));
	ck_assert_ptr_nonnull(strstr(dump, "request_header = -X-Api-Key\n"));
	ck_assert_ptr_nonnull(
	    strstr(dump, "request_header = X-Other: plain\n"));
	free(dump);
	loaded_free(&l);
	folder_free(&f);
}
END_TEST

START_TEST(a_secret_must_be_there)
{
	struct folder f = folder_new();
	char *large = calloc(1, CONF_SECRET_MAX + 1);
	static const struct {
		const char *file;
		const char *said;
	} rows[] = {
	    {"empty", "a.ini:2:10: 'empty' is empty\n"},
	    {"line", "a.ini:2:10: 'line' is empty\n"},
	    {"nul", "a.ini:2:10: 'nul' holds a NUL byte\n"},
	    {"large", "a.ini:2:10: cannot read 'large': the file is too "
		      "large\n"},
	    {"gone", "a.ini:2:10: cannot read 'gone': No such file or "
		     "directory\n"},
	};

	ck_assert_ptr_nonnull(large);
	put(&f, "empty", "");
	put(&f, "line", "\n");
	put_bytes(&f, "nul", "a\0b", 3);
	put_bytes(&f, "large", large, CONF_SECRET_MAX + 1);
	free(large);
	for (size_t i = 0; i < NELEMS(rows); i++) {
		char text[100];
		char *said;

		(void)sprintf(
		    text, "[auth a]\nsecret = file:%s\n", rows[i].file);
		put(&f, "a.ini", text);
		said = refusal_of(&f, "a.ini", ALL_PARTS);
		ck_assert_str_eq(said, rows[i].said);
		free(said);
	}
	folder_free(&f);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    included_files_are_read_in_their_place,
	    messages_cite_the_real_file,
	    a_cycle_is_refused,
	    depth_is_bounded,
	    what_cannot_be_read_is_named,
	    the_first_file_must_be_there,
	    a_file_that_is_too_large_is_refused,
	    paths_are_relative_to_their_file,
	    a_byte_order_mark_may_begin_each_file,
	    secrets_are_read_and_never_shown,
	    a_secret_must_be_there,
	};

	return unit_run("conf_files", tests, NELEMS(tests));
}
