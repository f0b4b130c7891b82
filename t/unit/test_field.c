/* Names by id, tables of fields, methods, reason phrases, classes of bytes. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/chars.h"
#include "common/http/msg.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

static struct arena_pool pool;
static struct arena arena;
static struct http_fields fields;

static void
set_up(void)
{
	arena_pool_init(&pool, 4);
	arena_init(&arena, &pool);
	fields_init(&fields, &arena, 2);
}

static void
tear_down(void)
{
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static void
add(const char *name, const char *value)
{
	fields_add(&fields, &arena, span_str(name), span_str(value));
}

START_TEST(rows_are_sorted_by_length_then_name)
{
	for (int id = FIELD_OTHER + 2; id < FIELD_N; id++) {
		span prev = field_name((enum field_id)(id - 1));
		span name = field_name((enum field_id)id);

		ck_assert_msg(
		    prev.len < name.len ||
			(prev.len == name.len && span_cmp(prev, name) < 0),
		    "%.*s", SPAN_FMT(name));
	}
}
END_TEST

START_TEST(every_name_is_found_in_any_case)
{
	for (int id = FIELD_OTHER + 1; id < FIELD_N; id++) {
		span name = field_name((enum field_id)id);
		char *copy = feed_dup(name);
		span text = span_of(copy, name.len);

		ck_assert(chars_all(name, CHAR_TOKEN));
		ck_assert_int_eq(field_lookup(text), id);
		for (size_t i = 0; i < name.len; i++) {
			copy[i] = (char)toupper(copy[i]);
			ck_assert_int_eq(field_lookup(text), id);
		}
		free(copy);
	}
}
END_TEST

/* One bit of one byte changed, a byte more or less: another name. */
START_TEST(names_like_known_ones_are_not_taken_for_them)
{
	for (int id = FIELD_OTHER + 1; id < FIELD_N; id++) {
		span name = field_name((enum field_id)id);
		char *copy = malloc(name.len + 1);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, name.p, name.len);
		copy[name.len] = 's';
		for (size_t i = 0; i < name.len; i++) {
			for (int bit = 0; bit < 8; bit++) {
				span text = span_of(copy, name.len);

				copy[i] = (char)(name.p[i] ^ (1 << bit));
				if (!span_ieq(text, name))
					ck_assert_int_ne(
					    field_lookup(text), id);
			}
			copy[i] = name.p[i];
		}
		ck_assert_int_ne(field_lookup(span_of(copy, name.len + 1)), id);
		ck_assert_int_ne(field_lookup(span_of(copy, name.len - 1)), id);
		free(copy);
	}
	ck_assert_int_eq(field_lookup(span_of(NULL, 0)), FIELD_OTHER);
	ck_assert_int_eq(field_lookup(SPAN_LIT("x-unknown")), FIELD_OTHER);
	ck_assert_int_eq(
	    field_lookup(SPAN_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
	    FIELD_OTHER);
}
END_TEST

START_TEST(flags_are_those_of_the_rfc)
{
	ck_assert(field_flags(FIELD_CONNECTION) & FIELD_F_HOP);
	ck_assert(field_flags(FIELD_TRANSFER_ENCODING) & FIELD_F_HOP);
	ck_assert(field_flags(FIELD_TE) & FIELD_F_HOP);
	ck_assert(!(field_flags(FIELD_VIA) & FIELD_F_HOP));
	ck_assert(field_flags(FIELD_HOST) & FIELD_F_SINGLE);
	ck_assert(!(field_flags(FIELD_COOKIE) & FIELD_F_SINGLE));
	ck_assert(field_flags(FIELD_COOKIE) & FIELD_F_NOMINATE_BAD);
	ck_assert(field_flags(FIELD_AUTHORIZATION) & FIELD_F_NOMINATE_BAD);
	ck_assert(!(field_flags(FIELD_SERVER_TIMING) & FIELD_F_NO_TRAILER));
	ck_assert(field_flags(FIELD_AGE) & FIELD_F_NOT_STORED);
	ck_assert(field_flags(FIELD_PROXY_AUTHENTICATE) & FIELD_F_NOT_STORED);
	ck_assert(!(field_flags(FIELD_DATE) & FIELD_F_NOT_STORED));
	ck_assert(field_flags(FIELD_CONTENT_RANGE) & FIELD_F_OF_CONTENT);
	ck_assert(!(field_flags(FIELD_CONTENT_TYPE) & FIELD_F_OF_CONTENT));
	ck_assert(field_flags(FIELD_CONTENT_TYPE) & FIELD_F_METADATA);
	ck_assert(!(field_flags(FIELD_ETAG) & FIELD_F_METADATA));
	ck_assert_uint_eq(field_flags(FIELD_OTHER), 0);
	/* what ends at this hop is never taken from a trailer */
	for (int id = FIELD_OTHER + 1; id < FIELD_N; id++)
		if (field_flags((enum field_id)id) & FIELD_F_HOP)
			ck_assert(field_flags((enum field_id)id) &
				  FIELD_F_NO_TRAILER);
}
END_TEST

START_TEST(fields_are_found_in_their_order)
{
	struct http_field *fld;

	add("Via", "a");
	add("X-One", "b");
	add("VIA", "c");
	add("x-one", "d");
	ck_assert_ptr_null(fields_find(&fields, FIELD_HOST));
	fld = fields_find(&fields, FIELD_VIA);
	ck_assert_ptr_nonnull(fld);
	ck_assert_span_eq(fld->value, "a");
	fld = fields_next(&fields, fld);
	ck_assert_ptr_nonnull(fld);
	ck_assert_span_eq(fld->value, "c");
	ck_assert_ptr_null(fields_next(&fields, fld));
	fld = fields_find_name(&fields, SPAN_LIT("X-ONE"));
	ck_assert_ptr_nonnull(fld);
	ck_assert_span_eq(fld->value, "b");
	fld = fields_find_name(&fields, SPAN_LIT("via"));
	ck_assert_ptr_nonnull(fld);
	ck_assert_ptr_null(fields_find_name(&fields, SPAN_LIT("x-two")));
}
END_TEST

START_TEST(a_table_grows_and_keeps_what_it_has)
{
	for (int i = 0; i < 300; i++)
		fields_add_id(&fields, &arena, (enum field_id)(i % 7 + 1),
		    arena_printf(&arena, "%d", i));
	ck_assert_uint_eq(fields.n, 300);
	for (uint32_t i = 0; i < 300; i++) {
		char text[8];

		(void)snprintf(text, sizeof(text), "%u", i);
		ck_assert_span_eq(fields.at[i].value, text);
		ck_assert_uint_eq(fields.at[i].id, i % 7 + 1);
	}
}
END_TEST

START_TEST(deleted_fields_are_skipped_by_all_readers)
{
	uint32_t n = 0;

	add("Via", "a");
	add("X-One", "b");
	add("Via", "c");
	add("Host", "d");
	ck_assert_uint_eq(fields_del(&fields, FIELD_VIA), 2);
	ck_assert_uint_eq(fields_del(&fields, FIELD_VIA), 0);
	ck_assert_ptr_null(fields_find(&fields, FIELD_VIA));
	ck_assert_uint_eq(fields_del_name(&fields, SPAN_LIT("x-ONE")), 1);
	ck_assert_ptr_null(fields_find_name(&fields, SPAN_LIT("X-One")));
	ck_assert_uint_eq(fields_del_name(&fields, SPAN_LIT("host")), 1);
	fields_foreach(fld, &fields) n++;
	ck_assert_uint_eq(n, 0);
	add("Via", "e");
	ck_assert_ptr_nonnull(fields_find(&fields, FIELD_VIA));
	ck_assert_span_eq(fields_find(&fields, FIELD_VIA)->value, "e");
}
END_TEST

START_TEST(set_leaves_exactly_one)
{
	fields_set(&fields, &arena, FIELD_VIA, SPAN_LIT("a"));
	ck_assert_span_eq(fields_find(&fields, FIELD_VIA)->value, "a");
	add("Via", "b");
	add("Via", "c");
	fields_set(&fields, &arena, FIELD_VIA, SPAN_LIT("d"));
	ck_assert_span_eq(fields_find(&fields, FIELD_VIA)->value, "d");
	ck_assert_ptr_null(
	    fields_next(&fields, fields_find(&fields, FIELD_VIA)));
}
END_TEST

START_TEST(values_are_joined_as_one_list)
{
	add("Accept", "a");
	add("Cookie", "b=c");
	add("Cookie", "d=e");
	ck_assert_ptr_null(fields_joined(&fields, FIELD_VIA, &arena).p);
	ck_assert_span_eq(fields_joined(&fields, FIELD_ACCEPT, &arena), "a");
	add("Accept", "b");
	add("Accept", "c");
	ck_assert_span_eq(
	    fields_joined(&fields, FIELD_ACCEPT, &arena), "a, b, c");
	ck_assert_span_eq(
	    fields_joined(&fields, FIELD_COOKIE, &arena), "b=c; d=e");
}
END_TEST

START_TEST(tokens_are_found_in_lists_without_case)
{
	add("Connection", "keep-alive, Upgrade");
	add("Connection", "x,y");
	ck_assert(
	    fields_has_token(&fields, FIELD_CONNECTION, SPAN_LIT("upgrade")));
	ck_assert(fields_has_token(&fields, FIELD_CONNECTION, SPAN_LIT("Y")));
	ck_assert(
	    !fields_has_token(&fields, FIELD_CONNECTION, SPAN_LIT("keep")));
	ck_assert(!fields_has_token(&fields, FIELD_VIA, SPAN_LIT("x")));
}
END_TEST

START_TEST(methods_are_case_sensitive_tokens)
{
	for (int m = METHOD_OTHER + 1; m < METHOD_N; m++)
		ck_assert_int_eq(
		    method_lookup(method_name((enum http_method)m)), m);
	ck_assert_int_eq(method_lookup(SPAN_LIT("get")), METHOD_OTHER);
	ck_assert_int_eq(method_lookup(SPAN_LIT("GETS")), METHOD_OTHER);
	ck_assert_int_eq(method_lookup(SPAN_LIT("")), METHOD_OTHER);
	ck_assert(method_is_safe(METHOD_HEAD));
	ck_assert(!method_is_safe(METHOD_DELETE));
	ck_assert(method_is_idempotent(METHOD_DELETE));
	ck_assert(!method_is_idempotent(METHOD_POST));
	ck_assert(!method_is_safe(METHOD_OTHER));
	ck_assert(!method_is_idempotent(METHOD_OTHER));
}
END_TEST

START_TEST(reasons_are_known_for_registered_statuses)
{
	ck_assert_span_eq(status_reason(200), "OK");
	ck_assert_span_eq(
	    status_reason(431), "Request Header Fields Too Large");
	ck_assert_uint_eq(status_reason(299).len, 0);
	ck_assert_uint_eq(status_reason(0).len, 0);
}
END_TEST

static bool
is_in(int c, const char *more)
{
	return c != 0 && (isalnum(c) != 0 || strchr(more, c) != NULL);
}

START_TEST(classes_of_bytes_are_those_of_the_grammars)
{
	for (int c = 0; c < 256; c++) {
		bool is_ascii = c < 0x80;
		char ch = (char)c;

		ck_assert_int_eq(char_is(ch, CHAR_TOKEN),
		    is_ascii && is_in(c, "!#$%&'*+-.^_`|~"));
		ck_assert_int_eq(
		    char_is(ch, CHAR_TARGET), c > ' ' && c < 0x7f && c != '#');
		ck_assert_int_eq(char_is(ch, CHAR_VALUE),
		    c == '\t' || (c >= ' ' && c != 0x7f));
		ck_assert_int_eq(char_is(ch, CHAR_HOST),
		    is_ascii && is_in(c, "-._~!$&'()*+,;="));
		ck_assert_int_eq(
		    char_is(ch, CHAR_SCHEME), is_ascii && is_in(c, "+-."));
		ck_assert_int_eq(
		    char_is(ch, CHAR_HEX), is_ascii && isxdigit(c) != 0);
		ck_assert_int_eq(
		    char_hex(ch) >= 0, is_ascii && isxdigit(c) != 0);
	}
	ck_assert_int_eq(char_hex('7'), 7);
	ck_assert_int_eq(char_hex('a'), 10);
	ck_assert_int_eq(char_hex('F'), 15);
}
END_TEST

typedef const char *end_f(const char *p, const char *end);

static void
check_end(end_f *find, unsigned class, char good)
{
	char text[40];

	for (size_t len = 0; len < sizeof(text); len++) {
		for (int c = 0; c < 256; c++) {
			size_t at = (size_t)c * 7 % (len + 1);
			char *copy;

			memset(text, good, sizeof(text));
			text[at] = (char)c;
			if (at == len || char_is((char)c, class))
				at = len;
			copy = feed_dup(span_of(text, len));
			ck_assert_ptr_eq(find(copy, copy + len), copy + at);
			free(copy);
		}
	}
}

START_TEST(searches_stop_at_the_first_byte_of_another_class)
{
	check_end(chars_token_end, CHAR_TOKEN, 'a');
	check_end(chars_target_end, CHAR_TARGET, '~');
	check_end(chars_value_end, CHAR_VALUE, '\t');
}
END_TEST

/* Path and query lie in their copies as chance has it. */
START_TEST(copies_have_the_target_and_host_of_the_message)
{
	char text[64] = "/";

	for (size_t len = 1; len < sizeof(text) - 2; len++) {
		struct http_msg m = {.authority = SPAN_LIT("[::1]:81"),
		    .path = span_of(text, len),
		    .query = span_of(text + len + 1, 1),
		    .has_query = true};
		struct http_msg copy;

		m.host = span_of(m.authority.p + 1, 3);
		fields_init(&m.fields, &arena, 1);
		fields_init(&m.trailers, &arena, 1);
		memcpy(text + len, "?q", 2);
		msg_copy(&copy, &m, &arena);
		ck_assert_ptr_eq(msg_uri(&m, &arena).p, text);
		ck_assert(
		    span_eq(msg_uri(&copy, &arena), span_of(text, len + 2)));
		ck_assert(span_eq(copy.host, m.host));
		ck_assert_ptr_eq(copy.host.p, copy.authority.p + 1);
		copy.has_query = false;
		ck_assert(span_eq(msg_uri(&copy, &arena), m.path));
		text[len] = 'x';
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    rows_are_sorted_by_length_then_name,
	    every_name_is_found_in_any_case,
	    names_like_known_ones_are_not_taken_for_them,
	    flags_are_those_of_the_rfc,
	    fields_are_found_in_their_order,
	    a_table_grows_and_keeps_what_it_has,
	    deleted_fields_are_skipped_by_all_readers,
	    set_leaves_exactly_one,
	    values_are_joined_as_one_list,
	    tokens_are_found_in_lists_without_case,
	    copies_have_the_target_and_host_of_the_message,
	    methods_are_case_sensitive_tokens,
	    reasons_are_known_for_registered_statuses,
	    classes_of_bytes_are_those_of_the_grammars,
	    searches_stop_at_the_first_byte_of_another_class,
	};

	return unit_run_in("field", tests, NELEMS(tests), set_up, tear_down);
}
