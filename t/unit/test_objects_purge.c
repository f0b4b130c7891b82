/* Purges and counts of uses: what is named goes at once for all, what is begun
 * later stays, and the walk ends it. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define NAMES 20u

static struct store store;
static struct objects_view *a;
static struct objects_view *b;

static void
set_up(void)
{
	store_open(&store, 32 * MIB, MIB);
	a = store_view(&store);
	b = store_view(&store);
	for (uint32_t i = 0; i < NAMES; i++) {
		struct made m = {i, 1, 100, false};

		ck_assert(made_store(a, &m));
	}
}

static void
tear_down(void)
{
	store_sweep(a);
	store_check(a);
	objects_view_free(a);
	objects_view_free(b);
	store_close(&store);
	segment_free(store.segment);
}

static enum obj_state
find(struct objects_view *v, uint32_t name, struct obj_facts *f)
{
	struct obj_key k = store_key(v, name);
	enum obj_state state;
	struct obj_ref r;
	bool is_updating;

	state = objects_find(v, &k, &r, &is_updating);
	if (state == OBJ_NONE)
		return state;
	objects_facts(v, r, f);
	objects_unpin(v, r);
	return state;
}

static bool
is_there(struct objects_view *v, uint32_t name)
{
	struct obj_facts f;

	return find(v, name, &f) != OBJ_NONE;
}

static bool
is_soft(struct objects_view *v, uint32_t name)
{
	struct obj_facts f;

	ck_assert_int_eq(find(v, name, &f), OBJ_READY);
	return f.is_soft;
}

static bool
purge_prefix(const char *prefix, bool soft)
{
	struct obj_purge p = {.what = OBJ_PURGE_PREFIX,
	    .is_soft = soft,
	    .text = span_str(prefix)};

	return objects_purge(a, &p);
}

static bool
purge_name(const char *name, bool soft)
{
	struct obj_purge p = {
	    .what = OBJ_PURGE_NAME, .is_soft = soft, .text = span_str(name)};

	return objects_purge(a, &p);
}

static bool
purge_label(uint64_t label, bool soft)
{
	struct obj_purge p = {
	    .what = OBJ_PURGE_LABEL, .is_soft = soft, .label = label};

	return objects_purge(a, &p);
}

START_TEST(all_is_gone_at_once_and_its_memory_after_a_walk)
{
	struct obj_purge all = {.what = OBJ_PURGE_ALL};
	struct obj_stats s;

	ck_assert(objects_purge(a, &all));
	for (uint32_t i = 0; i < NAMES; i += 2)
		ck_assert(!is_there(b, i));
	while (objects_sweep(b))
		continue;
	objects_stats(store.cache, &s);
	ck_assert_uint_eq(s.used, 0);
	ck_assert_uint_eq(s.objects, 0);
}
END_TEST

START_TEST(what_begins_with_the_prefix_is_gone)
{
	ck_assert(purge_prefix("/object/1", false));
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert_int_eq(is_there(b, i), i != 1 && (i < 10 || i > 19));
	while (objects_sweep(a))
		continue;
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert_int_eq(is_there(b, i), i != 1 && (i < 10 || i > 19));
}
END_TEST

START_TEST(only_what_has_the_name_is_gone)
{
	ck_assert(purge_name("/object/1", false));
	ck_assert(purge_name("/object/", false));
	ck_assert(purge_name("", false));
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert_int_eq(is_there(b, i), i != 1);
	while (objects_sweep(a))
		continue;
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert_int_eq(is_there(b, i), i != 1);
	ck_assert(purge_name("/object/12", true));
	for (uint32_t i = 2; i < NAMES; i++)
		ck_assert_int_eq(is_soft(b, i), i == 12);
}
END_TEST

START_TEST(what_goes_on_is_counted_until_it_is_swept)
{
	struct obj_stats s;

	objects_stats(store.cache, &s);
	ck_assert_uint_eq(s.purges, 0);
	ck_assert(purge_name("/object/1", false));
	ck_assert(purge_label(3, true));
	objects_stats(store.cache, &s);
	ck_assert_uint_eq(s.purges, 2);
	while (objects_sweep(a))
		continue;
	objects_stats(store.cache, &s);
	ck_assert_uint_eq(s.purges, 0);
}
END_TEST

START_TEST(a_text_has_one_label_for_all)
{
	uint64_t red = objects_label(a, SPAN_LIT("red"));

	ck_assert_uint_eq(red, objects_label(b, SPAN_LIT("red")));
	ck_assert_uint_ne(red, objects_label(b, SPAN_LIT("Red")));
}
END_TEST

START_TEST(what_has_the_label_is_gone)
{
	ck_assert(purge_label(3, false));
	/* the labels of an object are its number, and that modulo 7 */
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert_int_eq(is_there(b, i), i % 7 != 3);
}
END_TEST

START_TEST(what_the_walk_finds_goes_without_a_search)
{
	struct obj_stats s;

	ck_assert(purge_label(3, false));
	while (objects_sweep(a))
		continue;
	objects_stats(store.cache, &s);
	ck_assert_uint_eq(s.objects, NAMES - 3);
}
END_TEST

START_TEST(softly_means_to_be_validated)
{
	ck_assert(purge_label(3, true));
	for (uint32_t i = 0; i < NAMES; i++)
		ck_assert_int_eq(is_soft(b, i), i % 7 == 3);
	ck_assert(purge_prefix("/object/5", true));
	while (objects_sweep(a))
		continue;
	ck_assert(is_soft(b, 5) && is_soft(b, 3) && !is_soft(b, 6));
}
END_TEST

START_TEST(what_is_begun_later_stays)
{
	struct made m = {1, 2, 100, false};

	ck_assert(purge_prefix("/", false));
	ck_assert(made_store(b, &m));
	ck_assert(is_there(a, 1));
	while (objects_sweep(a))
		continue;
	ck_assert(is_there(a, 1));
	ck_assert(!is_there(a, 2));
}
END_TEST

/* Begin one; `v`'s. */
static struct obj_ref
begin(struct objects_view *v, uint32_t name)
{
	struct obj_key k = store_key(v, name);
	struct obj_ref r;

	ck_assert_int_eq(objects_begin(v, &k, &r), OBJ_BEGUN);
	return r;
}

static bool
set_head(struct objects_view *v, struct obj_ref r, const struct made *m)
{
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_head h;

	made_head(m, 1, buf, &h);
	return objects_set_head(v, r, &h, m->len);
}

/* What was begun before a purge that means it is not stored. */
static void
fill_over_purge(bool with_walk, bool with_head_before)
{
	struct made m = {100, 1, 100, false};
	struct obj_ref w = begin(b, 100);
	struct obj_ref r;
	struct obj_key k = store_key(a, 100);

	if (with_head_before)
		ck_assert(set_head(b, w, &m));
	ck_assert(purge_prefix("/object/100", false));
	while (with_walk && objects_sweep(a))
		continue;
	if (!with_head_before)
		ck_assert(set_head(b, w, &m));
	/* another one may begin now */
	ck_assert_int_eq(objects_begin(a, &k, &r), OBJ_BEGUN);
	objects_abandon(a, r);
	objects_unpin(a, r);
	ck_assert(made_append(b, w, &m, 0, 100));
	(void)objects_finish(b, w);
	objects_unpin(b, w);
	ck_assert(!is_there(a, 100));
	ck_assert(!is_there(b, 100));
}

START_TEST(what_was_begun_before_is_not_found_when_it_is_whole)
{
	for (int i = 0; i < 4; i++)
		fill_over_purge(i % 2 == 0, i / 2 == 0);
}
END_TEST

START_TEST(what_was_whole_before_anybody_asked_is_gone_as_well)
{
	struct made m = {100, 1, 100, false};
	struct obj_ref w = begin(b, 100);

	ck_assert(set_head(b, w, &m));
	ck_assert(purge_prefix("/object/100", false));
	ck_assert(made_append(b, w, &m, 0, 100));
	(void)objects_finish(b, w);
	objects_unpin(b, w);
	ck_assert(!is_there(a, 100));
}
END_TEST

START_TEST(a_renewed_head_does_not_save_it)
{
	struct made m = {3, 1, 100, false};
	struct obj_key k = store_key(b, 3);
	struct obj_ref r;
	bool is_updating;

	/* validated after a soft purge: good again, also for the walk */
	ck_assert_int_eq(objects_find(b, &k, &r, &is_updating), OBJ_READY);
	ck_assert(purge_label(3, true));
	ck_assert(is_soft(a, 3));
	ck_assert(set_head(b, r, &m));
	ck_assert(is_soft(a, 3));
	objects_renew(b, r, objects_moment(b));
	ck_assert(!is_soft(a, 3));
	while (objects_sweep(a))
		continue;
	ck_assert(!is_soft(a, 3));
	/* after another one it is gone */
	ck_assert(purge_label(3, false));
	ck_assert(set_head(b, r, &m));
	objects_renew(b, r, objects_moment(b));
	ck_assert(!is_there(a, 3));
	objects_unpin(b, r);
}
END_TEST

/* Whoever validated it asked before the last soft purge; that may be over, and so
 * may be one before. */
static void
renew_over_purge(bool with_walk, bool was_soft)
{
	struct obj_key k = store_key(b, 3);
	struct obj_ref r;
	bool is_updating;
	uint64_t moment;

	if (was_soft)
		ck_assert(purge_label(3, true));
	ck_assert_int_eq(objects_find(b, &k, &r, &is_updating), OBJ_READY);
	moment = objects_moment(b);
	ck_assert(purge_label(3, true));
	while (with_walk && objects_sweep(a))
		continue;
	objects_renew(b, r, moment);
	ck_assert(is_soft(a, 3));
	while (objects_sweep(a))
		continue;
	ck_assert(is_soft(a, 3));
	objects_renew(b, r, objects_moment(b));
	ck_assert(!is_soft(a, 3));
	objects_unpin(b, r);
}

START_TEST(what_was_asked_before_a_purge_renews_nothing)
{
	for (int i = 0; i < 4; i++)
		renew_over_purge(i % 2 == 0, i / 2 == 0);
}
END_TEST

/* One that was begun under another key, and goes on as 100, by the other
 * process's walk or before it. */
static void
begin_over_purge(bool is_soft_purge, bool is_first, bool with_walk)
{
	struct made m = {100, 1, 100, false};
	struct obj_key k = store_key(b, 100);
	struct obj_ref of = begin(b, 101);
	struct obj_ref w;

	if (is_first)
		ck_assert(purge_prefix("/object/10", is_soft_purge));
	while (is_first && with_walk && objects_sweep(a))
		continue;
	ck_assert_int_eq(objects_begin_as(b, &k, of, &w), OBJ_BEGUN);
	if (!is_first)
		ck_assert(purge_prefix("/object/10", is_soft_purge));
	objects_abandon(b, of);
	objects_unpin(b, of);
	while (!is_first && with_walk && objects_sweep(a))
		continue;
	ck_assert(set_head(b, w, &m));
	ck_assert(made_append(b, w, &m, 0, 100));
	(void)objects_finish(b, w);
	objects_unpin(b, w);
	while (objects_sweep(a))
		continue;
	if (is_soft_purge)
		ck_assert(is_soft(a, 100));
	else
		ck_assert(!is_there(a, 100));
}

START_TEST(what_goes_on_under_another_key_is_meant_as_before)
{
	for (int i = 0; i < 8; i++)
		begin_over_purge(i % 2 == 0, i / 2 % 2 == 0, i / 4 == 0);
}
END_TEST

START_TEST(what_goes_on_under_another_key_is_kept)
{
	struct made m = {100, 1, 100, false};
	struct obj_key k = store_key(b, 100);
	struct obj_ref of;
	struct obj_ref w;

	ck_assert(purge_prefix("/object/10", false));
	of = begin(b, 101);
	ck_assert_int_eq(objects_begin_as(b, &k, of, &w), OBJ_BEGUN);
	objects_abandon(b, of);
	objects_unpin(b, of);
	ck_assert(set_head(b, w, &m));
	ck_assert(made_append(b, w, &m, 0, 100));
	ck_assert(objects_finish(b, w));
	objects_unpin(b, w);
	ck_assert(is_there(a, 100));
	ck_assert(!is_soft(a, 100));
}
END_TEST

START_TEST(there_are_only_so_many_at_once)
{
	static char prefix[OBJECTS_PURGE_CAP + 1];
	uint32_t n = 0;

	while (n < 1000 && purge_label(5000 + n, false))
		n++;
	ck_assert_uint_ge(n, 8);
	ck_assert_uint_le(n, 64);
	ck_assert(is_there(b, 1));
	while (objects_sweep(a))
		continue;
	ck_assert(purge_label(3, false));
	ck_assert(!is_there(b, 3));
	memset(prefix, 'p', OBJECTS_PURGE_CAP);
	ck_assert(!purge_prefix(prefix, false));
	prefix[OBJECTS_PURGE_CAP - 1] = '\0';
	ck_assert(purge_prefix(prefix, false));
}
END_TEST

/* --- uses ----------------------------------------------------------------- */

START_TEST(uses_are_counted_never_too_low)
{
	struct obj_key k[50];

	for (uint32_t i = 0; i < NELEMS(k); i++)
		k[i] = store_key(a, i);
	for (uint32_t n = 1; n <= 20; n++)
		for (uint32_t i = 0; i < NELEMS(k); i++)
			ck_assert_uint_ge(
			    objects_count_use(n % 2 ? a : b, &k[i]), n);
	/* with so few keys hardly any is too high */
	ck_assert_uint_eq(objects_count_use(a, &k[7]), 21);
	for (uint32_t n = 0; n < 1000; n++)
		ck_assert_uint_le(objects_count_use(a, &k[7]), 255);
}
END_TEST

START_TEST(uses_are_forgotten_in_the_end)
{
	struct obj_key k = store_key(a, 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < 9; i++)
		n = objects_count_use(a, &k);
	ck_assert_uint_eq(n, 9);
	for (uint32_t i = 0; i < 10000; i++) {
		struct obj_key other = store_key(a, 1000 + i % 3);

		(void)objects_count_use(a, &other);
	}
	(void)objects_sweep(a);
	ck_assert_uint_le(objects_count_use(b, &k), 5);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    all_is_gone_at_once_and_its_memory_after_a_walk,
	    what_begins_with_the_prefix_is_gone,
	    only_what_has_the_name_is_gone,
	    what_goes_on_is_counted_until_it_is_swept,
	    a_text_has_one_label_for_all,
	    what_has_the_label_is_gone,
	    what_the_walk_finds_goes_without_a_search,
	    softly_means_to_be_validated,
	    what_is_begun_later_stays,
	    what_was_begun_before_is_not_found_when_it_is_whole,
	    what_was_whole_before_anybody_asked_is_gone_as_well,
	    a_renewed_head_does_not_save_it,
	    what_was_asked_before_a_purge_renews_nothing,
	    what_goes_on_under_another_key_is_meant_as_before,
	    what_goes_on_under_another_key_is_kept,
	    there_are_only_so_many_at_once,
	    uses_are_counted_never_too_low,
	    uses_are_forgotten_in_the_end,
	};

	return unit_run_in(
	    "objects_purge", tests, NELEMS(tests), set_up, tear_down);
}
