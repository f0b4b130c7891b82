/* serve/fetch_url: what a URL stands for, asked once: its name is resolved and its
 * addresses are tried in a row. Redirections are not followed. */
#ifndef GH_FETCH_URL_H
#define GH_FETCH_URL_H

#include "common/base/span.h"
#include "common/http/uri.h"
#include "common/net/dns.h"
#include "common/serve/fetch.h"

/* A URL, as read. */
struct fetch_url {
	char *text;
	struct uri uri; /* of it */
	char *target; /* path and query of it */
};

/* false: it is no URL of http or https, or cannot stand in a request and a line
 * of the log; then there is nothing to give back. */
bool fetch_url_read(struct fetch_url *u, span text);
/* What is zeroed is harmless. */
void fetch_url_fini(struct fetch_url *u);
bool fetch_url_is_tls(const struct fetch_url *u);

/* why == NULL: the answer is whole and its status 200; else for people, valid
 * during the call, and r may be NULL. */
typedef void fetch_url_f(
    void *self, const struct fetch_result *r, const char *why);

struct url_fetch;

/* Begin. Of `ask`, `to`, `host` and `target` are the URL's; what it points to
 * and the URL must last until the end. fn is called once, never from within
 * this call, unless it is cancelled; the fetch is gone when fn returns. dns may
 * be NULL. NULL: names cannot be resolved now. */
struct url_fetch *fetch_url_start(struct loop *l, struct dns *dns,
    const struct fetch_url *u, const struct fetch_spec *ask, fetch_url_f *fn,
    void *self);
/* Forget it without a call. To be done before its dns ends. */
void fetch_url_cancel(struct url_fetch *f);

#endif
