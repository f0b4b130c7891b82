/* base/catdb_build: lists of hosts made into the file that base/catdb reads.
 * Offline work of the command line. */
#ifndef GH_CATDB_BUILD_H
#define GH_CATDB_BUILD_H

#include "common/base/catdb.h"
#include "common/base/linefile.h"

struct catdb_build;

struct catdb_build *catdb_build_new(void);
void catdb_build_free(struct catdb_build *b);

/* Give the host `name` (`.name` says the same), and all below that has no
 * nearer name, a category more. NULL, or what is wrong: a constant. */
const char *catdb_build_add(struct catdb_build *b, span name, span category);
/* All lines of a list: a name, which gets `category` (empty: that is a mistake
 * of the line); a name and its categories; or an address and names, as in
 * hosts(5), which get `category`. Problems are told at the lines. */
void catdb_build_list(struct catdb_build *b, struct linefile *f, span category);
uint32_t catdb_build_n_names(const struct catdb_build *b);
/* The bytes of the file; malloc'd, the caller frees. Adding goes on behind it
 * if it must. */
span catdb_build_file(const struct catdb_build *b);

#endif
