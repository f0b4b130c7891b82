/* up/mirror: copies of requests that go to another upstream beside the one that
 * answers (`mirror`). A copy is an internal exchange of its own that begins once
 * all content came; nothing of the client's exchange waits for it. */
#ifndef GH_MIRROR_H
#define GH_MIRROR_H

#include <stdint.h>

#include "worker/exch/verdict.h"

struct exch;
struct up_worker;

/* Request stage, where the fields are as servers get them: begin a copy, or
 * leave it out and count why. */
enum verdict stage_mirror(struct exch *x);
/* The client's exchange ends: a copy whose content is not complete is dropped.
 */
void mirror_close(struct exch *x);
/* Break off all copies. */
void mirror_expire(struct up_worker *u);

#endif
