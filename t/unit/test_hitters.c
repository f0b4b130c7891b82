/* Who comes most often, in bounded memory: errors against exact counts. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/store/hitters.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(50000)
#define NAMES 5000u
#define NOTES 200000u

static struct segment *seg;
static struct slots *slots;
static struct hitters *hitters;
static struct slot_name me;
static struct hitter top[HITTERS_PLACES];

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
	hitters = hitters_map(seg, true);
	ck_assert_ptr_nonnull(hitters);
	ck_assert(hitters_ready(hitters, seg));
}

static void
tear_down(void)
{
	ck_assert(hitters_check(hitters));
	segment_free(seg);
}

static void
note(const char *head, const char *tail, uint64_t weight, uint64_t now_ms)
{
	struct hitter_name name = {span_str(head), span_str(tail)};

	hitters_note(hitters, me, HITTER_PATH, &name, weight, now_ms);
}

static uint32_t
look(uint64_t now_ms)
{
	return hitters_top(
	    hitters, slots, me, HITTER_PATH, now_ms, top, HITTERS_PLACES);
}

static bool
top_is(uint32_t i, const char *text)
{
	return span_eq(span_of(top[i].text, top[i].len), span_str(text));
}

START_TEST(few_names_are_counted_exactly)
{
	note("a.test", "/", 3, NOW);
	note("b.test", "/", 1, NOW);
	note("a.test", "/", 4, NOW);
	ck_assert_uint_eq(look(NOW), 2);
	ck_assert(top_is(0, "a.test/"));
	ck_assert_uint_eq(top[0].count, 7);
	ck_assert_uint_eq(top[0].error, 0);
	ck_assert(top_is(1, "b.test/"));
	ck_assert_uint_eq(top[1].count, 1);
	/* no more than was asked for; other kinds have none */
	ck_assert_uint_eq(
	    hitters_top(hitters, slots, me, HITTER_PATH, NOW, top, 1), 1);
	ck_assert_uint_eq(
	    hitters_top(hitters, slots, me, HITTER_AGENT, NOW, top, 1), 0);
}
END_TEST

START_TEST(long_names_are_cut_and_told_apart)
{
	char one[HITTERS_TEXT + 3];
	char exact[HITTERS_TEXT + 1];

	memset(one, 'x', sizeof(one));
	one[sizeof(one) - 1] = '\0';
	memset(exact, 'y', sizeof(exact));
	exact[sizeof(exact) - 1] = '\0';
	note("h", one, 5, NOW);
	one[sizeof(one) - 2] = 'z';
	note("h", one, 3, NOW);
	note("", exact, 2, NOW);
	note(one, "t", 1, NOW);
	ck_assert_uint_eq(look(NOW), 4);
	ck_assert_uint_eq(top[0].count, 5);
	ck_assert_uint_eq(top[1].count, 3);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(top[i].len, HITTERS_TEXT);
		ck_assert(top[i].is_cut == (i != 2));
	}
	ck_assert_mem_eq(top[0].text, top[1].text, HITTERS_TEXT);
	ck_assert(top_is(2, exact));
}
END_TEST

START_TEST(counts_are_halved_and_fade_to_nothing)
{
	note("a", "", 16, NOW);
	note("b", "", 1, NOW + HITTERS_HALF_MS - 1);
	ck_assert_uint_eq(look(NOW + HITTERS_HALF_MS - 1), 2);
	ck_assert_uint_eq(look(NOW + HITTERS_HALF_MS), 1);
	ck_assert_uint_eq(top[0].count, 8);
	/* several at once, when nobody came */
	hitters_age(hitters, slots, me, NOW + 4 * HITTERS_HALF_MS);
	ck_assert_uint_eq(look(NOW + 4 * HITTERS_HALF_MS), 1);
	ck_assert_uint_eq(top[0].count, 1);
	hitters_age(hitters, slots, me, NOW + 5 * HITTERS_HALF_MS);
	ck_assert_uint_eq(look(NOW), 0);
	note("a", "", 16, NOW + 5 * HITTERS_HALF_MS);
	ck_assert_uint_eq(look(NOW + 500 * HITTERS_HALF_MS), 0);
}
END_TEST

START_TEST(all_is_forgotten_at_once)
{
	for (unsigned i = 0; i < 2 * HITTERS_PLACES; i++) {
		char name[20];

		name[u64_format(i, name)] = '\0';
		note(name, "", 16, NOW);
	}
	hitters_forget(hitters, slots, me);
	ck_assert_uint_eq(look(NOW), 0);
	note("a", "", 16, NOW);
	ck_assert_uint_eq(look(NOW), 1);
	ck_assert_uint_eq(top[0].error, 0);
}
END_TEST

/* --- Zipf's traffic ------------------------------------------------------- */

/* Numbers that look like chance, the same each time: xorshift. */
static double
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) / (double)(UINT64_C(1) << 53);
}

/* Whose share of the whole is 1 / rank. */
static uint32_t
draw(const double *upto, uint64_t *seed)
{
	double at = chance(seed) * upto[NAMES - 1];
	uint32_t low = 0;
	uint32_t high = NAMES - 1;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (upto[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
traffic(uint32_t *exact, uint64_t seed)
{
	static double upto[NAMES];
	double sum = 0;

	for (uint32_t i = 0; i < NAMES; i++)
		upto[i] = sum += 1.0 / (i + 1);
	for (uint32_t i = 0; i < NOTES; i++) {
		uint32_t which = draw(upto, &seed);
		char name[20];

		exact[which]++;
		name[u64_format(which, name)] = '\0';
		note(name, "", 1, NOW);
	}
}

/* Metwally et al., 3: a count is too large by its error at most, no error is
 * above the n-th part of all with n places, and whoever has more than that is
 * there. */
START_TEST(errors_are_bounded_on_zipf_traffic)
{
	static uint32_t exact[NAMES];
	static bool is_there[NAMES];
	uint32_t n;

	memset(exact, 0, sizeof(exact));
	memset(is_there, 0, sizeof(is_there));
	traffic(exact, 88172645463325252u);
	n = look(NOW);
	ck_assert_uint_eq(n, HITTERS_PLACES);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t which;

		ck_assert(span_u64(
		    span_of(top[i].text, top[i].len), NAMES - 1, &which));
		ck_assert(!is_there[which]);
		is_there[which] = true;
		ck_assert_uint_le(top[i].error, NOTES / HITTERS_PLACES);
		ck_assert_uint_ge(top[i].count, exact[which]);
		ck_assert_uint_le(top[i].count - top[i].error, exact[which]);
		ck_assert(i == 0 || top[i].count <= top[i - 1].count);
		/* the first ones are those, in their order */
		ck_assert(i >= 10 || which == i);
	}
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert(is_there[i] || exact[i] <= NOTES / HITTERS_PLACES);
}
END_TEST

/* --- others --------------------------------------------------------------- */

/* Two generations find the same table, and count into the same places. */
START_TEST(two_generations_count_together)
{
	struct hitters *other = hitters_map(seg, true);
	struct slot_name later = take_slot();
	struct hitter_name name = {SPAN_LIT("a"), SPAN_LIT("b")};

	ck_assert(hitters_ready(other, seg));
	note("a", "b", 2, NOW);
	hitters_note(other, later, HITTER_PATH, &name, 3, NOW);
	ck_assert_uint_eq(look(NOW), 1);
	ck_assert_uint_eq(top[0].count, 5);
	ck_assert_ptr_eq(hitters_map(seg, false), other);
}
END_TEST

START_TEST(without_memory_nothing_is_counted)
{
	struct segment *s = segment_new(UINT64_C(16) << 20);
	struct slots *t = slots_map(s, true);
	struct hitters *h = hitters_map(s, true);
	struct hitter_name name = {SPAN_LIT("a"), SPAN_LIT("")};

	hitters_note(h, me, HITTER_AGENT, &name, 1, NOW);
	hitters_age(h, t, me, NOW);
	hitters_forget(h, t, me);
	hitters_repair(h, t, me, 1);
	ck_assert_uint_eq(hitters_top(h, t, me, HITTER_AGENT, NOW, top, 1), 0);
	ck_assert_uint_eq(hitters_dropped(h), 0);
	ck_assert(hitters_check(h));
	segment_free(s);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    few_names_are_counted_exactly,
	    long_names_are_cut_and_told_apart,
	    counts_are_halved_and_fade_to_nothing,
	    all_is_forgotten_at_once,
	    errors_are_bounded_on_zipf_traffic,
	    two_generations_count_together,
	    without_memory_nothing_is_counted,
	};

	return unit_run_in("hitters", tests, NELEMS(tests), set_up, tear_down);
}
