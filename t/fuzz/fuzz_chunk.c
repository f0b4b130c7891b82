/* fuzz/chunk: the first byte says whether extensions are allowed and how the
 * rest is cut, the rest is a chunked body. All cuts give the same content, and
 * content that is coded again is decoded to itself. */
#include "common/http/h1.h"
#include "t/fuzz/fuzz.h"

struct decoded {
	char *content;
	size_t len;
	size_t used;
	enum h1_chunk_rc rc;
};

/* Decode in pieces of at most `piece` bytes. */
static void
decode(struct decoded *d, bool may_have_ext, span in, size_t piece)
{
	struct h1_chunk c = {.may_have_ext = may_have_ext};

	*d = (struct decoded){.rc = H1_CHUNK_MORE};
	d->content = malloc(in.len > 0 ? in.len : 1);
	REQUIRE(d->content != NULL);
	while (d->used < in.len &&
	       (d->rc == H1_CHUNK_MORE || d->rc == H1_CHUNK_DATA)) {
		span part = span_first(span_from(in, d->used), piece);
		span data;
		size_t used;

		d->rc = h1_chunk_step(&c, part, &used, &data);
		REQUIRE(used <= part.len);
		REQUIRE(d->rc != H1_CHUNK_MORE || used == part.len);
		d->used += used;
		if (d->rc != H1_CHUNK_DATA)
			continue;
		REQUIRE(data.len > 0 && data.p >= part.p &&
			data.p + data.len == part.p + used);
		memcpy(d->content + d->len, data.p, data.len);
		d->len += data.len;
	}
}

static void
check_same(const struct decoded *a, const struct decoded *b)
{
	bool is_open_a = a->rc == H1_CHUNK_MORE || a->rc == H1_CHUNK_DATA;
	bool is_open_b = b->rc == H1_CHUNK_MORE || b->rc == H1_CHUNK_DATA;

	REQUIRE(a->rc == b->rc || (is_open_a && is_open_b));
	REQUIRE(a->used == b->used && a->len == b->len);
	REQUIRE(memcmp(a->content, b->content, a->len) == 0);
}

static void
check_coded_again(const struct decoded *d)
{
	size_t cap = d->len + H1_CHUNK_LINE_CAP + sizeof("\r\n0\r\n");
	char *out = malloc(cap);
	struct decoded again;
	size_t n = 0;

	REQUIRE(out != NULL);
	if (d->len > 0) {
		n = h1_chunk_line(d->len, out);
		memcpy(out + n, d->content, d->len);
		n += d->len;
		memcpy(out + n, "\r\n", 2);
		n += 2;
	}
	memcpy(out + n, "0\r\n", 3);
	n += 3;
	decode(&again, false, span_of(out, n), SIZE_MAX);
	REQUIRE(again.rc == H1_CHUNK_LAST && again.used == n);
	REQUIRE(again.len == d->len &&
		memcmp(again.content, d->content, d->len) == 0);
	free(again.content);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoded whole, parts, bytes;
	bool may_have_ext;
	span in;

	if (size == 0)
		return 0;
	may_have_ext = (data[0] & 1) != 0;
	in = fuzz_dup(span_of((const char *)data + 1, size - 1));
	decode(&whole, may_have_ext, in, SIZE_MAX);
	decode(&parts, may_have_ext, in, (data[0] >> 1) + 1);
	decode(&bytes, may_have_ext, in, 1);
	check_same(&whole, &parts);
	check_same(&whole, &bytes);
	REQUIRE(whole.len <= in.len);
	if (whole.rc == H1_CHUNK_LAST)
		check_coded_again(&whole);
	free(whole.content);
	free(parts.content);
	free(bytes.content);
	fuzz_free(in);
	return 0;
}
