/* worker/cache: answers that are kept and given again (RFC 9111). The plan side
 * (struct cache) is a [cache] section; the objects themselves are in the segment
 * (common/store/objects.h); what may be kept and given is decided by the pure
 * code of common/http. Here is what connects them with exchanges.
 *
 * What has to be fetched is fetched by an internal exchange (a fill), which does
 * not depend on the client that caused it; every client, on any worker, reads
 * from the object while it grows. */
#ifndef GH_CACHE_H
#define GH_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/ipc/boot.h"
#include "worker/exch/access.h"
#include "worker/exch/exch_dictionary.h"
#include "worker/exch/verdict.h"

struct cache;
struct cache_worker;
struct exch;
struct worker;

/* From a [cache] section; `index` numbers it in the plan. Never NULL; problems
 * go to d. The arena must live as long as it. */
struct cache *cache_prepare(const struct boot *b, const struct conf_section *s,
    uint32_t index, struct arena *a, struct diag *d);
/* Whose PURGE is obeyed: to be filled by who compiles lists. */
struct plan_access *cache_purgers(struct cache *c);
span cache_name(const struct cache *c);

/* Request stage, behind all that Vary could see and in front of the handler: an
 * answer from the cache, a wait for one, or NEXT. */
enum verdict stage_cache(struct exch *x);
/* Response stage: what an answer that came from a server means for what is
 * kept. */
enum verdict stage_cache_put(struct exch *x);

/* Dictionaries that are kept in the exchange's cache for its origin. */
dictionary_find_f cache_dictionary;

/* The exchange ends, its handler is closed: count what became of it. */
void cache_close(struct exch *x);

/* The moving side for all caches of the worker's plan. */
struct cache_worker *cache_worker_new(struct worker *w);
/* End what still fills. Exchanges of clients must be gone. */
void cache_worker_free(struct cache_worker *cw);
/* Break off what still fills: nobody waits any longer for this process. */
void cache_worker_expire(struct cache_worker *cw);
/* Exchanges that still fill. */
uint32_t cache_worker_fills(const struct cache_worker *cw);
/* A token of shm/wake; 0: some were lost. */
void cache_worker_woken(struct cache_worker *cw, uint64_t token);

#endif
