/* fuzz/jwt: any text as a token, as a set of keys, and as both: the set up to
 * the first end of a line, the token behind it. What is read is bounded and
 * points where it should; verifying anything ends. */
#include "t/fuzz/fuzz.h"
#include "worker/auth/auth_json.h"
#include "worker/auth/jwt.h"

static void
fuzz_token(span in, const struct jwt_keys *keys, struct arena *a)
{
	struct jwt t;

	if (!jwt_read(in, a, &t))
		return;
	REQUIRE(t.alg < JWT_ALGS && in.len <= JWT_LEN_MAX);
	REQUIRE(t.signed_part.p == in.p && t.signed_part.len < in.len);
	json_decref(auth_json_read(t.claims));
	(void)jwt_verify(&t, keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct arena_pool pool;
	struct arena arena;
	struct jwt_keys keys;
	span rest = in;
	span set;

	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	jwt_keys_init(&keys);
	(void)span_cut(&rest, '\n', &set);
	(void)jwt_keys_read(&keys, &arena, set);
	fuzz_token(in, &keys, &arena);
	if (rest.p != NULL)
		fuzz_token(rest, &keys, &arena);
	jwt_keys_fini(&keys);
	arena_fini(&arena);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
