/* base/domains: a set of host names, each for the host itself, for all below
 * it, or both. Built at load, then read-only and in two blocks, so that
 * children share it copy-on-write. */
#ifndef GH_DOMAINS_H
#define GH_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Longest name (RFC 1035 2.3.4). */
#define DOMAINS_NAME_MAX 253

struct domains;

struct domains *domains_new(void);
/* NULL is allowed. */
void domains_free(struct domains *d);

/* A name as it is compared: lower case, without a dot at its end, an address in
 * its one spelling, without brackets. Writes at most DOMAINS_NAME_MAX bytes and
 * returns their number; 0 when it is no name of a host: letters, digits, '-'
 * and '_' in labels of 1 to 63. */
size_t domains_normalize(span name, char out[DOMAINS_NAME_MAX]);

/* Make room for `n` names more at once, which is faster than as they come. */
void domains_reserve(struct domains *d, uint32_t n);
/* Add `name` (that host alone), `.name` (and all below) or `*.name` (all below
 * it alone). false: it is none of them. */
bool domains_add(struct domains *d, span text);
/* Whether a host, normalized, is in it. NULL holds nothing. */
bool domains_find(const struct domains *d, span host);
size_t domains_count(const struct domains *d);

#endif
