/* preset/page: a line of error_page. */
#ifndef GH_PAGE_H
#define GH_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "worker/exch/tmpl.h"

/* Statuses that may have a page (RFC 9110 15.5, 15.6). */
#define PAGE_STATUS_MIN 400u
#define PAGE_STATUS_MAX 599u

/* A file, read once whatever lines name it. */
struct page_file {
	bool is_good; /* else: what is wrong was told */
	span type;
	enum tmpl_escape how;
	struct tmpl text;
};

struct page_line {
	uint64_t statuses[(PAGE_STATUS_MAX - PAGE_STATUS_MIN + 64) / 64];
	bool is_intercept; /* also for the origin's own errors */
	struct place at;
	span path; /* as written */
	const struct page_file *file;
};

bool page_is_for(const struct page_line *l, unsigned status);

#endif
