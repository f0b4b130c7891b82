/* prepare: the configuration compiled for serving; see worker_prepare() in
 * common/ipc/boot.h. */
#ifndef GH_PREPARE_H
#define GH_PREPARE_H

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/ipc/boot.h"
#include "common/tls/tls.h"
#include "worker/exch/plan.h"

struct acls; /* worker/acl */

struct prepared {
	struct plan plan;
	struct map upstreams; /* of the plan, by name */
	struct map caches; /* likewise */
	struct map rates; /* likewise: of [limit] */
	struct map wafs; /* likewise: of [waf] */
	struct map bandwidths; /* struct plan_bandwidth, by the address of their
	                          line */
	const struct claims *claims; /* of the boot; or NULL */
	struct map users; /* struct users, by name */
	struct map auths; /* struct plan_auth, by name */
	struct acls *acls;
	struct arena_pool pool;
	struct arena arena; /* what the plan points at and nobody else owns */
	struct tls_policy tls; /* what [tls] says of all contexts */
	int64_t certificate_ends; /* the first; see worker_prepare_ends() */
	struct boot_certificate *certificates; /* by n_certificates */
	uint32_t n_certificates;
	struct map certificate_names; /* which of them are there */
	struct vec forward_upstreams; /* struct upstream, likewise */
	struct vec matches; /* struct match, to be given back */
	struct map server_names; /* struct outer_names, by upstream */
	struct map page_files; /* struct page_file, by path */
	struct map moves; /* struct moves, by the path of their file */
	struct map pages; /* struct page_line, by the address of their line */
	struct map roots; /* folders of `root`, by path */
	struct vec rewriters; /* struct rewrite, to be given back */
	/* struct rewrite, struct substitute, by the address of their line */
	struct map lines;
	struct map fields; /* struct field_rule, by the address of their word */
};

const struct plan *prepared_plan(const struct prepared *p);

/* --- between the files of worker/prepare* --------------------------------- */

/* Fill plan.sites and put them into plan.listens; upstreams, logs and listens
 * stand in the plan already. Problems go to d. */
void prepare_sites(struct prepared *p, struct diag *d);
void prepare_free_sites(struct prepared *p);

/* Put each site into the listens that serve it, by its hosts. */
void prepare_hosts(struct prepared *p, struct diag *d);

/* Whether a site is served by a listen: it names it, or names none. */
bool prepare_is_served(const struct prepared *p, const struct plan_site *site,
    const struct plan_listen *l);

/* What [tls] says of all contexts. */
void prepare_tls_policy(struct prepared *p, struct diag *d);
/* Certificates, once that, sites and hosts are there. */
void prepare_tls(struct prepared *p, struct diag *d);
void prepare_free_tls(struct prepared *p);

/* What the configuration says of one certificate's staple. */
struct staple_conf {
	span chain; /* the certificate's file */
	span file; /* of the answer; empty: none */
	bool is_fetched; /* without a file */
	struct place at; /* of the one that is looked at */
};

/* The staple of the certificate that was added last, which is put on the list
 * of those that are shown. */
void prepare_staple(struct prepared *p, struct tls_context *c,
    const struct staple_conf *s, struct diag *d);
void prepare_free_staples(struct prepared *p);

/* The rules of a site from its [rule] sections in file order. */
void prepare_rules(struct prepared *p, struct plan_site *site,
    const struct vec *sections, struct diag *d);
/* What they hold outside of the arena. */
void prepare_free_rules(struct plan_site *site);

/* The line nearest in scope that says who answers, or NULL. */
const struct conf_value *prepare_handler_line(const struct conf_scope *s);
/* Who answers by such a line. */
void prepare_handler(struct prepared *p, struct plan_settings *set,
    const struct conf_value *v, struct diag *d);
/* Everything but who answers. */
void prepare_settings(struct prepared *p, const struct conf_scope *s,
    struct plan_settings *set, struct diag *d);
/* What response_header says in a scope. */
void prepare_response_fields(struct prepared *p, const struct conf_scope *s,
    struct field_rules *out, struct diag *d);

/* What a scope says instead of an origin or in its name. */
void prepare_presets(struct prepared *p, const struct conf_scope *s,
    struct plan_settings *set, struct diag *d);
/* The pages for errors alone. */
void prepare_pages(struct prepared *p, const struct conf_scope *s,
    struct plan_pages *out, struct diag *d);
/* What servers of all upstreams are called, once those are there. */
void prepare_server_names(struct prepared *p);
void prepare_free_presets(struct prepared *p);

/* What was found, in memory that lasts. */
void *prepare_keep(struct prepared *p, struct vec *found);

/* The logs of a scope. */
void prepare_scope_logs(struct prepared *p, const struct conf_scope *s,
    struct plan_logs *out, struct diag *d);

/* `block_page` of a [forward], behind all other pages. */
void prepare_block_page(struct prepared *p, const struct conf_scope *s,
    struct plan_pages *pages, struct diag *d);

/* What each listen of mode forward does, by its policy; behind prepare_sites(),
 * and to be given back. */
void prepare_forwards(struct prepared *p, const struct boot *b, struct diag *d);
void prepare_free_forwards(struct prepared *p);
/* Upstreams of the plan that they may make of `parent`, at most. */
uint32_t prepare_count_parents(const struct conf_tree *t);
/* `cache` of a [forward]. */
void prepare_forward_cache(
    struct prepared *p, const struct conf_scope *s, struct plan_cache *out);

#endif
