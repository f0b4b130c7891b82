/* store/tenants: all that lives in the segment, as the master opens it, a
 * generation claims it and the steward repairs it. One place knows the list. */
#ifndef GH_TENANTS_H
#define GH_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"
#include "common/ipc/boot.h"
#include "common/shm/registry.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/bans.h"
#include "common/store/collections.h"
#include "common/store/decisions.h"
#include "common/store/rulehits.h"
#include "common/store/spans.h"
#include "common/store/headcount.h"
#include "common/store/hitters.h"
#include "common/store/limits.h"
#include "common/store/names.h"
#include "common/store/objects.h"
#include "common/store/quotas.h"
#include "common/store/sessions.h"
#include "common/store/spots.h"
#include "common/store/staples.h"
#include "common/store/strikes.h"
#include "common/store/tally.h"
#include "common/store/ticket_keys.h"
#include "common/store/upqueue.h"
#include "common/store/upstate.h"
#include "common/store/visits.h"

/* Master only. */
struct tenants {
	struct segment *segment;
	struct upstate *upstate;
	struct names *names;
	struct names *crawlers;
	struct ticket_keys *ticket_keys;
	struct strikes *strikes;
	struct staples *staples;
	struct closures *closures;
	struct loglevel *loglevel;
	struct sessions *sessions;
	struct bans *bans;
	struct headcount *headcount;
	struct hitters *hitters;
	struct quotas *quotas;
	struct collections *collections;
	struct visits *visits;
	struct decisions *decisions;
	struct spans *spans;
	struct rulehits *rulehits;
	struct upqueue *upqueue;
	struct spots *spots;
	struct tallies *tallies;
	struct registry *servers;
	struct registry *queues;
	struct registry *names_of_spots;
	struct registry *named; /* ids of tallies */
};

/* Open, or make, all of them. false with errno. */
bool tenants_open(struct tenants *t, struct segment *s);
void tenants_close(struct tenants *t);
/* Tell a process that is to be born where they are. */
void tenants_lend(const struct tenants *t, struct boot *b);
/* A master before this one is gone, with what it claimed. */
void tenants_forget(struct tenants *t, uint64_t epoch);

/* The ids of what one generation shares. */
struct claims;

/* Bytes that the segment may use under this configuration, when `committed` are
 * in use already: what other generations have, whose caches may be others. */
uint64_t tenants_budget(const struct conf_tree *conf, uint64_t committed);

/* Claim all that the configuration names; what does not fit goes to d.
 * `is_dry`: caches are only added up, not made. Never NULL. Master only. */
struct claims *claims_new(struct tenants *t, const struct conf_tree *conf,
    bool is_dry, struct diag *d);
/* Another generation claimed the same after this one, and failed: caches have
 * again the memory that this one wants. */
void claims_use(const struct claims *c);
/* The generation is gone. */
void claims_free(struct tenants *t, struct claims *c);
/* Id of a server of an upstream; REGISTRY_NONE when it was not claimed. `c` may
 * be NULL (a configuration that is only checked). */
uint32_t claims_server(const struct claims *c, span upstream, span server);

/* The same of a server that is a name: its spots, whose first one has the id of
 * the name itself. false: it was not claimed, and all ids are REGISTRY_NONE. */
bool claims_spots(
    const struct claims *c, span upstream, span server, struct spots_name *out);

/* A [forward] counts all its servers as this one of an upstream of its name; no
 * server of an [upstream] is called so. */
#define CLAIM_FORWARD_SERVER "*"
/* Variables of `match` that ask what clients did of late (store/visits). */
#define CLAIM_MISSING "not_found_rate"
#define CLAIM_PATHS "path_rate"

/* What an upstream with limits counts beside its servers. */
enum claim_place {
	CLAIM_REQUESTS, /* to all its servers; an id of upstate */
	CLAIM_WAITING, /* requests that wait; an id of upstate */
	CLAIM_QUEUE /* an id of upqueue */
};

/* Id of that; REGISTRY_NONE as above, and for an upstream without limits. */
uint32_t claims_places(
    const struct claims *c, span upstream, enum claim_place which);

/* Id of the numbers of a thing; REGISTRY_NONE as above. `path`: of a route, empty
 * for all of its site that no [route] serves; empty for other kinds. */
uint32_t claims_tally(
    const struct claims *c, enum tally_kind kind, span name, span path);

/* The cache of a [cache NAME]; NULL when it was not claimed. `c` may be NULL.
 */
struct objects *claims_cache(const struct claims *c, span name);
/* The same for the table of a [limit NAME]. */
struct limits *claims_limit(const struct claims *c, span name);
/* The same for the failures that a section with `ban` counts, an [auth NAME] or a
 * [waf NAME]: a table of limits by the name "auth NAME". */
struct limits *claims_guard(
    const struct claims *c, enum conf_type type, span name);
/* The same for what all shared bandwidths count. */
struct limits *claims_bandwidths(const struct claims *c);

/* Mend whatever a dead slot left, in the name of the boot's own slot. false:
 * call again later. Steward only. */
bool tenants_repair(const struct boot *b, uint32_t dead_slot);
/* What is to be done at every beat: a bounded piece. Steward only. */
void tenants_care(const struct boot *b);

#endif
