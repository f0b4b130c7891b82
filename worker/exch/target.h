/* exch/target: the target that an origin is asked for. */
#ifndef GH_TARGET_H
#define GH_TARGET_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/span.h"

struct exch;
struct plan_rewrites;

/* What a request is for to its server, in place of what it asked for: the path
 * in its normal form. */
struct target_new {
	span path;
	span query;
	bool has_query;
};

/* Lines that belong to one exchange as another one's. */
void target_copy_rewrites(struct plan_rewrites *lines, struct arena *a);

/* Path and query for the origin: as they came, unless x->target says otherwise
 * or the route strips or adds a prefix. Begins with '/', or is "*". Borrowed from
 * the exchange or in its arena. p == NULL when the route rewrites a path that can be
 * read in more than one way (F_PATH_AMBIGUOUS is the caller's to set). */
span route_target(struct exch *x);

/* The path alone in its normal form, x->target's or x->path, with those prefixes
 * stripped and added: what a file is found by. Not of one that is ambiguous. */
span target_path(struct exch *x);

/* x->path: the request's path in its normal form. */
void target_read_path(struct exch *x);

/* A prefix of the configuration in the form that the above compares with:
 * normalized, no slash at its end ("" for "/"); in the arena. false when it is
 * no plain path. */
bool target_prepare_prefix(span text, struct arena *a, span *out);

#endif
