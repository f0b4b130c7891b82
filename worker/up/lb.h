/* up/lb: which server is next. A policy sees the servers of one upstream and
 * which of them cannot be used for this exchange; it knows nothing of
 * connections. */
#ifndef GH_LB_H
#define GH_LB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

struct up_group;
struct exch;

struct lb_ops {
	const char *name; /* word of `balance =` */
	/* State for n servers, or NULL when the policy needs none. */
	void *(*open)(const struct up_group *g);
	void (*close)(void *state);
	/* Index of a server whose bit in `skip` is 0 and whose backup-ness is
	 * is_backup; -1 when there is none. */
	int (*pick)(void *state, const struct up_group *g, struct exch *x,
	    const uint64_t *skip, bool is_backup);
};

extern const struct lb_ops lb_round_robin;
extern const struct lb_ops lb_least_conn;

/* The policy of that name, or NULL. */
const struct lb_ops *lb_find(span name);

static inline bool
lb_is_skipped(const uint64_t *skip, uint32_t i)
{
	return (skip[i / 64] >> (i % 64)) & 1;
}

#endif
