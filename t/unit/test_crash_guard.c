/* Deaths at every step of counting connections by address and of banning
 * addresses, while others do the same. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/bans.h"
#include "common/store/headcount.h"
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

int
main(void)
{
	const TTest *const tests[] = {
	    a_death_gives_its_connections_back,
	    a_death_bans_nobody_else,
	};

	return unit_run("crash_guard", tests, NELEMS(tests));
}
