/* Policies by themselves: who is chosen, and what a choice costs among many
 * servers. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/conf/conf_balance.h"
#include "common/net/loop.h"
#include "common/store/health.h"
#include "common/store/upstate.h"
#include "t/unit/unit.h"
#include "worker/exch/exch.h"
#include "worker/up/up_group.h"

#define MIB (UINT64_C(1) << 20)
#define SEGMENT_MIB 64u
#define MANY UP_SERVERS_MAX
#define FEW 50u
#define PICKS 2000u
#define COST_ROUNDS 10
#define WORDS ((MANY + 63) / 64)
/* Of linear cost it would be MANY / FEW = 200 times. */
#define DEARER_MAX 20

static struct segment *seg;
static struct upstate *u;
static struct boot boot;
static struct worker worker;
static struct upstream conf;
static struct up_server_conf servers[MANY];
static struct up_group group;
static struct exch x;
static uint64_t skip[WORDS];
static uint32_t got[MANY];

static void
set_up(void)
{
	seg = segment_new(SEGMENT_MIB * MIB);
	ck_assert_ptr_nonnull(seg);
	u = upstate_open(seg, true);
	ck_assert_ptr_nonnull(u);
	for (uint32_t i = 0; i < MANY; i++)
		ck_assert(upstate_ready(u, i));
	boot.upstate = u;
	worker.boot = &boot;
	worker.loop = loop_new();
	ck_assert_ptr_nonnull(worker.loop);
}

static void
tear_down(void)
{
	loop_free(worker.loop);
	upstate_free(u);
	segment_free(seg);
}

static void
lb_begin(const struct lb_ops *lb, uint32_t n)
{
	static const struct conf_value nothing;

	memset(skip, 0, sizeof(skip));
	memset(got, 0, sizeof(got));
	memset(servers, 0, sizeof(servers));
	for (uint32_t i = 0; i < n; i++) {
		servers[i].text =
		    span_of((const char *)&servers[i], sizeof(servers[i].id));
		servers[i].weight = 1;
		servers[i].id = i;
		health_weight_set(u, i, 0);
	}
	conf = (struct upstream){.servers = servers, .n_servers = n, .lb = lb};
	if (lb->prepare != NULL)
		conf.lb_shared = lb->prepare(&conf, &nothing, NULL, NULL);
	group = (struct up_group){.conf = &conf, .w = &worker};
	up_weights_open(&group);
	group.lb_state = lb->open(&group);
}

static void
lb_end(void)
{
	conf.lb->close(group.lb_state);
	up_weights_close(&group);
	if (conf.lb_shared != NULL)
		conf.lb->unprepare(conf.lb_shared);
}

/* The operator wants another weight; 0: none. */
static void
lb_order(uint32_t i, uint32_t weight)
{
	health_weight_set(u, i, weight);
	up_weights_look(&group);
}

static int
lb_pick(void)
{
	int i;

	/* so many keys that chance is even */
	if (++x.client.ip.b[0] == 0)
		x.client.ip.b[1]++;
	i = conf.lb->pick(group.lb_state, &group, &x, skip, false);
	if (i >= 0)
		got[i]++;
	return i;
}

static void
lb_skip(uint32_t i, bool is_out)
{
	uint64_t bit = UINT64_C(1) << (i % 64);

	skip[i / 64] = is_out ? skip[i / 64] | bit : skip[i / 64] & ~bit;
}

static uint64_t
picks_ns(void)
{
	struct timespec a, b;
	uint32_t n = 0;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a), 0);
	for (uint32_t k = 0; k < PICKS; k++)
		n += lb_pick() >= 0;
	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b), 0);
	ck_assert_uint_eq(n, PICKS);
	return (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u +
	       (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
}

/* Of the round that was disturbed the least: what else the machine does makes
 * a round dearer, never cheaper. */
static uint64_t
cost_ns(const struct lb_ops *lb, uint32_t n)
{
	uint64_t least = UINT64_MAX;

	lb_begin(lb, n);
	for (int i = 0; i < COST_ROUNDS; i++) {
		uint64_t ns = picks_ns();

		if (ns < least)
			least = ns;
	}
	lb_end();
	return least;
}

START_TEST(a_choice_among_many_costs_little_more)
{
	static const struct lb_ops *const all[] = {&lb_round_robin,
	    &lb_least_conn, &lb_least_time, &lb_random_two, &lb_ip_hash};

	for (size_t i = 0; i < NELEMS(all); i++) {
		uint64_t few = cost_ns(all[i], FEW);
		uint64_t many = cost_ns(all[i], MANY);

		ck_assert_msg(many < few * DEARER_MAX, "%s: %llu to %llu ns",
		    all[i]->name, (unsigned long long)few,
		    (unsigned long long)many);
	}
}
END_TEST

/* In every round exactly its weight, and never in one burst. */
START_TEST(round_robin_is_exact_by_weight)
{
	int last = -1;
	uint32_t n_same = 0;

	lb_begin(&lb_round_robin, 3);
	lb_order(0, 5);
	lb_order(2, 2);
	for (uint32_t k = 1; k <= 8 * 100; k++) {
		int i = lb_pick();

		n_same += i == last;
		last = i;
		if (k % 8 != 0)
			continue;
		ck_assert_uint_eq(got[0], k / 8 * 5);
		ck_assert_uint_eq(got[1], k / 8);
		ck_assert_uint_eq(got[2], k / 8 * 2);
	}
	/* five of eight cannot all stand apart */
	ck_assert_uint_le(n_same, 2 * 100 + 1);
	lb_end();
}
END_TEST

/* The fit share what there is; who comes back has its share, and no more. */
START_TEST(round_robin_is_even_while_servers_flap)
{
	uint32_t before[4];

	lb_begin(&lb_round_robin, 4);
	for (uint32_t turn = 0; turn < 100; turn++) {
		uint32_t out = turn % 4;

		lb_skip(out, true);
		memcpy(before, got, sizeof(before));
		for (uint32_t k = 0; k < 300; k++)
			(void)lb_pick();
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t n = got[i] - before[i];

			ck_assert_uint_ge(n, i == out ? 0 : 98);
			ck_assert_uint_le(n, i == out ? 0 : 102);
		}
		lb_skip(out, false);
	}
	lb_end();
}
END_TEST

/* The way through all of them ends with the right one as well. */
START_TEST(round_robin_finds_the_few_that_are_left)
{
	lb_begin(&lb_round_robin, MANY);
	lb_order(17, 3);
	memset(skip, 0xff, sizeof(skip));
	ck_assert_int_eq(lb_pick(), -1);
	lb_skip(17, false);
	lb_skip(9000, false);
	for (uint32_t k = 0; k < 400; k++)
		ck_assert_int_ge(lb_pick(), 0);
	ck_assert_uint_ge(got[17], 298);
	ck_assert_uint_le(got[17], 302);
	ck_assert_uint_eq(got[17] + got[9000], 400);
	lb_end();
}
END_TEST

/* Exact for all of 64: the idle one is found, wherever it is. */
START_TEST(least_conn_is_exact_up_to_64)
{
	for (uint32_t idle = 0; idle < 64; idle += 9) {
		lb_begin(&lb_least_conn, 64);
		for (uint32_t i = 0; i < 64; i++)
			if (i != idle)
				upstate_begin(u, 0, i);
		for (uint32_t k = 0; k < 10; k++)
			ck_assert_int_eq(lb_pick(), (int)idle);
		for (uint32_t i = 0; i < 64; i++)
			if (i != idle)
				upstate_end(u, 0, i);
		lb_end();
	}
}
END_TEST

/* Of more a part is compared: equals are all used all the same. */
START_TEST(least_conn_uses_all_of_many)
{
	lb_begin(&lb_least_conn, 1000);
	for (uint32_t k = 0; k < 4000; k++) {
		int i = lb_pick();

		ck_assert_int_ge(i, 0);
		upstate_begin(u, 0, (uint32_t)i);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_uint_ge(got[i], 3);
		ck_assert_uint_le(got[i], 5);
	}
	lb_end();
}
END_TEST

#define ORDER_PICKS 3000u

/* Picks of three servers while each one that is picked keeps its request. */
static void
order_pick(void)
{
	memset(got, 0, sizeof(got));
	for (uint32_t k = 0; k < ORDER_PICKS; k++) {
		int i = lb_pick();

		ck_assert_int_ge(i, 0);
		upstate_begin(u, 0, (uint32_t)i);
	}
	for (uint32_t i = 0; i < 3; i++)
		while (upstate_active(u, i) > 0)
			upstate_end(u, 0, i);
}

/* All but hashes follow the order at once and forget it again; a table of keys
 * stays as it is. */
START_TEST(an_order_of_weight_changes_the_shares)
{
	static const struct lb_ops *const all[] = {&lb_round_robin,
	    &lb_least_conn, &lb_least_time, &lb_random_two, &lb_ip_hash};

	for (size_t i = 0; i < NELEMS(all); i++) {
		bool has_weights =
		    conf_balance_has_weights(span_str(all[i]->name));
		uint32_t even = ORDER_PICKS / 3;

		lb_begin(all[i], 3);
		order_pick();
		ck_assert_uint_ge(got[1], even * 8 / 10);
		ck_assert_uint_le(got[1], even * 12 / 10);
		lb_order(1, 8);
		order_pick();
		ck_assert_msg(has_weights == (got[1] > ORDER_PICKS * 7 / 10),
		    "%s: %u", all[i]->name, got[1]);
		ck_assert_uint_ge(got[0], ORDER_PICKS * 8 / 100);
		ck_assert_uint_ge(got[2], ORDER_PICKS * 8 / 100);
		lb_order(1, 0);
		order_pick();
		ck_assert_uint_ge(got[1], even * 8 / 10);
		ck_assert_uint_le(got[1], even * 12 / 10);
		lb_end();
	}
}
END_TEST

/* Who was light waits for the end of no long step. */
START_TEST(a_server_that_becomes_heavy_is_used_at_once)
{
	lb_begin(&lb_round_robin, 3);
	lb_order(0, UP_WEIGHT_MAX);
	lb_order(1, UP_WEIGHT_MAX);
	for (uint32_t k = 0; k < 10; k++)
		ck_assert_int_ne(lb_pick(), 2);
	lb_order(2, UP_WEIGHT_MAX);
	memset(got, 0, sizeof(got));
	for (uint32_t k = 0; k < 30; k++)
		(void)lb_pick();
	ck_assert_uint_eq(got[2], 10);
	lb_end();
}
END_TEST

/* Another process has a later clock than a worker in the middle of its turn. */
START_TEST(who_comes_back_in_a_moment_has_its_share)
{
	uint64_t now_ms;

	lb_begin(&lb_round_robin, 2);
	group.fitness = up_fitness_new(&group);
	now_ms = clock_mono_ms(worker_clock(&worker));
	health_order_set(u, 1, HEALTH_ORDER_AUTO, now_ms + 1000);
	(void)up_group_unfit(&group, skip);
	ck_assert_ptr_null(up_group_slow(&group));
	servers[1].slow_start_ms = 1000;
	up_group_forget_unfit(&group);
	(void)up_group_unfit(&group, skip);
	ck_assert_ptr_nonnull(up_group_slow(&group));
	up_fitness_free(group.fitness);
	lb_end();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_choice_among_many_costs_little_more,
	    round_robin_is_exact_by_weight,
	    round_robin_is_even_while_servers_flap,
	    round_robin_finds_the_few_that_are_left,
	    least_conn_is_exact_up_to_64,
	    least_conn_uses_all_of_many,
	    an_order_of_weight_changes_the_shares,
	    a_server_that_becomes_heavy_is_used_at_once,
	    who_comes_back_in_a_moment_has_its_share,
	};

	return unit_run_in("lb", tests, NELEMS(tests), set_up, tear_down);
}
