/* auth/auth_jwt: scheme `jwt`: a signed token that says who somebody is. Its
 * signature is verified once and remembered; its claims are judged each time,
 * because time goes on. */
#include <math.h>

#include "common/base/check.h"
#include "worker/auth/auth_int.h"
#include "worker/auth/auth_json.h"
#include "worker/auth/jwt.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"

/* Claims and groups that are kept; what is above is as if not there. */
#define JWT_CLAIMS_MAX 64u
#define JWT_GROUPS_MAX 256u
/* No clock will show a later second (9999-12-31). */
#define JWT_SECONDS_MAX 253402300799.0

/* --- the signature -------------------------------------------------------- */

/* What is known of keys that are fetched. AUTH_GOOD: one of them made it, as far
 * as anybody can tell here. */
static enum auth_rc
jwt_ask_fetched(struct exch *x, struct jwks *s, const struct jwt *t)
{
	const struct jwt_keys *keys = jwks_keys(s);

	if (keys == NULL || !jwt_is_by(t, keys)) {
		if (jwks_ask(s, x) == JWKS_OPEN)
			return AUTH_OPEN;
		keys = jwks_keys(s);
	}
	if (keys == NULL)
		return AUTH_BUSY;
	return jwt_verify(t, keys) ? AUTH_GOOD : AUTH_BAD;
}

/* Whether one of the section's keys made it, those that are fetched included. */
static enum auth_rc
jwt_find_key(struct exch *x, const struct plan_auth *a, const struct jwt *t)
{
	const struct auth_conf *c = a->conf;
	struct jwks *s = auth_jwks(x, c);

	if (jwt_verify(t, &c->jwt.keys))
		return AUTH_GOOD;
	if (s != NULL)
		return jwt_ask_fetched(x, s, t);
	if (c->jwt.fetched == NULL)
		return AUTH_BAD;
	sink_note(x, "auth", a->at,
	    "the keys of %s are not fetched here: the token is taken to be "
	    "signed by one of them",
	    c->jwt.fetched->url.text);
	return AUTH_GOOD;
}

/* Whether what came of it holds for a while: that its key is not known yet does
 * not. */
static bool
jwt_is_final(const struct exch *x, const struct auth_conf *c,
    const struct jwt *t, enum auth_rc rc)
{
	const struct jwks *s = auth_jwks(x, c);

	return rc == AUTH_GOOD ||
	       (rc == AUTH_BAD && (s == NULL || jwt_is_by(t, jwks_keys(s))));
}

static enum auth_rc
jwt_is_signed(
    struct exch *x, const struct plan_auth *a, const struct jwt *t, span token)
{
	const struct auth_conf *c = a->conf;
	enum auth_rc rc;
	bool is_good;

	if (!c->jwt.may_use[t->alg])
		return AUTH_BAD;
	if (auth_recall(x, c, token, &is_good))
		return is_good ? AUTH_GOOD : AUTH_BAD;
	rc = jwt_find_key(x, a, t);
	if (jwt_is_final(x, c, t, rc))
		auth_remember(x, c, token, rc == AUTH_GOOD);
	return rc;
}

/* --- time, issuer, audience ----------------------------------------------- */

/* A claim of seconds since 1970 (RFC 7519 2, NumericDate). false: it is there
 * and is none. */
static bool
jwt_seconds(const json_t *claims, const char *name, double *out, bool *is_there)
{
	const json_t *j = json_object_get(claims, name);

	*is_there = j != NULL;
	*out = json_number_value(j);
	return j == NULL || (json_is_number(j) && isfinite(*out) &&
				fabs(*out) <= JWT_SECONDS_MAX);
}

/* NULL: it holds now. It must have an end. */
static const char *
jwt_judge_time(const struct auth_jwt *w, const json_t *claims, double now)
{
	double skew = (double)w->skew_s;
	double exp;
	double nbf;
	bool has_exp;
	bool has_nbf;

	if (!jwt_seconds(claims, "exp", &exp, &has_exp) ||
	    !jwt_seconds(claims, "nbf", &nbf, &has_nbf))
		return "a time of it is no number";
	if (!has_exp)
		return "it has no end (exp)";
	if (exp + skew <= now)
		return "it has ended (exp)";
	if (has_nbf && nbf - skew > now)
		return "it has not begun (nbf)";
	return NULL;
}

static bool
jwt_is_audience(const struct conf_value *wanted, span one)
{
	for (; wanted != NULL; wanted = wanted->next)
		for (uint32_t i = 0; i < wanted->n_words; i++)
			if (span_eq(wanted->words[i].text, one))
				return true;
	return false;
}

static span
jwt_span(const json_t *j)
{
	return json_is_string(j)
		   ? span_of(json_string_value(j), json_string_length(j))
		   : span_of(NULL, 0);
}

/* RFC 7519 4.1.3: a text, or a list of them. */
static bool
jwt_is_for_us(const struct auth_jwt *w, const json_t *claims)
{
	const json_t *aud = json_object_get(claims, "aud");
	const json_t *one;
	size_t i;

	if (w->audience == NULL || jwt_is_audience(w->audience, jwt_span(aud)))
		return true;
	json_array_foreach(aud, i, one)
	{
		if (jwt_is_audience(w->audience, jwt_span(one)))
			return true;
	}
	return false;
}

static const char *
jwt_judge(const struct auth_jwt *w, const json_t *claims, double now)
{
	const char *why = jwt_judge_time(w, claims, now);

	if (why != NULL)
		return why;
	if (w->issuer.len > 0 &&
	    !span_eq(auth_json_text(claims, "iss"), w->issuer))
		return "another issuer made it (iss)";
	if (!jwt_is_for_us(w, claims))
		return "it is for others (aud)";
	if (auth_name_fault(auth_json_text(claims, w->claim.p)) != NULL)
		return "it names nobody";
	return NULL;
}

/* --- what it says --------------------------------------------------------- */

/* Texts of a list with blanks between. */
static span
jwt_join(const json_t *list, struct arena *a)
{
	span *parts =
	    arena_alloc(a, 2 * (json_array_size(list) + 1) * sizeof(*parts));
	const json_t *one;
	size_t n = 0;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (!json_is_string(one))
			continue;
		if (n > 0)
			parts[n++] = SPAN_LIT(" ");
		parts[n++] = jwt_span(one);
	}
	return arena_concat(a, parts, n);
}

/* A claim as text, in the arena; p == NULL: it is an object or null. */
static span
jwt_value(const json_t *j, struct arena *a)
{
	switch (json_typeof(j)) {
	case JSON_STRING:
		return arena_span(a, jwt_span(j));
	case JSON_INTEGER:
		return arena_printf(
		    a, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	case JSON_REAL:
		return arena_printf(a, "%.17g", json_real_value(j));
	case JSON_TRUE:
		return SPAN_LIT("true");
	case JSON_FALSE:
		return SPAN_LIT("false");
	case JSON_ARRAY:
		return jwt_join(j, a);
	case JSON_OBJECT:
	case JSON_NULL:
		break;
	}
	return span_of(NULL, 0);
}

static void
jwt_keep_claims(struct exch_user *u, const json_t *claims, struct arena *a)
{
	struct exch_claim *out = arena_alloc(a, JWT_CLAIMS_MAX * sizeof(*out));
	json_t *all = (json_t *)(uintptr_t)claims;
	const char *name;
	json_t *j;

	json_object_foreach(all, name, j)
	{
		span value = jwt_value(j, a);

		if (value.p != NULL && u->n_claims < JWT_CLAIMS_MAX)
			out[u->n_claims++] = (struct exch_claim){
			    arena_span(a, span_str(name)), value};
	}
	u->claims = out;
}

/* A list of texts, or one text with blanks between. */
static void
jwt_keep_groups(struct exch_user *u, const json_t *groups, struct arena *a)
{
	span *out = arena_alloc(a, JWT_GROUPS_MAX * sizeof(*out));
	span rest = arena_span(a, jwt_span(groups));
	const json_t *one;
	size_t i;
	span word;

	while (u->n_groups < JWT_GROUPS_MAX && span_word(&rest, &word))
		out[u->n_groups++] = word;
	json_array_foreach(groups, i, one)
	{
		if (json_is_string(one) && u->n_groups < JWT_GROUPS_MAX)
			out[u->n_groups++] = arena_span(a, jwt_span(one));
	}
	u->groups = out;
}

static struct exch_user *
jwt_user(const struct auth_jwt *w, const json_t *claims, struct arena *a)
{
	struct exch_user *u = arena_zalloc(a, sizeof(*u));

	u->name = arena_span(a, auth_json_text(claims, w->claim.p));
	jwt_keep_groups(u, json_object_get(claims, w->groups_claim.p), a);
	jwt_keep_claims(u, claims, a);
	return u;
}

/* --- asking --------------------------------------------------------------- */

/* Who a signed token is of; NULL: *why it is of nobody. */
static struct exch_user *
jwt_believe(struct exch *x, const struct auth_conf *c, const struct jwt *t,
    const char **why)
{
	json_t *claims = auth_json_read(t->claims);
	struct exch_user *u = NULL;

	*why = "its claims are no JSON object";
	if (claims != NULL)
		*why = jwt_judge(
		    &c->jwt, claims, (double)clock_wall_s(worker_clock(x->w)));
	if (*why == NULL)
		u = jwt_user(&c->jwt, claims, &x->arena);
	json_decref(claims);
	return u;
}

/* A token that came is judged. *why: what is wrong with it. */
static enum auth_rc
jwt_judge_token(struct exch *x, const struct plan_auth *a, span token,
    struct exch_user **u, const char **why)
{
	enum auth_rc rc = AUTH_BAD;
	struct jwt t;

	*why = "it is no token, or its signature is not known";
	if (jwt_read(token, &x->arena, &t))
		rc = jwt_is_signed(x, a, &t, token);
	if (rc == AUTH_GOOD)
		*u = jwt_believe(x, a->conf, &t, why);
	return rc;
}

enum verdict
jwt_ask(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;
	const char *why = "two are sent";
	enum auth_rc rc = AUTH_BAD;
	struct exch_user *u = NULL;
	span token;

	switch (auth_source_find(&c->source, x, &token)) {
	case AUTH_SENT_NOTHING:
		return auth_challenge(x, a);
	case AUTH_SENT_TWO:
		break;
	case AUTH_SENT_TOKEN:
		rc = jwt_judge_token(x, a, token, &u, &why);
		break;
	}
	if (rc == AUTH_OPEN)
		return VERDICT_WAIT;
	if (rc == AUTH_BUSY)
		return auth_busy(x, "no keys could be fetched yet");
	if (u != NULL)
		return auth_let_on_as(x, a, u);
	trail_note(x, DECISION_AUTH, a->at, "the token is refused: %s", why);
	return rc == AUTH_GOOD ? auth_refuse_genuine(x, a) : auth_refuse(x, a);
}
