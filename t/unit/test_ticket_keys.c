/* Keys of session tickets: which one encrypts, which ones decrypt, by time
 * alone; two masters see the same ones. */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/ticket_keys.h"
#include "t/unit/unit.h"

#define MINUTE UINT64_C(60000)
#define HOUR (60 * MINUTE)

static struct segment *seg;
static struct slots *slots;
static struct ticket_keys *keys;
static struct slot_name me;
static uint64_t t0;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_STEWARD, 1, 1);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	keys = ticket_keys_map(seg, true);
	ck_assert_ptr_nonnull(keys);
	t0 = clock_mono_us() / 1000;
}

static void
tear_down(void)
{
	segment_free(seg);
}

static struct ticket_key
current_at(uint64_t ms)
{
	struct ticket_key k;

	ck_assert(ticket_keys_current(keys, ms, &k));
	return k;
}

static enum ticket_find
find_at(const struct ticket_key *k, uint64_t ms)
{
	struct ticket_key got;
	enum ticket_find found = ticket_keys_find(keys, k->name, ms, &got);

	if (found != TICKET_UNKNOWN)
		ck_assert_mem_eq(&got, k, sizeof(got));
	return found;
}

static uint32_t
rotate_at(uint64_t ms, uint64_t every)
{
	return ticket_keys_rotate(keys, slots, me, ms, every);
}

static bool
is_same(struct ticket_key a, struct ticket_key b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

START_TEST(the_first_key_is_there_before_anybody_rotates)
{
	struct ticket_key first = current_at(t0);
	struct ticket_key zero = {0};

	ck_assert(!is_same(first, zero));
	ck_assert_int_eq(find_at(&first, t0), TICKET_CURRENT);
	ck_assert_int_eq(find_at(&zero, t0), TICKET_UNKNOWN);
	/* without a steward it goes on being used */
	ck_assert(is_same(current_at(t0 + 1000 * HOUR), first));
	ck_assert_int_eq(find_at(&first, t0 + 1000 * HOUR), TICKET_CURRENT);
}
END_TEST

START_TEST(the_next_key_stands_ready_and_takes_over_by_time)
{
	struct ticket_key first = current_at(t0), second;

	ck_assert_uint_eq(rotate_at(t0, HOUR), 1);
	ck_assert_uint_eq(rotate_at(t0 + 1, HOUR), 0);
	ck_assert(is_same(current_at(t0 + HOUR - MINUTE), first));
	second = current_at(t0 + HOUR);
	ck_assert(!is_same(first, second));
	/* one whose clock is ahead may have used it */
	ck_assert_int_eq(find_at(&second, t0), TICKET_CURRENT);
	ck_assert_int_eq(find_at(&first, t0 + HOUR), TICKET_RENEW);
}
END_TEST

START_TEST(a_key_is_good_until_its_last_ticket_has_ended)
{
	struct ticket_key first = current_at(t0);
	uint64_t end = t0 + HOUR + TICKET_LIFE_MS;

	ck_assert_uint_eq(rotate_at(t0, HOUR), 1);
	ck_assert_int_eq(find_at(&first, end - MINUTE), TICKET_RENEW);
	ck_assert_int_eq(find_at(&first, end), TICKET_UNKNOWN);
}
END_TEST

START_TEST(a_rotation_that_is_overdue_is_made_at_once)
{
	struct ticket_key first = current_at(t0);
	uint64_t late = t0 + 10 * HOUR;

	/* nobody was there: one for now, one for later */
	ck_assert_uint_eq(rotate_at(late, HOUR), 2);
	ck_assert(!is_same(current_at(late), first));
	ck_assert_int_eq(find_at(&first, late), TICKET_RENEW);
	ck_assert(!is_same(current_at(late), current_at(late + HOUR)));
	ck_assert(is_same(current_at(late), current_at(late + HOUR - 1)));
}
END_TEST

START_TEST(a_faster_rotation_brings_the_next_key_forward)
{
	struct ticket_key first = current_at(t0);

	ck_assert_uint_eq(rotate_at(t0, 12 * HOUR), 1);
	ck_assert_uint_eq(rotate_at(t0 + 1, HOUR), 0);
	ck_assert(is_same(current_at(t0 + HOUR - MINUTE), first));
	ck_assert(!is_same(current_at(t0 + HOUR), first));
}
END_TEST

START_TEST(at_the_fastest_rotation_no_ticket_loses_its_key)
{
	struct ticket_key then[TICKET_LIFE_MS / MINUTE];

	for (uint32_t i = 0; i < 3 * NELEMS(then); i++) {
		uint64_t now = t0 + i * MINUTE;
		uint32_t at = i % NELEMS(then);

		(void)rotate_at(now, MINUTE);
		if (i >= NELEMS(then))
			ck_assert_int_eq(find_at(&then[at], now), TICKET_RENEW);
		then[at] = current_at(now);
		ck_assert(ticket_keys_check(keys));
	}
}
END_TEST

START_TEST(a_master_behind_this_one_finds_the_same_keys)
{
	struct ticket_key first = current_at(t0);
	struct segment *next;

	ck_assert_uint_eq(rotate_at(t0, HOUR), 1);
	next = segment_open(dup(segment_fd(seg)));
	ck_assert_ptr_nonnull(next);
	keys = ticket_keys_map(next, true);
	ck_assert(is_same(current_at(t0), first));
	ck_assert_uint_eq(rotate_at(t0, HOUR), 0);
	ck_assert_int_eq(find_at(&first, t0 + HOUR), TICKET_RENEW);
	segment_free(next);
}
END_TEST

START_TEST(another_layout_begins_with_keys_of_its_own)
{
	struct ticket_key first = current_at(t0);
	struct segment *other = segment_new(UINT64_C(16) << 20);

	keys = ticket_keys_map(other, true);
	ck_assert_int_eq(find_at(&first, t0), TICKET_UNKNOWN);
	/* from when they were made on, whenever that was */
	ck_assert(!is_same(current_at(clock_mono_us() / 1000 + 1), first));
	segment_free(other);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_first_key_is_there_before_anybody_rotates,
	    the_next_key_stands_ready_and_takes_over_by_time,
	    a_key_is_good_until_its_last_ticket_has_ended,
	    a_rotation_that_is_overdue_is_made_at_once,
	    a_faster_rotation_brings_the_next_key_forward,
	    at_the_fastest_rotation_no_ticket_loses_its_key,
	    a_master_behind_this_one_finds_the_same_keys,
	    another_layout_begins_with_keys_of_its_own,
	};

	return unit_run_in(
	    "ticket_keys", tests, NELEMS(tests), set_up, tear_down);
}
