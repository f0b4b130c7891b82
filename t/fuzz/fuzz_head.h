/* fuzz/fuzz_head: what requests and responses have in common. */
#ifndef GH_FUZZ_HEAD_H
#define GH_FUZZ_HEAD_H

#include "common/http/chars.h"
#include "common/http/h1.h"
#include "t/fuzz/fuzz.h"

static const struct h1_limits fuzz_limits = {256, 1024, 24};

/* Scan all bytes at once and one by one: the same answer. */
static inline enum h1_rc
fuzz_scan(struct h1_scan *whole, enum h1_kind kind, span in)
{
	enum h1_rc want = h1_scan(whole, kind, in, &fuzz_limits);
	enum h1_rc rc = H1_MORE;
	struct h1_scan s = {.at = 0};

	for (size_t n = 0; n <= in.len && rc == H1_MORE; n++)
		rc = h1_scan(&s, kind, span_first(in, n), &fuzz_limits);
	REQUIRE(rc == want);
	REQUIRE(s.bad == whole->bad);
	REQUIRE((rc == H1_BAD) == (s.bad != H1_BAD_NONE));
	REQUIRE(rc != H1_OK || s.at == whole->at);
	REQUIRE(s.skipped == whole->skipped && s.at <= in.len);
	REQUIRE(rc != H1_OK || s.at - s.skipped <= fuzz_limits.head_max);
	return rc;
}

static inline bool
fuzz_is_within(span s, span head)
{
	return s.len == 0 ||
	       (s.p >= head.p && s.p + s.len <= head.p + head.len);
}

/* No field holds what would be another line for somebody. */
static inline void
fuzz_check_fields(const struct http_fields *f, span head)
{
	REQUIRE(f->n <= fuzz_limits.fields_max);
	fields_foreach(fld, f)
	{
		REQUIRE(chars_all(fld->name, CHAR_TOKEN));
		REQUIRE(
		    fld->value.len == 0 || chars_all(fld->value, CHAR_VALUE));
		REQUIRE(fld->value.len == 0 ||
			(!char_is_blank(fld->value.p[0]) &&
			    !char_is_blank(fld->value.p[fld->value.len - 1])));
		REQUIRE(fuzz_is_within(fld->name, head));
		REQUIRE(fuzz_is_within(fld->value, head));
		REQUIRE(fld->id == field_lookup(fld->name));
	}
}

static inline void
fuzz_check_same_fields(const struct http_fields *a, const struct http_fields *b)
{
	REQUIRE(a->n == b->n);
	for (uint32_t i = 0; i < a->n; i++) {
		REQUIRE(a->at[i].id == b->at[i].id);
		REQUIRE(span_eq(a->at[i].name, b->at[i].name));
		REQUIRE(span_eq(a->at[i].value, b->at[i].value));
	}
}

#endif
