/* fuzz/coding: the first byte says what the rest is. Accept-Encoding: a wish is
 * chosen that nothing beats, and lines are one list. Else coded content, in the
 * pieces that the second byte says: however it is cut, the same comes of it, and
 * never more than is allowed. */
#include "t/fuzz/fuzz.h"

#include "common/base/num.h"
#include "common/shm/counters.h"
#include "worker/filter/codec.h"

#define OUT_MAX (256u * 1024)
#define POOL (256u << 20)
#define Q_ONE 1000

static struct counter_set counters;

static void
fuzz_accept(span text)
{
	static const uint8_t order[] = {CODING_BR, CODING_ZSTD, CODING_GZIP};
	struct arena_pool pool;
	struct arena a;
	struct http_fields lines;
	struct http_fields joined;
	struct coding_wishes w;
	struct coding_wishes v;
	enum coding c;
	span line;
	char *all = memcpy(malloc(text.len + 1), text.p, text.len);
	span one = span_of(all, text.len);

	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	fields_init(&lines, &a, 4);
	fields_init(&joined, &a, 1);
	while (span_cut(&text, '\n', &line))
		fields_add_id(&lines, &a, FIELD_ACCEPT_ENCODING, line);
	for (size_t i = 0; i < one.len; i++)
		if (all[i] == '\n')
			all[i] = ',';
	fields_add_id(&joined, &a, FIELD_ACCEPT_ENCODING, one);
	coding_wishes_read(&lines, &w);
	coding_wishes_read(&joined, &v);
	REQUIRE(memcmp(&w, &v, sizeof(w)) == 0);
	c = coding_choose(&w, order, NELEMS(order));
	REQUIRE(c == CODING_IDENTITY || w.q[c] > 0);
	for (size_t i = 0; i < NELEMS(order); i++)
		REQUIRE(w.q[order[i]] <= Q_ONE && w.q[order[i]] <= w.q[c]);
	arena_fini(&a);
	arena_pool_fini(&pool);
	free(all);
}

/* All of `in` through a filter. false: it was refused. */
static bool
run(void *self, span in, size_t piece, char *out, size_t *len)
{
	enum bfilter_rc rc = BFILTER_OK;

	*len = 0;
	while (rc == BFILTER_OK || rc == BFILTER_FULL) {
		size_t n = size_min(piece, in.len);
		struct bfilter_io io = {in.p, n, out + *len, 4096};

		rc = codec_ops.step(
		    self, &io, n == in.len ? BFILTER_LAST : BFILTER_RUN);
		REQUIRE(rc != BFILTER_OK || (io.in_len == 0 && n < in.len));
		REQUIRE(rc != BFILTER_FULL || io.out_len == 0);
		in = span_from(in, n - io.in_len);
		*len += 4096 - io.out_len;
		REQUIRE(*len <= OUT_MAX + 4096);
	}
	codec_ops.close(self);
	return rc == BFILTER_DONE;
}

static void
fuzz_decode(enum coding c, size_t piece, span in)
{
	struct codec_pool *p = codec_pool_new(POOL, &counters);
	char *a = malloc(OUT_MAX + 8192);
	char *b = malloc(4 * OUT_MAX);
	size_t a_len;
	size_t b_len;
	bool ok =
	    run(codec_open_decode(p, c, OUT_MAX), in, in.len + 1, a, &a_len);

	REQUIRE(
	    run(codec_open_decode(p, c, OUT_MAX), in, piece, b, &b_len) == ok);
	if (ok) {
		REQUIRE(a_len == b_len && memcmp(a, b, a_len) == 0);
		REQUIRE(a_len <= OUT_MAX);
	}
	codec_pool_free(p);
	free(a);
	free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum coding codings[] = {
	    CODING_GZIP, CODING_BR, CODING_ZSTD};
	span in;

	if (size < 2)
		return 0;
	in = fuzz_dup(span_of((const char *)data + 2, size - 2));
	if (data[0] % 4 == 3)
		fuzz_accept(in);
	else if (codec_is_built(codings[data[0] % 4]))
		fuzz_decode(codings[data[0] % 4], (size_t)data[1] + 1, in);
	fuzz_free(in);
	return 0;
}
