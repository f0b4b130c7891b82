/* http/uri: pieces of request targets (RFC 3986, RFC 9110 4.2). Pure. */
#ifndef GH_URI_H
#define GH_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"

/* Split host[:port]; brackets of an IPv6 literal are taken off *host (its
 * content must be an IPv6 address). The host is checked: reg-name of RFC 3986
 * without percent-encoding, 1 .. 253 bytes, or an address; no userinfo. Port
 * 0 .. 65535, digits only; *port 0 when none is told ("host" and "host:"). */
bool uri_parse_authority(span authority, span *host, uint16_t *port);

/* A host in its one spelling: an address as ip_format() writes it, a name in
 * lower case without the dot at its end; without NUL, at most URI_HOST_CAP - 1
 * bytes. `host` is as uri_parse_authority() gives it. AMBIGUOUS: it is neither,
 * or would be an address to some readers only ("127.1", "0x7f.0.0.1"). */
#define URI_HOST_CAP 254
enum uri_host { URI_HOST_NAME, URI_HOST_ADDRESS, URI_HOST_AMBIGUOUS };
enum uri_host uri_normalize_host(
    span host, char *out, size_t *len, struct ip *ip);

/* A configured or told URL: scheme://authority[/path][?query][#fragment];
 * path is "/" when empty. */
struct uri {
	span scheme;
	span authority;
	span host;
	uint16_t port; /* as told, 0 when not */
	span path;
	span query;
	bool has_query;
};
bool uri_parse(span s, struct uri *out);

/* A URL in the one form by which it is named: scheme and host in lower case, an
 * IPv6 address in brackets, no port, "?" only before a query that is not empty.
 * Of `u` that is scheme, host, path (as uri_normalize_path() writes it) and
 * query. At most uri_name_cap() bytes; returns how many. */
size_t uri_name_cap(const struct uri *u);
size_t uri_write_name(const struct uri *u, char *out);

/* Default port of a scheme (http 80, https 443, ws, wss), 0 when unknown. */
uint16_t uri_default_port(span scheme);

/* The path in the one form that rules compare: escapes of visible ASCII are
 * decoded, dot segments resolved, empty segments ("//") merged. What is not
 * visible ASCII, and '%', '?', '#', '/' and '\', stay escaped, in capitals: the
 * result can be sent as it is. Slashes and NUL in escapes, backslashes in any
 * spelling, ill-formed escapes, overlong UTF-8, dot segments with parameters
 * ("..;x") and ".." above the root make it ambiguous, and so does a path
 * without '/' at its start ("*" excepted) or with raw bytes that are not
 * visible ASCII. Writes at most in.len bytes to out and sets *out_len; out may
 * be in.p. URI_PATH_AMBIGUOUS: out still holds the best reading. */
enum uri_path { URI_PATH_PLAIN, URI_PATH_CHANGED, URI_PATH_AMBIGUOUS };
enum uri_path uri_normalize_path(span in, char *out, size_t *out_len);

#endif
