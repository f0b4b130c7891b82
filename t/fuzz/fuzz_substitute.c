/* fuzz/substitute: the first byte is the length of pieces, lines `FROM=TO` up to
 * an empty one follow, the rest is content. However it is cut and flushed, what
 * comes out is what the plainest search gives. */
#include "t/fuzz/fuzz.h"

#include "common/base/num.h"
#include "worker/filter/substitute.h"

#define LINES_MAX 8
#define OUT_MAX (32u * 1024)

static struct substitute lines[LINES_MAX];
static const struct substitute *at[LINES_MAX];

/* The lines of the input; what is left of it is content. */
static uint32_t
read_lines(span *in)
{
	uint32_t n = 0;
	span line;

	while (span_cut(in, '\n', &line) && line.len > 0) {
		ptrdiff_t eq = span_chr(line, '=');

		if (eq <= 0 || eq > SUBSTITUTE_FROM_MAX || n == LINES_MAX)
			continue;
		lines[n].from = span_first(line, (size_t)eq);
		lines[n].to = span_from(line, (size_t)eq + 1);
		at[n] = &lines[n];
		n++;
	}
	return n;
}

static const struct substitute *
fits(uint32_t n, span rest)
{
	for (uint32_t i = 0; i < n; i++)
		if (span_starts(rest, lines[i].from))
			return &lines[i];
	return NULL;
}

static size_t
plain(uint32_t n, span in, char *out)
{
	size_t len = 0;

	while (in.len > 0 && len < OUT_MAX) {
		const struct substitute *line = fits(n, in);
		span add = line != NULL ? line->to : span_first(in, 1);

		add = span_first(add, size_min(add.len, OUT_MAX - len));
		if (add.len > 0)
			memcpy(out + len, add.p, add.len);
		len += add.len;
		in = span_from(in, line != NULL ? line->from.len : 1);
	}
	return len;
}

/* At most OUT_MAX bytes of what the filter makes. */
static size_t
streamed(void *self, size_t piece, span in, char *out)
{
	enum bfilter_rc rc = BFILTER_OK;
	size_t len = 0;
	uint32_t step = 0;

	while (rc != BFILTER_DONE && len + BFILTER_OUT_MIN <= OUT_MAX) {
		span part = span_first(in, size_min(piece, in.len));
		enum bfilter_how how = part.len == in.len ? BFILTER_LAST
				       : step++ % 3 == 0  ? BFILTER_FLUSH
							  : BFILTER_RUN;
		span own = fuzz_dup(part);
		struct bfilter_io io = {
		    own.p, own.len, out + len, BFILTER_OUT_MIN};

		rc = substitute_ops.step(self, &io, how);
		REQUIRE(rc != BFILTER_OK ||
			(io.in_len == 0 && how != BFILTER_LAST));
		REQUIRE(rc != BFILTER_FULL || io.out_len == 0);
		REQUIRE(rc != BFILTER_BAD);
		in = span_from(in, part.len - io.in_len);
		len += BFILTER_OUT_MIN - io.out_len;
		fuzz_free(own);
	}
	substitute_ops.close(self);
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena_pool pool;
	struct arena a;
	char *want = malloc(OUT_MAX);
	char *got = malloc(OUT_MAX);
	size_t len;
	span in;
	span rest;
	uint32_t n;

	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	in = fuzz_dup(span_of((const char *)data, size));
	rest = size > 0 ? span_from(in, 1) : in;
	n = read_lines(&rest);
	if (n > 0) {
		len = streamed(substitute_open(&a, at, n),
		    (size_t)(unsigned char)in.p[0] + 1, rest, got);
		REQUIRE(plain(n, rest, want) >= len);
		REQUIRE(memcmp(got, want, len) == 0);
		REQUIRE(len + BFILTER_OUT_MIN > OUT_MAX ||
			plain(n, rest, want) == len);
	}
	fuzz_free(in);
	free(want);
	free(got);
	arena_fini(&a);
	arena_pool_fini(&pool);
	return 0;
}
