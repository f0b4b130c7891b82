/* fuzz/filename: any bytes as a path that a file is found by. What becomes of it
 * leads nowhere but down, and ends no earlier than it is long; a path in its
 * normal form that names a file is read one way. */
#include "common/http/uri.h"
#include "t/fuzz/fuzz.h"
#include "worker/files/files_int.h"

/* No part that is empty (but the last one), "." or "..", or hidden. */
static void
check_name(span name)
{
	span rest = name;
	bool is_first = true;
	span part;

	REQUIRE(name.len < FILES_NAME_MAX && span_chr(name, '\0') < 0);
	while (span_cut(&rest, '/', &part)) {
		REQUIRE(part.len > 0 || rest.p == NULL);
		REQUIRE(part.len == 0 || part.p[0] != '.' ||
			(is_first && span_eq(part, SPAN_LIT(".well-known"))));
		is_first = false;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	char *plain = malloc(in.len + 1);
	struct arena_pool pool;
	struct arena a;
	size_t len;
	span name;

	REQUIRE(plain != NULL);
	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	name = files_name(&a, in);
	if (name.p != NULL)
		check_name(name);
	if (uri_normalize_path(in, plain, &len) != URI_PATH_AMBIGUOUS) {
		name = files_name(&a, span_of(plain, len));
		if (name.p != NULL)
			check_name(name);
	}
	arena_fini(&a);
	arena_pool_fini(&pool);
	free(plain);
	fuzz_free(in);
	return 0;
}
