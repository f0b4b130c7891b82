/* prepare_site: sites and their routes: who answers, with which settings. */
#include "common/base/check.h"
#include "common/base/map.h"
#include "common/store/closures.h"
#include "common/store/tenants.h"
#include "worker/prepare.h"
#include "worker/route/table.h"

/* A site while its routes are gathered. */
struct site_build {
	struct plan_site *site;
	struct vec routes; /* of struct plan_route, in file order */
	struct vec rules; /* of their sections */
	const struct plan_route *bare;
};

static void
site_begin(struct prepared *p, struct plan_site *site,
    const struct conf_section *sec, struct diag *d)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, sec);

	site->name = sec->name;
	site->at = sec->at;
	site->tally =
	    claims_tally(p->claims, TALLY_SITE, sec->name, span_of(NULL, 0));
	site->closure = closure_id(sec->name);
	site->section = sec;
	prepare_settings(p, &s, &site->set, d);
}

/* A route with all its settings; NULL when nobody in scope answers. */
static struct plan_route *
site_route(struct prepared *p, const struct plan_site *site,
    const struct conf_section *sec, struct diag *d)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, sec);
	const struct conf_value *v = prepare_handler_line(&s);
	struct plan_route *r;

	if (v == NULL)
		return NULL;
	r = arena_zalloc(&p->arena, sizeof(*r));
	r->site = site;
	r->section = sec;
	r->at = sec->at;
	if (sec->type == CONF_ROUTE) {
		r->at = sec->path_at;
		r->text = sec->path;
	}
	r->tally = claims_tally(p->claims, TALLY_ROUTE, sec->name, r->text);
	if (sec->type == CONF_ROUTE)
		prepare_settings(p, &s, &r->set, d);
	else
		r->set = site->set;
	prepare_handler(p, &r->set, v, d);
	return r;
}

/* Gather the routes of all sites, each in file order. */
static void
site_add_routes(struct prepared *p, const struct map *by_name, struct diag *d)
{
	for (const struct conf_section *s =
		 conf_first(p->plan.conf, CONF_ROUTE);
	     s != NULL; s = s->next) {
		struct site_build *b = map_get(by_name, s->name);
		struct plan_route *r;

		/* a route of an unknown site was refused by the reader */
		if (b == NULL)
			continue;
		r = site_route(p, b->site, s, d);
		if (r != NULL)
			vec_push(&b->routes, r);
		else if (!s->is_broken && !b->site->section->is_broken)
			diag_error(d, s->at,
			    "nobody answers here: add upstream, respond, "
			    "redirect or root to this route or its site");
	}
}

static void
site_add_rules(struct prepared *p, const struct map *by_name)
{
	for (const struct conf_section *s = conf_first(p->plan.conf, CONF_RULE);
	     s != NULL; s = s->next) {
		struct site_build *b = map_get(by_name, s->name);

		/* a rule of an unknown site was refused by the reader */
		if (b != NULL)
			vec_push(&b->rules, (void *)(uintptr_t)s);
	}
}

/* Whether the section itself says who may. */
static bool
site_is_guarded(const struct conf_section *sec)
{
	return sec->ordered != NULL || sec->first[KEY_SCOPE_AUTH] != NULL;
}

static void
site_find_guards(struct site_build *b)
{
	for (uint32_t i = 0; i < b->routes.n; i++) {
		const struct plan_route *r = b->routes.at[i];

		b->site->guards_paths |= site_is_guarded(r->section);
	}
	for (uint32_t i = 0; i < b->rules.n; i++)
		b->site->guards_paths |= site_is_guarded(b->rules.at[i]);
}

static void
site_build_table(struct prepared *p, struct site_build *b, struct diag *d)
{
	const struct plan_route **routes =
	    arena_alloc(&p->arena, b->routes.n * sizeof(*routes));

	for (uint32_t i = 0; i < b->routes.n; i++)
		routes[i] = b->routes.at[i];
	if (b->bare == NULL && b->routes.n == 0 && !b->site->section->is_broken)
		diag_error(d, b->site->at,
		    "nobody answers here: add upstream, respond or redirect, "
		    "or a route");
	prepare_rules(p, b->site, &b->rules, d);
	site_find_guards(b);
	b->site->routes = table_new(routes, b->routes.n, b->bare, d);
}

void
prepare_sites(struct prepared *p, struct diag *d)
{
	struct plan *plan = &p->plan;
	const struct conf_section *first = conf_first(plan->conf, CONF_SITE);
	struct site_build *builds;
	struct map by_name;
	uint32_t n = 0;

	for (const struct conf_section *s = first; s != NULL; s = s->next)
		n++;
	if (n == 0) {
		/* also what a file is while it is being written anew: a reload
		 * must not take that for an answer. With other errors the
		 * sections may only be missing here */
		if (diag_count(d, DIAG_ERROR) == 0 &&
		    conf_first(plan->conf, CONF_FORWARD) == NULL)
			diag_error(d, (struct place){0},
			    "nothing to serve: there is no [site]");
		return;
	}
	map_init(&by_name, false);
	plan->sites = arena_zalloc(&p->arena, n * sizeof(*plan->sites));
	builds = arena_zalloc(&p->arena, n * sizeof(*builds));
	for (const struct conf_section *s = first; s != NULL; s = s->next) {
		struct site_build *b = &builds[plan->n_sites];

		b->site = &plan->sites[plan->n_sites++];
		site_begin(p, b->site, s, d);
		vec_init(&b->routes);
		vec_init(&b->rules);
		b->bare = site_route(p, b->site, s, d);
		(void)map_put(&by_name, s->name, b);
	}
	site_add_routes(p, &by_name, d);
	site_add_rules(p, &by_name);
	for (uint32_t i = 0; i < n; i++) {
		site_build_table(p, &builds[i], d);
		vec_fini(&builds[i].routes);
		vec_fini(&builds[i].rules);
	}
	map_fini(&by_name);
}

void
prepare_free_sites(struct prepared *p)
{
	for (uint32_t i = 0; i < p->plan.n_sites; i++) {
		struct plan_site *site = &p->plan.sites[i];

		table_free(site->routes);
		prepare_free_rules(site);
	}
}
