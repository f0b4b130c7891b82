/* preset/cookie_edit: attributes of cookies that an origin sets (RFC 6265 4.1),
 * as rewrite_cookie says. Pure: bytes in, bytes out. */
#ifndef GH_COOKIE_EDIT_H
#define GH_COOKIE_EDIT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/span.h"

struct outer_view;

struct cookie_edit {
	bool has_paths; /* Path is one of the origin's own */
	bool is_secure;
	bool is_httponly;
	span samesite; /* empty: as it is */
	span domain; /* likewise, but for the servers' own names */
	span path; /* likewise */
};

/* Both, as one: what `more` says of a value holds. */
void cookie_edit_add(struct cookie_edit *to, const struct cookie_edit *more);
/* The value of Set-Cookie for clients; the same text when it stays. */
span cookie_edit_apply(struct arena *a, const struct cookie_edit *e,
    const struct outer_view *v, span value);

#endif
