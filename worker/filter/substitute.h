/* filter/substitute: other text in the content of answers (`substitute`). */
#ifndef GH_SUBSTITUTE_H
#define GH_SUBSTITUTE_H

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"
#include "worker/exch/bfilter.h"
#include "worker/exch/verdict.h"

struct exch;

/* Longest text that is looked for, and longest one in its place. */
#define SUBSTITUTE_FROM_MAX 256
#define SUBSTITUTE_TO_MAX 1024

/* One line. */
struct substitute {
	span from; /* 1 .. SUBSTITUTE_FROM_MAX bytes */
	span to;
	struct place at;
};

/* Read `|FROM|TO|`, with any mark that stands in neither in place of the bars.
 * NULL with a message; the texts are borrowed, the rest is in the arena. */
const struct substitute *substitute_prepare(
    const struct conf_value *v, struct arena *a, struct diag *d);

/* A filter of these lines (n > 0, borrowed as all they hold): state for
 * bfilter_add() with substitute_ops, in the arena. At each place the first line
 * that fits counts, and what it puts there is not searched again. Output does
 * not depend on how the input is cut; what could be the beginning of a FROM
 * waits for what follows, a flush or not. */
void *substitute_open(
    struct arena *a, const struct substitute *const *lines, uint32_t n);
extern const struct bfilter_ops substitute_ops;

/* Request stage, before the cache: what is changed on its way has no parts, so
 * all of it is asked for. */
enum verdict stage_whole(struct exch *x);
/* Response stage, before stage_compress(): put the filter in place, behind one
 * that takes a coding away if there is one. */
enum verdict stage_substitute(struct exch *x);

#endif
