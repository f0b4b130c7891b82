/* store/kept: what the head of an object of a cache holds: the head of an answer,
 * as it is kept, or a mark of a URL. The keys of objects are who keeps them's. */
#ifndef GH_KEPT_H
#define GH_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/http/conditional.h"
#include "common/http/freshness.h"
#include "common/http/msg.h"
#include "common/store/objects.h"

enum kept_kind {
	KEPT_ANSWER,
	/* of the URL: a Vary field for each set of names that selects one, the
	 * newest last, and the ETags of variants under the bytes of their keys
	 */
	KEPT_VARIANTS,
	KEPT_PASS, /* answers of this URL cannot be shared: do not wait */
	KEPT_SLICED, /* an answer whose content is kept in slices */
	KEPT_WHOLE, /* it cannot be had in slices: ask for all of it */
	KEPT_CODED, /* content of an ANSWER in a coding; see cache_code */
	KEPT_DICTIONARY /* content of an answer that was; see cache_dictionary */
};

/* A head, read out of an object; text lies in the copy that was made of it. */
struct kept {
	enum kept_kind kind;
	uint16_t status;
	enum http_version version; /* the origin's */
	struct freshness fresh;
	uint64_t epoch; /* VARIANTS: part of their keys; ANSWER: of the keys of
	                   its codings, 0: it has none */
	int64_t until_ms; /* PASS, WHOLE: CLOCK_REALTIME */
	uint64_t complete_len; /* SLICED: bytes of all slices */
	uint64_t slice; /* SLICED: bytes of each but the last */
	struct obj_key base; /* SLICED: under which this stands */
	struct http_fields fields;
};

/* Sets of names under one URL, and variants whose tags are remembered. */
#define KEPT_SETS_MAX 4
#define KEPT_TAGS_MAX (CONDITION_TAGS_MAX - 1)

/* As bytes in the arena; empty when it is larger than an object's head may
 * be. */
span kept_write(const struct kept *k, struct arena *a);
/* Fields are made in the arena, their text is borrowed from `bytes`. false: the
 * bytes are not what kept_write() made. */
bool kept_read(span bytes, struct arena *a, struct kept *out);

/* Whether it can answer a request. */
static inline bool
kept_is_answer(const struct kept *k)
{
	return k->kind == KEPT_ANSWER || k->kind == KEPT_SLICED;
}

#endif
