/* challenge: browsers prove that they have worked before they are served; who
 * runs no script does not get on. Nothing is remembered of them: the proof is in
 * their cookie. */
#ifndef GH_CHALLENGE_H
#define GH_CHALLENGE_H

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "worker/exch/verdict.h"

struct challenge;
struct exch;

/* From the [challenge] section, or what holds without one. Problems go to d. */
const struct challenge *challenge_prepare(
    const struct conf_tree *t, struct arena *a, struct diag *d);

/* A request of a scope that asks for it goes on with a proof, and without one is
 * answered with a page that makes it. */
enum verdict stage_challenge(struct exch *x);
/* The same with `suspicious`, of whom the rules of a [waf] do not trust. */
enum verdict stage_challenge_suspect(struct exch *x);

#endif
