/* The little client: it takes whole, well-formed answers and nothing else, in
 * its time. */
#include "common/serve/fetch.h"

#include <stdio.h>

#include "common/base/num.h"
#include "t/unit/serve_fixture.h"
#include "t/unit/unit.h"

#define CAP 65536
/* Bytes that stay below every limit. */
#define TRICKLE_MAX 500

static struct sock_addr addr;
static int listener;
static int peer; /* the origin's end */
static char got[CAP]; /* what the origin was asked */
static bool is_done;
static enum fetch_rc rc;
static int err;
static unsigned status;
static char content[CAP];

static void
set_up(void)
{
	loop = loop_new();
	listener = fix_listen(&addr);
	peer = -1;
	is_done = false;
	memset(got, 0, sizeof(got));
	memset(content, 0, sizeof(content));
}

static void
tear_down(void)
{
	(void)close(listener);
	if (peer >= 0)
		(void)close(peer);
	loop_step(loop, 0);
	loop_free(loop);
}

static void
on_done(void *self, const struct fetch_result *r)
{
	ck_assert_ptr_eq(self, &is_done);
	ck_assert(!is_done);
	ck_assert_ptr_nonnull(fetch_why(r));
	is_done = true;
	rc = r->rc;
	err = r->err;
	if (rc != FETCH_OK)
		return;
	status = r->answer->status;
	if (r->content.len > 0)
		memcpy(content, r->content.p, r->content.len);
	content[r->content.len] = '\0';
}

static struct fetch *
start(enum http_method method, span send_content, uint32_t time_ms)
{
	static const struct fetch_field fields[] = {
	    {{"X-One", 5}, {"1", 1}},
	};
	struct fetch_spec spec = {
	    .to = addr,
	    .method = method,
	    .host = SPAN_LIT("host:81"),
	    .target = SPAN_LIT("/a?b"),
	    .fields = fields,
	    .n_fields = 1,
	    .content = send_content,
	    .time_ms = time_ms,
	    .head = {200, 1000, 20},
	    .body_max = 1000,
	};

	is_done = false;
	return fetch_start(loop, &spec, on_done, &is_done);
}

/* Begin one and take its connection. */
static void
begin(enum http_method method)
{
	struct sock_addr who;

	(void)start(method, span_of(NULL, 0), 60000);
	if (peer >= 0)
		(void)close(peer);
	peer = -1;
	memset(got, 0, sizeof(got));
	fix_until((peer = sock_accept(listener, &who)) >= 0);
	fix_until(!fix_hear(peer, got, CAP) && strstr(got, "\r\n\r\n"));
}

/* What comes of this answer, the connection kept open or not behind it. */
static enum fetch_rc
answer(enum http_method method, const char *text, bool is_closed)
{
	begin(method);
	(void)fix_send(peer, text, strlen(text));
	if (is_closed) {
		(void)close(peer);
		peer = -1;
	}
	fix_until(is_done);
	loop_step(loop, 0);
	return rc;
}

START_TEST(the_request_is_what_was_asked)
{
	struct sock_addr who;

	begin(METHOD_GET);
	ck_assert_ptr_eq(strstr(got, "GET /a?b HTTP/1.1\r\n"), got);
	ck_assert_ptr_nonnull(strcasestr(got, "\r\nhost: host:81\r\n"));
	ck_assert_ptr_nonnull(strcasestr(got, "\r\nconnection: close\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "\r\nX-One: 1\r\n"));
	ck_assert_ptr_null(strcasestr(got, "content-length"));
	fix_say(peer, "HTTP/1.1 204 No Content\r\n\r\n");
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_OK);
	ck_assert_uint_eq(status, 204);
	(void)close(peer);
	memset(got, 0, sizeof(got));
	(void)start(METHOD_POST, SPAN_LIT("abc"), 60000);
	fix_until((peer = sock_accept(listener, &who)) >= 0);
	fix_until(!fix_hear(peer, got, CAP) && strstr(got, "\r\n\r\nabc"));
	ck_assert_ptr_nonnull(strcasestr(got, "\r\ncontent-length: 3\r\n"));
	fix_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_OK);
}
END_TEST

START_TEST(whole_answers_are_taken)
{
	static const struct {
		enum http_method method;
		const char *text;
		bool is_closed;
		const char *content;
	} rows[] = {
	    {METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		false, "abc"},
	    {METHOD_GET,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"1;e=1\r\na\r\n2\r\nbc\r\n0\r\nX-T: 1\r\n\r\n",
		false, "abc"},
	    {METHOD_GET, "HTTP/1.1 200 OK\r\n\r\nabc", true, "abc"},
	    {METHOD_GET, "HTTP/1.0 200 OK\r\n\r\nabc", true, "abc"},
	    {METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false,
		""},
	    {METHOD_GET,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
		"Link: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
		false, "a"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ck_assert_int_eq(
		    answer(rows[i].method, rows[i].text, rows[i].is_closed),
		    FETCH_OK);
		ck_assert_uint_eq(status, 200);
		ck_assert_str_eq(content, rows[i].content);
	}
}
END_TEST

START_TEST(whole_answers_are_taken_in_any_pieces)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "1\r\na\r\n2\r\nbc\r\n0\r\nX-T: 1\r\n\r\n";

	for (size_t at = 1; at < sizeof(text) - 1; at++) {
		begin(METHOD_GET);
		(void)fix_send(peer, text, at);
		loop_step(loop, 5);
		loop_step(loop, 0);
		ck_assert(!is_done);
		fix_say(peer, text + at);
		fix_until(is_done);
		ck_assert_int_eq(rc, FETCH_OK);
		ck_assert_str_eq(content, "abc");
	}
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
	static const char *const texts[] = {
	    "garbage\r\n\r\n",
	    "\r\n\r\n",
	    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
	    "HTTP/1.1 2x0 OK\r\n\r\n",
	    "HTTP/1.1 999 No\r\n\r\n",
	    "HTTP/2.0 200 OK\r\n\r\n",
	    "ICY 200 OK\r\n\r\n",
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: "
	    "2\r\n\r\na",
	    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
	    "HTTP/1.1 204 No Content\r\n\r\nab",
	};

	for (size_t i = 0; i < NELEMS(texts); i++)
		ck_assert_msg(answer(METHOD_GET, texts[i], false) == FETCH_BAD,
		    "%s: %d", texts[i], (int)rc);
}
END_TEST

START_TEST(answers_that_end_early_are_no_answers)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
	static const char chunked[] =
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "1\r\na\r\n0\r\nX: 1\r\n\r\n";
	char cut[200];

	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		(void)snprintf(cut, sizeof(cut), "%.*s", (int)at, text);
		ck_assert_int_eq(answer(METHOD_GET, cut, true), FETCH_BROKEN);
	}
	for (size_t at = 0; at < sizeof(chunked) - 1; at++) {
		(void)snprintf(cut, sizeof(cut), "%.*s", (int)at, chunked);
		ck_assert_int_eq(answer(METHOD_GET, cut, true), FETCH_BROKEN);
	}
}
END_TEST

START_TEST(answers_over_the_limits_are_refused)
{
	char text[4096];

	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
	ck_assert_int_eq(answer(METHOD_GET, text, false), FETCH_LARGE);
	(void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n%01001d", 0);
	ck_assert_int_eq(answer(METHOD_GET, text, false), FETCH_LARGE);
	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "fff\r\n%01001d",
	    0);
	ck_assert_int_eq(answer(METHOD_GET, text, false), FETCH_LARGE);
	(void)snprintf(
	    text, sizeof(text), "HTTP/1.1 200 OK\r\nX: %02000d\r\n\r\n", 0);
	ck_assert_int_eq(answer(METHOD_GET, text, false), FETCH_BAD);
	text[0] = '\0';
	for (int i = 0; i < 17; i++)
		strcat(text, "HTTP/1.1 100 Continue\r\n\r\n");
	ck_assert_int_eq(answer(METHOD_GET, text, false), FETCH_BAD);
}
END_TEST

START_TEST(the_deadline_is_for_all_of_it)
{
	struct sock_addr who;
	size_t n = 0;

	/* nobody accepts, then somebody trickles */
	(void)start(METHOD_GET, span_of(NULL, 0), 50);
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_TIME);
	fix_until((peer = sock_accept(listener, &who)) >= 0);
	(void)close(peer);
	(void)start(METHOD_GET, span_of(NULL, 0), 100);
	fix_until((peer = sock_accept(listener, &who)) >= 0);
	(void)fix_send(peer, "HTTP/1.1 200 OK\r\n\r\n", 19);
	fix_until((n < TRICKLE_MAX ? n += fix_send(peer, "x", 1) : 0, is_done));
	ck_assert_int_eq(rc, FETCH_TIME);
}
END_TEST

START_TEST(nobody_there_is_an_error_not_a_wait)
{
	(void)close(listener);
	listener = -1;
	(void)start(METHOD_GET, span_of(NULL, 0), 60000);
	ck_assert(!is_done);
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_CONNECT);
	ck_assert_int_eq(err, ECONNREFUSED);
	/* the same over TCP, where the kernel tells it later */
	ck_assert(sock_addr_parse(SPAN_LIT("127.0.0.1:0"), &addr));
	listener = sock_listen(&addr, false, 1);
	ck_assert_int_eq(sock_local(listener, &addr), 0);
	(void)close(listener);
	(void)start(METHOD_GET, span_of(NULL, 0), 60000);
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_CONNECT);
	ck_assert_int_eq(err, ECONNREFUSED);
}
END_TEST

START_TEST(it_works_over_tcp_and_in_a_pause_of_the_origin)
{
	struct sock_addr who;

	(void)close(listener);
	ck_assert(sock_addr_parse(SPAN_LIT("127.0.0.1:0"), &addr));
	listener = sock_listen(&addr, false, 1);
	ck_assert_int_eq(sock_local(listener, &addr), 0);
	(void)start(METHOD_GET, span_of(NULL, 0), 60000);
	fix_until((peer = sock_accept(listener, &who)) >= 0);
	fix_say(peer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 5; i++)
		loop_step(loop, 5);
	fix_say(peer, "Content-Length: 1\r\n\r\n");
	for (int i = 0; i < 5; i++)
		loop_step(loop, 5);
	fix_say(peer, "a");
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_OK);
	ck_assert_str_eq(content, "a");
}
END_TEST

START_TEST(a_full_queue_is_tried_again)
{
	struct sock_addr who;
	bool is_there;
	int first;
	int second;

	/* a queue of none holds one */
	ck_assert_int_eq(listen(listener, 0), 0);
	first = fix_connect(&addr);
	second = sock_connect(&addr, &is_there);
	ck_assert_int_eq(second, -1);
	ck_assert_int_eq(errno, EAGAIN);
	(void)start(METHOD_GET, span_of(NULL, 0), 60000);
	for (int i = 0; i < 5; i++)
		loop_step(loop, 20);
	ck_assert(!is_done);
	(void)close(sock_accept(listener, &who));
	(void)close(first);
	fix_until((peer = sock_accept(listener, &who)) >= 0);
	fix_say(peer, "HTTP/1.1 204 No Content\r\n\r\n");
	fix_until(is_done);
	ck_assert_int_eq(rc, FETCH_OK);
}
END_TEST

START_TEST(a_cancelled_one_is_never_heard_of)
{
	struct fetch *f = start(METHOD_GET, span_of(NULL, 0), 10);

	fetch_cancel(f);
	for (int i = 0; i < 5; i++)
		loop_step(loop, 10);
	ck_assert(!is_done);
	/* also one that could not begin */
	(void)close(listener);
	listener = -1;
	f = start(METHOD_GET, span_of(NULL, 0), 10);
	fetch_cancel(f);
	for (int i = 0; i < 5; i++)
		loop_step(loop, 10);
	ck_assert(!is_done);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_request_is_what_was_asked,
	    whole_answers_are_taken,
	    whole_answers_are_taken_in_any_pieces,
	    what_is_no_answer_is_refused,
	    answers_that_end_early_are_no_answers,
	    answers_over_the_limits_are_refused,
	    the_deadline_is_for_all_of_it,
	    nobody_there_is_an_error_not_a_wait,
	    it_works_over_tcp_and_in_a_pause_of_the_origin,
	    a_full_queue_is_tried_again,
	    a_cancelled_one_is_never_heard_of,
	};

	return unit_run_in("fetch", tests, NELEMS(tests), set_up, tear_down);
}
