/* Which server a session belongs to: found while its time lasts, given away by
 * one process at a time, and never pushed out by another upstream's flood. */
#include <check.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/store/sessions.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(1000000)
#define LATER (NOW + 1000)
#define A 10u
#define B 20u

static struct segment *seg;
static struct slots *slots;
static struct sessions *table;
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
	table = sessions_map(seg, true);
	ck_assert_ptr_nonnull(table);
}

static void
tear_down(void)
{
	segment_free(seg);
}

static uint64_t
bind_in(const char *upstream, const char *text, uint64_t from, uint64_t to,
    uint64_t until_ms)
{
	struct session_key key =
	    session_key(table, span_str(upstream), span_str(text));
	struct session next = {to, until_ms};

	return sessions_bind(table, slots, me, &key, from, &next, NOW);
}

/* The server, or 0. */
static uint64_t
find_in(const char *upstream, const char *text, uint64_t now_ms)
{
	struct session_key key =
	    session_key(table, span_str(upstream), span_str(text));
	struct session got;

	return sessions_find(table, &key, now_ms, &got) ? got.server : 0;
}

START_TEST(without_memory_nothing_is_remembered)
{
	uint64_t before = segment_committed(seg);

	ck_assert_uint_eq(bind_in("u", "x", 0, A, LATER), A);
	ck_assert_uint_eq(find_in("u", "x", NOW), 0);
	ck_assert(sessions_ready(table, seg));
	ck_assert_uint_gt(segment_committed(seg), before);
	ck_assert_uint_eq(bind_in("u", "x", 0, A, LATER), A);
	ck_assert_uint_eq(find_in("u", "x", NOW), A);
}
END_TEST

START_TEST(the_secret_is_drawn_once)
{
	struct session_secret one, two;

	sessions_secret(table, &one);
	sessions_secret(sessions_map(seg, true), &two);
	ck_assert_mem_eq(&one, &two, sizeof(one));
	ck_assert_ptr_eq(sessions_map(seg, false), table);
}
END_TEST

START_TEST(a_session_ends)
{
	ck_assert(sessions_ready(table, seg));
	(void)bind_in("u", "x", 0, A, LATER);
	ck_assert_uint_eq(find_in("u", "x", LATER - 1), A);
	ck_assert_uint_eq(find_in("u", "x", LATER), 0);
	(void)bind_in("u", "x", A, A, LATER + 1);
	ck_assert_uint_eq(find_in("u", "x", LATER), A);
	ck_assert(sessions_check(table));
}
END_TEST

START_TEST(upstreams_have_sessions_of_their_own)
{
	ck_assert(sessions_ready(table, seg));
	(void)bind_in("u", "x", 0, A, LATER);
	ck_assert_uint_eq(find_in("v", "x", NOW), 0);
	ck_assert_uint_eq(find_in("u", "y", NOW), 0);
}
END_TEST

/* Two that found nothing, or the same dead server: the second gets what the
 * first one chose. */
START_TEST(who_is_first_gives_it_away)
{
	ck_assert(sessions_ready(table, seg));
	ck_assert_uint_eq(bind_in("u", "x", 0, A, LATER), A);
	ck_assert_uint_eq(bind_in("u", "x", 0, B, LATER), A);
	ck_assert_uint_eq(bind_in("u", "x", A, B, LATER), B);
	ck_assert_uint_eq(bind_in("u", "x", A, 30, LATER), B);
	ck_assert_uint_eq(find_in("u", "x", NOW), B);
}
END_TEST

START_TEST(the_longest_unused_goes_first)
{
	char name[32];

	ck_assert(sessions_ready(table, seg));
	/* those that are used last come last */
	for (uint32_t i = 0; i < 2 * SESSIONS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "s%u", i);
		(void)bind_in("u", name, 0, A, LATER + i);
	}
	ck_assert(sessions_check(table));
	ck_assert_uint_eq(find_in("u", "s0", NOW), 0);
	ck_assert_uint_eq(find_in("u", name, NOW), A);
}
END_TEST

START_TEST(a_flood_leaves_others_their_share)
{
	char name[32];
	uint32_t left = 0;

	ck_assert(sessions_ready(table, seg));
	/* some in each set, and they would be the first ones to end */
	for (uint32_t i = 0; i < SESSIONS_MAX / 8; i++) {
		(void)snprintf(name, sizeof(name), "good%u", i);
		(void)bind_in("good", name, 0, A, LATER);
	}
	for (uint32_t i = 0; i < 4 * SESSIONS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "flood%u", i);
		(void)bind_in("flood", name, 0, B, LATER + i);
	}
	for (uint32_t i = 0; i < SESSIONS_MAX / 8; i++) {
		(void)snprintf(name, sizeof(name), "good%u", i);
		left += find_in("good", name, NOW) == A;
	}
	/* but where chance put more than half of a set */
	ck_assert_uint_ge(left, SESSIONS_MAX / 8 * 99 / 100);
	ck_assert(sessions_check(table));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    without_memory_nothing_is_remembered,
	    the_secret_is_drawn_once,
	    a_session_ends,
	    upstreams_have_sessions_of_their_own,
	    who_is_first_gives_it_away,
	    the_longest_unused_goes_first,
	    a_flood_leaves_others_their_share,
	};

	return unit_run_in("sessions", tests, NELEMS(tests), set_up, tear_down);
}
