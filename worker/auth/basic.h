/* auth/basic: credentials of the scheme Basic (RFC 7617), read strictly. Pure.
 */
#ifndef GH_BASIC_H
#define GH_BASIC_H

#include <stdbool.h>

#include "common/base/span.h"

/* Longest token: a name and a password as long as may be. */
#define BASIC_TOKEN_MAX 1024u
/* Room for what it stands for. */
#define BASIC_ROOM (BASIC_TOKEN_MAX / 4 * 3 + 3)

struct basic {
	span token; /* as it came, which is the only spelling there is */
	span name; /* not empty */
	span password;
};

/* The value of a field of credentials. Name and password point into room
 * (BASIC_ROOM bytes). false: another scheme, no strict base64, no UTF-8, a
 * control character, no colon, no name, or one that is too long. */
bool basic_read(span value, char *room, struct basic *out);

#endif
