/* base/iptrie: a set of prefixes, each with a small value; the longest match
 * wins. Built at load, then read-only: its memory is one block, so that
 * children share it copy-on-write. */
#ifndef GH_IPTRIE_H
#define GH_IPTRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/ip.h"

struct iptrie;

struct iptrie *iptrie_new(void);
void iptrie_free(struct iptrie *t);
/* Add a prefix; of two equal ones the later value holds. */
void iptrie_add(struct iptrie *t, const struct ip_prefix *p, uint32_t value);
/* Whether some prefix holds the address; *value (may be NULL) is the longest
 * one's. A NULL trie holds nothing. */
bool iptrie_find(const struct iptrie *t, const struct ip *ip, uint32_t *value);
size_t iptrie_count(const struct iptrie *t);

#endif
