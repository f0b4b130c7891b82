/* exch/crawler: one look-up for each address, whoever waits for it: its name,
 * then the addresses of that. */
#include "worker/exch/crawler.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/domains.h"
#include "common/base/num.h"
#include "common/base/service_name.h"
#include "common/base/siphash.h"
#include "common/store/names.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"

/* Addresses that a worker asks about at once: a part of what its resolver
 * takes, so that a crowd leaves room for the names of others. */
#define LOOKUPS_MAX 64u
/* Of these one client's network has so many, and after that one more in a time:
 * who has a /64 has as many addresses as it likes, none of which was ever asked
 * about. Proved crawlers cost their network nothing. */
#define NETWORK_LOOKUPS_MAX 8u
#define NETWORK_GAP_MS 8000u
/* Networks whose account is kept; who finds its place taken takes it. */
#define NETWORKS 256u
/* How long somebody waits for both answers. */
#define LOOKUP_MS 2000u
/* What a name server says lives this long at least; that it is none; that
 * nobody said anything. */
#define GOOD_MIN_MS 1000u
#define NONE_MS 60000u
#define FAILED_MS 5000u
#define MS_PER_S 1000u

struct lookup {
	struct crawler_worker *c;
	struct list node;
	struct list waits;
	struct timer timer;
	struct dns_query *query; /* the one that runs */
	struct ip ip;
	struct dns_answer said; /* of its name */
};

/* What a network was asked about for nothing. */
struct network {
	struct ip ip;
	uint64_t paid_ms; /* when it is all forgotten (GCRA) */
};

struct crawler_worker {
	struct worker *w;
	struct list lookups;
	uint32_t n;
	struct sipkey key; /* nobody can aim at a place */
	struct network networks[NETWORKS];
};

/* What an exchange knows. */
struct crawler_wait {
	struct exch *x;
	struct list node; /* linked: it waits */
	span name;
	bool is_known;
};

struct crawler_worker *
crawler_worker_new(struct worker *w)
{
	struct crawler_worker *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	c->w = w;
	list_init(&c->lookups);
	sipkey_random(&c->key);
	return c;
}

static void
lookup_free(struct lookup *l)
{
	if (l->query != NULL)
		dns_cancel(l->query);
	loop_timer_clear(l->c->w->loop, &l->timer);
	list_del(&l->node);
	l->c->n--;
	free(l);
}

void
crawler_worker_free(struct crawler_worker *c)
{
	if (c == NULL)
		return;
	list_foreach_safe (n, &c->lookups)
		lookup_free(LIST_ENTRY(n, struct lookup, node));
	free(c);
}

static uint64_t
crawler_now_ms(const struct worker *w)
{
	return clock_mono_ms(worker_clock(w));
}

/* --- what a network may have asked ---------------------------------------- */

static struct network *
network_place(struct crawler_worker *c, const struct ip *net)
{
	uint64_t h =
	    siphash(&c->key, span_of((const char *)net->b, sizeof(net->b)));

	return &c->networks[h % NETWORKS];
}

/* Whether one more of its addresses may be asked about, which is counted. */
static bool
network_charge(struct crawler_worker *c, const struct ip *ip)
{
	struct ip net = ip_client(ip);
	struct network *n = network_place(c, &net);
	uint64_t now_ms = crawler_now_ms(c->w);

	if (!ip_eq(&n->ip, &net))
		*n = (struct network){.ip = net};
	if (n->paid_ms > now_ms + NETWORK_GAP_MS * (NETWORK_LOOKUPS_MAX - 1))
		return false;
	n->paid_ms = u64_max(n->paid_ms, now_ms) + NETWORK_GAP_MS;
	return true;
}

/* It was a crawler: as if nothing had been asked. */
static void
network_give_back(struct crawler_worker *c, const struct ip *ip)
{
	struct ip net = ip_client(ip);
	struct network *n = network_place(c, &net);

	if (ip_eq(&n->ip, &net) && n->paid_ms >= NETWORK_GAP_MS)
		n->paid_ms -= NETWORK_GAP_MS;
}

/* --- what was found out --------------------------------------------------- */

/* Whether a name is below one of the domains. */
static bool
is_welcome(const struct worker *w, const struct dns_answer *a)
{
	span name = span_of(a->host, a->host_len);
	char plain[DOMAINS_NAME_MAX];
	size_t len = domains_normalize(name, plain);

	return len > 0 && !service_name_is(name) &&
	       domains_find(w->plan->crawlers, span_of(plain, len));
}

/* The domains are judged anew: the answer may be from before a reload. */
static void
wait_settle(struct crawler_wait *k, const struct dns_answer *a)
{
	struct exch *x = k->x;

	k->is_known = true;
	if (a->rc == DNS_OK && is_welcome(x->w, a))
		k->name = arena_span(&x->arena, span_of(a->host, a->host_len));
}

static uint64_t
answer_life_ms(const struct dns_answer *a)
{
	switch (a->rc) {
	case DNS_OK:
		return u64_max((uint64_t)a->ttl_s * MS_PER_S, GOOD_MIN_MS);
	case DNS_NOT_FOUND:
		return NONE_MS;
	case DNS_FAILED:
	case DNS_TIMEOUT:
		return FAILED_MS;
	}
	UNREACHED();
}

static void
lookup_end(struct lookup *l, enum dns_rc rc)
{
	struct worker *w = l->c->w;
	const struct boot *b = w->boot;
	char text[DNS_REVERSE_CAP];

	l->said.rc = rc;
	if (rc == DNS_OK)
		network_give_back(l->c, &l->ip);
	if (rc == DNS_FAILED || rc == DNS_TIMEOUT)
		counter_add(w->counters, COUNTER_CRAWLER_FAILURES, 1);
	names_put(b->crawlers, b->slots,
	    (struct slot_name){b->slot, b->incarnation},
	    dns_reverse_name(&l->ip, text), &l->said,
	    crawler_now_ms(w) + answer_life_ms(&l->said));
	while (!list_is_empty(&l->waits)) {
		struct crawler_wait *k =
		    LIST_ENTRY(l->waits.next, struct crawler_wait, node);

		list_del(&k->node);
		wait_settle(k, &l->said);
		exch_kick(k->x);
	}
	lookup_free(l);
}

/* --- asking --------------------------------------------------------------- */

static void
lookup_on_late(void *self)
{
	lookup_end(self, DNS_TIMEOUT);
}

static void
lookup_on_addresses(void *self, const struct dns_answer *a)
{
	struct lookup *l = self;
	enum dns_rc rc = a->rc == DNS_OK ? DNS_NOT_FOUND : a->rc;

	l->query = NULL;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->rc == DNS_OK && ip_eq(&a->addrs[i], &l->ip))
			rc = DNS_OK;
	if (a->ttl_s < l->said.ttl_s)
		l->said.ttl_s = a->ttl_s;
	lookup_end(l, rc);
}

/* The dot of the root keeps search lists away from it. */
static void
lookup_on_name(void *self, const struct dns_answer *a)
{
	struct lookup *l = self;
	char text[DNS_NAME_MAX + 1];

	l->query = NULL;
	l->said = *a;
	if (a->rc != DNS_OK || !is_welcome(l->c->w, a) ||
	    a->host_len == DNS_NAME_MAX) {
		lookup_end(l, a->rc == DNS_OK ? DNS_NOT_FOUND : a->rc);
		return;
	}
	memcpy(text, a->host, a->host_len);
	text[a->host_len] = '.';
	l->query = dns_resolve(l->c->w->dns,
	    span_of(text, (size_t)a->host_len + 1), lookup_on_addresses, l);
	if (l->query == NULL)
		lookup_end(l, DNS_FAILED);
}

static struct lookup *
lookup_of(const struct crawler_worker *c, const struct ip *ip)
{
	list_foreach (n, &c->lookups) {
		struct lookup *l = LIST_ENTRY(n, struct lookup, node);

		if (ip_eq(&l->ip, ip))
			return l;
	}
	return NULL;
}

/* NULL: there are too many, in all or of its network. */
static struct lookup *
lookup_begin(struct crawler_worker *c, const struct ip *ip)
{
	struct lookup *l;

	if (c->n >= LOOKUPS_MAX || !network_charge(c, ip))
		return NULL;
	l = calloc(1, sizeof(*l));
	REQUIRE(l != NULL);
	l->c = c;
	l->ip = *ip;
	list_init(&l->waits);
	timer_init(&l->timer, lookup_on_late, l);
	list_push_back(&c->lookups, &l->node);
	c->n++;
	l->query = dns_reverse(c->w->dns, ip, lookup_on_name, l);
	if (l->query == NULL) {
		lookup_free(l);
		return NULL;
	}
	loop_timer_set(c->w->loop, &l->timer, LOOKUP_MS);
	counter_add(c->w->counters, COUNTER_CRAWLER_LOOKUPS, 1);
	return l;
}

/* --- exchanges ------------------------------------------------------------ */

bool
crawler_is_open(const struct exch *x)
{
	return x->w->plan->crawlers != NULL &&
	       (x->crawler == NULL || !x->crawler->is_known);
}

span
crawler_name(const struct exch *x)
{
	return x->crawler != NULL ? x->crawler->name : span_of(NULL, 0);
}

static struct crawler_wait *
wait_new(struct exch *x)
{
	struct crawler_wait *k = arena_zalloc(&x->arena, sizeof(*k));

	k->x = x;
	list_init(&k->node);
	x->crawler = k;
	return k;
}

static bool
wait_ask(struct crawler_wait *k)
{
	struct exch *x = k->x;
	struct crawler_worker *c = x->w->crawlers;
	struct lookup *l = lookup_of(c, &x->client.ip);

	if (l == NULL)
		l = lookup_begin(c, &x->client.ip);
	if (l == NULL) {
		counter_add(x->w->counters, COUNTER_CRAWLER_FAILURES, 1);
		return false;
	}
	list_push_back(&l->waits, &k->node);
	return true;
}

enum verdict
crawler_need(struct exch *x)
{
	struct crawler_wait *k = x->crawler != NULL ? x->crawler : wait_new(x);
	char text[DNS_REVERSE_CAP];
	struct dns_answer a;
	uint64_t until_ms;

	if (k->is_known)
		return VERDICT_NEXT;
	if (list_is_linked(&k->node))
		return VERDICT_WAIT;
	k->is_known = x->sink != NULL || !exch_client_has_ip(&x->client);
	if (x->sink != NULL)
		sink_note(x, "crawler", SINK_NOWHERE,
		    "name servers are not asked by a dry run: it is none");
	if (k->is_known)
		return VERDICT_NEXT;
	if (names_get(x->w->boot->crawlers,
		dns_reverse_name(&x->client.ip, text), crawler_now_ms(x->w), &a,
		&until_ms)) {
		wait_settle(k, &a);
		return VERDICT_NEXT;
	}
	if (wait_ask(k))
		return VERDICT_WAIT;
	k->is_known = true;
	return VERDICT_NEXT;
}

struct crawler_wait *
crawler_copy(const struct exch *x, struct exch *of)
{
	struct crawler_wait *k;

	if (x->crawler == NULL)
		return NULL;
	k = arena_zalloc(&of->arena, sizeof(*k));
	k->x = of;
	list_init(&k->node);
	k->name = arena_span(&of->arena, x->crawler->name);
	k->is_known = true;
	return k;
}

void
crawler_close(struct exch *x)
{
	if (x->crawler != NULL)
		list_del(&x->crawler->node);
}
