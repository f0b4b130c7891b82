/* Unit tests of exch/vars, exch/tmpl, exch/pct and exch/reqid. */
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/exch/pct.h"
#include "worker/exch/reqid.h"
#include "worker/exch/tmpl.h"

static struct fixture *fx;
static struct exch *x;

static void
setup(void)
{
	fx = fixture_new("[listen front]\naddress = 127.0.0.1:0\n"
			 "[site a.test]\nrespond = 200\n"
			 "[route a.test /x]\nrespond = 200\n");
	x = fixture_request(fx,
	    "POST /x/%41?b=1&c&d=2 HTTP/1.1\r\nHost: a.test:81\r\n"
	    "Cookie: one=1; two=2\r\nCookie: three=\"3\"\r\n"
	    "X-List: a\r\nAccept: x\r\nAccept: y\r\nContent-Length: 4\r\n\r\n");
	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
}

static void
teardown(void)
{
	fixture_free(fx);
}

/* What the template renders to. */
static const char *
render(const char *text, enum tmpl_escape how)
{
	struct var_src src = {
	    span_str(text), {.line = 1, .col = 1}, VAR_WHEN_END};
	struct diag *d = diag_new();
	struct tmpl t;

	ck_assert(tmpl_prepare(&t, &x->arena, &src, d));
	diag_free(d);
	return fixture_str(x, tmpl_render(&t, x, how));
}

#define expect(text, want) ck_assert_str_eq(render(text, TMPL_PLAIN), want)

START_TEST(the_request_can_be_told)
{
	expect("{client_ip} {client_port} {peer_ip} {peer_port} {port}",
	    "198.51.100.7 4711 198.51.100.7 4711 80");
	expect(
	    "{scheme}://{authority}{uri}", "http://a.test:81/x/%41?b=1&c&d=2");
	expect(
	    "{host} {path} {raw_path} {query}", "a.test /x/A /x/%41 b=1&c&d=2");
	expect(
	    "{method} {target} {protocol}", "POST /x/%41?b=1&c&d=2 HTTP/1.1");
	expect("{request}", "POST /x/%41?b=1&c&d=2 HTTP/1.1");
	expect("[{arg:b}{arg:c}{arg:d}{arg:e}]", "[12]");
	expect(
	    "{cookie:one}{cookie:two}{cookie:three}{cookie:four}", "12\"3\"");
	expect("{header:x-list} {header:Accept} {header:none}", "a x, y ");
	ck_assert_uint_eq(strlen(render("{request_id}", TMPL_PLAIN)), 32);
}
END_TEST

START_TEST(the_outcome_can_be_told)
{
	x->origin.upstream = SPAN_LIT("app");
	x->origin.server = SPAN_LIT("127.0.0.1:3000");
	x->origin.tries = 2;
	x->origin.status = 503;
	x->bytes_out = UINT64_MAX;
	x->t.end_us = x->t.begin_us + 12345678;
	x->t.connect_us = x->t.begin_us + 2999;
	exch_reply(x, 200, SPAN_LIT("text/plain"), SPAN_LIT("hello"));
	x->t.answer_us = 0;
	expect("{listen} {site} {route}", "front a.test /x");
	expect("{upstream} {server} {tries} {origin_status}",
	    "app 127.0.0.1:3000 2 503");
	expect("{status} {response_header:content-type}", "200 text/plain");
	expect("{bytes_out} {body_bytes_out}", "18446744073709551615 0");
	expect("{duration} {duration_ms}", "12.345 12345");
	expect("{connect_ms}|{answer_ms}|{fault}", "2||");
	body_consume(&x->resp_body, 3);
	expect("{body_bytes_out}", "3");
	ck_assert_uint_eq(strlen(render("{time}", TMPL_PLAIN)), 24);
	ck_assert_uint_eq(strlen(render("{time_clf}", TMPL_PLAIN)), 26);
	ck_assert_uint_ge(strlen(render("{time_unix}", TMPL_PLAIN)), 10);
}
END_TEST

START_TEST(a_fault_is_told_by_its_word)
{
	exch_fault_as(x, F_ORIGIN_TIMEOUT, 0, "too slow");
	expect(
	    "{status} {fault} {fault_detail}", "504 origin_timeout too slow");
}
END_TEST

START_TEST(a_client_that_left_is_499)
{
	exch_fault(x, F_CLIENT_GONE, 0);
	expect("{status} {fault}", "499 client_gone");
}
END_TEST

START_TEST(an_exchange_that_never_had_a_head_has_all_variables)
{
	char scratch[VAR_SCRATCH];

	memset(&x->req, 0, sizeof(x->req));
	x->path = x->request_id = span_of(NULL, 0);
	x->site = NULL;
	x->route = NULL;
	for (unsigned id = 0; id < VAR_N; id++) {
		struct var v = {.id = (enum var_id)id, .arg = SPAN_LIT("some")};

		ck_assert_uint_le(var_get(x, &v, scratch).len, 64);
		ck_assert_uint_gt(strlen(var_doc(v.id)), 10);
	}
}
END_TEST

START_TEST(an_ipv6_host_keeps_its_brackets)
{
	x = fixture_request(fx, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
	expect("{host} {authority}", "[::1] [::1]:80");
}
END_TEST

START_TEST(braces_are_text_unless_a_name_follows)
{
	expect("", "");
	expect("{", "{");
	expect("{}", "{}");
	expect("a{\"b\":{ 1}}", "a{\"b\":{ 1}}");
	expect("{{path}", "{path}");
	expect("{{{{", "{{");
	expect("{{{method}}", "{POST}");
}
END_TEST

static void
expect_refused(const char *text, const char *want, unsigned col)
{
	struct var_src src = {
	    span_str(text), {.line = 1, .col = 5}, VAR_WHEN_REQUEST};
	struct diag *d = diag_new();
	char place[32];
	struct tmpl t;
	char *why;

	src.at.file = diag_file(d, "t.ini", SPAN_LIT("x = y\n"));
	ck_assert(!tmpl_prepare(&t, &x->arena, &src, d));
	why = diag_render(d);
	ck_assert_msg(strstr(why, want) != NULL, "%s", why);
	snprintf(place, sizeof(place), "t.ini:1:%u:", col + 4);
	ck_assert_msg(strstr(why, place) != NULL, "%s", why);
	free(why);
	diag_free(d);
}

START_TEST(mistakes_are_told_at_their_place)
{
	expect_refused("{metod}", "did you mean {method}", 1);
	expect_refused("ab{zzzzzzz}", "unknown variable {zzzzzzz}", 3);
	expect_refused("ab{path", "never closed", 3);
	expect_refused("{path:x}", "takes nothing", 1);
	expect_refused("{header: }", "needs a name", 1);
	expect_refused("{cookie}", "needs a name", 1);
	expect_refused(
	    "a {status}", "{status} is known only when the answer", 3);
	expect_refused("{bytes_out}", "only at the end of the exchange", 1);
}
END_TEST

START_TEST(too_many_parts_are_refused)
{
	char text[3 * 300 + 1];

	for (unsigned i = 0; i < 300; i++)
		memcpy(text + 3 * i, "{{a", 3);
	text[900] = '\0';
	expect_refused(text, "more than 256 parts", 765);
}
END_TEST

START_TEST(what_may_not_stand_in_a_uri_is_encoded)
{
	struct arena *a = &x->arena;
	char all[256];
	span out;

	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	out = pct_encode(a, span_of(all, sizeof(all)));
	for (size_t i = 0; i < out.len; i++)
		ck_assert(out.p[i] > ' ' && out.p[i] < 0x7f &&
			  strchr("\"<>\\^`{|}", out.p[i]) == NULL);
	out = pct_encode(a, SPAN_LIT("/a%2f?# \xff"));
	ck_assert_str_eq(fixture_str(x, out), "/a%2f?#%20%FF");
	x->path = SPAN_LIT("/a b");
	ck_assert_str_eq(render("{path}", TMPL_URI), "/a%20b");
}
END_TEST

START_TEST(told_request_ids_are_bounded_and_harmless)
{
	char text[130];

	memset(text, 'a', sizeof(text));
	ck_assert(reqid_is_fine(span_of(text, 128)));
	ck_assert(!reqid_is_fine(span_of(text, 129)));
	ck_assert(!reqid_is_fine(span_of(text, 0)));
	ck_assert(reqid_is_fine(SPAN_LIT("Root=1-67891233-abcdef012345")));
	for (unsigned c = 0; c < 256; c++) {
		char ch = (char)c;

		if (c <= ' ' || c >= 0x7f || strchr("\"'\\<>{};,", ch))
			ck_assert(!reqid_is_fine(span_of(&ch, 1)));
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_request_can_be_told,
	    the_outcome_can_be_told,
	    a_fault_is_told_by_its_word,
	    a_client_that_left_is_499,
	    an_exchange_that_never_had_a_head_has_all_variables,
	    an_ipv6_host_keeps_its_brackets,
	    braces_are_text_unless_a_name_follows,
	    mistakes_are_told_at_their_place,
	    too_many_parts_are_refused,
	    what_may_not_stand_in_a_uri_is_encoded,
	    told_request_ids_are_bounded_and_harmless,
	};

	return unit_run_in("exch/vars", tests, NELEMS(tests), setup, teardown);
}
