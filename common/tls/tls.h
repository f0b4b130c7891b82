/* tls: what TLS needs for a listening socket or for the servers of an upstream,
 * made from files before fork and then read-only (OpenSSL counts references in
 * it, which copies the page they are on).
 *
 * A context holds one identity: certificates of several key types, and what is
 * asked of the peer. A server chooses among contexts by the name that the
 * client asks for (SNI, RFC 6066 3). */
#ifndef GH_TLS_H
#define GH_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/base/span.h"

/* A problem as text: what is wrong, and with which file. */
#define TLS_PROBLEM_CAP 512

struct tls_problem {
	char text[TLS_PROBLEM_CAP];
	const char *file; /* which of those that tls_context_add() or _verify()
	                     was given */
};

/* What holds for all of them: the section [tls]. */
struct tls_policy {
	bool is_1_3_only;
	const char *ciphers; /* one list that tls_ciphers_check() found good;
	                        NULL: ours */
	bool has_tickets;
	uint32_t n_tickets; /* given after a full handshake of TLS 1.3 */
	uint32_t ticket_life_s; /* how long a ticket is good */
	bool has_early_data; /* content is taken before the handshake ends */
};

/* Whether each word of a list of suites (OpenSSL's names, with colons between,
 * those of TLS 1.3 among them) is known and any are left. false: p says why. */
bool tls_ciphers_check(const char *list, struct tls_problem *p);

struct tls_context;

/* An empty server's context. `scope`: sessions of one scope are not resumed in
 * another; what is asked of clients (tls_context_verify(), with the content of
 * its files) is a part of the scope. */
struct tls_context *tls_context_new(
    const struct tls_policy *policy, span scope);
void tls_context_free(struct tls_context *c);
/* One more certificate: the chain in PEM, leaf first, and its key, which may
 * stand in the same file. password: NULL, or that of the key. There may be one
 * of each key type: a client names types, and gets the certificate of one of
 * them. false: p says why, and the context is of no more use. */
bool tls_context_add(struct tls_context *c, const char *chain, const char *key,
    const char *password, struct tls_problem *p);
/* A client's context, with an empty store of authorities: `verifies` says
 * whether a server's certificate must be by one of them and for its name. */
struct tls_context *tls_context_new_client(
    bool verifies, const char *alpn, uint32_t alpn_len);
/* When the certificate that was added last ends; 0: there is none. */
time_t tls_context_ends(const struct tls_context *c);

enum tls_verify { TLS_VERIFY_OFF, TLS_VERIFY_OPTIONAL, TLS_VERIFY_REQUIRE };

/* Ask clients for a certificate by one of these authorities (PEM file); with
 * `crl` (PEM, or NULL) none that is revoked. */
bool tls_context_verify(struct tls_context *c, enum tls_verify how,
    const char *ca, const char *crl, struct tls_problem *p);
/* When the first of a file's lists of revoked certificates ends: after that
 * OpenSSL refuses all certificates of its authority. 0: no list can be read, or
 * none says when. */
time_t tls_crl_ends(const char *file);

/* Whether clients without a certificate are refused. */
bool tls_context_requires(const struct tls_context *c);

/* Which context a client gets; NULL: none, the handshake ends. `name` is in
 * lower case, empty when the client names none. */
typedef struct tls_context *tls_choose_f(const void *self, span name);

/* A key of session tickets (RFC 5077 4, RFC 8446 4.6.1). */
struct tls_ticket_key {
	unsigned char name[16];
	unsigned char aes[32]; /* AES-256-CBC */
	unsigned char hmac[32]; /* HMAC-SHA256 over all before it */
};

enum tls_ticket {
	TLS_TICKET_UNKNOWN,
	TLS_TICKET_CURRENT,
	TLS_TICKET_RENEW /* good, but a new ticket should be given */
};

/* What all processes that serve know together: how it is kept is not known
 * here. */
struct tls_shared {
	void *self;
	/* The key to encrypt with; false: give no ticket. */
	bool (*ticket_current)(void *self, struct tls_ticket_key *out);
	enum tls_ticket (*ticket_find)(void *self, const unsigned char name[16],
	    struct tls_ticket_key *out);
	/* Whether a first flight with early data, known by this text, comes
	 * for the first time (RFC 8446 8.2); false also in doubt. */
	bool (*early_is_fresh)(void *self, span text);
	/* Copy the OCSP answer for the certificate with this SHA-256, which is
	 * valid now, to `out`, of TLS_OCSP_MAX bytes; its length, 0: there is
	 * none. */
	size_t (*staple)(
	    void *self, const unsigned char *print, int64_t now_s, char *out);
};

/* What tls_stream_accept() needs. */
struct tls_server {
	struct tls_context *first; /* begins every handshake */
	tls_choose_f *choose;
	const void *self;
	bool has_signer; /* keys may answer later: see tls_later.h */
	bool wants_ja4; /* tls_facts tell the client's fingerprint */
	const char *alpn; /* protocols in wire form (RFC 7301 3.1), preferred
	                     first */
	uint32_t alpn_len;
};

#endif
