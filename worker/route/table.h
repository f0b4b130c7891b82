/* route/table: which route of a site serves a path. */
#ifndef GH_TABLE_H
#define GH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/exch/plan.h"

/* Build the table of a site from its routes, in file order; *bare (may be NULL)
 * serves what no route does. A route's text decides its kind: "/x" a prefix on
 * a segment boundary, "=/x" that path alone, "~ regex". Routes are borrowed.
 * NULL when d got an error. */
struct route_table *table_new(const struct plan_route *const *routes,
    uint32_t n, const struct plan_route *bare, struct diag *d);
void table_free(struct route_table *t);

enum table_rc { TABLE_FOUND, TABLE_NONE, TABLE_LIMIT };

/* The route for a normalized path: an equal exact one; else the longest prefix;
 * regexes, in file order, only where no prefix longer than "/" matches; else
 * "/", else the bare site. */
enum table_rc table_find(
    const struct route_table *t, span path, const struct plan_route **out);

#endif
