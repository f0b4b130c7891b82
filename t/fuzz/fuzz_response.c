/* fuzz/response: the first byte chooses the request's method, the rest is the
 * head of a response, or with the first byte's high bit a trailer section. */
#include "t/fuzz/fuzz_head.h"

static void
check_framing(const struct http_msg *m, enum http_method to, bool is_chunked)
{
	bool is_tunnel = to == METHOD_CONNECT && m->status / 100 == 2;

	REQUIRE(m->status >= 100 && m->status <= 599);
	if (to == METHOD_HEAD || m->status < 200 || m->status == 204 ||
	    m->status == 304 || is_tunnel)
		REQUIRE(m->body == LENGTH_NONE);
	else
		REQUIRE(m->body != LENGTH_NONE);
	REQUIRE(!is_chunked || m->body == LENGTH_OPEN);
	REQUIRE(!is_chunked || m->version == HTTP_1_1);
	REQUIRE(m->body != LENGTH_OPEN || is_chunked || m->want_close);
	REQUIRE(m->body == LENGTH_KNOWN || m->length == 0);
	REQUIRE(m->length <= INT64_MAX);
	if (m->body == LENGTH_KNOWN)
		REQUIRE(
		    fields_find(&m->fields, FIELD_TRANSFER_ENCODING) == NULL);
}

static void
check_written(
    struct http_msg *m, enum http_method to, bool is_chunked, struct arena *a)
{
	size_t size = h1_response_size(m);
	char *out = malloc(size);
	struct h1_scan s = {.at = 0};
	struct http_msg again;
	bool is_chunked_again;
	enum h1_bad bad;

	REQUIRE(out != NULL);
	REQUIRE(h1_write_response(m, out) == size);
	REQUIRE(h1_scan(&s, H1_RESPONSE, span_of(out, size),
		    &(struct h1_limits){512, 2048, 24}) == H1_OK);
	REQUIRE(s.at == size);
	REQUIRE(h1_parse_response(span_of(out, size), to, a, &again,
		    &is_chunked_again, &bad) == H1_OK);
	REQUIRE(m->version == again.version && m->status == again.status);
	REQUIRE(m->reason.len == 0 || span_eq(m->reason, again.reason));
	REQUIRE(m->body == again.body && m->length == again.length);
	REQUIRE(is_chunked == is_chunked_again);
	REQUIRE(m->want_close == again.want_close);
	fuzz_check_same_fields(&m->fields, &again.fields);
	free(out);
}

static void
check_head(span head, enum http_method to, bool is_scanned)
{
	struct arena_pool pool;
	struct arena a;
	struct http_msg m;
	enum h1_bad bad;
	bool is_chunked;

	arena_pool_init(&pool, 2);
	arena_init(&a, &pool);
	if (h1_parse_response(head, to, &a, &m, &is_chunked, &bad) == H1_OK &&
	    is_scanned) {
		fuzz_check_fields(&m.fields, head);
		check_framing(&m, to, is_chunked);
		check_written(&m, to, is_chunked, &a);
	}
	arena_fini(&a);
	arena_pool_fini(&pool);
}

static void
check_trailers(span section, bool is_scanned)
{
	struct arena_pool pool;
	struct arena a;
	struct http_msg m = {.status = 200};
	enum h1_bad bad;

	arena_pool_init(&pool, 2);
	arena_init(&a, &pool);
	if (h1_parse_trailers(section, &a, &m, &bad) == H1_OK && is_scanned) {
		char *out = malloc(h1_trailers_size(&m.trailers));

		REQUIRE(out != NULL);
		fuzz_check_fields(&m.trailers, section);
		fields_foreach(fld, &m.trailers)
		    REQUIRE((field_flags((enum field_id)fld->id) &
				(FIELD_F_HOP | FIELD_F_NO_TRAILER)) == 0);
		REQUIRE(h1_write_trailers(&m.trailers, out) ==
			h1_trailers_size(&m.trailers));
		free(out);
	}
	arena_fini(&a);
	arena_pool_fini(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h1_scan s = {.at = 0};
	enum http_method to;
	enum h1_kind kind;
	span in, head;

	if (size == 0)
		return 0;
	to = (enum http_method)(data[0] % METHOD_N);
	kind = data[0] < 0x80 ? H1_RESPONSE : H1_TRAILERS;
	in = fuzz_dup(span_of((const char *)data + 1, size - 1));
	if (kind == H1_RESPONSE)
		check_head(in, to, false);
	else
		check_trailers(in, false);
	if (fuzz_scan(&s, kind, in) == H1_OK) {
		head = fuzz_dup(span_first(in, s.at));
		if (kind == H1_RESPONSE)
			check_head(head, to, true);
		else
			check_trailers(head, true);
		fuzz_free(head);
	}
	fuzz_free(in);
	return 0;
}
