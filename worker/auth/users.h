/* auth/users: a [users]: names with hashed passwords, as htpasswd(1) writes
 * them, and groups. Read once, before any worker is born. */
#ifndef GH_USERS_H
#define GH_USERS_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/map.h"
#include "common/base/siphash.h"
#include "common/base/vec.h"
#include "common/conf/conf.h"
#include "worker/auth/auth_file.h"

/* Somebody that a file knows. */
struct users_entry {
	span name;
	span hash; /* empty: only a group names it */
	struct vec groups; /* of span */
	const span *group_names; /* the same, as identities have them */
};

struct users {
	span name;
	struct place at;
	struct map by_name; /* struct users_entry */
	struct vec entries; /* those with a hash, in file order */
	bool has_groups; /* somebody is in one */
	struct sipkey key; /* which of them stands for an unknown name */
};

/* From a [users] section. Never NULL; problems go to d, with file and line of
 * the users' files in their text. The arena must live as long as it. */
struct users *users_prepare(const struct conf_tree *t,
    const struct conf_section *s, struct arena *a, struct diag *d);
/* Give back what is not in the arena; NULL is allowed. */
void users_fini(struct users *u);

/* Read the text of such a file, which may be anything. The text and the entries
 * must live as long as u. */
void users_read_passwords(
    struct users *u, const struct auth_file *f, span text);
void users_read_groups(struct users *u, const struct auth_file *f, span text);

/* An empty one. */
void users_init(struct users *u);
/* NULL: the name is not known. */
const struct users_entry *users_find(const struct users *u, span name);
/* The hash to verify a password of this name with. For an unknown name it is
 * another user's, always the same one, so that it takes as long as for one that
 * is known. Empty: there is no user at all. */
span users_hash(const struct users *u, span name);

#endif
