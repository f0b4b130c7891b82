/* waf_ask: names that rules look for (@rbl), without holding up the worker: each
 * request asks for a few, for a bounded time, and what was found out serves
 * the next ones. */
#ifndef GH_WAF_ASK_H
#define GH_WAF_ASK_H

#include "worker/sec/sec_tx.h"

struct exch;
struct waf_asked;
struct waf_known;
struct worker;

/* What a worker knows of names. */
struct waf_known *waf_known_new(void);
/* NULL is allowed. */
void waf_known_free(struct waf_known *k);

/* Whether the name has an address that means "listed" (RFC 5782 2.1). WAITS: the
 * exchange is kicked when that has changed. *asked is NULL before the first, and
 * lives in the exchange's arena. */
enum sec_look waf_ask(
    struct exch *x, struct waf_known *k, struct waf_asked **asked, span name);
/* Nobody waits any more; NULL is allowed. */
void waf_ask_end(struct waf_asked *a);

#endif
