/* Unit tests of HTTP/2 field sections (RFC 9113 8): every rule from both
 * sides. */
#include "t/unit/unit.h"

#include "common/base/check.h"
#include "common/http/h2_int.h"

static struct arena_pool pool;
static struct arena arena;
static struct h2_stream stream;
static struct h2_head head;

static const struct h1_limits limits = {
    .line_max = 64,
    .head_max = 1024,
    .fields_max = 8,
};

static void
set_up(void)
{
	arena_pool_init(&pool, 2);
	arena_init(&arena, &pool);
	stream = (struct h2_stream){.arena = &arena};
}

static void
tear_down(void)
{
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

/* "name: value" lines, separated by '\n'. */
static enum h2_bad
read_section(enum h2_section section, const char *lines, bool is_last)
{
	span rest = span_str(lines);
	span line;

	h2_head_begin(&head, &stream, section);
	while (span_cut(&rest, '\n', &line)) {
		ptrdiff_t at = span_find(line, SPAN_LIT(": "));

		if (line.len == 0)
			continue;
		ck_assert(at >= 0);
		h2_head_field(&head, span_first(line, (size_t)at),
		    span_from(line, (size_t)at + 2), &limits);
	}
	h2_head_end(&head, is_last, true);
	return head.bad;
}

#define GET ":method: GET\n:scheme: http\n:path: /a?b\n:authority: h:81\n"
#define POST ":method: POST\n:scheme: http\n:path: /\n:authority: h\n"

struct row {
	const char *lines;
	enum h2_bad bad;
};

static void
check_rows(
    enum h2_section section, const struct row *rows, size_t n, bool is_last)
{
	for (size_t i = 0; i < n; i++) {
		enum h2_bad bad = read_section(section, rows[i].lines, is_last);

		ck_assert_msg(bad == rows[i].bad, "%s: %s, not %s",
		    rows[i].lines, h2_bad_text(bad), h2_bad_text(rows[i].bad));
	}
}

START_TEST(a_request_reads_as_one_of_http_1)
{
	ck_assert_int_eq(
	    read_section(H2_REQUEST_HEAD, GET "x-a: 1\n", true), H2_BAD_NONE);
	ck_assert_int_eq(head.m.method, METHOD_GET);
	ck_assert_int_eq(head.m.form, TARGET_ORIGIN);
	ck_assert_int_eq(head.m.version, HTTP_2);
	ck_assert_int_eq(head.m.body, LENGTH_NONE);
	ck_assert_span_eq(head.m.path, "/a");
	ck_assert_span_eq(head.m.query, "b");
	ck_assert_span_eq(head.m.host, "h");
	ck_assert_int_eq(head.m.port, 81);
	ck_assert_span_eq(
	    fields_find(&head.m.fields, FIELD_HOST)->value, "h:81");
}
END_TEST

START_TEST(content_is_as_long_as_the_field_or_the_stream_says)
{
	(void)read_section(
	    H2_REQUEST_HEAD, POST "content-length: 007\n", false);
	ck_assert_int_eq(head.m.body, LENGTH_KNOWN);
	ck_assert_uint_eq(head.m.length, 7);
	ck_assert_span_eq(
	    fields_find(&head.m.fields, FIELD_CONTENT_LENGTH)->value, "7");
	ck_assert(stream.has_length);
	(void)read_section(H2_REQUEST_HEAD, POST, false);
	ck_assert_int_eq(head.m.body, LENGTH_OPEN);
	ck_assert(!stream.has_length);
	ck_assert_int_eq(
	    read_section(H2_REQUEST_HEAD, POST "content-length: 7\n", true),
	    H2_BAD_LENGTH_DIFFERS);
}
END_TEST

START_TEST(pseudo_fields_come_first_once_and_complete)
{
	static const struct row rows[] = {
	    {"", H2_BAD_PSEUDO_MISSING},
	    {":method: GET\n:path: /\n:authority: h\n", H2_BAD_PSEUDO_MISSING},
	    {":method: GET\n:scheme: http\n:authority: h\n",
		H2_BAD_PSEUDO_MISSING},
	    {":scheme: http\n:path: /\n:authority: h\n", H2_BAD_PSEUDO_MISSING},
	    {GET ":path: /\n", H2_BAD_PSEUDO_TWICE},
	    {"x: y\n" GET, H2_BAD_PSEUDO_LATE},
	    {GET ":status: 200\n", H2_BAD_PSEUDO_UNKNOWN},
	    {GET ":x: y\n", H2_BAD_PSEUDO_UNKNOWN},
	    {GET ":: y\n", H2_BAD_PSEUDO_UNKNOWN},
	    {GET ":protocol: websocket\n", H2_BAD_PROTOCOL},
	};

	check_rows(H2_REQUEST_HEAD, rows, NELEMS(rows), true);
}
END_TEST

#define WITH(method, path) \
	":method: " method "\n:scheme: http\n:path: " path "\n:authority: h\n"

START_TEST(methods_and_paths_have_the_forms_of_a_request_line)
{
	static const struct row rows[] = {
	    {WITH("OPTIONS", "*"), H2_BAD_NONE},
	    {WITH("GET", "*"), H2_BAD_PATH},
	    {WITH("GET", ""), H2_BAD_PATH},
	    {WITH("GET", "a"), H2_BAD_PATH},
	    {WITH("GET", "http://h/"), H2_BAD_PATH},
	    {WITH("GET", "/ HTTP/1.1"), H2_BAD_PATH},
	    {WITH("GET", "/\r"), H2_BAD_PATH},
	    {WITH("GET", "/#a"), H2_BAD_PATH},
	    {WITH("GET", "/\x80"), H2_BAD_PATH},
	    {WITH("G T", "/"), H2_BAD_METHOD},
	    {WITH("", "/"), H2_BAD_METHOD},
	    {WITH("get", "/"), H2_BAD_NONE},
	    {WITH("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", "/"),
		H2_BAD_METHOD_LONG},
	    {WITH("GET", "/12345678901234567890123456789012345678901234567890"),
		H2_BAD_NONE},
	    {WITH(
		 "GET", "/123456789012345678901234567890123456789012345678901"),
		H2_BAD_LINE_LONG},
	};

	check_rows(H2_REQUEST_HEAD, rows, NELEMS(rows), true);
}
END_TEST

START_TEST(host_and_authority_name_one_place)
{
	static const struct row rows[] = {
	    {GET "host: h:81\n", H2_BAD_NONE},
	    {GET "host: H:81\n", H2_BAD_NONE},
	    {GET "host: h\n", H2_BAD_AUTHORITY_DIFFERS},
	    {POST "host: h:80\n", H2_BAD_NONE},
	    {POST "host: i\n", H2_BAD_AUTHORITY_DIFFERS},
	    {POST "host: h\nhost: h\n", H2_BAD_HOST_TWICE},
	    {POST "host: h@i\n", H2_BAD_AUTHORITY},
	    {":method: GET\n:scheme: http\n:path: /\nhost: h\n", H2_BAD_NONE},
	    {":method: GET\n:scheme: http\n:path: /\n",
		H2_BAD_AUTHORITY_MISSING},
	    {":method: GET\n:scheme: http\n:path: /\n:authority: \n",
		H2_BAD_AUTHORITY},
	    {":method: GET\n:scheme: http\n:path: /\n:authority: u@h\n",
		H2_BAD_AUTHORITY},
	    {":method: GET\n:scheme: ht tp\n:path: /\n:authority: h\n",
		H2_BAD_SCHEME},
	};

	check_rows(H2_REQUEST_HEAD, rows, NELEMS(rows), true);
}
END_TEST

START_TEST(connect_has_an_authority_and_nothing_else)
{
	static const struct row rows[] = {
	    {":method: CONNECT\n:authority: h:443\n", H2_BAD_NONE},
	    {":method: CONNECT\n:authority: h\n", H2_BAD_AUTHORITY},
	    {":method: CONNECT\n", H2_BAD_PSEUDO_MISSING},
	    {":method: CONNECT\n:authority: h:443\n:path: /\n", H2_BAD_CONNECT},
	    {":method: CONNECT\n:protocol: websocket\n:scheme: http\n"
	     ":path: /\n:authority: h\n",
		H2_BAD_NONE},
	    {":method: CONNECT\n:protocol: websocket\n:scheme: http\n"
	     ":path: /\n",
		H2_BAD_PSEUDO_MISSING},
	    {":method: CONNECT\n:protocol: a b\n:scheme: http\n:path: /\n"
	     ":authority: h\n",
		H2_BAD_PROTOCOL},
	};

	check_rows(H2_REQUEST_HEAD, rows, NELEMS(rows), false);
}
END_TEST

START_TEST(fields_hold_what_a_line_of_http_1_may_hold)
{
	static const struct row rows[] = {
	    {GET "X: y\n", H2_BAD_FIELD_NAME},
	    {GET "Accept: y\n", H2_BAD_FIELD_NAME},
	    {GET "a b: y\n", H2_BAD_FIELD_NAME},
	    {GET "a\r: y\n", H2_BAD_FIELD_NAME},
	    {GET ": y\n", H2_BAD_FIELD_NAME},
	    {GET "a\x80: y\n", H2_BAD_FIELD_NAME},
	    {GET "x: y\r\n", H2_BAD_FIELD_VALUE},
	    {GET "x: a\x01\n", H2_BAD_FIELD_VALUE},
	    {GET "x:  a\n", H2_BAD_FIELD_VALUE},
	    {GET "x: a\t\n", H2_BAD_FIELD_VALUE},
	    {GET "x: a b\xff\n", H2_BAD_NONE},
	    {GET "x: \n", H2_BAD_NONE},
	};

	check_rows(H2_REQUEST_HEAD, rows, NELEMS(rows), true);
}
END_TEST

START_TEST(nothing_frames_but_the_stream)
{
	static const struct row rows[] = {
	    {GET "connection: close\n", H2_BAD_FIELD_CONNECTION},
	    {GET "keep-alive: 1\n", H2_BAD_FIELD_CONNECTION},
	    {GET "proxy-connection: x\n", H2_BAD_FIELD_CONNECTION},
	    {GET "transfer-encoding: chunked\n", H2_BAD_FIELD_CONNECTION},
	    {GET "upgrade: h2c\n", H2_BAD_FIELD_CONNECTION},
	    {GET "te: trailers\n", H2_BAD_NONE},
	    {GET "te: gzip\n", H2_BAD_FIELD_TE},
	    {GET "te: trailers, gzip\n", H2_BAD_FIELD_TE},
	    {POST "content-length: 1\ncontent-length: 1\n",
		H2_BAD_LENGTH_TWICE},
	    {POST "content-length: +1\n", H2_BAD_LENGTH},
	    {POST "content-length: 1, 1\n", H2_BAD_LENGTH},
	    {POST "content-length: 9223372036854775808\n", H2_BAD_LENGTH},
	    {GET "range: a\nrange: b\n", H2_BAD_FIELD_TWICE},
	    {GET "expect: 100-continue\n", H2_BAD_NONE},
	    {GET "expect: more\n", H2_BAD_EXPECTATION},
	};

	check_rows(H2_REQUEST_HEAD, rows, NELEMS(rows), false);
}
END_TEST

START_TEST(crumbs_of_a_cookie_become_one)
{
	uint32_t n = 0;

	(void)read_section(
	    H2_REQUEST_HEAD, GET "cookie: a=1\nx: y\ncookie: b=2\n", true);
	fields_foreach(f, &head.m.fields) n += f->id == FIELD_COOKIE;
	ck_assert_uint_eq(n, 1);
	ck_assert_span_eq(
	    fields_find(&head.m.fields, FIELD_COOKIE)->value, "a=1; b=2");
}
END_TEST

START_TEST(limits_are_those_of_the_listen)
{
	char value[600];

	memset(value, 'a', sizeof(value));
	h2_head_begin(&head, &stream, H2_REQUEST_HEAD);
	for (int i = 0; i < 2; i++)
		h2_head_field(&head, SPAN_LIT("x"),
		    span_of(value, sizeof(value)), &limits);
	ck_assert_int_eq(head.bad, H2_BAD_HEAD_LARGE);
	ck_assert_int_eq(
	    read_section(H2_REQUEST_HEAD,
		GET "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\n", true),
	    H2_BAD_NONE);
	ck_assert_int_eq(read_section(H2_REQUEST_HEAD,
			     GET "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\n"
				 "h: 1\ni: 1\n",
			     true),
	    H2_BAD_FIELDS_MANY);
}
END_TEST

START_TEST(an_answer_has_a_status_and_no_101)
{
	static const struct row rows[] = {
	    {":status: 200\n", H2_BAD_NONE},
	    {":status: 599\ncontent-length: 0\n", H2_BAD_NONE},
	    {":status: 204\ncontent-length: 5\n", H2_BAD_NONE},
	    {":status: 200\ncontent-length: 5\n", H2_BAD_LENGTH_DIFFERS},
	    {":status: 101\n", H2_BAD_STATUS},
	    {":status: 103\n", H2_BAD_STATUS},
	    {":status: 99\n", H2_BAD_STATUS},
	    {":status: 600\n", H2_BAD_STATUS},
	    {":status: 2000\n", H2_BAD_STATUS},
	    {":status: +20\n", H2_BAD_STATUS},
	    {"x: y\n", H2_BAD_PSEUDO_MISSING},
	    {":status: 200\n:path: /\n", H2_BAD_PSEUDO_UNKNOWN},
	};

	check_rows(H2_ANSWER_HEAD, rows, NELEMS(rows), true);
	ck_assert_int_eq(
	    read_section(H2_ANSWER_HEAD, ":status: 103\n", false), H2_BAD_NONE);
}
END_TEST

START_TEST(trailers_end_the_message_and_frame_nothing)
{
	static const struct row rows[] = {
	    {"x: y\n", H2_BAD_NONE},
	    {":path: /\n", H2_BAD_PSEUDO_UNKNOWN},
	    {"connection: x\n", H2_BAD_FIELD_CONNECTION},
	    {"X: y\n", H2_BAD_FIELD_NAME},
	};

	check_rows(H2_TRAILERS, rows, NELEMS(rows), true);
	ck_assert_int_eq(
	    read_section(H2_TRAILERS, "x: y\n", false), H2_BAD_TRAILERS);
	(void)read_section(
	    H2_TRAILERS, "content-length: 5\nhost: h\nx: y\n", true);
	ck_assert_uint_eq(head.m.fields.n, 1);
}
END_TEST

START_TEST(a_priority_is_read_and_nonsense_ignored)
{
	static const struct {
		const char *value;
		uint32_t urgency;
		int inc;
	} rows[] = {
	    {"u=0", 0, 0},
	    {"u=7, i", 7, 1},
	    {"i", 3, 1},
	    {"i=?0", 3, 0},
	    {"u=8", 3, 0},
	    {"u=", 3, 0},
	    {"u=1, u=2", 2, 0},
	    {"x;y, \"", 3, 0},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct http_msg m = {.version = HTTP_2};
		nghttp2_extpri pri;

		fields_add_id(
		    &m.fields, &arena, FIELD_PRIORITY, span_str(rows[i].value));
		ck_assert(h2_head_priority(&m, &pri));
		ck_assert_uint_eq(pri.urgency, rows[i].urgency);
		ck_assert_int_eq(pri.inc, rows[i].inc);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_request_reads_as_one_of_http_1,
	    content_is_as_long_as_the_field_or_the_stream_says,
	    pseudo_fields_come_first_once_and_complete,
	    methods_and_paths_have_the_forms_of_a_request_line,
	    host_and_authority_name_one_place,
	    connect_has_an_authority_and_nothing_else,
	    fields_hold_what_a_line_of_http_1_may_hold,
	    nothing_frames_but_the_stream,
	    crumbs_of_a_cookie_become_one,
	    limits_are_those_of_the_listen,
	    an_answer_has_a_status_and_no_101,
	    trailers_end_the_message_and_frame_nothing,
	    a_priority_is_read_and_nonsense_ignored,
	};

	return unit_run_in("h2_head", tests, NELEMS(tests), set_up, tear_down);
}
