/* fuzz/quota: any bytes as a file of quotas. What is accepted is written again
 * as it was, byte by byte. */
#include "common/store/quota_file.h"
#include "t/fuzz/fuzz.h"

struct kept {
	struct quota *all;
	uint32_t n;
};

static void
keep(void *self, const struct quota *q)
{
	struct kept *k = self;

	REQUIRE(k->n < QUOTAS_MAX && q->len > 0 && q->len <= QUOTA_NAME_MAX);
	REQUIRE(q->day >= 0 && q->used <= QUOTA_USED_MAX);
	k->all[k->n++] = *q;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct kept k = {calloc(QUOTAS_MAX, sizeof(*k.all)), 0};
	uint32_t line;

	REQUIRE(k.all != NULL);
	if (quota_file_read(in, keep, &k, &line) == NULL) {
		size_t len;
		char *p = quota_file_write(k.all, k.n, &len);

		REQUIRE(span_eq(span_of(p, len), in));
		free(p);
	} else {
		REQUIRE(k.n == 0 && (line > 0 || in.len > QUOTA_FILE_MAX));
	}
	free(k.all);
	fuzz_free(in);
	return 0;
}
