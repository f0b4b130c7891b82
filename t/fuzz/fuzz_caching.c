/* fuzz/caching: any bytes as what decides about caching. The input is the
 * fields of a request, an empty line, and those of a response; each line is
 * read by every small parser as well. */
#include "common/http/cachestatus.h"
#include "common/http/cc.h"
#include "common/http/chars.h"
#include "common/http/conditional.h"
#include "common/http/freshness.h"
#include "common/http/ranges.h"
#include "common/http/sf.h"
#include "common/http/storable.h"
#include "common/http/uri.h"
#include "common/http/vary.h"
#include "t/fuzz/fuzz.h"

#define NOW_S INT64_C(784123200) /* Sun, 06 Nov 1994 12:00:00 GMT */
#define DECIMAL_MAX INT64_C(999999999999999)
#define OUT_CAP 512

/* --- small parsers -------------------------------------------------------- */

static bool
is_within(span s, span in)
{
	return s.len == 0 || (s.p >= in.p && s.p + s.len <= in.p + in.len);
}

static void
check_sf(span in)
{
	struct sf_member m;
	struct sf_dict d;

	sf_dict_init(&d, in);
	while (sf_dict_next(&d, &m) == SF_OK) {
		REQUIRE(m.key.len > 0 && is_within(m.key, in));
		REQUIRE(is_within(m.text, in));
		REQUIRE(m.type <= SF_INNER_LIST);
		REQUIRE(m.number >= -DECIMAL_MAX && m.number <= DECIMAL_MAX);
	}
}

/* What is written can be read, and has no quote that ends it early. */
static void
check_string(span in)
{
	char out[OUT_CAP] = "k=";
	size_t len = sf_write_string(in, out + 2, sizeof(out) - 2);
	struct sf_member m;
	struct sf_dict d;

	if (len == 0)
		return;
	sf_dict_init(&d, span_of(out, len + 2));
	REQUIRE(sf_dict_next(&d, &m) == SF_OK && m.type == SF_STRING);
	REQUIRE(m.text.len + 2 == len);
	REQUIRE(sf_dict_next(&d, &m) == SF_END);
}

static void
check_multipart(const struct ranges *r, uint64_t len)
{
	static const struct multipart shape = {
	    {"boundary", 8}, {"text/plain", 10}, 0};
	struct multipart m = shape;
	char out[OUT_CAP];
	uint64_t sum = 0;

	m.complete_len = len;
	for (unsigned i = 0; i < r->n; i++) {
		size_t n =
		    multipart_head(&m, r->at[i], i == 0, out, sizeof(out));

		REQUIRE(n <= sizeof(out));
		sum += n + range_len(r->at[i]);
	}
	sum += multipart_tail(&m, out, sizeof(out));
	REQUIRE(sum == multipart_len(&m, r));
}

static void
check_ranges(span in, uint64_t len)
{
	struct range joined;
	struct ranges r;

	if (ranges_parse(in, len, &r) != RANGES_OK)
		return;
	REQUIRE(r.n > 0 && r.n <= RANGES_MAX);
	REQUIRE(ranges_total(&r) <= len);
	for (unsigned i = 0; i < r.n; i++) {
		REQUIRE(r.at[i].first <= r.at[i].last && r.at[i].last < len);
		for (unsigned j = 0; j < i; j++)
			REQUIRE(!range_join(r.at[i], r.at[j], &joined));
	}
	check_multipart(&r, len);
}

static void
check_content_range(span in)
{
	struct content_range r, again;
	char out[CONTENT_RANGE_CAP];
	size_t len;

	if (!content_range_parse(in, &r))
		return;
	len = r.is_unsatisfied
		  ? content_range_write_unsatisfied(r.complete_len, out)
		  : content_range_write(r.range, r.complete_len, out);
	REQUIRE(content_range_parse(span_of(out, len), &again));
	REQUIRE(again.is_unsatisfied == r.is_unsatisfied);
	REQUIRE(again.complete_len == r.complete_len);
	REQUIRE(again.range.first == r.range.first);
	REQUIRE(again.range.last == r.range.last);
}

static void
check_tags(span in)
{
	span rest = in;
	struct etag tag, again;

	while (etag_next(&rest, &tag)) {
		REQUIRE(is_within(tag.opaque, in));
		REQUIRE(etag_parse(tag.opaque, &again));
		REQUIRE(etag_is_weak_match(&tag, &again));
		REQUIRE(etag_is_strong_match(&tag, &again) == !tag.is_weak);
	}
}

static void
check_line(span line)
{
	check_sf(line);
	check_string(line);
	check_ranges(line, 0);
	check_ranges(line, 1000);
	check_ranges(line, UINT64_MAX);
	check_content_range(line);
	check_tags(line);
}

/* --- messages ------------------------------------------------------------- */

/* A line as the codecs would let it through. */
static void
add_line(struct http_msg *m, struct arena *a, span line)
{
	ptrdiff_t colon = span_chr(line, ':');
	span value;

	if (colon < 0)
		return;
	value = span_trim(span_from(line, (size_t)colon + 1));
	line = span_first(line, (size_t)colon);
	if (!chars_all(line, CHAR_TOKEN) ||
	    (value.len > 0 && !chars_all(value, CHAR_VALUE)))
		return;
	fields_add(&m->fields, a, line, value);
}

static void
read_messages(
    span in, struct arena *a, struct http_msg *req, struct http_msg *resp)
{
	struct http_msg *m = req;
	span rest = in;
	span line;

	*req = (struct http_msg){.method_text = SPAN_LIT("GET"),
	    .method = METHOD_GET,
	    .scheme = SPAN_LIT("http"),
	    .host = SPAN_LIT("h.test"),
	    .path = SPAN_LIT("/a/b"),
	    .query = SPAN_LIT("c"),
	    .has_query = true};
	*resp = (struct http_msg){.status = 200};
	fields_init(&req->fields, a, 4);
	fields_init(&resp->fields, a, 4);
	while (span_cut(&rest, '\n', &line)) {
		check_line(line);
		if (line.len == 0)
			m = resp;
		else
			add_line(m, a, line);
	}
}

static void
check_directives(const struct http_fields *f)
{
	struct cc cc;

	cc_parse_request(f, &cc);
	REQUIRE((cc.seen | cc.named) >> CC_N == 0);
	(void)cc_parse_response(f, &cc);
	REQUIRE((cc.seen | cc.named) >> CC_N == 0);
	for (unsigned id = 0; id < CC_N; id++)
		REQUIRE(cc.seconds[id] <= CC_SECONDS_MAX);
}

/* A key depends on what it names alone, and names are read as written. */
static void
check_vary(const struct http_msg *req, const struct http_msg *resp)
{
	char key[VARY_KEY_MAX], again[VARY_KEY_MAX];
	char names[VARY_TEXT_MAX];
	struct vary v, copy;
	size_t len, len_again;

	if (!vary_parse(&resp->fields, &v))
		return;
	REQUIRE(v.n <= VARY_NAMES_MAX);
	REQUIRE(vary_parse_text(
	    span_of(names, vary_write_names(&v, names)), &copy));
	REQUIRE(copy.n == v.n);
	if (!vary_key(&v, &req->fields, key, sizeof(key), &len))
		return;
	REQUIRE(
	    vary_key(&copy, &req->fields, again, sizeof(again), &len_again));
	REQUIRE(span_eq(span_of(key, len), span_of(again, len_again)));
	REQUIRE((len == 0) == (v.n == 0));
}

/* Nothing is reused stale that must not be. */
static void
check_reuse(const struct freshness *f, const struct http_msg *req,
    const struct cache_policy *policy)
{
	struct reuse_verdict v;
	struct cc cc;

	cc_parse_request(&req->fields, &cc);
	for (int64_t after_s = 0; after_s < INT64_C(1) << 33;
	     after_s = after_s * 2 + 1) {
		freshness_judge(f, &cc, policy, NOW_S + after_s, &v);
		REQUIRE(v.age_s <= CC_SECONDS_MAX);
		REQUIRE(v.is_stale == (v.age_s >= f->lifetime_s));
		if ((f->flags & (FRESH_MUST_REVALIDATE | FRESH_NO_CACHE)) != 0)
			REQUIRE((v.how != REUSE_HIT || !v.is_stale) &&
				v.how != REUSE_STALE_WHILE_REVALIDATE &&
				!v.may_answer_error && !v.may_answer_lost);
		REQUIRE(v.how != REUSE_HIT || !v.is_stale ||
			cc_has(&cc, CC_MAX_STALE));
		REQUIRE(v.how != REUSE_HIT || !cc_has(&cc, CC_NO_CACHE));
		REQUIRE(
		    v.how != REUSE_TIMEOUT || cc_has(&cc, CC_ONLY_IF_CACHED));
		REQUIRE(v.how != REUSE_MISS);
	}
}

static void
check_store(const struct http_msg *req, const struct http_msg *resp)
{
	static const struct cache_policy policy = {.ttl_s = 5,
	    .heuristic_max_s = 500,
	    .stale_while_revalidate_s = 7,
	    .stores_partial = true};
	struct cache_facts facts = {NOW_S - 1, NOW_S, SPAN_LIT("http")};
	struct freshness f;
	struct cc cc;

	if (storable_judge(req, resp, &policy, &facts, &f) != STORABLE_YES)
		return;
	(void)cc_parse_response(&resp->fields, &cc);
	REQUIRE(!cc_has(&cc, CC_PRIVATE));
	REQUIRE(!cc_has(&cc, CC_NO_STORE) || cc_has(&cc, CC_MUST_UNDERSTAND));
	REQUIRE(f.lifetime_s <= CC_SECONDS_MAX && f.age_s <= CC_SECONDS_MAX);
	REQUIRE(f.stale_if_error_s <= CC_SECONDS_MAX);
	REQUIRE(((f.flags & FRESH_NO_CACHE) != 0) == cc_has(&cc, CC_NO_CACHE));
	check_reuse(&f, req, &policy);
}

static void
check_conditions(
    struct http_msg *req, const struct http_msg *resp, struct arena *a)
{
	struct http_fields asked = req->fields;
	struct validators v;

	validators_read(&resp->fields, NOW_S, &v);
	REQUIRE(!validators_same_bytes(&v, &v) || v.has_etag ||
		validators_are_strong(&v));
	(void)condition_judge(req, resp->status, &v, NOW_S);
	if (!condition_allows_range(&req->fields, &v))
		REQUIRE(fields_find(&req->fields, FIELD_IF_RANGE) != NULL);
	asked.at = arena_alloc(a, req->fields.cap * sizeof(*asked.at));
	memcpy(asked.at, req->fields.at, req->fields.n * sizeof(*asked.at));
	REQUIRE(
	    condition_ask(&asked, a, &v, 1) == (v.has_etag || v.has_modified));
	REQUIRE(fields_find(&asked, FIELD_RANGE) == NULL ||
		(!v.has_etag && !v.has_modified));
}

/* A response's fields update those of the request, for want of others. */
static void
check_fields(struct http_msg *req, const struct http_msg *resp, struct arena *a)
{
	bool had_length =
	    fields_find(&req->fields, FIELD_CONTENT_LENGTH) != NULL;

	fields_foreach(fld, &resp->fields)
	{
		bool is_kept = storable_field(
		    &resp->fields, fld, FRESH_STRIP_COOKIE | FRESH_STRIP_NAMED);

		REQUIRE(!is_kept || fld->id != FIELD_SET_COOKIE);
		REQUIRE(!is_kept || fld->id != FIELD_CONNECTION);
		(void)condition_keeps_in_304(&resp->fields, fld);
	}
	storable_merge(&req->fields, a, &resp->fields, FRESH_STRIP_COOKIE);
	REQUIRE(had_length ==
		(fields_find(&req->fields, FIELD_CONTENT_LENGTH) != NULL));
}

static void
check_forget(struct http_msg *req, struct http_msg *resp, struct arena *a)
{
	struct forget all[FORGET_MAX];
	unsigned n;

	req->method = METHOD_OTHER;
	resp->status = 201;
	n = storable_forget(req, SPAN_LIT("http"), resp, a, all);
	REQUIRE(n >= 1 && n <= FORGET_MAX);
	for (unsigned i = 0; i < n; i++) {
		char *out = arena_alloc(a, all[i].path.len);
		size_t len;

		REQUIRE(uri_normalize_path(all[i].path, out, &len) ==
			URI_PATH_PLAIN);
	}
}

static void
check_cachestatus(span in)
{
	struct cache_status s = {.name = SPAN_LIT("g"),
	    .is_hit = true,
	    .has_ttl = true,
	    .ttl_s = (int64_t)in.len,
	    .key = in,
	    .detail = in};
	char out[OUT_CAP];
	size_t len = cachestatus_write(&s, out, sizeof(out));

	REQUIRE(len > 0);
	/* the parameters of a member "g" */
	check_sf(span_of(out, len));
	for (size_t i = 0; i < len; i++)
		REQUIRE(out[i] >= ' ' && out[i] <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct arena_pool pool;
	struct arena a;
	struct http_msg req, resp;

	arena_pool_init(&pool, 2);
	arena_init(&a, &pool);
	check_line(in);
	check_cachestatus(in);
	read_messages(in, &a, &req, &resp);
	check_directives(&req.fields);
	check_directives(&resp.fields);
	check_vary(&req, &resp);
	check_store(&req, &resp);
	check_conditions(&req, &resp, &a);
	check_forget(&req, &resp, &a);
	check_fields(&req, &resp, &a);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
