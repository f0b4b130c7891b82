/* Members of Cache-Status: RFC 9211. */
#include <check.h>

#include "common/base/check.h"
#include "common/http/cachestatus.h"
#include "t/unit/unit.h"

START_TEST(members_are_written_as_structured_fields)
{
	static const struct {
		struct cache_status s;
		const char *want;
	} rows[] = {
	    {{.name = {"gatehouse", 9}}, "gatehouse"},
	    {{.name = {"gatehouse", 9}, .is_hit = true}, "gatehouse; hit"},
	    {{.name = {"a b", 3}, .is_hit = true}, "\"a b\"; hit"},
	    {{.name = {"9\"", 2}, .is_hit = true}, "\"9\\\"\"; hit"},
	    {{.name = {"g", 1}, .is_hit = true, .has_ttl = true, .ttl_s = 545},
		"g; hit; ttl=545"},
	    {{.name = {"g", 1}, .is_hit = true, .has_ttl = true, .ttl_s = -412},
		"g; hit; ttl=-412"},
	    {{.name = {"g", 1}, .is_hit = true, .has_ttl = true, .ttl_s = 0},
		"g; hit; ttl=0"},
	    {{.name = {"g", 1},
		 .is_hit = true,
		 .has_ttl = true,
		 .ttl_s = INT64_MAX},
		"g; hit; ttl=999999999999999"},
	    {{.name = {"g", 1},
		 .is_hit = true,
		 .has_ttl = true,
		 .ttl_s = INT64_MIN},
		"g; hit; ttl=-999999999999999"},
	    {{.name = {"g", 1}, .fwd = CACHE_FWD_BYPASS}, "g; fwd=bypass"},
	    {{.name = {"g", 1}, .fwd = CACHE_FWD_METHOD}, "g; fwd=method"},
	    {{.name = {"g", 1}, .fwd = CACHE_FWD_VARY_MISS},
		"g; fwd=vary-miss"},
	    {{.name = {"g", 1}, .fwd = CACHE_FWD_MISS}, "g; fwd=miss"},
	    {{.name = {"g", 1}, .fwd = CACHE_FWD_REQUEST}, "g; fwd=request"},
	    {{.name = {"g", 1}, .fwd = CACHE_FWD_PARTIAL}, "g; fwd=partial"},
	    {{.name = {"g", 1},
		 .fwd = CACHE_FWD_STALE,
		 .fwd_status = 304,
		 .has_ttl = true,
		 .ttl_s = 60},
		"g; fwd=stale; fwd-status=304; ttl=60"},
	    {{.name = {"g", 1},
		 .fwd = CACHE_FWD_URI_MISS,
		 .fwd_status = 200,
		 .is_stored = true,
		 .is_collapsed = true,
		 .has_ttl = true,
		 .ttl_s = 5,
		 .key = {"http://h/\"", 10},
		 .detail = {"no-store", 8}},
		"g; fwd=uri-miss; fwd-status=200; stored; collapsed; ttl=5; "
		"key=\"http://h/\\\"\"; detail=no-store"},
	    /* what belongs to forwarding is not told of a hit */
	    {{.name = {"g", 1},
		 .is_hit = true,
		 .fwd_status = 200,
		 .is_stored = true,
		 .is_collapsed = true},
		"g; hit"},
	    {{.name = {"g", 1}, .is_hit = true, .detail = {"a b", 3}},
		"g; hit; detail=\"a b\""},
	    /* a key is a String always; what cannot be one is left out */
	    {{.name = {"g", 1}, .is_hit = true, .key = {"k", 1}},
		"g; hit; key=\"k\""},
	    {{.name = {"g", 1},
		 .is_hit = true,
		 .key = {"\xc3\xbc", 2},
		 .detail = {"x", 1}},
		"g; hit; detail=x"},
	    {{.name = {"g", 1}, .is_hit = true, .key = {"a\nb", 3}}, "g; hit"},
	    {{.name = {"", 0}, .is_hit = true}, ""},
	    {{.name = {"\xff", 1}, .is_hit = true}, ""},
	};
	char out[256];

	for (size_t i = 0; i < NELEMS(rows); i++) {
		size_t len = cachestatus_write(&rows[i].s, out, sizeof(out));

		ck_assert_span_eq(span_of(out, len), rows[i].want);
	}
}
END_TEST

/* Text that has no room is left out, the rest is whole or nothing. */
START_TEST(members_are_never_cut)
{
	static const struct cache_status s = {.name = {"gatehouse", 9},
	    .fwd = CACHE_FWD_STALE,
	    .fwd_status = 200,
	    .is_stored = true,
	    .has_ttl = true,
	    .ttl_s = 60,
	    .key = {"key", 3},
	    .detail = {"detail", 6}};
	static const char bare[] =
	    "gatehouse; fwd=stale; fwd-status=200; stored; ttl=60";
	static const char whole[] =
	    "gatehouse; fwd=stale; fwd-status=200; stored; ttl=60; "
	    "key=\"key\"; detail=detail";
	char out[sizeof(whole)];

	for (size_t cap = 0; cap < sizeof(whole); cap++) {
		size_t len = cachestatus_write(&s, out, cap);

		ck_assert_uint_le(len, cap);
		if (cap < sizeof(bare) - 1)
			ck_assert_uint_eq(len, 0);
		else
			ck_assert(
			    span_starts(span_of(out, len), SPAN_LIT(bare)));
		if (cap == sizeof(whole) - 1)
			ck_assert_span_eq(span_of(out, len), whole);
		if (cap == sizeof(bare) - 1 + sizeof("; key=\"key\"") - 2)
			ck_assert_span_eq(span_of(out, len), bare);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    members_are_written_as_structured_fields,
	    members_are_never_cut,
	};

	return unit_run("cachestatus", tests, NELEMS(tests));
}
