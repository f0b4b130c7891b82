/* tls_ja4: the fingerprint JA4 of a client's TLS, as FoxIO defines it for TLS
 * over TCP (github.com/FoxIO-LLC/ja4, technical_details/JA4.md): what client
 * programs tell of themselves without wanting to. */
#ifndef GH_TLS_JA4_H
#define GH_TLS_JA4_H

#include "common/tls/tls_hello.h"

/* "t13d1516h2_8daaf6152771_e5627efa2ab1" */
#define TLS_JA4_LEN 36u

void tls_ja4(const struct tls_hello *h, char out[TLS_JA4_LEN]);

#endif
