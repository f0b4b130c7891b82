/* fuzz/request: any bytes as the head of a request. What is taken names one
 * host, has one length, and reads the same after it was written. */
#include "t/fuzz/fuzz_head.h"

#include "common/http/uri.h"

static void
check_framing(const struct http_msg *m)
{
	struct http_field *te =
	    fields_find(&m->fields, FIELD_TRANSFER_ENCODING);
	struct http_field *cl = fields_find(&m->fields, FIELD_CONTENT_LENGTH);

	REQUIRE(te == NULL || cl == NULL);
	REQUIRE((m->body == LENGTH_OPEN) == (te != NULL));
	REQUIRE((m->body == LENGTH_KNOWN) == (cl != NULL));
	REQUIRE(m->length <= INT64_MAX);
	REQUIRE(m->body == LENGTH_KNOWN || m->length == 0);
	REQUIRE(h1_is_chunked(m) == (te != NULL));
	REQUIRE(te == NULL || m->version == HTTP_1_1);
	REQUIRE(cl == NULL || fields_next(&m->fields, cl) == NULL);
	REQUIRE(m->version == HTTP_1_1 || !m->want_upgrade);
	REQUIRE(!m->want_continue || m->body != LENGTH_NONE);
}

static void
check_target(const struct http_msg *m)
{
	struct http_field *host = fields_find(&m->fields, FIELD_HOST);
	uint16_t port;
	span name;

	REQUIRE(chars_all(m->method_text, CHAR_TOKEN));
	REQUIRE(chars_all(m->raw_target, CHAR_TARGET));
	REQUIRE(host != NULL || m->version == HTTP_1_0);
	REQUIRE(host == NULL || fields_next(&m->fields, host) == NULL);
	if (m->authority.len > 0) {
		REQUIRE(uri_parse_authority(m->authority, &name, &port));
		REQUIRE(span_eq(name, m->host) && port == m->port);
	}
	REQUIRE((m->form == TARGET_AUTHORITY) == (m->method == METHOD_CONNECT));
	REQUIRE((m->form == TARGET_ABSOLUTE) == (m->scheme.len > 0));
	if (m->form != TARGET_AUTHORITY)
		REQUIRE(
		    m->path.len > 0 &&
		    (m->path.p[0] == '/' || span_eq(m->path, SPAN_LIT("*"))));
	REQUIRE(m->has_query || m->query.len == 0);
}

static void
check_written(const struct http_msg *m, struct arena *a)
{
	size_t size = h1_request_size(m, m->raw_target);
	char *out = malloc(size);
	struct h1_scan s = {.at = 0};
	struct http_msg again;
	enum h1_bad bad;

	REQUIRE(out != NULL);
	REQUIRE(h1_write_request(m, m->raw_target, out) == size);
	/* ": " may be longer than the ":" that was read: a wider limit */
	REQUIRE(h1_scan(&s, H1_REQUEST, span_of(out, size),
		    &(struct h1_limits){256, 2048, 24}) == H1_OK);
	REQUIRE(s.at == size && s.skipped == 0);
	REQUIRE(h1_parse_request(span_of(out, size), a, &again, &bad) == H1_OK);
	REQUIRE(span_eq(m->method_text, again.method_text));
	REQUIRE(span_eq(m->raw_target, again.raw_target));
	REQUIRE(m->version == again.version && m->form == again.form);
	REQUIRE(m->body == again.body && m->length == again.length);
	REQUIRE(m->want_close == again.want_close);
	REQUIRE(m->want_upgrade == again.want_upgrade);
	REQUIRE(m->want_continue == again.want_continue);
	fuzz_check_same_fields(&m->fields, &again.fields);
	free(out);
}

static void
check_head(span head, bool is_scanned)
{
	struct arena_pool pool;
	struct arena a;
	struct http_msg m;
	enum h1_bad bad;

	arena_pool_init(&pool, 2);
	arena_init(&a, &pool);
	if (h1_parse_request(head, &a, &m, &bad) == H1_OK && is_scanned) {
		REQUIRE(bad == H1_BAD_NONE);
		fuzz_check_fields(&m.fields, head);
		check_target(&m);
		check_framing(&m);
		check_written(&m, &a);
	}
	arena_fini(&a);
	arena_pool_fini(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct h1_scan s = {.at = 0};

	/* without the scan before it, the parser has to stand alone */
	check_head(in, false);
	if (fuzz_scan(&s, H1_REQUEST, in) == H1_OK) {
		span head =
		    fuzz_dup(span_of(in.p + s.skipped, s.at - s.skipped));

		check_head(head, true);
		fuzz_free(head);
	}
	fuzz_free(in);
	return 0;
}
