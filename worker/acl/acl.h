/* acl: who may and who may not: the [acl] sections, and the lists of `allow`
 * and `deny` that name them, for both directions. */
#ifndef GH_ACL_H
#define GH_ACL_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "worker/exch/access.h"
#include "worker/exch/verdict.h"

struct acls;
struct exch;

/* All [acl] sections of a configuration, with the files they name; problems go
 * to d. Never NULL. The arena must live as long as it. */
struct acls *acls_new(
    const struct conf_tree *conf, struct arena *a, struct diag *d);
/* NULL is allowed. */
void acls_free(struct acls *all);

/* Whether one asks for fingerprints of TLS. */
bool acls_want_ja4(const struct acls *all);

/* The list of a scope, nearest first; each line is compiled once, however many
 * scopes inherit it. `is_closed`: it ends in deny all even without lines. */
void acls_list(struct acls *all, const struct conf_scope *s, bool is_closed,
    struct plan_access *out, struct diag *d);
/* One of only `allow` lines, from all lines of the key of a section. Empty when
 * there is none. */
void acls_list_allowed(struct acls *all, const struct conf_section *s,
    enum conf_key k, struct plan_access *out, struct diag *d);

/* Whether the request may go on, as its settings' list says. */
enum verdict stage_acl(struct exch *x);
/* The same for what waited for the head of the answer. */
enum verdict stage_acl_answer(struct exch *x);

#endif
