/* Unit tests of worker/acl: each term, lists of lines, and how they stop at
 * what is not known and go on there. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/catdb_build.h"
#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/acl/acl.h"
#include "worker/acl/acl_int.h"
#include "worker/route/route.h"

#define CONF_CAP 4096

static struct fixture *fx;

static void
teardown(void)
{
	if (fx != NULL)
		fixture_free(fx);
	fx = NULL;
}

/* A site with these lines, and these sections behind it. */
static void
open_conf(const char *lines, const char *more)
{
	char conf[CONF_CAP];

	teardown();
	(void)snprintf(conf, sizeof(conf),
	    "[listen front]\naddress = 127.0.0.1:0\n"
	    "[site a]\nhosts = *\nrespond = 200\n%s\n%s\n",
	    lines, more);
	fx = fixture_new(conf);
}

/* The stages up to the list, without it. */
static struct exch *
ask(const char *line, const char *fields)
{
	char head[1024];
	struct exch *x;

	(void)snprintf(
	    head, sizeof(head), "%s HTTP/1.1\r\n%s\r\n", line, fields);
	x = fixture_request(fx, head);
	ck_assert_int_eq(stage_normalize(x), VERDICT_NEXT);
	ck_assert_int_eq(stage_client(x), VERDICT_NEXT);
	ck_assert_int_eq(stage_route(x), VERDICT_NEXT);
	ck_assert_int_eq(stage_rules(x), VERDICT_NEXT);
	return x;
}

static struct exch *
ask_for(const char *target)
{
	char line[600];

	(void)snprintf(line, sizeof(line), "GET %s", target);
	return ask(line, "Host: a.test\r\n");
}

static const char *
rule_of(struct exch *x)
{
	return fixture_str(x, x->access.rule);
}

static void
must_be(struct exch *x, bool is_allowed, const char *what)
{
	enum verdict v = stage_acl(x);

	ck_assert_msg(v == (is_allowed ? VERDICT_NEXT : VERDICT_FAULT),
	    "%s: %d", what, v);
	ck_assert_msg(x->access.is_denied == !is_allowed, "%s", what);
	ck_assert_msg(
	    x->fault == (is_allowed ? F_NONE : F_ACCESS_DENIED), "%s", what);
}

/* --- lists ---------------------------------------------------------------- */

START_TEST(without_lines_everybody_is_let_on)
{
	struct exch *x;

	open_conf("", "");
	x = ask_for("/");
	ck_assert_ptr_null(x->set->access.judge);
	must_be(x, true, "no list");
	ck_assert(!x->access.is_decided);
}
END_TEST

START_TEST(the_first_line_that_matches_decides)
{
	static const struct {
		const char *lines;
		bool is_allowed;
		const char *rule;
	} rows[] = {
	    {"allow = 198.51.100.7", true, "allow = 198.51.100.7"},
	    {"allow = 198.51.100.0/24\ndeny = all", true,
		"allow = 198.51.100.0/24"},
	    {"deny = 198.51.100.7\nallow = all", false, "deny = 198.51.100.7"},
	    {"deny = 192.0.2.1\nallow = all", true, "allow = all"},
	    {"deny = 192.0.2.1", true, "allow all"},
	    {"allow = 192.0.2.1", false, "deny all"},
	    {"deny = 192.0.2.1\nallow = 192.0.2.2", false, "deny all"},
	    {"deny = 192.0.2.1 198.51.100.0/24 ::1", false,
		"deny = 192.0.2.1 198.51.100.0/24 ::1"},
	    {"deny = 198.51.100.0/24 !198.51.100.7", true, "allow all"},
	    {"deny = 198.51.100.0/24 !198.51.100.8", false,
		"deny = 198.51.100.0/24 !198.51.100.8"},
	    {"deny = unix:", true, "allow all"},
	    {"deny = all", false, "deny = all"},
	    {"deny = get", false, "deny = get"},
	    {"deny = !get", true, "allow all"},
	    {"deny = get home", false, "deny = get home"},
	    {"deny = get !home", true, "allow all"},
	    {"deny = get 192.0.2.1", true, "allow all"},
	    {"deny = home\nallow = all\ndeny = none\nallow = get", true,
		"allow = get"},
	    {"deny = all\nallow = none", true, ""},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct exch *x;

		open_conf(rows[i].lines,
		    "[acl get]\nmethod = GET\n[acl home]\nip = "
		    "198.51.100.7\n");
		x = ask_for("/");
		must_be(x, rows[i].is_allowed, rows[i].lines);
		ck_assert_str_eq(rule_of(x), rows[i].rule);
	}
}
END_TEST

START_TEST(the_nearest_scope_comes_first_and_rules_before_routes)
{
	static const char more[] =
	    "[defaults]\ndeny = 198.51.100.7\n"
	    "[route a /near]\nallow = 198.51.100.7\n"
	    "[route a /own]\nallow = none\n"
	    "[route a /ruled]\ndeny = all\n"
	    "[rule a one]\nmatch = path = /ruled/one /ruled/both\n"
	    "allow = 198.51.100.0/24\n"
	    "[rule a two]\nmatch = path = /ruled/both /ruled/two\n"
	    "deny = 198.51.100.7\n"
	    "[rule a open]\nmatch = path = /ruled/open\ndeny = none\n";
	static const struct {
		const char *path;
		bool is_allowed;
		const char *rule;
	} rows[] = {
	    {"/", false, "deny = 198.51.100.7"},
	    {"/near", true, "allow = 198.51.100.7"},
	    {"/own", true, ""},
	    {"/ruled", false, "deny = all"},
	    {"/ruled/one", true, "allow = 198.51.100.0/24"},
	    {"/ruled/both", true, "allow = 198.51.100.0/24"},
	    {"/ruled/two", false, "deny = 198.51.100.7"},
	    {"/ruled/open", true, ""},
	};

	open_conf("", more);
	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct exch *x = ask_for(rows[i].path);

		must_be(x, rows[i].is_allowed, rows[i].path);
		ck_assert_str_eq(rule_of(x), rows[i].rule);
	}
}
END_TEST

START_TEST(a_closed_list_ends_in_deny_all_and_log_only_lets_on)
{
	struct plan_access l;
	struct conf_scope none;
	struct plan_settings set;
	struct exch *x;

	open_conf("", "");
	none = (struct conf_scope){.tree = fx->conf, .n = 0};
	acls_list(fx->prepared->acls, &none, true, &l, fx->diag);
	x = ask_for("/");
	set = *x->set;
	set.access = l;
	x->set = &set;
	must_be(x, false, "closed");
	ck_assert_str_eq(rule_of(x), "deny all");
	ck_assert_uint_eq(fx->counters.v[COUNTER_ACCESS_DENIED], 1);
	x = ask_for("/");
	set.access.is_log_only = true;
	x->set = &set;
	ck_assert_int_eq(stage_acl(x), VERDICT_NEXT);
	ck_assert(x->access.is_denied && x->fault == F_NONE);
	ck_assert_uint_eq(fx->counters.v[COUNTER_ACCESS_LOGGED], 1);
}
END_TEST

/* The gate of a quiet machine is a part of 1 us; the number is printed. */
START_TEST(a_list_costs_little)
{
	enum { N = 100000 };
	struct exch *x;
	clock_t began;
	double ns;

	open_conf("deny = bots\nallow = office\nallow = 198.51.100.0/24",
	    "[acl bots]\ndomain = .bots.test\n[acl office]\nip = 10.0.0.0/8\n"
	    "path = /admin\n");
	x = ask_for("/some/path");
	began = clock();
	for (int i = 0; i < N; i++) {
		x->access = (struct exch_access){.line = 0};
		if (stage_acl(x) != VERDICT_NEXT)
			ck_abort_msg("denied");
	}
	ns = (double)(clock() - began) / CLOCKS_PER_SEC / N * 1e9;
	printf("three lines: %.0f ns\n", ns);
	ck_assert_msg(ns < 50000, "%f", ns);
	/* nothing is left behind */
	ck_assert_uint_lt(x->arena.used, 3 * ARENA_CHUNK);
}
END_TEST

/* --- terms ---------------------------------------------------------------- */

struct judged {
	const char *term; /* lines of the [acl] */
	const char *line; /* of the request */
	const char *fields;
	bool holds;
};

#define HOST "Host: a.test\r\n"

static void
judge_rows(const struct judged *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char acl[600];

		(void)snprintf(acl, sizeof(acl), "[acl t]\n%s\n", rows[i].term);
		open_conf("deny = t", acl);
		must_be(ask(rows[i].line, rows[i].fields), !rows[i].holds,
		    rows[i].term);
		open_conf("deny = !t", acl);
		must_be(ask(rows[i].line, rows[i].fields), rows[i].holds,
		    rows[i].term);
	}
}

START_TEST(terms_of_the_request)
{
	static const struct judged rows[] = {
	    {"ip = 198.51.100.0/24", "GET /", HOST, true},
	    {"ip = 198.51.100.8 192.0.2.0/24", "GET /", HOST, false},
	    {"ip = unix:", "GET /", HOST, false},
	    {"ip = 192.0.2.1\nip = 198.51.100.7", "GET /", HOST, true},
	    {"method = GET", "GET /", HOST, true},
	    {"method = POST PUT", "GET /", HOST, false},
	    {"method = PROPFIND", "PROPFIND /", HOST, true},
	    {"port = 80", "GET /", HOST, true},
	    {"port = 443 79-81", "GET /", HOST, true},
	    {"port = 81-90", "GET /", HOST, false},
	    {"domain = a.test", "GET /", HOST, true},
	    {"domain = .test", "GET /", HOST, true},
	    {"domain = *.a.test", "GET /", HOST, false},
	    {"domain = a.test", "GET /", "Host: A.TEST.:8080\r\n", true},
	    {"domain = ::1", "GET /", "Host: [0:0:0:0:0:0:0:1]\r\n", true},
	    {"header = X-A", "GET /", HOST, false},
	    {"header = X-A", "GET /", HOST "x-a: 1\r\n", true},
	    {"header = X-A = 1 2", "GET /", HOST "x-a: 2\r\n", true},
	    {"header = X-A = 1\nheader = X-B", "GET /", HOST "X-B: 1\r\n",
		true},
	    {"header = User-Agent ~ (?i)bot\\b", "GET /",
		HOST "User-Agent: A Bot\r\n", true},
	    {"header = User-Agent ~ (?i)bot\\b", "GET /",
		HOST "User-Agent: robots\r\n", false},
	    {"url = ~ ^http://a\\.test/x\\?b=1$", "GET /x?b=1", HOST, true},
	    {"url = ~ ^http://a\\.test:8080/x$", "GET /x",
		"Host: A.test.:8080\r\n", true},
	    {"url = ~ ^http://a\\.test/$", "GET /", "Host: a.test:80\r\n",
		true},
	    {"url = ~ ^http://\\[::1\\]/", "GET /", "Host: [::0:1]\r\n", true},
	    {"url = ~ \\.exe$\nurl = ~ \\.msi$", "GET /x.msi", HOST, true},
	    {"url = ~ (?i)\\.EXE$", "GET /x.exe", HOST, true},
	    {"url = ~ /plain$", "GET /%70lain", HOST, true},
	    {"match = header:X-A = 1\nmatch = path ^= /x", "GET /x",
		HOST "X-A: 1\r\n", true},
	    {"match = header:X-A = 1\nmatch = path ^= /x", "GET /y",
		HOST "X-A: 1\r\n", false},
	    {"method = GET\nip = 198.51.100.7", "GET /", HOST, true},
	    {"method = GET\nip = 198.51.100.8", "GET /", HOST, false},
	    /* none of them is anybody, or goes anywhere */
	    {"user = anna", "GET /", HOST, false},
	    {"group = staff", "GET /", HOST, false},
	    {"dst_ip = 0.0.0.0/0 ::/0", "GET /", HOST, false},
	};

	judge_rows(rows, NELEMS(rows));
}
END_TEST

START_TEST(paths_are_judged_in_their_one_form)
{
	static const struct judged rows[] = {
	    {"path = /x", "GET /x", HOST, true},
	    {"path = /x", "GET /x/", HOST, true},
	    {"path = /x", "GET /x/y", HOST, true},
	    {"path = /x", "GET /xy", HOST, false},
	    {"path = /x/", "GET /x", HOST, false},
	    {"path = /x/", "GET /x/y", HOST, true},
	    {"path = /", "GET /anything", HOST, true},
	    {"path = =/x", "GET /x", HOST, true},
	    {"path = =/x", "GET /x/", HOST, false},
	    {"path = /a =/x /b", "GET /x", HOST, true},
	    {"path = /a\npath = ~ ^/x/[0-9]+$", "GET /x/12", HOST, true},
	    {"path = ~ ^/x/[0-9]+$", "GET /x/a", HOST, false},
	    {"path = /x", "GET /%78/y", HOST, true},
	    {"path = /%78", "GET /x", HOST, true},
	    {"path = /x", "GET //x", HOST, true},
	    {"path = /x", "GET /y/../x", HOST, true},
	    {"path = /x", "GET /./x", HOST, true},
	    {"path = /x", "GET /x/y;a=1", HOST, true},
	    {"path = /x", "GET /x/;a=1", HOST, true},
	    {"path = /x", "GET /y/100%2525", HOST, false},
	    {"path = /x", "GET /x/100%2525", HOST, true},
	    {"path = /x", "GET /y%25", HOST, false},
	    {"path = /x", "GET /y;a/x", HOST, false},
	    {"path = /x", "GET http://a.test/x", HOST, true},
	};

	judge_rows(rows, NELEMS(rows));
}
END_TEST

/* Whatever the line says. */
START_TEST(an_ambiguous_path_is_denied_by_who_looks_at_it)
{
	static const char *const terms[] = {"path = /x", "path = ~ x",
	    "url = ~ x", "match = path = /y", "match = uri ~ /y",
	    "match = raw_path ^= /z"};
	static const char *const lists[] = {
	    "deny = t", "deny = !t", "allow = t", "allow = !t\nallow = all"};
	/* readings of servers that decode twice, or strip parameters */
	static const char *const twice[] = {"/x;a=1", "/x;/y", "/%2578",
	    "/%25%37%38", "/%252578/y", "/y/%252e%252e/x", "/y/..%252fx",
	    "/y%255cx", "/%252e%252e%252fx", "/%25252525252578", "/;y/x",
	    "/;y/%2578", "/x%253ba"};
	struct exch *x;

	for (size_t i = 0; i < NELEMS(terms); i++) {
		for (size_t k = 0; k < NELEMS(lists); k++) {
			char acl[200];

			(void)snprintf(
			    acl, sizeof(acl), "[acl t]\n%s\n", terms[i]);
			open_conf(lists[k], acl);
			x = ask_for("/a/..%2fx");
			must_be(x, false, terms[i]);
			ck_assert(x->access.is_doubtful);
		}
	}
	open_conf("deny = !t", "[acl t]\npath = /x\n");
	for (size_t i = 0; i < NELEMS(twice); i++) {
		x = ask_for(twice[i]);
		must_be(x, false, twice[i]);
		ck_assert(x->access.is_doubtful);
	}
	/* who is somebody else is not looked at so closely */
	open_conf("deny = t", "[acl t]\npath = /x\nip = 192.0.2.1\n");
	must_be(ask_for("/a/..%2fx"), true, "another client");
	open_conf("allow = t\ndeny = !t",
	    "[acl t]\nmethod = GET\n[acl p]\npath = /x");
	must_be(ask_for("/a/..%2fx"), true, "nobody looks at it");
}
END_TEST

START_TEST(a_regex_without_end_denies)
{
	struct exch *x;

	open_conf("allow = !t\nallow = all",
	    "[acl t]\nheader = X-A ~ ^(\\w+\\s?)+$\n");
	x = ask("GET /",
	    HOST "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n");
	must_be(x, false, "too many steps");
	ck_assert(x->access.is_doubtful);
}
END_TEST

/* --- waiting -------------------------------------------------------------- */

static struct {
	unsigned n_asked;
	enum verdict say;
	struct exch_user *user;
} who;

static enum verdict
who_ask(struct exch *x, const struct plan_auth *a)
{
	(void)a;
	who.n_asked++;
	if (who.say == VERDICT_NEXT)
		x->user = who.user;
	return who.say;
}

static const struct plan_auth auth = {.ask = who_ask};

/* The request with a way to ask who it is. */
static struct exch *
ask_known(const char *target, struct plan_settings *set)
{
	struct exch *x = ask_for(target);

	*set = *x->set;
	set->auth = &auth;
	x->set = set;
	return x;
}

START_TEST(a_list_waits_for_the_user_and_goes_on_at_its_line)
{
	static span groups[] = {{"staff", 5}, {"it", 2}};
	static struct exch_user anna = {
	    .name = {"anna", 4}, .groups = groups, .n_groups = 2};
	static const char more[] =
	    "[acl bad]\nheader = X-Bad\n[acl anna]\nuser = ben anna\n"
	    "[acl staff]\ngroup = staff\n[acl ben]\nuser = ben\n"
	    "[acl known]\nuser = *\n[acl away]\nip = 192.0.2.1\n";
	struct plan_settings set;
	struct exch *x;

	who.user = &anna;
	open_conf("deny = bad\ndeny = ben\nallow = anna staff known", more);
	x = ask_known("/", &set);
	who.say = VERDICT_WAIT;
	who.n_asked = 0;
	ck_assert_int_eq(stage_acl(x), VERDICT_WAIT);
	ck_assert_uint_eq(x->access.line, 1);
	ck_assert_int_eq(stage_acl(x), VERDICT_WAIT);
	ck_assert_uint_eq(who.n_asked, 2);
	/* what stands before that line is done with */
	ck_assert(!x->access.is_decided);
	who.say = VERDICT_NEXT;
	must_be(x, true, "anna");
	ck_assert_uint_eq(who.n_asked, 3);
	ck_assert_str_eq(rule_of(x), "allow = anna staff known");
	ck_assert_str_eq(fixture_str(x, x->access.acl), "anna");
	/* a challenge ends it */
	x = ask_known("/", &set);
	who.say = VERDICT_REPLY;
	ck_assert_int_eq(stage_acl(x), VERDICT_REPLY);
	/* nobody is asked for what another name of the line rules out */
	who.n_asked = 0;
	open_conf("deny = ben away", more);
	must_be(ask_known("/", &set), true, "away");
	open_conf("deny = away ben\ndeny = 192.0.2.1 ben", more);
	must_be(ask_known("/", &set), true, "away");
	ck_assert_uint_eq(who.n_asked, 0);
	/* and who is nobody is asked once */
	who.user = NULL;
	who.say = VERDICT_NEXT;
	open_conf("deny = ben\ndeny = known\nallow = !known", more);
	must_be(ask_known("/", &set), true, "nobody");
	ck_assert_uint_eq(who.n_asked, 1);
}
END_TEST

static enum verdict
resolve_now(struct exch *x)
{
	struct exch_destination *to = x->destination;

	who.n_asked++;
	if (who.say != VERDICT_NEXT)
		return who.say;
	to->is_resolved = true;
	ck_assert(ip_parse(SPAN_LIT("10.0.0.1"), &to->ips[0]));
	ck_assert(ip_parse(SPAN_LIT("192.0.2.1"), &to->ips[1]));
	ck_assert(ip_parse(SPAN_LIT("2001:db8::1"), &to->ips[2]));
	to->n_ips = 3;
	return VERDICT_NEXT;
}

START_TEST(each_address_is_judged_by_itself)
{
	static const char more[] = "[acl lan]\ndst_ip = 10.0.0.0/8 fd00::/8\n"
				   "[acl doc]\ndst_ip = 192.0.2.0/24\n"
				   "[acl host]\ndomain = .x.test\n"
				   "[acl any]\ndst_ip = 0.0.0.0/0 ::/0\n";
	static const struct {
		const char *lines;
		bool is_allowed;
		const char *kept[3];
	} rows[] = {
	    {"deny = lan", true, {"192.0.2.1", "2001:db8::1"}},
	    {"allow = lan", true, {"10.0.0.1"}},
	    {"deny = !lan", true, {"10.0.0.1"}},
	    {"deny = lan\nallow = doc", true, {"192.0.2.1"}},
	    {"deny = any", false, {0}},
	    {"allow = host", true, {0}}, /* nobody asks */
	    {"deny = !host\ndeny = any\nallow = all", false, {0}},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct exch_destination to = {.host = SPAN_LIT("a.x.test"),
		    .port = 80,
		    .resolve = resolve_now};
		struct exch *x;

		open_conf(rows[i].lines, more);
		x = ask_for("/");
		x->destination = &to;
		who.say = VERDICT_WAIT;
		if (rows[i].is_allowed && rows[i].kept[0] == NULL) {
			must_be(x, true, rows[i].lines);
			continue;
		}
		ck_assert_int_eq(stage_acl(x), VERDICT_WAIT);
		who.say = VERDICT_NEXT;
		must_be(x, rows[i].is_allowed, rows[i].lines);
		for (uint16_t k = 0; k < 3; k++) {
			struct ip want;

			ck_assert_int_eq(rows[i].is_allowed && k < to.n_ips,
			    rows[i].kept[k] != NULL);
			if (rows[i].kept[k] == NULL)
				break;
			ck_assert(ip_parse(span_str(rows[i].kept[k]), &want));
			ck_assert_msg(
			    ip_eq(&want, &to.ips[k]), "%s", rows[i].lines);
		}
	}
}
END_TEST

START_TEST(a_host_without_addresses_is_in_no_network)
{
	struct exch_destination to = {
	    .host = SPAN_LIT("a.x.test"), .port = 443, .is_resolved = true};
	struct exch *x;

	open_conf("deny = lan\nallow = web",
	    "[acl lan]\ndst_ip = 0.0.0.0/0 ::/0\n[acl web]\nport = 443\n"
	    "domain = a.x.test\n");
	x = ask_for("/");
	x->destination = &to;
	must_be(x, true, "no addresses");
}
END_TEST

/* --- the answer ----------------------------------------------------------- */

/* The answer to a request that was let on so far. */
static void
answer(struct exch *x, const char *type, uint64_t length)
{
	fields_init(&x->resp.fields, &x->arena, 4);
	if (type != NULL)
		fields_add_id(&x->resp.fields, &x->arena, FIELD_CONTENT_TYPE,
		    span_str(type));
	x->resp.status = 200;
	x->resp.body = length > 0 ? LENGTH_KNOWN : LENGTH_OPEN;
	x->resp.length = length;
}

START_TEST(what_the_answer_tells_is_judged_when_it_is_there)
{
	static const char more[] =
	    "[acl exe]\ncontent_type = application/x-msdownload video/*\n"
	    "[acl big]\nresponse_size = >1m\n"
	    "[acl post]\nmethod = POST\n";
	static const struct {
		const char *lines;
		const char *type;
		uint64_t length;
		bool is_pending;
		bool is_allowed;
		const char *rule;
	} rows[] = {
	    {"deny = exe", "application/X-MSDownload; a=b", 0, true, false,
		"deny = exe"},
	    {"deny = exe", "video/mp4", 0, true, false, "deny = exe"},
	    {"deny = exe", "text/html", 0, true, true, "allow all"},
	    {"deny = exe", NULL, 0, true, true, "allow all"},
	    {"deny = !exe", "text/html", 0, true, false, "deny = !exe"},
	    {"deny = big", "text/html", 1048577, true, false, "deny = big"},
	    {"deny = big", "text/html", 1048576, true, true, "allow all"},
	    {"deny = big", "text/html", 0, true, true, "allow all"},
	    {"deny = exe big", "video/mp4", 5, true, true, "allow all"},
	    {"deny = exe big", "video/mp4", 2000000, true, false,
		"deny = exe big"},
	    /* what else holds for it is known before */
	    {"deny = exe post", "video/mp4", 0, false, true, "allow all"},
	    {"allow = all\ndeny = exe", "video/mp4", 0, false, true,
		"allow = all"},
	    {"allow = exe\ndeny = big", "text/html", 0, true, false,
		"deny all"},
	    {"allow = exe\nallow = all", "text/html", 0, false, true,
		"allow = all"},
	    {"deny = exe\ndeny = all", "text/html", 0, false, false,
		"deny = all"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct exch *x;

		open_conf(rows[i].lines, more);
		x = ask_for("/");
		if (!rows[i].is_pending) {
			must_be(x, rows[i].is_allowed, rows[i].lines);
			ck_assert(!x->access.is_pending);
			answer(x, rows[i].type, rows[i].length);
			ck_assert_int_eq(stage_acl_answer(x), VERDICT_NEXT);
			ck_assert_str_eq(rule_of(x), rows[i].rule);
			continue;
		}
		must_be(x, true, rows[i].lines);
		ck_assert(x->access.is_pending);
		answer(x, rows[i].type, rows[i].length);
		ck_assert_msg(
		    stage_acl_answer(x) ==
			(rows[i].is_allowed ? VERDICT_NEXT : VERDICT_FAULT),
		    "%s", rows[i].lines);
		ck_assert_str_eq(rule_of(x), rows[i].rule);
	}
	/* what brings nothing new, and what we say, is not judged */
	open_conf("allow = exe", more);
	for (int i = 0; i < 3; i++) {
		struct exch *x = ask_for("/");

		must_be(x, true, "pending");
		answer(x, NULL, 0);
		x->resp.status = (uint16_t[]){204, 304, 502}[i];
		x->is_own_answer = i == 2;
		ck_assert_int_eq(stage_acl_answer(x), VERDICT_NEXT);
	}
}
END_TEST

/* --- files and mistakes --------------------------------------------------- */

/* A file of these lines; its name. */
static const char *
list_file(const char *text)
{
	static char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_acl.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
	return path;
}

START_TEST(lists_come_from_files_too)
{
	static const struct {
		const char *key;
		const char *text;
		const char *target;
		const char *fields;
		bool holds;
	} rows[] = {
	    {"ip_file", "# office\n192.0.2.0/24\n198.51.100.0/24 # us\n", "/",
		HOST, true},
	    {"ip_file", "192.0.2.0/24\n", "/", HOST, false},
	    {"domain_file", "b.test\n.A.test\n", "/", HOST, true},
	    {"domain_file",
		"0.0.0.0 localhost 0.0.0.0\n"
		"0.0.0.0 b.test a.test # c\nfe80::1%lo0 local\n",
		"/", HOST, true},
	    {"domain_file", "0.0.0.0 localhost\n::1 ip6-localhost\n", "/",
		"Host: localhost\r\n", false},
	    {"domain_file", "localhost\n", "/", "Host: localhost\r\n", true},
	    {"url_file", "\\.exe$\n# no\n(?i)/Games/\n", "/games/x", HOST,
		true},
	    {"url_file", "\\.exe$\n", "/games/x", HOST, false},
	    {"url_file", "/a # b$\n", "/games/x", HOST, false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const char *path = list_file(rows[i].text);
		char acl[200];
		char line[100];

		(void)snprintf(
		    acl, sizeof(acl), "[acl t]\n%s = %s\n", rows[i].key, path);
		open_conf("deny = t", acl);
		ck_assert_int_eq(unlink(path), 0);
		(void)snprintf(line, sizeof(line), "GET %s", rows[i].target);
		must_be(ask(line, rows[i].fields), !rows[i].holds, acl);
	}
}
END_TEST

/* A file of two hosts. */
static const char *
category_file(void)
{
	struct catdb_build *b = catdb_build_new();
	const char *path = list_file("");
	FILE *out = fopen(path, "w");
	span file;

	ck_assert_ptr_null(
	    catdb_build_add(b, SPAN_LIT("a.test"), SPAN_LIT("ads")));
	ck_assert_ptr_null(
	    catdb_build_add(b, SPAN_LIT("b.test"), SPAN_LIT("press")));
	file = catdb_build_file(b);
	catdb_build_free(b);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(file.p, 1, file.len, out), file.len);
	ck_assert_int_eq(fclose(out), 0);
	free((void *)(uintptr_t)file.p);
	return path;
}

START_TEST(a_category_is_that_of_the_host)
{
	static const struct {
		const char *line;
		const char *fields;
		bool is_allowed;
		const char *category;
	} rows[] = {
	    {"deny = t", "Host: a.test\r\n", false, "ads"},
	    {"deny = t", "Host: X.A.test:80\r\n", false, "ads"},
	    {"deny = t", "Host: b.test\r\n", true, ""},
	    {"deny = t", "Host: test\r\n", true, ""},
	    {"deny = !t", "Host: b.test\r\n", false, ""},
	    {"deny = both get", "Host: b.test\r\n", false, "press"},
	    {"allow = all\ndeny = t", "Host: a.test\r\n", true, ""},
	};
	const char *path = category_file();

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char acls[400];
		struct exch *x;

		(void)snprintf(acls, sizeof(acls),
		    "[acl get]\nmethod = GET\n"
		    "[acl t]\ncategory = ads\ncategory_db = %s\n"
		    "[acl both]\ncategory = ads press\ncategory_db = %s\n",
		    path, path);
		open_conf(rows[i].line, acls);
		x = ask("GET /", rows[i].fields);
		must_be(x, rows[i].is_allowed, rows[i].line);
		ck_assert_str_eq(
		    fixture_str(x, x->access.category), rows[i].category);
	}
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* What is said about an [acl] or a list. */
static void
check_refused(const char *lines, const char *said)
{
	char conf[CONF_CAP];
	char *all;

	(void)snprintf(
	    conf, sizeof(conf), "[site a]\nrespond = 200\n%s\n", lines);
	all = fixture_refused(conf);
	ck_assert_msg(
	    strstr(all, said) != NULL, "%s\nsaid %s\nnot %s", lines, all, said);
	free(all);
}

START_TEST(mistakes_are_told_where_they_stand)
{
	static const char *const rows[][2] = {
	    {"[acl t]", "test.ini:3:1: error: [acl t] has no term"},
	    {"[acl t]\nip = 10.0.0.1/8", ":4:6: error: ip = 10.0.0.1/8: exp"},
	    {"[acl t]\nmethod = get", ":4:10: error: 'get' is no method; they"},
	    {"[acl t]\nport = 80 70000", ":4:11: error: '70000' is no port"},
	    {"[acl t]\nport = 90-80", ":4:8: error: '90-80' is no port"},
	    {"[acl t]\ndomain = x.com b_\xc3\xbc", ":4:16: error: 'b_"},
	    {"[acl t]\nurl = example.com",
		":4:7: error: a url is a regular expression behind '~'"},
	    {"[acl t]\nurl = ~ (x", ":4:11: error: the regex is malformed"},
	    {"[acl t]\npath = x", ":4:8: error: expected a path"},
	    {"[acl t]\npath = /a /b?c", ":4:11: error: expected a path"},
	    {"[acl t]\npath = /a/..%2fb", ":4:8: error: the path '/a/..%2fb' "
					  "can be read in more than one way"},
	    {"[acl t]\ncategory = ads",
		":4:1: error: category and category_db need each other"},
	    {"[acl t]\ncategory = ads\ncategory_db = /dev/null",
		":5:15: error: /dev/null cannot be used: it is no file"},
	    {"[acl t]\nheader = X-A: b", ":4:10: error: expected the name of"},
	    {"[acl t]\nheader = X-A ~ (b",
		":4:18: error: the regex is malformed"},
	    {"[acl t]\nmatch = paht = /x", ":4:9: error: unknown variable"},
	    {"[acl t]\nmatch = bytes_out > 1k",
		":4:9: error: {bytes_out} is known only at the end"},
	    {"[acl t]\ncontent_type = html",
		":4:16: error: 'html' is no media type"},
	    {"[acl t]\nresponse_size = 10m",
		":4:17: error: response_size: expected >10m"},
	    {"[acl t]\nresponse_size = >10",
		":4:17: error: response_size: a size needs a unit"},
	    {"[acl t]\nresponse_size = 10m-1m", "the range is empty"},
	    {"[acl t]\ntime = mon 22:00-06:00",
		":4:12: error: time: a window ends with its day"},
	    {"[acl t]\ntime = mon\nzone = Berlin",
		":5:8: error: the system's database of time zones has no"},
	    {"[acl t]\nmethod = GET\nzone = UTC",
		":5:1: error: a zone needs a time"},
	    {"[acl t]\nja4 = t13* t13d1516h2_8daaf6152771_e5627efa2ab",
		":4:12: error: 't13d1516h2_8daaf6152771_e5627efa2ab' is no"},
	    {"[acl t]\nja4 = *", ":4:7: error: '*' is no fingerprint"},
	    {"[acl t]\ndst_ip = unix:", "a proxy connects to no unix socket"},
	    {"[acl 10.0.0.0/8]\nmethod = GET",
		":3:6: error: '10.0.0.0/8' cannot be the name of an acl"},
	    {"[acl unix:]\nmethod = GET",
		":3:6: error: 'unix:' cannot be the name of an acl"},
	    {"allow = offic\n[acl office]\nip = ::1",
		":3:9: error: [site a]: acl 'offic' is not defined; did you "
		"mean 'office' (line 4)?"},
	    {"deny = !all", ":3:8: error: '!all' holds for nothing at all"},
	    {"[acl t]\ndomain_file = /nowhere",
		":4:15: error: /nowhere cannot be opened"},
	    {"[rule a r]\nmatch = status = 200\nallow = all",
		":5:1: error: 'allow' is too late"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		check_refused(rows[i][0], rows[i][1]);
}
END_TEST

START_TEST(mistakes_in_files_are_told_at_their_lines)
{
	static const struct {
		const char *key;
		const char *text;
		const char *said;
	} rows[] = {
	    {"ip_file", "::1\n10.0.0.1/8\n", ":2:1: error: expected an addr"},
	    {"domain_file", "a.test\n b.test c.test\n",
		":2:9: error: a line holds one name, or an address"},
	    {"domain_file", "0.0.0.0 a.test b/c\n",
		":1:16: error: 'b/c' is no name of a host"},
	    {"url_file", "ok\n  a(b\n", ":2:6: error: the regex is malformed"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const char *path = list_file(rows[i].text);
		char conf[300];
		char said[200];

		(void)snprintf(conf, sizeof(conf), "[acl t]\n%s = %s\n",
		    rows[i].key, path);
		(void)snprintf(said, sizeof(said), "%s%s", path, rows[i].said);
		check_refused(conf, said);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

/* All of a week is one of two halves of it. */
START_TEST(time_is_that_of_the_zone)
{
	static const char *const zones[] = {"", "zone = Pacific/Auckland\n"};

	for (size_t i = 0; i < NELEMS(zones); i++) {
		char acls[300];
		struct exch *x;

		(void)snprintf(acls, sizeof(acls),
		    "[acl one]\ntime = sun-wed 00:00-24:00\n"
		    "time = thu 00:00-12:00\n%s"
		    "[acl two]\ntime = thu 12:00-24:00\ntime = fri sat\n%s",
		    zones[i], zones[i]);
		open_conf("allow = one !two\nallow = two !one", acls);
		x = ask_for("/");
		must_be(x, true, "one half");
		open_conf("deny = one\ndeny = two", acls);
		must_be(ask_for("/"), false, "either");
	}
}
END_TEST

START_TEST(sections_extend_each_other)
{
	open_conf("deny = t",
	    "[acl t]\nip = 192.0.2.1\n"
	    "[acl t]\nextend = on\nip = 198.51.100.0/24\nmethod = GET\n");
	must_be(ask_for("/"), false, "GET");
	must_be(ask("POST /", HOST), true, "POST");
}
END_TEST

/* Of a forward proxy: the name that a request goes to, in a file of a million. The
 * gate of a quiet machine is 1 us; the number is printed. */
START_TEST(a_list_of_a_million_names_costs_little)
{
	enum { N = 1000000, N_LOOKS = 100000 };
	struct exch_destination to = {.port = 80};
	char path[] = "/tmp/gh-names.XXXXXX";
	char name[64];
	char more[128];
	FILE *f = fdopen(mkstemp(path), "w");
	uint32_t n_denied = 0;
	struct exch *x;
	clock_t began;
	double ns;

	ck_assert_ptr_nonnull(f);
	for (uint32_t i = 0; i < N; i++)
		(void)fprintf(
		    f, ".host-%x.example%u.test\n", i * 2654435761u, i % 100);
	ck_assert_int_eq(fclose(f), 0);
	(void)snprintf(
	    more, sizeof(more), "[acl listed]\ndomain_file = %s\n", path);
	open_conf("deny = listed", more);
	(void)unlink(path);
	x = ask_for("/");
	x->destination = &to;
	began = clock();
	for (uint32_t i = 0; i < N_LOOKS; i++) {
		int len = snprintf(name, sizeof(name),
		    "www.host-%x.example%u.test", i * 2654435761u, i % 50);

		to.host = span_of(name, (size_t)len);
		x->access = (struct exch_access){.line = 0};
		x->fault = F_NONE;
		n_denied += stage_acl(x) == VERDICT_FAULT;
	}
	ns = (double)(clock() - began) / CLOCKS_PER_SEC / N_LOOKS * 1e9;
	printf("a million names: %.0f ns a list\n", ns);
	ck_assert_uint_eq(n_denied, N_LOOKS / 2);
	ck_assert_msg(ns < 50000, "%f", ns);
	x->destination = NULL;
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    without_lines_everybody_is_let_on,
	    the_first_line_that_matches_decides,
	    the_nearest_scope_comes_first_and_rules_before_routes,
	    a_closed_list_ends_in_deny_all_and_log_only_lets_on,
	    a_list_costs_little,
	    a_list_of_a_million_names_costs_little,
	    terms_of_the_request,
	    paths_are_judged_in_their_one_form,
	    an_ambiguous_path_is_denied_by_who_looks_at_it,
	    a_regex_without_end_denies,
	    a_list_waits_for_the_user_and_goes_on_at_its_line,
	    each_address_is_judged_by_itself,
	    a_host_without_addresses_is_in_no_network,
	    what_the_answer_tells_is_judged_when_it_is_there,
	    lists_come_from_files_too,
	    a_category_is_that_of_the_host,
	    mistakes_are_told_where_they_stand,
	    mistakes_in_files_are_told_at_their_lines,
	    time_is_that_of_the_zone,
	    sections_extend_each_other,
	};

	return unit_run_in("acl", tests, NELEMS(tests), NULL, teardown);
}
