/* Scopes, inheritance, lists that add, what is implied (CONFIG: "Grammar and
 * rules"). */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

/* Rows of parts to come are there already; all of them are tried here. */
#define ALL_PARTS 10

static const struct conf_section *
route_of(const struct loaded *l, const char *path)
{
	const struct conf_section *s = conf_first(l->tree, CONF_ROUTE);

	while (s != NULL && !span_eq(s->path, span_str(path)))
		s = s->next;
	ck_assert_ptr_nonnull(s);
	return s;
}

static struct conf_scope
scope_of(const struct loaded *l, enum conf_type type, const char *name)
{
	const struct conf_section *s =
	    conf_section(l->tree, type, span_str(name));

	ck_assert_ptr_nonnull(s);
	return conf_scope_of(l->tree, s);
}

/* All lines of a key, as the walk gives them, joined by '|'. */
static const char *
walk(const struct conf_scope *s, enum conf_key k)
{
	static char out[1000];
	struct conf_iter it = {0};
	const struct conf_value *v;

	out[0] = '\0';
	while ((v = conf_next(s, k, &it)) != NULL) {
		if (out[0] != '\0')
			(void)strcat(out, "|");
		(void)strncat(out, v->text.p, v->text.len);
	}
	/* and it stays at its end */
	ck_assert_ptr_null(conf_next(s, k, &it));
	return out;
}

START_TEST(the_nearest_scalar_holds)
{
	struct loaded l = conf_must_load(
	    "[defaults]\nmax_body = 1m\ntimeout = 5s\nrespond = 200 d\n"
	    "[site a]\nmax_body = 2m\n[route a /x]\nmax_body = 3m\n"
	    "timeout = none\n[route a /y]\n[site b]\n"
	    "[route b /x]\nrespond = 404\n");
	struct conf_scope s = conf_scope_of(l.tree, NULL);

	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_MAX_BODY), 1 << 20);
	s = scope_of(&l, CONF_SITE, "a");
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_MAX_BODY), 2 << 20);
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_TIMEOUT), 5000);
	s = conf_scope_of(l.tree, route_of(&l, "/x"));
	ck_assert_uint_eq(s.n, 3);
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_MAX_BODY), 3 << 20);
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_TIMEOUT), 0);
	ck_assert_ptr_null(conf_get(&s, KEY_SCOPE_TIMEOUT));
	s = conf_scope_of(l.tree, route_of(&l, "/y"));
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_MAX_BODY), 2 << 20);
	/* nothing crosses from one site to another */
	s = scope_of(&l, CONF_SITE, "b");
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_MAX_BODY), 1 << 20);
	ck_assert_span(conf_text(&s, KEY_SCOPE_RESPOND), "200 d");
	loaded_free(&l);
}
END_TEST

START_TEST(what_nobody_sets_is_the_default)
{
	struct loaded l = conf_must_load("[site a]\nrespond = 200\n");
	struct conf_scope s = scope_of(&l, CONF_SITE, "a");
	struct conf_scope global = {.tree = l.tree};

	ck_assert(conf_bool(&s, KEY_SCOPE_WEBSOCKET));
	ck_assert_int_eq(conf_num(&s, KEY_SCOPE_MAX_BODY), 0);
	ck_assert_span(conf_text(&s, KEY_SCOPE_BUFFER_RESPONSE), "auto");
	ck_assert_uint_eq(conf_text(&s, KEY_SCOPE_STRIP_PREFIX).len, 0);
	ck_assert_ptr_null(conf_get(&s, KEY_SCOPE_WEBSOCKET));
	ck_assert_int_eq(conf_num(&global, KEY_GLOBAL_WORKERS), 0);
	ck_assert_int_eq(
	    conf_num(&global, KEY_GLOBAL_WORKER_CONNECTIONS), 16384);
	ck_assert_span(conf_text(&global, KEY_GLOBAL_LOG_LEVEL), "notice");
	ck_assert_int_eq(conf_num(&global, KEY_GLOBAL_LOG_LEVEL), 2);
	loaded_free(&l);
}
END_TEST

START_TEST(timeouts_come_from_defaults)
{
	struct loaded l = conf_must_load(
	    "[defaults]\nidle_timeout = 7s\nconnect_timeout = 1s\n"
	    "[listen a]\naddress = :1\n[listen b]\naddress = :2\n"
	    "idle_timeout = 8s\n[upstream u]\nserver = a:1\n"
	    "[upstream v]\nserver = a:1\nconnect_timeout = 3s\n"
	    "[site s]\nupstream = u\n");
	struct conf_scope s = scope_of(&l, CONF_LISTEN, "a");

	ck_assert_int_eq(conf_num(&s, KEY_LISTEN_IDLE_TIMEOUT), 7000);
	s = scope_of(&l, CONF_LISTEN, "b");
	ck_assert_int_eq(conf_num(&s, KEY_LISTEN_IDLE_TIMEOUT), 8000);
	s = scope_of(&l, CONF_UPSTREAM, "u");
	ck_assert_int_eq(conf_num(&s, KEY_UPSTREAM_CONNECT_TIMEOUT), 1000);
	/* an origin's idle connection is another thing than a client's */
	ck_assert_int_eq(conf_num(&s, KEY_UPSTREAM_IDLE_TIMEOUT), 60000);
	s = scope_of(&l, CONF_UPSTREAM, "v");
	ck_assert_int_eq(conf_num(&s, KEY_UPSTREAM_CONNECT_TIMEOUT), 3000);
	loaded_free(&l);
}
END_TEST

START_TEST(lists_add_and_none_empties)
{
	struct loaded l = conf_must_load_part(
	    "[defaults]\nhide_header = A B\nhide_header = C\nrespond = 200\n"
	    "[site s]\nhide_header = D\n[route s /x]\nhide_header = E\n"
	    "[route s /y]\nhide_header = F\nhide_header = none\n"
	    "hide_header = G\n[route s /z]\nhide_header = none\n"
	    "[site t]\nhide_header = none\n[route t /w]\nhide_header = H\n",
	    ALL_PARTS);
	struct conf_scope s = conf_scope_of(l.tree, NULL);

	ck_assert_str_eq(walk(&s, KEY_SCOPE_HIDE_HEADER), "A B|C");
	s = conf_scope_of(l.tree, route_of(&l, "/x"));
	ck_assert_str_eq(walk(&s, KEY_SCOPE_HIDE_HEADER), "A B|C|D|E");
	s = conf_scope_of(l.tree, route_of(&l, "/y"));
	ck_assert_str_eq(walk(&s, KEY_SCOPE_HIDE_HEADER), "G");
	s = conf_scope_of(l.tree, route_of(&l, "/z"));
	ck_assert_str_eq(walk(&s, KEY_SCOPE_HIDE_HEADER), "");
	s = conf_scope_of(l.tree, route_of(&l, "/w"));
	ck_assert_str_eq(walk(&s, KEY_SCOPE_HIDE_HEADER), "H");
	loaded_free(&l);
}
END_TEST

START_TEST(header_lines_come_in_the_order_of_their_effect)
{
	struct loaded l = conf_must_load(
	    "[defaults]\nrespond = 200\nresponse_header = Server: a\n"
	    "response_header = X-A: 1; b=\"c\"\nresponse_header = x-a: 2\n"
	    "[site s]\nresponse_header = -SERVER\n"
	    "[route s /x]\nresponse_header = Server: b\n"
	    "[route s /z]\nresponse_header = none\nresponse_header = B:c\n");
	struct conf_scope s = scope_of(&l, CONF_SITE, "s");

	ck_assert_str_eq(walk(&s, KEY_SCOPE_RESPONSE_HEADER),
	    "Server: a|X-A: 1; b=\"c\"|x-a: 2|-SERVER");
	s = conf_scope_of(l.tree, route_of(&l, "/x"));
	ck_assert_str_eq(walk(&s, KEY_SCOPE_RESPONSE_HEADER),
	    "Server: a|X-A: 1; b=\"c\"|x-a: 2|-SERVER|Server: b");
	s = conf_scope_of(l.tree, route_of(&l, "/z"));
	ck_assert_str_eq(walk(&s, KEY_SCOPE_RESPONSE_HEADER), "B:c");
	loaded_free(&l);
}
END_TEST

START_TEST(a_header_line_has_a_name)
{
	static const char *const bad[] = {"Server", ": x", "A b: c", "-",
	    "-A b", "-A: b", "A\xc3\xa4: x", "+B", ",C", "+ B: c", "++"};

	for (size_t i = 0; i < NELEMS(bad); i++) {
		char text[100];
		char *said;

		(void)sprintf(text,
		    "[site s]\nrespond = 200\nrequest_header = %s\n", bad[i]);
		said = conf_refusal(text, strlen(text), ALL_PARTS);
		ck_assert_ptr_nonnull(strstr(said, "3:18: request_header = "));
		free(said);
	}
}
END_TEST

START_TEST(a_header_line_says_what_it_does)
{
	static const struct {
		enum conf_header what;
		const char *name;
		const char *value;
		unsigned name_col;
		unsigned value_col;
	} rows[] = {
	    {CONF_HEADER_SET, "A", "1", 19, 22},
	    {CONF_HEADER_ADD, "B", "2", 20, 22},
	    {CONF_HEADER_APPEND, "C", "3: 4", 20, 24},
	    {CONF_HEADER_REMOVE, "D", "", 20, 0},
	};
	struct loaded l =
	    conf_must_load("[site s]\nrespond = 200\nresponse_header = A: 1\n"
			   "response_header = +B:2\n"
			   "response_header = ,C:  3: 4\n"
			   "response_header = -D\n");
	struct conf_scope s = scope_of(&l, CONF_SITE, "s");
	struct conf_iter it = {0};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const struct conf_value *v =
		    conf_next(&s, KEY_SCOPE_RESPONSE_HEADER, &it);

		ck_assert_int_eq(v->num, rows[i].what);
		ck_assert_span(v->words[0].text, rows[i].name);
		ck_assert_span(v->words[1].text, rows[i].value);
		ck_assert_uint_eq(v->words[0].at.col, rows[i].name_col);
		ck_assert_uint_eq(v->words[1].at.col, rows[i].value_col);
	}
	loaded_free(&l);
}
END_TEST

START_TEST(allow_and_deny_keep_their_order)
{
	struct loaded l = conf_must_load_part(
	    "[listen p]\naddress = :1\nmode = forward\npolicy = f\n"
	    "[forward f]\ndeny = a !b\nallow = 10.0.0.0/8\ndeny = all\n"
	    "allow = b\n[acl a]\nuser = x\n[acl b]\nuser = \"y z\" w\n",
	    ALL_PARTS);
	const struct conf_value *v = conf_first(l.tree, CONF_FORWARD)->ordered;
	static const struct {
		enum conf_key key;
		const char *text;
	} rows[] = {{KEY_FORWARD_DENY, "a !b"},
	    {KEY_FORWARD_ALLOW, "10.0.0.0/8"}, {KEY_FORWARD_DENY, "all"},
	    {KEY_FORWARD_ALLOW, "b"}};

	for (size_t i = 0; i < NELEMS(rows); i++, v = v->next) {
		ck_assert_int_eq(v->key, rows[i].key);
		ck_assert_span(v->text, rows[i].text);
	}
	ck_assert_ptr_null(v);
	v = conf_section(l.tree, CONF_ACL, SPAN_LIT("b"))->first[KEY_ACL_USER];
	ck_assert_uint_eq(v->n_words, 2);
	ck_assert_span(v->words[0].text, "y z");
	ck_assert_span(v->words[1].text, "w");
	loaded_free(&l);
}
END_TEST

START_TEST(the_access_log_is_the_default)
{
	struct loaded l = conf_must_load(
	    "[log access]\npath = /a\n[log other]\npath = /b\n"
	    "[defaults]\nrespond = 200\n[site a]\n"
	    "[site b]\naccess_log = none\n[site c]\naccess_log = other\n"
	    "[site d]\naccess_log = off\n");
	struct conf_scope s = scope_of(&l, CONF_SITE, "a");

	ck_assert_str_eq(walk(&s, KEY_SCOPE_ACCESS_LOG), "access");
	s = scope_of(&l, CONF_SITE, "b");
	ck_assert_str_eq(walk(&s, KEY_SCOPE_ACCESS_LOG), "");
	s = scope_of(&l, CONF_SITE, "c");
	ck_assert_str_eq(walk(&s, KEY_SCOPE_ACCESS_LOG), "other");
	s = scope_of(&l, CONF_SITE, "d");
	ck_assert_str_eq(walk(&s, KEY_SCOPE_ACCESS_LOG), "");
	loaded_free(&l);
	/* where there is one */
	l = conf_must_load("[site a]\nrespond = 200\n");
	s = scope_of(&l, CONF_SITE, "a");
	ck_assert_str_eq(walk(&s, KEY_SCOPE_ACCESS_LOG), "");
	loaded_free(&l);
}
END_TEST

START_TEST(two_lines_are_a_configuration)
{
	struct loaded l =
	    conf_must_load("[site example.com]\nupstream = 127.0.0.1:3000\n");
	const struct conf_section *listen = conf_first(l.tree, CONF_LISTEN);
	const struct conf_section *up =
	    conf_section(l.tree, CONF_UPSTREAM, SPAN_LIT("127.0.0.1:3000"));
	struct conf_scope s = scope_of(&l, CONF_SITE, "example.com");

	ck_assert_ptr_nonnull(listen);
	ck_assert_ptr_null(listen->next);
	ck_assert_uint_eq(listen->at.line, 0);
	ck_assert_span(listen->first[KEY_LISTEN_ADDRESS]->words[0].text, ":80");
	ck_assert_ptr_nonnull(up);
	ck_assert_span(
	    up->first[KEY_UPSTREAM_SERVER]->words[0].text, "127.0.0.1:3000");
	ck_assert_uint_eq(up->first[KEY_UPSTREAM_SERVER]->at.line, 2);
	ck_assert_uint_eq(up->first[KEY_UPSTREAM_SERVER]->at.col, 12);
	ck_assert_span(conf_text(&s, KEY_SCOPE_UPSTREAM), "127.0.0.1:3000");
	loaded_free(&l);
}
END_TEST

START_TEST(one_address_is_one_upstream)
{
	struct loaded l = conf_must_load(
	    "[site a]\nupstream = [::1]:80\n[site b]\nupstream = [::1]:80\n"
	    "[site c]\nupstream = unix:/run/x\n[listen]\naddress = :1\n"
	    "[route c /d]\nupstream = h:2\n");
	uint32_t n = 0;

	for (const struct conf_section *s = conf_first(l.tree, CONF_UPSTREAM);
	     s != NULL; s = s->next)
		n++;
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(conf_first(l.tree, CONF_LISTEN)->at.line, 7);
	loaded_free(&l);
}
END_TEST

START_TEST(an_extension_adds)
{
	/* its order does not matter, since includes come first */
	struct loaded l = conf_must_load(
	    "[upstream a]\nextend = on\nserver = x:1\nkeepalive = 3\n"
	    "[site s]\nupstream = a\n"
	    "[upstream a]\nserver = y:1 weight=7 backup\n"
	    "[upstream a]\nserver = z:1\nextend = yes\n");
	const struct conf_section *u = conf_first(l.tree, CONF_UPSTREAM);
	struct conf_scope s = conf_scope_of(l.tree, u);
	const struct conf_value *v = u->first[KEY_UPSTREAM_SERVER];
	span weight;

	ck_assert_ptr_null(u->next);
	ck_assert_str_eq(
	    walk(&s, KEY_UPSTREAM_SERVER), "y:1 weight=7 backup|x:1|z:1");
	ck_assert_int_eq(conf_num(&s, KEY_UPSTREAM_KEEPALIVE), 3);
	ck_assert(conf_option(v, "weight", &weight));
	ck_assert_span(weight, "7");
	ck_assert(conf_option(v, "backup", NULL));
	ck_assert(!conf_option(v, "zone", NULL));
	ck_assert(!conf_option(v, "weigh", NULL));
	ck_assert(!conf_option(v->next, "weight", NULL));
	loaded_free(&l);
}
END_TEST

START_TEST(an_extension_must_fit)
{
	static const struct refusal rows[] = {
	    {"[site s]\nupstream = a\n[upstream a]\nextend = on\n"
	     "server = x:1\n",
		"4:1: there is no other [upstream a] to extend\n"},
	    {"[site s]\nupstream = a\n[upstream a]\nserver = x:1\n"
	     "keepalive = 1\n[upstream a]\nextend = on\nkeepalive = 2\n",
		"8:1: 'keepalive' is set twice in [upstream a], first in line "
		"5\n"},
	    {"[site s]\nrespond = 200\nextend = on\n",
		"3:1: unknown key 'extend' in [site s]; it is one of "
		"[upstream]\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(variables_are_replaced)
{
	struct loaded l;
	struct conf_scope s;

	ck_assert_int_eq(setenv("GH_TEST_A", "va lue", 1), 0);
	ck_assert_int_eq(setenv("GH_TEST_EMPTY", "", 1), 0);
	l = conf_must_load(
	    "[site s]\nhosts = ${GH_TEST_NOT_SET:-x.y} ${GH_TEST_EMPTY:-z}\n"
	    "respond = 200 ${GH_TEST_A}|${GH_TEST_EMPTY}|$${GH}|$|$$|{host}|"
	    "${GH_TEST_NOT_SET:-{a}}|${GH_TEST_NOT_SET:-}.\n"
	    "[route s /${GH_TEST_EMPTY:-p}]\n");
	s = scope_of(&l, CONF_SITE, "s");
	ck_assert_str_eq(walk(&s, KEY_SITE_HOSTS), "x.y z");
	ck_assert_span(conf_text(&s, KEY_SCOPE_RESPOND),
	    "200 va lue||${GH}|$|$$|{host}|{a}|.");
	ck_assert_span(conf_first(l.tree, CONF_ROUTE)->path, "/p");
	loaded_free(&l);
}
END_TEST

START_TEST(bad_variables_are_refused_at_their_place)
{
#define SITE "[site s]\nrespond = 200 "
	static const struct refusal rows[] = {
	    {SITE "${GH_TEST_NOT_SET}\n",
		"2:15: ${GH_TEST_NOT_SET}: the variable is not set; "
		"${NAME:-text} gives a default\n"},
	    {SITE "a ${GH_TEST_A\n",
		"2:17: '}' is missing; $${ stands for a bare ${\n"},
	    {SITE "${}\n",
		"2:15: the name of a variable is made of letters, digits and "
		"'_'; $${ stands for a bare ${\n"},
	    {SITE "${1A}\n",
		"2:15: the name of a variable is made of letters, digits and "
		"'_'; $${ stands for a bare ${\n"},
	    {SITE "${A-b}\n",
		"2:15: the name of a variable is made of letters, digits and "
		"'_'; $${ stands for a bare ${\n"},
	    {SITE "${A:-${B}}\n",
		"2:15: ${A}: a default cannot hold another ${\n"},
	    {SITE "${GH_TEST_LINES}\n",
		"2:15: ${GH_TEST_LINES}: the variable's value holds bytes that "
		"no configuration may hold\n"},
	    {SITE "${GH_TEST_EMPTY}\nwebsocket = ${GH_TEST_EMPTY}\n",
		"3:13: websocket: the value is empty; `none` empties a key\n"},
	    /* places behind a variable are those of the file */
	    {SITE "x\nhosts = ${GH_TEST_A} b:1 ${GH_TEST_COLON}\n",
		"3:22: hosts = b:1: a host has no port here; ports are the "
		"[listen]'s\n"
		"3:26: hosts = c:1: a host has no port here; ports are the "
		"[listen]'s\n"},
	};
#undef SITE

	ck_assert_int_eq(setenv("GH_TEST_A", "va lue", 1), 0);
	ck_assert_int_eq(setenv("GH_TEST_EMPTY", "", 1), 0);
	ck_assert_int_eq(setenv("GH_TEST_LINES", "a\nb", 1), 0);
	ck_assert_int_eq(setenv("GH_TEST_COLON", "c:1", 1), 0);
	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(a_value_cannot_grow_without_end)
{
	char *big = malloc(40001);
	static const struct refusal row = {
	    "[site s]\nrespond = 200 ${GH_TEST_BIG}${GH_TEST_BIG}\n",
	    "2:29: the value becomes too long\n"};

	ck_assert_ptr_nonnull(big);
	memset(big, 'x', 40000);
	big[40000] = '\0';
	ck_assert_int_eq(setenv("GH_TEST_BIG", big, 1), 0);
	check_refusals(&row, 1);
	ck_assert_int_eq(unsetenv("GH_TEST_BIG"), 0);
	free(big);
}
END_TEST

START_TEST(ten_thousand_sections_are_found_by_name)
{
	enum { n_sites = 10000 };
	char *text = malloc(n_sites * 60);
	struct loaded l;
	size_t len = 0;

	ck_assert_ptr_nonnull(text);
	for (int i = 0; i < n_sites; i++)
		len += (size_t)sprintf(
		    text + len, "[site s%d.example]\nupstream = app\n", i);
	len += (size_t)sprintf(text + len, "[upstream app]\n");
	for (int i = 0; i < n_sites; i++)
		len += (size_t)sprintf(text + len, "server = h%d\n", i);
	l = conf_must_load(text);
	ck_assert_ptr_nonnull(
	    conf_section(l.tree, CONF_SITE, SPAN_LIT("s9999.example")));
	ck_assert_ptr_null(
	    conf_section(l.tree, CONF_SITE, SPAN_LIT("s10000.example")));
	loaded_free(&l);
	free(text);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_nearest_scalar_holds,
	    what_nobody_sets_is_the_default,
	    timeouts_come_from_defaults,
	    lists_add_and_none_empties,
	    header_lines_come_in_the_order_of_their_effect,
	    a_header_line_has_a_name,
	    a_header_line_says_what_it_does,
	    allow_and_deny_keep_their_order,
	    the_access_log_is_the_default,
	    two_lines_are_a_configuration,
	    one_address_is_one_upstream,
	    an_extension_adds,
	    an_extension_must_fit,
	    variables_are_replaced,
	    bad_variables_are_refused_at_their_place,
	    a_value_cannot_grow_without_end,
	    ten_thousand_sections_are_found_by_name,
	};

	return unit_run("conf_tree", tests, NELEMS(tests));
}
