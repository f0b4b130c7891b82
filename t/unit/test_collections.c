/* What rules keep beyond a request: names and values, their times, bounds, a
 * full table. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/collections.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(1700000000)
#define TIMEOUT_S 100u

static struct segment *seg;
static struct slots *slots;
static struct collections *table;
static struct slot_name me;

static void
set_up(void)
{
	int slot;

	seg = segment_new(UINT64_C(32) << 20);
	ck_assert_ptr_nonnull(seg);
	slots = slots_map(seg, true);
	slot = slots_take(slots, SLOT_WORKER, 1, 1);
	ck_assert_int_ge(slot, 0);
	me = (struct slot_name){
	    (uint32_t)slot, atomic_load(&slots->at[slot].incarnation)};
	table = collections_map(seg, true);
	ck_assert_ptr_nonnull(table);
	ck_assert(collections_ready(table, seg));
}

static void
tear_down(void)
{
	ck_assert(collections_check(table));
	segment_free(seg);
}

static struct collections_by
at(uint64_t s)
{
	return (struct collections_by){slots, me, NOW + s};
}

struct put {
	span name, value;
	uint64_t until_s;
};

static void
put_do(void *self, struct collection *c)
{
	const struct put *p = self;

	c->timeout_s = TIMEOUT_S;
	c->n_updates++;
	collection_put(c, p->name, p->value);
	if (p->until_s != 0)
		collection_expire(c, p->name, p->until_s);
}

static void
put_until(const char *key, const char *name, const char *value, uint64_t s,
    uint64_t until_s)
{
	struct put p = {span_str(name), span_str(value), until_s};
	struct collections_by by = at(s);

	ck_assert(collections_edit(table, &by, span_str(key), put_do, &p));
}

static void
put(const char *key, const char *name, const char *value, uint64_t s)
{
	put_until(key, name, value, s, 0);
}

/* "-": there is no such collection or name. */
static const char *
get(const char *key, const char *name, uint64_t s)
{
	static char text[COLLECTION_VALUE_MAX + 1];
	struct collections_by by = at(s);
	struct collection c;
	struct collection_var v;

	if (!collections_read(table, &by, span_str(key), &c) ||
	    !collection_get(&c, span_str(name), &v))
		return "-";
	memcpy(text, v.value.p, v.value.len);
	text[v.value.len] = '\0';
	return text;
}

START_TEST(each_collection_has_its_own)
{
	ck_assert_str_eq(get("a", "x", 0), "-");
	put("a", "x", "1", 0);
	put("b", "x", "other", 0);
	put("a", "y", "", 0);
	put("a", "X", "2", 0);
	ck_assert_str_eq(get("a", "x", 0), "2");
	ck_assert_str_eq(get("b", "x", 0), "other");
	ck_assert_str_eq(get("a", "y", 0), "");
	ck_assert_str_eq(get("b", "y", 0), "-");
}
END_TEST

START_TEST(a_collection_ends_so_long_after_its_last_change)
{
	put("a", "x", "1", 0);
	ck_assert_str_eq(get("a", "x", TIMEOUT_S - 1), "1");
	ck_assert_str_eq(get("a", "x", TIMEOUT_S), "-");
	put("a", "y", "2", TIMEOUT_S - 1);
	ck_assert_str_eq(get("a", "x", TIMEOUT_S), "1");
	put("a", "y", "3", 3 * TIMEOUT_S);
	ck_assert_str_eq(get("a", "x", 3 * TIMEOUT_S), "-");
	ck_assert_str_eq(get("a", "y", 3 * TIMEOUT_S), "3");
}
END_TEST

START_TEST(a_value_ends_at_its_time)
{
	put("a", "x", "1", 0);
	put_until("a", "y", "2", 0, NOW + 10);
	put("a", "z", "3", 0);
	/* a new value keeps the time */
	put("a", "y", "4", 1);
	ck_assert_str_eq(get("a", "y", 9), "4");
	ck_assert_str_eq(get("a", "y", 10), "-");
	ck_assert_str_eq(get("a", "x", 10), "1");
	ck_assert_str_eq(get("a", "z", 10), "3");
	put("a", "y", "5", 11);
	ck_assert_str_eq(get("a", "y", 50), "5");
}
END_TEST

START_TEST(what_one_holds_has_bounds)
{
	char name[COLLECTION_NAME_MAX + 2];
	char value[2 * COLLECTION_VALUE_MAX];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	put("a", name, "1", 0);
	ck_assert_uint_eq(collections_full(table), 1);
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		put("a", name, value, 0);
	}
	ck_assert_uint_eq(strlen(get("a", "n0", 0)), COLLECTION_VALUE_MAX);
	ck_assert_str_eq(get("a", "n99", 0), "-");
	ck_assert_uint_ge(collections_full(table), 97);
	/* what is there can change still */
	value[COLLECTION_VALUE_MAX - 1] = 'w';
	put("a", "n0", value, 0);
	ck_assert_int_eq(get("a", "n0", 0)[COLLECTION_VALUE_MAX - 1], 'w');
}
END_TEST

/* Nobody's bytes make a reader leave its copy. */
START_TEST(bytes_of_others_are_bounded)
{
	struct collection c;
	struct collection_var v;

	for (unsigned seed = 0; seed < 2000; seed++) {
		uint32_t from = 0;

		srandom(seed);
		memset(&c, 0, sizeof(c));
		c.len = (uint32_t)random() % (2 * COLLECTION_ROOM);
		for (size_t i = 0; i < sizeof(c.bytes); i++)
			c.bytes[i] = (char)(random() % 3 * random());
		while (collection_next(&c, &from, &v)) {
			ck_assert(v.name.p >= c.bytes &&
				  v.value.p + v.value.len <=
				      c.bytes + sizeof(c.bytes));
		}
	}
}
END_TEST

START_TEST(what_is_nowhere_is_empty)
{
	struct put p = {.name = {0}, .value = {0}};
	struct collections_by by = at(0);

	ck_assert(collections_edit(table, &by, SPAN_LIT("a"), put_do, &p));
	put("a", "x", "1", 0);
	ck_assert_str_eq(get("a", "", 0), "");
	ck_assert_str_eq(get("a", "x", 0), "1");
}
END_TEST

START_TEST(a_full_table_forgets_what_changed_the_longest_time_ago)
{
	char key[32];

	for (unsigned i = 0; i < COLLECTIONS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "old %u", i);
		put(key, "x", "1", 0);
	}
	put("mine", "x", "7", 2);
	for (unsigned i = 0; i < 4 * COLLECTIONS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "more %u", i);
		put(key, "x", "1", 1);
	}
	ck_assert_str_eq(get("mine", "x", 2), "7");
	ck_assert_uint_gt(collections_evicted(table), COLLECTIONS_MAX);
	/* what is over is no loss */
	put("late", "x", "1", 10 * TIMEOUT_S);
	ck_assert_str_eq(get("late", "x", 10 * TIMEOUT_S), "1");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    each_collection_has_its_own,
	    a_collection_ends_so_long_after_its_last_change,
	    a_value_ends_at_its_time,
	    what_one_holds_has_bounds,
	    bytes_of_others_are_bounded,
	    what_is_nowhere_is_empty,
	    a_full_table_forgets_what_changed_the_longest_time_ago,
	};

	return unit_run_in(
	    "collections", tests, NELEMS(tests), set_up, tear_down);
}
