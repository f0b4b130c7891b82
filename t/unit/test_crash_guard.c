/* Deaths at every step of counting connections by address, of banning addresses
 * of counting who comes most often, what is used of quotas, what rules keep,
 * while others do the same. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/store/bans.h"
#include "common/store/collections.h"
#include "common/store/headcount.h"
#include "common/store/hitters.h"
#include "common/store/quotas.h"
#include "common/store/visits.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(1000)
/* Few addresses, so that all meet at the same ones. */
#define ADDRESSES 5u
#define MOST 3u

struct shared {
	struct slots *t;
	struct bans *bans;
	struct headcount *heads;
	struct hitters *hitters;
	struct quotas *quotas;
	struct collections *collections;
	struct visits *visits;
	_Atomic uint64_t *now_ms; /* all see it */
};

static void *
guard_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->bans = bans_map(s, true);
	v->heads = headcount_map(s, true);
	ck_assert_ptr_nonnull(v->bans);
	ck_assert_ptr_nonnull(v->heads);
	ck_assert(headcount_ready(v->heads, s));
	v->hitters = hitters_map(s, true);
	ck_assert_ptr_nonnull(v->hitters);
	ck_assert(hitters_ready(v->hitters, s));
	v->quotas = quotas_map(s, true);
	ck_assert_ptr_nonnull(v->quotas);
	ck_assert(quotas_ready(v->quotas, s));
	v->collections = collections_map(s, true);
	ck_assert_ptr_nonnull(v->collections);
	ck_assert(collections_ready(v->collections, s));
	v->visits = visits_map(s, true);
	ck_assert_ptr_nonnull(v->visits);
	ck_assert(visits_ready(v->visits, s));
	return v;
}

static struct ip
address(uint64_t n)
{
	struct ip ip = {{0}};

	ip.b[10] = ip.b[11] = 0xff;
	ip.b[15] = (uint8_t)n;
	return ip;
}

/* --- connections ---------------------------------------------------------- */

static void
heads_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct ip ip = address(*done % ADDRESSES);
	uint32_t places[2];

	for (unsigned i = 0; i < NELEMS(places); i++)
		(void)headcount_enter(
		    v->heads, v->t, me, SPAN_LIT("x"), &ip, MOST, &places[i]);
	for (unsigned i = 0; i < NELEMS(places); i++)
		headcount_leave(v->heads, me, places[i]);
	++*done;
}

static bool
heads_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	headcount_repair(v->heads, v->t, me, dead);
	return true;
}

/* Nobody is connected, and nobody seems to be. */
static bool
heads_are_whole(void *ctx)
{
	struct shared *v = ctx;

	return headcount_check(v->heads) && headcount_sum(v->heads) == 0;
}

START_TEST(a_death_gives_its_connections_back)
{
	static const struct crash_case c = {
	    .name = "headcount",
	    .set_up = guard_set_up,
	    .tear_down = free,
	    .work = heads_work,
	    .repair = heads_mend,
	    .check = heads_are_whole,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 6);
}
END_TEST

/* --- bans ----------------------------------------------------------------- */

static void
bans_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct ip ip = address(*done % ADDRESSES);
	struct ip never = address(ADDRESSES + *done % ADDRESSES);

	(void)bans_add(
	    v->bans, v->t, me, &ip, BAN_WHY_LIMIT, NOW, 1000 + *done % 7);
	(void)bans_has(v->bans, &ip, NOW);
	/* nobody is ever banned by what was half written */
	REQUIRE(!bans_has(v->bans, &never, NOW));
	(void)bans_lift(v->bans, v->t, me, &ip, NOW);
	++*done;
}

static bool
bans_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	bans_repair(v->bans, v->t, me, dead);
	return true;
}

/* Whoever is listed is one of those who were banned, and is found. */
static bool
bans_are_whole(void *ctx)
{
	struct shared *v = ctx;
	uint32_t at = 0;
	struct ban b;

	while (bans_next(v->bans, NOW, &at, &b))
		if (b.ip.b[15] >= ADDRESSES || b.why != BAN_WHY_LIMIT ||
		    !bans_has(v->bans, &b.ip, NOW))
			return false;
	return bans_check(v->bans);
}

START_TEST(a_death_bans_nobody_else)
{
	static const struct crash_case c = {
	    .name = "bans",
	    .set_up = guard_set_up,
	    .tear_down = free,
	    .work = bans_work,
	    .repair = bans_mend,
	    .check = bans_are_whole,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 6);
}
END_TEST

/* --- who comes most often ------------------------------------------------- */

/* More names than places, so that they push each other out. */
#define NAMES (2 * HITTERS_PLACES)
/* Few, so that all are counted when they fade. */
#define FEW 4u
#define WEIGHT 2u

static void
hitters_count(struct shared *v, struct slot_name me, uint64_t n)
{
	char text[20];
	struct hitter_name name = {
	    span_of(text, u64_format(n, text)), SPAN_LIT("/")};

	hitters_note(
	    v->hitters, me, HITTER_PATH, &name, WEIGHT, atomic_load(v->now_ms));
}

/* All places are taken. */
static void *
hitters_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = guard_set_up(s, t);
	struct slot_name me = {0, 1};

	v->now_ms = mmap(NULL, sizeof(*v->now_ms), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(v->now_ms, MAP_FAILED);
	atomic_store(v->now_ms, NOW);
	for (uint64_t i = 0; i < HITTERS_PLACES; i++)
		hitters_count(v, me, i);
	return v;
}

static void
hitters_tear_down(void *ctx)
{
	struct shared *v = ctx;

	/* those who lived did not wait for the dead */
	REQUIRE(hitters_dropped(v->hitters) > 0);
	(void)munmap(v->now_ms, sizeof(*v->now_ms));
	free(v);
}

static void
hitters_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct hitter top[2];

	/* one that has no place, if it comes in turn, and then has */
	for (uint64_t i = 0; i < 4; i++)
		hitters_count(v, me, (*done + HITTERS_PLACES + i / 2) % NAMES);
	(void)hitters_top(
	    v->hitters, v->t, me, HITTER_PATH, NOW, top, NELEMS(top));
	++*done;
}

static bool
hitters_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	hitters_repair(v->hitters, v->t, me, dead);
	return true;
}

/* Whoever is listed is one of those who came. */
static bool
hitters_are_whole(void *ctx)
{
	struct shared *v = ctx;
	struct slot_name nobody = {SLOTS_MAX - 1, 1};
	struct hitter top[16];
	uint32_t n;

	if (!hitters_check(v->hitters))
		return false;
	n = hitters_top(v->hitters, v->t, nobody, HITTER_PATH,
	    atomic_load(v->now_ms), top, NELEMS(top));
	for (uint32_t i = 0; i < n; i++) {
		span text = span_of(top[i].text, top[i].len);
		uint64_t which;

		if (!span_ends(text, SPAN_LIT("/")) ||
		    !span_u64(
			span_first(text, text.len - 1), NAMES - 1, &which) ||
		    top[i].error > top[i].count)
			return false;
	}
	return true;
}

START_TEST(a_death_makes_up_no_names)
{
	static const struct crash_case c = {
	    .name = "hitters",
	    .set_up = hitters_set_up,
	    .tear_down = hitters_tear_down,
	    .work = hitters_work,
	    .repair = hitters_mend,
	    .check = hitters_are_whole,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 20);
}
END_TEST

/* Each turn counts are halved, and what is left is forgotten. */
static void
fading_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;

	for (uint64_t i = 0; i < FEW; i++)
		hitters_count(v, me, i);
	for (uint64_t i = 0; i < 2; i++)
		hitters_age(v->hitters, v->t, me,
		    atomic_fetch_add(v->now_ms, HITTERS_HALF_MS));
	hitters_count(v, me, FEW);
	hitters_forget(v->hitters, v->t, me);
	++*done;
}

static void *
fading_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = hitters_set_up(s, t);

	hitters_forget(v->hitters, v->t, (struct slot_name){0, 1});
	return v;
}

START_TEST(a_death_while_counts_are_halved_leaves_none_of_them)
{
	static const struct crash_case c = {
	    .name = "hitters that fade",
	    .set_up = fading_set_up,
	    .tear_down = hitters_tear_down,
	    .work = fading_work,
	    .repair = hitters_mend,
	    .check = hitters_are_whole,
	    .others_go_on = true,
	    .repair_stride = 5,
	};

	ck_assert_uint_ge(crash_run(&c), 20);
}
END_TEST

/* --- quotas --------------------------------------------------------------- */

/* A name that is new, and its next day. */
static void
quotas_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	char name[16];
	uint64_t used;

	(void)snprintf(name, sizeof(name), "%u", (unsigned)*done);
	for (int32_t day = 1; day <= 3; day += 2)
		(void)quotas_spend(
		    v->quotas, v->t, me, span_str(name), day, 1, &used);
	++*done;
}

static bool
quotas_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	quotas_repair(v->quotas, v->t, me, dead);
	return true;
}

/* No place is held, and who is new has used nothing. */
static bool
quotas_are_whole(void *ctx)
{
	struct shared *v = ctx;
	struct slot_name none = {0, 0};
	uint64_t used = 0;

	return quotas_check(v->quotas) &&
	       quotas_spend(
		   v->quotas, v->t, none, SPAN_LIT("new"), 1000000, 7, &used) &&
	       used == 7 &&
	       quotas_spend(
		   v->quotas, v->t, none, SPAN_LIT("new"), 1000002, 0, &used) &&
	       used == 0;
}

START_TEST(a_death_makes_up_no_use)
{
	static const struct crash_case c = {
	    .name = "quotas",
	    .set_up = guard_set_up,
	    .tear_down = free,
	    .work = quotas_work,
	    .repair = quotas_mend,
	    .check = quotas_are_whole,
	    .others_go_on = true,
	    .repair_stride = 5,
	};

	ck_assert_uint_ge(crash_run(&c), 6);
}
END_TEST

/* --- collections ---------------------------------------------------------- */

static void
two_values(void *self, struct collection *c)
{
	(void)self;
	c->timeout_s = 10;
	collection_put(c, SPAN_LIT("a"), SPAN_LIT("1"));
	collection_put(c, SPAN_LIT("b"), SPAN_LIT("1"));
}

/* One that is new, and one that all change. */
static void
collections_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct collections_by by = {v->t, me, NOW};
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", (unsigned)*done);
	(void)collections_edit(
	    v->collections, &by, span_str(key), two_values, NULL);
	(void)collections_edit(
	    v->collections, &by, SPAN_LIT("all"), two_values, NULL);
	++*done;
}

static bool
collections_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	collections_repair(v->collections, v->t, me, dead);
	return true;
}

/* It has both values, or is not there. */
static bool
collections_are_whole(void *ctx)
{
	struct shared *v = ctx;
	struct collections_by by = {v->t, {0, 0}, NOW};
	struct collection_var var;
	struct collection c;

	return collections_check(v->collections) &&
	       (!collections_read(v->collections, &by, SPAN_LIT("all"), &c) ||
		   (collection_get(&c, SPAN_LIT("a"), &var) &&
		       collection_get(&c, SPAN_LIT("b"), &var)));
}

START_TEST(a_death_halves_no_collection)
{
	static const struct crash_case c = {
	    .name = "collections",
	    .set_up = guard_set_up,
	    .tear_down = free,
	    .work = collections_work,
	    .repair = collections_mend,
	    .check = collections_are_whole,
	    .repair_stride = 5,
	};

	ck_assert_uint_ge(crash_run(&c), 6);
}
END_TEST

/* --- visits --------------------------------------------------------------- */

/* A client that is new, and one that all note. */
static void
visits_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct visits_by by = {v->t, me, NOW + *done * VISITS_WINDOW_MS};
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", (unsigned)*done);
	visits_note(v->visits, &by, span_str(key), span_str(key), true);
	visits_note(v->visits, &by, SPAN_LIT("all"), span_str(key), true);
	++*done;
}

static bool
visits_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	visits_repair(v->visits, v->t, me, dead);
	return true;
}

/* Who is new did nothing, and is counted from then on. */
static bool
visits_are_whole(void *ctx)
{
	struct shared *v = ctx;
	struct visits_by by = {v->t, {0, 0}, NOW};
	uint32_t before = visits_read(v->visits, &by, SPAN_LIT("new")).missing;

	return visits_check(v->visits) && before == 0;
}

START_TEST(a_death_costs_one_visit)
{
	static const struct crash_case c = {
	    .name = "visits",
	    .set_up = guard_set_up,
	    .tear_down = free,
	    .work = visits_work,
	    .repair = visits_mend,
	    .check = visits_are_whole,
	    .repair_stride = 5,
	};

	ck_assert_uint_ge(crash_run(&c), 6);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_death_gives_its_connections_back,
	    a_death_bans_nobody_else,
	    a_death_makes_up_no_names,
	    a_death_while_counts_are_halved_leaves_none_of_them,
	    a_death_makes_up_no_use,
	    a_death_halves_no_collection,
	    a_death_costs_one_visit,
	};

	return unit_run("crash_guard", tests, NELEMS(tests));
}
