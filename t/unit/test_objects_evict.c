/* Which object goes: the order of the queues, and the hit ratio beside an LRU
 * of the same size on traces that are the same in every run. */
#include <check.h>

#include "bench/trace.h"
#include "common/base/check.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
/* Bytes of a body: with its head, the memory holds some hundred objects. */
#define LEN 1500u

static struct store store;
static struct objects_view *v;

static void
set_up(void)
{
	store_open(&store, 32 * MIB, MIB);
	v = store_view(&store);
}

static void
tear_down(void)
{
	store_check(v);
	objects_view_free(v);
	store_close(&store);
	segment_free(store.segment);
}

static bool
hit(uint32_t name)
{
	struct obj_key k = store_key(v, name);
	struct obj_ref r;
	bool is_updating;

	if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
		return false;
	objects_touch(v, r);
	objects_unpin(v, r);
	return true;
}

/* Whether it is there, without a use. */
static bool
is_there(uint32_t name)
{
	struct obj_key k = store_key(v, name);
	struct obj_ref r;
	bool is_updating;

	if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
		return false;
	objects_unpin(v, r);
	return true;
}

static void
put(uint32_t name)
{
	struct made m = {name, 0, LEN, false};

	ck_assert(made_store(v, &m));
}

/* Names from `from` on until something is evicted. Returns how many fit. */
static uint32_t
put_until_full(uint32_t from)
{
	struct obj_stats s = {0};
	uint32_t n = 0;

	while (s.evicted == 0) {
		put(from + n++);
		objects_stats(store.cache, &s);
	}
	return n - 1;
}

START_TEST(the_first_one_goes_first)
{
	uint32_t n = put_until_full(0);

	ck_assert_uint_gt(n, 100);
	for (uint32_t i = 0; i < n / 2; i++) {
		ck_assert(!is_there(i));
		ck_assert(is_there(i + 1));
		put(n + 1 + i);
	}
}
END_TEST

START_TEST(what_was_used_again_survives_a_scan)
{
	uint32_t n;

	for (uint32_t i = 0; i < 20; i++) {
		put(i);
		ck_assert(hit(i));
		ck_assert(hit(i));
	}
	n = put_until_full(1000);
	for (uint32_t i = 0; i < 3 * n; i++)
		put(10000 + i);
	for (uint32_t i = 0; i < 20; i++)
		ck_assert(is_there(i));
}
END_TEST

START_TEST(what_is_asked_for_again_soon_survives_the_next_scan)
{
	uint32_t n = put_until_full(0);

	/* it has just gone: its ghost is there */
	ck_assert(!is_there(0));
	put(0);
	for (uint32_t i = 0; i < n; i++)
		put(10000 + i);
	ck_assert(is_there(0));
	ck_assert(!is_there(1));
}
END_TEST

START_TEST(what_is_not_used_any_more_goes_in_the_end)
{
	uint32_t n;

	for (uint32_t i = 0; i < 20; i++) {
		put(i);
		for (int u = 0; u < 5; u++)
			ck_assert(hit(i));
	}
	n = put_until_full(1000);
	/* others come into the main queue as well */
	for (uint32_t i = 0; i < 10 * n; i++) {
		put(10000 + i);
		(void)hit(10000 + i);
		(void)hit(10000 + i);
	}
	for (uint32_t i = 0; i < 20; i++)
		ck_assert(!is_there(i));
}
END_TEST

/* --- beside an LRU -------------------------------------------------------- */

#define ZIPF_NAMES 5000u
/* Names of a trace; others fill the cache before. */
#define TRACE_NAMES 200000u

static struct zipf zipf;
static uint64_t chance;

struct ratio {
	uint32_t ours;
	uint32_t lru;
};

static struct ratio
replay(uint32_t n, uint32_t (*next)(uint32_t i))
{
	struct ratio r = {0, 0};
	struct lru l;

	/* all are of one size, so that a number says it */
	lru_init(&l, put_until_full(TRACE_NAMES), TRACE_NAMES);
	chance = 1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t name = next(i);

		if (hit(name))
			r.ours++;
		else
			put(name);
		r.lru += lru_use(&l, name, 1);
	}
	lru_fini(&l);
	return r;
}

#define REQUESTS 60000u

static uint32_t
next_zipf(uint32_t i)
{
	(void)i;
	return zipf_next(&zipf, &chance);
}

/* Each 300 requests a run over names that come once. */
static uint32_t
next_scan(uint32_t i)
{
	return i % 600 < 300 ? zipf_next(&zipf, &chance) : ZIPF_NAMES + i;
}

START_TEST(hits_are_not_behind_an_lru)
{
	static const double alphas[] = {0.7, 0.9, 1.1};

	for (size_t i = 0; i < NELEMS(alphas); i++) {
		struct ratio r;

		tear_down();
		set_up();
		zipf_init(&zipf, ZIPF_NAMES, alphas[i]);
		r = replay(REQUESTS, next_zipf);
		zipf_fini(&zipf);
		ck_assert_msg(r.ours > r.lru, "zipf %.1f: %u, lru %u",
		    alphas[i], r.ours, r.lru);
	}
}
END_TEST

START_TEST(hits_are_ahead_of_an_lru_when_there_are_scans)
{
	struct ratio r;

	zipf_init(&zipf, ZIPF_NAMES, 0.9);
	r = replay(REQUESTS, next_scan);
	zipf_fini(&zipf);
	ck_assert_msg(
	    r.ours > r.lru * 21 / 20, "scans: %u, lru %u", r.ours, r.lru);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_first_one_goes_first,
	    what_was_used_again_survives_a_scan,
	    what_is_asked_for_again_soon_survives_the_next_scan,
	    what_is_not_used_any_more_goes_in_the_end,
	    hits_are_not_behind_an_lru,
	    hits_are_ahead_of_an_lru_when_there_are_scans,
	};

	return unit_run_in(
	    "objects_evict", tests, NELEMS(tests), set_up, tear_down);
}
