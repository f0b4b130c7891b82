/* base/filelist: see filelist.h. */
#include "common/base/filelist.h"

#include <errno.h>
#include <string.h>

bool
filelist_is_pattern(span word)
{
	return span_chr(word, '*') >= 0 || span_chr(word, '?') >= 0 ||
	       span_chr(word, '[') >= 0;
}

span
filelist_escape(struct arena *a, span dir)
{
	char *out = arena_alloc(a, dir.len * 2 + 1);
	size_t len = 0;

	for (size_t i = 0; i < dir.len; i++) {
		if (strchr("*?[\\", dir.p[i]) != NULL)
			out[len++] = '\\';
		out[len++] = dir.p[i];
	}
	out[len] = '\0';
	return span_of(out, len);
}

static int
list_error(const char *path, int err)
{
	(void)path;
	return err != ENOENT && err != ENOTDIR;
}

enum filelist_rc
filelist_find(const char *pattern, size_t max, glob_t *found)
{
	int rc = glob(pattern, 0, list_error, found);

	if (rc == GLOB_NOMATCH)
		return FILELIST_NONE;
	if (rc != 0)
		return FILELIST_UNREADABLE;
	if (found->gl_pathc <= max)
		return FILELIST_GOOD;
	globfree(found);
	return FILELIST_MANY;
}
