/* up/rawo: an origin that is only connected to: the far end of a tunnel that a
 * CONNECT asks for (RFC 9110 9.3.6). */
#ifndef GH_RAWO_H
#define GH_RAWO_H

#include "worker/up/origin.h"

extern const struct origin_ops rawo_ops;

/* For who reaches the far end through another proxy (up_parent.c): the parts of
 * those ops. t->wire is begun by rawo_prepare() and is a struct h1o_wire, too. */
bool rawo_prepare(struct up_try *t);
void rawo_explain(const struct up_try *t);
struct origin *rawo_take(struct up_try *t, enum origin_care care);
bool rawo_send(struct up_try *t);
bool rawo_recv_body(struct up_try *t);
/* There is a tunnel: that is the answer. */
void rawo_open(struct up_try *t);

#endif
