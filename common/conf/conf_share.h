/* conf/conf_share: the language of `split` and `mirror`: a share of the
 * requests and an upstream. */
#ifndef GH_CONF_SHARE_H
#define GH_CONF_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"

/* All of the requests, in tenths of a per cent. */
#define CONF_SHARE_ALL 1000u

/* One line. Borrows from the tree. */
struct conf_share {
	uint32_t tenths; /* 0 .. CONF_SHARE_ALL */
	span upstream;
	struct place at;
	span by; /* split: what stands behind by=; empty: chance */
	struct place by_at;
};

/* Read a line of `split` (`5% NAME by={variable}`) or `mirror` (`NAME` or
 * `5% NAME`). false: it is wrong, which was said to d unless that is NULL. */
bool conf_share_read(
    const struct conf_value *v, struct conf_share *out, struct diag *d);

/* Judge the lines of one section. */
void conf_share_check(const struct conf_section *s, struct diag *d);

#endif
