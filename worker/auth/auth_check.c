/* auth/auth_check: credentials are verified in threads of the worker or by its
 * helpers, each once however many requests bring them, and the answer is remembered. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/ipc/ctl.h"
#include "worker/auth/auth_int.h"
#include "worker/auth/helper_pool.h"
#include "worker/auth/passwd.h"

/* A hash takes 1 to 300 ms of a CPU: two threads keep one good user from
 * waiting behind one flood, and leave the CPU to the loop. */
#define CHECK_THREADS 2u
/* Checks that wait for a thread. */
#define CHECK_QUEUE 128u
/* What is not good is remembered for so long at most: whoever guesses goes on
 * guessing, and whoever was just added is let on soon. */
#define CHECK_BAD_MS 10000u

struct auth_worker {
	struct worker *w;
	struct offload *pool;
	struct helper_pool **helpers; /* by number of their [auth]; or NULL */
	struct jwks **jwks; /* likewise */
	uint32_t n_auths;
	struct auth_memory *memory;
	struct sipkey secret; /* of what is remembered; this process's own */
	struct list checks; /* under way */
	struct list calls; /* likewise: questions to servers */
};

/* One check, and who waits for it. */
struct auth_run {
	struct offload_job job; /* of a hash, */
	struct helper_ask ask; /* or of a helper */
	struct helper_pool *helper; /* NULL: of a hash */
	struct list node;
	struct auth_worker *aw;
	struct auth_key key;
	uint64_t ttl_ms;
	struct list waits; /* struct auth_wait */
	span hash; /* of the plan */
	size_t len;
	bool is_known;
	bool is_good;
	char password[PASSWD_MAX + 1];
};

/* A request that waits. */
struct auth_wait {
	struct list node;
	struct exch *x;
	const struct plan_auth *auth;
	struct auth_run *run; /* NULL: rc holds */
	enum auth_rc rc;
	struct timer timer;
};

/* --- the life of a worker ------------------------------------------------- */

static void
helpers_open(struct auth_worker *aw)
{
	const struct conf_tree *t = aw->w->plan->conf;
	uint32_t n = 0;

	aw->n_auths = aw->w->plan->n_auths;
	aw->helpers = calloc(aw->n_auths, sizeof(*aw->helpers));
	REQUIRE(aw->helpers != NULL);
	for (const struct conf_section *sec = conf_first(t, CONF_AUTH);
	     sec != NULL; sec = sec->next, n++) {
		struct conf_scope s = conf_scope_of(t, sec);

		if (span_eq(conf_text(&s, KEY_AUTH_SCHEME), SPAN_LIT("helper")))
			aw->helpers[n] = helper_pool_new(aw->w, &s, n);
	}
}

/* The keys that each [auth] fetches, by its number. */
static void
jwks_open(struct auth_worker *aw)
{
	const struct plan *p = aw->w->plan;

	aw->jwks = calloc(aw->n_auths, sizeof(*aw->jwks));
	REQUIRE(aw->jwks != NULL);
	for (uint32_t i = 0; i < p->n_auths; i++) {
		const struct auth_conf *c = p->auths[i]->conf;

		if (c->jwt.fetched != NULL)
			aw->jwks[i] = jwks_new(aw->w, c->jwt.fetched);
	}
}

static void
jwks_close(struct auth_worker *aw)
{
	for (uint32_t i = 0; i < aw->n_auths; i++)
		jwks_free(aw->jwks[i]);
	free(aw->jwks);
}

struct jwks *
auth_jwks(const struct exch *x, const struct auth_conf *c)
{
	return x->w->auth != NULL ? x->w->auth->jwks[c->index] : NULL;
}

static void
helpers_close(struct auth_worker *aw)
{
	for (uint32_t i = 0; i < aw->n_auths; i++)
		helper_pool_free(aw->helpers[i]);
	free(aw->helpers);
}

void
auth_helper_arrived(struct auth_worker *aw, uint64_t arg, int fd)
{
	uint32_t n = ctl_help_auth(arg);

	if (aw != NULL && n < aw->n_auths && aw->helpers[n] != NULL)
		helper_pool_arrived(aw->helpers[n], ctl_help_place(arg), fd);
	else if (fd >= 0)
		(void)close(fd);
}

struct auth_worker *
auth_worker_new(struct worker *w)
{
	struct auth_worker *aw = calloc(1, sizeof(*aw));

	REQUIRE(aw != NULL);
	aw->w = w;
	list_init(&aw->checks);
	list_init(&aw->calls);
	sipkey_random(&aw->secret);
	aw->pool = offload_new(w->loop, CHECK_THREADS, CHECK_QUEUE);
	if (aw->pool == NULL) {
		free(aw);
		return NULL;
	}
	aw->memory = auth_memory_new();
	helpers_open(aw);
	jwks_open(aw);
	return aw;
}

void
auth_worker_free(struct auth_worker *aw)
{
	if (aw == NULL)
		return;
	forward_end(&aw->calls);
	helpers_close(aw);
	jwks_close(aw);
	offload_free(aw->pool);
	REQUIRE(list_is_empty(&aw->checks));
	auth_memory_free(aw->memory);
	OPENSSL_cleanse(&aw->secret, sizeof(aw->secret));
	free(aw);
}

struct list *
auth_calls(struct auth_worker *aw)
{
	return &aw->calls;
}

/* --- one check ------------------------------------------------------------ */

static void
check_free(struct auth_run *r)
{
	list_del(&r->node);
	OPENSSL_cleanse(r->password, sizeof(r->password));
	free(r);
}

/* In a thread. */
static void
check_run(struct offload_job *j)
{
	struct auth_run *r = LIST_ENTRY(j, struct auth_run, job);
	bool is_same = passwd_verify(r->hash, span_of(r->password, r->len));

	r->is_good = is_same && r->is_known;
}

static uint64_t
check_now_ms(const struct auth_worker *aw)
{
	return clock_mono_ms(worker_clock(aw->w));
}

static void
check_remember(struct auth_worker *aw, const struct auth_key *key,
    uint64_t ttl_ms, bool is_good)
{
	if (!is_good)
		ttl_ms = u64_min(ttl_ms, CHECK_BAD_MS);
	auth_memory_put(aw->memory, key, check_now_ms(aw) + ttl_ms, is_good);
}

static void
check_settle_wait(struct auth_wait *w, enum auth_rc rc)
{
	w->run = NULL;
	w->rc = rc;
	list_del(&w->node);
	loop_timer_clear(w->x->w->loop, &w->timer);
	exch_kick(w->x);
}

static void
check_settle(struct auth_run *r, bool is_known)
{
	enum auth_rc rc = AUTH_BUSY;

	if (is_known) {
		check_remember(r->aw, &r->key, r->ttl_ms, r->is_good);
		rc = r->is_good ? AUTH_GOOD : AUTH_BAD;
	}
	list_foreach_safe (n, &r->waits)
		check_settle_wait(LIST_ENTRY(n, struct auth_wait, node), rc);
	check_free(r);
}

static void
check_done(struct offload_job *j, bool was_run)
{
	check_settle(LIST_ENTRY(j, struct auth_run, job), was_run);
}

static void
check_answered(struct helper_ask *q, enum helper_rc rc)
{
	struct auth_run *r = LIST_ENTRY(q, struct auth_run, ask);

	r->is_good = rc == HELPER_KNOWS;
	check_settle(r, rc != HELPER_FAILS);
}

/* --- who waits ------------------------------------------------------------ */

static bool
check_take_back(struct auth_run *r)
{
	return r->helper != NULL ? helper_pool_take_back(r->helper, &r->ask)
				 : offload_take_back(r->aw->pool, &r->job);
}

/* What nobody waits for any more need not begin. */
static void
check_leave(struct auth_wait *w)
{
	struct auth_run *r = w->run;

	loop_timer_clear(w->x->w->loop, &w->timer);
	if (r == NULL)
		return;
	w->run = NULL;
	list_del(&w->node);
	if (list_is_empty(&r->waits) && check_take_back(r))
		check_free(r);
}

void
auth_close(struct exch *x)
{
	if (x->auth_wait != NULL)
		check_leave(x->auth_wait);
	x->auth_wait = NULL;
	if (x->auth_asked != NULL)
		forward_close(x);
	jwks_leave(x);
}

static void
check_on_timer(void *self)
{
	struct auth_wait *w = self;

	check_leave(w);
	w->rc = AUTH_BUSY;
	exch_kick(w->x);
}

static enum auth_rc
check_join(struct exch *x, const struct plan_auth *a, struct auth_run *r)
{
	const struct auth_conf *c = a->conf;
	struct auth_wait *w = arena_zalloc(&x->arena, sizeof(*w));

	w->x = x;
	w->auth = a;
	w->run = r;
	list_init(&w->node);
	list_push_back(&r->waits, &w->node);
	timer_init(&w->timer, check_on_timer, w);
	loop_timer_set(x->w->loop, &w->timer, c->wait_ms);
	x->auth_wait = w;
	return AUTH_OPEN;
}

/* --- deciding ------------------------------------------------------------- */

/* Of other keys nothing is remembered: an old version's entries just end. */
static struct auth_key
check_key(
    const struct auth_worker *aw, const struct auth_conf *c, span credentials)
{
	const struct jwks *s = aw->jwks[c->index];
	uint64_t of =
	    c->index ^ (s != NULL ? (uint64_t)jwks_version(s) << 32 : 0);
	struct sipkey own = {aw->secret.k0 ^ of, aw->secret.k1};
	struct auth_key k;

	siphash_pair(&own, credentials, k.hash);
	return k;
}

static struct auth_run *
check_find(const struct auth_worker *aw, const struct auth_key *k)
{
	list_foreach (n, &aw->checks) {
		struct auth_run *r = LIST_ENTRY(n, struct auth_run, node);

		if (auth_key_eq(&r->key, k))
			return r;
	}
	return NULL;
}

static bool
check_submit(struct auth_run *r, const struct auth_work *work)
{
	return r->helper != NULL ? helper_pool_ask(r->helper, &r->ask,
				       work->name, work->password)
				 : offload_submit(r->aw->pool, &r->job);
}

/* Begin one. NULL: as many wait as may. */
static struct auth_run *
check_begin(struct auth_worker *aw, const struct auth_conf *c,
    const struct auth_work *work, const struct auth_key *key)
{
	struct auth_run *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL && work->password.len <= PASSWD_MAX);
	list_init(&r->node);
	list_init(&r->waits);
	r->job.run = check_run;
	r->job.done = check_done;
	r->ask.done = check_answered;
	r->helper = aw->helpers[c->index];
	r->aw = aw;
	r->key = *key;
	r->ttl_ms = c->ttl_ms;
	r->hash = work->hash;
	r->is_known = work->is_known;
	r->len = work->password.len;
	memcpy(r->password, work->password.p, r->len);
	if (!check_submit(r, work)) {
		check_free(r);
		return NULL;
	}
	list_push_back(&aw->checks, &r->node);
	counter_add(aw->w->counters, COUNTER_AUTH_CHECKS, 1);
	return r;
}

/* What the check of an earlier call came to. */
static bool
check_recall(struct exch *x, const struct plan_auth *a, enum auth_rc *rc)
{
	struct auth_wait *w = x->auth_wait;

	if (w != NULL && w->auth != a)
		auth_close(x);
	if (x->auth_wait == NULL)
		return false;
	*rc = w->run != NULL ? AUTH_OPEN : w->rc;
	return true;
}

enum auth_rc
auth_check(
    struct exch *x, const struct plan_auth *a, const struct auth_work *work)
{
	struct auth_worker *aw = x->w->auth;
	struct auth_run *r;
	struct auth_key key;
	enum auth_rc rc;

	/* a dry run has all the time there is */
	if (aw == NULL)
		return passwd_verify(work->hash, work->password) &&
			       work->is_known
			   ? AUTH_GOOD
			   : AUTH_BAD;
	if (check_recall(x, a, &rc))
		return rc;
	key = check_key(aw, a->conf, work->credentials);
	r = check_find(aw, &key);
	if (r == NULL)
		r = check_begin(aw, a->conf, work, &key);
	return r == NULL ? AUTH_BUSY : check_join(x, a, r);
}

bool
auth_recall(
    struct exch *x, const struct auth_conf *c, span credentials, bool *is_good)
{
	const struct auth_worker *aw = x->w->auth;
	struct auth_key key;

	if (aw == NULL)
		return false;
	key = check_key(aw, c, credentials);
	return auth_memory_find(aw->memory, &key, check_now_ms(aw), is_good);
}

void
auth_remember(
    struct exch *x, const struct auth_conf *c, span credentials, bool is_good)
{
	struct auth_worker *aw = x->w->auth;
	struct auth_key key;

	if (aw == NULL)
		return;
	key = check_key(aw, c, credentials);
	check_remember(aw, &key, c->ttl_ms, is_good);
	counter_add(x->w->counters, COUNTER_AUTH_CHECKS, 1);
}
