/* exch/crawler: whether a client is a crawler that the configuration welcomes,
 * proved by names (forward-confirmed reverse DNS): its address has one name,
 * that name is below a domain of `crawlers`, and has that address. Nothing that
 * the client says of itself counts. It is asked for when a condition wants to
 * know, and answers are all workers' until their time is over. Who cannot be
 * asked about in time is none. */
#ifndef GH_CRAWLER_H
#define GH_CRAWLER_H

#include <stdbool.h>

#include "common/base/span.h"
#include "worker/exch/verdict.h"

struct crawler_wait;
struct crawler_worker;
struct exch;
struct worker;

/* What a worker is asking about. Never NULL. */
struct crawler_worker *crawler_worker_new(struct worker *w);
/* Nobody waits any more. NULL is allowed. */
void crawler_worker_free(struct crawler_worker *c);

/* Whether it is still to be found out, and could be. */
bool crawler_is_open(const struct exch *x);
/* Called by a stage and answered as by one: NEXT: it is known; WAIT: something
 * will kick the exchange. A dry run asks nobody. */
enum verdict crawler_need(struct exch *x);
/* The name that was proved, in small letters; empty: none was, or nobody asked.
 */
span crawler_name(const struct exch *x);
/* The same for an exchange that works for that one. */
struct crawler_wait *crawler_copy(const struct exch *x, struct exch *of);
/* It waits no longer; what is known stays, for logs. */
void crawler_close(struct exch *x);

#endif
