/* auth/helper_pool: programs that know names and passwords, as one worker asks
 * them. The master starts them; what is here speaks with them by sockets, never
 * waits for them, and asks for new ones when they end. */
#ifndef GH_HELPER_POOL_H
#define GH_HELPER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/conf/conf.h"
#include "worker/auth/helper_line.h"

struct helper_pool;
struct worker;

enum helper_rc {
	HELPER_KNOWS,
	HELPER_DENIES,
	HELPER_FAILS /* none can tell */
};

/* A question; lives in the object that owns it, which stays in place until
 * done() or a take-back. */
struct helper_ask {
	struct list node;
	/* Called once. */
	void (*done)(struct helper_ask *q, enum helper_rc rc);
	/* of the pool: */
	bool is_queued; /* no program was told */
	bool was_lost; /* one ended with it */
	uint32_t number; /* as its program was told */
	uint64_t sent_ms;
	size_t len;
	char line[HELPER_ASK_MAX];
};

/* Those of an [auth] of scheme helper, the n-th of the configuration. They are
 * asked for at once. */
struct helper_pool *helper_pool_new(
    struct worker *w, const struct conf_scope *s, uint32_t n);
/* done() is called for all that is open; NULL is allowed. */
void helper_pool_free(struct helper_pool *p);
/* Ask; done() is called after the return. false: as many wait as may, or there is
 * nobody to ask, and nothing happened. */
bool helper_pool_ask(
    struct helper_pool *p, struct helper_ask *q, span name, span password);
/* Nobody wants it any more. true: it had not begun, and the memory is the
 * caller's again; false: done() will come. */
bool helper_pool_take_back(struct helper_pool *p, struct helper_ask *q);
/* The master has answered for one of them; fd (taken) -1: there is none. */
void helper_pool_arrived(struct helper_pool *p, uint32_t place, int fd);

#endif
