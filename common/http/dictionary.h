/* http/dictionary: what the fields of Compression Dictionary Transport say (RFC
 * 9842): which later requests an answer wants to be a dictionary for, and which
 * dictionary a client has. Pure; memory comes from the caller's arena. */
#ifndef GH_DICTIONARY_H
#define GH_DICTIONARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"
#include "common/http/msg.h"

/* Bytes of a SHA-256. */
#define DICTIONARY_HASH_LEN 32u
/* Bytes of a pattern, made absolute. */
#define DICTIONARY_PATTERN_MAX 1024u

/* Where an answer stands whose pattern is read. */
struct dictionary_place {
	span origin; /* scheme://host, with a port that is not the usual one */
	span path;
};

/* The answer wants to be a dictionary (2.1) for the requests that *out fits, a
 * pattern of path and query. Of URLPattern the part is known that most need:
 * text, and stars that stand for anything. false: no such field, or it is
 * malformed, or its pattern needs more than that, or is for another origin. */
bool dictionary_pattern(const struct http_fields *resp,
    const struct dictionary_place *at, struct arena *a, span *out);

/* Whether it is a path of text and stars, and nothing that a reader of URLs would
 * take otherwise. */
bool dictionary_is_pattern(span path);

/* Whether a pattern of dictionary_pattern() fits a request's target. One without
 * '?' fits any query. Takes time by the sum of their lengths. */
bool dictionary_fits(span pattern, span path, span query);

/* The hash of the one dictionary that the client has for this request (2.2).
 * false: none, or it is malformed. */
bool dictionary_named(
    const struct http_fields *req, unsigned char out[DICTIONARY_HASH_LEN]);

#endif
