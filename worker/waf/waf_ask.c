/* waf_ask: see waf_ask.h. A name that nobody answers in time is not listed: who
 * wants to harm a list's users by its name servers refuses nobody. */
#include "worker/waf/waf_ask.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/siphash.h"
#include "common/net/dns.h"
#include "worker/exch/exch.h"

/* Names of one request; what more rules want to know is not listed. */
#define NAMES_MAX 8u
/* For all names of a request together. */
#define WAIT_MS 1000u
/* Answers that are remembered; a new one takes the place of whichever has its
 * number. */
#define KNOWN_MAX 1024u
#define LISTED_MS 300000u
#define MISSING_MS 60000u
#define FAILED_MS 5000u
#define MS_PER_S 1000u
/* Addresses that say "listed": 127.0.0.0/8. */
#define LISTED_BYTE 127

struct known {
	uint64_t hash; /* 0: none */
	uint64_t until_ms;
	bool is_listed;
};

struct waf_known {
	struct sipkey key;
	struct known at[KNOWN_MAX];
};

struct asked_name {
	struct waf_asked *of;
	span name; /* as it is asked, with the dot of the root */
	struct dns_query *query; /* NULL: it has come */
	enum sec_look found;
};

struct waf_asked {
	struct exch *x;
	struct waf_known *known;
	struct timer timer;
	bool is_late;
	uint32_t n;
	struct asked_name at[NAMES_MAX];
};

struct waf_known *
waf_known_new(void)
{
	struct waf_known *k = calloc(1, sizeof(*k));

	REQUIRE(k != NULL);
	sipkey_random(&k->key);
	return k;
}

void
waf_known_free(struct waf_known *k)
{
	free(k);
}

/* --- what is known -------------------------------------------------------- */

static uint64_t
now_ms(const struct waf_asked *a)
{
	return clock_mono_ms(worker_clock(a->x->w));
}

static struct known *
known_find(struct waf_known *k, span name, uint64_t *hash)
{
	*hash = siphash(&k->key, name) | 1;
	return &k->at[*hash / 2 % KNOWN_MAX];
}

static bool
is_listed(const struct dns_answer *d)
{
	for (uint32_t i = 0; d->rc == DNS_OK && i < d->n; i++)
		if (ip_is_v4(&d->addrs[i]) && d->addrs[i].b[12] == LISTED_BYTE)
			return true;
	return false;
}

static uint64_t
life_ms(const struct dns_answer *d)
{
	switch (d->rc) {
	case DNS_OK:
		return u64_min(u64_max(d->ttl_s, 1) * MS_PER_S, LISTED_MS);
	case DNS_NOT_FOUND:
		return MISSING_MS;
	case DNS_FAILED:
	case DNS_TIMEOUT:
		return FAILED_MS;
	}
	UNREACHED();
}

static void
on_answer(void *self, const struct dns_answer *d)
{
	struct asked_name *n = self;
	struct waf_asked *a = n->of;
	uint64_t hash;
	struct known *e = known_find(a->known, n->name, &hash);

	n->query = NULL;
	n->found = is_listed(d) ? SEC_LOOK_YES : SEC_LOOK_NO;
	*e = (struct known){
	    hash, now_ms(a) + life_ms(d), n->found == SEC_LOOK_YES};
	exch_kick(a->x);
}

/* --- who asks ------------------------------------------------------------- */

static void
cancel_all(struct waf_asked *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->at[i].query == NULL)
			continue;
		dns_cancel(a->at[i].query);
		a->at[i].query = NULL;
		a->at[i].found = SEC_LOOK_NO;
	}
}

static void
on_timer(void *self)
{
	struct waf_asked *a = self;

	a->is_late = true;
	cancel_all(a);
	exch_kick(a->x);
}

static struct waf_asked *
asked_new(struct exch *x, struct waf_known *k)
{
	struct waf_asked *a = arena_zalloc(&x->arena, sizeof(*a));

	a->x = x;
	a->known = k;
	timer_init(&a->timer, on_timer, a);
	loop_timer_set(x->w->loop, &a->timer, WAIT_MS);
	return a;
}

static enum sec_look
ask(struct waf_asked *a, span name)
{
	struct asked_name *n = &a->at[a->n];

	if (a->is_late || a->n == NAMES_MAX)
		return SEC_LOOK_NO;
	*n = (struct asked_name){.of = a, .name = name};
	n->query = dns_resolve(a->x->w->dns, name, on_answer, n);
	if (n->query == NULL)
		return SEC_LOOK_NO;
	a->n++;
	return SEC_LOOK_WAITS;
}

enum sec_look
waf_ask(
    struct exch *x, struct waf_known *k, struct waf_asked **asked, span name)
{
	const span parts[] = {name, SPAN_LIT(".")};
	span whole = arena_concat(&x->arena, parts, NELEMS(parts));
	struct waf_asked *a = *asked;
	const struct known *e;
	uint64_t hash;

	for (uint32_t i = 0; a != NULL && i < a->n; i++)
		if (span_ieq(a->at[i].name, whole))
			return a->at[i].query != NULL ? SEC_LOOK_WAITS
						      : a->at[i].found;
	e = known_find(k, whole, &hash);
	if (e->hash == hash && e->until_ms > clock_mono_ms(worker_clock(x->w)))
		return e->is_listed ? SEC_LOOK_YES : SEC_LOOK_NO;
	if (a == NULL)
		*asked = a = asked_new(x, k);
	return ask(a, whole);
}

void
waf_ask_end(struct waf_asked *a)
{
	if (a == NULL)
		return;
	cancel_all(a);
	loop_timer_clear(a->x->w->loop, &a->timer);
}
