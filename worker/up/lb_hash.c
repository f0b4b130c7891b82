/* up/lb_hash: the same key finds the same server, in every worker, after a
 * reload and on another machine with the same servers. The table is a Maglev
 * one (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, 3.4): a pick is one look into it, keys are spread evenly
 * by weight, and a server that is added or removed moves few keys of others.
 * One that cannot be used moves only its own, evenly to the rest. */
#include <assert.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "worker/exch/exch.h"
#include "worker/exch/tmpl.h"
#include "worker/up/up_group.h"

/* Places for each server: the paper shows less than 1 % of unevenness with a
 * hundred. */
#define HASH_PLACES 100u
/* Looks for a server that can be used, before all are asked in turn: where one
 * of a name's SPOTS_PER_NAME is there, one key in 5,000 sees the end of them. */
#define HASH_LOOKS 64u
#define HASH_FREE UINT16_MAX

static_assert(UP_SERVERS_MAX < HASH_FREE, "an index fits");

struct hash_plan {
	uint32_t n_places; /* prime */
	uint16_t *places; /* indexes of servers; NULL: there are only backups */
	struct tmpl key;
	bool is_ip; /* the client's address is the key */
};

/* Constant: who hashes where must be the same everywhere. A client that may
 * choose its key can choose its server in any case. */
static const struct sipkey hash_key = {0x6761746568, 0x6f757365};

static uint64_t
hash_again(uint64_t h, uint64_t turn)
{
	uint64_t both[2] = {h, turn};

	return siphash(&hash_key, span_of((const char *)both, sizeof(both)));
}

/* --- the table ------------------------------------------------------------ */

static uint32_t
hash_n_places(uint32_t n_servers)
{
	/* primes next to powers of two; the last holds UP_SERVERS_MAX */
	static const uint32_t primes[] = {65537, 262147, 1048583};
	size_t i = 0;

	while (i + 1 < NELEMS(primes) && primes[i] < n_servers * HASH_PLACES)
		i++;
	return primes[i];
}

/* The order in which a server wants places is a permutation of them. */
struct hash_wish {
	uint32_t next;
	uint32_t step;
	uint32_t credit; /* below `most`: what is left of its weight */
	uint16_t server;
};

static void
hash_take(struct hash_plan *p, struct hash_wish *w)
{
	while (p->places[w->next] != HASH_FREE)
		w->next = (w->next + w->step) % p->n_places;
	p->places[w->next] = w->server;
}

/* In each round the heaviest takes a place, the others one as often as their
 * weight is a part of its. */
static void
hash_fill(struct hash_plan *p, struct hash_wish *wishes, uint32_t n,
    const struct upstream *u, uint32_t most)
{
	uint32_t left = p->n_places;

	for (;;) {
		for (uint32_t i = 0; i < n; i++) {
			struct hash_wish *w = &wishes[i];

			w->credit += u->servers[w->server].weight;
			if (w->credit < most)
				continue;
			w->credit -= most;
			hash_take(p, w);
			if (--left == 0)
				return;
		}
	}
}

static void
hash_build(struct hash_plan *p, const struct upstream *u)
{
	struct hash_wish *wishes = calloc(u->n_servers + 1u, sizeof(*wishes));
	uint32_t most = 0;
	uint32_t n = 0;

	REQUIRE(wishes != NULL);
	p->n_places = hash_n_places(u->n_servers);
	for (uint32_t i = 0; i < u->n_servers; i++) {
		const struct up_server_conf *s = &u->servers[i];
		uint64_t h = siphash(&hash_key, s->text);

		if (s->is_backup)
			continue;
		if (s->spot > 0)
			h = hash_again(h, s->spot);
		wishes[n++] = (struct hash_wish){
		    .next = (uint32_t)(h % p->n_places),
		    .step =
			(uint32_t)(hash_again(h, 0) % (p->n_places - 1)) + 1,
		    .server = (uint16_t)i,
		};
		if (s->weight > most)
			most = s->weight;
	}
	if (n > 0) {
		p->places = malloc(p->n_places * sizeof(*p->places));
		REQUIRE(p->places != NULL);
		memset(p->places, 0xff, p->n_places * sizeof(*p->places));
		hash_fill(p, wishes, n, u, most);
	}
	free(wishes);
}

static void
hash_unprepare(void *shared)
{
	struct hash_plan *p = shared;

	free(p->places);
	free(p);
}

static void *
hash_prepare_ip(const struct upstream *u, const struct conf_value *v,
    struct arena *a, struct diag *d)
{
	struct hash_plan *p = calloc(1, sizeof(*p));

	(void)a;
	REQUIRE(p != NULL);
	if (v->n_words > 1)
		diag_error(d, v->words[1].at,
		    "ip_hash takes nothing; a key is written "
		    "`balance = hash {variable}`");
	p->is_ip = true;
	hash_build(p, u);
	return p;
}

static void *
hash_prepare_key(const struct upstream *u, const struct conf_value *v,
    struct arena *a, struct diag *d)
{
	struct hash_plan *p = calloc(1, sizeof(*p));
	struct var_src src = {.when = VAR_WHEN_REQUEST};

	REQUIRE(p != NULL);
	if (v->n_words != 2) {
		diag_error(d, v->at,
		    "hash takes one key, for example "
		    "`balance = hash {header:X-Tenant}`");
	} else {
		src.text = v->words[1].text;
		src.at = v->words[1].at;
		if (tmpl_prepare(&p->key, a, &src, d) && p->key.n_vars == 0)
			diag_error(d, src.at,
			    "the key is the same for every request: it needs "
			    "a {variable}");
	}
	hash_build(p, u);
	return p;
}

/* --- picking -------------------------------------------------------------- */

static uint64_t
hash_of(const struct hash_plan *p, struct exch *x)
{
	span key = span_of(NULL, 0);

	if (!p->is_ip)
		key = tmpl_render(&p->key, x, TMPL_PLAIN);
	/* requests without the key are spread by who sends them */
	if (key.len == 0)
		key = span_of(
		    (const char *)x->client.ip.b, sizeof(x->client.ip.b));
	return siphash(&hash_key, key);
}

/* The first that can be used, from one on. */
static int
hash_pick_next(const struct upstream *u, uint64_t from, const uint64_t *skip,
    bool is_backup)
{
	for (uint32_t k = 0; k < u->n_servers; k++) {
		uint32_t i = (uint32_t)((from + k) % u->n_servers);

		if (u->servers[i].is_backup == is_backup &&
		    !lb_is_skipped(skip, i))
			return (int)i;
	}
	return -1;
}

static int
hash_pick(void *state, const struct up_group *g, struct exch *x,
    const uint64_t *skip, bool is_backup)
{
	const struct hash_plan *p = state;
	uint64_t h = hash_of(p, x);

	if (is_backup || p->places == NULL)
		return hash_pick_next(g->conf, h, skip, is_backup);
	for (uint32_t turn = 0; turn < HASH_LOOKS; turn++) {
		uint64_t at = turn == 0 ? h : hash_again(h, turn);
		uint16_t i = p->places[at % p->n_places];

		if (!lb_is_skipped(skip, i))
			return i;
	}
	return hash_pick_next(g->conf, h, skip, false);
}

static void *
hash_open(const struct up_group *g)
{
	return g->conf->lb_shared;
}

static void
hash_close(void *state)
{
	/* the plan's */
	(void)state;
}

const struct lb_ops lb_ip_hash = {
    .name = "ip_hash",
    .is_keyed = true,
    .prepare = hash_prepare_ip,
    .unprepare = hash_unprepare,
    .open = hash_open,
    .close = hash_close,
    .pick = hash_pick,
};

const struct lb_ops lb_hash = {
    .name = "hash",
    .is_keyed = true,
    .prepare = hash_prepare_key,
    .unprepare = hash_unprepare,
    .open = hash_open,
    .close = hash_close,
    .pick = hash_pick,
};
