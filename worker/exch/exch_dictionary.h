/* exch/exch_dictionary: the seam between who keeps answers that are dictionaries for
 * later ones (RFC 9842) and the folder that codes with them. */
#ifndef GH_EXCH_DICTIONARY_H
#define GH_EXCH_DICTIONARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http/dictionary.h"
#include "common/store/objects.h"

struct exch;

/* Bytes of one: zstd knows none that is shorter than 8, and what is longer takes
 * more time and memory to prepare than answers are worth (measured:
 * doc/compression.md). */
#define DICTIONARY_LEN_MIN 8u
#define DICTIONARY_LEN_MAX (2u << 20)

/* One that the client of an exchange has, and so have we. */
struct dictionary {
	unsigned char hash[DICTIONARY_HASH_LEN];
	uint32_t len;
	struct objects_view *view;
	struct obj_ref ref; /* pinned until the exchange ends */
};

/* Look for the one that the request names, and keep it at x->dictionary. false:
 * there is none that may be used for it. */
typedef bool dictionary_find_f(struct exch *x);

/* Its bytes, d->len of them. false: they are not there, or not what the hash
 * says. */
bool dictionary_read(const struct dictionary *d, char *to);
/* `y` has the one of x, too. */
void dictionary_share(struct exch *y, const struct exch *x);
/* The exchange ends. */
void dictionary_end(struct exch *x);

#endif
