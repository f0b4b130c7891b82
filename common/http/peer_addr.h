/* http/peer_addr: what `server =` names, read once for those who serve from it
 * and for those who check it. */
#ifndef GH_PEER_ADDR_H
#define GH_PEER_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/sock.h"

struct peer_addr {
	bool is_tls; /* https:// stands in front */
	span text; /* as written without http://, for logs */
	span authority; /* "name:port", "address:port", "unix:/path" */
	span host; /* a name to resolve, or empty: addr holds the address */
	uint16_t port;
	struct sock_addr addr;
};

/* All spans of *out are parts of `text`. false: neither an address nor a name;
 * `is_tls` and `text` are set all the same. */
bool peer_addr_parse(span text, struct peer_addr *out);

#endif
