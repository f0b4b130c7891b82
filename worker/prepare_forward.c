/* prepare_forward: the [forward] of each listen that is a forward proxy. */
#include "common/base/check.h"
#include "worker/acl/acl.h"
#include "worker/forward/forward.h"
#include "worker/prepare.h"
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

static struct prepared_forward *
forward_begin(struct prepared *p, const struct boot *b,
    const struct conf_section *sec, struct diag *d)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	struct prepared_forward *f = arena_zalloc(&p->arena, sizeof(*f));
	struct upstream *u = up_prepare_any(b, sec);

	vec_push(&p->forward_upstreams, u);
	f->forward = forward_prepare(b, sec, &p->arena);
	prepare_settings(p, &s, &f->set, d);
	acls_list(p->acls, &s, true, &f->set.access, d);
	f->set.access.is_log_only = conf_bool(&s, KEY_FORWARD_LOG_ONLY);
	/* one that is not there has been told */
	f->set.auth = map_get(&p->auths, conf_text(&s, KEY_FORWARD_AUTH));
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
