/* prepare_host: which site a host belongs to, listen by listen. Exact names
 * beat patterns, longer patterns beat shorter ones. */
#include "worker/prepare.h"

/* One host of one site on one listen. */
struct host_claim {
	struct plan_listen *listen;
	struct plan_site *site;
	span host;
	bool is_weak; /* second pass: example.com, claimed as .example.com */
};

/* Put into a map of the listen. The first claim stays: that nobody else makes
 * the same was checked when the configuration was read, but for weak ones. */
static void
host_put(struct map *m, span key, const struct host_claim *c)
{
	if (map_get(m, key) == NULL)
		(void)map_put(m, key, c->site);
}

/* As the request's host is looked up: no brackets, no dot at the end. */
static span
host_key(span host)
{
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		return span_of(host.p + 1, host.len - 2);
	if (host.len > 1 && host.p[host.len - 1] == '.')
		host.len--;
	return host;
}

static void
host_claim(const struct host_claim *c)
{
	struct plan_listen *l = c->listen;
	span key = host_key(c->host);
	bool is_dotted = key.len > 1 && key.p[0] == '.';

	if (c->is_weak) {
		if (is_dotted)
			host_put(&l->hosts, span_from(key, 1), c);
	} else if (span_eq(key, SPAN_LIT("*"))) {
		l->any = c->site;
	} else if (span_starts(key, SPAN_LIT("*."))) {
		host_put(&l->suffixes, span_from(key, 1), c);
	} else if (is_dotted) {
		host_put(&l->suffixes, key, c);
	} else {
		host_put(&l->hosts, key, c);
	}
}

/* All hosts of a site on one listen. */
static void
host_claim_all(struct prepared *p, struct plan_site *site,
    struct plan_listen *l, bool is_weak)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, site->section);
	struct host_claim c = {.listen = l, .site = site, .is_weak = is_weak};
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v = conf_next(&s, KEY_SITE_HOSTS, &it);

	if (v == NULL) {
		c.host = site->name;
		host_claim(&c);
	}
	for (; v != NULL; v = conf_next(&s, KEY_SITE_HOSTS, &it)) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			c.host = v->words[i].text;
			host_claim(&c);
		}
	}
}

static bool
prepare_is_of_sites(const struct prepared *p, const struct plan_listen *l)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, l->section);

	return span_eq(conf_text(&s, KEY_LISTEN_MODE), SPAN_LIT("http"));
}

bool
prepare_is_served(const struct prepared *p, const struct plan_site *site,
    const struct plan_listen *l)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, site->section);
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v = conf_next(&s, KEY_SITE_LISTEN, &it);

	if (v == NULL)
		return prepare_is_of_sites(p, l);
	for (; v != NULL; v = conf_next(&s, KEY_SITE_LISTEN, &it))
		for (uint32_t i = 0; i < v->n_words; i++)
			if (span_eq(v->words[i].text, l->section->name))
				return true;
	return false;
}

/* default_site; a site with `hosts = *` has a better claim. */
static void
host_set_default(struct prepared *p, struct plan_listen *l, struct diag *d)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, l->section);
	const struct conf_value *v = conf_get(&s, KEY_LISTEN_DEFAULT_SITE);

	if (v == NULL)
		return;
	for (uint32_t i = 0; i < p->plan.n_sites; i++) {
		const struct plan_site *site = &p->plan.sites[i];

		if (!span_eq(site->name, v->text))
			continue;
		if (l->any == NULL)
			l->any = site;
		else if (l->any != site)
			diag_warning(d, v->at,
			    "never used: site '%.*s' has 'hosts = *' here",
			    SPAN_FMT(l->any->name));
		return;
	}
}

void
prepare_hosts(struct prepared *p, struct diag *d)
{
	struct plan *plan = &p->plan;

	for (uint32_t i = 0; i < plan->n_listens; i++) {
		struct plan_listen *l = &plan->listens[i];

		for (unsigned pass = 0; pass < 2; pass++)
			for (uint32_t k = 0; k < plan->n_sites; k++)
				if (prepare_is_served(p, &plan->sites[k], l))
					host_claim_all(
					    p, &plan->sites[k], l, pass == 1);
		host_set_default(p, l, d);
	}
}
