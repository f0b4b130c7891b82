/* fuzz/outer: any bytes as Location, Refresh and Set-Cookie of an origin. What
 * changes names us and no server any more, so that a second time changes
 * nothing; nothing else is touched. */
#include "t/fuzz/fuzz.h"

#include "worker/preset/cookie_edit.h"
#include "worker/preset/outer_names.h"

static void
check_twice(struct arena *a, const struct outer_view *v, span in,
    span (*fn)(struct arena *, const struct outer_view *, span))
{
	span once = fn(a, v, in);
	span twice = fn(a, v, once);

	REQUIRE(span_eq(once, twice));
	if (once.p == in.p)
		REQUIRE(once.len == in.len);
}

static void
check_cookie(struct arena *a, const struct outer_view *v, span in)
{
	static const struct cookie_edit none = {.has_paths = false};
	static const struct cookie_edit all = {
	    .has_paths = true,
	    .is_secure = true,
	    .is_httponly = true,
	    .samesite = {"Lax", 3},
	};
	span once = cookie_edit_apply(a, &none, v, in);

	REQUIRE(span_eq(cookie_edit_apply(a, &none, v, once), once));
	REQUIRE(once.len <= in.len || span_chr(in, ';') >= 0);
	once = cookie_edit_apply(a, &all, v, in);
	REQUIRE(span_find(once, SPAN_LIT("; SameSite=Lax")) >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct outer_view v = {
	    .server = SPAN_LIT("app:81"),
	    .scheme = SPAN_LIT("http"),
	    .authority = SPAN_LIT("us.test"),
	};
	struct arena_pool pool;
	struct arena a;

	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	check_twice(&a, &v, in, outer_url);
	check_twice(&a, &v, in, outer_refresh);
	check_cookie(&a, &v, in);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
