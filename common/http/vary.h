/* http/vary: which stored variant a request selects (RFC 9111 4.1): the names
 * of Vary, and a request's values of them in one canonical form. Pure;
 * allocates nothing. */
#ifndef GH_VARY_H
#define GH_VARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/siphash.h"
#include "common/base/span.h"
#include "common/http/msg.h"

/* Names that a response may vary on; real ones name up to five. */
#define VARY_NAMES_MAX 16
/* Bytes of all names together, with their commas. */
#define VARY_TEXT_MAX 512
/* Longest canonical key; requests with more find no variant. */
#define VARY_KEY_MAX 4096

struct vary {
	unsigned n; /* 0: does not vary */
	struct vary_name {
		span name; /* any case */
		uint16_t id; /* enum field_id */
	} at[VARY_NAMES_MAX]; /* sorted without case, each once */
};

/* The names of all Vary lines. Text is borrowed from the fields. false: "*" is
 * among them, one is no token, or there are too many: no request ever selects
 * this response without asking the origin. */
bool vary_parse(const struct http_fields *resp, struct vary *out);
/* The same from text that vary_write_names() wrote. */
bool vary_parse_text(span names, struct vary *out);
/* The names in lower case, sorted, with commas: what is stored beside the
 * response. Returns the bytes written (0: none, it does not vary), at most
 * VARY_TEXT_MAX. */
size_t vary_write_names(const struct vary *v, char out[VARY_TEXT_MAX]);

/* The secondary key of a request: the values of the named fields so that equal
 * keys mean that the response is selected. Several lines are one list; absent
 * is not empty. Accept, Accept-Charset, -Encoding and -Language: without case
 * and blanks, members sorted, equal ones once, q in its shortest form. Other
 * fields: blanks around commas outside of quotes are dropped. *len: the bytes
 * written, 0 when nothing is named. false: longer than cap. */
bool vary_key(const struct vary *v, const struct http_fields *req, char *out,
    size_t cap, size_t *len);
/* vary_key() hashed; false: longer than VARY_KEY_MAX. */
bool vary_hash(const struct vary *v, const struct http_fields *req,
    const struct sipkey *key, uint64_t *out);

#endif
