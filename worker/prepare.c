/* prepare: builds the plan from the configuration, before any worker is born.
 * Goes on after a mistake, so that one run names all of them. Files named
 * prepare_* build its parts. */
#include "worker/prepare.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/ipc/boot.h"
#include "common/base/domains.h"
#include "common/net/dns.h"
#include "common/net/geo.h"
#include "common/store/tenants.h"
#include "worker/acl/acl.h"
#include "worker/auth/auth.h"
#include "worker/cache/cache.h"
#include "worker/challenge/challenge.h"
#include "worker/waf/waf.h"
#include "worker/exch/match.h"
#include "worker/exch/trace.h"
#include "worker/files/files.h"
#include "worker/log/access_log.h"
#include "worker/rate/rate.h"
#include "worker/route/route.h"
#include "worker/up/up.h"

/* Where systemd keeps the random name of a machine (machine-id(5)). */
#define PREPARE_MACHINE_ID "/etc/machine-id"
#define PREPARE_ID_CAP 256

/* Chunks kept between two runs of a process: none, the plan is built once. */
#define PREPARE_CHUNKS 0

static uint32_t
prepare_count(const struct conf_tree *t, enum conf_type type)
{
	uint32_t n = 0;

	for (const struct conf_section *s = conf_first(t, type); s != NULL;
	     s = s->next)
		n++;
	return n;
}

/* Append the machine's name as far as it has one. */
static size_t
prepare_machine(char *out, size_t cap)
{
	int fd = open(PREPARE_MACHINE_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, cap / 2);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (fd >= 0)
		(void)close(fd);
	if (gethostname(out + len, cap - len) == 0)
		len += strnlen(out + len, cap - len);
	return len;
}

/* Our name in Via: the same for all workers and generations, another one for
 * another machine, another gatehouse on this one, and another listen of this
 * one, because a request may well pass two of its listens. A hash, because Via
 * travels and names of machines are nobody's business. */
static void
prepare_via(struct prepared *p, struct plan_listen *l, span pid_file)
{
	/* not a secret: any fixed key will do */
	static const struct sipkey key = {0x67617465, 0x686f757365};
	const struct conf_value *v = l->section->first[KEY_LISTEN_ADDRESS];
	char machine[PREPARE_ID_CAP];
	span parts[] = {
	    span_of(machine, prepare_machine(machine, sizeof(machine))),
	    SPAN_LIT("\n"),
	    v == NULL ? SPAN_LIT(":80") : v->text,
	    SPAN_LIT("\n"),
	    pid_file,
	};
	uint64_t hash =
	    siphash(&key, arena_concat(&p->arena, parts, NELEMS(parts)));

	l->via_name = arena_printf(
	    &p->arena, "gatehouse-%016llx", (unsigned long long)hash);
	l->via_1_0 = arena_printf(&p->arena, "1.0 %.*s", SPAN_FMT(l->via_name));
	l->via_1_1 = arena_printf(&p->arena, "1.1 %.*s", SPAN_FMT(l->via_name));
	l->via_2 = arena_printf(&p->arena, "2 %.*s", SPAN_FMT(l->via_name));
}

static void
prepare_logs(struct prepared *p, struct diag *d)
{
	struct plan *plan = &p->plan;
	uint32_t n = prepare_count(plan->conf, CONF_LOG);

	n += prepare_count(plan->conf, CONF_WAF);
	plan->logs = arena_zalloc(&p->arena, n * sizeof(struct access_log *));
	for (const struct conf_section *s = conf_first(plan->conf, CONF_LOG);
	     s != NULL; s = s->next) {
		struct access_log *l;

		if (span_eq(s->name, SPAN_LIT("error")))
			continue;
		l = access_log_prepare(
		    plan->conf, s, plan->n_logs, &p->arena, d);
		if (l != NULL)
			plan->logs[plan->n_logs++] = l;
	}
}

/* What rules find is told in a log of the section's own. */
static void
prepare_audit_log(
    struct prepared *p, struct waf *waf, const struct conf_section *s)
{
	struct plan *plan = &p->plan;
	struct conf_scope scope = conf_scope_of(plan->conf, s);

	if (conf_get(&scope, KEY_WAF_AUDIT_LOG) == NULL)
		return;
	waf_set_log(waf, (int32_t)plan->n_logs);
	plan->logs[plan->n_logs] = access_log_raw(s, plan->n_logs, &p->arena);
	plan->n_logs++;
}

static void
prepare_wafs(struct prepared *p, const struct boot *b, struct diag *d)
{
	struct plan *plan = &p->plan;
	struct waf_names names = {plan->conf, b->claims};
	uint32_t n = prepare_count(plan->conf, CONF_WAF);

	plan->wafs = arena_zalloc(&p->arena, n * sizeof(struct waf *));
	for (const struct conf_section *s = conf_first(plan->conf, CONF_WAF);
	     s != NULL; s = s->next) {
		struct waf *waf =
		    waf_prepare(&names, s, plan->n_wafs, &p->arena, d);

		plan->wafs[plan->n_wafs++] = waf;
		prepare_audit_log(p, waf, s);
		(void)map_put(&p->wafs, s->name, waf);
	}
}

static const struct access_log *
prepare_log(const struct plan *plan, span name)
{
	for (uint32_t i = 0; i < plan->n_logs; i++)
		if (span_eq(access_log_name(plan->logs[i]), name))
			return plan->logs[i];
	return NULL;
}

/* Whether a section of the scope speaks of its logs at all. */
static bool
prepare_logs_are_told(const struct conf_scope *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i]->first[KEY_SCOPE_ACCESS_LOG] != NULL)
			return true;
	return false;
}

/* Lists add up, so a log may be named by more than one section of a scope; it
 * gets one line all the same. */
static bool
prepare_has_log(const struct plan_logs *logs, const struct access_log *l)
{
	for (uint32_t i = 0; i < logs->n; i++)
		if (logs->at[i] == l)
			return true;
	return false;
}

void
prepare_scope_logs(struct prepared *p, const struct conf_scope *s,
    struct plan_logs *out, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	memset(out, 0, sizeof(*out));
	out->is_told = prepare_logs_are_told(s);
	if (!out->is_told) {
		out->at[0] = prepare_log(&p->plan, SPAN_LIT("access"));
		out->n = out->at[0] != NULL;
		return;
	}
	while ((v = conf_next(s, KEY_SCOPE_ACCESS_LOG, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			const struct access_log *l =
			    prepare_log(&p->plan, v->words[i].text);

			if (l == NULL)
				diag_error(d, v->words[i].at,
				    "'%.*s' is no access log",
				    SPAN_FMT(v->words[i].text));
			else if (prepare_has_log(out, l))
				continue;
			else if (out->n == PLAN_LOGS_MAX)
				diag_error(d, v->words[i].at,
				    "more than %d logs", PLAN_LOGS_MAX);
			else
				out->at[out->n++] = l;
		}
	}
}

static void
prepare_upstreams(struct prepared *p, const struct boot *b, struct diag *d)
{
	struct plan *plan = &p->plan;
	uint32_t n = prepare_count(plan->conf, CONF_UPSTREAM) +
		     prepare_count_parents(plan->conf);

	plan->upstreams =
	    arena_zalloc(&p->arena, n * sizeof(struct upstream *));
	for (const struct conf_section *s =
		 conf_first(plan->conf, CONF_UPSTREAM);
	     s != NULL; s = s->next) {
		struct upstream *u =
		    up_prepare(b, s, plan->n_upstreams, &p->arena, d);

		plan->upstreams[plan->n_upstreams++] = u;
		(void)map_put(&p->upstreams, u->name, u);
	}
}

static void
prepare_caches(struct prepared *p, const struct boot *b, struct diag *d)
{
	struct plan *plan = &p->plan;
	uint32_t n = prepare_count(plan->conf, CONF_CACHE);

	plan->caches = arena_zalloc(&p->arena, n * sizeof(struct cache *));
	for (const struct conf_section *s = conf_first(plan->conf, CONF_CACHE);
	     s != NULL; s = s->next) {
		struct cache *c =
		    cache_prepare(b, s, plan->n_caches, &p->arena, d);

		acls_list_allowed(
		    p->acls, s, KEY_CACHE_PURGE_ALLOW, cache_purgers(c), d);

		plan->caches[plan->n_caches++] = c;
		(void)map_put(&p->caches, s->name, c);
	}
}

static void
prepare_rates(struct prepared *p, const struct boot *b, struct diag *d)
{
	for (const struct conf_section *s =
		 conf_first(p->plan.conf, CONF_LIMIT);
	     s != NULL; s = s->next)
		(void)map_put(
		    &p->rates, s->name, rate_prepare(b, s, &p->arena, d));
}

static void
prepare_auths(struct prepared *p, const struct boot *b, struct diag *d)
{
	const struct conf_tree *t = p->plan.conf;
	struct auth_names names = {
	    t, b->claims, &p->users, &p->upstreams, &up_handler, &p->tls};
	uint32_t n = 0;

	for (const struct conf_section *s = conf_first(t, CONF_USERS);
	     s != NULL; s = s->next)
		(void)map_put(
		    &p->users, s->name, auth_prepare_users(t, s, &p->arena, d));
	for (const struct conf_section *s = conf_first(t, CONF_AUTH); s != NULL;
	     s = s->next)
		n++;
	p->plan.auths = arena_alloc(&p->arena, n * sizeof(*p->plan.auths));
	for (const struct conf_section *s = conf_first(t, CONF_AUTH); s != NULL;
	     s = s->next) {
		struct plan_auth *a = auth_prepare(&names, s, &p->arena, d);

		(void)map_put(&p->auths, s->name, a);
		p->plan.auths[p->plan.n_auths++] = a;
	}
}

static void
prepare_trust(struct plan_listen *l, const struct conf_scope *s, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	while ((v = conf_next(s, KEY_LISTEN_TRUSTED_PROXIES, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			struct ip_prefix prefix;

			if (span_eq(v->words[i].text, SPAN_LIT("unix:"))) {
				l->trusts_unix = true;
				continue;
			}
			if (!ip_prefix_parse(v->words[i].text, &prefix)) {
				diag_error(d, v->words[i].at,
				    "'%.*s' is no address or network",
				    SPAN_FMT(v->words[i].text));
				continue;
			}
			if (l->trusted == NULL)
				l->trusted = iptrie_new();
			iptrie_add(l->trusted, &prefix);
		}
	}
	if (l->trusted != NULL)
		iptrie_done(l->trusted);
}

static void
prepare_listen(struct prepared *p, struct plan_listen *l,
    const struct conf_section *sec, struct diag *d)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, sec);

	l->section = sec;
	l->name = sec->name.len > 0 ? sec->name : SPAN_LIT("listen");
	l->at = sec->at;
	l->tally =
	    claims_tally(p->claims, TALLY_LISTEN, sec->name, span_of(NULL, 0));
	map_init(&l->hosts, true);
	map_init(&l->suffixes, true);
	l->limits = (struct h1_limits){
	    .line_max = (uint32_t)conf_num(&s, KEY_LISTEN_LINE_MAX),
	    .head_max = (uint32_t)conf_num(&s, KEY_LISTEN_HEADER_MAX),
	    .fields_max = (uint32_t)conf_num(&s, KEY_LISTEN_HEADERS_MAX),
	};
	l->max_per_ip =
	    (uint32_t)conf_num(&s, KEY_LISTEN_MAX_CONNECTIONS_PER_IP);
	l->header_timeout_ms =
	    (uint64_t)conf_num(&s, KEY_LISTEN_HEADER_TIMEOUT);
	l->body_timeout_ms = (uint64_t)conf_num(&s, KEY_LISTEN_BODY_TIMEOUT);
	l->send_timeout_ms = (uint64_t)conf_num(&s, KEY_LISTEN_SEND_TIMEOUT);
	l->idle_timeout_ms = (uint64_t)conf_num(&s, KEY_LISTEN_IDLE_TIMEOUT);
	l->min_rate = (uint64_t)conf_num(&s, KEY_LISTEN_MIN_RATE);
	l->proxy_protocol = conf_bool(&s, KEY_LISTEN_PROXY_PROTOCOL);
	l->has_h2c = conf_bool(&s, KEY_LISTEN_H2C);
	l->is_transparent =
	    span_eq(conf_text(&s, KEY_LISTEN_MODE), SPAN_LIT("transparent"));
	l->redirects_https = conf_bool(&s, KEY_LISTEN_REDIRECT_HTTPS);
	if (l->redirects_https)
		l->redirects_https_at =
		    conf_get(&s, KEY_LISTEN_REDIRECT_HTTPS)->at;
	prepare_trust(l, &s, d);
	prepare_scope_logs(p, &s, &l->set.logs, d);
	prepare_pages(p, &s, &l->set.pages, d);
	prepare_response_fields(p, &s, &l->set.response_fields, d);
}

static void
prepare_listens(struct prepared *p, struct diag *d)
{
	struct plan *plan = &p->plan;
	uint32_t n = prepare_count(plan->conf, CONF_LISTEN);

	plan->listens = arena_zalloc(&p->arena, n * sizeof(*plan->listens));
	for (const struct conf_section *s = conf_first(plan->conf, CONF_LISTEN);
	     s != NULL; s = s->next)
		prepare_listen(p, &plan->listens[plan->n_listens++], s, d);
}

const struct plan *
prepared_plan(const struct prepared *p)
{
	return &p->plan;
}

static void
prepare_path_policy(struct plan *p, const struct conf_scope *s)
{
	const struct conf_value *v = conf_get(s, KEY_GLOBAL_PATH_POLICY);

	if (v == NULL)
		return;
	p->normalizes_paths = span_eq(v->text, SPAN_LIT("normalize"));
	p->path_policy_at = v->at;
}

static void
prepare_dns(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_GLOBAL_DNS_SERVERS);

	p->plan.dns = dns_conf_new(conf_text(s, KEY_GLOBAL_DNS_SERVERS));
	if (p->plan.dns == NULL)
		diag_error(d, v != NULL ? v->at : (struct place){0},
		    "the name servers cannot be used");
}

static void
prepare_crawlers(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v;
	struct conf_iter it = {NULL, 0, false};

	while ((v = conf_next(s, KEY_GLOBAL_CRAWLERS, &it)) != NULL) {
		if (p->plan.crawlers == NULL)
			p->plan.crawlers = domains_new();
		for (uint32_t i = 0; i < v->n_words; i++)
			if (!domains_add(p->plan.crawlers, v->words[i].text))
				diag_error(d, v->words[i].at,
				    "'%.*s' is no domain: write .example.com",
				    SPAN_FMT(v->words[i].text));
	}
}

static void
prepare_geo(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v;
	struct conf_iter it = {NULL, 0, false};

	while ((v = conf_next(s, KEY_GLOBAL_MMDB, &it)) != NULL) {
		if (p->plan.geo == NULL)
			p->plan.geo = geo_new();
		for (uint32_t i = 0; i < v->n_words; i++) {
			span path = arena_span(&p->arena, v->words[i].text);
			char why[GEO_WHY_CAP];

			if (!geo_add(p->plan.geo, path.p, why))
				diag_error(d, v->words[i].at,
				    "%s cannot be used: %s", path.p, why);
		}
	}
}

struct prepared *
worker_prepare(const struct boot *b, struct diag *d)
{
	struct prepared *p = calloc(1, sizeof(*p));
	struct conf_scope s =
	    conf_scope_of(b->conf, conf_first(b->conf, CONF_GLOBAL));

	REQUIRE(p != NULL);
	arena_pool_init(&p->pool, PREPARE_CHUNKS);
	arena_init(&p->arena, &p->pool);
	map_init(&p->upstreams, false);
	map_init(&p->caches, false);
	map_init(&p->rates, false);
	map_init(&p->wafs, false);
	map_init(&p->bandwidths, false);
	map_init(&p->users, false);
	map_init(&p->auths, false);
	vec_init(&p->forward_upstreams);
	vec_init(&p->matches);
	vec_init(&p->rewriters);
	map_init(&p->lines, false);
	map_init(&p->fields, false);
	map_init(&p->server_names, false);
	map_init(&p->moves, false);
	map_init(&p->roots, false);
	map_init(&p->pages, false);
	map_init(&p->page_files, false);
	map_init(&p->certificate_names, false);
	p->plan.conf = b->conf;
	p->claims = b->claims;
	p->plan.compress_memory =
	    (uint64_t)conf_num(&s, KEY_GLOBAL_COMPRESS_MEMORY);
	prepare_path_policy(&p->plan, &s);
	prepare_dns(p, &s, d);
	prepare_crawlers(p, &s, d);
	prepare_geo(p, &s, d);
	prepare_logs(p, d);
	prepare_wafs(p, b, d);
	p->acls = acls_new(b->conf, &p->arena, d);
	prepare_upstreams(p, b, d);
	prepare_server_names(p);
	prepare_caches(p, b, d);
	prepare_rates(p, b, d);
	p->plan.challenge = challenge_prepare(b->conf, &p->arena, d);
	p->plan.tracing = trace_prepare(b->conf, &p->arena, d);
	prepare_tls_policy(p, d);
	prepare_auths(p, b, d);
	prepare_listens(p, d);
	for (uint32_t i = 0; i < p->plan.n_listens; i++)
		prepare_via(
		    p, &p->plan.listens[i], conf_text(&s, KEY_GLOBAL_PID_FILE));
	prepare_sites(p, d);
	p->plan.roots = files_roots(&p->roots, &p->arena, &p->plan.n_roots);
	prepare_forwards(p, b, d);
	prepare_hosts(p, d);
	prepare_tls(p, d);
	if (diag_count(d, DIAG_ERROR) == 0)
		return p;
	worker_prepare_free(p);
	return NULL;
}

int64_t
worker_prepare_ends(const struct prepared *p)
{
	return p->certificate_ends;
}

void
worker_prepare_free(struct prepared *p)
{
	if (p == NULL)
		return;
	prepare_free_tls(p);
	prepare_free_sites(p);
	prepare_free_forwards(p);
	for (uint32_t i = 0; i < p->plan.n_logs; i++)
		access_log_fini(p->plan.logs[i]);
	for (uint32_t i = 0; i < p->plan.n_wafs; i++)
		waf_fini(p->plan.wafs[i]);
	map_fini(&p->wafs);
	map_fini(&p->caches);
	map_fini(&p->rates);
	map_fini(&p->bandwidths);
	map_foreach (s, &p->users)
		auth_fini_users(s->value);
	map_fini(&p->users);
	map_foreach (s, &p->auths)
		auth_fini(s->value);
	map_fini(&p->auths);
	for (uint32_t i = 0; i < p->matches.n; i++)
		match_free(p->matches.at[i]);
	vec_fini(&p->matches);
	for (uint32_t i = 0; i < p->rewriters.n; i++)
		rewrite_fini(p->rewriters.at[i]);
	vec_fini(&p->rewriters);
	map_fini(&p->lines);
	acls_free(p->acls);
	map_fini(&p->upstreams);
	for (uint32_t i = 0; i < p->plan.n_upstreams; i++)
		upstream_free(p->plan.upstreams[i]);
	for (uint32_t i = 0; i < p->plan.n_listens; i++) {
		struct plan_listen *l = &p->plan.listens[i];

		map_fini(&l->hosts);
		map_fini(&l->suffixes);
		iptrie_free(l->trusted);
	}
	dns_conf_free(p->plan.dns);
	domains_free(p->plan.crawlers);
	geo_free(p->plan.geo);
	map_fini(&p->fields);
	files_fini_roots(&p->roots);
	prepare_free_presets(p);
	arena_fini(&p->arena);
	arena_pool_fini(&p->pool);
	free(p);
}
