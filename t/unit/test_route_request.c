/* Unit tests of the request stages of worker/route. */
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/route/forwarded.h"
#include "worker/route/route.h"

static const char conf[] = "[listen http]\n"
			   "address = 127.0.0.1:0\n"
			   "trusted_proxies = 10.0.0.0/8 2001:db8::/32\n"
			   "[site example.com]\n"
			   "respond = 200 bare\n"
			   "max_body = 1k\n"
			   "[route example.com /ws]\n"
			   "respond = 200 ws\n"
			   "[route example.com /nows]\n"
			   "respond = 200 nows\n"
			   "websocket = off\n"
			   "[route example.com /big]\n"
			   "respond = 200 big\n"
			   "max_body = none\n"
			   "[site wild]\n"
			   "hosts = *.example.org .example.net\n"
			   "[route wild /only]\n"
			   "respond = 200 wild\n";

#define GET(path, fields) \
	"GET " path " HTTP/1.1\r\nHost: example.com\r\n" fields "\r\n"

static struct fixture *fx;

static void
setup(void)
{
	fx = fixture_new(conf);
}

static void
teardown(void)
{
	fixture_free(fx);
}

static struct exch *
request_from(const char *peer, const char *head)
{
	struct exch *x = fixture_request(fx, head);

	ck_assert(ip_parse(span_str(peer), &x->client.peer));
	return x;
}

static const char *
field(struct exch *x, const char *name)
{
	return fixture_field(x, &x->req.fields, name);
}

static const char *
client_ip(struct exch *x)
{
	char text[IP_TEXT_CAP];
	size_t len = ip_format(&x->client.ip, text);

	return fixture_str(x, span_of(text, len));
}

static void
expect_fault(const char *head, enum fault_id why)
{
	struct exch *x = fixture_request(fx, head);

	ck_assert_int_eq(fixture_stages(x), VERDICT_FAULT);
	ck_assert_int_eq(x->fault, why);
}

/* --- normalize ------------------------------------------------------------ */

START_TEST(the_path_is_normalized_and_every_request_has_an_id)
{
	struct exch *x = fixture_request(fx, GET("/a/../%62?q=%2e", ""));
	const char *first;

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(fixture_str(x, x->path), "/b");
	ck_assert_str_eq(fixture_str(x, x->req.query), "q=%2e");
	ck_assert_uint_eq(x->request_id.len, 32);
	first = strdup(fixture_str(x, x->request_id));
	x = fixture_request(fx, GET("/", ""));
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_ne(fixture_str(x, x->request_id), first);
	free((void *)(uintptr_t)first);
}
END_TEST

START_TEST(trace_and_connect_are_refused)
{
	expect_fault(
	    "TRACE / HTTP/1.1\r\nHost: example.com\r\n\r\n", F_METHOD_REFUSED);
	expect_fault("CONNECT example.com:443 HTTP/1.1\r\n"
		     "Host: example.com:443\r\n\r\n",
	    F_METHOD_REFUSED);
}
END_TEST

START_TEST(options_about_us_are_answered_here)
{
	static const char *const heads[] = {
	    "OPTIONS * HTTP/1.1\r\nHost: nobody\r\n\r\n",
	    "OPTIONS /a HTTP/1.1\r\nHost: example.com\r\nMax-Forwards: 0\r\n"
	    "\r\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct exch *x = fixture_request(fx, heads[i]);

		ck_assert_int_eq(fixture_stages(x), VERDICT_REPLY);
		ck_assert_uint_eq(x->resp.status, 200);
		ck_assert_ptr_nonnull(
		    fixture_field(x, &x->resp.fields, "Allow"));
	}
}
END_TEST

START_TEST(max_forwards_counts_down_for_options_only)
{
	struct exch *x = fixture_request(fx,
	    "OPTIONS /a HTTP/1.1\r\nHost: example.com\r\nMax-Forwards: 10\r\n"
	    "\r\n");

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "Max-Forwards"), "9");
	x = fixture_request(fx, GET("/", "Max-Forwards: 0\r\n"));
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "Max-Forwards"), "0");
}
END_TEST

START_TEST(our_own_name_in_via_is_a_loop)
{
	char head[256];

	snprintf(head, sizeof(head),
	    "GET / HTTP/1.1\r\nHost: example.com\r\nVia: 1.1 a, 1.1 %.*s\r\n"
	    "\r\n",
	    SPAN_FMT(fx->w.plan->listens[0].via_name));
	expect_fault(head, F_LOOP);
}
END_TEST

/* --- client --------------------------------------------------------------- */

START_TEST(a_stranger_cannot_say_who_it_is)
{
	struct exch *x = fixture_request(fx,
	    GET("/", "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"
		     "X-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert(!x->client.is_trusted);
	ck_assert_str_eq(client_ip(x), "198.51.100.7");
	ck_assert_uint_eq(x->client.port, 4711);
	ck_assert_str_eq(fixture_str(x, x->client.scheme), "http");
	ck_assert_uint_eq(x->request_id.len, 32);
}
END_TEST

START_TEST(the_client_is_the_first_untrusted_hop_from_the_right)
{
	struct exch *x = request_from("10.0.0.1",
	    GET("/", "X-Forwarded-For: 6.6.6.6, 192.0.2.9\r\n"
		     "X-Forwarded-For: 10.0.0.2\r\n"
		     "X-Forwarded-Proto: https\r\nX-Request-Id: abc-1\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(client_ip(x), "192.0.2.9");
	ck_assert_str_eq(fixture_str(x, x->client.scheme), "https");
	ck_assert_str_eq(fixture_str(x, x->request_id), "abc-1");
}
END_TEST

START_TEST(a_chain_of_trusted_hops_only_ends_at_its_first)
{
	struct exch *x = request_from(
	    "10.0.0.1", GET("/", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(client_ip(x), "10.0.0.3");
}
END_TEST

START_TEST(garbage_in_the_chain_ends_it_at_the_last_known_hop)
{
	struct exch *x = request_from("10.0.0.1",
	    GET("/", "X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.9\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(client_ip(x), "10.0.0.9");
}
END_TEST

START_TEST(forwarded_is_read_when_there_is_no_x_forwarded_for)
{
	struct exch *x = request_from("2001:db8::1",
	    GET("/", "Forwarded: for=1.1.1.1, "
		     "for=\"[2a00::5]:99\";proto=https;by=_x\r\n"
		     "Forwarded: For=10.1.1.1;host=\"a,b\"\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(client_ip(x), "2a00::5");
	ck_assert_uint_eq(x->client.port, 99);
	ck_assert_str_eq(fixture_str(x, x->client.scheme), "https");
}
END_TEST

START_TEST(a_forged_chain_of_trusted_hops_is_not_walked_forever)
{
	char head[8192] = "GET / HTTP/1.1\r\nHost: example.com\r\n"
			  "X-Forwarded-For: 1.1.1.1";
	struct exch *x;

	for (unsigned i = 0; i < 200; i++)
		strcat(head, ", 10.0.0.2");
	strcat(head, "\r\n\r\n");
	x = request_from("10.0.0.1", head);
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(client_ip(x), "10.0.0.2");
}
END_TEST

START_TEST(a_harmful_request_id_is_not_taken_over)
{
	struct exch *x =
	    request_from("10.0.0.1", GET("/", "X-Request-Id: a\"b c\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_uint_eq(x->request_id.len, 32);
}
END_TEST

START_TEST(members_are_read_or_refused_never_guessed)
{
	static const char *const good[] = {"1.2.3.4", "1.2.3.4:80", "::1",
	    "[::1]", "[::1]:65535", "2001:db8::1"};
	static const char *const bad[] = {"", "unknown", "_hidden", "1.2.3",
	    "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "[::1", "[::1]x",
	    "[::1]:", "[1.2.3]", "1.2.3.4 ", ":80", "::1]:80"};
	struct forwarded_hop hop;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(
		    forwarded_read_xff(span_str(good[i]), &hop), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    !forwarded_read_xff(span_str(bad[i]), &hop), "%s", bad[i]);
	ck_assert(!forwarded_read_rfc7239(SPAN_LIT("proto=http"), &hop));
	ck_assert(
	    !forwarded_read_rfc7239(SPAN_LIT("for=1.1.1.1;for=2.2.2.2"), &hop));
	ck_assert(forwarded_read_rfc7239(SPAN_LIT("a;FOR=1.1.1.1"), &hop));
	ck_assert(forwarded_read_rfc7239(
	    SPAN_LIT("for=1.1.1.1;host=\"a;for=2.2.2.2;b\""), &hop));
	ck_assert(!forwarded_read_rfc7239(
	    SPAN_LIT("host=\"a;for=2.2.2.2;b\""), &hop));
}
END_TEST

START_TEST(a_quote_left_open_hides_nothing_on_its_right)
{
	struct exch *x = request_from("10.0.0.1",
	    GET("/", "Forwarded: for=\"6.6.6.6\\, for=192.0.2.9\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(client_ip(x), "192.0.2.9");
}
END_TEST

START_TEST(a_host_is_quoted_where_it_is_no_token)
{
	struct exch *x = fixture_request(
	    fx, "GET http://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n");

	x->req.authority = SPAN_LIT("a,for=6.6.6.6");
	x->req.host = SPAN_LIT("example.com");
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_ptr_nonnull(
	    strstr(field(x, "Forwarded"), ";host=\"a,for=6.6.6.6\";"));
}
END_TEST

/* --- route ---------------------------------------------------------------- */

static void
expect_site(const char *host, const char *want)
{
	const struct plan_site *s =
	    route_site(&fx->w.plan->listens[0], span_str(host));

	if (want == NULL)
		ck_assert_ptr_null(s);
	else
		ck_assert_msg(
		    s != NULL && span_eq(s->name, span_str(want)), "%s", host);
}

START_TEST(hosts_find_their_site)
{
	expect_site("example.com", "example.com");
	expect_site("EXAMPLE.com.", "example.com");
	expect_site("www.example.com", NULL);
	expect_site("a.example.org", "wild");
	expect_site("a.b.example.org", "wild");
	expect_site("example.org", NULL);
	expect_site("example.net", "wild");
	expect_site("x.example.net", "wild");
	expect_site("notexample.net", NULL);
	expect_site("", NULL);
	expect_site(".", NULL);
	expect_site("....", NULL);
}
END_TEST

START_TEST(an_unknown_host_is_misdirected_and_an_unknown_path_not_found)
{
	expect_fault("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n", F_MISDIRECTED);
	expect_fault("GET / HTTP/1.0\r\n\r\n", F_MISDIRECTED);
	expect_fault(
	    "GET /x HTTP/1.1\r\nHost: a.example.org\r\n\r\n", F_NOT_FOUND);
}
END_TEST

START_TEST(content_over_max_body_is_refused_by_its_length)
{
	struct exch *x;

	expect_fault("POST / HTTP/1.1\r\nHost: example.com\r\n"
		     "Content-Length: 1025\r\n\r\n",
	    F_BODY_TOO_LARGE);
	x = fixture_request(fx, "POST / HTTP/1.1\r\nHost: example.com\r\n"
				"Content-Length: 1024\r\n\r\n");
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	x = fixture_request(fx, "POST /big HTTP/1.1\r\nHost: example.com\r\n"
				"Content-Length: 99999999999\r\n\r\n");
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
}
END_TEST

#define WS "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define WS_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_VERSION "Sec-WebSocket-Version: 13\r\n"

static bool
wants_tunnel(const char *head)
{
	struct exch *x = fixture_request(fx, head);

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_ptr_null(field(x, "Upgrade"));
	ck_assert_ptr_null(field(x, "Connection"));
	return x->wants_tunnel;
}

static void
is_refused_upgrade(const char *head)
{
	struct exch *x = fixture_request(fx, head);

	ck_assert_int_eq(fixture_stages(x), VERDICT_FAULT);
	ck_assert_int_eq(x->fault, F_UPGRADE_BAD);
}

START_TEST(a_websocket_handshake_that_is_malformed_is_refused)
{
	is_refused_upgrade(GET("/ws", WS WS_VERSION));
	is_refused_upgrade(GET("/ws", WS WS_KEY));
	is_refused_upgrade(
	    GET("/ws", WS WS_KEY WS_VERSION "Content-Length: 1\r\n"));
	is_refused_upgrade(GET("/ws",
	    WS WS_VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"));
	is_refused_upgrade(GET("/ws",
	    WS WS_VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n"));
	is_refused_upgrade(GET("/ws",
	    WS WS_VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j.Q==\r\n"));
}
END_TEST

START_TEST(only_a_whole_websocket_handshake_asks_for_a_tunnel)
{
	ck_assert(wants_tunnel(GET("/ws", WS WS_KEY WS_VERSION)));
	ck_assert(!wants_tunnel(GET("/nows", WS WS_KEY WS_VERSION)));
	ck_assert(!wants_tunnel(
	    GET("/ws", "Upgrade: websocket\r\n" WS_KEY WS_VERSION)));
	ck_assert(!wants_tunnel(GET("/ws",
	    "Upgrade: h2c\r\nConnection: upgrade, HTTP2-Settings\r\n"
	    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n" WS_KEY WS_VERSION)));
	ck_assert(!wants_tunnel(
	    "POST /ws HTTP/1.1\r\nHost: example.com\r\n" WS WS_KEY WS_VERSION
	    "\r\n"));
	ck_assert(!wants_tunnel(
	    "GET /ws HTTP/1.0\r\nHost: example.com\r\n" WS WS_KEY WS_VERSION
	    "\r\n"));
}
END_TEST

/* --- request fields ------------------------------------------------------- */

START_TEST(what_is_for_us_alone_goes_first)
{
	struct exch *x = fixture_request(
	    fx, GET("/", "Connection: close, X-Private, Keep-Alive\r\n"
			 "Connection: x-forwarded-for\r\n"
			 "Keep-Alive: timeout=5\r\nX-Private: 1\r\n"
			 "Proxy-Connection: keep-alive\r\nTrailer: X\r\n"
			 "Proxy: http://evil/\r\nAccept: */*\r\n"
			 "X-Forwarded-For: 6.6.6.6\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_ptr_null(field(x, "Connection"));
	ck_assert_ptr_null(field(x, "X-Private"));
	ck_assert_ptr_null(field(x, "Keep-Alive"));
	ck_assert_ptr_null(field(x, "Proxy-Connection"));
	ck_assert_ptr_null(field(x, "Trailer"));
	ck_assert_ptr_null(field(x, "Proxy"));
	ck_assert_str_eq(field(x, "Accept"), "*/*");
	ck_assert_str_eq(field(x, "X-Forwarded-For"), "198.51.100.7");
}
END_TEST

START_TEST(te_trailers_is_said_again_by_us)
{
	struct exch *x = fixture_request(
	    fx, GET("/", "TE: trailers, gzip\r\nConnection: TE\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "TE"), "trailers");
	ck_assert_str_eq(field(x, "Connection"), "TE");
	x = fixture_request(fx, GET("/", "TE: gzip\r\nConnection: TE\r\n"));
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_ptr_null(field(x, "TE"));
	ck_assert_ptr_null(field(x, "Connection"));
}
END_TEST

START_TEST(a_stranger_can_forge_none_of_ours)
{
	struct exch *x = fixture_request(fx,
	    GET("/", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
		     "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n"
		     "X-Forwarded-Anything: 1\r\nX-Real-IP: 6.6.6.6\r\n"
		     "Forwarded: for=6.6.6.6\r\nX-Request-Id: forged\r\n"
		     "X_Forwarded_For: 6.6.6.6\r\nX_REAL_IP: 6.6.6.6\r\n"
		     "X-Forwarded_Proto: https\r\nTransfer_Encoding: x\r\n"
		     "X_Harmless: 1\r\n"));

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "X-Forwarded-For"), "198.51.100.7");
	ck_assert_str_eq(field(x, "X-Forwarded-Proto"), "http");
	ck_assert_str_eq(field(x, "X-Forwarded-Host"), "example.com");
	ck_assert_str_eq(field(x, "X-Forwarded-Port"), "80");
	ck_assert_str_eq(field(x, "X-Real-IP"), "198.51.100.7");
	ck_assert_str_eq(field(x, "Forwarded"),
	    "for=198.51.100.7;host=example.com;proto=http");
	ck_assert_uint_eq(strlen(field(x, "X-Request-Id")), 32);
	ck_assert_ptr_null(field(x, "X-Forwarded-Anything"));
	ck_assert_ptr_null(field(x, "X_Forwarded_For"));
	ck_assert_ptr_null(field(x, "X_REAL_IP"));
	ck_assert_ptr_null(field(x, "X-Forwarded_Proto"));
	ck_assert_ptr_null(field(x, "Transfer_Encoding"));
	ck_assert_str_eq(field(x, "X_Harmless"), "1");
}
END_TEST

START_TEST(a_trusted_proxys_fields_are_kept_and_continued)
{
	struct exch *x = request_from("2001:db8::1",
	    "GET / HTTP/1.1\r\nHost: example.com:8080\r\nVia: 1.0 edge\r\n"
	    "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n"
	    "X-Forwarded-Host: www.example.com\r\nX-Forwarded-Port: 443\r\n"
	    "Forwarded: for=192.0.2.9;proto=https\r\nX-Request-Id: id1\r\n"
	    "X-Real-IP: 9.9.9.9\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n");
	char via[128];

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "X-Forwarded-For"), "192.0.2.9, 2001:db8::1");
	ck_assert_str_eq(field(x, "X-Forwarded-Proto"), "https");
	ck_assert_str_eq(field(x, "X-Forwarded-Host"), "www.example.com");
	ck_assert_str_eq(field(x, "X-Forwarded-Port"), "443");
	ck_assert_str_eq(field(x, "X-Real-IP"), "192.0.2.9");
	ck_assert_str_eq(field(x, "Forwarded"),
	    "for=192.0.2.9;proto=https, for=\"[2001:db8::1]\";"
	    "host=\"example.com:8080\";proto=https");
	ck_assert_str_eq(field(x, "X-Request-Id"), "id1");
	ck_assert_ptr_null(field(x, "X_Forwarded_For"));
	snprintf(via, sizeof(via), "1.0 edge | 1.1 %.*s",
	    SPAN_FMT(fx->w.plan->listens[0].via_name));
	ck_assert_str_eq(field(x, "Via"), via);
}
END_TEST

START_TEST(a_peer_on_a_unix_socket_has_no_address_to_tell)
{
	struct exch *x =
	    fixture_request(fx, GET("/", "X-Real-IP: 1.1.1.1\r\n"));

	memset(&x->client.peer, 0, sizeof(x->client.peer));
	x->client.is_unix = true;
	x->client.local_port = 0;
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "X-Forwarded-For"), "unknown");
	ck_assert_str_eq(
	    field(x, "Forwarded"), "for=unknown;host=example.com;proto=http");
	ck_assert_ptr_null(field(x, "X-Real-IP"));
	ck_assert_ptr_null(field(x, "X-Forwarded-Port"));
}
END_TEST

START_TEST(host_follows_the_target)
{
	struct exch *x = fixture_request(
	    fx, "GET http://example.com/a HTTP/1.1\r\nHost: other\r\n\r\n");

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_str_eq(field(x, "Host"), "example.com");
	ck_assert_str_eq(field(x, "X-Forwarded-Host"), "example.com");
}
END_TEST

START_TEST(a_connection_that_names_too_much_is_refused)
{
	char head[8192] =
	    "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close";

	for (unsigned i = 0; i < 65; i++)
		strcat(head, ", x-abc");
	strcat(head, "\r\n\r\n");
	expect_fault(head, F_CLIENT_BAD);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_path_is_normalized_and_every_request_has_an_id,
	    trace_and_connect_are_refused,
	    options_about_us_are_answered_here,
	    max_forwards_counts_down_for_options_only,
	    our_own_name_in_via_is_a_loop,
	    a_stranger_cannot_say_who_it_is,
	    the_client_is_the_first_untrusted_hop_from_the_right,
	    a_chain_of_trusted_hops_only_ends_at_its_first,
	    garbage_in_the_chain_ends_it_at_the_last_known_hop,
	    forwarded_is_read_when_there_is_no_x_forwarded_for,
	    a_forged_chain_of_trusted_hops_is_not_walked_forever,
	    a_harmful_request_id_is_not_taken_over,
	    members_are_read_or_refused_never_guessed,
	    a_quote_left_open_hides_nothing_on_its_right,
	    a_host_is_quoted_where_it_is_no_token,
	    hosts_find_their_site,
	    an_unknown_host_is_misdirected_and_an_unknown_path_not_found,
	    content_over_max_body_is_refused_by_its_length,
	    a_websocket_handshake_that_is_malformed_is_refused,
	    only_a_whole_websocket_handshake_asks_for_a_tunnel,
	    what_is_for_us_alone_goes_first,
	    te_trailers_is_said_again_by_us,
	    a_stranger_can_forge_none_of_ours,
	    a_trusted_proxys_fields_are_kept_and_continued,
	    a_peer_on_a_unix_socket_has_no_address_to_tell,
	    host_follows_the_target,
	    a_connection_that_names_too_much_is_refused,
	};

	return unit_run_in(
	    "route/request", tests, NELEMS(tests), setup, teardown);
}
