/* master/cmd_categories: lists of hosts made into a database of categories. It
 * takes the place of the old one only when it is whole and was read back. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/catdb_build.h"
#include "common/base/check.h"
#include "master/cmd.h"
#include "master/report.h"

/* Anybody may read it: it holds nothing that was secret. */
#define MODE 0644
#define SUFFIX ".XXXXXX"

static const char usage[] =
    "usage: gatehouse categories build OUT [NAME:]LIST ...\n";

/* The category that a list's path tells: `ads` of "/lists/ads.txt". Empty: it
 * is no name of one. */
static span
list_category(const char *path)
{
	span name = span_str(path);
	ptrdiff_t slash = span_rchr(name, '/');
	ptrdiff_t dot;

	name = span_from(name, (size_t)(slash + 1));
	dot = span_rchr(name, '.');
	if (dot > 0)
		name = span_first(name, (size_t)dot);
	return catdb_is_category(name) ? name : span_of(NULL, 0);
}

/* `NAME:PATH` or `PATH`. */
static void
list_read(struct catdb_build *b, const char *word, struct diag *d)
{
	const char *colon = strchr(word, ':');
	const char *path = word;
	struct linefile f;
	span category;

	if (colon != NULL &&
	    catdb_is_category(span_of(word, (size_t)(colon - word)))) {
		path = colon + 1;
		category = span_of(word, (size_t)(colon - word));
	} else {
		category = list_category(path);
	}
	if (!linefile_open(&f, path, LINEFILE_COMMENT, (struct place){0}, d))
		return;
	catdb_build_list(b, &f, category);
	linefile_close(&f);
}

static bool
file_write(int fd, span file)
{
	while (file.len > 0) {
		ssize_t n = write(fd, file.p, file.len);

		if (n < 0)
			return false;
		file = span_from(file, (size_t)n);
	}
	return fchmod(fd, MODE) == 0 && fsync(fd) == 0;
}

/* What lies on the disk now is what workers would read. */
static bool
file_is_good(const char *path)
{
	char why[CATDB_WHY_CAP];
	struct catdb *db = catdb_read(path, why);

	if (db == NULL) {
		(void)fprintf(stderr, "gatehouse: %s: %s\n", path, why);
		return false;
	}
	(void)printf("%u names in %u categories\n", catdb_n_names(db),
	    catdb_n_categories(db));
	catdb_free(db);
	return true;
}

static bool
file_replace(const char *out, span file)
{
	size_t cap = strlen(out) + sizeof(SUFFIX);
	char *path = malloc(cap);
	bool ok = false;
	int fd;

	REQUIRE(path != NULL);
	(void)snprintf(path, cap, "%s" SUFFIX, out);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		ok = report_errno(out);
		free(path);
		return ok;
	}
	if (!file_write(fd, file))
		(void)report_errno(path);
	else if (file_is_good(path))
		ok = rename(path, out) == 0 || report_errno(out);
	if (!ok)
		(void)unlink(path);
	(void)close(fd);
	free(path);
	return ok;
}

static int
categories_build(const char *out, int n_lists, char **lists)
{
	struct catdb_build *b = catdb_build_new();
	struct diag *d = diag_new();
	int rc = EXIT_FAILURE;

	for (int i = 0; i < n_lists; i++)
		list_read(b, lists[i], d);
	if (diag_count(d, DIAG_ERROR) > 0) {
		report_diag(d);
	} else {
		span file = catdb_build_file(b);

		if (file_replace(out, file))
			rc = report_flush();
		free((void *)(uintptr_t)file.p);
	}
	diag_free(d);
	catdb_build_free(b);
	return rc;
}

int
cmd_categories(int argc, char **argv)
{
	bool is_known = argc > 2 && strcmp(argv[0], "build") == 0;

	for (int i = 1; i < argc; i++)
		is_known &= argv[i][0] != '-' && argv[i][0] != '\0';
	if (!is_known) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return categories_build(argv[1], argc - 2, argv + 2);
}
