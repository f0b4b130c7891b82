/* fuzz/replay: a fuzz target without a fuzzer. Feeds it each file of its corpus
 * and each beginning of each file. The corpus is named by the first argument,
 * or it is $srcdir/t/fuzz/corpus/X for a program called replay_X. */
#include "t/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define FILE_MAX ((size_t)64 * 1024)
#define PATH_CAP 4096
/* Beginnings are tried up to this length: the work grows with its square. */
#define PREFIX_MAX 2048

static size_t
read_file(const char *path, uint8_t *out)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	len = fread(out, 1, FILE_MAX, f);
	if (ferror(f) != 0 || len == FILE_MAX) {
		(void)fprintf(stderr, "%s: cannot be read whole\n", path);
		exit(1);
	}
	(void)fclose(f);
	return len;
}

static void
replay_file(const char *path)
{
	uint8_t *data = malloc(FILE_MAX);
	size_t len;

	REQUIRE(data != NULL);
	len = read_file(path, data);
	(void)LLVMFuzzerTestOneInput(data, len);
	for (size_t n = 0; n < len && n < PREFIX_MAX; n++)
		(void)LLVMFuzzerTestOneInput(data, n);
	free(data);
}

static int
replay_dir(const char *dir)
{
	char path[PATH_CAP];
	struct dirent *entry;
	int n = 0;
	DIR *d = opendir(dir);

	if (d == NULL) {
		perror(dir);
		return 1;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		replay_file(path);
		n++;
	}
	(void)closedir(d);
	(void)printf("%s: %d files\n", dir, n);
	return n > 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	const char *src = getenv("srcdir");
	const char *name = strrchr(argv[0], '_');
	char dir[PATH_CAP];

	if (argc > 1)
		return replay_dir(argv[1]);
	if (name == NULL) {
		(void)fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 1;
	}
	(void)snprintf(dir, sizeof(dir), "%s/t/fuzz/corpus/%s",
	    src != NULL ? src : ".", name + 1);
	return replay_dir(dir);
}
