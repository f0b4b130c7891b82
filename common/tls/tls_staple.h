/* tls_staple: an OCSP answer goes out with the certificate that it is about
 * (RFC 6066 8, RFC 8446 4.4.2.1) to clients that ask for it, while it is
 * valid. It stands in the context, from a file, or with what all processes
 * share. */
#ifndef GH_TLS_STAPLE_H
#define GH_TLS_STAPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/tls/tls.h"
#include "common/tls/tls_ocsp.h"

/* The certificate that was added last, for staples from now on. The context
 * owns it. */
const struct tls_leaf *tls_staple_leaf(struct tls_context *c);
/* Staple this answer (copied) to it: at each handshake its time is looked at.
 * At most TLS_OCSP_MAX bytes. */
void tls_staple_use(
    struct tls_context *c, span der, const struct tls_answer *a);
/* Staple what is shared. */
void tls_staple_use_shared(struct tls_context *c);

#endif
