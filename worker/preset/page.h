/* preset/page: a line of error_page. */
#ifndef GH_PAGE_H
#define GH_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "worker/exch/handler.h"
#include "worker/exch/tmpl.h"

struct exch;

/* Statuses that may have a page (RFC 9110 15.5, 15.6). */
#define PAGE_STATUS_MIN 400u
#define PAGE_STATUS_MAX 599u
/* Largest page: it is put together anew for each error. */
#define PAGE_MAX (256u * 1024)

/* A file, read once whatever lines name it. */
struct page_file {
	bool is_good; /* else: what is wrong was told */
	span type;
	enum tmpl_escape how;
	struct tmpl text;
};

/* A server that is asked for it. */
struct page_server {
	const struct handler *handler;
	const void *handler_conf;
	struct tmpl path; /* of which only the status may be a part */
};

struct page_line {
	uint64_t statuses[(PAGE_STATUS_MAX - PAGE_STATUS_MIN + 64) / 64];
	bool is_intercept; /* also for the origin's own errors */
	struct place at;
	span path; /* as written */
	/* one of them */
	const struct page_file *file;
	const struct page_server *server;
};

bool page_is_for(const struct page_line *l, unsigned status);

/* The server of a word "upstream:NAME/PATH" with what stands behind the colon;
 * NULL: there is none, which was told. */
struct page_names;
const struct page_server *page_server_prepare(span text, struct place at,
    const struct page_names *names, struct arena *a, struct diag *d);

/* Ask it for the page of the answer that stands in x->resp. false: not now, and
 * the answer stays as it is. */
bool page_ask(struct exch *x, const struct page_line *l);
/* Whether an answer is still waited for. */
bool page_is_awaited(const struct exch *x);
/* Put what came in place of the answer's content, which stays if nothing did. */
void page_take(struct exch *x);

#endif
