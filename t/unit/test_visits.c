/* What clients did of late: what is counted, what is forgotten, and by whom a
 * place is lost. */
#include <check.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/store/visits.h"
#include "t/unit/unit.h"

/* Some time. */
#define T0 UINT64_C(1000000)

static struct segment *seg;
static struct slots *slots;
static struct visits *visits;
static struct slot_name me;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(16) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_WORKER, 1, 1);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	visits = visits_map(seg, true);
	ck_assert_ptr_nonnull(visits);
}

static void
tear_down(void)
{
	segment_free(seg);
}

static void
note(const char *client, const char *path, bool is_missing, uint64_t now_ms)
{
	struct visits_by by = {slots, me, now_ms};

	visits_note(visits, &by, span_str(client), span_str(path), is_missing);
}

static struct visits_rates
rates(const char *client, uint64_t now_ms)
{
	struct visits_by by = {slots, me, now_ms};

	return visits_read(visits, &by, span_str(client));
}

static void
note_paths(uint32_t n, uint64_t now_ms)
{
	char path[32];

	for (uint32_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		note("a", path, false, now_ms);
	}
}

START_TEST(what_nobody_asked_for_costs_a_page)
{
	uint64_t before = segment_committed(seg);

	note("a", "/", true, T0);
	ck_assert_uint_eq(rates("a", T0).missing, 0);
	ck_assert(visits_ready(visits, seg));
	ck_assert_uint_ge(segment_committed(seg), before + VISITS_MAX * 64u);
	before = segment_committed(seg);
	ck_assert(visits_ready(visits, seg));
	ck_assert_uint_eq(segment_committed(seg), before);
}
END_TEST

START_TEST(each_client_is_counted_by_itself)
{
	ck_assert(visits_ready(visits, seg));
	note("a", "/x", true, T0);
	note("a", "/x", true, T0);
	note("a", "/y", false, T0);
	note("b", "/x", false, T0);
	ck_assert_uint_eq(rates("a", T0).missing, 2);
	ck_assert_uint_eq(rates("a", T0).paths, 2);
	ck_assert_uint_eq(rates("b", T0).missing, 0);
	ck_assert_uint_eq(rates("b", T0).paths, 1);
	ck_assert_uint_eq(rates("c", T0).paths, 0);
	ck_assert(visits_check(visits));
}
END_TEST

START_TEST(a_window_ends_bit_by_bit)
{
	ck_assert(visits_ready(visits, seg));
	for (unsigned i = 0; i < 12; i++)
		note("a", "/x", true, T0);
	ck_assert_uint_eq(rates("a", T0 + VISITS_WINDOW_MS - 1).missing, 12);
	ck_assert_uint_eq(rates("a", T0 + VISITS_WINDOW_MS * 3 / 2).missing, 6);
	note("a", "/x", true, T0 + VISITS_WINDOW_MS * 3 / 2);
	ck_assert_uint_eq(rates("a", T0 + VISITS_WINDOW_MS * 3 / 2).missing, 7);
	/* a path is another one in each window */
	ck_assert_uint_eq(rates("a", T0 + VISITS_WINDOW_MS * 3 / 2).paths, 2);
	ck_assert_uint_eq(rates("a", T0 + 3 * VISITS_WINDOW_MS).missing, 0);
	/* another process's time may lie before this one's */
	ck_assert_uint_eq(rates("a", T0).missing, 13);
}
END_TEST

START_TEST(paths_are_counted_within_a_fifth_and_up_to_a_bound)
{
	ck_assert(visits_ready(visits, seg));
	note_paths(10, T0);
	ck_assert_uint_ge(rates("a", T0).paths, 8);
	ck_assert_uint_le(rates("a", T0).paths, 12);
	note_paths(300, T0);
	ck_assert_uint_ge(rates("a", T0).paths, 220);
	ck_assert_uint_le(rates("a", T0).paths, 400);
	note_paths(20000, T0);
	ck_assert_uint_ge(rates("a", T0).paths, 1000);
	ck_assert_uint_le(rates("a", T0).paths, VISITS_PATHS_MAX);
}
END_TEST

START_TEST(many_clients_cost_no_memory)
{
	char client[32];
	uint32_t n_known = 0;
	uint64_t before;

	ck_assert(visits_ready(visits, seg));
	before = segment_committed(seg);
	for (uint32_t i = 0; i < 3 * VISITS_MAX; i++) {
		(void)snprintf(client, sizeof(client), "%u", i);
		note(client, "/", false, T0 + i);
	}
	for (uint32_t i = 0; i < 3 * VISITS_MAX; i++) {
		(void)snprintf(client, sizeof(client), "%u", i);
		/* the last one is there whoever came */
		n_known += rates(client, T0 + i).paths;
	}
	ck_assert_uint_le(n_known, VISITS_MAX);
	ck_assert_uint_gt(n_known, VISITS_MAX * 9 / 10);
	ck_assert_uint_eq(rates(client, T0 + 3 * VISITS_MAX).paths, 1);
	ck_assert_uint_eq(segment_committed(seg), before);
	ck_assert(visits_check(visits));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_nobody_asked_for_costs_a_page,
	    each_client_is_counted_by_itself,
	    a_window_ends_bit_by_bit,
	    paths_are_counted_within_a_fifth_and_up_to_a_bound,
	    many_clients_cost_no_memory,
	};

	return unit_run_in("visits", tests, NELEMS(tests), set_up, tear_down);
}
