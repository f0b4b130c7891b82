/* up/up_race: two connections to addresses of one server, of which the faster
 * one serves ("happy eyeballs", RFC 8305 5): a family that leads nowhere costs
 * a moment and not connect_timeout. Called by up_try.c while a try is
 * UP_CONNECT. */
#ifndef GH_UP_RACE_H
#define GH_UP_RACE_H

#include <stdbool.h>

#include "worker/up/origin.h"

struct up_race;
struct up_try;

/* t->o is being opened: if it takes long, another address is tried beside it.
 */
void race_begin(struct up_try *t);
/* Whether the try may begin at one of them, which is t->o then; FAILED: none is
 * left, and t->o is to be closed. */
enum origin_rc race_poll(struct up_try *t, struct origin_failure *f);
/* The time of t->o is over. true: the other one goes on in its place. */
bool race_outlives(struct up_try *t);
/* Only t->o is left, if anything. */
void race_end(struct up_try *t);

#endif
