/* conf/conf_per: the language of `limit_bandwidth` and `quota`: how much, and
 * per whom. */
#ifndef GH_CONF_PER_H
#define GH_CONF_PER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"

/* One line. Borrows from the tree. */
struct conf_per {
	uint64_t amount; /* bytes a second, 0: there is no limit; or a day */
	span per; /* what stands behind `per`; empty: each by itself */
	struct place per_at;
	span zone; /* quota: behind zone=; empty: the system's */
	struct place zone_at;
	unsigned from_s; /* quota: seconds after midnight when days begin */
};

/* Read a line of `limit_bandwidth` (`2m/s`, `2m/s per {client_ip}`) or `quota`
 * (`2g/d per {user} zone=UTC from=04:00`). false: it is wrong, which was said
 * to d unless that is NULL. */
bool conf_per_read(
    const struct conf_value *v, struct conf_per *out, struct diag *d);

/* Judge the lines of one section. */
void conf_per_check(const struct conf_section *s, struct diag *d);

/* Whether any section shares a bandwidth (`per`). */
bool conf_per_is_shared(const struct conf_tree *t);

#endif
