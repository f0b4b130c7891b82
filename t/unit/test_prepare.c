/* Unit tests of worker/prepare*: from configuration to plan. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/spots.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/route/route.h"
#include "worker/route/table.h"
#include "worker/up/up.h"

static const struct plan_route *
route_of(const struct fixture *f, const char *host, const char *path)
{
	const struct plan_site *s =
	    route_site(&f->w.plan->listens[0], span_str(host));
	const struct plan_route *r = NULL;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(
	    table_find(s->routes, span_str(path), &r), TABLE_FOUND);
	return r;
}

START_TEST(a_site_needs_two_lines)
{
	struct fixture *f =
	    fixture_new("[site a.test]\nupstream = 127.0.0.1:3000\n");
	const struct plan *p = f->w.plan;
	const struct plan_route *r = route_of(f, "a.test", "/");

	ck_assert_uint_eq(p->n_listens, 1);
	ck_assert_uint_eq(p->n_sites, 1);
	ck_assert_uint_eq(p->n_upstreams, 1);
	ck_assert_ptr_eq(r->set.handler, &up_handler);
	ck_assert_ptr_eq(r->set.handler_conf, p->upstreams[0]);
	ck_assert(r->set.allows_websocket);
	ck_assert_uint_eq(r->set.max_body, 0);
	ck_assert_uint_eq(p->listens[0].limits.line_max, 8192);
	ck_assert_uint_eq(p->listens[0].limits.head_max, 32768);
	ck_assert_uint_eq(p->listens[0].limits.fields_max, 100);
	ck_assert_uint_eq(p->listens[0].header_timeout_ms, 10000);
	ck_assert_uint_eq(p->listens[0].idle_timeout_ms, 75000);
	ck_assert(!p->listens[0].proxy_protocol);
	ck_assert_uint_eq(p->listens[0].set.logs.n, 0);
	fixture_free(f);
}
END_TEST

START_TEST(the_nearest_scope_says_who_answers)
{
	struct fixture *f =
	    fixture_new("[defaults]\nrespond = 200 default\nmax_body = 5k\n"
			"[site a.test]\ntimeout = 3s\n"
			"[site b.test]\nupstream = app\nmax_body = none\n"
			"[route b.test /r]\nredirect = 301 /\nwebsocket = off\n"
			"[route b.test /u]\nstrip_prefix = /u\n"
			"[route b.test /d]\nupstream = none\n"
			"[upstream app]\nserver = 127.0.0.1:1\n");

	ck_assert_ptr_eq(
	    route_of(f, "a.test", "/")->set.handler, &respond_handler);
	ck_assert_uint_eq(route_of(f, "a.test", "/")->set.max_body, 5120);
	ck_assert_uint_eq(route_of(f, "a.test", "/")->set.timeout_ms, 3000);
	ck_assert_ptr_eq(route_of(f, "b.test", "/")->set.handler, &up_handler);
	ck_assert_uint_eq(route_of(f, "b.test", "/")->set.max_body, 0);
	ck_assert_ptr_eq(
	    route_of(f, "b.test", "/r/x")->set.handler, &redirect_handler);
	ck_assert(!route_of(f, "b.test", "/r")->set.allows_websocket);
	ck_assert_ptr_eq(route_of(f, "b.test", "/u")->set.handler, &up_handler);
	ck_assert(span_eq(
	    route_of(f, "b.test", "/u")->set.strip_prefix, SPAN_LIT("/u")));
	ck_assert_ptr_eq(
	    route_of(f, "b.test", "/d")->set.handler, &respond_handler);
	fixture_free(f);
}
END_TEST

START_TEST(sites_are_served_where_they_say)
{
	struct fixture *f = fixture_new(
	    "[listen one]\naddress = :0\ndefault_site = b\n"
	    "[listen two]\naddress = 127.0.0.1:0\ntrusted_proxies = unix: ::1\n"
	    "[site a.test]\nrespond = 200\nlisten = one\n"
	    "[site b]\nhosts = b.test a.test\nrespond = 200\nlisten = two\n"
	    "[site c]\nhosts = *.c.test\nrespond = 200\n");
	const struct plan_listen *one = &f->w.plan->listens[0];
	const struct plan_listen *two = &f->w.plan->listens[1];
	const struct plan_site *a = &f->w.plan->sites[0];
	const struct plan_site *b = &f->w.plan->sites[1];
	const struct plan_site *c = &f->w.plan->sites[2];
	struct ip ip;

	ck_assert_ptr_eq(route_site(one, SPAN_LIT("a.test")), a);
	ck_assert_ptr_eq(route_site(two, SPAN_LIT("a.test")), b);
	ck_assert_ptr_eq(route_site(one, SPAN_LIT("b.test")), b);
	ck_assert_ptr_eq(route_site(one, SPAN_LIT("x.c.test")), c);
	ck_assert_ptr_eq(route_site(two, SPAN_LIT("x.c.test")), c);
	ck_assert_ptr_eq(route_site(one, SPAN_LIT("nobody")), b);
	ck_assert_ptr_null(route_site(two, SPAN_LIT("nobody")));
	ck_assert(two->trusts_unix && !one->trusts_unix);
	ck_assert(ip_parse(SPAN_LIT("::1"), &ip));
	ck_assert(iptrie_find(two->trusted, &ip));
	fixture_free(f);
}
END_TEST

START_TEST(the_most_exact_host_wins)
{
	struct fixture *f =
	    fixture_new("[site star]\nhosts = *\nrespond = 200\n"
			"[site dot]\nhosts = .example.com\nrespond = 200\n"
			"[site deep]\nhosts = *.b.example.com\nrespond = 200\n"
			"[site exact]\nhosts = example.com x.example.com\n"
			"respond = 200\n"
			"[site six]\nhosts = [::1]\nrespond = 200\n");
	static const char *const want[][2] = {
	    {"example.com", "exact"},
	    {"x.example.com", "exact"},
	    {"y.example.com", "dot"},
	    {"b.example.com", "dot"},
	    {"a.b.example.com", "deep"},
	    {"a.a.b.example.com", "deep"},
	    {"other", "star"},
	    {"::1", "six"},
	    {"", "star"},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct plan_site *s =
		    route_site(&f->w.plan->listens[0], span_str(want[i][0]));

		ck_assert_ptr_nonnull(s);
		ck_assert_msg(span_eq(s->name, span_str(want[i][1])),
		    "%s is %.*s", want[i][0], SPAN_FMT(s->name));
	}
	fixture_free(f);
}
END_TEST

START_TEST(our_name_in_via_is_stable_and_another_ones_differs)
{
	static const char *const confs[] = {
	    "[listen l]\naddress = 127.0.0.1:1\n[site a]\nrespond = 200\n",
	    "[listen l]\naddress = 127.0.0.1:1\n[site b]\nrespond = 201\n",
	    "[listen l]\naddress = 127.0.0.1:2\n[site a]\nrespond = 200\n",
	};
	char names[3][64];

	for (size_t i = 0; i < 3; i++) {
		struct fixture *f = fixture_new(confs[i]);

		snprintf(names[i], sizeof(names[i]), "%.*s",
		    SPAN_FMT(f->w.plan->listens[0].via_name));
		ck_assert(span_eq(span_from(f->w.plan->listens[0].via_1_1, 4),
		    f->w.plan->listens[0].via_name));
		fixture_free(f);
	}
	ck_assert_str_eq(names[0], names[1]);
	ck_assert_str_ne(names[0], names[2]);
}
END_TEST

static void
expect_refused(const char *conf, const char *want)
{
	char *why = fixture_refused(conf);

	ck_assert_msg(strstr(why, want) != NULL, "%s", why);
	free(why);
}

START_TEST(what_contradicts_itself_is_refused)
{
	expect_refused("[site a]\nrespond = 200\n[site b]\nhosts = b A\n"
		       "respond = 200\n",
	    "test.ini:4:11:");
	expect_refused("[site a]\nhosts = *.x\nrespond = 200\n"
		       "[site b]\nhosts = .x\nrespond = 200\n",
	    "test.ini:5:9:");
	expect_refused("[site a]\nhosts = *\nrespond = 200\n"
		       "[site b]\nhosts = *\nrespond = 200\n",
	    "test.ini:5:9:");
	expect_refused(
	    "[site a]\nrespond = 200\nredirect = 301 /\n", "test.ini:3:");
	expect_refused(
	    "[site a]\n[route a /x]\nmax_body = 1k\n", "test.ini:2:");
	expect_refused("[site a]\nrespond = 200\n"
		       "[route a /x]\nrespond = none\n",
	    "test.ini:3:");
	expect_refused("[site a]\nmax_body = 1k\n", "test.ini:1:");
	expect_refused("[site a]\nrespond = 200\n[route b /]\nrespond = 200\n",
	    "test.ini:3:");
	expect_refused("[site a]\nupstream = nobody\n", "nobody");
	expect_refused("[listen l]\naddress = :0\ndefault_site = x\n[site a]\n"
		       "respond = 200\n",
	    "test.ini:3:");
	expect_refused(
	    "[site a]\nrespond = 200\naccess_log = no\n", "test.ini:3:");
	expect_refused("[site a]\nrespond = 200\naccess_log = error\n"
		       "[log error]\npath = stderr\n",
	    "test.ini:3:");
}
END_TEST

START_TEST(all_mistakes_are_told_in_one_run)
{
	char *why = fixture_refused(
	    "[site a]\nrespond = 200 {hots}\nstrip_prefix = /a/../..\n"
	    "[site b]\nredirect = 301 {bad}\n"
	    "[route b ~ (]\nrespond = 200\n"
	    "[log access]\npath = stdout\nformat = {nope}\n");

	ck_assert_msg(strstr(why, "test.ini:2:15:") != NULL, "%s", why);
	ck_assert_msg(strstr(why, "test.ini:3:16:") != NULL, "%s", why);
	ck_assert_msg(strstr(why, "test.ini:5:16:") != NULL, "%s", why);
	ck_assert_msg(strstr(why, "test.ini:6:13:") != NULL, "%s", why);
	ck_assert_msg(strstr(why, "test.ini:10:10:") != NULL, "%s", why);
	free(why);
}
END_TEST

#define RULE "[site a]\nrespond = 200\n[rule a r]\n"

START_TEST(a_rule_holds_what_it_says_alone)
{
	struct fixture *f = fixture_new(
	    "[log one]\npath = stderr\n[log two]\npath = stderr\n"
	    "[defaults]\nmax_body = 1k\nrequest_header = A: 1\n"
	    "access_log = one\n[site a]\nrespond = 200\n"
	    "[rule a r]\nmatch = path ^= /x\nmatch = !method = GET\n"
	    "timeout = none\nrequest_header = B: 2\n"
	    "hide_header = none\nhide_header = C D\naccess_log = two\n"
	    "[rule a late]\nmatch = path = /\nmatch = status>=400\n"
	    "response_header = X: {status}\naccess_log = none\n");
	const struct plan_site *s = &f->w.plan->sites[0];
	const struct plan_rule *r = &s->rules[0];

	ck_assert_uint_eq(s->n_rules, 2);
	ck_assert(span_eq(r->name, SPAN_LIT("r")));
	ck_assert_uint_eq(r->n_terms, 2);
	ck_assert_int_eq(r->when, VAR_WHEN_REQUEST);
	ck_assert_uint_eq(r->says, RULE_TIMEOUT | RULE_LOGS | RULE_HIDDEN_ALL);
	ck_assert_uint_eq(r->set.request_fields.n, 1);
	ck_assert_uint_eq(r->set.hidden_fields.n, 2);
	ck_assert_uint_eq(r->set.logs.n, 1);
	r = &s->rules[1];
	ck_assert_int_eq(r->when, VAR_WHEN_RESPONSE);
	ck_assert_uint_eq(r->says, RULE_LOGS | RULE_LOGS_ALL);
	ck_assert_uint_eq(r->set.response_fields.n, 1);
	ck_assert_uint_eq(s->set.request_fields.n, 1);
	fixture_free(f);
}
END_TEST

START_TEST(a_line_that_many_inherit_is_compiled_once)
{
	struct fixture *f = fixture_new(
	    "[defaults]\nrespond = 200\nrequest_header = A: {host}\n"
	    "[site a]\n[route a /x]\n[site b]\n[route b /y]\n");
	const struct field_rule *one =
	    route_of(f, "a", "/x")->set.request_fields.at[0];

	ck_assert_ptr_eq(one, route_of(f, "b", "/y")->set.request_fields.at[0]);
	fixture_free(f);
}
END_TEST

START_TEST(what_a_rule_cannot_do_is_refused)
{
	expect_refused(
	    RULE "match = pth = /x\n", "test.ini:4:9: error: unknown variable");
	expect_refused(RULE "match = bytes_out > 1\n", "test.ini:4:9:");
	expect_refused(RULE "match = none\n", "test.ini:4:9:");
	expect_refused(RULE "match = path\nrespond = none\n",
	    "test.ini:5:11: error: respond = none: a rule can give");
	expect_refused(RULE "match = status = 200\nmax_body = 1k\n",
	    "test.ini:5:1: error: 'max_body' is too late");
	expect_refused(RULE "match = status = 200\nrequest_header = A: b\n",
	    "test.ini:5:1: error: 'request_header' is too late");
	expect_refused(RULE "match = status = 200\nrespond = 200\n",
	    "test.ini:5:1: error: 'respond' is too late");
	expect_refused("[site a]\nrespond = 200\n[rule b r]\nmatch = path\n",
	    "test.ini:3:7: error: [rule b r]: site 'b' is not defined");
}
END_TEST

/* RFC 9110 7.6.1 and 9112 6: what frames or concerns one connection only. */
START_TEST(fields_that_are_not_the_configurations_are_refused)
{
	static const char *const both[] = {"Connection", "content-length",
	    "Transfer-Encoding", "Host", "TE", "Trailer", "Upgrade",
	    "Keep-Alive", "Proxy-Connection", "HTTP2-Settings"};
	static const char *const request[] = {"Expect", "Via", "Max-Forwards"};
	static const char *const forms[] = {"request_header = %s: x\n",
	    "request_header = +%s: x\n", "request_header = ,%s: x\n",
	    "request_header = -%s\n", "response_header = %s: x\n",
	    "response_header = +%s: x\n", "response_header = ,%s: x\n",
	    "response_header = -%s\n", "hide_header = X %s\n"};

	for (size_t i = 0; i < NELEMS(both) + NELEMS(request); i++) {
		bool is_both = i < NELEMS(both);

		for (size_t k = 0; k < (is_both ? NELEMS(forms) : 4); k++) {
			char line[100];
			char conf[200];

			(void)snprintf(line, sizeof(line), forms[k],
			    is_both ? both[i] : request[i - NELEMS(both)]);
			(void)snprintf(conf, sizeof(conf),
			    "[site a]\nrespond = 200\n%s", line);
			expect_refused(conf, "cannot be changed");
			expect_refused(conf, "test.ini:3:");
		}
	}
}
END_TEST

START_TEST(header_lines_are_judged_where_they_stand)
{
	expect_refused("[site a]\nrespond = 200\n"
		       "request_header = ,Authorization: x\n",
	    "test.ini:3:19: error: request_header: 'Authorization' may be");
	expect_refused("[site a]\nrespond = 200\n"
		       "response_header = ,Set-Cookie: x\n",
	    "test.ini:3:20: error: response_header: 'Set-Cookie' is no list");
	expect_refused("[site a]\nrespond = 200\n"
		       "request_header = X-A: a {pth}\n",
	    "test.ini:3:25: error: unknown variable {pth}");
	expect_refused("[site a]\nrespond = 200\n"
		       "request_header = X-A: {status}\n",
	    "test.ini:3:23: error: {status} is known only when the answer");
	expect_refused("[site a]\nrespond = 200\n"
		       "response_header = X-A: {bytes_out}\n",
	    "test.ini:3:24: error: {bytes_out} is known only at the end");
}
END_TEST

START_TEST(a_default_site_beside_a_star_is_only_a_warning)
{
	struct fixture *f =
	    fixture_new("[listen l]\naddress = :0\ndefault_site = b\n"
			"[site a]\nhosts = *\nrespond = 200\n"
			"[site b]\nrespond = 200\n");

	ck_assert_uint_eq(diag_count(f->diag, DIAG_WARNING), 1);
	ck_assert(
	    span_eq(route_site(&f->w.plan->listens[0], SPAN_LIT("x"))->name,
		SPAN_LIT("a")));
	fixture_free(f);
}
END_TEST

START_TEST(servers_know_their_ports_and_names)
{
	static const struct {
		uint16_t port;
		const char *tls_name;
		const char *text;
	} rows[] = {
	    {443, "a.test", "https://a.test"},
	    {8443, "a.test", "https://a.test:8443"},
	    {443, "::1", "https://[::1]"},
	    {80, "", "b.test"},
	    {80, "", "c.test"},
	};
	struct fixture *f = fixture_new(
	    "[site a]\nrespond = 200\n[upstream u]\ntls_verify = off\n"
	    "server = https://a.test\nserver = https://a.test:8443\n"
	    "server = https://[::1]\nserver = b.test\n"
	    "server = http://c.test\n");
	const struct upstream *u = f->w.plan->upstreams[0];
	const struct up_server_conf *s = u->servers;

	/* a name is one for each of its spots */
	ck_assert_uint_eq(u->n_servers, 4 * SPOTS_PER_NAME + 1);
	for (size_t i = 0;
	     i<NELEMS(rows); i++, s += s->host.len> 0 ? SPOTS_PER_NAME : 1) {
		uint16_t port = s->port;
		struct ip ip;

		if (s->host.len == 0)
			ck_assert(sock_addr_ip(&s->addr, &ip, &port));
		ck_assert_uint_eq(port, rows[i].port);
		ck_assert_span_eq(s->text, rows[i].text);
		ck_assert_span_eq(s->tls_name, rows[i].tls_name);
		ck_assert_int_eq(s->is_tls, rows[i].tls_name[0] != '\0');
		ck_assert_uint_eq(s->spot, 0);
		if (s->host.len > 0)
			ck_assert_uint_eq(
			    s[SPOTS_PER_NAME - 1].spot, SPOTS_PER_NAME - 1);
	}
	fixture_free(f);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_site_needs_two_lines,
	    the_nearest_scope_says_who_answers,
	    sites_are_served_where_they_say,
	    the_most_exact_host_wins,
	    our_name_in_via_is_stable_and_another_ones_differs,
	    what_contradicts_itself_is_refused,
	    all_mistakes_are_told_in_one_run,
	    a_rule_holds_what_it_says_alone,
	    a_line_that_many_inherit_is_compiled_once,
	    what_a_rule_cannot_do_is_refused,
	    fields_that_are_not_the_configurations_are_refused,
	    header_lines_are_judged_where_they_stand,
	    a_default_site_beside_a_star_is_only_a_warning,
	    servers_know_their_ports_and_names,
	};

	return unit_run("prepare", tests, NELEMS(tests));
}
