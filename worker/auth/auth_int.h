/* auth/auth_int: what the files of this folder share. */
#ifndef GH_AUTH_INT_H
#define GH_AUTH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/base/siphash.h"
#include "common/net/offload.h"
#include "common/net/timer.h"
#include "worker/auth/auth.h"
#include "worker/auth/auth_source.h"
#include "worker/auth/jwks.h"
#include "worker/auth/jwt_keys.h"
#include "worker/auth/keys.h"
#include "worker/auth/users.h"
#include "worker/exch/exch.h"
#include "worker/exch/offence.h"
#include "worker/exch/plan.h"

/* What scheme `jwt` wants of a token. */
struct auth_jwt {
	struct jwt_keys keys;
	struct jwks_conf *fetched; /* NULL: `keys` are all that there are */
	bool may_use[JWT_ALGS];
	span issuer; /* empty: any */
	const struct conf_value *audience; /* NULL: any */
	span claim;
	span groups_claim;
	int64_t skew_s;
};

/* What scheme `hmac` wants of a URL. */
struct auth_hmac {
	span prefix; /* of the names of its arguments */
	span secret;
	uint64_t skew_s;
};

/* What of a certificate is the name of who shows it; in the order of the words of
 * the key `certificate_name`. */
enum auth_certificate {
	AUTH_CERTIFICATE_CN,
	AUTH_CERTIFICATE_SUBJECT,
	AUTH_CERTIFICATE_DNS,
	AUTH_CERTIFICATE_EMAIL,
	AUTH_CERTIFICATE_URI
};

/* A [auth], as compiled. */
struct auth_conf {
	const struct users *users; /* NULL: the scheme has none */
	span challenge; /* value of WWW-Authenticate or Proxy-Authenticate */
	span refusal; /* the same for who has sent something */
	/* takes what was sent out of a request that was let on */
	void (*strip)(const struct auth_conf *c, struct exch *x);
	struct auth_source source; /* apikey, jwt; forward: fields of the
	                              answer that go on */
	struct keys keys; /* apikey */
	struct auth_jwt jwt;
	struct auth_hmac hmac;
	enum auth_certificate certificate;
	struct offence guess; /* when who fails is banned */
	const struct handler *handler; /* forward: who is asked */
	const void *handler_conf;
	span uri; /* for what; empty: what the client asks for */
	span user_field; /* of the answer: the user's name */
	uint64_t ttl_ms; /* what was found out is believed for so long */
	uint64_t wait_ms; /* basic, helper: longer than this nobody waits */
	bool has_helper; /* a program knows, not `users` */
	uint64_t index; /* of the section: credentials of one say nothing to
	                   another */
	bool passes; /* credentials go on to the server */
};

/* --- what is asked, and how it is answered -------------------------------- */

/* What became of credentials. */
enum auth_rc {
	AUTH_GOOD,
	AUTH_BAD,
	AUTH_OPEN, /* it is being found out: the exchange will be kicked */
	AUTH_BUSY /* it cannot be found out now */
};

/* The field that brings credentials, and the one that asks for them: those of a
 * server, or of a proxy (RFC 9110 11.6, 11.7). */
enum field_id auth_field(const struct exch *x);
/* Ask for credentials. */
enum verdict auth_challenge(struct exch *x, const struct plan_auth *a);
/* The same when some were sent, and are not good. */
enum verdict auth_refuse(struct exch *x, const struct plan_auth *a);
/* The same when nobody guessed them: what is signed, but not for this. */
enum verdict auth_refuse_genuine(struct exch *x, const struct plan_auth *a);
/* Nobody can tell at the moment. */
enum verdict auth_busy(struct exch *x, const char *why);
/* It is known who it is; the name is borrowed for the exchange. */
enum verdict auth_let_on(struct exch *x, const struct plan_auth *a, span name);

/* --- verifying ------------------------------------------------------------ */

/* A password to be verified. */
struct auth_work {
	span credentials; /* as they came: who sends the same has the same
	                     answer */
	span name;
	span hash; /* but for helpers */
	span password; /* at most PASSWD_MAX bytes */
	bool is_known; /* there is such a user */
};

/* Find out what auth_recall() does not know, by a check of the same that is
 * under way or by one of its own. Called again after AUTH_OPEN it gives what came of it. */
enum auth_rc auth_check(
    struct exch *x, const struct plan_auth *a, const struct auth_work *work);

/* What is remembered of credentials. false: nothing. */
bool auth_recall(
    struct exch *x, const struct auth_conf *c, span credentials, bool *is_good);
/* Remember what came of them. */
void auth_remember(
    struct exch *x, const struct auth_conf *c, span credentials, bool is_good);

/* --- what is remembered --------------------------------------------------- */

/* Credentials without what they are: a keyed hash of them. */
struct auth_key {
	uint64_t hash[2];
};

static inline bool
auth_key_eq(const struct auth_key *a, const struct auth_key *b)
{
	return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}

struct auth_memory;

struct auth_memory *auth_memory_new(void);
void auth_memory_free(struct auth_memory *m);
/* What was found out about them and holds at now_ms. false: nothing. */
bool auth_memory_find(const struct auth_memory *m, const struct auth_key *k,
    uint64_t now_ms, bool *is_good);
/* Remember it until then; something older may be forgotten for it. */
void auth_memory_put(struct auth_memory *m, const struct auth_key *k,
    uint64_t until_ms, bool is_good);

/* Keys that this worker fetches for it; NULL: none, or a dry run. */
struct jwks *auth_jwks(const struct exch *x, const struct auth_conf *c);

/* --- schemes -------------------------------------------------------------- */

/* Whose name it is may have groups and more. */
enum verdict auth_let_on_as(
    struct exch *x, const struct plan_auth *a, struct exch_user *u);
enum verdict certificate_ask(struct exch *x, const struct plan_auth *a);
enum verdict apikey_ask(struct exch *x, const struct plan_auth *a);
enum verdict forward_ask(struct exch *x, const struct plan_auth *a);
/* The exchange is over, and with it what it asks. */
void forward_close(struct exch *x);
/* End what is still being asked. */
void forward_end(struct list *calls);
/* Questions of a worker that are under way. */
struct list *auth_calls(struct auth_worker *aw);
enum verdict hmac_ask(struct exch *x, const struct plan_auth *a);
/* Take the arguments of its signature out of a request's query. */
void hmac_strip(const struct auth_conf *c, struct exch *x);
enum verdict jwt_ask(struct exch *x, const struct plan_auth *a);
enum verdict basic_ask(struct exch *x, const struct plan_auth *a);

#endif
