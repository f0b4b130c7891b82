/* tls_hello: the one reader of ClientHello messages (RFC 8446 4.1.2): for the
 * choice of a context, for fingerprints, and for a tunnel that looks at what a
 * client says before it passes it on. Pure: bytes in, views out. */
#ifndef GH_TLS_HELLO_H
#define GH_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* A ClientHello with the four bytes before it; browsers' have 2 KiB at most. */
#define TLS_HELLO_MAX 16384u
/* Extensions; clients have about 20. */
#define TLS_HELLO_EXTS_MAX 64u
/* A host name without its final dot (RFC 1035 2.3.4). */
#define TLS_NAME_MAX 253u

/* Views of what the client sent. Absent extensions are empty. */
struct tls_hello {
	uint16_t version; /* legacy_version */
	span ciphers; /* two bytes each */
	uint16_t exts[TLS_HELLO_EXTS_MAX]; /* types, in their order */
	uint32_t n_exts;
	bool has_sni;
	span sni; /* the extension's content; see tls_hello_name() */
	span alpn; /* protocols, each behind its length (RFC 7301 3.1) */
	span versions; /* supported_versions: two bytes each */
	span signatures; /* signature_algorithms: two bytes each */
};

enum tls_hello_rc {
	TLS_HELLO_OK,
	TLS_HELLO_MORE, /* so far it may become one */
	TLS_HELLO_BAD /* no TLS, or none that we would speak */
};

/* Read what a connection begins with: records that hold a ClientHello, maybe in
 * pieces. `room` (TLS_HELLO_MAX bytes) is where it is put together; *out points
 * into it. */
enum tls_hello_rc tls_hello_read(span wire, char *room, struct tls_hello *out);

/* The content of an extension, noted by its type: what is of no use here is
 * only counted. false: it is malformed, or one too many. For who has the
 * extensions from elsewhere; tls_hello_read() does it for all. */
bool tls_hello_ext(struct tls_hello *h, uint16_t type, span content);

/* The name that is asked for, in lower case without a final dot, into `name`.
 * Empty when none is. false: it is malformed. */
bool tls_hello_name(
    const struct tls_hello *h, char name[TLS_NAME_MAX + 1], size_t *len);

#endif
