/* The little server: what it answers, what it refuses, and that no peer can
 * hold it. */
#include "common/serve/server.h"

#include <stdio.h>

#include "common/base/num.h"

#include "t/unit/serve_fixture.h"
#include "t/unit/unit.h"

#define CAP 65536
/* Bytes that stay below every limit. */
#define TRICKLE_MAX 500
#define CONNS_MAX 4

static struct serve *serve;
static struct sock_addr addr;
static struct serve_call *held; /* by the handler of /later */
static int n_cancelled;
static int n_calls;
static char got[CAP];

static void
handle_hello(void *self, struct serve_call *c)
{
	(void)self;
	n_calls++;
	serve_field(c, SPAN_LIT("X-One"), SPAN_LIT("1"));
	serve_answer(c, 200, SPAN_LIT("text/plain"), SPAN_LIT("hello\n"));
}

static void
handle_echo(void *self, struct serve_call *c)
{
	const struct http_msg *m = serve_request(c);
	char text[CAP];
	int n = snprintf(text, sizeof(text), "[%.*s][%.*s]", SPAN_FMT(m->query),
	    SPAN_FMT(serve_content(c)));

	(void)self;
	n_calls++;
	serve_answer(c, 200, span_of(NULL, 0), span_of(text, (size_t)n));
}

static void
handle_cancel(void *self, struct serve_call *c)
{
	ck_assert_ptr_eq(self, &held);
	ck_assert_ptr_eq(c, held);
	held = NULL;
	n_cancelled++;
}

static void
handle_later(void *self, struct serve_call *c)
{
	(void)self;
	n_calls++;
	ck_assert_ptr_null(held);
	held = c;
	serve_later(c, handle_cancel, &held);
}

static void
handle_large(void *self, struct serve_call *c)
{
	static char text[4 * 1024 * 1024];

	(void)self;
	memset(text, 'x', sizeof(text));
	serve_answer(c, 200, span_of(NULL, 0), span_of(text, sizeof(text)));
}

/* A content of its own, which goes with the last who takes it. */
static void
handle_text(void *self, struct serve_call *c)
{
	size_t len = 4 * 1024 * 1024;
	char *p = malloc(len);
	struct serve_text *t;

	(void)self;
	ck_assert_ptr_nonnull(p);
	memset(p, 'a' + n_calls++, len);
	t = serve_text_new(p, len);
	serve_answer_text(c, 200, span_of(NULL, 0), t);
	serve_text_unref(t);
}

static void
handle_who(void *self, struct serve_call *c)
{
	char text[64];
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int n;

	(void)self;
	ck_assert(serve_peer(c, &pid, &uid, &gid));
	n = snprintf(text, sizeof(text), "%d %u %u %d", (int)pid, uid, gid,
	    serve_peer_has_group(c, gid));
	serve_answer(c, 200, span_of(NULL, 0), span_of(text, (size_t)n));
}

static const struct serve_route routes[] = {
    {"/hello", METHOD_GET, handle_hello},
    {"/echo", METHOD_GET, handle_echo},
    {"/echo", METHOD_POST, handle_echo},
    {"/later", METHOD_GET, handle_later},
    {"/large", METHOD_GET, handle_large},
    {"/text", METHOD_GET, handle_text},
    {"/who", METHOD_GET, handle_who},
};

static void
open_with(uint32_t short_ms)
{
	struct serve_limits lim = {
	    .conns_max = CONNS_MAX,
	    .head = {200, 1000, 20},
	    .body_max = 1000,
	    .idle_ms = short_ms,
	    .head_ms = short_ms,
	    .body_ms = short_ms,
	    .call_ms = short_ms,
	    .send_ms = short_ms,
	    .linger_ms = short_ms,
	};

	serve = serve_new(loop, &lim, routes, NELEMS(routes), NULL);
	ck_assert_int_eq(serve_listen(serve, fix_listen(&addr)), 0);
}

static void
set_up(void)
{
	loop = loop_new();
	held = NULL;
	n_cancelled = n_calls = 0;
	memset(got, 0, sizeof(got));
	open_with(60000);
}

static void
tear_down(void)
{
	serve_free(serve);
	loop_step(loop, 0);
	loop_free(loop);
}

/* Begin again with short times. */
static void
reopen(uint32_t short_ms)
{
	serve_free(serve);
	loop_step(loop, 0);
	open_with(short_ms);
}

static bool
has(const char *needle)
{
	return strstr(got, needle) != NULL;
}

static int
count(const char *needle)
{
	int n = 0;

	for (const char *p = got; (p = strstr(p, needle)) != NULL; p++)
		n++;
	return n;
}

/* Ask once on a connection of its own, read to the end of it. */
static void
ask(const char *text)
{
	int fd = fix_connect(&addr);

	memset(got, 0, sizeof(got));
	fix_say(fd, text);
	fix_until(fix_hear(fd, got, CAP));
	(void)close(fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_CLOSE(path) \
	"GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

START_TEST(an_answer_has_length_date_and_the_handlers_fields)
{
	ask(GET_CLOSE("/hello"));
	ck_assert(has("HTTP/1.1 200 OK\r\n"));
	ck_assert(has("X-One: 1\r\n"));
	ck_assert(has("content-type: text/plain\r\n") ||
		  has("Content-Type: text/plain\r\n"));
	ck_assert(has("ontent-length: 6\r\n") || has("ontent-Length: 6\r\n"));
	ck_assert(has("date: ") || has("Date: "));
	ck_assert(has("\r\n\r\nhello\n"));
	ck_assert_uint_eq(serve_n_conns(serve), 0);
}
END_TEST

START_TEST(head_is_get_without_content)
{
	ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	ck_assert(has("HTTP/1.1 200 OK\r\n"));
	ck_assert_str_eq(got + strlen(got) - 4, "\r\n\r\n");
	ck_assert_int_eq(n_calls, 1);
}
END_TEST

START_TEST(unknown_paths_and_methods_are_refused)
{
	static const struct {
		const char *text;
		const char *status;
		const char *more;
	} rows[] = {
	    {GET_CLOSE("/"), " 404 ", ""},
	    {GET_CLOSE("/hello/"), " 404 ", ""},
	    {GET_CLOSE("/Hello"), " 404 ", ""},
	    {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		" 404 ", ""},
	    {"PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		" 405 ", "GET, HEAD, POST\r\n"},
	    {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
		" 405 ", "GET, HEAD\r\n"},
	    {"GET /hello HTTP/1.1\r\n\r\n", " 400 ", ""},
	    {"garbage\r\n\r\n", " 400 ", ""},
	    {"\x16\x03\x01", " 400 ", ""},
	    {"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", " 505 ", ""},
	    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n",
		" 400 ", ""},
	    {"POST /echo HTTP/1.1\r\nHost: x\r\n"
	     "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		" 400 ", ""},
	    {"POST /echo HTTP/1.1\r\nHost: x\r\n"
	     "Content-Length: 1001\r\n\r\n",
		" 413 ", ""},
	    {"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
	     "Content-Length: 99999999999\r\n\r\n",
		" 413 ", ""},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ask(rows[i].text);
		ck_assert_msg(has(rows[i].status) && has(rows[i].more) &&
				  count("HTTP/1.1 ") == 1,
		    "%s: %s", rows[i].text, got);
		ck_assert(has("onnection: close\r\n"));
	}
	ck_assert_int_eq(n_calls, 0);
}
END_TEST

START_TEST(heads_over_their_limits_are_refused)
{
	char text[4096];

	(void)snprintf(
	    text, sizeof(text), "GET /%0300d HTTP/1.1\r\nHost: x\r\n\r\n", 0);
	ask(text);
	ck_assert(has(" 414 "));
	(void)snprintf(text, sizeof(text),
	    "GET /hello HTTP/1.1\r\nHost: x\r\nX: %02000d\r\n\r\n", 0);
	ask(text);
	ck_assert(has(" 431 "));
	(void)snprintf(
	    text, sizeof(text), "GET /hello HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 20; i++)
		strcat(text, "X: 1\r\n");
	strcat(text, "\r\n");
	ask(text);
	ck_assert(has(" 431 "));
}
END_TEST

START_TEST(content_comes_whole_in_any_framing_and_any_pieces)
{
	static const char *const texts[] = {
	    "POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	    "Content-Length: 5\r\n\r\nabcde",
	    "POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"
	    "2\r\nab\r\n3\r\ncde\r\n0\r\nX-Trailer: 1\r\n\r\n",
	};

	for (size_t i = 0; i < NELEMS(texts); i++) {
		for (size_t at = 1; at < strlen(texts[i]); at++) {
			int fd = fix_connect(&addr);

			memset(got, 0, sizeof(got));
			(void)fix_send(fd, texts[i], at);
			loop_step(loop, 5);
			loop_step(loop, 0);
			fix_say(fd, texts[i] + at);
			fix_until(fix_hear(fd, got, CAP));
			(void)close(fd);
			ck_assert_msg(has("[a=1][abcde]"), "%zu: %s", at, got);
		}
	}
}
END_TEST

START_TEST(chunked_content_over_the_limit_is_refused)
{
	char text[4096] = "POST /echo HTTP/1.1\r\nHost: x\r\n"
			  "Transfer-Encoding: chunked\r\n\r\n";

	for (int i = 0; i < 11; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "64\r\n%0100d\r\n", 0);
	ask(text);
	ck_assert(has(" 413 "));
	ck_assert_int_eq(n_calls, 0);
}
END_TEST

START_TEST(expect_is_met_before_content_is_sent)
{
	int fd = fix_connect(&addr);

	fix_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
		    "Expect: 100-continue\r\n\r\n");
	fix_until(!fix_hear(fd, got, CAP) && has("100 Continue\r\n\r\n"));
	fix_say(fd, "ab");
	fix_until(!fix_hear(fd, got, CAP) && has("[][ab]"));
	(void)close(fd);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	int fd = fix_connect(&addr);
	char text[CAP] = "";

	for (int i = 0; i < 100; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "GET /echo?n=%d. HTTP/1.1\r\nHost: x\r\n\r\n", i);
	fix_say(fd, text);
	fix_until(!fix_hear(fd, got, CAP) && count("HTTP/1.1 200") == 100);
	for (int i = 0, at = 0; i < 100; i++) {
		char want[32];
		const char *p;

		(void)snprintf(want, sizeof(want), "[n=%d.][]", i);
		p = strstr(got + at, want);
		ck_assert_ptr_nonnull(p);
		at = (int)(p - got);
	}
	ck_assert_uint_eq(serve_n_conns(serve), 1);
	(void)close(fd);
	fix_until(serve_n_conns(serve) == 0);
}
END_TEST

START_TEST(a_later_answer_goes_out_and_the_connection_goes_on)
{
	int fd = fix_connect(&addr);

	fix_say(fd, GET("/later") GET_CLOSE("/hello"));
	fix_until(held != NULL);
	loop_step(loop, 10);
	ck_assert(!fix_hear(fd, got, CAP));
	ck_assert_str_eq(got, "");
	ck_assert_int_eq(n_calls, 1);
	serve_answer(held, 200, span_of(NULL, 0), SPAN_LIT("late"));
	held = NULL;
	fix_until(fix_hear(fd, got, CAP));
	ck_assert(has("late") && has("hello\n"));
	ck_assert_int_eq(n_cancelled, 0);
	(void)close(fd);
}
END_TEST

START_TEST(a_client_that_leaves_cancels_its_call)
{
	int fd = fix_connect(&addr);

	fix_say(fd, GET("/later"));
	fix_until(held != NULL);
	(void)close(fd);
	fix_until(n_cancelled == 1);
	ck_assert_uint_eq(serve_n_conns(serve), 0);
}
END_TEST

START_TEST(a_client_that_only_ends_its_direction_gets_its_answer)
{
	int fd = fix_connect(&addr);

	fix_say(fd, GET("/later"));
	(void)shutdown(fd, SHUT_WR);
	fix_until(held != NULL);
	loop_step(loop, 10);
	ck_assert_int_eq(n_cancelled, 0);
	serve_answer(held, 200, span_of(NULL, 0), SPAN_LIT("late"));
	fix_until(fix_hear(fd, got, CAP));
	ck_assert(has("late"));
	(void)close(fd);
}
END_TEST

START_TEST(the_end_of_the_server_cancels_calls)
{
	int fd = fix_connect(&addr);

	fix_say(fd, GET("/later"));
	fix_until(held != NULL);
	reopen(60000);
	ck_assert_int_eq(n_cancelled, 1);
	(void)close(fd);
}
END_TEST

START_TEST(a_handler_that_is_late_is_answered_for)
{
	int fd = fix_connect(&addr);

	reopen(50);
	(void)close(fd);
	fd = fix_connect(&addr);
	fix_say(fd, GET("/later"));
	fix_until(!fix_hear(fd, got, CAP) && has(" 504 "));
	ck_assert_int_eq(n_cancelled, 1);
	(void)close(fd);
}
END_TEST

START_TEST(trickling_does_not_prolong_a_head_or_a_body)
{
	static const char *const begins[] = {
	    "GET /hello HTTP/1.1\r\nX: ",
	    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n",
	};

	for (size_t i = 0; i < NELEMS(begins); i++) {
		size_t n = 0;
		int fd;

		memset(got, 0, sizeof(got));
		reopen(100);
		fd = fix_connect(&addr);
		fix_say(fd, begins[i]);
		/* a byte at each turn */
		fix_until((n < TRICKLE_MAX ? n += fix_send(fd, "x", 1) : 0,
		    fix_hear(fd, got, CAP)));
		ck_assert_msg(has(" 408 "), "%s", got);
		(void)close(fd);
	}
}
END_TEST

START_TEST(silence_is_closed)
{
	int fd;

	reopen(50);
	fd = fix_connect(&addr);
	fix_until(fix_hear(fd, got, CAP));
	ck_assert_str_eq(got, "");
	(void)close(fd);
}
END_TEST

START_TEST(who_does_not_read_its_answer_is_closed)
{
	int fd;

	reopen(50);
	fd = fix_connect(&addr);
	fix_say(fd, GET("/large"));
	fix_until(serve_n_conns(serve) == 1);
	fix_until(serve_n_conns(serve) == 0);
	(void)close(fd);
}
END_TEST

START_TEST(a_large_answer_reaches_who_reads_it)
{
	int fd = fix_connect(&addr);
	size_t n = 0;

	fix_say(fd, GET_CLOSE("/large"));
	fix_until((got[0] = '\0', memset(got, 0, sizeof(got)),
	    fix_hear(fd, got, CAP) ? (n += strlen(got), true)
				   : (n += strlen(got), false)));
	ck_assert_uint_gt(n, 4u * 1024 * 1024);
	ck_assert_uint_lt(n, 4u * 1024 * 1024 + 500);
	(void)close(fd);
}
END_TEST

START_TEST(the_longest_owing_one_makes_room)
{
	int fds[CONNS_MAX + 1];
	int last;

	for (int i = 0; i < CONNS_MAX; i++) {
		fds[i] = fix_connect(&addr);
		fix_until(serve_n_conns(serve) == (uint32_t)i + 1);
		fix_say(fds[i], "GET /hel");
		loop_step(loop, 5);
	}
	last = fix_connect(&addr);
	fix_say(last, GET("/hello"));
	fix_until(!fix_hear(last, got, CAP) && has(" 200 "));
	/* the first had to go, the second may go on */
	memset(got, 0, sizeof(got));
	fix_until(fix_hear(fds[0], got, CAP));
	fix_say(fds[1], "lo HTTP/1.1\r\nHost: x\r\n\r\n");
	fix_until(!fix_hear(fds[1], got, CAP) && has(" 200 "));
	ck_assert_uint_eq(serve_n_conns(serve), CONNS_MAX);
	for (int i = 0; i < CONNS_MAX; i++)
		(void)close(fds[i]);
	(void)close(last);
}
END_TEST

START_TEST(who_is_being_answered_is_never_sent_away)
{
	int fds[CONNS_MAX];
	struct serve_call *calls[CONNS_MAX];
	int last;

	for (int i = 0; i < CONNS_MAX; i++) {
		fds[i] = fix_connect(&addr);
		fix_say(fds[i], GET("/later"));
		fix_until(held != NULL);
		calls[i] = held;
		held = NULL;
	}
	last = fix_connect(&addr);
	fix_say(last, GET("/hello"));
	for (int i = 0; i < 10; i++)
		loop_step(loop, 20);
	ck_assert(!fix_hear(last, got, CAP));
	ck_assert_uint_eq(serve_n_conns(serve), CONNS_MAX);
	for (int i = 0; i < CONNS_MAX; i++) {
		memset(got, 0, sizeof(got));
		serve_answer(calls[i], 200, span_of(NULL, 0), SPAN_LIT("late"));
		fix_until(!fix_hear(fds[i], got, CAP) && has("late"));
	}
	memset(got, 0, sizeof(got));
	fix_until(!fix_hear(last, got, CAP) && has("hello"));
	for (int i = 0; i < CONNS_MAX; i++)
		(void)close(fds[i]);
	(void)close(last);
}
END_TEST

/* As many as there is room for say this and read nothing; one more is served. */
static void
others_are_served_beside(const char *text)
{
	int fds[CONNS_MAX];
	int last;

	for (int i = 0; i < CONNS_MAX; i++) {
		fds[i] = fix_connect(&addr);
		fix_say(fds[i], text);
		fix_until(serve_n_conns(serve) == (uint32_t)i + 1);
		loop_step(loop, 5);
	}
	last = fix_connect(&addr);
	fix_say(last, GET("/hello"));
	fix_until(!fix_hear(last, got, CAP) && has(" 200 "));
	ck_assert_uint_eq(serve_n_conns(serve), CONNS_MAX);
	for (int i = 0; i < CONNS_MAX; i++)
		(void)close(fds[i]);
	(void)close(last);
}

START_TEST(who_does_not_take_its_answer_makes_room)
{
	others_are_served_beside(GET("/large"));
}
END_TEST

START_TEST(who_does_not_end_after_a_refusal_makes_room)
{
	others_are_served_beside("X\r\n\r\n");
}
END_TEST

/* A room of its own. */
static void
listen_tcp(struct sock_addr *at)
{
	int fd;

	ck_assert(sock_addr_parse(SPAN_LIT("127.0.0.1:0"), at));
	fd = sock_listen(at, false, 64);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sock_local(fd, at), 0);
	ck_assert_int_eq(serve_listen(serve, fd), 0);
}

START_TEST(who_comes_over_tcp_takes_no_place_of_unix_sockets)
{
	struct serve_call *calls[CONNS_MAX];
	struct sock_addr tcp;
	int fds[CONNS_MAX];
	int here;

	listen_tcp(&tcp);
	for (int i = 0; i < CONNS_MAX; i++) {
		fds[i] = fix_connect(&tcp);
		fix_until(
		    fix_send(fds[i], GET("/later"), strlen(GET("/later"))) > 0);
		fix_until(held != NULL);
		calls[i] = held;
		held = NULL;
	}
	here = fix_connect(&addr);
	fix_say(here, GET("/hello"));
	fix_until(!fix_hear(here, got, CAP) && has(" 200 "));
	for (int i = 0; i < CONNS_MAX; i++) {
		serve_answer(calls[i], 200, span_of(NULL, 0), SPAN_LIT("late"));
		(void)close(fds[i]);
	}
	(void)close(here);
}
END_TEST

static bool
is_of_v4(void *self, const struct ip *ip)
{
	ck_assert_ptr_null(self);
	return ip_is_v4(ip);
}

START_TEST(strangers_take_places_of_each_other_alone)
{
	struct sock_addr tcp;
	int fds[2 * CONNS_MAX];
	int known;

	listen_tcp(&tcp);
	/* it was here before they were strangers */
	known = fix_connect(&tcp);
	fix_until(serve_n_conns(serve) == 1);
	serve_know_strangers(serve, is_of_v4);
	for (int i = 0; i < 2 * CONNS_MAX; i++) {
		fds[i] = fix_connect(&tcp);
		loop_step(loop, 5);
	}
	fix_until(serve_n_conns(serve) == CONNS_MAX + 1);
	fix_until(fix_hear(fds[0], got, CAP));
	fix_say(known, GET("/hello"));
	fix_until(!fix_hear(known, got, CAP) && has(" 200 "));
	for (int i = 0; i < 2 * CONNS_MAX; i++)
		(void)close(fds[i]);
	(void)close(known);
}
END_TEST

/* Read to the end of it; bytes in all. */
static size_t
hear_all(int fd)
{
	size_t n = 0;
	bool is_over;

	do {
		memset(got, 0, sizeof(got));
		is_over = fix_hear(fd, got, CAP);
		n += strlen(got);
		loop_step(loop, 1);
	} while (!is_over);
	return n;
}

START_TEST(of_long_contents_only_so_many_are_on_their_way)
{
	int fds[SERVE_TEXTS_MAX + 1];
	struct sock_addr tcp;
	size_t n;

	/* there is room for all of them */
	listen_tcp(&tcp);
	for (uint32_t i = 0; i <= SERVE_TEXTS_MAX; i++) {
		fds[i] = fix_connect(i < CONNS_MAX ? &addr : &tcp);
		fix_until(fix_send(fds[i], GET_CLOSE("/text"),
			      strlen(GET_CLOSE("/text"))) > 0);
		fix_until(n_calls == (int)i + 1);
	}
	ck_assert_uint_lt(hear_all(fds[0]), 4u * 1024 * 1024);
	n = hear_all(fds[SERVE_TEXTS_MAX]);
	ck_assert_uint_gt(n, 4u * 1024 * 1024);
	ck_assert_int_eq(got[0], 'a' + (int)SERVE_TEXTS_MAX);
	for (uint32_t i = 0; i <= SERVE_TEXTS_MAX; i++)
		(void)close(fds[i]);
}
END_TEST

START_TEST(one_that_never_stops_asking_leaves_turns_for_others)
{
	int busy = fix_connect(&addr);
	int other = fix_connect(&addr);

	fix_until(serve_n_conns(serve) == 2);
	for (int i = 0; i < 200; i++)
		fix_say(busy, GET("/hello"));
	fix_say(other, GET("/hello"));
	/* both are ready in the one turn */
	while (n_calls == 0)
		loop_step(loop, 5);
	ck_assert_int_lt(n_calls, 20);
	(void)fix_hear(other, got, CAP);
	ck_assert(has(" 200 "));
	memset(got, 0, sizeof(got));
	fix_until(!fix_hear(busy, got, CAP) && count("HTTP/1.1 200") == 200);
	(void)close(busy);
	(void)close(other);
}
END_TEST

START_TEST(the_peer_of_a_unix_socket_is_known)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "%d %u %u 1", (int)getpid(),
	    geteuid(), getegid());
	ask(GET_CLOSE("/who"));
	ck_assert(has(want));
}
END_TEST

START_TEST(garbage_of_any_kind_is_survived)
{
	unsigned seed = 1;

	for (int i = 0; i < 500; i++) {
		int fd = fix_connect(&addr);
		char text[512];
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = (seed >> 8) % sizeof(text);
		for (size_t k = 0; k < n; k++) {
			seed = seed * 1103515245u + 12345u;
			text[k] = (char)(seed >> 16);
		}
		if (i % 2 == 0)
			memcpy(
			    text, "GET /hello HTTP/1.1\r\n", size_min(n, 21));
		(void)fix_send(fd, text, n);
		loop_step(loop, 0);
		(void)close(fd);
		loop_step(loop, 0);
	}
	fix_until(serve_n_conns(serve) == 0);
	ask(GET_CLOSE("/hello"));
	ck_assert(has(" 200 "));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    an_answer_has_length_date_and_the_handlers_fields,
	    head_is_get_without_content,
	    unknown_paths_and_methods_are_refused,
	    heads_over_their_limits_are_refused,
	    content_comes_whole_in_any_framing_and_any_pieces,
	    chunked_content_over_the_limit_is_refused,
	    expect_is_met_before_content_is_sent,
	    pipelined_requests_are_answered_in_order,
	    a_later_answer_goes_out_and_the_connection_goes_on,
	    a_client_that_leaves_cancels_its_call,
	    a_client_that_only_ends_its_direction_gets_its_answer,
	    the_end_of_the_server_cancels_calls,
	    a_handler_that_is_late_is_answered_for,
	    trickling_does_not_prolong_a_head_or_a_body,
	    silence_is_closed,
	    who_does_not_read_its_answer_is_closed,
	    a_large_answer_reaches_who_reads_it,
	    the_longest_owing_one_makes_room,
	    who_is_being_answered_is_never_sent_away,
	    who_does_not_take_its_answer_makes_room,
	    who_does_not_end_after_a_refusal_makes_room,
	    who_comes_over_tcp_takes_no_place_of_unix_sockets,
	    strangers_take_places_of_each_other_alone,
	    of_long_contents_only_so_many_are_on_their_way,
	    one_that_never_stops_asking_leaves_turns_for_others,
	    the_peer_of_a_unix_socket_is_known,
	    garbage_of_any_kind_is_survived,
	};

	return unit_run_in("serve", tests, NELEMS(tests), set_up, tear_down);
}
