/* store/tenants: the list of what is shared. A name is kind-specific text; the
 * registry makes an id of it. */
#include "common/store/tenants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/map.h"
#include "common/base/num.h"
#include "common/conf/conf_per.h"
#include "common/conf/conf_places.h"
#include "common/conf/conf_sticky.h"
#include "common/http/peer_addr.h"
#include "common/store/closures.h"
#include "common/store/loglevel.h"
#include "common/store/health.h"

/* "UPSTREAM SERVER": neither holds a blank. */
#define NAME_CAP 1024

/* What everything but caches has, when shared_memory is `auto`. */
#define BUDGET_BASE (UINT64_C(64) << 20)
/* Pieces of a cache's sweep at one beat. */
#define SWEEPS_PER_BEAT 64u

/* Types of sections that ban whom they refuse often. */
#define GUARD_TYPES 2
/* Addresses whose failures one of them remembers, of 16 bytes each. */
#define GUARD_KEYS (UINT64_C(16) << 10)
/* No [limit] is called so: names hold no blank. */
#define GUARD_NAME_MAX (LIMITS_NAME_MAX - (sizeof("auth ") - 1))

/* Who shares a bandwidth; the same. */
#define BANDWIDTH_KEYS (UINT64_C(16) << 10)
#define BANDWIDTH_NAME "limit_bandwidth all"

struct claims {
	struct segment *segment;
	struct map by_name; /* of struct claim */
	struct map caches; /* of struct cache_claim */
	struct map limits; /* of struct limits */
	struct map guards[GUARD_TYPES]; /* likewise, by type of section */
	struct limits *bandwidths; /* NULL: none is shared */
};

struct cache_claim {
	struct objects *objects;
	uint64_t memory;
	span name; /* the configuration's */
};

struct claim {
	uint32_t id;
	struct registry *in;
	char name[]; /* NUL-terminated for nobody */
};

/* The registries of what has ids. */
static bool
tenants_open_ids(struct tenants *t)
{
	t->servers = registry_open(t->segment, "server", UPSTATE_SERVERS_MAX,
	    upstate_ready, t->upstate);
	t->queues = registry_open(
	    t->segment, "queue", UPQUEUE_MAX, upqueue_ready, t->upqueue);
	t->names_of_spots = registry_open(
	    t->segment, "spots", SPOTS_MAX, spots_ready, t->spots);
	t->named = registry_open(
	    t->segment, "tally", TALLIES_MAX, tallies_ready, t->tallies);
	return t->servers != NULL && t->queues != NULL &&
	       t->names_of_spots != NULL && t->named != NULL;
}

void
tenants_close(struct tenants *t)
{
	if (t->named != NULL)
		registry_close(t->named);
	if (t->names_of_spots != NULL)
		registry_close(t->names_of_spots);
	if (t->queues != NULL)
		registry_close(t->queues);
	if (t->servers != NULL)
		registry_close(t->servers);
	tallies_free(t->tallies);
	spots_free(t->spots);
	upqueue_free(t->upqueue);
	upstate_free(t->upstate);
}

bool
tenants_open(struct tenants *t, struct segment *s)
{
	t->segment = s;
	t->servers = t->queues = t->names_of_spots = t->named = NULL;
	t->spots = NULL;
	t->tallies = NULL;
	t->names = names_map(s, NAMES_OF_SERVERS, true);
	t->crawlers = names_map(s, NAMES_OF_CLIENTS, true);
	if (t->names == NULL || t->crawlers == NULL)
		return false;
	t->ticket_keys = ticket_keys_map(s, true);
	t->strikes = strikes_map(s, true);
	t->staples = staples_map(s, true);
	t->sessions = sessions_map(s, true);
	t->bans = bans_map(s, true);
	t->headcount = headcount_map(s, true);
	t->closures = closures_map(s, true);
	t->hitters = hitters_map(s, true);
	t->quotas = quotas_map(s, true);
	t->collections = collections_map(s, true);
	t->visits = visits_map(s, true);
	t->decisions = decisions_map(s, true);
	t->spans = spans_map(s, true);
	t->rulehits = rulehits_map(s, true);
	t->loglevel = loglevel_map(s, true);
	if (t->ticket_keys == NULL || t->strikes == NULL ||
	    t->staples == NULL || t->sessions == NULL || t->bans == NULL ||
	    t->headcount == NULL || t->closures == NULL || t->hitters == NULL ||
	    t->quotas == NULL || t->collections == NULL || t->visits == NULL ||
	    t->decisions == NULL || t->spans == NULL || t->rulehits == NULL ||
	    t->loglevel == NULL)
		return false;
	t->upstate = upstate_open(s, true);
	if (t->upstate == NULL)
		return false;
	t->upqueue = upqueue_open(s, true);
	t->spots = spots_open(s, true);
	t->tallies = tallies_open(s, true);
	if (t->upqueue != NULL && t->spots != NULL && t->tallies != NULL &&
	    tenants_open_ids(t))
		return true;
	tenants_close(t);
	return false;
}

void
tenants_lend(const struct tenants *t, struct boot *b)
{
	b->upstate = t->upstate;
	b->upqueue = t->upqueue;
	b->names = t->names;
	b->crawlers = t->crawlers;
	b->spots = t->spots;
	b->ticket_keys = t->ticket_keys;
	b->strikes = t->strikes;
	b->staples = t->staples;
	b->sessions = t->sessions;
	b->bans = t->bans;
	b->headcount = t->headcount;
	b->closures = t->closures;
	b->hitters = t->hitters;
	b->quotas = t->quotas;
	b->collections = t->collections;
	b->visits = t->visits;
	b->decisions = t->decisions;
	b->spans = t->spans;
	b->rulehits = t->rulehits;
	b->loglevel = t->loglevel;
	b->tallies = t->tallies;
}

void
tenants_forget(struct tenants *t, uint64_t epoch)
{
	registry_forget(t->servers, epoch);
	registry_forget(t->queues, epoch);
	registry_forget(t->names_of_spots, epoch);
	registry_forget(t->named, epoch);
}

/* Length of the name in out, 0 when it is too long. */
static size_t
server_name(span upstream, span server, char out[NAME_CAP])
{
	if (upstream.len + 1 + server.len > NAME_CAP)
		return 0;
	memcpy(out, upstream.p, upstream.len);
	out[upstream.len] = ' ';
	memcpy(out + upstream.len + 1, server.p, server.len);
	return upstream.len + 1 + server.len;
}

/* `what` it is, for people. An empty name is one that was too long. */
static void
claims_put(struct claims *c, struct registry *in, span name, const char *what,
    struct place at, struct diag *d)
{
	struct claim *claim;
	uint32_t id;

	if (name.len == 0) {
		diag_error(d, at, "this name is too long");
		return;
	}
	/* the same server twice in an upstream is one server */
	if (map_get(&c->by_name, name) != NULL)
		return;
	id = registry_claim(in, name);
	if (id == REGISTRY_NONE) {
		diag_error(d, at, "the numbers of this %s do not fit: %s", what,
		    errno == ENOMEM ? "raise shared_memory"
				    : "too many of them in all");
		return;
	}
	claim = malloc(sizeof(*claim) + name.len);
	REQUIRE(claim != NULL);
	claim->id = id;
	memcpy(claim->name, name.p, name.len);
	claim->in = in;
	(void)map_put(&c->by_name, span_of(claim->name, name.len), claim);
}

static void
claims_add(struct claims *c, struct registry *in, span upstream, span what,
    struct place at, struct diag *d)
{
	char name[NAME_CAP];
	size_t len = server_name(upstream, what, name);

	claims_put(c, in, span_of(name, len),
	    what.p[0] == ' ' ? "upstream" : "server", at, d);
}

/* Id of what was claimed by that name. */
static uint32_t
claims_id(const struct claims *c, span name)
{
	const struct claim *claim =
	    c == NULL || name.len == 0 ? NULL : map_get(&c->by_name, name);

	return claim == NULL ? REGISTRY_NONE : claim->id;
}

/* --- servers that are names ----------------------------------------------- */

/* No server's text holds a '#', or a blank. */
#define SPOT_NAME_FMT "%.*s#%u"
#define SPOTS_NAME_FMT " spots %.*s"

/* What spot k is called, of a server of that text. */
static span
spot_name(span server, uint32_t k, char out[NAME_CAP])
{
	int n = k == 0 ? snprintf(out, NAME_CAP, "%.*s", SPAN_FMT(server))
		       : snprintf(
			     out, NAME_CAP, SPOT_NAME_FMT, SPAN_FMT(server), k);

	/* too long: it is not found, and cannot be added */
	return span_of(out, n < NAME_CAP ? (size_t)n : NAME_CAP);
}

static span
spots_row_name(span server, char out[NAME_CAP])
{
	int n = snprintf(out, NAME_CAP, SPOTS_NAME_FMT, SPAN_FMT(server));

	return span_of(out, n < NAME_CAP ? (size_t)n : NAME_CAP);
}

static void
claims_add_server(struct claims *c, struct tenants *t, span upstream,
    const struct conf_value *v, struct diag *d)
{
	span text = v->words[0].text;
	struct peer_addr peer;
	char name[NAME_CAP];

	claims_add(c, t->servers, upstream, text, v->at, d);
	if (!peer_addr_parse(text, &peer) || peer.host.len == 0)
		return;
	for (uint32_t k = 1; k < SPOTS_PER_NAME; k++)
		claims_add(c, t->servers, upstream, spot_name(text, k, name),
		    v->at, d);
	claims_add(c, t->names_of_spots, upstream, spots_row_name(text, name),
	    v->at, d);
}

bool
claims_spots(
    const struct claims *c, span upstream, span server, struct spots_name *out)
{
	char name[NAME_CAP];

	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
		out->servers[k] = REGISTRY_NONE;
	out->id = claims_server(c, upstream, spots_row_name(server, name));
	for (uint32_t k = 0; out->id != REGISTRY_NONE && k < SPOTS_PER_NAME;
	     k++)
		out->servers[k] =
		    claims_server(c, upstream, spot_name(server, k, name));
	return out->id != REGISTRY_NONE;
}

/* What an upstream with a limit counts. No server's text begins with a blank. */
static const char *const place_names[] = {
    [CLAIM_REQUESTS] = " requests",
    [CLAIM_WAITING] = " waiting",
    [CLAIM_QUEUE] = " queue",
};

static void
claims_add_places(struct claims *c, struct tenants *t,
    const struct conf_scope *scope, const struct conf_section *s,
    struct diag *d)
{
	struct conf_places places;

	conf_places_read(scope, &places, NULL);
	if (!places.is_on)
		return;
	for (uint32_t i = 0; i < NELEMS(place_names); i++)
		claims_add(c, i == CLAIM_QUEUE ? t->queues : t->servers,
		    s->name, span_str(place_names[i]), s->at, d);
}

uint32_t
claims_places(const struct claims *c, span upstream, enum claim_place which)
{
	return claims_server(c, upstream, span_str(place_names[which]));
}

/* What early data needs, once any generation accepts it. */
static void
claims_early_data(
    struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	struct conf_scope s = conf_scope_of(conf, conf_first(conf, CONF_TLS));
	struct clock now;

	if (!conf_bool(&s, KEY_TLS_EARLY_DATA))
		return;
	clock_update(&now);
	if (!strikes_ready(
		t->strikes, t->segment, (uint64_t)now.wall_us / 1000))
		diag_error(d, conf_get(&s, KEY_TLS_EARLY_DATA)->at,
		    "the register of early data does not fit: raise "
		    "shared_memory");
}

/* The value that says that something is fetched; NULL: none does. */
static const struct conf_value *
claims_fetched(const struct conf_tree *conf)
{
	struct conf_scope s = conf_scope_of(conf, conf_first(conf, CONF_TLS));

	if (conf_bool(&s, KEY_TLS_OCSP_STAPLING))
		return conf_get(&s, KEY_TLS_OCSP_STAPLING);
	for (const struct conf_section *a = conf_first(conf, CONF_AUTH);
	     a != NULL; a = a->next) {
		const struct conf_value *v = a->first[KEY_AUTH_JWKS];

		if (v != NULL && span_find(v->text, SPAN_LIT("://")) > 0)
			return v;
	}
	return NULL;
}

/* What is fetched needs room, once any generation fetches it. */
static void
claims_staples(struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	const struct conf_value *v = claims_fetched(conf);

	if (v != NULL && !staples_ready(t->staples, t->segment))
		diag_error(d, v->at,
		    "what is fetched does not fit: raise shared_memory");
}

/* What is remembered of sessions needs room, once any generation does it. */
static void
claims_sessions(struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	for (const struct conf_section *s = conf_first(conf, CONF_UPSTREAM);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(conf, s);
		struct conf_sticky sticky;

		conf_sticky_read(&scope, &sticky, NULL);
		if (!conf_sticky_is_learnt(&sticky) ||
		    sessions_ready(t->sessions, t->segment))
			continue;
		diag_error(d, sticky.at,
		    "the table of sessions does not fit: raise shared_memory");
		return;
	}
}

/* Connections of addresses are counted once any listen asks for it. */
static void
claims_headcount(
    struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	for (const struct conf_section *s = conf_first(conf, CONF_LISTEN);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(conf, s);

		if (conf_num(&scope, KEY_LISTEN_MAX_CONNECTIONS_PER_IP) == 0 ||
		    headcount_ready(t->headcount, t->segment))
			continue;
		diag_error(d,
		    conf_get(&scope, KEY_LISTEN_MAX_CONNECTIONS_PER_IP)->at,
		    "the table of addresses does not fit: raise "
		    "shared_memory");
		return;
	}
}

/* Who comes most often is counted once any generation asks for it. */
static void
claims_hitters(struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	struct conf_scope s =
	    conf_scope_of(conf, conf_first(conf, CONF_GLOBAL));

	const struct conf_value *budget;

	if (!conf_bool(&s, KEY_GLOBAL_HEAVY_HITTERS) ||
	    hitters_ready(t->hitters, t->segment))
		return;
	/* it is on where nothing tells it, too */
	budget = conf_get(&s, KEY_GLOBAL_SHARED_MEMORY);
	diag_error(d, budget != NULL ? budget->at : (struct place){0},
	    "the tables of heavy hitters do not fit: raise shared_memory, or "
	    "turn heavy_hitters off");
}

/* What was decided is kept once any generation asks for it. */
static void
claims_decisions(
    struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	struct conf_scope s =
	    conf_scope_of(conf, conf_first(conf, CONF_GLOBAL));
	const struct conf_value *budget;

	if (!conf_bool(&s, KEY_GLOBAL_RECENT_DECISIONS) ||
	    decisions_ready(t->decisions, t->segment))
		return;
	/* it is on where nothing tells it, too */
	budget = conf_get(&s, KEY_GLOBAL_SHARED_MEMORY);
	diag_error(d, budget != NULL ? budget->at : (struct place){0},
	    "what was decided of late does not fit: raise shared_memory, or "
	    "turn recent_decisions off");
}

/* Spans wait in memory of their own once any generation exports them. */
static void
claims_spans(struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	struct conf_scope s =
	    conf_scope_of(conf, conf_first(conf, CONF_TRACING));
	const struct conf_value *v = conf_get(&s, KEY_TRACING_EXPORT);

	if (v != NULL && !spans_ready(t->spans, t->segment))
		diag_error(d, v->at,
		    "the table of spans does not fit: raise shared_memory");
}

/* What is used of quotas is counted once any generation asks for it. */
static void
claims_quotas(struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	for (const struct conf_section *s = conf_first(conf, CONF_FORWARD);
	     s != NULL; s = s->next) {
		const struct conf_value *v = s->first[KEY_FORWARD_QUOTA];

		if (v == NULL || v->is_none ||
		    quotas_ready(t->quotas, t->segment))
			continue;
		diag_error(d, v->at,
		    "the table of quotas does not fit: raise shared_memory");
		return;
	}
}

/* What rules keep beyond a request has room once any generation has rules. */
static void
claims_collections(
    struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	const struct conf_section *s = conf_first(conf, CONF_WAF);

	if (s != NULL && !collections_ready(t->collections, t->segment))
		diag_error(d, s->at,
		    "the collections of its rules do not fit: raise "
		    "shared_memory");
}

/* A line of a `match` that asks what clients did of late; NULL: none does. */
static const struct conf_value *
claims_match(const struct conf_tree *conf, enum conf_type type)
{
	for (const struct conf_section *s = conf_first(conf, type); s != NULL;
	     s = s->next)
		for (const struct conf_value *v = s->first[KEY_RULE_MATCH];
		     v != NULL; v = v->next)
			if (span_find(v->text, SPAN_LIT(CLAIM_MISSING)) >= 0 ||
			    span_find(v->text, SPAN_LIT(CLAIM_PATHS)) >= 0)
				return v;
	return NULL;
}

/* What clients did of late is counted once any generation asks for it. */
static void
claims_visits(struct tenants *t, const struct conf_tree *conf, struct diag *d)
{
	const struct conf_section *waf = conf_first(conf, CONF_WAF);
	const struct conf_value *v = claims_match(conf, CONF_RULE);

	if (v == NULL)
		v = claims_match(conf, CONF_ACL);
	if ((waf != NULL || v != NULL) && !visits_ready(t->visits, t->segment))
		diag_error(d, v != NULL ? v->at : waf->at,
		    "the table of what clients did does not fit: raise "
		    "shared_memory");
}

/* --- caches --------------------------------------------------------------- */

static uint64_t
cache_memory(const struct conf_tree *conf, const struct conf_section *s)
{
	struct conf_scope scope = conf_scope_of(conf, s);

	return (uint64_t)conf_num(&scope, KEY_CACHE_MEMORY);
}

static uint64_t
limit_keys(const struct conf_tree *conf, const struct conf_section *s)
{
	struct conf_scope scope = conf_scope_of(conf, s);

	return (uint64_t)conf_num(&scope, KEY_LIMIT_TABLE);
}

static uint64_t
limit_memory(const struct conf_tree *conf, const struct conf_section *s)
{
	return limits_size(limit_keys(conf, s));
}

/* Sections that ban whom they refuse often have a table each. */
static const struct guard_type {
	enum conf_type type;
	enum conf_key ban;
	const char *word;
	const char *what; /* its name is bounded */
} guard_types[GUARD_TYPES] = {
    {CONF_AUTH, KEY_AUTH_BAN, "auth", "auth that bans"},
    {CONF_WAF, KEY_WAF_BAN, "waf", "waf that bans"},
};

static uint64_t
guard_memory(const struct conf_tree *conf, const struct guard_type *g,
    const struct conf_section *s)
{
	struct conf_scope scope = conf_scope_of(conf, s);
	const struct conf_value *v = conf_get(&scope, g->ban);

	return v != NULL && !v->is_none ? limits_size(GUARD_KEYS) : 0;
}

typedef void guard_f(void *self, const struct guard_type *g,
    const struct conf_section *s, uint64_t memory);

/* Each section that has one. */
static void
guards_foreach(const struct conf_tree *conf, guard_f *fn, void *self)
{
	for (size_t i = 0; i < GUARD_TYPES; i++)
		for (const struct conf_section *s =
			 conf_first(conf, guard_types[i].type);
		     s != NULL; s = s->next) {
			uint64_t memory =
			    guard_memory(conf, &guard_types[i], s);

			if (memory > 0)
				fn(self, &guard_types[i], s, memory);
		}
}

static void
guard_sum(void *self, const struct guard_type *g, const struct conf_section *s,
    uint64_t memory)
{
	uint64_t *sum = self;

	(void)g;
	(void)s;
	*sum += memory;
}

/* So have all shared bandwidths together. */
static uint64_t
bandwidth_memory(const struct conf_tree *conf)
{
	return conf_per_is_shared(conf) ? limits_size(BANDWIDTH_KEYS) : 0;
}

uint64_t
tenants_budget(const struct conf_tree *conf, uint64_t committed)
{
	struct conf_scope global =
	    conf_scope_of(conf, conf_first(conf, CONF_GLOBAL));
	uint64_t budget = (uint64_t)conf_num(&global, KEY_GLOBAL_SHARED_MEMORY);

	if (budget != 0)
		return budget;
	budget = u64_max(BUDGET_BASE, committed);
	for (const struct conf_section *s = conf_first(conf, CONF_CACHE);
	     s != NULL; s = s->next)
		budget += cache_memory(conf, s);
	for (const struct conf_section *s = conf_first(conf, CONF_LIMIT);
	     s != NULL; s = s->next)
		budget += limit_memory(conf, s);
	guards_foreach(conf, guard_sum, &budget);
	return budget + bandwidth_memory(conf);
}

static void
memory_refuse(const char *what, const struct conf_section *s, struct diag *d)
{
	diag_error(d, s->at, "the memory of %s '%.*s' does not fit: %s", what,
	    SPAN_FMT(s->name),
	    errno == ENOMEM  ? "raise shared_memory"
	    : errno == EFBIG ? "the machine has less free"
			     : "too many caches and limits, or too large, in "
			       "all");
}

static void
bandwidth_refuse(struct diag *d)
{
	diag_error(d, (struct place){0},
	    "the table of `limit_bandwidth ... per` does not fit: raise "
	    "shared_memory");
}

static void
claims_add_cache(struct claims *c, const struct conf_tree *conf,
    const struct conf_section *s, struct diag *d)
{
	struct cache_claim *cache = calloc(1, sizeof(*cache));

	REQUIRE(cache != NULL);
	cache->name = s->name;
	cache->memory = cache_memory(conf, s);
	cache->objects = objects_claim(c->segment, s->name, cache->memory);
	if (cache->objects == NULL) {
		memory_refuse("cache", s, d);
		free(cache);
		return;
	}
	(void)map_put(&c->caches, cache->name, cache);
}

/* What the tables of guards are made with. */
struct guards_build {
	struct claims *claims;
	struct diag *d;
	uint64_t more; /* bytes, of what would be there before them */
};

static void
guard_fits(void *self, const struct guard_type *g, const struct conf_section *s,
    uint64_t memory)
{
	struct guards_build *b = self;

	b->more += memory;
	if (!segment_fits(b->claims->segment, b->more))
		memory_refuse(g->word, s, b->d);
}

/* Whether all of them would fit beside what every start has. */
static void
claims_dry(struct claims *c, const struct conf_tree *conf, struct diag *d)
{
	struct guards_build guards;
	uint64_t more = 0;

	for (const struct conf_section *s = conf_first(conf, CONF_CACHE);
	     s != NULL; s = s->next) {
		more += cache_memory(conf, s);
		if (!segment_fits(c->segment, more))
			memory_refuse("cache", s, d);
	}
	for (const struct conf_section *s = conf_first(conf, CONF_LIMIT);
	     s != NULL; s = s->next) {
		more += limit_memory(conf, s);
		if (!segment_fits(c->segment, more))
			memory_refuse("limit", s, d);
	}
	guards = (struct guards_build){c, d, more};
	guards_foreach(conf, guard_fits, &guards);
	more = guards.more;
	more += bandwidth_memory(conf);
	if (bandwidth_memory(conf) > 0 && !segment_fits(c->segment, more))
		bandwidth_refuse(d);
}

void
claims_use(const struct claims *c)
{
	/* what it has needs no memory but what it had */
	map_foreach (slot, &c->caches) {
		struct cache_claim *cache = slot->value;

		(void)objects_set_memory(cache->objects, cache->memory);
	}
}

struct objects *
claims_cache(const struct claims *c, span name)
{
	const struct cache_claim *cache =
	    c == NULL ? NULL : map_get(&c->caches, name);

	return cache == NULL ? NULL : cache->objects;
}

/* --- limits --------------------------------------------------------------- */

static void
claims_add_limit(struct claims *c, const struct conf_tree *conf,
    const struct conf_section *s, struct diag *d)
{
	struct limits *l =
	    limits_claim(c->segment, s->name, limit_keys(conf, s));

	if (l == NULL)
		memory_refuse("limit", s, d);
	else
		(void)map_put(&c->limits, s->name, l);
}

struct limits *
claims_limit(const struct claims *c, span name)
{
	return c == NULL ? NULL : map_get(&c->limits, name);
}

static void
guard_add(void *self, const struct guard_type *g, const struct conf_section *s,
    uint64_t memory)
{
	struct guards_build *b = self;
	char name[LIMITS_NAME_MAX + 1];
	struct limits *l;
	int len;

	(void)memory;
	/* that was told */
	if (s->name.len > GUARD_NAME_MAX)
		return;
	len =
	    snprintf(name, sizeof(name), "%s %.*s", g->word, SPAN_FMT(s->name));
	l = limits_claim(
	    b->claims->segment, span_of(name, (size_t)len), GUARD_KEYS);
	if (l == NULL)
		memory_refuse(g->word, s, b->d);
	else
		(void)map_put(&b->claims->guards[g - guard_types], s->name, l);
}

struct limits *
claims_guard(const struct claims *c, enum conf_type type, span name)
{
	for (size_t i = 0; c != NULL && i < GUARD_TYPES; i++)
		if (guard_types[i].type == type)
			return map_get(&c->guards[i], name);
	return NULL;
}

static void
claims_add_bandwidths(
    struct claims *c, const struct conf_tree *conf, struct diag *d)
{
	if (bandwidth_memory(conf) == 0)
		return;
	c->bandwidths =
	    limits_claim(c->segment, SPAN_LIT(BANDWIDTH_NAME), BANDWIDTH_KEYS);
	if (c->bandwidths == NULL)
		bandwidth_refuse(d);
}

struct limits *
claims_bandwidths(const struct claims *c)
{
	return c == NULL ? NULL : c->bandwidths;
}

/* --- what is counted of whom ---------------------------------------------- */

/* No upstream's name begins with a blank; what holds one is a route's. Empty
 * when it is too long. */
static span
tally_name(enum tally_kind kind, span name, span path, char out[NAME_CAP])
{
	int n = snprintf(out, NAME_CAP, " %s %.*s%s%.*s", tally_kind_word(kind),
	    SPAN_FMT(name), path.len > 0 ? " " : "", SPAN_FMT(path));

	return span_of(out, n > 0 && n < NAME_CAP ? (size_t)n : 0);
}

uint32_t
claims_tally(const struct claims *c, enum tally_kind kind, span name, span path)
{
	char text[NAME_CAP];

	return claims_id(c, tally_name(kind, name, path, text));
}

static void
claims_add_tally(struct claims *c, struct tenants *t, enum tally_kind kind,
    const struct conf_section *s, struct diag *d)
{
	char text[NAME_CAP];

	claims_put(c, t->named,
	    tally_name(kind, s->name,
		kind == TALLY_ROUTE ? s->path : span_of(NULL, 0), text),
	    tally_kind_word(kind), s->at, d);
}

static void
claims_tallies(struct claims *c, struct tenants *t,
    const struct conf_tree *conf, struct diag *d)
{
	static const struct {
		enum conf_type type;
		enum tally_kind kind;
	} counted[] = {
	    {CONF_LISTEN, TALLY_LISTEN},
	    {CONF_SITE, TALLY_SITE},
	    /* what none of its routes serves */
	    {CONF_SITE, TALLY_ROUTE},
	    {CONF_ROUTE, TALLY_ROUTE},
	    {CONF_UPSTREAM, TALLY_UPSTREAM},
	    {CONF_FORWARD, TALLY_FORWARD},
	    {CONF_CACHE, TALLY_CACHE},
	};

	for (size_t i = 0; i < NELEMS(counted); i++)
		for (const struct conf_section *s =
			 conf_first(conf, counted[i].type);
		     s != NULL; s = s->next)
			claims_add_tally(c, t, counted[i].kind, s, d);
}

/* --- all of a configuration ----------------------------------------------- */

static void
claims_name(
    const struct conf_section *s, const char *what, size_t max, struct diag *d)
{
	if (s->name.len > max)
		diag_error(d, s->name_at,
		    "the name of a %s has %zu bytes at most", what, max);
}

static void
guard_judge_name(void *self, const struct guard_type *g,
    const struct conf_section *s, uint64_t memory)
{
	(void)memory;
	claims_name(s, g->what, GUARD_NAME_MAX, self);
}

static void
claims_names(const struct conf_tree *conf, struct diag *d)
{
	for (const struct conf_section *s = conf_first(conf, CONF_CACHE);
	     s != NULL; s = s->next)
		claims_name(s, "cache", OBJECTS_NAME_MAX, d);
	for (const struct conf_section *s = conf_first(conf, CONF_LIMIT);
	     s != NULL; s = s->next)
		claims_name(s, "limit", LIMITS_NAME_MAX, d);
	guards_foreach(conf, guard_judge_name, d);
}

/* What has memory of its own. */
static void
claims_memory(
    struct claims *c, const struct conf_tree *conf, bool is_dry, struct diag *d)
{
	struct guards_build guards = {c, d, 0};

	claims_names(conf, d);
	if (is_dry) {
		claims_dry(c, conf, d);
		return;
	}
	for (const struct conf_section *s = conf_first(conf, CONF_CACHE);
	     s != NULL; s = s->next)
		if (s->name.len <= OBJECTS_NAME_MAX)
			claims_add_cache(c, conf, s, d);
	for (const struct conf_section *s = conf_first(conf, CONF_LIMIT);
	     s != NULL; s = s->next)
		if (s->name.len <= LIMITS_NAME_MAX)
			claims_add_limit(c, conf, s, d);
	guards_foreach(conf, guard_add, &guards);
	claims_add_bandwidths(c, conf, d);
}

struct claims *
claims_new(struct tenants *t, const struct conf_tree *conf, bool is_dry,
    struct diag *d)
{
	struct claims *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	c->segment = t->segment;
	map_init(&c->by_name, false);
	map_init(&c->caches, false);
	map_init(&c->limits, false);
	for (size_t i = 0; i < GUARD_TYPES; i++)
		map_init(&c->guards[i], false);
	claims_early_data(t, conf, d);
	claims_staples(t, conf, d);
	claims_sessions(t, conf, d);
	claims_headcount(t, conf, d);
	claims_hitters(t, conf, d);
	claims_quotas(t, conf, d);
	claims_collections(t, conf, d);
	claims_visits(t, conf, d);
	claims_decisions(t, conf, d);
	claims_spans(t, conf, d);
	claims_memory(c, conf, is_dry, d);
	for (const struct conf_section *s = conf_first(conf, CONF_UPSTREAM);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(conf, s);
		struct conf_iter it = {NULL, 0, false};
		const struct conf_value *v;

		while (
		    (v = conf_next(&scope, KEY_UPSTREAM_SERVER, &it)) != NULL)
			claims_add_server(c, t, s->name, v, d);
		claims_add_places(c, t, &scope, s, d);
	}
	/* whatever servers it asks, they are counted as one */
	for (const struct conf_section *s = conf_first(conf, CONF_FORWARD);
	     s != NULL; s = s->next)
		claims_add(c, t->servers, s->name,
		    SPAN_LIT(CLAIM_FORWARD_SERVER), s->at, d);
	claims_tallies(c, t, conf, d);
	return c;
}

void
claims_free(struct tenants *t, struct claims *c)
{
	if (c == NULL)
		return;
	map_foreach (slot, &c->by_name) {
		struct claim *claim = slot->value;

		registry_unclaim(claim->in, claim->id);
		free(claim);
	}
	map_fini(&c->by_name);
	map_foreach (slot, &c->caches) {
		struct cache_claim *cache = slot->value;

		objects_unclaim(c->segment, cache->objects);
		free(cache);
	}
	map_fini(&c->caches);
	map_foreach (slot, &c->limits)
		limits_unclaim(t->segment, slot->value);
	map_fini(&c->limits);
	for (size_t i = 0; i < GUARD_TYPES; i++) {
		map_foreach (slot, &c->guards[i])
			limits_unclaim(t->segment, slot->value);
		map_fini(&c->guards[i]);
	}
	limits_unclaim(t->segment, c->bandwidths);
	free(c);
}

uint32_t
claims_server(const struct claims *c, span upstream, span server)
{
	char name[NAME_CAP];
	size_t len = server_name(upstream, server, name);

	return claims_id(c, span_of(name, len));
}

/* --- caches, as the steward sees them ------------------------------------- */

/* Those of all generations and masters, whatever this steward was born with. */
static bool
caches_repair(const struct boot *b, struct slot_name me, uint32_t dead_slot)
{
	struct objects *o;
	uint32_t at = 0;
	bool is_partial = false;
	bool is_done = true;

	while ((o = objects_walk(b->segment, b->slots, me, &at, &is_partial)) !=
	       NULL) {
		struct objects_view *v =
		    objects_view_new(o, b->slots, b->wakes, me);

		is_done &= objects_repair(v, dead_slot);
		objects_view_free(v);
		objects_walk_end(o, me);
	}
	return is_done && !is_partial;
}

void
tenants_care(const struct boot *b)
{
	struct slot_name me = {b->slot, b->incarnation};
	struct objects *o;
	uint32_t at = 0;
	struct clock now;
	/* who has another one sweeps it, or the next beat does */
	bool is_partial = false;

	clock_update(&now);
	hitters_age(b->hitters, b->slots, me, clock_mono_ms(&now));
	while ((o = objects_walk(b->segment, b->slots, me, &at, &is_partial)) !=
	       NULL) {
		struct objects_view *v =
		    objects_view_new(o, b->slots, b->wakes, me);

		for (uint32_t i = 0; i < SWEEPS_PER_BEAT; i++)
			if (!objects_sweep(v))
				break;
		objects_view_free(v);
		objects_walk_end(o, me);
	}
}

bool
tenants_repair(const struct boot *b, uint32_t dead_slot)
{
	struct slot_name me = {b->slot, b->incarnation};
	struct spots_by by = {b->slots, me, b->upstate};
	bool is_done = caches_repair(b, me, dead_slot);

	is_done &= limits_repair(b->segment, b->slots, me, dead_slot);
	names_repair(b->names, b->slots, me, dead_slot);
	names_repair(b->crawlers, b->slots, me, dead_slot);
	spots_repair(b->spots, &by, dead_slot);
	staples_repair(b->staples, b->slots, me, dead_slot);
	sessions_repair(b->sessions, b->slots, me, dead_slot);
	bans_repair(b->bans, b->slots, me, dead_slot);
	headcount_repair(b->headcount, b->slots, me, dead_slot);
	hitters_repair(b->hitters, b->slots, me, dead_slot);
	quotas_repair(b->quotas, b->slots, me, dead_slot);
	collections_repair(b->collections, b->slots, me, dead_slot);
	visits_repair(b->visits, b->slots, me, dead_slot);
	decisions_repair(b->decisions, dead_slot);
	spans_repair(b->spans, dead_slot);
	strikes_repair(b->strikes, b->slots, me, dead_slot);
	ticket_keys_repair(b->ticket_keys, b->slots, me, dead_slot);
	health_repair(b->upstate, dead_slot);
	is_done &= upstate_repair(b->upstate, b->slots, dead_slot);
	/* when its places are free: who waits for them */
	upqueue_repair(b->upqueue, b->slots, b->wakes, dead_slot);
	return is_done;
}
