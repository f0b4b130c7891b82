/* exch/plan: the configuration compiled for serving, made once before fork and
 * then read-only. Folders of rank 7 fill and read it; what only one of them
 * understands is an opaque pointer here. Each thing knows its place in the
 * configuration, for logs and explanations. */
#ifndef GH_PLAN_H
#define GH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/iptrie.h"
#include "common/base/map.h"
#include "common/base/span.h"
#include "common/conf/conf.h"
#include "common/http/coding.h"
#include "common/http/freshness.h"
#include "common/http/h1.h"
#include "common/store/limits.h"
#include "common/tls/tls.h"
#include "worker/exch/access.h"
#include "worker/exch/field_rule.h"
#include "worker/exch/handler.h"
#include "worker/exch/identity.h"
#include "worker/exch/tmpl.h"
#include "worker/exch/vars.h"

struct access_log; /* worker/log */
struct cache; /* worker/cache */
struct challenge; /* worker/challenge */
struct waf; /* worker/waf */
struct cookie_edit; /* worker/preset */
struct cors; /* likewise */
struct maintenance; /* likewise */
struct moves; /* likewise */
struct substitute; /* worker/filter */
struct rewrite; /* worker/route */
struct outer_names; /* likewise */
struct page_line; /* likewise */
struct security_level; /* likewise */
struct forward; /* worker/forward */
struct rate; /* worker/rate */
struct dns_conf;
struct domains; /* common/base/domains.h */
struct geo; /* common/net/dns.h */
struct match;
struct route_table; /* worker/route */
struct upstream; /* worker/up */
struct zone; /* common/base/zone.h */

#define PLAN_LOGS_MAX 8

/* Where finished exchanges are written. */
struct plan_logs {
	const struct access_log *at[PLAN_LOGS_MAX];
	uint32_t n;
	bool is_told; /* by the configuration; else the listen's hold */
};

/* What is done about answers that may be kept. */
struct plan_cache {
	const struct cache *cache; /* NULL: none is */
	struct place at;
	uint32_t ttl_s; /* of what does not tell it; 0: none is invented */
	uint32_t min_uses; /* before it is kept */
	bool is_letter; /* profile rfc9111: the letter of the RFC */
	bool has_cookies; /* the configuration tells `cookies` */
	enum cookie_policy cookies;
	const struct plan_term *const *bypass; /* ORed: not answered from it */
	uint32_t n_bypass;
};

/* Whom a request must be let on by, in this order. */
struct plan_limits {
	const struct rate *const *at;
	uint32_t n;
};

/* Where a thing is for everybody: the rest is sent there. */
enum plan_slash { PLAN_SLASH_OFF, PLAN_SLASH_ADD, PLAN_SLASH_REMOVE };

struct plan_canon {
	bool is_asked; /* any of it is */
	bool is_https;
	enum plan_slash slash;
	span host; /* empty: any; with its port if it has_port */
	span name; /* the same without */
	bool has_port;
	struct place at; /* of one of the lines */
};

/* What servers are asked for instead of a path, or where clients are sent to: the
 * first line that matches it counts (worker/route/rewrite.c). */
struct plan_rewrites {
	const struct rewrite *const *at;
	uint32_t n;
};

/* Pages for errors; of two for one status the last counts. */
struct plan_pages {
	const struct page_line *const *at;
	uint32_t n;
};

/* What becomes of cookies that servers set: all of it, what comes later over what
 * came before (worker/preset/cookie_edit.c). */
struct plan_cookies {
	const struct cookie_edit *const *at;
	uint32_t n; /* 0: they stay as they are */
};

/* Whether clients must have worked (`challenge`). */
enum plan_work { PLAN_WORK_OFF, PLAN_WORK_ON, PLAN_WORK_SUSPICIOUS };

/* How fast content goes to clients (`limit_bandwidth`). */
struct plan_bandwidth {
	struct limits_flow flow;
	bool is_shared; /* by all with the same key; else each has it all */
	struct tmpl key; /* with is_shared */
	span of; /* what tells its keys from those of other lines */
	struct limits *table; /* with is_shared; NULL: a check */
	struct place at;
};

/* What may be moved in a day (`quota`). */
struct plan_quota {
	uint64_t limit; /* bytes */
	struct tmpl key; /* whom it counts */
	bool has_user; /* that is not known before the user is */
	span of; /* name of the [forward] */
	const struct zone *zone; /* where days begin */
	unsigned from_s; /* and when */
	span text; /* as written */
	struct place at;
};

/* What holds in tunnels. */
struct plan_tunnels {
	uint64_t idle_ms; /* until one in which nothing moves ends; 0: never */
	uint64_t total_ms; /* until it ends in any case; 0: never */
	bool checks_sni; /* of CONNECT: it begins with TLS, for its host */
};

/* One line of a condition. */
struct plan_term {
	struct match *match;
	span text;
	struct place at;
};

/* Who gets a share of the requests (`split`). */
struct plan_share {
	uint32_t below; /* tenths of a per cent, those before it included */
	uint32_t tenths;
	span upstream;
	const void *conf; /* of the handler */
	struct place at;
};

struct plan_split {
	const struct handler *handler; /* whose requests are shared */
	struct plan_share *shares;
	uint32_t n;
	bool has_key;
	struct tmpl key; /* with has_key: who goes the same way */
	span key_text;
};

/* Who gets copies of requests (`mirror`). */
struct plan_mirror {
	uint32_t tenths; /* of the requests */
	span upstream;
	const void *conf; /* struct upstream */
	struct place at;
};

/* Which of the keys of struct plan_compress a section tells. */
enum {
	COMPRESS_ORDER = 1 << 0,
	COMPRESS_MIN_LENGTH = 1 << 1,
	COMPRESS_TYPES = 1 << 2,
	COMPRESS_LEVEL = 1 << 3,
	COMPRESS_CROSS_SITE = 1 << 4,
	COMPRESS_DECODES = 1 << 5,
	COMPRESS_DECODE_MAX = 1 << 6,
	COMPRESS_OFFER = 1 << 7
};

/* Codings of answers. */
struct plan_compress {
	uint8_t order[CODING_N]; /* enum coding, the preferred first */
	uint8_t n; /* 0: answers are left as they are */
	int8_t level[CODING_N];
	unsigned levels_told; /* 1 << enum coding: some line tells it */
	bool is_same_site; /* not for what pages of other sites ask for */
	bool decodes; /* what a client does not know is taken away */
	uint64_t decode_max; /* bytes of an answer that may become; 0: any */
	uint64_t min_length; /* shorter answers are left alone */
	const span *types; /* media types; see compress_knows_type() */
	uint32_t n_types;
	span offer; /* Use-As-Dictionary of answers without; or empty */
	unsigned told; /* COMPRESS_x that the nearest section tells */
	struct place at;
};

/* Other text in the content of answers (worker/filter/substitute.h). */
struct plan_substitute {
	const struct substitute *const *at; /* the first that fits counts */
	uint32_t n;
	const span *types; /* of answers; see compress_knows_type() */
	uint32_t n_types;
};

/* Files of `root` that stand for their folder, the first that is there. */
struct plan_index {
	const span *names;
	uint32_t n;
};

/* Everything that a route decides about an exchange: what an exchange asks is
 * asked of its x->set. */
struct plan_settings {
	const struct handler *handler; /* NULL where there is no route */
	const void *handler_conf; /* of that handler */
	struct place handler_at;
	struct plan_index index;
	const struct plan_split *split; /* NULL: all go to it */
	const struct plan_mirror *mirror; /* NULL: nothing is copied */
	span strip_prefix;
	span add_prefix;
	struct plan_rewrites rewrites;
	struct plan_rewrites redirects;
	uint64_t max_body; /* bytes; 0: no limit */
	struct place max_body_at;
	uint64_t timeout_ms; /* of the whole exchange; 0: none */
	bool allows_websocket;
	struct plan_tunnels tunnels;
	span hsts; /* Strict-Transport-Security; empty: not set here */
	struct plan_access access;
	const struct plan_auth *auth; /* NULL: nobody is asked who they are */
	enum plan_work asks_work;
	const struct waf *waf; /* its rules judge; NULL: none */
	struct plan_limits limits;
	const struct plan_bandwidth *bandwidth; /* NULL: as fast as it goes */
	const struct plan_quota *quota; /* NULL: nothing is counted */
	struct plan_cache cache;
	struct plan_compress compress;
	struct plan_substitute substitute;
	struct plan_logs logs;
	const struct maintenance *maintenance; /* NULL: nothing is said */
	struct plan_canon canon;
	const struct moves *moves; /* NULL: nothing moved */
	const struct cors *cors; /* NULL: not our business */
	struct plan_pages pages;
	const struct security_level *security; /* NULL: adds nothing */
	struct plan_cookies cookies;
	const struct outer_names
	    *server_names; /* of the handler's upstream, or NULL */
	bool tells_status; /* of failures, in Proxy-Status */
	bool tells_timing; /* in Server-Timing */
	bool hides_origin;
	bool rewrites_location;
	bool rewrites_paths; /* with it: paths, too */
	struct field_rules request_fields; /* for what servers get */
	struct field_rules hidden_fields; /* of servers' answers */
	struct field_rules response_fields; /* for what clients get */
};

/* Which settings a rule has a say in. */
enum {
	RULE_HANDLER = 1 << 0,
	RULE_STRIP_PREFIX = 1 << 1,
	RULE_ADD_PREFIX = 1 << 2,
	RULE_MAX_BODY = 1 << 3,
	RULE_TIMEOUT = 1 << 4,
	RULE_WEBSOCKET = 1 << 5,
	RULE_HSTS = 1 << 11,
	RULE_CACHE = 1 << 12,
	RULE_CACHE_TTL = 1 << 13,
	RULE_CACHE_MIN_USES = 1 << 14,
	RULE_CACHE_COOKIES = 1 << 15,
	RULE_CACHE_PROFILE = 1 << 16,
	RULE_BYPASS_ALL = 1 << 17,
	RULE_LIMITS_ALL = 1 << 18,
	RULE_SPLIT = 1 << 19,
	RULE_MIRROR = 1 << 20,
	RULE_BANDWIDTH = 1 << 21,
	RULE_AUTH = 1 << 28,
	RULE_ACCESS_ALL = 1 << 29,
	RULE_WORK = 1 << 30,
	RULE_WAF = 1 << 22,
	RULE_REWRITE_ALL = 1 << 23,
	RULE_SUBSTITUTE_ALL = 1 << 24,
	RULE_SUBSTITUTE_TYPES = 1 << 25,
	RULE_REDIRECT_ALL = 1 << 26,
	RULE_INDEX = 1 << 27,
	/* what adds, and whether it empties first */
	RULE_LOGS = 1 << 6,
	RULE_LOGS_ALL = 1 << 7,
	RULE_REQUEST_ALL = 1 << 8,
	RULE_HIDDEN_ALL = 1 << 9,
	RULE_RESPONSE_ALL = 1 << 10
};

/* The same of those of worker/preset. */
enum {
	PRESET_SECURITY = 1 << 0,
	PRESET_HIDE_ORIGIN = 1 << 1,
	PRESET_LOCATION = 1 << 2,
	PRESET_COOKIE = 1 << 3,
	PRESET_PAGES_ALL = 1 << 4,
	PRESET_CORS = 1 << 5,
	PRESET_MOVES = 1 << 6,
	PRESET_HOST = 1 << 7,
	PRESET_HTTPS = 1 << 8,
	PRESET_SLASH = 1 << 9,
	PRESET_MAINTENANCE = 1 << 10,
	PRESET_COOKIE_ALL = 1 << 11
};

/* One [rule] of a site. */
struct plan_rule {
	span name;
	struct place at;
	struct plan_term *terms; /* ANDed */
	uint32_t n_terms;
	enum var_when when; /* it can be judged: REQUEST or RESPONSE */
	unsigned says; /* RULE_x: which of `set` hold */
	unsigned presets; /* PRESET_x: likewise */
	struct plan_settings set;
};

struct plan_route {
	const struct plan_site *site;
	uint32_t tally; /* id of its numbers (store/tally); REGISTRY_NONE: none
	                 */
	const struct conf_section
	    *section; /* the site's own for its bare route */
	struct place at;
	span text; /* "/api/", "=/x", "~ ^/re": as written */
	struct plan_settings set;
};

struct plan_site {
	span name;
	uint32_t tally; /* as of a route */
	struct place at;
	uint64_t closure; /* what it is in the table of orders */
	const struct conf_section *section;
	struct route_table *routes;
	struct plan_settings set; /* for exchanges that met no route */
	struct tls_context *tls; /* NULL: it has no certificate of its own */
	bool asks_certificate; /* clients may show one */
	bool needs_certificate; /* they must */
	bool guards_paths; /* some of its routes or rules say who may */
	struct plan_rule *rules; /* in file order */
	uint32_t n_rules;
};

/* One [listen]. */
struct plan_listen {
	span name;
	uint32_t tally; /* as of a route */
	struct place at;
	const struct conf_section *section;
	/* hosts: the most exact one wins; values are struct plan_site */
	struct map hosts; /* exact names, lower case */
	struct map suffixes; /* ".example.com" -> site, for *. and . patterns */
	const struct plan_site *any; /* hosts = * or default_site, or NULL */
	struct plan_settings set; /* for exchanges that met no site */
	const struct forward *forward; /* it is a forward proxy; NULL: sites */
	bool is_transparent; /* its clients do not know that */
	struct iptrie *trusted; /* whose forwarding fields are believed */
	bool trusts_unix; /* those of peers on unix sockets are */
	struct h1_limits limits;
	uint32_t max_per_ip; /* connections of one address; 0: no limit */
	uint64_t header_timeout_ms;
	uint64_t body_timeout_ms;
	uint64_t send_timeout_ms;
	uint64_t idle_timeout_ms;
	uint64_t min_rate; /* bytes a second of who is waited for; 0: any */
	bool proxy_protocol;
	bool has_h2c; /* clients may begin with HTTP/2 */
	bool redirects_https; /* who comes without TLS is sent there */
	struct place redirects_https_at;
	bool has_tls;
	struct tls_server tls; /* with has_tls */
	struct tls_context
	    *own_tls; /* NULL: only its sites have certificates */
	span via_name; /* our name in Via, as this listen */
	span via_1_0; /* "1.0 NAME", and so on */
	span via_1_1;
	span via_2;
};

struct plan {
	const struct conf_tree *conf;
	struct plan_listen *listens;
	uint32_t n_listens;
	struct plan_site *sites;
	uint32_t n_sites;
	struct upstream **upstreams;
	uint32_t n_upstreams;
	struct access_log **logs;
	uint32_t n_logs;
	struct waf **wafs;
	uint32_t n_wafs;
	struct cache **caches;
	uint32_t n_caches;
	const struct plan_auth **auths; /* by number of their section */
	uint32_t n_auths;
	const struct challenge *challenge;
	const struct plan_tracing *tracing; /* NULL: there is none */
	struct geo *geo; /* of mmdb; or NULL */
	struct dns_conf *dns; /* what the system says of names */
	struct domains *crawlers; /* whose are welcome; or NULL */
	const int *roots; /* folders of `root`, by n_roots */
	uint32_t n_roots;
	uint64_t compress_memory; /* bytes of codings, in each worker */
	bool normalizes_paths; /* else those with two readings are refused */
	struct place path_policy_at; /* line 0: nobody said so */
};

/* Whether what this peer says of its client is believed. */
static inline bool
plan_trusts(const struct plan_listen *l, const struct ip *peer, bool is_unix)
{
	if (is_unix)
		return l->trusts_unix;
	return l->trusted != NULL && iptrie_find(l->trusted, peer);
}

/* The member that we add to Via of a message that came in this version. */
static inline span
plan_via(const struct plan_listen *l, enum http_version v)
{
	if (v == HTTP_2)
		return l->via_2;
	return v == HTTP_1_0 ? l->via_1_0 : l->via_1_1;
}

#endif
