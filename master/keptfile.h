/* master/keptfile: files that outlive what is in shared memory: a new one is
 * written under another name, and takes the old one's when it is whole. */
#ifndef GH_KEPTFILE_H
#define GH_KEPTFILE_H

#include <stdbool.h>

#include "common/base/span.h"

/* What a file is called until it is whole. */
#define KEPTFILE_TEMP ".new"

/* The path and more behind it; malloc'd. */
char *keptfile_path(span path, const char *more);
/* Open what was kept, for reading and writing. -1 with errno: EPERM where it is
 * no file of ours that nobody else may write. */
int keptfile_open(const char *path);
/* Begin a new one under its other name, which is one's own alone. -1, errno. */
int keptfile_begin(const char *temp);
/* Whether the name still is the file's that is open: another master may have
 * begun one of its own. false with errno. */
bool keptfile_is_ours(int fd, const char *temp);

#endif
