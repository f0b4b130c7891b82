/* auth/jwks: see jwks.h. */
#include "worker/auth/jwks.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/http/cc.h"
#include "common/http/freshness.h"
#include "worker/exch/exch.h"

#define JWKS_FETCH_MS 5000u
/* Longer than this no request waits for a fetch. */
#define JWKS_WAIT_MS 5000u
#define JWKS_BODY_MAX (64u * 1024)
/* How long a set is believed whose answer does not say it, and any. */
#define JWKS_FRESH_S 300
#define JWKS_FRESH_MAX_S 86400
/* For so long a set that nobody could fetch again outlives its worker. */
#define JWKS_KEEP_S (30 * 86400)
/* After a failure, doubled with each one behind it. */
#define JWKS_RETRY_MIN_MS 1000u
#define JWKS_RETRY_MAX_MS 60000u
/* The workers of a generation are due one behind the other, so that the first
 * fetches and the others find what it has shared. */
#define JWKS_STEP_MS 500u

/* Protocols that are offered (RFC 7301 3.1). */
#define JWKS_ALPN "\x08http/1.1"

struct jwks_set {
	struct arena arena;
	struct jwt_keys keys;
};

struct jwks {
	struct worker *w;
	const struct jwks_conf *conf;
	struct tls_remote *remote; /* NULL: plain http */
	struct url_fetch *fetch; /* under way, or NULL */
	struct timer due;
	struct list waits; /* struct jwks_wait */
	struct jwks_set *set; /* NULL: there was never one */
	uint32_t version;
	uint64_t came_ms; /* the set did, CLOCK_MONOTONIC */
	int64_t fresh_until_s; /* of the set */
	uint64_t begun_ms; /* the last fetch; 0: never */
	uint32_t n_failures; /* in a row */
};

/* A request that waits, or has waited. */
struct jwks_wait {
	struct list node;
	struct exch *x;
	const struct jwks *of;
	struct timer timer;
	bool is_open;
};

/* What is shared. */
struct jwks_shared_head {
	uint64_t came_ms;
	int64_t fresh_until_s;
};

struct jwks_shared {
	struct jwks_shared_head head;
	char text[STAPLE_CAP - sizeof(struct jwks_shared_head)];
};

/* --- configuration -------------------------------------------------------- */

bool
jwks_is_url(span text)
{
	return span_find(text, SPAN_LIT("://")) > 0;
}

static void
jwks_prepare_tls(struct jwks_conf *c, const struct conf_value *ca,
    const struct conf_value *at, const struct tls_policy *policy,
    struct diag *d)
{
	char *file = ca != NULL ? strndup(ca->text.p, ca->text.len) : NULL;
	struct tls_problem why;
	struct tls_trust *trust = tls_trust_new(file, &why);

	free(file);
	if (trust == NULL) {
		diag_error(d, ca != NULL ? ca->at : at->at, "%s", why.text);
		return;
	}
	c->tls = tls_client_new(
	    policy, trust, JWKS_ALPN, (uint32_t)(sizeof(JWKS_ALPN) - 1));
	tls_trust_free(trust);
}

/* What is believed by other authorities is another set. */
static void
jwks_print(struct jwks_conf *c, const struct conf_value *ca)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	span file = ca != NULL ? ca->text : span_of("", 0);

	REQUIRE(
	    md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, c->url.text, strlen(c->url.text) + 1) == 1 &&
	    EVP_DigestUpdate(md, file.p, file.len) == 1 &&
	    EVP_DigestFinal_ex(md, c->print, NULL) == 1);
	EVP_MD_CTX_free(md);
}

struct jwks_conf *
jwks_prepare(const struct conf_scope *s, span name,
    const struct tls_policy *policy, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_AUTH_JWKS);
	const struct conf_value *ca = conf_get(s, KEY_AUTH_CA);
	struct jwks_conf *c = calloc(1, sizeof(*c));
	struct ip ip;

	REQUIRE(c != NULL);
	c->name = name;
	c->again_ms = (uint64_t)conf_num(s, KEY_AUTH_JWKS_AGAIN);
	if (!fetch_url_read(&c->url, v->text)) {
		diag_error(d, v->at, "'%.*s' is no URL of http or https",
		    SPAN_FMT(v->text));
		jwks_fini(c);
		return NULL;
	}
	if (fetch_url_is_tls(&c->url))
		jwks_prepare_tls(c, ca, v, policy, d);
	else if (!ip_parse(c->url.uri.host, &ip))
		diag_warning(d, v->at,
		    "whoever is between here and %.*s can put keys of their "
		    "own into the set: use https",
		    SPAN_FMT(c->url.uri.host));
	jwks_print(c, ca);
	return c;
}

void
jwks_fini(struct jwks_conf *c)
{
	if (c == NULL)
		return;
	fetch_url_fini(&c->url);
	tls_client_free(c->tls);
	free(c);
}

/* --- a set ---------------------------------------------------------------- */

static void
set_free(struct jwks_set *set)
{
	if (set == NULL)
		return;
	jwt_keys_fini(&set->keys);
	arena_fini(&set->arena);
	free(set);
}

/* Take these keys in place of those before. NULL: done; else why not, for the
 * log. */
static const char *
jwks_take(struct jwks *s, span text, const struct jwks_shared_head *h)
{
	struct jwks_set *set = calloc(1, sizeof(*set));

	REQUIRE(set != NULL);
	arena_init(&set->arena, &s->w->arenas);
	jwt_keys_init(&set->keys);
	if (jwt_keys_read(&set->keys, &set->arena, text) != NULL) {
		set_free(set);
		return "it is no set of well-formed keys";
	}
	set_free(s->set);
	s->set = set;
	s->version++;
	s->came_ms = h->came_ms;
	s->fresh_until_s = h->fresh_until_s;
	return NULL;
}

static int64_t
jwks_now_s(const struct jwks *s)
{
	return clock_wall_s(worker_clock(s->w));
}

static uint64_t
jwks_now_ms(const struct jwks *s)
{
	return clock_mono_ms(worker_clock(s->w));
}

/* --- when to look again --------------------------------------------------- */

static void
jwks_rest(struct jwks *s, uint64_t ms)
{
	loop_timer_set(
	    s->w->loop, &s->due, ms + s->w->boot->worker * JWKS_STEP_MS);
}

/* Until the set is fresh no more. */
static void
jwks_rest_fresh(struct jwks *s)
{
	int64_t left_s = s->fresh_until_s - jwks_now_s(s);

	jwks_rest(s, left_s > 0 ? (uint64_t)left_s * 1000 : 0);
}

/* --- what workers share --------------------------------------------------- */

static void
jwks_share(const struct jwks *s, span text)
{
	const struct boot *b = s->w->boot;
	struct jwks_shared shared = {.head = {s->came_ms, s->fresh_until_s}};
	int64_t now = jwks_now_s(s);
	struct staple put = {
	    .der = span_of((const char *)&shared,
		offsetof(struct jwks_shared, text) + text.len),
	    .since_s = now,
	    .until_s = now + JWKS_KEEP_S,
	};

	/* a larger one is each worker's own */
	if (text.len > sizeof(shared.text))
		return;
	memcpy(shared.text, text.p, text.len);
	(void)staples_put(b->staples, b->slots,
	    (struct slot_name){b->slot, b->incarnation}, s->conf->print, &put,
	    now);
}

/* Take what another worker has fetched. false: nothing that is newer. */
static bool
jwks_adopt(struct jwks *s)
{
	char room[STAPLE_CAP];
	struct staple found;
	struct jwks_shared_head h;

	if (!staples_find(s->w->boot->staples, s->conf->print, jwks_now_s(s),
		room, &found) ||
	    found.der.len < sizeof(h))
		return false;
	memcpy(&h, found.der.p, sizeof(h));
	/* whoever wrote it: no time is believed that a fetch could not give */
	h.came_ms = u64_min(h.came_ms, jwks_now_ms(s));
	h.fresh_until_s =
	    i64_min(h.fresh_until_s, jwks_now_s(s) + JWKS_FRESH_MAX_S);
	if ((s->set != NULL && h.came_ms <= s->came_ms) ||
	    jwks_take(s, span_from(found.der, sizeof(h)), &h) != NULL)
		return false;
	jwks_rest_fresh(s);
	return true;
}

/* --- fetching ------------------------------------------------------------- */

static void
wait_settle(struct jwks_wait *w)
{
	w->is_open = false;
	list_del(&w->node);
	loop_timer_clear(w->x->w->loop, &w->timer);
}

static void
jwks_kick_all(struct jwks *s)
{
	list_foreach_safe (n, &s->waits) {
		struct jwks_wait *w = LIST_ENTRY(n, struct jwks_wait, node);

		wait_settle(w);
		exch_kick(w->x);
	}
}

static void
jwks_fail(struct jwks *s, const char *why)
{
	uint64_t wait_ms = JWKS_RETRY_MIN_MS;

	for (uint32_t i = 0; i < s->n_failures && wait_ms < JWKS_RETRY_MAX_MS;
	     i++)
		wait_ms *= 2;
	wait_ms = u64_min(wait_ms, JWKS_RETRY_MAX_MS);
	s->n_failures++;
	counter_add(s->w->counters, COUNTER_JWKS_FETCH_FAILURES, 1);
	log_msg(LOG_WARN,
	    "keys not fetched auth=%.*s url=\"%s\" why=\"%s\" kept=%u "
	    "again_ms=%llu",
	    SPAN_FMT(s->conf->name), s->conf->url.text, why,
	    s->set != NULL ? s->set->keys.at.n : 0,
	    (unsigned long long)wait_ms);
	jwks_rest(s, wait_ms);
}

/* How long an answer says that it holds (RFC 9111 5.2.2.1), within bounds. */
static int64_t
jwks_lifetime_s(const struct jwks *s, const struct http_msg *answer)
{
	int64_t least_s = (int64_t)(s->conf->again_ms + 999) / 1000;
	int64_t life_s = JWKS_FRESH_S;
	struct cc cc;

	cc_parse(&answer->fields, &cc);
	if (cc_has(&cc, CC_MAX_AGE))
		life_s = (int64_t)cc.seconds[CC_MAX_AGE] -
			 freshness_age_field(&answer->fields);
	if (cc_has(&cc, CC_NO_STORE) || cc_has(&cc, CC_NO_CACHE))
		life_s = 0;
	return i64_max(i64_min(life_s, JWKS_FRESH_MAX_S), least_s);
}

static void
jwks_on_fetched(void *self, const struct fetch_result *r, const char *why)
{
	struct jwks *s = self;
	struct jwks_shared_head h = {.came_ms = jwks_now_ms(s)};

	s->fetch = NULL;
	if (why == NULL) {
		h.fresh_until_s = jwks_now_s(s) + jwks_lifetime_s(s, r->answer);
		why = jwks_take(s, r->content, &h);
	}
	if (why != NULL) {
		jwks_fail(s, why);
	} else {
		s->n_failures = 0;
		counter_add(s->w->counters, COUNTER_JWKS_FETCHES, 1);
		log_msg(LOG_INFO,
		    "keys fetched auth=%.*s url=\"%s\" keys=%u fresh_s=%lld",
		    SPAN_FMT(s->conf->name), s->conf->url.text,
		    s->set->keys.at.n,
		    (long long)(s->fresh_until_s - jwks_now_s(s)));
		jwks_share(s, r->content);
		jwks_rest_fresh(s);
	}
	jwks_kick_all(s);
}

/* false: not even a question could be asked. */
static bool
jwks_fetch(struct jwks *s)
{
	struct fetch_spec ask = {
	    .remote = s->remote,
	    .io = s->w->tls,
	    .method = METHOD_GET,
	    .time_ms = JWKS_FETCH_MS,
	    .head = {4096, 16384, 64},
	    .body_max = JWKS_BODY_MAX,
	};

	s->begun_ms = jwks_now_ms(s);
	s->fetch = fetch_url_start(
	    s->w->loop, s->w->dns, &s->conf->url, &ask, jwks_on_fetched, s);
	if (s->fetch == NULL)
		jwks_fail(s, "names cannot be resolved now");
	return s->fetch != NULL;
}

static void
jwks_on_due(void *self)
{
	struct jwks *s = self;

	if (s->fetch != NULL)
		return;
	(void)jwks_adopt(s);
	if (s->set != NULL && s->fresh_until_s > jwks_now_s(s))
		jwks_rest_fresh(s);
	else
		(void)jwks_fetch(s);
}

/* --- who asks ------------------------------------------------------------- */

const struct jwt_keys *
jwks_keys(const struct jwks *s)
{
	return s->set != NULL ? &s->set->keys : NULL;
}

uint32_t
jwks_version(const struct jwks *s)
{
	return s->version;
}

static void
wait_on_timer(void *self)
{
	struct jwks_wait *w = self;

	wait_settle(w);
	exch_kick(w->x);
}

static enum jwks_rc
jwks_join(struct jwks *s, struct exch *x)
{
	struct jwks_wait *w = arena_zalloc(&x->arena, sizeof(*w));

	w->x = x;
	w->of = s;
	w->is_open = true;
	list_init(&w->node);
	list_push_back(&s->waits, &w->node);
	timer_init(&w->timer, wait_on_timer, w);
	loop_timer_set(x->w->loop, &w->timer, JWKS_WAIT_MS);
	x->jwks_wait = w;
	return JWKS_OPEN;
}

enum jwks_rc
jwks_ask(struct jwks *s, struct exch *x)
{
	struct jwks_wait *w = x->jwks_wait;

	if (w != NULL && w->of == s)
		return w->is_open ? JWKS_OPEN : JWKS_SAME;
	jwks_leave(x);
	if (s->fetch != NULL)
		return jwks_join(s, x);
	if (jwks_adopt(s))
		return JWKS_NEW;
	if (s->begun_ms != 0 &&
	    jwks_now_ms(s) - s->begun_ms < s->conf->again_ms)
		return JWKS_SAME;
	loop_timer_clear(s->w->loop, &s->due);
	return jwks_fetch(s) ? jwks_join(s, x) : JWKS_SAME;
}

void
jwks_leave(struct exch *x)
{
	if (x->jwks_wait != NULL && x->jwks_wait->is_open)
		wait_settle(x->jwks_wait);
	x->jwks_wait = NULL;
}

/* --- life ----------------------------------------------------------------- */

struct jwks *
jwks_new(struct worker *w, const struct jwks_conf *c)
{
	struct jwks *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->w = w;
	s->conf = c;
	list_init(&s->waits);
	timer_init(&s->due, jwks_on_due, s);
	if (c->tls != NULL)
		s->remote = tls_remote_new(c->tls, c->url.uri.host);
	jwks_rest(s, 0);
	return s;
}

void
jwks_free(struct jwks *s)
{
	if (s == NULL)
		return;
	REQUIRE(list_is_empty(&s->waits));
	loop_timer_clear(s->w->loop, &s->due);
	if (s->fetch != NULL)
		fetch_url_cancel(s->fetch);
	tls_remote_free(s->remote);
	set_free(s->set);
	free(s);
}
