/* exch/exch_dictionary: a dictionary that an exchange has pinned. Its bytes are read
 * out of shared memory that any worker may have spoiled: they are what the hash
 * says, or they are not used. */
#include "worker/exch/exch_dictionary.h"

#include <string.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "worker/exch/exch.h"

bool
dictionary_read(const struct dictionary *d, char *to)
{
	unsigned char hash[DICTIONARY_HASH_LEN];
	uint64_t at = 0;

	while (at < d->len) {
		struct iovec iov;
		uint64_t bytes;

		if (objects_body(
			d->view, d->ref, at, d->len - at, &iov, 1, &bytes) == 0)
			return false;
		memcpy(to + at, iov.iov_base, bytes);
		at += bytes;
	}
	REQUIRE(EVP_Digest(to, d->len, hash, NULL, EVP_sha256(), NULL) == 1);
	return memcmp(hash, d->hash, sizeof(hash)) == 0;
}

void
dictionary_share(struct exch *y, const struct exch *x)
{
	struct dictionary *d;

	if (x->dictionary == NULL)
		return;
	d = arena_alloc(&y->arena, sizeof(*d));
	*d = *x->dictionary;
	objects_pin(d->view, d->ref);
	y->dictionary = d;
}

void
dictionary_end(struct exch *x)
{
	if (x->dictionary != NULL)
		objects_unpin(x->dictionary->view, x->dictionary->ref);
	x->dictionary = NULL;
}
