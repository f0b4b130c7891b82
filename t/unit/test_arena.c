/* Arenas and counted blocks: what is handed out is apart, aligned and given
 * back. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "t/unit/unit.h"

#define N_PIECES 400
#define ALIGN 16

static struct arena_pool pool;
static struct arena arena;

static void
set_up(void)
{
	arena_pool_init(&pool, 2);
	arena_init(&arena, &pool);
}

static void
tear_down(void)
{
	arena_fini(&arena);
	ck_assert_uint_eq(pool.n_live, 0);
	ck_assert_uint_le(pool.n_free, pool.n_free_max);
	arena_pool_fini(&pool);
}

START_TEST(an_empty_arena_holds_no_chunk)
{
	ck_assert_uint_eq(pool.n_live, 0);
	ck_assert_uint_eq(arena.used, 0);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
	ck_assert_uint_eq(pool.n_live, 1);
}
END_TEST

START_TEST(pieces_are_aligned_and_apart)
{
	static const size_t sizes[] = {
	    0, 1, 15, 16, 17, 100, 1000, 4079, 4080, 4088, 4096, 8192, 20000};
	struct {
		uint8_t *p;
		size_t len;
	} pieces[N_PIECES];

	for (size_t i = 0; i < N_PIECES; i++) {
		pieces[i].len = sizes[i * 7 % NELEMS(sizes)];
		pieces[i].p = arena_alloc(&arena, pieces[i].len);
		ck_assert_uint_eq((uintptr_t)pieces[i].p % ALIGN, 0);
		memset(pieces[i].p, (int)i, pieces[i].len);
	}
	for (size_t i = 0; i < N_PIECES; i++)
		for (size_t k = 0; k < pieces[i].len; k++)
			ck_assert_uint_eq(pieces[i].p[k], (uint8_t)i);
}
END_TEST

START_TEST(a_piece_that_is_too_large_takes_no_pooled_chunk)
{
	char *small = arena_alloc(&arena, 16);
	size_t used = arena.used;

	ck_assert_uint_eq(used, ARENA_CHUNK);
	(void)memset(arena_alloc(&arena, 100000), 1, 100000);
	ck_assert_uint_eq(pool.n_live, 1);
	ck_assert_uint_ge(arena.used, used + 100000);
	/* the chunk at hand goes on being filled */
	ck_assert_ptr_eq(arena_alloc(&arena, 16), small + 16);
}
END_TEST

START_TEST(chunks_come_back_for_the_next_arena)
{
	char *first = arena_alloc(&arena, 1000);

	memset(first, 0xff, 1000);
	for (int i = 0; i < 20; i++)
		(void)arena_alloc(&arena, 1000);
	ck_assert_uint_eq(pool.n_live, 3);
	arena_fini(&arena);
	ck_assert_uint_eq(arena.used, 0);
	ck_assert_uint_eq(pool.n_live, 0);
	ck_assert_uint_eq(pool.n_free, pool.n_free_max);
	/* and are not zeroed unless that is asked for */
	first = arena_zalloc(&arena, 4000);
	for (int i = 0; i < 4000; i++)
		ck_assert_int_eq(first[i], 0);
	/* or for a part */
	first = arena_alloc(&arena, 100);
	memset(first, 0xff, 100);
	arena.at = first;
	ck_assert_ptr_eq(arena_zalloc_first(&arena, 100, 60), first);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(first[i], i < 60 ? 0 : (char)0xff);
}
END_TEST

START_TEST(texts_end_with_a_nul_that_is_not_counted)
{
	span parts[] = {SPAN_LIT("ab"), {NULL, 0}, SPAN_LIT(""), SPAN_LIT("c")};
	span s = arena_span(&arena, SPAN_LIT("a\0b"));

	ck_assert_uint_eq(s.len, 3);
	ck_assert_mem_eq(s.p, "a\0b", 4);
	ck_assert_str_eq(arena_span(&arena, span_of(NULL, 0)).p, "");
	s = arena_printf(&arena, "%d-%s", 42, "x");
	ck_assert_str_eq(s.p, "42-x");
	ck_assert_uint_eq(s.len, 4);
	s = arena_printf(&arena, "%*s", 9000, "y");
	ck_assert_uint_eq(s.len, 9000);
	ck_assert_str_eq(s.p + 8999, "y");
	s = arena_concat(&arena, parts, NELEMS(parts));
	ck_assert_str_eq(s.p, "abc");
	ck_assert_uint_eq(s.len, 3);
	s = arena_concat(&arena, NULL, 0);
	ck_assert_str_eq(s.p, "");
}
END_TEST

START_TEST(a_block_lives_as_long_as_a_slice_of_it)
{
	struct buf_pool bufs;
	struct slice a, b;
	struct buf *block;

	buf_pool_init(&bufs, 1);
	block = buf_new(&bufs);
	ck_assert_uint_eq(buf_room(block), BUF_CAP);
	memcpy(block->data, "hello", 5);
	block->used = 5;
	ck_assert_uint_eq(buf_room(block), BUF_CAP - 5);
	a = slice_of(block, 0, 4);
	b = slice_of(block, 4, 1);
	buf_unref(block);
	ck_assert_uint_eq(bufs.n_live, 1);
	ck_assert_span_eq(span_of(a.p, a.len), "hell");
	slice_drop(&a);
	ck_assert_ptr_null(a.buf);
	ck_assert_uint_eq(a.len, 0);
	slice_drop(&a);
	ck_assert_uint_eq(bufs.n_live, 1);
	ck_assert_span_eq(span_of(b.p, b.len), "o");
	slice_drop(&b);
	ck_assert_uint_eq(bufs.n_live, 0);
	ck_assert_uint_eq(bufs.n_free, bufs.n_free_max);
	buf_pool_fini(&bufs);
}
END_TEST

START_TEST(a_pool_keeps_few_blocks_and_begins_them_anew)
{
	struct buf_pool bufs;
	struct buf *blocks[5];

	buf_pool_init(&bufs, 2);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < NELEMS(blocks); i++) {
			blocks[i] = buf_new(&bufs);
			ck_assert_uint_eq(blocks[i]->used, 0);
			ck_assert_uint_eq(blocks[i]->refs, 1);
			memset(blocks[i]->data, 1, BUF_CAP);
			blocks[i]->used = BUF_CAP;
		}
		ck_assert_uint_eq(bufs.n_live, NELEMS(blocks));
		for (size_t i = 0; i < NELEMS(blocks); i++)
			buf_unref(blocks[i]);
		ck_assert_uint_eq(bufs.n_live, 0);
		ck_assert_uint_eq(bufs.n_free, bufs.n_free_max);
	}
	buf_pool_fini(&bufs);
	ck_assert_uint_eq(bufs.n_free, 0);
}
END_TEST

START_TEST(a_block_of_another_size_is_in_no_pool)
{
	struct buf *block = buf_new_sized(NULL, 100000);
	struct slice empty = {NULL, NULL, 0};

	ck_assert_uint_eq(buf_room(block), 100000);
	memset(block->data, 1, 100000);
	ck_assert_ptr_eq(buf_ref(block), block);
	buf_unref(block);
	ck_assert_uint_eq(block->refs, 1);
	buf_unref(block);
	buf_unref(NULL);
	slice_drop(&empty);
}
END_TEST

START_TEST(a_block_of_any_size_counts_in_its_pool)
{
	static const size_t sizes[] = {1, BUF_CAP - 1, BUF_CAP, BUF_CAP + 1};
	struct buf_pool bufs;

	buf_pool_init(&bufs, 1);
	for (size_t i = 0; i < NELEMS(sizes); i++) {
		struct buf *alone = buf_new_sized(NULL, sizes[i]);
		struct buf *block = buf_new_sized(&bufs, sizes[i]);

		ck_assert_uint_eq(buf_room(alone), sizes[i]);
		ck_assert_uint_eq(buf_room(block), sizes[i]);
		ck_assert_uint_eq(
		    bufs.large + bufs.n_live * (size_t)BUF_CAP, sizes[i]);
		buf_unref(alone);
		buf_unref(block);
		ck_assert_uint_eq(bufs.large + bufs.n_live, 0);
	}
	buf_pool_fini(&bufs);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    an_empty_arena_holds_no_chunk,
	    pieces_are_aligned_and_apart,
	    a_piece_that_is_too_large_takes_no_pooled_chunk,
	    chunks_come_back_for_the_next_arena,
	    texts_end_with_a_nul_that_is_not_counted,
	    a_block_lives_as_long_as_a_slice_of_it,
	    a_pool_keeps_few_blocks_and_begins_them_anew,
	    a_block_of_another_size_is_in_no_pool,
	    a_block_of_any_size_counts_in_its_pool,
	};

	return unit_run_in("arena", tests, NELEMS(tests), set_up, tear_down);
}
