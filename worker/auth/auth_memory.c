/* auth/auth_memory: what was found out about credentials, for a while. Neither
 * names nor passwords are in it. A table of rows in which the entry that ends
 * first makes room. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/auth/auth_int.h"

#define MEMORY_ROWS 2048u /* a power of two */
#define MEMORY_WAYS 4u

struct memory_entry {
	struct auth_key key;
	uint64_t until_ms; /* 0: empty */
	bool is_good;
};

struct auth_memory {
	struct memory_entry at[MEMORY_ROWS][MEMORY_WAYS];
};

struct auth_memory *
auth_memory_new(void)
{
	struct auth_memory *m = calloc(1, sizeof(*m));

	REQUIRE(m != NULL);
	return m;
}

void
auth_memory_free(struct auth_memory *m)
{
	free(m);
}

bool
auth_memory_find(const struct auth_memory *m, const struct auth_key *k,
    uint64_t now_ms, bool *is_good)
{
	const struct memory_entry *row = m->at[k->hash[0] % MEMORY_ROWS];

	for (unsigned i = 0; i < MEMORY_WAYS; i++) {
		if (!auth_key_eq(&row[i].key, k) || row[i].until_ms <= now_ms)
			continue;
		*is_good = row[i].is_good;
		return true;
	}
	return false;
}

void
auth_memory_put(struct auth_memory *m, const struct auth_key *k,
    uint64_t until_ms, bool is_good)
{
	struct memory_entry *row = m->at[k->hash[0] % MEMORY_ROWS];
	struct memory_entry *to = &row[0];

	for (unsigned i = 0; i < MEMORY_WAYS; i++) {
		if (auth_key_eq(&row[i].key, k)) {
			to = &row[i];
			break;
		}
		if (row[i].until_ms < to->until_ms)
			to = &row[i];
	}
	*to = (struct memory_entry){*k, until_ms, is_good};
}
