/* Maps, arrays of pointers, and rings. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "t/unit/unit.h"

#define N_KEYS 500
#define N_STEPS 20000
#define STEPS_KEY_CAP 24
#define STEPS_LONGEST 200

START_TEST(an_empty_map_answers)
{
	struct map m;

	map_init(&m, false);
	ck_assert_ptr_null(map_get(&m, SPAN_LIT("a")));
	ck_assert_ptr_null(map_del(&m, SPAN_LIT("a")));
	map_foreach (s, &m)
		ck_abort_msg("%p", s->value);
	map_fini(&m);
}
END_TEST

START_TEST(a_key_has_one_value)
{
	struct map m;
	int a, b;

	map_init(&m, false);
	ck_assert_ptr_null(map_put(&m, SPAN_LIT("k"), &a));
	ck_assert_ptr_null(map_put(&m, SPAN_LIT(""), &b));
	ck_assert_ptr_null(map_put(&m, SPAN_LIT("K"), &b));
	ck_assert_ptr_eq(map_put(&m, SPAN_LIT("k"), &b), &a);
	ck_assert_ptr_eq(map_get(&m, SPAN_LIT("k")), &b);
	ck_assert_ptr_eq(map_get(&m, span_of(NULL, 0)), &b);
	ck_assert_uint_eq(m.n, 3);
	ck_assert_ptr_eq(map_del(&m, SPAN_LIT("k")), &b);
	ck_assert_ptr_null(map_get(&m, SPAN_LIT("k")));
	ck_assert_uint_eq(m.n, 2);
	map_fini(&m);
}
END_TEST

START_TEST(a_caseless_map_ignores_case_and_keeps_the_first_spelling)
{
	struct map m;
	int a, b;

	map_init(&m, true);
	ck_assert_ptr_null(map_put(&m, SPAN_LIT("Host"), &a));
	ck_assert_ptr_eq(map_put(&m, SPAN_LIT("hOST"), &b), &a);
	ck_assert_ptr_eq(map_get(&m, SPAN_LIT("HOST")), &b);
	map_foreach (s, &m)
		ck_assert_span_eq(s->key, "Host");
	ck_assert_ptr_eq(map_del(&m, SPAN_LIT("host")), &b);
	map_fini(&m);
}
END_TEST

/* Against a plain array: a hole must never hide what was put past it. */
START_TEST(a_map_agrees_with_an_array_after_any_steps)
{
	static char keys[N_KEYS][8];
	static void *want[N_KEYS];
	unsigned n = 0;
	unsigned state = 1;
	struct map m;

	map_init(&m, false);
	for (size_t i = 0; i < N_KEYS; i++)
		(void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
	for (unsigned step = 0; step < N_STEPS; step++) {
		size_t i, seen = 0;
		span key;

		state = state * 1103515245u + 12345u;
		i = (state >> 16) % N_KEYS;
		key = span_str(keys[i]);
		if (state >> 30 & 1) {
			n += want[i] == NULL;
			ck_assert_ptr_eq(
			    map_put(&m, key, &keys[step % N_KEYS]), want[i]);
			want[i] = &keys[step % N_KEYS];
		} else {
			n -= want[i] != NULL;
			ck_assert_ptr_eq(map_del(&m, key), want[i]);
			want[i] = NULL;
		}
		ck_assert_uint_eq(m.n, n);
		if (step % 500 != 0)
			continue;
		for (i = 0; i < N_KEYS; i++)
			ck_assert_ptr_eq(
			    map_get(&m, span_str(keys[i])), want[i]);
		map_foreach (s, &m)
			seen++;
		ck_assert_uint_eq(seen, n);
	}
	map_fini(&m);
	ck_assert_uint_eq(m.n, 0);
}
END_TEST

START_TEST(an_array_grows_and_keeps_its_order)
{
	struct vec v;

	vec_init(&v);
	for (uintptr_t i = 0; i < 1000; i++)
		vec_push(&v, (void *)i);
	ck_assert_uint_eq(v.n, 1000);
	for (uintptr_t i = 0; i < 1000; i++)
		ck_assert_ptr_eq(v.at[i], (void *)i);
	vec_fini(&v);
	ck_assert_uint_eq(v.n, 0);
	vec_push(&v, NULL);
	ck_assert_ptr_null(v.at[0]);
	vec_fini(&v);
}
END_TEST

struct item {
	int no;
	struct list node;
};

static void
check_ring(struct list *head, const char *want)
{
	char forth[16], back[16];
	size_t n = 0;

	list_foreach (i, head)
		forth[n++] = (char)('0' + LIST_ENTRY(i, struct item, node)->no);
	forth[n] = '\0';
	ck_assert_str_eq(forth, want);
	for (struct list *i = head->prev; i != head; i = i->prev)
		back[--n] = (char)('0' + LIST_ENTRY(i, struct item, node)->no);
	back[strlen(want)] = '\0';
	ck_assert_str_eq(back, want);
}

static void
items_init(struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		items[i].no = (int)i;
		list_init(&items[i].node);
	}
}

START_TEST(a_ring_is_the_same_from_both_sides)
{
	struct item items[5];
	struct list a, b;

	items_init(items, NELEMS(items));
	list_init(&a);
	list_init(&b);
	ck_assert(list_is_empty(&a));
	list_push_back(&a, &items[1].node);
	list_push_back(&a, &items[2].node);
	list_push_front(&a, &items[0].node);
	check_ring(&a, "012");
	ck_assert(list_is_linked(&items[0].node));
	list_push_back(&b, &items[3].node);
	list_push_back(&b, &items[4].node);
	list_splice_back(&a, &b);
	check_ring(&a, "01234");
	check_ring(&b, "");
	list_splice_back(&a, &b);
	check_ring(&a, "01234");
	list_splice_back(&b, &a);
	check_ring(&b, "01234");
	ck_assert(list_is_empty(&a));
}
END_TEST

START_TEST(a_node_can_leave_its_ring_at_any_time)
{
	struct item items[4];
	struct list a;

	items_init(items, NELEMS(items));
	list_init(&a);
	for (size_t i = 0; i < NELEMS(items); i++)
		list_push_back(&a, &items[i].node);
	list_del(&items[1].node);
	ck_assert(!list_is_linked(&items[1].node));
	list_del(&items[1].node);
	check_ring(&a, "023");
	list_foreach_safe (i, &a)
		list_del(i);
	ck_assert(list_is_empty(&a));
}
END_TEST

/* Slots that are looked at until the key of this one is found. */
static uint32_t
steps_to(const struct map *m, const struct map_slot *s)
{
	uint32_t mask = m->n_slots - 1;

	return (((uint32_t)(s - m->slots) - (uint32_t)s->hash) & mask) + 1;
}

/* Of all keys of a map with `n` of them: those of a list of moved places. */
static double
mean_steps(uint32_t n)
{
	char(*keys)[STEPS_KEY_CAP] = calloc(n, sizeof(*keys));
	uint64_t steps = 0;
	uint32_t longest = 0;
	struct map m;

	ck_assert_ptr_nonnull(keys);
	map_init(&m, false);
	for (uint32_t i = 0; i < n; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "/shop/item-%u", i);
		(void)map_put(&m, span_str(keys[i]), keys[i]);
	}
	map_foreach (s, &m) {
		longest = steps_to(&m, s) > longest ? steps_to(&m, s) : longest;
		steps += steps_to(&m, s);
		ck_assert_ptr_eq(map_get(&m, s->key), s->value);
	}
	ck_assert_uint_lt(longest, STEPS_LONGEST);
	map_fini(&m);
	free(keys);
	return (double)steps / n;
}

/* redirect_file with 100,000 lines: linear probing at most half full takes 1.5
 * steps on the average (Knuth, The Art of Computer Programming 3, 6.4), whatever
 * the number of keys, and no key is far from its place. */
START_TEST(a_lookup_costs_the_same_however_many_keys_there_are)
{
	ck_assert_double_lt(mean_steps(1000), 2);
	ck_assert_double_lt(mean_steps(100000), 2);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    an_empty_map_answers,
	    a_key_has_one_value,
	    a_caseless_map_ignores_case_and_keeps_the_first_spelling,
	    a_map_agrees_with_an_array_after_any_steps,
	    a_lookup_costs_the_same_however_many_keys_there_are,
	    an_array_grows_and_keeps_its_order,
	    a_ring_is_the_same_from_both_sides,
	    a_node_can_leave_its_ring_at_any_time,
	};

	return unit_run("map", tests, NELEMS(tests));
}
