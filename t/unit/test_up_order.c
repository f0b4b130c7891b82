/* Unit tests of up/up_order: targets by priority and weight, both families in
 * turn. */
#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/up/up_order.h"

static void
add(struct dns_answer *a, const char *ip)
{
	ck_assert(ip_parse(span_str(ip), &a->addrs[a->n++]));
}

static void
add_target(struct dns_answer *a, unsigned priority, unsigned weight)
{
	a->targets[a->n_targets++] = (struct dns_target){
	    .priority = (uint16_t)priority,
	    .weight = (uint16_t)weight,
	    .port = 80,
	    .n = 1,
	};
	add(a, "192.0.2.1");
}

START_TEST(both_families_take_turns_and_ipv6_begins)
{
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];

	add(&a, "192.0.2.1");
	add(&a, "192.0.2.2");
	add(&a, "192.0.2.3");
	add(&a, "2001:db8::1");
	ck_assert_uint_eq(up_order(&a, 0, false, 0, out), 4);
	ck_assert_mem_eq(out, "\3\0\1\2", 4);
	ck_assert_uint_eq(up_order(&a, 1, false, 0, out), 4);
	ck_assert_mem_eq(out, "\3\1\2\0", 4);
	ck_assert_uint_eq(up_order(&a, 0, true, 0, out), 4);
	ck_assert_mem_eq(out, "\0\3\1\2", 4);
}
END_TEST

START_TEST(addresses_of_a_name_begin_in_turn)
{
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];
	unsigned n[3] = {0, 0, 0};

	add(&a, "192.0.2.1");
	add(&a, "192.0.2.2");
	add(&a, "192.0.2.3");
	for (uint32_t turn = 0; turn < 12; turn++) {
		(void)up_order(&a, turn, false, 0, out);
		n[out[0]]++;
	}
	ck_assert_uint_eq(n[0], 4);
	ck_assert_uint_eq(n[1], 4);
	ck_assert_uint_eq(n[2], 4);
}
END_TEST

START_TEST(the_lowest_priority_is_first_and_counted)
{
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];

	add_target(&a, 1, 1);
	add_target(&a, 1, 1);
	add_target(&a, 5, 100);
	for (uint32_t turn = 0; turn < 10; turn++) {
		ck_assert_uint_eq(up_order(&a, turn, false, 0, out), 2);
		ck_assert_uint_eq(out[2], 2);
	}
}
END_TEST

START_TEST(weights_are_exact_shares)
{
	static const unsigned weights[] = {7, 0, 2, 1};
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];
	unsigned n[4] = {0, 0, 0, 0};

	for (size_t i = 0; i < 4; i++)
		add_target(&a, 0, weights[i]);
	for (uint32_t turn = 0; turn < 1000; turn++) {
		(void)up_order(&a, turn, false, 0, out);
		n[out[0]]++;
		ck_assert_uint_eq(out[3], 1);
	}
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(n[i], 100 * weights[i]);
}
END_TEST

START_TEST(no_weight_at_all_is_equal_shares)
{
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];
	unsigned n[2] = {0, 0};

	add_target(&a, 0, 0);
	add_target(&a, 0, 0);
	for (uint32_t turn = 0; turn < 10; turn++) {
		(void)up_order(&a, turn, false, 0, out);
		n[out[0]]++;
	}
	ck_assert_uint_eq(n[0], n[1]);
}
END_TEST

START_TEST(what_is_avoided_comes_last)
{
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];

	add_target(&a, 1, 1);
	add_target(&a, 1, 1);
	add_target(&a, 5, 1);
	for (uint32_t turn = 0; turn < 10; turn++) {
		ck_assert_uint_eq(up_order(&a, turn, false, 1, out), 1);
		ck_assert_mem_eq(out, "\1\2\0", 3);
		/* the others of its priority, too: the next one is usual */
		ck_assert_uint_eq(up_order(&a, turn, false, 3, out), 1);
		ck_assert_uint_eq(out[0], 2);
		/* all of them: as if none was */
		ck_assert_uint_eq(up_order(&a, turn, false, 7, out), 2);
		ck_assert_uint_eq(out[2], 2);
	}
}
END_TEST

/* The largest that an answer can hold. */
START_TEST(every_address_stands_once)
{
	struct dns_answer a = {.rc = DNS_OK};
	uint8_t out[DNS_ADDRS_MAX];

	for (unsigned i = 0; i < DNS_TARGETS_MAX; i++) {
		add_target(&a, i / 4, 65535u - i);
		a.targets[i].n = 2;
		add(&a, "2001:db8::1");
	}
	for (uint32_t turn = 0; turn < 100000; turn += 777) {
		uint64_t seen = 0;

		ck_assert_uint_eq(up_order(&a, turn, turn % 2, 0, out), 8);
		for (uint32_t i = 0; i < a.n; i++)
			seen |= UINT64_C(1) << out[i];
		ck_assert_uint_eq(seen, UINT32_MAX);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    both_families_take_turns_and_ipv6_begins,
	    addresses_of_a_name_begin_in_turn,
	    the_lowest_priority_is_first_and_counted,
	    weights_are_exact_shares,
	    no_weight_at_all_is_equal_shares,
	    what_is_avoided_comes_last,
	    every_address_stands_once,
	};

	return unit_run("up_order", tests, NELEMS(tests));
}
