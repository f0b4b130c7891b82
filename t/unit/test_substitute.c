/* Unit tests of filter/substitute: what is found however it is cut, and that
 * chains of filters change nothing but what they are asked to. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/shm/counters.h"
#include "t/unit/unit.h"
#include "worker/filter/codec.h"
#include "worker/filter/substitute.h"

#define ROOM (256u * 1024)
#define POOL (256u << 20)
#define SEED 1910
#define CHAINS 12
#define CHAIN_MAX 6
#define BODY_MAX 6000

static struct counter_set counters;
static struct arena_pool arenas;
static struct arena arena;
static const enum coding codings[] = {CODING_GZIP, CODING_BR, CODING_ZSTD};

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)rand() % below;
}

/* What goes into a filter is in one of these, what comes out in the other. */
static char rooms[2][ROOM];

/* All of `in` through a filter, in pieces of up to `piece` bytes, with flushes
 * between them. */
static span
run(const struct bfilter_ops *ops, void *self, span in, uint32_t piece)
{
	enum bfilter_rc rc = BFILTER_OK;
	char *out = in.p == rooms[0] ? rooms[1] : rooms[0];
	size_t len = 0;

	while (rc == BFILTER_OK || rc == BFILTER_FULL) {
		size_t n = size_min(1 + draw(piece), in.len);
		size_t cap = BFILTER_OUT_MIN + draw(piece);
		enum bfilter_how how = n == in.len     ? BFILTER_LAST
				       : draw(50) == 0 ? BFILTER_FLUSH
						       : BFILTER_RUN;
		struct bfilter_io io = {in.p, n, out + len, cap};

		ck_assert_uint_le(len + cap, ROOM);
		rc = ops->step(self, &io, how);
		in = span_from(in, n - io.in_len);
		len += cap - io.out_len;
		ck_assert(rc != BFILTER_OK || io.in_len == 0);
		ck_assert(rc != BFILTER_FULL || io.out_len == 0);
	}
	ops->close(self);
	ck_assert_int_eq(rc, BFILTER_DONE);
	return span_of(out, len);
}

#define LINES_MAX 4

/* A filter of FROM, TO, FROM, TO ... up to a NULL. */
static void *
filter(const char *const *texts)
{
	const struct substitute **at =
	    arena_alloc(&arena, LINES_MAX * sizeof(struct substitute *));
	uint32_t n = 0;

	for (; texts[2 * n] != NULL; n++) {
		struct substitute *s = arena_zalloc(&arena, sizeof(*s));

		s->from = span_str(texts[2 * n]);
		s->to = span_str(texts[2 * n + 1]);
		at[n] = s;
	}
	return substitute_open(&arena, at, n);
}

static void
expect(const char *const *texts, const char *in, const char *want)
{
	for (uint32_t piece = 1; piece <= strlen(in) + 1; piece++) {
		span got =
		    run(&substitute_ops, filter(texts), span_str(in), piece);

		ck_assert_msg(span_eq(got, span_str(want)),
		    "pieces of %u: '%.*s', not '%s'", piece, SPAN_FMT(got),
		    want);
	}
}

static void
setup(void)
{
	srand(SEED);
	arena_pool_init(&arenas, 4);
	arena_init(&arena, &arenas);
}

static void
teardown(void)
{
	arena_fini(&arena);
	arena_pool_fini(&arenas);
}

START_TEST(a_text_is_found_across_pieces)
{
	static const char *const abc[] = {"abc", "X", NULL};
	static const char *const long_to[] = {
	    "b", "0123456789012345678901234567890123456789", NULL};

	setup();
	expect(abc, "abc", "X");
	expect(abc, "ababcabcab", "abXXab");
	expect(abc, "", "");
	expect(abc, "ab", "ab");
	expect(long_to, "abba",
	    "a01234567890123456789012345678901234567890123456789012345678901234"
	    "567890123456789a");
	teardown();
}
END_TEST

START_TEST(what_was_put_in_is_not_searched)
{
	static const char *const grows[] = {"a", "aa", NULL};
	static const char *const joins[] = {"ab", "a", NULL};
	static const char *const empty[] = {"--", "", NULL};

	setup();
	expect(grows, "aba", "aabaa");
	expect(joins, "abb", "ab");
	expect(empty, "-----", "-");
	teardown();
}
END_TEST

START_TEST(the_first_line_that_fits_counts)
{
	static const char *const rows[] = {
	    "long text", "L", "long", "S", "text", "T", NULL};
	static const char *const back[] = {
	    "aaab", "1", "aab", "2", "b", "", NULL};

	setup();
	expect(rows, "long texlong text long", "S texL S");
	expect(back, "aaaabaabbaa", "a12aa");
	teardown();
}
END_TEST

START_TEST(a_flush_keeps_only_what_may_begin_a_text)
{
	static const char *const end[] = {"</body>", "X", NULL};
	static const char in[] = "data: 1\n\n</bo";
	char out[BFILTER_OUT_MIN];
	struct bfilter_io io = {in, strlen(in), out, sizeof(out)};
	void *self;

	setup();
	self = filter(end);
	ck_assert_int_eq(
	    substitute_ops.step(self, &io, BFILTER_FLUSH), BFILTER_OK);
	ck_assert_uint_eq(sizeof(out) - io.out_len, strlen("data: 1\n\n"));
	io.in = "dy>";
	io.in_len = 3;
	ck_assert_int_eq(
	    substitute_ops.step(self, &io, BFILTER_LAST), BFILTER_DONE);
	ck_assert_uint_eq(sizeof(out) - io.out_len, strlen("data: 1\n\nX"));
	substitute_ops.close(self);
	teardown();
}
END_TEST

/* Content full of beginnings of the text that is never there. */
static span
make(void)
{
	static const char *const words[] = {
	    "needle in the haystac", "needle", "n", "ee", "<p>", "\n", "\xc3"};
	static char p[BODY_MAX + sizeof("needle in the haystac")];
	size_t len = draw(BODY_MAX);
	size_t i = 0;

	while (i < len) {
		const char *w = words[draw(NELEMS(words))];

		memcpy(p + i, w, strlen(w));
		i += strlen(w);
	}
	return span_of(p, len);
}

START_TEST(any_chain_of_filters_gives_the_same_bytes)
{
	static const char *const never[] = {"needle in the haystack", "",
	    "needle in the haystac\xff", "no", NULL};
	struct codec_pool *pool = codec_pool_new(POOL, &counters);

	for (uint32_t i = 0; i < CHAINS; i++) {
		enum coding on[CHAIN_MAX];
		uint32_t n = 0;
		uint32_t piece = draw(3) == 0 ? 1 : 1 + draw(5000);
		span in;
		span is;

		setup();
		srand(SEED + i);
		is = in = make();
		for (uint32_t k = 0; k < CHAIN_MAX; k++) {
			enum coding c = codings[draw(NELEMS(codings))];
			uint32_t what = draw(3);

			if (what == 0) {
				is = run(&codec_ops, codec_open(pool, c, 1), is,
				    piece);
				on[n++] = c;
			} else if (what == 1 && n > 0) {
				is = run(&codec_ops,
				    codec_open_decode(pool, on[--n], 0), is,
				    piece);
			} else {
				is = run(
				    &substitute_ops, filter(never), is, piece);
			}
		}
		while (n > 0)
			is = run(&codec_ops,
			    codec_open_decode(pool, on[--n], 0), is, piece);
		ck_assert_msg(span_eq(is, in), "seed %u", SEED + i);
		teardown();
	}
	codec_pool_free(pool);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_text_is_found_across_pieces,
	    what_was_put_in_is_not_searched,
	    the_first_line_that_fits_counts,
	    a_flush_keeps_only_what_may_begin_a_text,
	    any_chain_of_filters_gives_the_same_bytes,
	};

	return unit_run("filter/substitute", tests, NELEMS(tests));
}
