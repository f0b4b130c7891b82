/* auth: who a request is from. An [auth] is asked by whoever needs to know, and
 * by its stage for all requests of its scope. */
#ifndef GH_AUTH_H
#define GH_AUTH_H

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/map.h"
#include "common/conf/conf.h"
#include "worker/exch/verdict.h"

struct auth_worker;
struct claims;
struct exch;
struct handler;
struct plan_auth;
struct tls_policy;
struct users;
struct worker;

/* From a [users] section. Never NULL; problems go to d. The arena must live as
 * long as it. */
struct users *auth_prepare_users(const struct conf_tree *t,
    const struct conf_section *s, struct arena *a, struct diag *d);
/* Give back what is not in the arena; NULL is allowed. */
void auth_fini_users(struct users *u);
/* What [auth] sections may name. */
struct auth_names {
	const struct conf_tree *tree;
	const struct claims
	    *claims; /* tables of `ban`; NULL: none are shared */
	const struct map *users; /* struct users, by name */
	const struct map *upstreams; /* what their handler takes, by name */
	const struct handler *upstream; /* that handler */
	const struct tls_policy *policy; /* for whom keys are fetched from */
};
/* From an [auth] section. */
struct plan_auth *auth_prepare(const struct auth_names *names,
    const struct conf_section *s, struct arena *a, struct diag *d);

/* Give back what is not in the arena; NULL is allowed. */
void auth_fini(struct plan_auth *p);

/* What a worker needs to verify credentials: threads and a memory of them. NULL
 * with errno. A worker that has none (a dry run) verifies in place. */
struct auth_worker *auth_worker_new(struct worker *w);
/* No exchange may be left; NULL is allowed. */
void auth_worker_free(struct auth_worker *aw);

/* The master has answered for a helper (CTL_HELPER); takes fd, or none (-1). The
 * worker may verify nothing. */
void auth_helper_arrived(struct auth_worker *aw, uint64_t arg, int fd);

/* Nobody is let on who is not known to the scope's [auth]; what proved it goes
 * no further, unless the section says `pass`. */
enum verdict stage_auth(struct exch *x);
/* The exchange is over: it waits no more. */
void auth_close(struct exch *x);

#endif
