/* base/catdb: a database of the categories of hosts, in one file that was built
 * before (catdb_build): a table over the names, which have a set of categories
 * each. A host has those of the nearest name: its own, or else the longest
 * that it is below. Read at load into one block of memory that nobody can write
 * to, so that children share it. The file is not trusted: each offset in it is
 * looked at before anything is looked up. */
#ifndef GH_CATDB_H
#define GH_CATDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Categories of a database. */
#define CATDB_CATEGORIES_MAX 256u
/* Bytes of a category's name: small letters, digits, '-', '_'. */
#define CATDB_CATEGORY_LEN_MAX 31u
/* Names of hosts in a database. */
#define CATDB_NAMES_MAX (1u << 24)
/* Bytes of a file. */
#define CATDB_FILE_MAX (UINT64_C(1) << 30)
/* Room for a reason, its NUL included. */
#define CATDB_WHY_CAP 128

#define CATSET_WORDS (CATDB_CATEGORIES_MAX / 64)

/* A set of categories, by their numbers. */
struct catset {
	uint64_t bits[CATSET_WORDS];
};

struct catdb;

/* Read a file. NULL: `why` tells what is wrong with it. */
struct catdb *catdb_read(const char *path, char why[CATDB_WHY_CAP]);
/* NULL is allowed. */
void catdb_free(struct catdb *db);

uint32_t catdb_n_names(const struct catdb *db);
uint32_t catdb_n_categories(const struct catdb *db);
/* The name of category i, < catdb_n_categories(); lives as long as db. */
span catdb_category(const struct catdb *db, uint32_t i);
/* The number of a category, or -1. */
int catdb_category_find(const struct catdb *db, span name);

/* The categories of a host, normalized (domains_normalize); NULL: it has none.
 * Lives as long as db. */
const struct catset *catdb_find(const struct catdb *db, span host);

static inline void
catset_add(struct catset *s, uint32_t i)
{
	s->bits[i / 64] |= UINT64_C(1) << i % 64;
}

static inline bool
catset_has(const struct catset *s, uint32_t i)
{
	return (s->bits[i / 64] >> i % 64 & 1) != 0;
}

/* The least number that both have, or -1. */
int catset_common(const struct catset *a, const struct catset *b);

/* Whether a text may be the name of a category. */
bool catdb_is_category(span name);

#endif
