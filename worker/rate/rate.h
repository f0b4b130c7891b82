/* rate: requests are held to the [limit]s of their scope. */
#ifndef GH_RATE_H
#define GH_RATE_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/ipc/boot.h"
#include "worker/exch/verdict.h"

struct exch;
struct rate;

/* From a [limit] section, whose values were checked when they were read. Never
 * NULL; problems go to d. The arena must live as long as it. */
struct rate *rate_prepare(const struct boot *b, const struct conf_section *s,
    struct arena *a, struct diag *d);

struct claims;
struct plan_bandwidth; /* worker/exch/plan.h */
struct plan_quota; /* likewise */

/* From a line of `limit_bandwidth` that holds in the scope; as above. */
struct plan_bandwidth *bandwidth_prepare(const struct claims *c,
    const struct conf_scope *s, const struct conf_value *v, struct arena *a,
    struct diag *d);
/* `quota` of a [forward], or NULL: it has none. */
const struct plan_quota *quota_prepare(
    const struct conf_section *s, struct arena *a, struct diag *d);
/* Behind `auth`: who has used up a quota is refused; else it is counted. */
enum verdict stage_quota(struct exch *x);

/* Response stage, the last before the answer goes out: from here on it goes as
 * fast as it may. */
enum verdict stage_pace(struct exch *x);

/* Refuses while the worker is over its share of memory_limit. */
enum verdict stage_memory(struct exch *x);

/* A client that is banned is refused, and so are those who are known only by
 * what a proxy tells of them. */
enum verdict stage_ban(struct exch *x);

/* Count the request with each of its limits: it goes on, waits its turn, or is
 * refused, and then none of them has counted it. The second one is for limits
 * whose key tells who it is from, and stands where that is known. */
enum verdict stage_rate(struct exch *x);
enum verdict stage_rate_user(struct exch *x);
/* The exchange is over: it waits no more. */
void rate_close(struct exch *x);

#endif
