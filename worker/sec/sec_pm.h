/* sec_pm: many phrases looked for at once, without case (Aho-Corasick). Made at
 * load, read-only then: a few bytes for each byte of the phrases. */
#ifndef GH_SEC_PM_H
#define GH_SEC_PM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

/* Bytes of all phrases of a set. */
#define SEC_PM_MAX (64u << 20)
/* Bytes of a phrase. */
#define SEC_PM_PHRASE_MAX 8192u

struct sec_pm;

struct sec_pm *sec_pm_new(void);
void sec_pm_free(struct sec_pm *pm);
/* A phrase of 1 to SEC_PM_PHRASE_MAX bytes. false: it is longer, or the set has
 * SEC_PM_MAX bytes. */
bool sec_pm_add(struct sec_pm *pm, span phrase);
/* All phrases are there: from now on it can be asked, and nothing added. */
void sec_pm_done(struct sec_pm *pm);
/* Whether the text holds a phrase: the one that ends first. *hit, if not NULL,
 * is a part of the set: the longest beginning of a phrase, as it was written,
 * that ends there, which is what the reference captures. */
bool sec_pm_find(const struct sec_pm *pm, span text, span *hit);

/* The phrases as a tree, when all are there: node 0 is the root, a node's
 * children lie side by side behind it. */
struct sec_pm_node {
	uint8_t label; /* the byte that leads to it, in lower case */
	bool is_end; /* a phrase, or one inside of what was read, ends here */
	uint32_t child, n_children;
};

uint32_t sec_pm_count(const struct sec_pm *pm);
struct sec_pm_node sec_pm_node(const struct sec_pm *pm, uint32_t node);

#endif
