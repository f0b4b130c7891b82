/* up/up_any: the groups of destinations. A group is known by host, port and
 * addresses together: when a name leads elsewhere it is another one, and pooled
 * connections of the one before serve nobody whose addresses were not judged. The
 * one that was used longest ago goes when there are too many. */
#include "worker/up/up_any.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "worker/exch/exch.h"
#include "worker/up/lb.h"

/* Destinations of a worker that are remembered; more only while they are used.
 * A page of the web asks some dozens. */
#define ANY_GROUPS_MAX 1024u
/* Idle connections to all of them together. */
#define ANY_IDLE_MAX 1024u
#define ANY_BUCKETS 1024u
/* Host, port with its colon. */
#define ANY_TEXT_CAP 264

struct any_group {
	struct up_group group;
	struct up_server server;
	struct up_server_conf conf;
	const struct upstream *u; /* of its [forward] */
	struct list used; /* in up_any.used, the last used first */
	struct list bucket;
	uint64_t hash;
	uint32_t n_users;
	uint32_t n_ips;
	struct ip ips[DESTINATION_IPS_MAX];
	char text[ANY_TEXT_CAP];
};

struct up_any {
	struct worker *w;
	struct sipkey key;
	struct list used;
	uint32_t n;
	uint32_t n_idle; /* connections of all */
	bool is_retiring;
	struct list buckets[ANY_BUCKETS];
};

struct up_any *
up_any_new(struct worker *w)
{
	struct up_any *a = calloc(1, sizeof(*a));

	REQUIRE(a != NULL);
	a->w = w;
	sipkey_random(&a->key);
	list_init(&a->used);
	for (uint32_t i = 0; i < ANY_BUCKETS; i++)
		list_init(&a->buckets[i]);
	return a;
}

static void
any_end(struct up_any *a, struct any_group *g)
{
	REQUIRE(g->n_users == 0);
	up_group_close(&g->group);
	list_del(&g->used);
	list_del(&g->bucket);
	a->n--;
	free(g);
}

void
up_any_retire(struct up_any *a)
{
	a->is_retiring = true;
	list_foreach (n, &a->used) {
		struct any_group *g = LIST_ENTRY(n, struct any_group, used);

		g->group.is_retiring = true;
		up_group_drain(&g->group);
	}
}

void
up_any_free(struct up_any *a)
{
	list_foreach_safe (n, &a->used)
		any_end(a, LIST_ENTRY(n, struct any_group, used));
	free(a);
}

/* The oldest that nobody uses go, as long as there is too much of anything. */
static void
any_trim(struct up_any *a)
{
	struct list *n = a->used.prev;

	while ((a->n > ANY_GROUPS_MAX || a->n_idle > ANY_IDLE_MAX) &&
	       n != &a->used) {
		struct any_group *g = LIST_ENTRY(n, struct any_group, used);

		n = n->prev;
		if (g->n_users == 0)
			any_end(a, g);
	}
}

/* --- one server ----------------------------------------------------------- */

/* There is one, or it has failed. */
static void *
only_open(const struct up_group *g)
{
	return (void *)(uintptr_t)g;
}

static void
only_close(void *state)
{
	(void)state;
}

static int
only_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	(void)state;
	(void)g;
	(void)x;
	return is_backup || lb_is_skipped(skip, 0) ? -1 : 0;
}

const struct lb_ops lb_only = {
    .name = "its host",
    .open = only_open,
    .close = only_close,
    .pick = only_pick,
};

/* --- finding -------------------------------------------------------------- */

static uint64_t
any_hash(const struct up_any *a, const struct exch_destination *to)
{
	return siphash(&a->key, to->host) ^ to->port;
}

/* The resolver gives the addresses of one answer in another order each time. */
static bool
any_has_ips(const struct any_group *g, const struct exch_destination *to)
{
	if (g->n_ips != to->n_ips)
		return false;
	for (uint32_t i = 0; i < g->n_ips; i++) {
		uint32_t k = 0;

		while (k < to->n_ips && !ip_eq(&g->ips[i], &to->ips[k]))
			k++;
		if (k == to->n_ips)
			return false;
	}
	return true;
}

static struct any_group *
any_find(struct up_any *a, uint64_t hash, const struct upstream *u,
    const struct exch_destination *to)
{
	list_foreach (n, &a->buckets[hash % ANY_BUCKETS]) {
		struct any_group *g = LIST_ENTRY(n, struct any_group, bucket);

		if (g->hash == hash && g->u == u && g->conf.port == to->port &&
		    span_eq(g->conf.host, to->host) && any_has_ips(g, to))
			return g;
	}
	return NULL;
}

static struct any_group *
any_make(struct up_any *a, uint64_t hash, const struct upstream *u,
    const struct exch_destination *to)
{
	struct any_group *g = calloc(1, sizeof(*g));
	int len;

	REQUIRE(g != NULL);
	g->u = u;
	g->hash = hash;
	len = snprintf(
	    g->text, sizeof(g->text), "%.*s:%u", SPAN_FMT(to->host), to->port);
	REQUIRE(len > 0 && (size_t)len < sizeof(g->text));
	g->conf = u->servers[0];
	g->conf.text = span_of(g->text, (size_t)len);
	g->conf.host = span_first(g->conf.text, to->host.len);
	g->conf.port = to->port;
	g->n_ips = to->n_ips;
	memcpy(g->ips, to->ips, to->n_ips * sizeof(g->ips[0]));
	g->server.conf = &g->conf;
	up_group_open(&g->group, a->w, u, &g->server);
	g->group.n_idle_all = &a->n_idle;
	g->group.is_retiring = a->is_retiring;
	up_name_open_fixed(&g->server, g->ips, g->n_ips);
	list_init(&g->used);
	list_push_front(&a->buckets[hash % ANY_BUCKETS], &g->bucket);
	a->n++;
	return g;
}

struct up_group *
up_any_take(struct up_any *a, const struct upstream *u,
    const struct exch_destination *to)
{
	uint64_t hash = any_hash(a, to);
	struct any_group *g = any_find(a, hash, u, to);

	if (g == NULL)
		g = any_make(a, hash, u, to);
	list_del(&g->used);
	list_push_front(&a->used, &g->used);
	g->n_users++;
	any_trim(a);
	return &g->group;
}

void
up_any_leave(struct up_any *a, struct up_group *group)
{
	struct any_group *g = LIST_ENTRY(group, struct any_group, group);

	REQUIRE(g->n_users > 0);
	g->n_users--;
	any_trim(a);
}
