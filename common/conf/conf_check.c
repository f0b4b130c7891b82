/* conf/conf_check: what must hold between the sections of a configuration:
 * needed keys, keys that exclude each other, one owner for each host and
 * address. */
#include "common/conf/conf_int.h"
#include "common/conf/conf_places.h"
#include "common/conf/conf_sticky.h"

#include "common/base/check.h"
#include "common/conf/conf_health.h"
#include "common/conf/conf_logs.h"
#include "common/conf/conf_per.h"
#include "common/conf/conf_share.h"

struct checker {
	struct conf_tree *tree;
	struct diag *d;
};

/* Keys by which a request is answered. */
static const enum conf_key handlers[] = {
    KEY_SCOPE_UPSTREAM, KEY_SCOPE_RESPOND, KEY_SCOPE_REDIRECT, KEY_SCOPE_ROOT};

/* Say what a section lacks, unless a line of it could not be read. */
static void
need(const struct checker *c, const struct conf_section *s, const char *what)
{
	char label[CONF_LABEL_CAP];

	if (s->is_broken)
		return;
	conf_label(s, label);
	diag_error(c->d, s->at, "%s %s", label, what);
}

/* Of the keys that answer, at most one in a section. */
static void
check_one_handler(const struct checker *c, const struct conf_section *s)
{
	const struct conf_value *first = NULL;
	char label[CONF_LABEL_CAP];

	for (size_t i = 0; i < NELEMS(handlers); i++) {
		const struct conf_value *v = s->first[handlers[i]];

		if (v == NULL || v->is_none)
			continue;
		if (first == NULL) {
			first = v;
			continue;
		}
		if (v->key_at.line < first->key_at.line) {
			const struct conf_value *later = first;

			first = v;
			v = later;
		}
		conf_label(s, label);
		diag_error(c->d, v->key_at,
		    "%s: '%s' and '%s' (line %u) cannot both answer", label,
		    conf_rows[v->key].name, conf_rows[first->key].name,
		    first->key_at.line);
		return;
	}
}

static bool
has_handler(const struct checker *c, const struct conf_section *s)
{
	struct conf_scope sc = conf_scope_of(c->tree, s);

	for (size_t i = 0; i < NELEMS(handlers); i++) {
		if (conf_get(&sc, handlers[i]) != NULL)
			return true;
	}
	return false;
}

/* Told once: who compiles it leaves broken ones alone. */
static void
lack_handler(const struct checker *c, struct conf_section *s)
{
	need(c, s,
	    "answers nothing: it needs upstream, root, respond or redirect");
	s->is_broken = true;
}

static void
check_handlers(const struct checker *c)
{
	struct map routed;

	map_init(&routed, false);
	for (struct conf_section *s = c->tree->first[CONF_ROUTE]; s != NULL;
	     s = s->next) {
		(void)map_put(&routed, s->name, s);
		check_one_handler(c, s);
		if (!has_handler(c, s))
			lack_handler(c, s);
	}
	for (struct conf_section *s = c->tree->first[CONF_SITE]; s != NULL;
	     s = s->next) {
		check_one_handler(c, s);
		if (!has_handler(c, s) && map_get(&routed, s->name) == NULL)
			lack_handler(c, s);
	}
	if (c->tree->first[CONF_DEFAULTS] != NULL)
		check_one_handler(c, c->tree->first[CONF_DEFAULTS]);
	map_fini(&routed);
}

static void
check_rules(const struct checker *c)
{
	for (struct conf_section *s = c->tree->first[CONF_RULE]; s != NULL;
	     s = s->next) {
		check_one_handler(c, s);
		if (s->first[KEY_RULE_MATCH] == NULL)
			need(c, s, "has no match, and would hold for nothing");
	}
}

/* --- hosts ---------------------------------------------------------------- */

struct host_owner {
	const struct conf_section *site;
	struct place at;
};

/* Lower case; the two ways to say "all below" are the same. */
static span
host_key(struct conf_tree *t, const struct conf_section *listen, span host)
{
	char *out;
	span key;

	if (span_starts(host, SPAN_LIT("*.")))
		host = span_from(host, 1);
	key = arena_printf(&t->arena, "%.*s", SPAN_FMT(host));
	out = arena_alloc(&t->arena, sizeof(listen) + key.len + 1);
	/* the listen itself tells the keys of two listens apart */
	memcpy(out, &listen, sizeof(listen));
	for (size_t i = 0; i < key.len; i++)
		out[sizeof(listen) + i] = ascii_lower(key.p[i]);
	return span_of(out, sizeof(listen) + key.len);
}

/* false: another site has it, and that was said. */
static bool
claim_host(const struct checker *c, struct map *hosts,
    const struct conf_section *listen, const struct conf_section *site,
    const struct conf_word *host)
{
	span key = host_key(c->tree, listen, host->text);
	struct host_owner *o = map_get(hosts, key);
	char label[CONF_LABEL_CAP];
	char other[CONF_LABEL_CAP];
	char where[CONF_LABEL_CAP];

	if (o == NULL) {
		o = arena_alloc(&c->tree->arena, sizeof(*o));
		*o = (struct host_owner){site, host->at};
		(void)map_put(hosts, key, o);
		return true;
	}
	if (o->site == site)
		return true;
	conf_label(site, label);
	conf_label(o->site, other);
	conf_where(c->d, o->at, host->at, where);
	diag_error(c->d, host->at,
	    "%s: host '%.*s' is served by %s already (%s)", label,
	    SPAN_FMT(conf_brief(host->text)), other, where);
	return false;
}

/* As the site's own lines say; without any, all of mode http. */
static bool
is_served_by(const struct checker *c, const struct conf_section *site,
    const struct conf_section *listen)
{
	struct conf_scope of_listen = conf_scope_of(c->tree, listen);
	struct conf_scope of_site = conf_scope_of(c->tree, site);
	struct conf_iter it = {0};
	const struct conf_value *v = conf_next(&of_site, KEY_SITE_LISTEN, &it);

	if (v == NULL)
		return span_eq(
		    conf_text(&of_listen, KEY_LISTEN_MODE), SPAN_LIT("http"));
	for (; v != NULL; v = conf_next(&of_site, KEY_SITE_LISTEN, &it)) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			if (span_eq(v->words[i].text, listen->name))
				return true;
		}
	}
	return false;
}

/* On each listen that serves the site; a conflict is said once. */
static void
claim_everywhere(const struct checker *c, struct map *hosts,
    const struct conf_section *site, const struct conf_word *host)
{
	const struct conf_section *listen = c->tree->first[CONF_LISTEN];

	for (; listen != NULL; listen = listen->next) {
		if (is_served_by(c, site, listen) &&
		    !claim_host(c, hosts, listen, site, host))
			return;
	}
}

/* A site without hosts is named after its one. */
static void
claim_name(
    const struct checker *c, struct map *hosts, const struct conf_section *site)
{
	struct conf_word name = {site->name, site->name_at};
	const char *why = NULL;

	if (!conf_shape_check("<host>", c->tree->part, site->name, &why))
		diag_error(c->d, site->name_at,
		    "the site's name is its host, but: %s (set hosts, or name "
		    "it after its host)",
		    why);
	claim_everywhere(c, hosts, site, &name);
}

static void
check_hosts(const struct checker *c)
{
	const struct conf_section *site = c->tree->first[CONF_SITE];
	struct map hosts;

	map_init(&hosts, false);
	for (; site != NULL; site = site->next) {
		struct conf_scope sc = conf_scope_of(c->tree, site);
		struct conf_iter it = {0};
		const struct conf_value *v =
		    conf_next(&sc, KEY_SITE_HOSTS, &it);

		if (v == NULL)
			claim_name(c, &hosts, site);
		for (; v != NULL; v = conf_next(&sc, KEY_SITE_HOSTS, &it)) {
			for (uint32_t i = 0; i < v->n_words; i++)
				claim_everywhere(c, &hosts, site, &v->words[i]);
		}
	}
	map_fini(&hosts);
}

/* --- listens, upstreams, logs --------------------------------------------- */

/* Whether a word is one of a section's addresses. */
static bool
is_address_of(const struct conf_section *s, const struct conf_word *w)
{
	for (const struct conf_value *v = s->first[KEY_LISTEN_ADDRESS];
	     v != NULL; v = v->next) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			if (&v->words[i] == w)
				return true;
		}
	}
	return false;
}

/* `:80 [::]:80` is what other servers want to hear for all addresses: within
 * one listen the second is held by the first. */
static void
claim_address(const struct checker *c, struct map *addresses,
    const struct conf_section *s, struct conf_word *w)
{
	bool is_any6 = span_starts(w->text, SPAN_LIT("[::]:"));
	span key = is_any6 ? span_from(w->text, 4) : w->text;
	struct conf_word *old = map_put(addresses, key, w);
	char where[CONF_LABEL_CAP];

	if (old == NULL ||
	    (!span_eq(old->text, w->text) && is_address_of(s, old)))
		return;
	conf_where(c->d, old->at, w->at, where);
	diag_error(c->d, w->at,
	    "address %.*s is listened on twice, first in %s",
	    SPAN_FMT(conf_brief(w->text)), where);
}

/* All addresses of one section; it needs at least one. */
static void
claim_addresses(const struct checker *c, struct map *addresses,
    const struct conf_section *s, enum conf_key key, const char *lack)
{
	struct conf_scope sc = conf_scope_of(c->tree, s);
	struct conf_iter it = {0};
	const struct conf_value *v = conf_next(&sc, key, &it);

	if (v == NULL)
		need(c, s, lack);
	for (; v != NULL; v = conf_next(&sc, key, &it)) {
		for (uint32_t i = 0; i < v->n_words; i++)
			claim_address(c, addresses, s, &v->words[i]);
	}
}

/* Keys that are of no meaning for a listen of this mode. */
static void
refuse_key(const struct checker *c, const struct conf_section *s,
    enum conf_key k, const char *mode)
{
	const struct conf_value *v = s->first[k];
	bool is_off =
	    v != NULL && conf_rows[k].kind == KIND_BOOL && v->num == 0;

	if (v != NULL && !v->is_none && !is_off)
		diag_error(c->d, v->key_at, "'%s' says nothing here: %s",
		    conf_rows[k].name, mode);
}

/* Who does not know that there is a proxy says nothing to it. */
static void
check_transparent(const struct checker *c, const struct conf_section *s,
    const struct conf_scope *sc)
{
	static const char mode[] = "it is of mode transparent";
	const struct conf_section *policy = conf_section(
	    c->tree, CONF_FORWARD, conf_text(sc, KEY_LISTEN_POLICY));
	const struct conf_value *auth =
	    policy == NULL ? NULL : policy->first[KEY_FORWARD_AUTH];
	struct conf_iter it = {0};
	const struct conf_value *v;

	refuse_key(c, s, KEY_LISTEN_TLS, mode);
	refuse_key(c, s, KEY_LISTEN_H2C, mode);
	refuse_key(c, s, KEY_LISTEN_PROTOCOLS, mode);
	refuse_key(c, s, KEY_LISTEN_PROXY_PROTOCOL, mode);
	while ((v = conf_next(sc, KEY_LISTEN_ADDRESS, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			if (span_starts(v->words[i].text, SPAN_LIT("unix:")))
				diag_error(c->d, v->words[i].at,
				    "nothing can be redirected to a unix "
				    "socket");
	if (auth != NULL && !auth->is_none)
		diag_error(c->d, auth->at,
		    "[listen %.*s] cannot ask who its clients are: %s",
		    SPAN_FMT(conf_brief(s->name)), mode);
}

static void
check_mode(const struct checker *c, const struct conf_section *s)
{
	struct conf_scope sc = conf_scope_of(c->tree, s);

	if (span_eq(conf_text(&sc, KEY_LISTEN_MODE), SPAN_LIT("http"))) {
		refuse_key(c, s, KEY_LISTEN_POLICY, "it is of mode http");
		return;
	}
	if (conf_get(&sc, KEY_LISTEN_POLICY) == NULL)
		need(c, s, "is a proxy and needs a policy");
	refuse_key(c, s, KEY_LISTEN_DEFAULT_SITE, "no site is served");
	refuse_key(c, s, KEY_LISTEN_REDIRECT_HTTPS, "no site is served");
	if (span_eq(conf_text(&sc, KEY_LISTEN_MODE), SPAN_LIT("transparent")))
		check_transparent(c, s, &sc);
}

/* A site is served by listens of mode http. */
static void
check_site_listens(const struct checker *c, const struct conf_section *site)
{
	struct conf_scope sc = conf_scope_of(c->tree, site);
	struct conf_iter it = {0};
	const struct conf_value *v;

	while ((v = conf_next(&sc, KEY_SITE_LISTEN, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			const struct conf_section *l = conf_section(
			    c->tree, CONF_LISTEN, v->words[i].text);
			struct conf_scope of;

			if (l == NULL)
				continue;
			of = conf_scope_of(c->tree, l);
			if (!span_eq(conf_text(&of, KEY_LISTEN_MODE),
				SPAN_LIT("http")))
				diag_error(c->d, v->words[i].at,
				    "[listen %.*s] serves no sites: its mode "
				    "is not http",
				    SPAN_FMT(conf_brief(l->name)));
		}
	}
}

static void
check_listens(const struct checker *c)
{
	const struct conf_section *s = c->tree->first[CONF_LISTEN];
	struct map addresses;

	map_init(&addresses, false);
	for (; s != NULL; s = s->next) {
		claim_addresses(
		    c, &addresses, s, KEY_LISTEN_ADDRESS, "has no address");
		check_mode(c, s);
	}
	for (s = c->tree->first[CONF_SITE]; s != NULL; s = s->next)
		check_site_listens(c, s);
	if (c->tree->first[CONF_ADMIN] != NULL)
		claim_addresses(c, &addresses, c->tree->first[CONF_ADMIN],
		    KEY_ADMIN_LISTEN, "has no listen");
	map_fini(&addresses);
}

/* The words of their own languages. */
static void
check_health(const struct checker *c, const struct conf_section *s)
{
	struct conf_scope scope = conf_scope_of(c->tree, s);
	struct conf_eject eject;
	struct conf_sticky sticky;

	conf_eject_read(&scope, &eject, c->d);
	conf_check_judge(&scope, c->d);
	conf_sticky_read(&scope, &sticky, c->d);
}

static void
check_limits(const struct checker *c, const struct conf_section *s)
{
	struct conf_scope scope = conf_scope_of(c->tree, s);
	struct conf_places limits;

	conf_places_read(&scope, &limits, c->d);
}

/* A try that may take longer than all of them is a mistake. */
static void
check_times(const struct checker *c, const struct conf_section *s)
{
	const struct conf_value *one = s->first[KEY_UPSTREAM_TRY_TIMEOUT];
	const struct conf_value *all = s->first[KEY_UPSTREAM_TOTAL_TIMEOUT];
	char where[CONF_LABEL_CAP];

	if (one == NULL || all == NULL || all->num == 0 || one->num <= all->num)
		return;
	conf_where(c->d, all->key_at, one->at, where);
	diag_error(c->d, one->at,
	    "try_timeout = %.*s: longer than total_timeout = %.*s (%s)",
	    SPAN_FMT(conf_brief(one->text)), SPAN_FMT(conf_brief(all->text)),
	    where);
}

static void
check_upstream(const struct checker *c, const struct conf_section *s)
{
	struct map servers;
	char where[CONF_LABEL_CAP];
	bool is_any = false;

	map_init(&servers, true);
	for (const struct conf_value *v = s->first[KEY_UPSTREAM_SERVER];
	     v != NULL; v = v->next) {
		struct conf_word *old;

		if (v->n_words == 0)
			continue;
		is_any = true;
		old = map_put(&servers, v->words[0].text, &v->words[0]);
		if (old == NULL)
			continue;
		conf_where(c->d, old->at, v->words[0].at, where);
		diag_error(c->d, v->words[0].at,
		    "server %.*s stands twice, first in %s; `weight` gives it "
		    "a larger share",
		    SPAN_FMT(conf_brief(v->words[0].text)), where);
	}
	map_fini(&servers);
	if (!is_any)
		need(c, s, "has no server");
	check_health(c, s);
	check_limits(c, s);
	check_times(c, s);
}

static void
check_shares(const struct checker *c)
{
	static const enum conf_type types[] = {
	    CONF_DEFAULTS, CONF_SITE, CONF_ROUTE, CONF_RULE, CONF_FORWARD};

	for (size_t i = 0; i < NELEMS(types); i++) {
		for (const struct conf_section *s = c->tree->first[types[i]];
		     s != NULL; s = s->next) {
			conf_share_check(s, c->d);
			conf_per_check(s, c->d);
		}
	}
}

void
conf_check(struct conf_tree *t, struct diag *d)
{
	struct checker c = {t, d};

	check_listens(&c);
	check_hosts(&c);
	check_handlers(&c);
	check_rules(&c);
	conf_logs_check(t, d);
	check_shares(&c);
	for (const struct conf_section *s = t->first[CONF_UPSTREAM]; s != NULL;
	     s = s->next)
		check_upstream(&c, s);
}
