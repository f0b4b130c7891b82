/* One cache in the segment: what is stored, found, read while it grows, waited
 * for, replaced, taken out and purged; two processes' views in one. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define MEMORY (4 * MIB)

static struct store store;
static struct objects_view *a;
static struct objects_view *b;

static void
set_up(void)
{
	store_open(&store, 64 * MIB, MEMORY);
	a = store_view(&store);
	b = store_view(&store);
}

/* Whatever a test did, all is whole and nothing is held at its end. */
static void
tear_down(void)
{
	struct obj_purge all = {.what = OBJ_PURGE_ALL};
	struct obj_stats stats;

	store_sweep(a);
	store_check(a);
	ck_assert(objects_purge(a, &all));
	store_sweep(a);
	store_check(b);
	objects_stats(store.cache, &stats);
	ck_assert_uint_eq(stats.objects, 0);
	ck_assert_uint_eq(stats.filling, 0);
	ck_assert_uint_eq(stats.used, 0);
	objects_view_free(a);
	objects_view_free(b);
	store_close(&store);
	segment_free(store.segment);
}

static enum obj_state
find(struct objects_view *v, uint32_t name, struct obj_ref *r)
{
	struct obj_key k = store_key(v, name);
	bool is_updating;

	return objects_find(v, &k, r, &is_updating);
}

/* Found READY and whole, of that version. */
static void
expect(struct objects_view *v, uint32_t name, uint32_t version)
{
	struct obj_ref r;
	struct made m;

	ck_assert_int_eq(find(v, name, &r), OBJ_READY);
	ck_assert(made_is_whole(v, r, name, &m));
	ck_assert_uint_eq(m.version, version);
	objects_unpin(v, r);
}

static void
expect_none(struct objects_view *v, uint32_t name)
{
	struct obj_ref r;

	ck_assert_int_eq(find(v, name, &r), OBJ_NONE);
	ck_assert_uint_eq(r.at, 0);
}

static struct obj_ref
begin(struct objects_view *v, uint32_t name)
{
	struct obj_key k = store_key(v, name);
	struct obj_ref r;

	ck_assert_int_eq(objects_begin(v, &k, &r), OBJ_BEGUN);
	return r;
}

static bool
set_head(struct objects_view *v, struct obj_ref r, const struct made *m,
    uint32_t head_version)
{
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_head h;

	made_head(m, head_version, buf, &h);
	return objects_set_head(v, r, &h, m->is_open ? OBJECTS_OPEN : m->len);
}

static struct obj_facts
facts(struct objects_view *v, struct obj_ref r)
{
	struct obj_facts f;

	objects_facts(v, r, &f);
	return f;
}

static uint64_t
used(void)
{
	struct obj_stats stats;

	objects_stats(store.cache, &stats);
	return stats.used;
}

/* --- storing and finding -------------------------------------------------- */

START_TEST(what_is_stored_is_found_whole)
{
	static const uint32_t lens[] = {
	    0, 1, 511, 512, 513, 4095, 4096, 4097, 100000, 262144, 700001};

	for (uint32_t i = 0; i < NELEMS(lens); i++)
		for (uint32_t is_open = 0; is_open < 2; is_open++) {
			struct made m = {i, i + 1, lens[i], is_open};

			expect_none(b, i + is_open * 100);
			m.name += is_open * 100;
			ck_assert(made_store(a, &m));
			expect(a, m.name, i + 1);
			expect(b, m.name, i + 1);
		}
}
END_TEST

START_TEST(what_is_too_much_of_the_last_run_is_given_back)
{
	struct made m = {1, 1, 5 * 512, true};

	/* the first run of a length that is not known is longer */
	ck_assert(made_store(a, &m));
	ck_assert_uint_eq(used(), 6 * 512);
}
END_TEST

START_TEST(readers_follow_a_body_that_grows)
{
	struct made m = {7, 3, 50000, true};
	struct obj_ref w = begin(a, 7);
	struct obj_ref r;
	struct made got;

	ck_assert_int_eq(find(b, 7, &r), OBJ_FILLING);
	ck_assert(!facts(b, r).has_head);
	ck_assert(made_is_whole(b, r, 7, &got));
	ck_assert_uint_eq(got.version, 0);
	ck_assert(set_head(a, w, &m, 3));
	ck_assert(facts(b, r).has_head);
	ck_assert_uint_eq(facts(b, r).length, OBJECTS_OPEN);
	for (uint32_t at = 0; at < 50000; at += 1250) {
		ck_assert(made_append(a, w, &m, at, 1250));
		ck_assert_uint_eq(facts(b, r).filled, at + 1250);
		ck_assert(made_is_whole(b, r, 7, &got));
	}
	ck_assert_int_eq(facts(b, r).state, OBJ_FILLING);
	ck_assert(objects_finish(a, w));
	ck_assert_int_eq(facts(b, r).state, OBJ_READY);
	ck_assert_uint_eq(facts(b, r).length, 50000);
	ck_assert(!facts(b, r).is_gone);
	objects_unpin(a, w);
	objects_unpin(b, r);
	expect(b, 7, 3);
}
END_TEST

START_TEST(a_body_is_read_from_anywhere_in_pieces)
{
	struct made m = {1, 1, 600000, true};
	struct iovec iov[4];
	struct obj_ref r;
	uint64_t bytes;

	ck_assert(made_store(a, &m));
	ck_assert_int_eq(find(b, 1, &r), OBJ_READY);
	ck_assert_int_eq(objects_body(b, r, 600000, 1, iov, 4, &bytes), 0);
	ck_assert_int_eq(objects_body(b, r, UINT64_MAX, 1, iov, 4, &bytes), 0);
	ck_assert_int_eq(objects_body(b, r, 0, 0, iov, 4, &bytes), 0);
	ck_assert_int_eq(objects_body(b, r, 0, 9, iov, 0, &bytes), 0);
	ck_assert_int_eq(objects_body(b, r, 599999, 9, iov, 4, &bytes), 1);
	ck_assert_uint_eq(bytes, 1);
	/* forth and back: where it was read last is only a hint */
	ck_assert_int_eq(objects_body(b, r, 5, 10, iov, 4, &bytes), 1);
	ck_assert_uint_eq(bytes, 10);
	ck_assert_int_ge(
	    objects_body(b, r, 300000, UINT64_MAX, iov, 4, &bytes), 1);
	ck_assert_int_eq(objects_body(b, r, 0, UINT64_MAX, iov, 1, &bytes), 1);
	ck_assert_uint_eq(bytes, iov[0].iov_len);
	objects_unpin(b, r);
}
END_TEST

START_TEST(one_fills_and_the_others_wait_for_it)
{
	struct made m = {1, 1, 100, false};
	struct obj_key k = store_key(b, 1);
	struct obj_ref w = begin(a, 1);
	struct obj_ref other;

	ck_assert_int_eq(objects_begin(b, &k, &other), OBJ_OTHER);
	ck_assert_uint_eq(other.at, w.at);
	ck_assert_uint_eq(other.gen, w.gen);
	/* also to the one that fills it itself */
	objects_unpin(b, other);
	ck_assert_int_eq(objects_begin(a, &k, &other), OBJ_OTHER);
	objects_unpin(a, other);
	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 100));
	ck_assert(objects_finish(a, w));
	objects_unpin(a, w);
}
END_TEST

START_TEST(the_old_one_is_found_until_the_new_one_is_whole)
{
	struct made old = {1, 1, 3000, false};
	struct made new = {1, 2, 4000, false};
	struct obj_key k = store_key(b, 1);
	struct obj_ref w, r;
	struct made got;
	bool is_updating;

	ck_assert(made_store(a, &old));
	w = begin(a, 1);
	ck_assert_int_eq(objects_find(b, &k, &r, &is_updating), OBJ_READY);
	ck_assert(is_updating);
	ck_assert(set_head(a, w, &new, 2));
	ck_assert(made_append(a, w, &new, 0, 4000));
	expect(b, 1, 1);
	ck_assert(objects_finish(a, w));
	objects_unpin(a, w);
	expect(b, 1, 2);
	/* who had it goes on with it */
	ck_assert_int_eq(facts(b, r).state, OBJ_NONE);
	ck_assert(facts(b, r).is_gone);
	ck_assert(made_is_whole(b, r, 1, &got));
	ck_assert_uint_eq(got.version, 1);
	objects_unpin(b, r);
	ck_assert_int_eq(objects_find(b, &k, &r, &is_updating), OBJ_READY);
	ck_assert(!is_updating);
	objects_unpin(b, r);
}
END_TEST

START_TEST(one_that_is_too_long_says_so)
{
	struct made m = {1, 1, 3000, false};
	struct obj_ref w = begin(a, 1);
	struct obj_ref r;

	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 2000));
	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	ck_assert(!facts(b, r).is_outgrown);
	objects_outgrow(a, w);
	ck_assert_int_eq(facts(b, r).state, OBJ_BROKEN);
	ck_assert(facts(b, r).is_outgrown);
	ck_assert_uint_eq(facts(b, r).filled, 2000);
	objects_unpin(a, w);
	ck_assert(facts(b, r).is_outgrown);
	objects_unpin(b, r);
	w = begin(a, 1);
	objects_abandon(a, w);
	ck_assert(!facts(a, w).is_outgrown);
	objects_unpin(a, w);
}
END_TEST

START_TEST(an_abandoned_one_is_a_beginning)
{
	struct made m = {1, 1, 3000, false};
	struct obj_ref w = begin(a, 1);
	struct obj_ref r;
	struct obj_stats stats;
	struct made got;

	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 2000));
	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	objects_abandon(a, w);
	ck_assert_int_eq(facts(b, r).state, OBJ_BROKEN);
	ck_assert_uint_eq(facts(b, r).filled, 2000);
	ck_assert(made_is_whole(b, r, 1, &got));
	expect_none(b, 1);
	objects_stats(store.cache, &stats);
	ck_assert_uint_eq(stats.broken, 1);
	ck_assert_uint_eq(stats.filling, 0);
	objects_unpin(a, w);
	ck_assert_uint_gt(used(), 0);
	objects_unpin(b, r);
	ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(what_is_not_whole_does_not_become_ready)
{
	struct made m = {1, 1, 3000, false};
	struct obj_ref w = begin(a, 1);

	/* no head */
	ck_assert(!objects_finish(a, w));
	ck_assert_int_eq(facts(a, w).state, OBJ_BROKEN);
	objects_unpin(a, w);
	w = begin(a, 1);
	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 2999));
	ck_assert(!objects_finish(a, w));
	objects_unpin(a, w);
	w = begin(a, 1);
	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 3000));
	ck_assert(!objects_append(a, w, "x", 1));
	ck_assert(objects_finish(a, w));
	/* and what is whole is not filled any more */
	ck_assert(!objects_append(a, w, "x", 1));
	ck_assert(!objects_finish(a, w));
	objects_abandon(a, w);
	objects_unpin(a, w);
	expect(b, 1, 1);
}
END_TEST

START_TEST(only_who_began_it_fills_it)
{
	struct obj_ref w = begin(a, 1);
	struct obj_ref r;

	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	ck_assert(!objects_append(b, r, "x", 1));
	ck_assert(!objects_finish(b, r));
	objects_abandon(b, r);
	ck_assert_int_eq(facts(a, w).state, OBJ_FILLING);
	objects_unpin(b, r);
	objects_abandon(a, w);
	objects_unpin(a, w);
}
END_TEST

START_TEST(all_that_is_ready_is_walked_over)
{
	struct obj_ref w, r;
	uint32_t at = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < 20; i++) {
		struct made m = {i, 1, 100, false};

		ck_assert(made_store(a, &m));
	}
	w = begin(a, 100);
	while (objects_next(b, &at, &r)) {
		ck_assert_int_eq(facts(b, r).state, OBJ_READY);
		objects_unpin(b, r);
		n++;
	}
	ck_assert_uint_eq(n, 20);
	objects_abandon(a, w);
	objects_unpin(a, w);
}
END_TEST

/* --- heads ---------------------------------------------------------------- */

START_TEST(a_head_is_copied_when_there_is_room)
{
	struct made m = {1, 1, 0, false};
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_ref w = begin(a, 1);
	struct obj_head h, wanted;
	uint64_t labels[STORE_HEAD_CAP / 8];
	ssize_t need;

	ck_assert_int_eq(objects_head(a, w, buf, sizeof(buf), &h), -1);
	ck_assert(set_head(a, w, &m, 1));
	need = objects_head(a, w, buf, 8, &h);
	ck_assert_int_gt(need, 8);
	ck_assert_int_eq(objects_head(a, w, buf, (size_t)need, &h), 0);
	/* also into a place that is not aligned */
	ck_assert_int_le(need, (ssize_t)sizeof(buf) - 1);
	ck_assert_int_eq(
	    objects_head(a, w, (char *)buf + 1, (size_t)need, &h), 0);
	made_head(&m, 1, labels, &wanted);
	ck_assert(span_eq(h.name, wanted.name));
	ck_assert(span_eq(h.bytes, wanted.bytes));
	ck_assert_uint_eq(h.n_labels, 2);
	ck_assert_uint_eq(h.labels[0], 1);
	objects_abandon(a, w);
	objects_unpin(a, w);
}
END_TEST

START_TEST(a_head_has_bounds)
{
	static char bytes[OBJECTS_HEAD_MAX];
	static uint64_t labels[OBJECTS_LABELS_MAX + 1];
	static uint64_t buf[OBJECTS_HEAD_MAX / 8 + 2];
	struct obj_ref w = begin(a, 1);
	struct obj_head h = {
	    SPAN_LIT("n"), labels, OBJECTS_LABELS_MAX + 1, {NULL, 0}};
	struct obj_head got;

	ck_assert(!objects_set_head(a, w, &h, 0));
	h.n_labels = OBJECTS_LABELS_MAX;
	h.bytes = span_of(bytes, sizeof(bytes));
	ck_assert(!objects_set_head(a, w, &h, 0));
	ck_assert_int_eq(objects_head(a, w, buf, sizeof(buf), &got), -1);
	/* a body that is longer than all the memory */
	h.bytes.len = 10;
	ck_assert(!objects_set_head(a, w, &h, MEMORY));
	ck_assert(!objects_set_head(a, w, &h, OBJECTS_OPEN - 1));
	h.bytes.len = OBJECTS_HEAD_MAX - sizeof(labels) - 16;
	memset(bytes, 'x', sizeof(bytes));
	ck_assert(objects_set_head(a, w, &h, 0));
	ck_assert_int_eq(objects_head(a, w, buf, sizeof(buf), &got), 0);
	ck_assert(span_eq(got.bytes, h.bytes));
	ck_assert(objects_finish(a, w));
	objects_unpin(a, w);
}
END_TEST

START_TEST(a_head_is_replaced_at_any_time)
{
	struct made m = {1, 1, 700, false};
	struct obj_ref w = begin(a, 1);
	struct made got;
	uint64_t before;

	ck_assert(set_head(a, w, &m, 5));
	ck_assert(made_append(a, w, &m, 0, 700));
	ck_assert(set_head(a, w, &m, 6));
	ck_assert(objects_finish(a, w));
	objects_unpin(a, w);
	before = used();
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(find(b, 1, &w), OBJ_READY);
		ck_assert(set_head(b, w, &m, i));
		ck_assert(made_is_whole(b, w, 1, &got));
		objects_unpin(b, w);
	}
	/* a few blocks more or less, as long as the last one is */
	ck_assert_uint_le(used(), before + 4 * 512);
	expect(a, 1, 1);
}
END_TEST

/* --- waiting -------------------------------------------------------------- */

static uint64_t heard;

static void
on_token(void *self, uint64_t token)
{
	(void)self;
	ck_assert_uint_ge(token, OBJECTS_TOKEN_MIN);
	heard = token;
}

/* The slot of the first or second view: they are taken in their order. */
static bool
has_heard(struct objects_view *v, struct obj_ref r)
{
	heard = 0;
	wake_take(store.slots, &store.wakes, v == a ? 0 : 1, on_token, NULL);
	if (heard == 0)
		return false;
	ck_assert_uint_eq(heard, objects_token(v, r));
	ck_assert_uint_eq(
	    objects_token_cache(heard), objects_number(store.cache));
	ck_assert_uint_eq(objects_token_at(heard), r.at);
	return true;
}

START_TEST(who_waits_is_woken_once)
{
	struct made m = {1, 1, 100, true};
	struct obj_ref w = begin(a, 1);
	struct obj_ref r;

	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	ck_assert(!has_heard(b, r));
	objects_wait(b, r);
	ck_assert(set_head(a, w, &m, 1));
	ck_assert(has_heard(b, r));
	ck_assert(made_append(a, w, &m, 0, 50));
	ck_assert(!has_heard(b, r));
	objects_wait(b, r);
	/* it may be in the same process */
	objects_wait(a, w);
	ck_assert(made_append(a, w, &m, 50, 50));
	ck_assert(has_heard(b, r));
	ck_assert(has_heard(a, r));
	objects_wait(b, r);
	ck_assert(objects_finish(a, w));
	ck_assert(has_heard(b, r));
	objects_unpin(a, w);
	/* replaced, taken out */
	objects_wait(b, r);
	ck_assert(set_head(b, r, &m, 2));
	ck_assert(has_heard(b, r));
	objects_wait(b, r);
	objects_drop(b, r);
	ck_assert(has_heard(b, r));
	objects_unpin(b, r);
}
END_TEST

START_TEST(who_waits_hears_of_an_end)
{
	struct obj_ref w = begin(a, 1);
	struct obj_ref r;

	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	objects_wait(b, r);
	objects_abandon(a, w);
	ck_assert(has_heard(b, r));
	ck_assert_int_eq(facts(b, r).state, OBJ_BROKEN);
	objects_unpin(a, w);
	objects_unpin(b, r);
}
END_TEST

START_TEST(who_waits_hears_of_the_death_of_the_filler)
{
	struct made m = {1, 1, 100, false};
	struct obj_ref w = begin(a, 1);
	struct obj_stats stats;
	struct obj_ref r;
	struct made got;

	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 50));
	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	objects_wait(b, r);
	atomic_store(&store.slots->at[0].state, SLOT_DEAD);
	ck_assert(objects_repair(b, 0));
	ck_assert(has_heard(b, r));
	ck_assert_int_eq(facts(b, r).state, OBJ_BROKEN);
	ck_assert(made_is_whole(b, r, 1, &got));
	objects_unpin(b, r);
	objects_stats(store.cache, &stats);
	ck_assert_uint_eq(stats.repaired, 1);
	ck_assert_uint_eq(stats.used, 0);
	objects_view_free(a);
	slots_release(store.slots, 0);
	a = store_view(&store);
}
END_TEST

/* --- taking out ----------------------------------------------------------- */

START_TEST(what_is_dropped_is_there_for_who_has_it)
{
	struct made m = {1, 1, 100000, false};
	struct obj_ref r, again;
	struct made got;

	ck_assert(made_store(a, &m));
	ck_assert_int_eq(find(b, 1, &r), OBJ_READY);
	ck_assert_int_eq(find(b, 1, &again), OBJ_READY);
	objects_pin(b, r);
	ck_assert_int_eq(find(a, 1, &again), OBJ_READY);
	objects_drop(a, again);
	objects_drop(a, again);
	objects_unpin(a, again);
	expect_none(a, 1);
	expect_none(b, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(facts(b, r).state, OBJ_NONE);
		ck_assert(facts(b, r).is_gone);
		ck_assert(made_is_whole(b, r, 1, &got));
		objects_unpin(b, r);
	}
	ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(what_is_dropped_while_it_is_filled_goes_on_for_who_has_it)
{
	struct made m = {1, 1, 1000, false};
	struct made next = {1, 2, 10, false};
	struct obj_ref w = begin(a, 1);
	struct obj_ref r;
	struct made got;

	ck_assert(set_head(a, w, &m, 1));
	ck_assert(made_append(a, w, &m, 0, 500));
	ck_assert_int_eq(find(b, 1, &r), OBJ_FILLING);
	objects_drop(b, r);
	ck_assert_int_eq(facts(b, r).state, OBJ_FILLING);
	ck_assert(facts(b, r).is_gone);
	expect_none(b, 1);
	/* another one takes its place at once */
	ck_assert(made_store(b, &next));
	ck_assert(made_append(a, w, &m, 500, 500));
	ck_assert(!objects_finish(a, w));
	ck_assert_int_eq(facts(b, r).state, OBJ_NONE);
	ck_assert_uint_eq(facts(b, r).filled, facts(b, r).length);
	ck_assert(made_is_whole(b, r, 1, &got));
	ck_assert_uint_eq(got.version, 1);
	objects_unpin(a, w);
	objects_unpin(b, r);
	expect(a, 1, 2);
}
END_TEST

START_TEST(what_is_soft_is_found_until_it_is_validated)
{
	struct made m = {1, 1, 10, false};
	struct obj_ref r;

	ck_assert(made_store(a, &m));
	ck_assert_int_eq(find(a, 1, &r), OBJ_READY);
	ck_assert(!facts(a, r).is_soft);
	objects_drop_softly(a, r);
	ck_assert(facts(a, r).is_soft);
	expect(b, 1, 1);
	ck_assert(set_head(a, r, &m, 2));
	ck_assert(facts(a, r).is_soft);
	objects_renew(a, r, objects_moment(a));
	ck_assert(!facts(a, r).is_soft);
	objects_unpin(a, r);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_is_stored_is_found_whole,
	    what_is_too_much_of_the_last_run_is_given_back,
	    readers_follow_a_body_that_grows,
	    a_body_is_read_from_anywhere_in_pieces,
	    one_fills_and_the_others_wait_for_it,
	    the_old_one_is_found_until_the_new_one_is_whole,
	    one_that_is_too_long_says_so,
	    an_abandoned_one_is_a_beginning,
	    what_is_not_whole_does_not_become_ready,
	    only_who_began_it_fills_it,
	    all_that_is_ready_is_walked_over,
	    a_head_is_copied_when_there_is_room,
	    a_head_has_bounds,
	    a_head_is_replaced_at_any_time,
	    who_waits_is_woken_once,
	    who_waits_hears_of_an_end,
	    who_waits_hears_of_the_death_of_the_filler,
	    what_is_dropped_is_there_for_who_has_it,
	    what_is_dropped_while_it_is_filled_goes_on_for_who_has_it,
	    what_is_soft_is_found_until_it_is_validated,
	};

	return unit_run_in("objects", tests, NELEMS(tests), set_up, tear_down);
}
