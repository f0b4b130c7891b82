/* preset/outer_names: what an origin calls itself in its answers, as clients
 * have to call it. Pure: bytes in, bytes out. A URL that does not name one of
 * the upstream's own servers is nobody's business here. */
#ifndef GH_OUTER_NAMES_H
#define GH_OUTER_NAMES_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/span.h"

struct outer_names;

/* Both sides of one answer. Spans may be empty. */
struct outer_view {
	const struct outer_names *names; /* of the servers; NULL: none */
	span server; /* the one that answered, as written in `server =` */
	span scheme; /* as the client sees us */
	span authority; /* likewise; empty: it told none */
	span strip_prefix; /* paths begin so for clients only */
	span add_prefix; /* and so for servers only */
	bool has_paths; /* paths of the origin are its own, wherever they
	                   stand */
};

/* The URL for clients; the same text when it stays as it is. */
span outer_url(struct arena *a, const struct outer_view *v, span url);
/* Likewise a value of Refresh: "5; url=http://...". */
span outer_refresh(struct arena *a, const struct outer_view *v, span value);
/* Whether a cookie's Domain is the name of one of the servers, and not ours. */
bool outer_is_server_host(const struct outer_view *v, span domain);
/* The path for clients of a path of the origin. */
span outer_path(struct arena *a, const struct outer_view *v, span path);

#endif
