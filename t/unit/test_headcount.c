/* Connections by address: who may have one more, whoever asks. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/store/headcount.h"
#include "t/unit/unit.h"

#define FORKS 4
#define TRIES_EACH 20000
#define MOST 7u

static struct segment *seg;
static struct slots *slots;
static struct headcount *heads;
static struct slot_name me;

static struct slot_name
take_slot(void)
{
	int slot = slots_take(slots, SLOT_WORKER, 1, 1);

	ck_assert_int_ge(slot, 0);
	return (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
}

static void
set_up(void)
{
	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	me = take_slot();
	heads = headcount_map(seg, true);
	ck_assert_ptr_nonnull(heads);
}

static void
tear_down(void)
{
	ck_assert(headcount_check(heads));
	segment_free(seg);
}

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	ck_assert(ip_parse(span_str(text), &ip));
	return ip;
}

static enum headcount_rc
enter(struct slot_name who, const char *ip, uint32_t max, uint32_t *place)
{
	struct ip addr = ip_of(ip);

	return headcount_enter(
	    heads, slots, who, SPAN_LIT("x"), &addr, max, place);
}

START_TEST(an_address_has_so_many_and_no_more)
{
	uint32_t a;
	uint32_t b;
	uint32_t c;

	ck_assert(headcount_ready(heads, seg));
	ck_assert_int_eq(enter(me, "192.0.2.1", 2, &a), HEADCOUNT_OK);
	ck_assert_int_eq(enter(me, "192.0.2.1", 2, &b), HEADCOUNT_OK);
	ck_assert_int_eq(enter(me, "192.0.2.1", 2, &c), HEADCOUNT_REFUSED);
	ck_assert_uint_eq(c, 0);
	ck_assert_int_eq(enter(me, "192.0.2.2", 2, &c), HEADCOUNT_OK);
	headcount_leave(heads, me, a);
	ck_assert_int_eq(enter(me, "192.0.2.1", 2, &a), HEADCOUNT_OK);
	headcount_leave(heads, me, a);
	headcount_leave(heads, me, b);
	headcount_leave(heads, me, c);
	headcount_leave(heads, me, 0);
	ck_assert_uint_eq(headcount_sum(heads), 0);
}
END_TEST

START_TEST(a_network_of_ipv6_is_one_address)
{
	uint32_t place;

	ck_assert(headcount_ready(heads, seg));
	ck_assert_int_eq(enter(me, "2001:db8:1:2::1", 1, &place), HEADCOUNT_OK);
	ck_assert_int_eq(
	    enter(me, "2001:db8:1:2:ffff::9", 1, &place), HEADCOUNT_REFUSED);
	ck_assert_int_eq(enter(me, "2001:db8:1:3::1", 1, &place), HEADCOUNT_OK);
}
END_TEST

START_TEST(each_listen_counts_by_itself)
{
	struct ip ip = ip_of("192.0.2.1");
	uint32_t place;

	ck_assert(headcount_ready(heads, seg));
	ck_assert_int_eq(enter(me, "192.0.2.1", 1, &place), HEADCOUNT_OK);
	ck_assert_int_eq(
	    headcount_enter(heads, slots, me, SPAN_LIT("y"), &ip, 1, &place),
	    HEADCOUNT_OK);
}
END_TEST

START_TEST(processes_count_together_and_leave_apart)
{
	struct slot_name other = take_slot();
	uint32_t a;
	uint32_t b;

	ck_assert(headcount_ready(heads, seg));
	ck_assert_int_eq(enter(me, "192.0.2.1", 2, &a), HEADCOUNT_OK);
	ck_assert_int_eq(enter(other, "192.0.2.1", 2, &b), HEADCOUNT_OK);
	ck_assert_int_eq(enter(other, "192.0.2.1", 2, &b), HEADCOUNT_REFUSED);
	/* a place that is not one's own is left alone */
	headcount_leave(heads, other, a);
	ck_assert_uint_eq(headcount_sum(heads), 2);
	headcount_repair(heads, slots, me, other.slot);
	ck_assert_uint_eq(headcount_sum(heads), 1);
	ck_assert_int_eq(enter(me, "192.0.2.1", 2, &b), HEADCOUNT_OK);
}
END_TEST

START_TEST(without_memory_nothing_is_counted)
{
	uint32_t place = 1;

	ck_assert_int_eq(enter(me, "192.0.2.1", 1, &place), HEADCOUNT_UNKNOWN);
	ck_assert_uint_eq(place, 0);
	ck_assert_uint_eq(headcount_sum(heads), 0);
}
END_TEST

/* One process: in and out, as fast as it can. The most that were in at a time
 * is noted in `most`. */
static void
come_and_go(struct slot_name who, _Atomic uint32_t *in, _Atomic uint32_t *most)
{
	for (int i = 0; i < TRIES_EACH; i++) {
		uint32_t place;
		uint32_t now;

		if (enter(who, "192.0.2.1", MOST, &place) != HEADCOUNT_OK)
			continue;
		now = atomic_fetch_add(in, 1) + 1;
		for (uint32_t seen = atomic_load(most);
		     now > seen &&
		     !atomic_compare_exchange_weak(most, &seen, now);)
			continue;
		(void)atomic_fetch_sub(in, 1);
		headcount_leave(heads, who, place);
	}
}

START_TEST(several_at_once_never_pass_the_most)
{
	_Atomic uint32_t *seen = mmap(NULL, SEGMENT_PAGE,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t held[MOST - 1];

	ck_assert_ptr_ne(seen, MAP_FAILED);
	ck_assert(headcount_ready(heads, seg));
	/* one place is left to all of them */
	for (uint32_t i = 0; i < MOST - 1; i++)
		ck_assert_int_eq(
		    enter(me, "192.0.2.1", MOST, &held[i]), HEADCOUNT_OK);
	for (int i = 0; i < FORKS; i++) {
		struct slot_name who = take_slot();
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			come_and_go(who, &seen[0], &seen[1]);
			_exit(0);
		}
	}
	for (int i = 0; i < FORKS; i++) {
		int status;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(atomic_load(&seen[1]), 1);
	ck_assert_uint_eq(headcount_sum(heads), MOST - 1);
	(void)munmap((void *)(uintptr_t)seen, SEGMENT_PAGE);
}
END_TEST

/* As many addresses as many busy workers hold. */
START_TEST(a_hundred_thousand_addresses_have_room)
{
	ck_assert(headcount_ready(heads, seg));
	for (uint32_t i = 0; i < 100000; i++) {
		struct ip ip = ip_of("10.0.0.0");
		uint32_t place;

		ip.b[13] = (uint8_t)(i >> 16);
		ip.b[14] = (uint8_t)(i >> 8);
		ip.b[15] = (uint8_t)i;
		ck_assert_int_eq(headcount_enter(heads, slots, me,
				     SPAN_LIT("x"), &ip, 1, &place),
		    HEADCOUNT_OK);
	}
	ck_assert_uint_eq(headcount_sum(heads), 100000);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    an_address_has_so_many_and_no_more,
	    a_network_of_ipv6_is_one_address,
	    each_listen_counts_by_itself,
	    processes_count_together_and_leave_apart,
	    without_memory_nothing_is_counted,
	    several_at_once_never_pass_the_most,
	    a_hundred_thousand_addresses_have_room,
	};

	return unit_run_in(
	    "headcount", tests, NELEMS(tests), set_up, tear_down);
}
