/* fuzz/signed: any text as a query. What is left of it has no argument of a
 * signature, and the text that is signed has as many lines as it must, so that
 * no argument can stand in for two. */
#include "t/fuzz/fuzz.h"
#include "worker/auth/signed.h"

#define PREFIX SPAN_LIT("gh_")
#define LINES 7u
#define SECRET SPAN_LIT("a secret of thirty-two bytes or so")

static void
fuzz_text(const struct signed_url *u, struct arena *a)
{
	struct signed_request r = {
	    SPAN_LIT("HEAD"), SPAN_LIT("test"), SPAN_LIT("/")};
	span text = signed_text(u, &r, a);
	unsigned n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '\n';
	REQUIRE(n == LINES && text.p[text.len - 1] == '\n');
	REQUIRE(!signed_is_by(u, text, SECRET));
	(void)signed_is_over(u, 1, 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct arena_pool pool;
	struct arena arena;
	struct signed_url u;

	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	/* a query is visible ASCII when it comes here */
	if (span_chr(in, '\n') < 0 &&
	    signed_read(in, PREFIX, &arena, &u) == NULL) {
		REQUIRE(signed_is_any(in, PREFIX));
		REQUIRE(!signed_is_any(u.query, PREFIX));
		REQUIRE(u.query.len < in.len && u.expires.len > 0);
		fuzz_text(&u, &arena);
	}
	arena_fini(&arena);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
