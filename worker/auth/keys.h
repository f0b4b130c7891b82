/* auth/keys: a file of API keys: `name:SHA-256 in hexadecimal` a line. A key
 * has to be random and long, so that a fast hash is enough. */
#ifndef GH_KEYS_H
#define GH_KEYS_H

#include "common/base/map.h"
#include "worker/auth/auth_file.h"

/* Bytes of a SHA-256. */
#define KEYS_HASH_LEN 32u

struct keys {
	struct map by_hash; /* span: the name; keys are hashes as bytes */
};

void keys_init(struct keys *k);
void keys_fini(struct keys *k);
/* Read the text of such a file; text and entries must live as long as k. */
void keys_read(struct keys *k, const struct auth_file *f, span text);
/* Whose key it is; empty: nobody's. The time that takes says nothing of any
 * key, because it depends on a hash that nobody can choose. */
span keys_find(const struct keys *k, span key);

#endif
