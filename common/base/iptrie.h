/* base/iptrie: a set of prefixes. Built at load, then read-only: its memory is
 * one block, so that children share it copy-on-write. A look into a million
 * prefixes touches a handful of cache lines. */
#ifndef GH_IPTRIE_H
#define GH_IPTRIE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/ip.h"

struct iptrie;

struct iptrie *iptrie_new(void);
void iptrie_free(struct iptrie *t);
void iptrie_add(struct iptrie *t, const struct ip_prefix *p);
/* All prefixes are there: from now on it can be asked, and nothing added. */
void iptrie_done(struct iptrie *t);
/* Whether some prefix holds the address. A NULL set holds nothing. */
bool iptrie_find(const struct iptrie *t, const struct ip *ip);
/* Different prefixes; once it is done. */
size_t iptrie_count(const struct iptrie *t);

#endif
