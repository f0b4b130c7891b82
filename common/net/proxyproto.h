/* net/proxyproto: the PROXY protocol, versions 1 and 2 (haproxy.org,
 * proxy-protocol.txt). Pure codec. */
#ifndef GH_PROXYPROTO_H
#define GH_PROXYPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/sock.h"

/* Longest header taken: v1 has 107 bytes; v2 16 + what its TLVs may take. */
#define PROXYPROTO_MAX 4096
/* Room that proxyproto_write() needs. */
#define PROXYPROTO_WRITE_CAP 232

enum proxyproto_rc { PROXYPROTO_OK, PROXYPROTO_MORE, PROXYPROTO_BAD };

struct proxyproto {
	bool has_addrs; /* false: LOCAL or UNKNOWN, keep the socket's own */
	struct sock_addr src;
	struct sock_addr dst;
};

/* Parse a header of either version at the start of `in`. *used: its length.
 * Strict: a missing or malformed header, bad ports, trailing junk in a v1 line
 * or a short v2 length are BAD. MORE while incomplete. */
enum proxyproto_rc proxyproto_parse(
    span in, struct proxyproto *out, size_t *used);
/* Write a header of version 1 or 2. An address of IPv4 beside one of IPv6 is
 * mapped; what is no address of IP (in v2: nor a pair of unix paths) gives
 * UNKNOWN / UNSPEC. Returns its length. */
size_t proxyproto_write(int version, const struct sock_addr *src,
    const struct sock_addr *dst, char out[PROXYPROTO_WRITE_CAP]);

#endif
