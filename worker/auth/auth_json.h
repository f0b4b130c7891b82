/* auth/auth_json: JSON of somebody else's, read strictly: no key twice, no
 * depth that a recursive reader could drown in, nothing behind it. */
#ifndef GH_AUTH_JSON_H
#define GH_AUTH_JSON_H

#include <jansson.h>

#include "common/base/span.h"

/* An object, to be given back with json_decref(). NULL: it is none, or not read
 * strictly. */
json_t *auth_json_read(span text);
/* The text under a key of an object; empty when it is no text or not there. */
span auth_json_text(const json_t *object, const char *key);

#endif
