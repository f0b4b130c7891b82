/* auth/auth_prepare: an [auth] section compiled for serving. */
#include "common/base/check.h"
#include "common/http/chars.h"
#include "common/store/tenants.h"
#include "worker/auth/auth_int.h"
#include "worker/auth/signed.h"

#define AUTH_MS_PER_S 1000
/* Failures that ban, without `after`. */
#define AUTH_BAN_AFTER 10u
/* Longer than this nobody waits for a thread to verify a password. */
#define BASIC_WAIT_MS 10000u

/* What a section is made from, and into. */
struct auth_build {
	const struct conf_section *section;
	struct conf_scope scope;
	const struct auth_names *names;
	struct arena *arena;
	struct diag *d;
	struct auth_conf *conf;
	struct plan_auth *plan;
};

struct users *
auth_prepare_users(const struct conf_tree *t, const struct conf_section *s,
    struct arena *a, struct diag *d)
{
	return users_prepare(t, s, a, d);
}

void
auth_fini_users(struct users *u)
{
	users_fini(u);
}

/* A quoted string (RFC 9110 5.6.4) of the realm: that of the key, or the name
 * of the section. */
static span
auth_realm(const struct auth_build *b)
{
	const struct conf_value *v = conf_get(&b->scope, KEY_AUTH_REALM);
	span realm = v != NULL ? v->text : b->section->name;
	char *p = arena_alloc(b->arena, 2 * realm.len + 2);
	size_t len = 0;

	if (v != NULL && !auth_is_text(realm))
		diag_error(b->d, v->at,
		    "the realm is no UTF-8, or holds a control character");
	p[len++] = '"';
	for (size_t i = 0; i < realm.len; i++) {
		if (realm.p[i] == '"' || realm.p[i] == '\\')
			p[len++] = '\\';
		p[len++] = realm.p[i];
	}
	p[len++] = '"';
	return span_of(p, len);
}

/* Say what a section lacks, unless a line of it could not be read. */
static void
auth_lacks(const struct auth_build *b, const char *what)
{
	if (!b->section->is_broken)
		diag_error(b->d, b->section->at, "%s", what);
}

/* All of the file that a key names. false: there is none, or it was noted why
 * it cannot be read. */
static bool
auth_load(const struct auth_build *b, enum conf_key key, struct auth_file *f,
    span *text)
{
	const struct conf_value *v = conf_get(&b->scope, key);

	*text = span_of(NULL, 0);
	if (v == NULL)
		return false;
	*f = (struct auth_file){
	    .path = arena_span(b->arena, v->text).p,
	    .at = v->at,
	    .arena = b->arena,
	    .d = b->d,
	};
	return auth_file_load(f, text);
}

/* --- basic ---------------------------------------------------------------- */

static void
basic_strip(const struct auth_conf *c, struct exch *x)
{
	(void)c;
	(void)fields_del(&x->req.fields, auth_field(x));
}

/* What schemes that ask for a name and a password have in common. */
static void
basic_prepare_any(const struct auth_build *b)
{
	struct auth_conf *c = b->conf;

	c->challenge = arena_printf(b->arena,
	    "Basic realm=%.*s, charset=\"UTF-8\"", SPAN_FMT(auth_realm(b)));
	c->refusal = c->challenge;
	c->strip = basic_strip;
	b->plan->ask = basic_ask;
}

static void
helper_prepare(const struct auth_build *b)
{
	const struct conf_value *v = conf_get(&b->scope, KEY_AUTH_HELPER);
	struct auth_conf *c = b->conf;

	if (v == NULL)
		auth_lacks(b, "scheme = helper needs helper = PATH, a program");
	else if (!span_starts(v->words[0].text, SPAN_LIT("/")))
		diag_error(b->d, v->words[0].at,
		    "the path of a helper begins with '/'");
	c->wait_ms = (uint64_t)conf_num(&b->scope, KEY_AUTH_HELPER_TIMEOUT);
	c->has_helper = true;
	basic_prepare_any(b);
}

static void
basic_prepare(const struct auth_build *b)
{
	const struct conf_value *v = conf_get(&b->scope, KEY_AUTH_USERS);
	struct auth_conf *c = b->conf;

	if (v == NULL)
		auth_lacks(
		    b, "scheme = basic needs users = NAME, a [users] section");
	/* one that is not there has been told */
	if (c->users != NULL && c->users->entries.n == 0)
		diag_warning(b->d, v->at,
		    "nobody can be let on: users '%.*s' knows no password",
		    SPAN_FMT(c->users->name));
	c->wait_ms = BASIC_WAIT_MS;
	basic_prepare_any(b);
}

/* --- apikey --------------------------------------------------------------- */

static void
source_strip(const struct auth_conf *c, struct exch *x)
{
	auth_source_strip(&c->source, x);
}

static void
apikey_prepare(const struct auth_build *b)
{
	struct auth_conf *c = b->conf;
	struct auth_file f;
	span text;

	if (conf_get(&b->scope, KEY_AUTH_FILE) == NULL)
		auth_lacks(b, "scheme = apikey needs file = PATH, the keys");
	if (auth_load(b, KEY_AUTH_FILE, &f, &text))
		keys_read(&c->keys, &f, text);
	auth_source_prepare(&c->source, &b->scope, "X-API-Key", b->arena, b->d);
	c->challenge = arena_printf(
	    b->arena, "ApiKey realm=%.*s", SPAN_FMT(auth_realm(b)));
	c->refusal = c->challenge;
	c->strip = source_strip;
	b->plan->ask = apikey_ask;
}

/* --- jwt ------------------------------------------------------------------ */

static void
jwt_prepare_algorithms(const struct auth_build *b)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	/* other words were refused by the reader */
	while ((v = conf_next(&b->scope, KEY_AUTH_ALGORITHMS, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++) {
			enum jwt_alg alg = jwt_alg_find(v->words[i].text);

			if (alg != JWT_ALGS)
				b->conf->jwt.may_use[alg] = true;
		}
}

/* Whether some key is there that signatures which are accepted are made with.
 */
static bool
jwt_has_key(const struct auth_jwt *w)
{
	for (uint32_t i = 0; i < w->keys.at.n; i++) {
		const struct jwt_key *k = w->keys.at.at[i];

		for (unsigned alg = 0; alg < JWT_ALGS; alg++)
			if (w->may_use[alg] &&
			    jwt_alg_kty((enum jwt_alg)alg) == k->kty &&
			    (k->alg < 0 || k->alg == (int)alg))
				return true;
	}
	return false;
}

static void
jwt_prepare_secret(const struct auth_build *b)
{
	const struct conf_value *v = conf_get(&b->scope, KEY_AUTH_SECRET);
	struct auth_jwt *w = &b->conf->jwt;

	if (v == NULL)
		return;
	if (v->text.len < JWT_SECRET_MIN)
		diag_error(b->d, v->at,
		    "the secret is shorter than %u bytes, and could be "
		    "guessed",
		    JWT_SECRET_MIN);
	else if (!w->may_use[JWT_HS256])
		diag_error(b->d, v->at,
		    "the secret is never used: algorithms does not name "
		    "HS256");
	else
		jwt_keys_add_secret(&w->keys, b->arena, v->text);
}

static void
jwt_prepare_keys(const struct auth_build *b)
{
	const struct conf_value *v = conf_get(&b->scope, KEY_AUTH_JWKS);
	struct auth_jwt *w = &b->conf->jwt;
	const char *why = NULL;
	struct auth_file f;
	span text;

	if (v != NULL && jwks_is_url(v->text))
		w->fetched = jwks_prepare(
		    &b->scope, b->section->name, b->names->policy, b->d);
	else if (auth_load(b, KEY_AUTH_JWKS, &f, &text))
		why = jwt_keys_read(&w->keys, b->arena, text);
	else if (v != NULL)
		return; /* that was told */
	if (why != NULL)
		diag_error(b->d, v->at, "%s: %s", f.path, why);
	jwt_prepare_secret(b);
	if (diag_count(b->d, DIAG_ERROR) == 0 && w->fetched == NULL &&
	    !jwt_has_key(w))
		auth_lacks(b,
		    "no token can be verified: scheme = jwt needs jwks or "
		    "secret with a key for one of algorithms");
}

static void
jwt_prepare(const struct auth_build *b)
{
	struct auth_conf *c = b->conf;
	struct auth_jwt *w = &c->jwt;
	span realm = auth_realm(b);

	jwt_prepare_algorithms(b);
	jwt_prepare_keys(b);
	w->issuer = conf_text(&b->scope, KEY_AUTH_ISSUER);
	w->audience = conf_get(&b->scope, KEY_AUTH_AUDIENCE);
	w->claim = arena_span(b->arena, conf_text(&b->scope, KEY_AUTH_CLAIM));
	w->groups_claim =
	    arena_span(b->arena, conf_text(&b->scope, KEY_AUTH_GROUPS_CLAIM));
	w->skew_s = conf_num(&b->scope, KEY_AUTH_SKEW) / AUTH_MS_PER_S;
	auth_source_prepare(
	    &c->source, &b->scope, "Authorization", b->arena, b->d);
	/* RFC 6750 3 */
	c->challenge =
	    arena_printf(b->arena, "Bearer realm=%.*s", SPAN_FMT(realm));
	c->refusal = arena_printf(b->arena,
	    "Bearer realm=%.*s, error=\"invalid_token\"", SPAN_FMT(realm));
	c->strip = source_strip;
	b->plan->ask = jwt_ask;
}

/* --- forward -------------------------------------------------------------- */

/* Of forward: what the server wants to see is the client's and its own business. */
static void
strip_nothing(const struct auth_conf *c, struct exch *x)
{
	(void)c;
	(void)x;
}

static void
forward_prepare(const struct auth_build *b)
{
	const struct conf_value *v = conf_get(&b->scope, KEY_AUTH_UPSTREAM);
	const struct conf_value *uri = conf_get(&b->scope, KEY_AUTH_URI);
	struct auth_conf *c = b->conf;

	if (v == NULL)
		auth_lacks(
		    b, "scheme = forward needs upstream = NAME, who is asked");
	else
		/* one that is not there has been told */
		c->handler_conf = map_get(b->names->upstreams, v->text);
	c->handler = b->names->upstream;
	if (uri != NULL)
		c->uri = uri->text;
	if (uri != NULL &&
	    (!span_starts(c->uri, SPAN_LIT("/")) ||
		!chars_all(c->uri, CHAR_TARGET) || span_chr(c->uri, '?') >= 0))
		diag_error(
		    b->d, uri->at, "'%.*s' is no path", SPAN_FMT(c->uri));
	auth_source_prepare(&c->source, &b->scope, NULL, b->arena, b->d);
	c->user_field = conf_text(&b->scope, KEY_AUTH_USER_HEADER);
	c->strip = strip_nothing;
	b->plan->ask = forward_ask;
}

/* --- hmac ----------------------------------------------------------------- */

#define HMAC_PREFIX SPAN_LIT("gh_")

/* A prefix that can stand in a query as it is, and does not hold what ends a
 * name. */
static bool
hmac_is_prefix(span s)
{
	return chars_all(s, CHAR_TOKEN) && span_chr(s, '&') < 0 &&
	       span_chr(s, '%') < 0;
}

static void
hmac_prepare(const struct auth_build *b)
{
	const struct conf_value *secret = conf_get(&b->scope, KEY_AUTH_SECRET);
	const struct conf_value *prefix = conf_get(&b->scope, KEY_AUTH_QUERY);
	struct auth_conf *c = b->conf;
	struct auth_hmac *h = &c->hmac;

	if (secret == NULL)
		auth_lacks(b, "scheme = hmac needs a secret");
	else if (secret->text.len < SIGNED_SECRET_MIN)
		diag_error(b->d, secret->at,
		    "the secret is shorter than %u bytes, and could be "
		    "guessed",
		    SIGNED_SECRET_MIN);
	else
		h->secret = secret->text;
	h->prefix = prefix != NULL ? prefix->text : HMAC_PREFIX;
	if (!hmac_is_prefix(h->prefix))
		diag_error(b->d, prefix->at,
		    "names of arguments cannot begin with '%.*s'",
		    SPAN_FMT(h->prefix));
	h->skew_s =
	    (uint64_t)conf_num(&b->scope, KEY_AUTH_SKEW) / AUTH_MS_PER_S;
	c->strip = hmac_strip;
	b->plan->ask = hmac_ask;
}

/* --- certificate ---------------------------------------------------------- */

/* Whether clients are asked for one anywhere. */
static bool
certificate_is_asked(const struct conf_tree *t)
{
	static const enum conf_type types[] = {
	    CONF_DEFAULTS, CONF_LISTEN, CONF_SITE};

	for (size_t i = 0; i < NELEMS(types); i++)
		for (const struct conf_section *s = conf_first(t, types[i]);
		     s != NULL; s = s->next) {
			const struct conf_value *v = s->first[KEY_SITE_VERIFY];

			if (v != NULL && !span_eq(v->text, SPAN_LIT("off")))
				return true;
		}
	return false;
}

static void
certificate_prepare(const struct auth_build *b)
{
	struct auth_conf *c = b->conf;

	c->certificate = (enum auth_certificate)conf_num(
	    &b->scope, KEY_AUTH_CERTIFICATE_NAME);
	if (!certificate_is_asked(b->names->tree))
		diag_warning(b->d, b->section->at,
		    "nobody can be let on: no site and no listen asks for "
		    "certificates of clients (verify)");
	c->strip = strip_nothing;
	b->plan->ask = certificate_ask;
}

/* --- any ------------------------------------------------------------------ */

/* In the order of the words of the key `scheme`. */
enum auth_scheme {
	AUTH_BASIC,
	AUTH_JWT,
	AUTH_FORWARD,
	AUTH_APIKEY,
	AUTH_HMAC,
	AUTH_HELPER,
	AUTH_CERTIFICATE
};

static void
auth_prepare_scheme(const struct auth_build *b)
{
	switch ((enum auth_scheme)conf_num(&b->scope, KEY_AUTH_SCHEME)) {
	case AUTH_BASIC:
		basic_prepare(b);
		return;
	case AUTH_APIKEY:
		apikey_prepare(b);
		return;
	case AUTH_JWT:
		jwt_prepare(b);
		return;
	case AUTH_FORWARD:
		forward_prepare(b);
		return;
	case AUTH_HMAC:
		hmac_prepare(b);
		return;
	case AUTH_HELPER:
		helper_prepare(b);
		return;
	case AUTH_CERTIFICATE:
		certificate_prepare(b);
		return;
	}
	UNREACHED();
}

struct plan_auth *
auth_prepare(const struct auth_names *names, const struct conf_section *sec,
    struct arena *a, struct diag *d)
{
	const struct conf_tree *t = names->tree;
	struct auth_conf *c = arena_zalloc(a, sizeof(*c));
	struct plan_auth *p = arena_zalloc(a, sizeof(*p));
	struct auth_build b = {.section = sec,
	    .scope = conf_scope_of(t, sec),
	    .names = names,
	    .arena = a,
	    .d = d,
	    .conf = c,
	    .plan = p};
	const struct conf_value *v = conf_get(&b.scope, KEY_AUTH_USERS);

	for (const struct conf_section *o = conf_first(t, CONF_AUTH); o != sec;
	     o = o->next)
		c->index++;
	c->ttl_ms = (uint64_t)conf_num(&b.scope, KEY_AUTH_TTL);
	c->passes = conf_bool(&b.scope, KEY_AUTH_PASS);
	c->users = v != NULL ? map_get(names->users, v->text) : NULL;
	keys_init(&c->keys);
	jwt_keys_init(&c->jwt.keys);
	p->name = sec->name;
	p->at = sec->at;
	p->conf = c;
	auth_prepare_scheme(&b);
	c->guess.why = BAN_WHY_AUTH;
	offence_prepare(&c->guess, conf_get(&b.scope, KEY_AUTH_BAN),
	    AUTH_BAN_AFTER, claims_guard(names->claims, CONF_AUTH, sec->name),
	    d);
	return p;
}

void
auth_fini(struct plan_auth *p)
{
	struct auth_conf *c;

	if (p == NULL)
		return;
	c = (struct auth_conf *)(uintptr_t)p->conf;
	keys_fini(&c->keys);
	jwt_keys_fini(&c->jwt.keys);
	jwks_fini(c->jwt.fetched);
}
