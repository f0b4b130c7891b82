/* exch/internal: what those have in common who ask by an exchange of their own
 * (exch_spawn) and are its front: its content is there when it begins, and who
 * waits for the answer wants no interim ones. */
#ifndef GH_INTERNAL_H
#define GH_INTERNAL_H

#include <stdbool.h>

#include "common/base/span.h"

struct exch;
struct http_msg;

/* Of struct front_ops: nothing comes, nothing is told; done() follows an abort
 * and sees the fault. */
bool internal_pull(void *self, struct exch *y);
void internal_send_info(void *self, struct exch *y, struct http_msg *info);
void internal_abort(void *self, struct exch *y);

/* It becomes a GET, whatever it was made of. */
void internal_get(struct exch *y);
/* Of that path, which lives as long as y, without a query. */
void internal_path(struct exch *y, span path);

#endif
