/* Unit tests of filter/codec: what is coded comes back, however it is cut. */
#include <malloc.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/shm/counters.h"
#include "t/unit/unit.h"
#include "worker/filter/codec.h"

#define ROOM (2u << 20)
#define POOL (256u << 20)
#define SEED 4711
#define TEXT_LEN 100000
#define CHAINS 80
#define STEP 13
#define CHAIN_MAX 4
#define CHAIN_TEXT 20000

static struct counter_set counters;
/* Those that are built: a gatehouse may be made without some. */
static enum coding codings[CODING_N];
static uint32_t n_codings;
/* And those with a dictionary. */
static enum coding with_dictionary[CODING_N];
static uint32_t n_with_dictionary;

/* Bytes in memory of their own. */
struct bytes {
	char *p;
	size_t len;
};

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)rand() % below;
}

/* Text that is worth coding, zeros, or noise. */
static struct bytes
make(size_t len, int kind)
{
	static const char *const words[] = {"gate", "house ", "<div>", "\n",
	    "lorem ", "ipsum", "0123", "{\"key\": "};
	struct bytes b = {calloc(1, len + 16), len};

	for (size_t i = 0; i < len && kind == 0;) {
		const char *w = words[draw(NELEMS(words))];

		memcpy(b.p + i, w, size_min(strlen(w), len - i));
		i += strlen(w);
	}
	for (size_t i = 0; i < len && kind == 2; i++)
		b.p[i] = (char)draw(256);
	return b;
}

/* How a test cuts: input of at most in_max bytes, output of at most out_max. */
struct cut {
	size_t in_max;
	size_t out_max;
	bool is_random;
	uint32_t flush_one_in; /* steps; 0: never */
};

static size_t
cut_len(const struct cut *c, size_t max)
{
	return c->is_random ? 1 + draw((uint32_t)max) : max;
}

/* All of `in` through a filter, which is closed. false: it was refused. */
static bool
run(void *self, struct bytes in, const struct cut *c, struct bytes *out)
{
	size_t at = 0;
	enum bfilter_rc rc = BFILTER_OK;

	*out = (struct bytes){malloc(ROOM), 0};
	while (rc == BFILTER_OK || rc == BFILTER_FULL) {
		size_t n = size_min(cut_len(c, c->in_max), in.len - at);
		size_t room = u64_max(cut_len(c, c->out_max), BFILTER_OUT_MIN);
		enum bfilter_how how =
		    at + n == in.len ? BFILTER_LAST
		    : c->flush_one_in > 0 && draw(c->flush_one_in) == 0
			? BFILTER_FLUSH
			: BFILTER_RUN;
		struct bfilter_io io = {in.p + at, n, out->p + out->len, room};

		ck_assert_uint_le(out->len + room, ROOM);
		rc = codec_ops.step(self, &io, how);
		at += n - io.in_len;
		out->len += room - io.out_len;
		if (rc == BFILTER_OK)
			ck_assert_uint_eq(io.in_len, 0);
		if (rc == BFILTER_FULL)
			ck_assert_uint_eq(io.out_len, 0);
		ck_assert(rc != BFILTER_OK || how != BFILTER_LAST);
	}
	codec_ops.close(self);
	return rc == BFILTER_DONE;
}

static void
check_round(struct codec_pool *p, enum coding c, int level, struct bytes in,
    const struct cut *cut)
{
	struct bytes coded;
	struct bytes plain;

	ck_assert(run(codec_open(p, c, level), in, cut, &coded));
	ck_assert(run(codec_open_decode(p, c, 0), coded, cut, &plain));
	ck_assert_uint_eq(plain.len, in.len);
	ck_assert(memcmp(plain.p, in.p, in.len) == 0);
	free(coded.p);
	free(plain.p);
}

START_TEST(every_coding_bears_one_byte_pieces)
{
	static const struct cut cut = {1, BFILTER_OUT_MIN, false, 0};
	static const size_t lens[] = {0, 1, 2, 1000, TEXT_LEN};
	struct codec_pool *p = codec_pool_new(POOL, &counters);

	for (size_t i = 0; i < n_codings; i++)
		for (size_t k = 0; k < NELEMS(lens); k++) {
			struct bytes in = make(lens[k], 0);

			check_round(p, codings[i],
			    codec_levels(codings[i]).usual, in, &cut);
			free(in.p);
		}
	codec_pool_free(p);
}
END_TEST

START_TEST(every_level_gives_back_what_it_got)
{
	static const struct cut cut = {16384, 16384, false, 7};
	struct codec_pool *p = codec_pool_new(POOL, &counters);

	for (size_t i = 0; i < n_codings; i++) {
		struct codec_levels of = codec_levels(codings[i]);

		for (int l = of.least; l <= of.most; l++)
			for (int kind = 0; kind < 3; kind++) {
				struct bytes in = make(TEXT_LEN, kind);

				check_round(p, codings[i], l, in, &cut);
				free(in.p);
			}
	}
	codec_pool_free(p);
}
END_TEST

/* What was flushed can be read, all of it, before anything else comes. */
START_TEST(a_flush_holds_nothing_back)
{
	static const char *const parts[] = {
	    "data: one\n\n", "data: two\n\n", "data: and three\n\n"};
	struct codec_pool *p = codec_pool_new(POOL, &counters);

	for (size_t i = 0; i < n_codings; i++) {
		void *e =
		    codec_open(p, codings[i], codec_levels(codings[i]).usual);
		void *d = codec_open_decode(p, codings[i], 0);

		for (size_t k = 0; k < NELEMS(parts); k++) {
			char coded[1024];
			char plain[1024];
			struct bfilter_io in = {
			    parts[k], strlen(parts[k]), coded, sizeof(coded)};
			struct bfilter_io out = {
			    coded, 0, plain, sizeof(plain)};

			ck_assert_int_eq(
			    codec_ops.step(e, &in, BFILTER_FLUSH), BFILTER_OK);
			out.in_len = sizeof(coded) - in.out_len;
			ck_assert_int_eq(
			    codec_ops.step(d, &out, BFILTER_RUN), BFILTER_OK);
			ck_assert_uint_eq(
			    sizeof(plain) - out.out_len, strlen(parts[k]));
			ck_assert(
			    memcmp(plain, parts[k], strlen(parts[k])) == 0);
		}
		codec_ops.close(e);
		codec_ops.close(d);
	}
	codec_pool_free(p);
}
END_TEST

START_TEST(any_chain_gives_the_bytes_of_none)
{
	struct codec_pool *p = codec_pool_new(POOL, &counters);

	for (int i = 0; i < CHAINS && n_codings > 0; i++) {
		struct cut cut = {
		    1 + draw(5000), 1 + draw(5000), true, draw(5)};
		struct bytes in = make(draw(CHAIN_TEXT), (int)draw(3));
		struct bytes at[2 * CHAIN_MAX + 1] = {in};
		enum coding chain[CHAIN_MAX];
		uint32_t n = 1 + draw(CHAIN_MAX);
		uint32_t k = 0;

		for (uint32_t m = 0; m < n; m++, k++) {
			chain[m] = codings[draw(n_codings)];
			ck_assert(run(codec_open(p, chain[m],
					  codec_levels(chain[m]).least),
			    at[k], &cut, &at[k + 1]));
		}
		for (uint32_t m = n; m > 0; m--, k++)
			ck_assert(run(codec_open_decode(p, chain[m - 1], 0),
			    at[k], &cut, &at[k + 1]));
		ck_assert_uint_eq(at[k].len, in.len);
		ck_assert(memcmp(at[k].p, in.p, in.len) == 0);
		for (; k > 0; k--)
			free(at[k].p);
		free(in.p);
	}
	codec_pool_free(p);
}
END_TEST

/* --- what is not right ---------------------------------------------------- */

START_TEST(a_truncated_stream_is_refused)
{
	static const struct cut cut = {100, 16384, false, 0};
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct bytes in = make(5000, 0);

	for (size_t i = 0; i < n_codings; i++) {
		struct bytes coded;
		struct bytes plain;

		ck_assert(run(codec_open(p, codings[i], 1), in, &cut, &coded));
		for (size_t len = 1; len < coded.len; len += STEP) {
			struct bytes part = {coded.p, len};

			ck_assert(!run(codec_open_decode(p, codings[i], 0),
			    part, &cut, &plain));
			free(plain.p);
		}
		free(coded.p);
	}
	free(in.p);
	codec_pool_free(p);
}
END_TEST

START_TEST(what_follows_the_end_is_refused)
{
	static const struct cut cut = {100, 16384, false, 0};
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct bytes in = make(500, 0);

	for (size_t i = 0; i < n_codings; i++) {
		struct bytes coded;
		struct bytes plain;

		ck_assert(run(codec_open(p, codings[i], 1), in, &cut, &coded));
		memcpy(coded.p + coded.len, "junk!", 5);
		coded.len += 5;
		ck_assert(!run(
		    codec_open_decode(p, codings[i], 0), coded, &cut, &plain));
		free(plain.p);
		free(coded.p);
	}
	free(in.p);
	codec_pool_free(p);
}
END_TEST

START_TEST(members_of_gzip_and_frames_of_zstd_follow_each_other)
{
	static const struct cut cut = {1, 16384, false, 0};
	static const enum coding of[] = {CODING_GZIP, CODING_ZSTD};
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct bytes in = make(500, 0);

	for (size_t i = 0; i < NELEMS(of); i++) {
		struct bytes coded;
		struct bytes plain;

		if (!codec_is_built(of[i]))
			continue;
		ck_assert(run(codec_open(p, of[i], 1), in, &cut, &coded));
		memcpy(coded.p + coded.len, coded.p, coded.len);
		coded.len *= 2;
		ck_assert(
		    run(codec_open_decode(p, of[i], 0), coded, &cut, &plain));
		ck_assert_uint_eq(plain.len, 2 * in.len);
		free(plain.p);
		free(coded.p);
	}
	free(in.p);
	codec_pool_free(p);
}
END_TEST

START_TEST(a_bomb_is_cut_off)
{
	static const struct cut cut = {16384, 16384, false, 0};
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct bytes in = make(1u << 20, 1);

	for (size_t i = 0; i < n_codings; i++) {
		struct bytes coded;
		struct bytes plain;

		ck_assert(run(codec_open(p, codings[i], 1), in, &cut, &coded));
		ck_assert(!run(codec_open_decode(p, codings[i], in.len - 1),
		    coded, &cut, &plain));
		ck_assert_uint_lt(plain.len, in.len + 16384);
		free(plain.p);
		ck_assert(run(codec_open_decode(p, codings[i], in.len), coded,
		    &cut, &plain));
		free(plain.p);
		free(coded.p);
	}
	free(in.p);
	codec_pool_free(p);
}
END_TEST

/* --- memory --------------------------------------------------------------- */

static size_t
in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Feed it, and tell what it has taken at most. */
static size_t
peak_of(void *self, struct bytes in, size_t before)
{
	char out[16384];
	size_t peak = 0;

	for (size_t at = 0; at < in.len;) {
		struct bfilter_io io = {
		    in.p + at, size_min(16384, in.len - at), out, sizeof(out)};
		size_t n = io.in_len;

		ck_assert_int_ne(
		    codec_ops.step(self, &io, BFILTER_RUN), BFILTER_BAD);
		at += n - io.in_len;
		if (in_use() > before && in_use() - before > peak)
			peak = in_use() - before;
	}
	return peak;
}

START_TEST(no_filter_takes_more_than_is_stated)
{
	for (size_t i = 0; i < n_codings; i++) {
		struct codec_levels of = codec_levels(codings[i]);

		for (int kind = 0; kind < 3; kind += 2) {
			struct bytes in = make(1u << 19, kind);

			for (int l = of.least; l <= of.most; l++) {
				struct codec_pool *p =
				    codec_pool_new(POOL, &counters);
				size_t before = in_use();
				void *self = codec_open(p, codings[i], l);

				ck_assert_uint_le(peak_of(self, in, before),
				    codec_memory(codings[i], l));
				codec_ops.close(self);
				codec_pool_free(p);
			}
			free(in.p);
		}
	}
}
END_TEST

/* --- dictionaries --------------------------------------------------------- */

#define HASH_LEN 32

static struct codec_dict *
load(struct codec_pool *p, enum coding c, struct bytes text, int level,
    unsigned char number)
{
	unsigned char hash[HASH_LEN] = {number};

	return codec_dict_load(p, c, level, hash, span_of(text.p, text.len));
}

/* One of `text` in that level, ready and in use. */
static void
check_memory(enum coding c, int level, struct bytes text)
{
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	size_t before = in_use();
	struct codec_dict *d = load(p, c, text, level, 1);
	size_t counted = codec_pool_used(p);
	void *self;

	ck_assert_ptr_nonnull(d);
	ck_assert_uint_le(in_use() - before, counted);
	before = in_use();
	self = codec_open_with(p, d);
	ck_assert_uint_le(
	    peak_of(self, text, before), codec_pool_used(p) - counted);
	codec_ops.close(self);
	codec_pool_free(p);
}

START_TEST(no_dictionary_takes_more_than_is_counted)
{
	static const size_t lens[] = {
	    8, 1u << 15, 1u << 18, 1u << 20, 2u << 20};

	for (size_t i = 0; i < NELEMS(lens); i++) {
		struct bytes in = make(lens[i], 2);

		for (size_t k = 0; k < n_with_dictionary; k++) {
			enum coding c = with_dictionary[k];
			struct codec_levels of = codec_levels(c);

			for (int l = of.least; l <= of.most; l++)
				check_memory(c, l, in);
		}
		free(in.p);
	}
}
END_TEST

static void
check_making_room(enum coding c, struct bytes in)
{
	int level = codec_levels(c).usual;
	unsigned char hash[HASH_LEN] = {1};
	struct codec_pool *p = codec_pool_new(32u << 20, &counters);
	struct codec_dict *d = load(p, c, in, level, 1);
	void *self = codec_open_with(p, d);

	for (unsigned char n = 2; n < 60; n++)
		ck_assert_ptr_nonnull(load(p, c, in, level, n));
	/* one that is in use stays, and is not loaded again */
	ck_assert_ptr_eq(codec_dict_find(p, c, level, hash), d);
	ck_assert_ptr_null(codec_dict_find(p, c, level + 1, hash));
	ck_assert_ptr_null(codec_dict_find(p, CODING_GZIP, level, hash));
	hash[0] = 2;
	ck_assert_ptr_null(codec_dict_find(p, c, level, hash));
	hash[0] = 59;
	ck_assert_ptr_nonnull(codec_dict_find(p, c, level, hash));
	codec_ops.close(self);
	codec_pool_free(p);
}

/* No room for it, or none beside it. */
static void
check_no_room(enum coding c, struct bytes in)
{
	int level = codec_levels(c).usual;
	struct codec_pool *p = codec_pool_new(1u << 20, &counters);
	struct codec_dict *d;

	ck_assert_ptr_null(load(p, c, in, level, 1));
	ck_assert_uint_eq(codec_pool_used(p), 0);
	codec_pool_free(p);
	p = codec_pool_new(21u << 19, &counters);
	d = load(p, c, in, level, 1);
	ck_assert_ptr_nonnull(d);
	ck_assert_ptr_null(codec_open_with(p, d));
	codec_pool_free(p);
}

START_TEST(dictionaries_make_room_for_each_other)
{
	struct bytes in = make(1u << 20, 2);

	for (size_t k = 0; k < n_with_dictionary; k++) {
		check_making_room(with_dictionary[k], in);
		check_no_room(with_dictionary[k], in);
	}
	free(in.p);
}
END_TEST

/* With its magic number zstd would take it for more than bytes. */
START_TEST(a_dictionary_of_zstds_own_is_none)
{
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct bytes in = make(1000, 2);

	memcpy(in.p, "\x37\xa4\x30\xec", 4);
	for (size_t k = 0; k < n_with_dictionary; k++) {
		enum coding c = with_dictionary[k];
		int level = codec_levels(c).usual;

		ck_assert_int_eq(
		    load(p, c, in, level, 1) == NULL, c == CODING_DCZ);
	}
	codec_pool_free(p);
	free(in.p);
}
END_TEST

static void
check_pieces(enum coding c, struct bytes in)
{
	static const struct cut cuts[] = {
	    {1, 1, false, 0}, {1, 1, false, 7}, {65536, 65536, false, 0}};
	span head = c == CODING_DCZ ? SPAN_LIT("\x5e\x2a\x4d\x18\x20\0\0\0\x09")
				    : SPAN_LIT("\xff\x44\x43\x42\x09");
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct codec_dict *d = load(p, c, in, codec_levels(c).usual, 9);

	for (size_t i = 0; i < NELEMS(cuts); i++) {
		struct bytes out;

		ck_assert(run(codec_open_with(p, d), in, &cuts[i], &out));
		ck_assert_int_eq(memcmp(out.p, head.p, head.len), 0);
		ck_assert_uint_lt(
		    out.len, cuts[i].flush_one_in > 0 ? 8000 : 80);
		free(out.p);
	}
	codec_pool_free(p);
}

START_TEST(a_dictionary_bears_one_byte_pieces)
{
	struct bytes in = make(5000, 0);

	for (size_t k = 0; k < n_with_dictionary; k++)
		check_pieces(with_dictionary[k], in);
	free(in.p);
}
END_TEST

START_TEST(the_pool_lends_no_more_than_it_has)
{
	size_t one = codec_memory(CODING_GZIP, 1);
	struct codec_pool *p = codec_pool_new(2 * one, &counters);
	void *a;
	void *b;

	if (!codec_is_built(CODING_GZIP)) {
		codec_pool_free(p);
		return;
	}
	a = codec_open(p, CODING_GZIP, 1);
	b = codec_open(p, CODING_GZIP, 2);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(codec_open(p, CODING_GZIP, 1));
	ck_assert_uint_eq(codec_pool_used(p), 2 * one);
	codec_ops.close(a);
	/* kept for the next one, and let go where another one is needed */
	ck_assert_uint_eq(codec_pool_used(p), 2 * one);
	a = codec_open(p, CODING_GZIP, 1);
	ck_assert_ptr_nonnull(a);
	codec_ops.close(a);
	a = codec_open(p, CODING_GZIP, 3);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(codec_pool_used(p), 2 * one);
	codec_ops.close(a);
	codec_ops.close(b);
	codec_pool_free(p);
}
END_TEST

START_TEST(a_context_that_was_cut_off_is_as_new)
{
	static const struct cut cut = {1000, 16384, false, 0};
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	struct bytes in = make(TEXT_LEN, 0);

	for (size_t i = 0; i < n_codings; i++) {
		struct bytes first;
		struct bytes again;
		void *self;

		ck_assert(run(codec_open(p, codings[i], 1), in, &cut, &first));
		self = codec_open(p, codings[i], 1);
		(void)peak_of(self, in, 0);
		codec_ops.close(self);
		ck_assert(run(codec_open(p, codings[i], 1), in, &cut, &again));
		ck_assert_uint_eq(again.len, first.len);
		ck_assert(memcmp(again.p, first.p, first.len) == 0);
		free(first.p);
		free(again.p);
	}
	free(in.p);
	codec_pool_free(p);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    every_coding_bears_one_byte_pieces,
	    every_level_gives_back_what_it_got,
	    a_flush_holds_nothing_back,
	    any_chain_gives_the_bytes_of_none,
	    a_truncated_stream_is_refused,
	    what_follows_the_end_is_refused,
	    members_of_gzip_and_frames_of_zstd_follow_each_other,
	    a_bomb_is_cut_off,
	    no_filter_takes_more_than_is_stated,
	    no_dictionary_takes_more_than_is_counted,
	    dictionaries_make_room_for_each_other,
	    a_dictionary_of_zstds_own_is_none,
	    a_dictionary_bears_one_byte_pieces,
	    the_pool_lends_no_more_than_it_has,
	    a_context_that_was_cut_off_is_as_new,
	};

	for (enum coding c = CODING_GZIP; c < CODING_N; c++) {
		if (codec_decodes(c))
			codings[n_codings++] = c;
		if (codec_is_built(c) && coding_has_dictionary(c))
			with_dictionary[n_with_dictionary++] = c;
	}
	srand(SEED);
	return unit_run("filter/codec", tests, NELEMS(tests));
}
