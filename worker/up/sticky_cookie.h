/* up/sticky_cookie: the value of the cookie that names a server: version,
 * server, end and seal in base64url (RFC 4648 5) without padding. Pure: no
 * clock, no table of servers. */
#ifndef GH_STICKY_COOKIE_H
#define GH_STICKY_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/store/sessions.h"

#define STICKY_COOKIE_LEN 44u

struct sticky_cookie {
	uint64_t server; /* session_server() */
	uint64_t until_s; /* seconds since 1970; 0: no end */
};

void sticky_cookie_write(const struct session_secret *secret,
    const struct sticky_cookie *c, char out[STICKY_COOKIE_LEN]);

/* false: it was not made with this secret, byte for byte. Whether its time is
 * over is for the caller to say. */
bool sticky_cookie_read(
    const struct session_secret *secret, span text, struct sticky_cookie *out);

#endif
