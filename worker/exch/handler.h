/* exch/handler: the last stage of a request: who makes the answer. */
#ifndef GH_HANDLER_H
#define GH_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http/coding.h"
#include "worker/exch/verdict.h"

struct exch;

struct handler {
	const char *name; /* as the configuration calls it: "upstream" */
	bool has_servers; /* its answers come from servers, to whom places have
	                     other names than clients know */
	bool is_light; /* its answers hold next to nothing: they are made also
	                  when memory is short (memory_limit) */
	/* Begin. REPLY: x->resp (and x->resp_body) are filled, exch_reply_*()
	 * was called. WAIT: an exch_kick() will come, pump() makes the answer.
	 * FAULT: exch_fault() was called. */
	enum verdict (*open)(struct exch *x);
	/* Move what can be moved: x->req_body out, the answer's head into
	 * x->resp (then exch_answer()), its content into x->resp_body while
	 * that has room. Returns whether anything moved. May be NULL when
	 * open() never answers WAIT. */
	bool (*pump)(struct exch *x);
	/* Give the content, of which nobody has taken any yet, in this coding
	 * instead, if it is at hand: x->resp_body begins anew, *length is its
	 * length. What is not may be made for those who come later. May be
	 * NULL. */
	bool (*code)(struct exch *x, enum coding c, uint64_t *length);
	/* Let go of everything, complete or not; called once. May be NULL. */
	void (*close)(struct exch *x);
};

#endif
