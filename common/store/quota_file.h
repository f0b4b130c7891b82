/* store/quota_file: what has been used, as a file has it: a line that tells
 * what it is, a line `DAY USED NAME` for each name, in the order of their bytes, and
 * a line that tells how many those were. In a name all but plain ASCII, blanks
 * and '%' is %XX. There is one way to write a thing: anything else is refused.
 */
#ifndef GH_QUOTA_FILE_H
#define GH_QUOTA_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/store/quotas.h"

/* Bytes of a line: two numbers, and a name of which all is written so. */
#define QUOTA_LINE_MAX (3 * QUOTA_NAME_MAX + 64)
/* Bytes of a whole file. */
#define QUOTA_FILE_MAX ((size_t)(QUOTAS_MAX + 2) * QUOTA_LINE_MAX)

typedef void quota_file_f(void *self, const struct quota *q);

/* Judge a whole file, and only when all of it is good tell fn of each name.
 * NULL, or what is wrong with *line (the first is 1). */
const char *quota_file_read(
    span text, quota_file_f *fn, void *self, uint32_t *line);

/* The file of so many, which are sorted for it; what no file may hold, or holds
 * already, is left out. Returns it, malloc'd, with its length. */
char *quota_file_write(struct quota *all, uint32_t n, size_t *len);

#endif
