/* forward/forward: the stages of a forward proxy: what a request asks for, where
 * that is, whether anybody may go there, and what the other side learns of who
 * asks. What may be asked for by whom is the business of the access lists. */
#ifndef GH_FORWARD_H
#define GH_FORWARD_H

#include "common/base/arena.h"
#include "common/conf/conf.h"
#include "common/ipc/boot.h"
#include "worker/exch/plan.h"
#include "worker/exch/verdict.h"
#include "worker/exch/worker.h"

struct exch;
struct upstream; /* worker/up */

/* Request stages, in this order. */

/* x->destination, x->path, a request id, and what is answered before anybody is
 * asked: what is no target for a proxy, TRACE, OPTIONS whose Max-Forwards is
 * spent (RFC 9110 7.6.2), loops (508). Afterwards Host and all that tells of the
 * target say what the target says (RFC 9112 3.2.2). */
enum verdict stage_target(struct exch *x);
/* The address of x->destination, once nobody is refused by rule any more, or its
 * parent; tunnels to other ports than connect_ports and whatever has no address
 * of the internet are refused. */
enum verdict stage_guard(struct exch *x);
/* The fields of a plain request as its server gets them. */
enum verdict stage_forward_fields(struct exch *x);

/* Response stage: the fields of the answer as the client gets them. */
enum verdict stage_forward_answer(struct exch *x);

/* The exchange is over: it waits for no name any more. */
void guard_close(struct exch *x);

/* Who is asked for some hosts in place of their servers. */
struct forward_parent {
	span hosts; /* domains with commas between them; empty: all */
	const struct upstream *upstream; /* NULL: the servers, all the same */
	struct place at;
};

/* A [forward] compiled for serving, in the arena; the parents, in their order,
 * must live as long. */
const struct forward *forward_prepare(const struct boot *b,
    const struct conf_section *s, const struct forward_parent *parents,
    uint32_t n_parents, struct arena *a);

/* Names that one worker has asked for. */
struct forward_worker *forward_worker_new(struct worker *w);
/* Exchanges must be gone. */
void forward_worker_free(struct forward_worker *f);

#endif
