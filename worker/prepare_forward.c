/* prepare_forward: the [forward] of each listen that is a forward proxy. */
#include "common/base/check.h"
#include "common/base/domains.h"
#include "worker/acl/acl.h"
#include "worker/forward/forward.h"
#include "worker/prepare.h"
#include "worker/rate/rate.h"
#include "worker/up/up.h"

/* What one says of an exchange. Listens share it, but for what is theirs. */
struct prepared_forward {
	const struct forward *forward;
	struct plan_settings set;
};

static void
forward_tunnels(const struct conf_scope *s, struct plan_tunnels *out)
{
	*out = (struct plan_tunnels){
	    .idle_ms = (uint64_t)conf_num(s, KEY_FORWARD_TUNNEL_IDLE_TIMEOUT),
	    .total_ms = (uint64_t)conf_num(s, KEY_FORWARD_TUNNEL_TIMEOUT),
	    .checks_sni = span_eq(
		conf_text(s, KEY_FORWARD_CONNECT_SNI), SPAN_LIT("match")),
	};
}

/* --- parents -------------------------------------------------------------- */

static void
parent_check_hosts(const struct conf_value *v, struct diag *d)
{
	char name[DOMAINS_NAME_MAX];
	span rest = up_parent_for(v);
	span domain;

	while (span_cut(&rest, ',', &domain)) {
		if (span_starts(domain, SPAN_LIT(".")))
			domain = span_from(domain, 1);
		if (domains_normalize(domain, name) == 0)
			diag_error(
			    d, v->at, "'%.*s' is no domain", SPAN_FMT(domain));
	}
}

/* The one for the same hosts; the end when there is none. */
static uint32_t
parent_find(const struct forward_parent *parents, uint32_t n,
    const struct conf_value *v)
{
	uint32_t i = 0;

	while (i < n && !span_eq(parents[i].hosts, up_parent_for(v)))
		i++;
	return i;
}

/* One for each group of lines that are for the same hosts. */
static uint32_t
forward_parents(struct prepared *p, const struct boot *b,
    const struct conf_section *sec, struct forward_parent *out, struct diag *d)
{
	const struct conf_value *v = sec->first[KEY_FORWARD_PARENT];
	uint32_t n = 0;

	for (; v != NULL; v = v->next) {
		uint32_t i = parent_find(out, n, v);

		if (v->is_none)
			continue;
		parent_check_hosts(v, d);
		if (i < n && out[i].upstream == NULL)
			diag_error(d, v->at,
			    "never asked: direct is for the same hosts (line "
			    "%u)",
			    out[i].at.line);
		if (i < n)
			continue;
		out[n] = (struct forward_parent){
		    .hosts = up_parent_for(v),
		    .at = v->at,
		};
		if (!up_parent_is_direct(v)) {
			struct plan *plan = &p->plan;
			struct upstream *u = up_prepare_parent(
			    b, sec, v, plan->n_upstreams, &p->arena, d);

			plan->upstreams[plan->n_upstreams++] = u;
			out[n].upstream = u;
		}
		n++;
	}
	return n;
}

uint32_t
prepare_count_parents(const struct conf_tree *t)
{
	uint32_t n = 0;

	for (const struct conf_section *s = conf_first(t, CONF_FORWARD);
	     s != NULL; s = s->next)
		for (const struct conf_value *v = s->first[KEY_FORWARD_PARENT];
		     v != NULL; v = v->next)
			n++;
	return n;
}

/* --- one [forward] -------------------------------------------------------- */

static struct prepared_forward *
forward_begin(struct prepared *p, const struct boot *b,
    const struct conf_section *sec, struct diag *d)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	struct prepared_forward *f = arena_zalloc(&p->arena, sizeof(*f));
	struct upstream *u = up_prepare_any(b, sec);
	struct forward_parent *parents = arena_zalloc(
	    &p->arena, prepare_count_parents(b->conf) * sizeof(*parents));
	uint32_t n_parents = forward_parents(p, b, sec, parents, d);

	vec_push(&p->forward_upstreams, u);
	f->forward = forward_prepare(b, sec, parents, n_parents, &p->arena);
	prepare_settings(p, &s, &f->set, d);
	acls_list(p->acls, &s, true, &f->set.access, d);
	f->set.access.is_log_only = conf_bool(&s, KEY_FORWARD_LOG_ONLY);
	/* one that is not there has been told */
	f->set.auth = map_get(&p->auths, conf_text(&s, KEY_FORWARD_AUTH));
	f->set.quota = quota_prepare(sec, &p->arena, d);
	prepare_forward_cache(p, &s, &f->set.cache);
	prepare_block_page(p, &s, &f->set.pages, d);
	f->set.handler = &up_any_handler;
	f->set.handler_conf = u;
	f->set.handler_at = sec->at;
	forward_tunnels(&s, &f->set.tunnels);
	return f;
}

/* Logs are told by the listen. */
static void
forward_give(struct plan_listen *l, const struct prepared_forward *f)
{
	struct plan_logs logs = l->set.logs;

	l->forward = f->forward;
	l->set = f->set;
	l->set.logs = logs;
}

void
prepare_forwards(struct prepared *p, const struct boot *b, struct diag *d)
{
	struct map by_name;

	map_init(&by_name, false);
	for (const struct conf_section *s = conf_first(b->conf, CONF_FORWARD);
	     s != NULL; s = s->next)
		(void)map_put(&by_name, s->name, forward_begin(p, b, s, d));
	for (uint32_t i = 0; i < p->plan.n_listens; i++) {
		struct plan_listen *l = &p->plan.listens[i];
		struct conf_scope s = conf_scope_of(b->conf, l->section);
		const struct prepared_forward *f =
		    map_get(&by_name, conf_text(&s, KEY_LISTEN_POLICY));

		/* one that is not there was told */
		if (f != NULL &&
		    !span_eq(conf_text(&s, KEY_LISTEN_MODE), SPAN_LIT("http")))
			forward_give(l, f);
	}
	map_fini(&by_name);
}

void
prepare_free_forwards(struct prepared *p)
{
	for (uint32_t i = 0; i < p->forward_upstreams.n; i++)
		upstream_free(p->forward_upstreams.at[i]);
	vec_fini(&p->forward_upstreams);
}
