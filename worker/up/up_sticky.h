/* up/up_sticky: sticky sessions: what a request says of the server that it
 * belongs to, before a policy is asked, and what its answer says of the one
 * that gave it. */
#ifndef GH_UP_STICKY_H
#define GH_UP_STICKY_H

#include "worker/up/up_group.h"

struct http_msg;

/* The servers of a group by their names; NULL: it has no `sticky`. */
struct up_sticky *up_sticky_new(const struct up_group *g);
void up_sticky_free(struct up_sticky *s);
/* Names have other addresses now. */
void up_sticky_rename(const struct up_group *g);

/* Index of the server that the request belongs to, if it can be asked; behind
 * up_group_unfit() for the same `skip`. -1: a policy is to choose. */
int up_sticky_find(
    const struct up_group *g, const struct exch *x, const uint64_t *skip);
/* Server i is to be asked: remember that. The index of the one that is: another
 * one when the session was given to it at this moment. */
int up_sticky_chose(
    struct up_group *g, struct exch *x, const uint64_t *skip, int i);
/* Server i gave the answer with this head. */
void up_sticky_answered(const struct up_group *g, struct exch *x, uint32_t i,
    const struct http_msg *m);

#endif
