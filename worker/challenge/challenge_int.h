/* challenge/challenge_int: between the files of this folder. */
#ifndef GH_CHALLENGE_INT_H
#define GH_CHALLENGE_INT_H

#include "common/base/arena.h"
#include "common/base/span.h"

/* Where the page's script is: a file of its own, so that a
 * Content-Security-Policy which allows those of the site allows it. */
#define CHALLENGE_SCRIPT_PATH "/.well-known/gatehouse-challenge.js"

struct page_task {
	span task;
	span cookie; /* its name */
	uint64_t ttl_s;
	bool is_secure; /* the cookie is for TLS alone */
	bool has_failed; /* a cookie came, and was not good */
};

span page_write(struct arena *a, const struct page_task *t);
extern const span page_script;

#endif
