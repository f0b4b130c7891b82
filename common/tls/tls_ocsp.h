/* tls_ocsp: what an authority says of a certificate (OCSP, RFC 6960): asking,
 * and judging an answer before anybody relies on it. OpenSSL reads the bytes;
 * who carries them, from a file or a responder, is not known here. */
#ifndef GH_TLS_OCSP_H
#define GH_TLS_OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* An answer that is longer is none: usual ones have 500 to 2500 bytes. */
#define TLS_OCSP_MAX 8128u
/* How far the signer's clock may be ahead of ours; nginx and HAProxy allow as
 * much. */
#define TLS_OCSP_SKEW_S 300
/* SHA-256 of a certificate. */
#define TLS_PRINT_LEN 32u

/* A certificate and who issued it. */
struct tls_leaf;

/* Of PEM: the certificate, then its issuer. NULL: it is not that. */
struct tls_leaf *tls_leaf_read(span pem);
void tls_leaf_free(struct tls_leaf *l);
/* The PEM that tls_leaf_read() takes; malloc'd. NULL: its issuer is unknown. */
char *tls_leaf_pem(const struct tls_leaf *l);
void tls_leaf_print(const struct tls_leaf *l, unsigned char out[TLS_PRINT_LEN]);
/* The same in hexadecimal, as text. */
void tls_leaf_print_hex(
    const struct tls_leaf *l, char out[2 * TLS_PRINT_LEN + 1]);
/* The names that it is for (RFC 6125: its DNS names and addresses, else its
 * common name), between blanks; malloc'd. Those that are no plain ASCII are left
 * out. */
char *tls_leaf_names(const struct tls_leaf *l);
bool tls_leaf_has_issuer(const struct tls_leaf *l);
/* Whether clients are told to insist on a staple (RFC 7633). */
bool tls_leaf_must_staple(const struct tls_leaf *l);
/* The first responder with plain http (RFC 5280 4.2.2.1); malloc'd. NULL: there
 * is none. */
char *tls_leaf_responder(const struct tls_leaf *l);

/* A request about it in DER, without a nonce, so that responders may answer
 * with what they have signed already (RFC 5019 2.1.1). malloc'd; the issuer
 * must be known. */
char *tls_ocsp_ask(const struct tls_leaf *l, size_t *len);

enum tls_ocsp {
	TLS_OCSP_GOOD,
	TLS_OCSP_REVOKED,
	TLS_OCSP_UNKNOWN, /* the responder does not know the certificate */
	TLS_OCSP_EARLY, /* its time is still to come */
	TLS_OCSP_LATE, /* its time is over */
	TLS_OCSP_REFUSED, /* the responder gives no answer (RFC 6960 4.2.1) */
	TLS_OCSP_BAD, /* no answer, or not to be believed */
	TLS_OCSP_FOREIGN /* about another certificate */
};

/* An answer that is signed and about the certificate. */
struct tls_answer {
	int64_t since_s; /* thisUpdate, seconds since 1970 */
	int64_t until_s; /* nextUpdate */
};

/* Whether its time is now. */
static inline bool
tls_answer_is_valid(const struct tls_answer *a, int64_t now_s)
{
	return a->since_s <= now_s + TLS_OCSP_SKEW_S && now_s < a->until_s;
}

/* Judge an answer at a time. The signer must be the issuer or one that it
 * delegated (RFC 6960 4.2.2.2), the certificate this one. *out is set for GOOD,
 * REVOKED, UNKNOWN, EARLY and LATE; one that has no nextUpdate is BAD.
 * */
enum tls_ocsp tls_ocsp_judge(
    const struct tls_leaf *l, span der, int64_t now_s, struct tls_answer *out);
/* One word for it: "good", "revoked", ... */
const char *tls_ocsp_word(enum tls_ocsp o);
/* What that means, for people: "is ...", "does ...". */
const char *tls_ocsp_text(enum tls_ocsp o);

#endif
