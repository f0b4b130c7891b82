/* base/filelist: the files that a pattern of a configuration names. */
#ifndef GH_FILELIST_H
#define GH_FILELIST_H

#include <glob.h>
#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/span.h"

enum filelist_rc {
	FILELIST_GOOD,
	FILELIST_NONE, /* a folder that is not there has no files */
	FILELIST_MANY,
	FILELIST_UNREADABLE
};

/* Whether the word is more than a name. */
bool filelist_is_pattern(span word);
/* A folder as the beginning of a pattern, whatever its name holds; a NUL behind
 * it that is not counted. */
span filelist_escape(struct arena *a, span dir);
/* Find at most `max`, in order of their names; the caller frees them by
 * globfree() when it is good. */
enum filelist_rc filelist_find(const char *pattern, size_t max, glob_t *found);

#endif
