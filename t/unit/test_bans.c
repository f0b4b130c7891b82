/* Who is banned, until when, and who gives way in a full table. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/bans.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(50000)
#define MINUTE UINT64_C(60000)

static struct segment *seg;
static struct slots *slots;
static struct bans *bans;
static struct slot_name me;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_WORKER, 1, 1);
	ck_assert_int_ge(slot, 0);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	bans = bans_map(seg, true);
	ck_assert_ptr_nonnull(bans);
}

static void
tear_down(void)
{
	ck_assert(bans_check(bans));
	segment_free(seg);
}

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	ck_assert(ip_parse(span_str(text), &ip));
	return ip;
}

static void
ban(const char *text, uint64_t now_ms, uint64_t for_ms)
{
	struct ip ip = ip_of(text);

	ck_assert(
	    bans_add(bans, slots, me, &ip, BAN_WHY_LIMIT, now_ms, for_ms));
}

static bool
is_banned(const char *text, uint64_t now_ms)
{
	struct ip ip = ip_of(text);

	return bans_has(bans, &ip, now_ms);
}

static unsigned
count(uint64_t now_ms)
{
	struct ban b;
	uint32_t at = 0;
	unsigned n = 0;

	while (bans_next(bans, now_ms, &at, &b))
		n++;
	return n;
}

START_TEST(a_ban_ends_by_itself)
{
	ck_assert(!is_banned("192.0.2.1", NOW));
	ban("192.0.2.1", NOW, MINUTE);
	ck_assert(is_banned("192.0.2.1", NOW));
	ck_assert(!is_banned("192.0.2.2", NOW));
	ck_assert(is_banned("192.0.2.1", NOW + MINUTE - 1));
	ck_assert(!is_banned("192.0.2.1", NOW + MINUTE));
	ck_assert_uint_eq(count(NOW + MINUTE - 1), 1);
	ck_assert_uint_eq(count(NOW + MINUTE), 0);
}
END_TEST

START_TEST(a_second_ban_is_never_shorter)
{
	ban("192.0.2.1", NOW, 2 * MINUTE);
	ban("192.0.2.1", NOW, MINUTE);
	ck_assert(is_banned("192.0.2.1", NOW + MINUTE));
	ban("192.0.2.1", NOW + MINUTE, 2 * MINUTE);
	ck_assert(is_banned("192.0.2.1", NOW + 3 * MINUTE - 1));
	ck_assert_uint_eq(count(NOW), 1);
}
END_TEST

START_TEST(a_network_of_ipv6_is_banned_as_a_whole)
{
	struct ban b;
	uint32_t at = 0;
	char text[IP_TEXT_CAP];

	ban("2001:db8:1:2::1", NOW, MINUTE);
	ck_assert(is_banned("2001:db8:1:2:ffff::9", NOW));
	ck_assert(!is_banned("2001:db8:1:3::1", NOW));
	ck_assert(bans_next(bans, NOW, &at, &b));
	(void)ip_format(&b.ip, text);
	ck_assert_str_eq(text, "2001:db8:1:2::");
	ck_assert_str_eq(ban_why_name(b.why), "limit");
	ck_assert_uint_eq(b.until_ms, NOW + MINUTE);
}
END_TEST

START_TEST(a_ban_can_be_lifted)
{
	struct ip ip = ip_of("192.0.2.1");

	ck_assert_int_eq(bans_lift(bans, slots, me, &ip, NOW), BANS_NONE);
	ban("192.0.2.1", NOW, MINUTE);
	ck_assert_int_eq(bans_lift(bans, slots, me, &ip, NOW), BANS_OK);
	ck_assert(!is_banned("192.0.2.1", NOW));
	ban("192.0.2.1", NOW, MINUTE);
	ck_assert(is_banned("192.0.2.1", NOW));
}
END_TEST

START_TEST(no_ban_is_longer_than_a_year)
{
	ban("192.0.2.1", NOW, UINT64_MAX);
	ck_assert(is_banned("192.0.2.1", NOW + BANS_MS_MAX - 1));
	ck_assert(!is_banned("192.0.2.1", NOW + BANS_MS_MAX));
}
END_TEST

/* Three times as many as there is room for: the last to end are still there, but
 * for one in 500 at most, and nothing is counted twice. */
START_TEST(a_full_table_forgets_who_would_be_free_first)
{
	const uint32_t n = 3 * BANS_MAX;
	uint32_t n_late = 0;
	uint32_t n_found = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ip ip = ip_of("10.0.0.0");
		bool is_late = i % 16 == 0;

		ip.b[13] = (uint8_t)(i >> 16);
		ip.b[14] = (uint8_t)(i >> 8);
		ip.b[15] = (uint8_t)i;
		n_late += is_late;
		ck_assert(bans_add(bans, slots, me, &ip, BAN_WHY_LIMIT, NOW,
		    is_late ? 1000 * MINUTE : MINUTE));
	}
	for (uint32_t i = 0; i < n; i += 16) {
		struct ip ip = ip_of("10.0.0.0");

		ip.b[13] = (uint8_t)(i >> 16);
		ip.b[14] = (uint8_t)(i >> 8);
		ip.b[15] = (uint8_t)i;
		n_found += bans_has(bans, &ip, NOW);
	}
	/* the table's key may crowd a few of them into the same places */
	ck_assert_uint_ge(n_found, n_late - n_late / 500);
	ck_assert_uint_eq(bans_added(bans), n);
	ck_assert_uint_eq(bans_evicted(bans), n - count(NOW));
	ck_assert_uint_ge(count(NOW), BANS_MAX - BANS_MAX / 100);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_ban_ends_by_itself,
	    a_second_ban_is_never_shorter,
	    a_network_of_ipv6_is_banned_as_a_whole,
	    a_ban_can_be_lifted,
	    no_ban_is_longer_than_a_year,
	    a_full_table_forgets_who_would_be_free_first,
	};

	return unit_run_in("bans", tests, NELEMS(tests), set_up, tear_down);
}
