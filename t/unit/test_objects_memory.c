/* Memory of a cache: how much it may have, what happens when there is none, how
 * it grows and shrinks from one generation to the next, and that nonsense in it
 * stays in it. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)

static struct store store;
static struct objects_view *v;

static void
set_up(void)
{
	store_open(&store, 64 * MIB, 2 * MIB);
	v = store_view(&store);
}

static void
tear_down(void)
{
	store_sweep(v);
	store_check(v);
	objects_view_free(v);
	store_close(&store);
	segment_free(store.segment);
}

static struct obj_stats
stats(void)
{
	struct obj_stats s;

	objects_stats(store.cache, &s);
	return s;
}

static bool
is_there(uint32_t name)
{
	struct obj_key k = store_key(v, name);
	bool is_updating;
	struct obj_ref r;
	struct made m;

	if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
		return false;
	ck_assert(made_is_whole(v, r, name, &m));
	objects_unpin(v, r);
	return true;
}

static uint32_t
count_there(uint32_t n)
{
	uint32_t there = 0;

	for (uint32_t i = 0; i < n; i++)
		there += is_there(i);
	return there;
}

static void
store_many(uint32_t from, uint32_t n, uint32_t len)
{
	for (uint32_t i = from; i < from + n; i++) {
		struct made m = {i, 1, len, i % 2 == 0};

		ck_assert(made_store(v, &m));
	}
}

/* --- claiming ------------------------------------------------------------- */

START_TEST(no_more_is_committed_than_was_asked_for)
{
	static const uint64_t sizes[] = {MIB, 3 * MIB, 17 * MIB + 5};

	for (size_t i = 0; i < NELEMS(sizes); i++) {
		uint64_t before = segment_committed(store.segment);
		struct objects *o =
		    objects_claim(store.segment, span_str("another"), sizes[i]);

		ck_assert_ptr_nonnull(o);
		ck_assert_uint_eq(objects_memory(o), sizes[i]);
		ck_assert_uint_le(
		    segment_committed(store.segment) - before, sizes[i]);
		/* and most of it is for objects */
		ck_assert_uint_ge(segment_committed(store.segment) - before,
		    sizes[i] * 9 / 10);
		objects_unclaim(store.segment, o);
		ck_assert_uint_eq(segment_committed(store.segment), before);
	}
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	uint64_t before = segment_committed(store.segment);
	char name[SEGMENT_NAME_CAP + 1];

	ck_assert_ptr_null(
	    objects_claim(store.segment, span_str("large"), 64 * MIB));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(segment_committed(store.segment), before);
	memset(name, 'n', sizeof(name));
	ck_assert_ptr_null(
	    objects_claim(store.segment, span_of(name, sizeof(name)), 2 * MIB));
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_ptr_null(
	    objects_claim(store.segment, span_str("huge"), UINT64_C(1) << 50));
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(the_next_generation_finds_what_is_there)
{
	struct objects *next;
	struct obj_stats s;

	store_many(0, 10, 5000);
	next = objects_claim(store.segment, span_str("pages"), 2 * MIB);
	ck_assert_ptr_nonnull(next);
	ck_assert_uint_eq(objects_number(next), objects_number(store.cache));
	objects_unclaim(store.segment, store.cache);
	store.cache = next;
	objects_stats(next, &s);
	ck_assert_uint_eq(s.objects, 10);
	ck_assert_uint_eq(count_there(10), 10);
}
END_TEST

START_TEST(the_next_master_finds_what_is_there)
{
	struct segment *next = segment_open(dup(segment_fd(store.segment)));
	struct objects *o;
	struct objects_view *w;
	struct obj_ref r;
	struct obj_key k = store_key(v, 3);
	struct made m;
	bool is_updating;

	ck_assert_ptr_nonnull(next);
	store_many(0, 10, 5000);
	o = objects_claim(next, span_str("pages"), 2 * MIB);
	ck_assert_ptr_nonnull(o);
	w = objects_view_new(
	    o, slots_map(next, true), &store.wakes, (struct slot_name){7, 1});
	ck_assert_int_eq(objects_find(w, &k, &r, &is_updating), OBJ_READY);
	ck_assert(made_is_whole(w, r, 3, &m));
	objects_unpin(w, r);
	objects_view_free(w);
	objects_unclaim(next, o);
	segment_free(next);
}
END_TEST

START_TEST(two_caches_have_nothing_in_common)
{
	struct store other = store;
	struct objects_view *w;
	struct made m = {1, 1, 10, false};
	struct obj_key ka, kb;
	struct obj_ref r;
	bool is_updating;

	other.cache = objects_claim(store.segment, span_str("other"), MIB);
	ck_assert_ptr_nonnull(other.cache);
	w = store_view(&other);
	ck_assert(made_store(v, &m));
	ka = store_key(v, 1);
	kb = store_key(w, 1);
	ck_assert(ka.h[0] != kb.h[0] && ka.h[1] != kb.h[1]);
	ck_assert_int_eq(objects_find(w, &kb, &r, &is_updating), OBJ_NONE);
	ck_assert_int_eq(objects_find(w, &ka, &r, &is_updating), OBJ_NONE);
	ck_assert_uint_ne(
	    objects_number(store.cache), objects_number(other.cache));
	r = (struct obj_ref){5, 0};
	ck_assert_uint_ne(objects_token(v, r), objects_token(w, r));
	objects_view_free(w);
	objects_unclaim(store.segment, other.cache);
}
END_TEST

START_TEST(variants_have_keys_of_their_own)
{
	struct obj_key k = store_key(v, 1);
	struct obj_key en = objects_key_of(v, k, span_str("en"));
	struct obj_key de = objects_key_of(v, k, span_str("de"));
	struct obj_key none = objects_key_of(v, k, span_str(""));
	struct obj_key other =
	    objects_key_of(v, store_key(v, 2), span_str("en"));
	struct obj_key again = objects_key_of(v, k, span_str("en"));

	ck_assert_mem_eq(&en, &again, sizeof(en));
	ck_assert_mem_ne(&en, &de, sizeof(en));
	ck_assert_mem_ne(&en, &other, sizeof(en));
	ck_assert_mem_ne(&none, &k, sizeof(k));
}
END_TEST

START_TEST(a_range_is_not_given_back_under_who_is_in_it)
{
	struct slot_name me = {9, 1};
	uint64_t before = segment_committed(store.segment);
	struct objects *o =
	    objects_claim(store.segment, span_str("another"), 4 * MIB);
	struct objects *walked[2];
	bool is_partial = false;
	uint32_t at = 0;

	atomic_store(&store.slots->at[9].state, SLOT_SERVING);
	atomic_store(&store.slots->at[9].incarnation, 1);
	for (int i = 0; i < 2; i++) {
		walked[i] = objects_walk(
		    store.segment, store.slots, me, &at, &is_partial);
		ck_assert_ptr_nonnull(walked[i]);
		ck_assert_span_eq(
		    objects_name(walked[i]), i == 0 ? "pages" : "another");
	}
	ck_assert_ptr_null(
	    objects_walk(store.segment, store.slots, me, &at, &is_partial));
	ck_assert(!is_partial);
	/* another one that walks finds nothing that it may look into */
	at = 0;
	ck_assert_ptr_null(objects_walk(store.segment, store.slots,
	    (struct slot_name){8, 1}, &at, &is_partial));
	ck_assert(is_partial);
	objects_unclaim(store.segment, o);
	ck_assert_uint_gt(segment_committed(store.segment), before + 3 * MIB);
	for (int i = 0; i < 2; i++)
		objects_walk_end(walked[i], me);
	/* it goes when the master next gives something up */
	o = objects_claim(store.segment, span_str("third"), MIB);
	objects_unclaim(store.segment, o);
	ck_assert_uint_eq(segment_committed(store.segment), before);
	/* who died in it holds nothing */
	is_partial = false;
	at = 0;
	walked[0] =
	    objects_walk(store.segment, store.slots, me, &at, &is_partial);
	ck_assert_ptr_nonnull(walked[0]);
	atomic_store(&store.slots->at[9].state, SLOT_DEAD);
	at = 0;
	walked[1] = objects_walk(store.segment, store.slots,
	    (struct slot_name){8, 1}, &at, &is_partial);
	ck_assert_ptr_nonnull(walked[1]);
	ck_assert(!is_partial);
	objects_walk_end(walked[0], me);
	objects_walk_end(walked[1], (struct slot_name){8, 1});
	atomic_store(&store.slots->at[9].state, SLOT_FREE);
}
END_TEST

/* --- growing and shrinking ------------------------------------------------ */

START_TEST(more_memory_holds_more)
{
	uint64_t before;

	store_many(0, 1000, 10000);
	before = stats().objects;
	ck_assert_int_eq(objects_set_memory(store.cache, 8 * MIB), 0);
	/* what it had is there */
	ck_assert_uint_eq(stats().objects, before);
	ck_assert_uint_eq(count_there(1000), before);
	store_many(1000, 2000, 10000);
	ck_assert_uint_gt(stats().objects, before * 7 / 2);
	ck_assert_uint_eq(stats().memory, 8 * MIB);
	/* its room is four times what it began with */
	ck_assert_int_eq(objects_set_memory(store.cache, 8 * MIB + 1), -1);
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(what_is_beyond_the_room_is_another_range)
{
	struct objects *next;
	struct obj_stats s;

	store_many(0, 10, 5000);
	next = objects_claim(store.segment, span_str("pages"), 9 * MIB);
	ck_assert_ptr_nonnull(next);
	ck_assert_uint_ne(objects_number(next), objects_number(store.cache));
	objects_stats(next, &s);
	ck_assert_uint_eq(s.objects, 0);
	/* the old generation goes on with the old one */
	ck_assert_uint_eq(count_there(10), 10);
	objects_unclaim(store.segment, next);
}
END_TEST

START_TEST(less_memory_holds_less)
{
	uint64_t before;

	store_many(0, 1000, 10000);
	before = stats().used;
	ck_assert_int_eq(objects_set_memory(store.cache, MIB), 0);
	while (objects_sweep(v))
		continue;
	ck_assert_uint_gt(stats().objects, 0);
	ck_assert_uint_lt(stats().used, before * 6 / 10);
	ck_assert_uint_eq(count_there(1000), stats().objects);
	ck_assert_uint_lt(stats().used, MIB);
	store_many(1000, 500, 10000);
	ck_assert_uint_lt(stats().used, MIB);
	/* and all of it again */
	ck_assert_int_eq(objects_set_memory(store.cache, 2 * MIB), 0);
	store_many(2000, 1000, 10000);
	ck_assert_uint_ge(stats().used, before * 9 / 10);
}
END_TEST

/* --- when there is none --------------------------------------------------- */

/* Pinned ones that take all there is. Returns how many. */
static uint32_t
pin_all(struct obj_ref *refs, uint32_t max, uint32_t len)
{
	uint32_t n = 0;

	while (n < max) {
		struct made m = {n, 1, len, false};
		struct obj_key k = store_key(v, n);
		bool is_updating;

		if (!made_store(v, &m))
			break;
		ck_assert_int_eq(
		    objects_find(v, &k, &refs[n], &is_updating), OBJ_READY);
		n++;
	}
	return n;
}

START_TEST(what_is_pinned_is_not_evicted)
{
	static struct obj_ref refs[2000];
	uint32_t n = pin_all(refs, NELEMS(refs), 20000);
	struct made m;

	ck_assert_uint_gt(n, 50);
	ck_assert_uint_lt(n, NELEMS(refs));
	for (uint32_t i = 0; i < n; i++)
		ck_assert(made_is_whole(v, refs[i], i, &m));
	objects_unpin(v, refs[0]);
	store_many(10000, 1, 20000);
	ck_assert(!is_there(0));
	for (uint32_t i = 1; i < n; i++)
		objects_unpin(v, refs[i]);
	store_many(10000, 100, 20000);
}
END_TEST

START_TEST(entries_come_to_an_end_before_memory)
{
	static struct obj_ref refs[2000];
	struct obj_key k = store_key(v, 99999);
	uint32_t n = pin_all(refs, NELEMS(refs), 0);
	struct obj_ref r;

	/* one for 2 KiB of memory */
	ck_assert_uint_eq(n, 1024);
	ck_assert_int_eq(objects_begin(v, &k, &r), OBJ_NO_ROOM);
	ck_assert_uint_eq(r.at, 0);
	for (uint32_t i = 0; i < n; i++)
		objects_unpin(v, refs[i]);
	store_many(5000, 2000, 0);
	ck_assert_uint_eq(stats().objects, 1024);
}
END_TEST

START_TEST(one_that_is_too_large_is_given_up)
{
	struct made m = {1, 1, 3000000, true};

	store_many(100, 20, 10000);
	ck_assert(!made_store(v, &m));
	ck_assert(!is_there(1));
	ck_assert_uint_eq(stats().broken, 1);
	/* nearly all of the memory is one object's */
	m.len = 1600000;
	ck_assert(made_store(v, &m));
	ck_assert(is_there(1));
}
END_TEST

START_TEST(small_gaps_hold_large_objects)
{
	static struct obj_ref refs[3000];
	struct made m = {50000, 1, 700000, false};
	uint32_t n;

	/* one block of body beside one of head, all over */
	n = pin_all(refs, NELEMS(refs), 100);
	for (uint32_t i = 0; i < n; i++)
		objects_unpin(v, refs[i]);
	/* every second one goes: no gap is longer than two blocks */
	for (uint32_t i = 0; i < n; i += 2) {
		struct obj_key k = store_key(v, i);
		struct obj_ref r;
		bool is_updating;

		if (objects_find(v, &k, &r, &is_updating) != OBJ_READY)
			continue;
		objects_drop(v, r);
		objects_unpin(v, r);
	}
	ck_assert(made_store(v, &m));
	ck_assert(is_there(50000));
	m.name++;
	ck_assert(made_store(v, &m));
	ck_assert(is_there(50001));
}
END_TEST

/* --- nonsense ------------------------------------------------------------- */

/* A worker that was taken over writes anything anywhere in the range: others
 * may miss, refuse and read nonsense, but not touch what is not theirs, nor
 * hang. Each word here is one such write; the store is made anew each time. */
static void
spoil(uint32_t seed)
{
	struct segment_found f;
	uint32_t at = 0;
	uint64_t *words;

	ck_assert(segment_next(store.segment, SEGMENT_KIND_CACHE, 1, &at, &f));
	words = f.at;
	srandom(seed);
	for (int i = 0; i < 4000; i++) {
		/* tables lie in the first part of what is committed */
		uint64_t place = (uint64_t)random() % (600000 / 8);
		uint64_t value = (uint64_t)random() << 33 ^
				 (uint64_t)random() << 11 ^ (uint64_t)random();

		if (i % 3 == 0)
			value &= 0xffff00000fff;
		/* its keys and locks as well */
		words[place] = value;
	}
}

static void
use_all(void)
{
	struct obj_ref r;
	uint32_t at = 0;

	for (uint32_t i = 0; i < 300; i++) {
		struct made m = {i, 2, 3000, i % 2 == 0};
		struct obj_key k = store_key(v, i);
		struct made got;
		bool is_updating;

		if (objects_find(v, &k, &r, &is_updating) != OBJ_NONE) {
			(void)made_is_whole(v, r, i, &got);
			objects_touch(v, r);
			if (i % 3 == 0)
				objects_drop(v, r);
			objects_unpin(v, r);
		}
		(void)made_store(v, &m);
	}
	for (uint32_t i = 0; i < 300 && objects_next(v, &at, &r); i++)
		objects_unpin(v, r);
	(void)objects_repair(v, 5);
	(void)objects_sweep(v);
}

START_TEST(nonsense_in_the_range_stays_in_the_range)
{
	for (uint32_t seed = 1; seed <= 40; seed++) {
		struct store one;
		struct obj_stats s;
		uint64_t before;

		one = store;
		store_open(&store, 64 * MIB, 2 * MIB);
		objects_view_free(v);
		v = store_view(&store);
		store_many(0, 200, 5000);
		before = segment_committed(store.segment);
		spoil(seed);
		use_all();
		objects_stats(store.cache, &s);
		/* no page was touched that is not of the range */
		ck_assert_uint_le(
		    segment_committed(store.segment), before + 8 * MIB);
		objects_view_free(v);
		store_close(&store);
		segment_free(store.segment);
		store = one;
		v = store_view(&store);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    no_more_is_committed_than_was_asked_for,
	    what_does_not_fit_is_refused,
	    the_next_generation_finds_what_is_there,
	    the_next_master_finds_what_is_there,
	    two_caches_have_nothing_in_common,
	    variants_have_keys_of_their_own,
	    a_range_is_not_given_back_under_who_is_in_it,
	    more_memory_holds_more,
	    what_is_beyond_the_room_is_another_range,
	    less_memory_holds_less,
	    what_is_pinned_is_not_evicted,
	    entries_come_to_an_end_before_memory,
	    one_that_is_too_large_is_given_up,
	    small_gaps_hold_large_objects,
	    nonsense_in_the_range_stays_in_the_range,
	};

	return unit_run_in(
	    "objects_memory", tests, NELEMS(tests), set_up, tear_down);
}
