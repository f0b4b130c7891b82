/* files: the handler of `root`: answers are files below a folder. A file is
 * found by the path that rules have judged, opened below the folder without
 * following a link, and sent from where it lies. */
#ifndef GH_FILES_H
#define GH_FILES_H

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/map.h"
#include "common/conf/conf.h"
#include "worker/exch/handler.h"
#include "worker/exch/plan.h"

struct worker;

extern const struct handler files_handler;

/* The handler's configuration of a line of `root`. Folders that are opened stand in
 * `roots` by their path, however many lines name them (files_fini_roots() gives
 * them back). NULL with a message. */
const void *files_prepare(const struct conf_value *root, struct map *roots,
    struct arena *a, struct diag *d);
/* What a scope says of `index`; names are borrowed from it. */
void files_prepare_index(const struct conf_scope *s, struct arena *a,
    struct plan_index *out, struct diag *d);

/* The descriptors of the folders, in the arena; *n their number. */
const int *files_roots(const struct map *roots, struct arena *a, uint32_t *n);
void files_fini_roots(struct map *roots);

/* The open files of a worker. */
struct files_worker *files_worker_new(void);
void files_worker_free(struct files_worker *f);

#endif
