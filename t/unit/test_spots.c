/* Unit tests of store/spots: which hosts an answer has, and that an address
 * keeps its spot. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/health.h"
#include "common/store/spots.h"
#include "t/unit/unit.h"

static void
add(struct dns_answer *a, const char *ip)
{
	ck_assert(ip_parse(span_str(ip), &a->addrs[a->n++]));
}

/* n addresses that no other target has. */
static void
add_target(struct dns_answer *a, unsigned priority, unsigned weight, unsigned n)
{
	unsigned k = a->n_targets++;

	a->targets[k] = (struct dns_target){
	    .priority = (uint16_t)priority,
	    .weight = (uint16_t)weight,
	    .port = (uint16_t)(1000 + k),
	    .n = (uint16_t)n,
	};
	for (unsigned i = 0; i < n; i++) {
		add(a, "192.0.2.0");
		a->addrs[a->n - 1].b[15] = (uint8_t)a->n;
	}
}

START_TEST(one_address_of_each_family_is_one_host)
{
	struct dns_answer a = {.rc = DNS_OK};
	struct spot at[DNS_ADDRS_MAX];

	add(&a, "192.0.2.1");
	ck_assert_uint_eq(spots_hosts(&a, at), 1);
	add(&a, "2001:db8::1");
	ck_assert_uint_eq(spots_hosts(&a, at), 1);
	ck_assert_uint_eq(at[0].n, 2);
	add(&a, "192.0.2.2");
	ck_assert_uint_eq(spots_hosts(&a, at), 3);
	/* twice the same is one */
	add(&a, "192.0.2.1");
	ck_assert_uint_eq(spots_hosts(&a, at), 3);
	ck_assert_uint_eq(at[0].n, 1);
	ck_assert_uint_eq(at[0].port, 0);
}
END_TEST

START_TEST(two_of_one_family_are_two_hosts)
{
	struct dns_answer a = {.rc = DNS_OK};
	struct spot at[DNS_ADDRS_MAX];

	add(&a, "2001:db8::1");
	add(&a, "2001:db8::2");
	ck_assert_uint_eq(spots_hosts(&a, at), 2);
}
END_TEST

START_TEST(hosts_of_a_target_share_its_weight)
{
	struct dns_answer a = {.rc = DNS_OK};
	struct spot at[DNS_ADDRS_MAX];

	add_target(&a, 1, 60, 2);
	add_target(&a, 1, 40, 1);
	add_target(&a, 1, 0, 1);
	add_target(&a, 2, 0, 1);
	ck_assert_uint_eq(spots_hosts(&a, at), 5);
	/* 60 : 40 as 30 and 30 to 40 */
	ck_assert_uint_eq(at[0].share, 3);
	ck_assert_uint_eq(at[1].share, 3);
	ck_assert_uint_eq(at[2].share, 4);
	ck_assert_uint_eq(at[0].rank, at[2].rank);
	ck_assert_uint_gt(at[3].rank, at[2].rank);
	ck_assert_uint_gt(at[4].rank, at[3].rank);
	ck_assert_uint_eq(at[3].share, 1);
	ck_assert_uint_eq(at[2].port, 1001);
}
END_TEST

START_TEST(the_largest_weights_fit)
{
	struct dns_answer a = {.rc = DNS_OK};
	struct spot at[DNS_ADDRS_MAX];

	add_target(&a, 0, 65535, 3);
	add_target(&a, 0, 65534, 7);
	add_target(&a, 0, 1, 11);
	ck_assert_uint_eq(spots_hosts(&a, at), 21);
	for (uint32_t i = 0; i < 21; i++) {
		ck_assert_uint_ge(at[i].share, 1);
		ck_assert_uint_le(at[i].share, SPOT_SHARE_MAX);
	}
	ck_assert_uint_gt(at[0].share, 2u * at[3].share);
}
END_TEST

START_TEST(numbers_that_do_not_fit_together_are_no_hosts)
{
	struct dns_answer a = {.rc = DNS_OK};
	struct spot at[DNS_ADDRS_MAX];

	add_target(&a, 0, 1, 2);
	a.targets[0].n = 3;
	ck_assert_uint_eq(spots_hosts(&a, at), 0);
	a.targets[0].n = 2;
	a.n = DNS_ADDRS_MAX + 1;
	ck_assert_uint_eq(spots_hosts(&a, at), 0);
}
END_TEST

/* --- the table ------------------------------------------------------------ */

static struct segment *seg;
static struct slots *slots;
static struct upstate *u;
static struct spots *spots;
static struct spots_name name;
static struct spots_by by;

static void
set_up(void)
{
	seg = segment_new(UINT64_C(64) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	by.slots = slots;
	u = by.upstate = upstate_open(seg, true);
	spots = spots_open(seg, true);
	ck_assert(u != NULL && spots != NULL && by.slots != NULL);
	ck_assert(spots_ready(spots, 0));
	by.me = (struct slot_name){
	    (uint32_t)slots_take(slots, SLOT_WORKER, 1, 1), 1};
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		name.servers[k] = k;
		ck_assert(upstate_ready(u, k));
	}
}

static void
tear_down(void)
{
	spots_free(spots);
	upstate_free(u);
	segment_free(seg);
}

/* The spot of an address; SPOTS_PER_NAME: none. */
static uint32_t
spot_of(const char *ip)
{
	struct spots_set set;
	struct ip want;
	uint32_t k = 0;

	ck_assert(ip_parse(span_str(ip), &want));
	ck_assert(spots_read(spots, 0, &set));
	while (k < SPOTS_PER_NAME &&
	       (set.at[k].n == 0 || !ip_eq(&set.at[k].ip[0], &want)))
		k++;
	return k;
}

START_TEST(an_address_that_stays_keeps_its_spot_and_its_numbers)
{
	struct dns_answer one = {.rc = DNS_OK};
	struct dns_answer two = {.rc = DNS_OK};
	uint32_t at, gone;
	struct health h;

	set_up();
	add(&one, "192.0.2.1");
	add(&one, "192.0.2.2");
	ck_assert_int_eq(
	    spots_put(spots, &by, &name, &one, NULL), SPOTS_CHANGED);
	ck_assert_int_eq(spots_put(spots, &by, &name, &one, NULL), SPOTS_SAME);
	at = spot_of("192.0.2.2");
	gone = spot_of("192.0.2.1");
	upstate_add(u, at, UPSTATE_REQUESTS);
	upstate_add(u, gone, UPSTATE_REQUESTS);
	health_order_set(u, gone, HEALTH_ORDER_DRAIN, 1);
	upstate_begin(u, by.me.slot, gone);
	add(&two, "192.0.2.3");
	add(&two, "192.0.2.2");
	ck_assert_int_eq(
	    spots_put(spots, &by, &name, &two, NULL), SPOTS_CHANGED);
	ck_assert_uint_eq(spot_of("192.0.2.2"), at);
	ck_assert_uint_eq(upstate_get(u, at, UPSTATE_REQUESTS), 1);
	ck_assert_uint_eq(spot_of("192.0.2.1"), SPOTS_PER_NAME);
	/* a request still runs there */
	ck_assert_uint_ne(spot_of("192.0.2.3"), gone);
	upstate_end(u, by.me.slot, gone);
	/* what comes back begins anew, where the operator's wish stands */
	add(&two, "192.0.2.1");
	ck_assert_int_eq(
	    spots_put(spots, &by, &name, &two, NULL), SPOTS_CHANGED);
	ck_assert_uint_eq(spot_of("192.0.2.1"), gone);
	ck_assert_uint_eq(upstate_get(u, gone, UPSTATE_REQUESTS), 0);
	health_look(u, gone, 2, &h);
	ck_assert_int_eq(h.order, HEALTH_ORDER_DRAIN);
	tear_down();
}
END_TEST

START_TEST(more_than_there_are_spots_for_are_counted)
{
	struct dns_answer a = {.rc = DNS_OK};
	struct dns_answer none = {.rc = DNS_NOT_FOUND};
	struct spots_set set;

	set_up();
	for (unsigned i = 0; i < DNS_ADDRS_MAX; i++) {
		add(&a, "192.0.2.0");
		a.addrs[i].b[15] = (uint8_t)i;
	}
	ck_assert_int_eq(spots_put(spots, &by, &name, &a, &set), SPOTS_CHANGED);
	ck_assert_uint_eq(set.n_ignored, DNS_ADDRS_MAX - SPOTS_PER_NAME);
	/* in another order, those that are used stay */
	a.addrs[0].b[15] = DNS_ADDRS_MAX - 1;
	a.addrs[DNS_ADDRS_MAX - 1].b[15] = 0;
	ck_assert_int_eq(spots_put(spots, &by, &name, &a, NULL), SPOTS_SAME);
	ck_assert_int_eq(
	    spots_put(spots, &by, &name, &none, &set), SPOTS_CHANGED);
	ck_assert_uint_eq(set.is_known, 1);
	ck_assert_uint_eq(spot_of("192.0.2.1"), SPOTS_PER_NAME);
	tear_down();
}
END_TEST

START_TEST(a_failure_counts_until_there_is_an_answer)
{
	struct dns_answer one = {.rc = DNS_OK};
	struct spots_set set;

	set_up();
	spots_fail(spots, &by, 0);
	ck_assert(spots_read(spots, 0, &set));
	ck_assert(set.is_failing && !set.is_known);
	add(&one, "192.0.2.1");
	ck_assert_int_eq(
	    spots_put(spots, &by, &name, &one, &set), SPOTS_CHANGED);
	ck_assert(!set.is_failing && set.is_known);
	/* what was put stays */
	spots_fail(spots, &by, 0);
	ck_assert(spots_read(spots, 0, &set));
	ck_assert(!set.is_failing && set.at[0].n == 1);
	tear_down();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    one_address_of_each_family_is_one_host,
	    two_of_one_family_are_two_hosts,
	    hosts_of_a_target_share_its_weight,
	    the_largest_weights_fit,
	    numbers_that_do_not_fit_together_are_no_hosts,
	    an_address_that_stays_keeps_its_spot_and_its_numbers,
	    more_than_there_are_spots_for_are_counted,
	    a_failure_counts_until_there_is_an_answer,
	};

	return unit_run("spots", tests, NELEMS(tests));
}
