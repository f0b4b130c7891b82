/* conf/conf_places: what bounds the requests at once to an upstream: its
 * `max_connections`, those of its servers, `adaptive` and `queue`. Read once
 * when a configuration is checked, which tells all problems, and again by those
 * who act on them. */
#ifndef GH_CONF_PLACES_H
#define GH_CONF_PLACES_H

#include "common/conf/conf.h"

struct conf_places {
	bool is_on; /* there is any limit */
	bool is_adaptive;
	uint32_t most; /* requests at once to all servers; 0: no limit */
	uint32_t room; /* requests that may wait; 0: none */
	uint64_t wait_ms; /* how long; with room */
};

/* Of an upstream in scope; problems go to d, which may be NULL. */
void conf_places_read(
    const struct conf_scope *s, struct conf_places *out, struct diag *d);
/* `max_connections` of a server line; 0: no limit. */
uint32_t conf_places_server(const struct conf_value *line);

#endif
