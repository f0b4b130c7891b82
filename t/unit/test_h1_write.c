/* Heads and trailers as bytes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/h1.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

static struct arena_pool pool;
static struct arena arena;

static void
set_up(void)
{
	arena_pool_init(&pool, 4);
	arena_init(&arena, &pool);
}

static void
tear_down(void)
{
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static void
check_request(const struct http_msg *m, const char *target, const char *want)
{
	size_t size = h1_request_size(m, span_str(target));
	char *out = malloc(size);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(h1_write_request(m, span_str(target), out), size);
	ck_assert_span_eq(span_of(out, size), want);
	free(out);
}

static void
check_response(const struct http_msg *m, const char *want)
{
	size_t size = h1_response_size(m);
	char *out = malloc(size);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(h1_write_response(m, out), size);
	ck_assert_span_eq(span_of(out, size), want);
	free(out);
}

START_TEST(a_request_is_written_with_the_target_given)
{
	struct http_msg m = {
	    .version = HTTP_2, .method = METHOD_PUT, .method_text = {"PUT", 3}};

	fields_init(&m.fields, &arena, 1);
	check_request(&m, "/x?y", "PUT /x?y HTTP/1.1\r\n\r\n");
	fields_add(&m.fields, &arena, SPAN_LIT("HoSt"), SPAN_LIT("a"));
	fields_add_id(&m.fields, &arena, FIELD_CONTENT_LENGTH, SPAN_LIT("5"));
	fields_add(&m.fields, &arena, SPAN_LIT("X"), SPAN_LIT(""));
	check_request(&m, "*",
	    "PUT * HTTP/1.1\r\nHoSt: a\r\ncontent-length: 5\r\nX: \r\n\r\n");
	fields_del(&m.fields, FIELD_HOST);
	m.version = HTTP_1_0;
	check_request(
	    &m, "/", "PUT / HTTP/1.0\r\ncontent-length: 5\r\nX: \r\n\r\n");
	m.method_text = span_of(NULL, 0);
	fields_del(&m.fields, FIELD_CONTENT_LENGTH);
	fields_del_name(&m.fields, SPAN_LIT("x"));
	check_request(&m, "/", "PUT / HTTP/1.0\r\n\r\n");
}
END_TEST

START_TEST(a_response_is_written_with_its_reason_or_the_known_one)
{
	struct http_msg m = {.version = HTTP_1_1, .status = 404};

	fields_init(&m.fields, &arena, 0);
	check_response(&m, "HTTP/1.1 404 Not Found\r\n\r\n");
	m.reason = SPAN_LIT("Nope");
	check_response(&m, "HTTP/1.1 404 Nope\r\n\r\n");
	m = (struct http_msg){.version = HTTP_1_0, .status = 599};
	fields_add(&m.fields, &arena, SPAN_LIT("Via"), SPAN_LIT("1.1 x"));
	check_response(&m, "HTTP/1.0 599 \r\nVia: 1.1 x\r\n\r\n");
}
END_TEST

START_TEST(trailers_follow_the_last_chunk)
{
	struct http_fields f;
	char out[64];

	fields_init(&f, &arena, 0);
	ck_assert_uint_eq(h1_trailers_size(&f), 5);
	ck_assert_span_eq(
	    span_of(out, h1_write_trailers(&f, out)), "0\r\n\r\n");
	fields_add(&f, &arena, SPAN_LIT("A"), SPAN_LIT("b"));
	fields_add(&f, &arena, SPAN_LIT("C"), SPAN_LIT("d"));
	fields_del_name(&f, SPAN_LIT("a"));
	ck_assert_uint_eq(h1_trailers_size(&f), 11);
	ck_assert_span_eq(
	    span_of(out, h1_write_trailers(&f, out)), "0\r\nC: d\r\n\r\n");
}
END_TEST

/* All lengths that the copying of short texts treats apart. */
START_TEST(texts_of_all_lengths_are_copied)
{
	char text[80];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	for (size_t len = 0; len < sizeof(text); len++) {
		struct http_msg m = {.status = 200, .version = HTTP_1_1};
		span value = span_of(feed_dup(span_of(text, len)), len);
		char *out, *want;
		size_t size;

		fields_add(&m.fields, &arena, SPAN_LIT("A"), value);
		size = h1_response_size(&m);
		out = malloc(size);
		want = malloc(size + 1);
		ck_assert_ptr_nonnull(out);
		ck_assert_ptr_nonnull(want);
		(void)snprintf(want, size + 1,
		    "HTTP/1.1 200 OK\r\nA: %.*s\r\n\r\n", (int)len, text);
		ck_assert_uint_eq(h1_write_response(&m, out), size);
		ck_assert_mem_eq(out, want, size);
		free(out);
		free(want);
		free((char *)value.p);
	}
}
END_TEST

START_TEST(what_is_written_is_read_as_the_same)
{
	span text =
	    SPAN_LIT("REPORT /a%20b?c HTTP/1.1\r\nHost: a:80\r\n"
		     "X-A: b \t c\r\nVia:\r\nContent-Length: 5\r\n\r\n");
	struct http_msg m, again;
	enum h1_bad bad;
	char *out;
	size_t len;

	ck_assert_int_eq(h1_parse_request(text, &arena, &m, &bad), H1_OK);
	out = malloc(h1_request_size(&m, m.raw_target));
	ck_assert_ptr_nonnull(out);
	len = h1_write_request(&m, m.raw_target, out);
	ck_assert_int_eq(
	    h1_parse_request(span_of(out, len), &arena, &again, &bad), H1_OK);
	ck_assert_uint_eq(again.fields.n, m.fields.n);
	for (uint32_t i = 0; i < m.fields.n; i++) {
		ck_assert(
		    span_eq(m.fields.at[i].name, again.fields.at[i].name));
		ck_assert(
		    span_eq(m.fields.at[i].value, again.fields.at[i].value));
	}
	ck_assert_uint_eq(again.length, 5);
	ck_assert(span_eq(m.raw_target, again.raw_target));
	free(out);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_request_is_written_with_the_target_given,
	    a_response_is_written_with_its_reason_or_the_known_one,
	    trailers_follow_the_last_chunk,
	    texts_of_all_lengths_are_copied,
	    what_is_written_is_read_as_the_same,
	};

	return unit_run_in("h1_write", tests, NELEMS(tests), set_up, tear_down);
}
