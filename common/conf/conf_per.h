/* conf/conf_per: the language of `limit_bandwidth`: how much, and per whom. */
#ifndef GH_CONF_PER_H
#define GH_CONF_PER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"

/* One line. Borrows from the tree. */
struct conf_per {
	uint64_t amount; /* bytes a second; 0: there is no limit */
	span per; /* what stands behind `per`; empty: each by itself */
	struct place per_at;
};

/* Read a line of `limit_bandwidth` (`2m/s`, `2m/s per {client_ip}`). false: it
 * is wrong, which was said to d unless that is NULL. */
bool conf_per_read(
    const struct conf_value *v, struct conf_per *out, struct diag *d);

/* Judge the lines of one section. */
void conf_per_check(const struct conf_section *s, struct diag *d);

/* Whether any section shares a bandwidth (`per`). */
bool conf_per_is_shared(const struct conf_tree *t);

#endif
