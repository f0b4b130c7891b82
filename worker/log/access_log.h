/* log/access_log: one line for each finished exchange. Formats are templates
 * compiled at load; each worker collects its lines and writes whole ones. */
#ifndef GH_ACCESS_LOG_H
#define GH_ACCESS_LOG_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"

struct access_log;
struct exch;
struct log_worker;
struct worker;

/* --- plan ----------------------------------------------------------------- */

/* Compile a [log] section into the arena; `index` is its place in plan.logs.
 * NULL when its format is wrong. */
struct access_log *access_log_prepare(const struct conf_tree *t,
    const struct conf_section *s, uint32_t index, struct arena *a,
    struct diag *d);
/* A log whose lines are made elsewhere; its path is told by `s`. */
struct access_log *access_log_raw(
    const struct conf_section *s, uint32_t index, struct arena *a);
/* Give back what it holds outside of the arena. */
void access_log_fini(struct access_log *l);
span access_log_name(const struct access_log *l);

/* --- worker --------------------------------------------------------------- */

/* The moving side for all logs of the worker's plan; descriptors are those of
 * boot.logs. */
struct log_worker *log_worker_new(struct worker *w);
/* Write what is collected and forget. NULL is allowed. */
void log_worker_free(struct log_worker *lw);
/* Write what is collected, then go on with `fd` (taken) for the log that
 * boot.logs has at `index`; the descriptor before it is closed. */
void log_worker_take_fd(struct log_worker *lw, uint32_t index, int fd);

/* Room for a line of a log whose lines are made elsewhere, at least
 * LOG_LINE_MIN bytes; NULL when there is none. Then how long it is: 0 for none
 * that was lost. */
char *log_room(struct log_worker *lw, const struct access_log *l, size_t *cap);
void log_added(struct log_worker *lw, const struct access_log *l, size_t len);

/* Write the exchange into the logs of its route, else of its listen. */
void log_exchange(struct exch *x);

#endif
