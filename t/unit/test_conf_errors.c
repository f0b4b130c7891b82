/* Every problem of a configuration in one run, each with its place (CONFIG:
 * "Unknown key, all problems in one run"). */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

#define SITE "[site s]\nrespond = 200 x\n"
#define LATER " is not built yet (it comes with a later version)\n"

START_TEST(problems_are_shown_with_line_and_caret)
{
	struct diag *d = diag_new();
	char *said;

	ck_assert_ptr_null(conf_load_text("/etc/gatehouse.ini",
	    SPAN_LIT("[site shop]\nhosts = a b\nrespond = 200\n"
		     "[route shop /api/]\nupstream = aip\ntimeout = 10\n"
		     "[upstream api]\nbalence = least_conn\nserver = a:1\n"),
	    d));
	said = diag_render(d);
	ck_assert_str_eq(said,
	    "/etc/gatehouse.ini:5:12: error: [route shop /api/]: upstream "
	    "'aip' is not defined; did you mean 'api' (line 7)?\n"
	    "    5 | upstream = aip\n"
	    "      |            ^~~\n"
	    "/etc/gatehouse.ini:6:11: error: timeout = 10: a duration needs a "
	    "unit, for example 10s (10 what? write 10s)\n"
	    "    6 | timeout = 10\n"
	    "      |           ^~\n"
	    "/etc/gatehouse.ini:8:1: error: unknown key 'balence' in [upstream "
	    "api]; did you mean 'balance'?\n"
	    "    8 | balence = least_conn\n"
	    "      | ^~~~~~~\n");
	free(said);
	diag_free(d);
}
END_TEST

START_TEST(malformed_lines_are_named)
{
	static const struct refusal rows[] = {
	    {"a = b\nc = d\n" SITE, "1:1: 'a' stands before any [section]\n"},
	    {SITE "websocket\n", "3:1: expected key = value\n"},
	    {SITE "websocket off\n", "3:1: expected key = value\n"},
	    {SITE "web socket = off\n",
		"3:5: a key is one word of letters, digits and '_'\n"},
	    {SITE "web+socket = off\n",
		"3:4: a key is one word of letters, digits and '_'\n"},
	    {SITE "= off\n", "3:1: a key is missing before '='\n"},
	    {SITE "websocket =\n",
		"3:11: the value is missing; `none` empties a key\n"},
	    {SITE "websocket = \t \n",
		"3:11: the value is missing; `none` empties a key\n"},
	    {SITE "[]\n", "3:1: the section has no type\n"},
	    {SITE "[log x] # [y\n",
		"3:1: [log x] has no path\n"
		"3:8: nothing may stand behind ']'; a comment has a line of "
		"its own\n"},
	    {SITE "[lag x]\npath = /x\n",
		"3:2: unknown section type 'lag'; did you mean 'log'?\n"},
	    {SITE "[Global]\n",
		"3:2: unknown section type 'Global'; did you mean 'global'?\n"},
	    {SITE "[qwertyuiop x]\na = b\n",
		"3:2: unknown section type 'qwertyuiop'\n"},
	    {SITE "[global x]\n", "3:9: [global] has no name\n"},
	    {SITE "[upstream]\n",
		"3:1: [upstream] needs a name: [upstream NAME]\n"},
	    {SITE "[log a b]\npath = /x\n",
		"3:8: the name of [log] is one word; what is 'b'?\n"},
	    {SITE "[log all]\npath = /x\n",
		"3:6: 'all' is reserved: nothing can be named so\n"},
	    {SITE "[listen on]\naddress = :80\n",
		"3:9: 'on' is reserved: nothing can be named so\n"},
	    {SITE "[upstream !a]\nserver = a\n",
		"3:11: the name of [upstream] holds no '\"' and begins with "
		"no '!'\n"},
	    {SITE "[route s]\nrespond = 200\n",
		"3:1: write [route SITE PATH]\n"},
	    {SITE "[route s api]\n",
		"3:10: a route's path is /prefix, =/exact or ~ expression\n"},
	    {SITE "[route s /a b]\n", "3:10: a route's path holds no blanks\n"},
	    {SITE "[route s =/a?b]\n",
		"3:10: a route's path holds no '?' and no '#'\n"},
	    {SITE "[route s ~ ]\n", "3:10: a regular expression is missing\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(keys_are_known_or_refused)
{
	static const struct refusal rows[] = {
	    {SITE "wbsocket = on\n",
		"3:1: unknown key 'wbsocket' in [site s]; did you mean "
		"'websocket'?\n"},
	    {SITE "balance = on\n",
		"3:1: unknown key 'balance' in [site s]; it is one of "
		"[upstream]\n"},
	    {SITE "xyzzyxyzzy = on\n",
		"3:1: unknown key 'xyzzyxyzzy' in [site s]\n"},
	    {SITE "[rule s r]\nmax_body = 1k\n",
		"3:1: [rule s r] has no match, and would hold for nothing\n"},
	    {SITE "[rule s r]\nmatch = path\nrespond = 200\nupstream = u\n"
		  "[upstream u]\nserver = a:1\n",
		"6:1: [rule s r]: 'upstream' and 'respond' (line 5) cannot "
		"both "
		"answer\n"},
	    {SITE "hide_header = Server: X\n",
		"3:15: hide_header = Server:: a header's name holds letters, "
		"digits and !#$%&'*+-.^_`|~ only\n"},
	    {SITE "respond = 404\n",
		"3:1: 'respond' is set twice in [site s], first in line 2\n"},
	    {SITE "websocket = on\nwebsocket = none\nwebsocket = x\n",
		"4:1: 'websocket' is set twice in [site s], first in line 3\n"
		"5:1: 'websocket' is set twice in [site s], first in line "
		"3\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(what_comes_later_is_never_ignored)
{
	static const struct refusal rows[] = {
	    {"[global]\nkey_isolation = on\n",
		"2:1: key 'key_isolation' in [global]" LATER},
	    {"[global]\nkey_isolation = on\n" SITE "respnd = 200 y\n",
		"2:1: key 'key_isolation' in [global]" LATER
		"5:1: unknown key 'respnd' in [site s]; did you mean "
		"'respond'?\n"},
	    {SITE "[acl x]\nmatch = path ~ x\n[global]\nkey_isolation = on\n",
		"6:1: key 'key_isolation' in [global]" LATER},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

/* Each key and section of a later part, by name. */
START_TEST(every_later_row_is_refused_by_name)
{
	for (int k = 0; k < CONF_KEYS; k++) {
		for (int t = 0; t < CONF_TYPES; t++) {
			static const char *const names[] = {
			    "", " x", " x", " s /x", " s x"};
			char text[300];
			char *said;
			bool is_key = conf_types[t].part <= CONF_PART;

			if (!conf_is_in((enum conf_key)k, (enum conf_type)t) ||
			    conf_rows[k].part <= CONF_PART)
				continue;
			(void)sprintf(text, SITE "[%s%s]\n%s = x\n",
			    conf_types[t].name, names[conf_types[t].names],
			    conf_rows[k].name);
			said = conf_refusal(text, strlen(text), CONF_PART);
			ck_assert_msg(strstr(said, is_key ? "4:1: key '"
							  : "3:1: [") != NULL &&
					  strstr(said, LATER) != NULL,
			    "%s\n%s", text, said);
			free(said);
		}
	}
}
END_TEST

START_TEST(values_are_judged_by_their_type)
{
	static const struct refusal rows[] = {
	    {SITE "websocket = 1\n",
		"3:13: websocket = 1: expected on or off\n"},
	    {SITE "websocket = none\n",
		"3:13: websocket = none: expected on or off\n"},
	    {SITE "max_body = 10\n",
		"3:12: max_body = 10: a size needs a unit, for example 10k (10 "
		"what? write 10k)\n"},
	    {SITE "max_body = 10kb\n",
		"3:12: max_body = 10kb: unknown unit of size; there are b, k, "
		"m and g\n"},
	    {SITE "timeout = 1h30\n",
		"3:11: timeout = 1h30: a duration needs a unit, for example "
		"10s\n"},
	    {SITE "timeout = 5 s\n",
		"3:11: timeout = 5 s: unknown unit of time; there are ms, s, "
		"m, h, d, w and y\n"},
	    {SITE "buffer_response = yes\n",
		"3:19: buffer_response = yes: expected one of: auto, off\n"},
	    {SITE "[global]\nworkers = 0\n", "4:11: workers = 0: at least 1\n"},
	    {SITE "[global]\nworkers = 121\n",
		"4:11: workers = 121: at most 120\n"},
	    {SITE "[global]\nworkers = none\n",
		"4:11: workers = none: expected a whole number\n"},
	    {SITE "[global]\nlog_level = wran\n",
		"4:13: log_level = wran: expected one of: debug, info, notice, "
		"warn, error, fatal; did you mean 'warn'?\n"},
	    {SITE "[global]\ndns_servers = 192.0.2.1 ns.example\n",
		"4:25: dns_servers = ns.example: expected the address of a "
		"name server, for example 192.0.2.1 or [2001:db8::1]:53\n"},
	    {SITE "access_log = none x\n",
		"3:14: access_log = none: `none` stands alone\n"
		"3:19: [site s]: log 'x' is not defined\n"},
	    {SITE "listen = \"a b\n",
		"3:10: listen: the closing '\"' is missing\n"
		"3:10: [site s]: listen 'a b' is not defined\n"},
	    {SITE "strip_prefix = api\n",
		"3:16: strip_prefix = api: expected a path that begins with "
		"'/'\n"},
	    {SITE "add_prefix = /a?b\n",
		"3:14: add_prefix = /a?b: a prefix holds no blanks, no '?' and "
		"no '#'\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(addresses_have_one_form)
{
	static const char *const good[] = {":80", "127.0.0.1:0", "[::1]:65535",
	    "unix:/run/x.sock", "fd:3", "0.0.0.0:1"};
	static const char *const bad[] = {"80", "*:80", "127.0.0.1",
	    "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
	    "[127.0.0.1:80", "[::1]80", "[::1]", "localhost:80", "a.b:80",
	    "unix:", "unix:x", "unix:/", "fd:", "fd:x", "fd:-1", "1.2.3:80",
	    "01.2.3.4:80", "tcp://:80", ":080000", "]:80", "[]:80"};
	const char *why;

	for (size_t i = 0; i < NELEMS(good); i++)
		ck_assert_msg(
		    conf_shape_check("<listen>", 1, span_str(good[i]), &why),
		    "%s: %s", good[i], why);
	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    !conf_shape_check("<listen>", 1, span_str(bad[i]), &why),
		    "%s", bad[i]);
}
END_TEST

START_TEST(servers_are_authorities_without_path)
{
	static const char *const good[] = {"127.0.0.1:80", "127.0.0.1",
	    "[::1]:80", "[::1]", "a", "a:1", "app.internal:65535",
	    "unix:/run/x", "http://a", "http://127.0.0.1:80", "my_app:1",
	    "https://a", "https://[::1]", "https://127.0.0.1:8443"};
	static const char *const bad[] = {"", "127.0.0.1:0", "a:65536",
	    "a:", "a:b", "::1", "::1:80", "[::1", "[::1]80",
	    "[::1]:", "1.2.3.400", "a..b", "-a", "a-", ".a", "a.", "a b",
	    "http://", "http://a/", "a/b", "/a", "unix:a", "https://",
	    "https://a/", "https://a:0", "https://unix:/a", "ftp://a", "a@b",
	    "10.1:80"};
	const char *why;

	for (size_t i = 0; i < NELEMS(good); i++)
		ck_assert_msg(
		    conf_shape_check("<server>", 1, span_str(good[i]), &why),
		    "%s: %s", good[i], why);
	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    !conf_shape_check("<server>", 1, span_str(bad[i]), &why),
		    "%s", bad[i]);
	ck_assert(!conf_shape_check("<server>", 1, SPAN_LIT("a:1/b"), &why));
	ck_assert_str_eq(
	    why, "a server has no path; use strip_prefix / add_prefix");
}
END_TEST

START_TEST(hosts_are_names_or_patterns)
{
	static const char *const good[] = {"a", "example.com", "*.example.com",
	    ".example.com", "*", "127.0.0.1", "[::1]", "xn--bcher-kva.example",
	    "a_b.c", "EXAMPLE.com"};
	static const char *const bad[] = {"", "a:80", "http://a", "a/b", "a.",
	    "*.", ".", "*a.com", "a.*.com", "**", "a..b", "b\xc3\xbc", "a b",
	    "[a]", "[127.0.0.1", "1.2.3", "a,b"};
	const char *why;

	for (size_t i = 0; i < NELEMS(good); i++)
		ck_assert_msg(
		    conf_shape_check("<host>", 1, span_str(good[i]), &why),
		    "%s: %s", good[i], why);
	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    !conf_shape_check("<host>", 1, span_str(bad[i]), &why),
		    "%s", bad[i]);
}
END_TEST

START_TEST(servers_and_their_options_are_judged)
{
#define UP SITE "[upstream a]\nserver = "
	static const struct refusal rows[] = {
	    {UP "a:1/x\n",
		"4:10: server = a:1/x: a server has no path; use strip_prefix "
		"/ add_prefix\n"},
	    {UP "_http._tcp.a:1\n",
		"4:10: server = _http._tcp.a:1: a service (_name._tcp.domain) "
		"tells its ports itself\n"},
	    {UP "h2://a:1\n",
		"4:10: server = h2://a:1: before :// stands http or https; "
		"what is spoken there is said by `protocol`\n"},
	    {UP "a:1 wieght=2\n",
		"4:14: server: unknown option 'wieght'; did you mean "
		"'weight'?\n"},
	    {UP "a:1 weight=0\n", "4:14: weight = 0: at least 1\n"},
	    {UP "a:1 weight\n", "4:14: server: write weight=VALUE\n"},
	    {UP "a:1 weight=\n", "4:14: server: write weight=VALUE\n"},
	    {UP "a:1 backup=maybe\n",
		"4:14: backup = maybe: expected on or off\n"},
	    {UP "a:1 weight=2 weight=3\n",
		"4:23: server: 'weight' stands twice\n"},
	    {UP "a:1\nretry = connect 501\n",
		"5:17: retry = 501: expected one of: connect, reset, timeout, "
		"invalid, 500, 502, 503, 504; did you mean '500'?\n"},
	    {UP "a:1\nqueue = 5\n",
		"5:1: queue waits for nothing: no max_connections, nor "
		"adaptive\n"},
	    {UP "a:1 max_connections=1\nqueue = 0\n",
		"5:9: queue: 0: between 1 and 1m\n"},
	    {UP "a:1 max_connections=1\nqueue = 5 time=1s\n",
		"5:11: queue: unknown word 'time=1s'; expected timeout=TIME\n"},
	    {UP "a:1\nretry_budget = 101%\n",
		"5:16: retry_budget = 101%: at most 100%\n"},
	    {UP "a:1\nretry_budget = 20\n",
		"5:16: retry_budget = 20: a share needs a unit, for example "
		"20% (20 what? write 20%)\n"},
	    {UP "a:1\ntotal_timeout = 1s\ntry_timeout = 2s\n",
		"6:15: try_timeout = 2s: longer than total_timeout = 1s "
		"(line 5)\n"},
	    {UP "a:1\nserver = b:1\nserver = A:1\n",
		"6:10: server A:1 stands twice, first in line 4; `weight` "
		"gives it a larger share\n"},
	    {SITE "[upstream a]\n", "3:1: [upstream a] has no server\n"},
	};
#undef UP

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(names_must_be_defined)
{
	static const struct refusal rows[] = {
	    {"[site s]\nupstream = app.internal\n",
		"2:12: [site s]: upstream 'app.internal' is not defined; an "
		"address is written with its port, name:80\n"},
	    {"[site s]\nupstream = a:1/x\n",
		"2:12: upstream = a:1/x: a server has no path; use "
		"strip_prefix / add_prefix\n"},
	    {SITE "[route shop /x]\n",
		"3:1: [route shop /x] answers nothing: it needs upstream, "
		"root, respond or redirect\n"
		"3:8: [route shop /x]: site 'shop' is not defined\n"},
	    {SITE "[listen a]\naddress = :80\ndefault_site = t\n",
		"5:16: [listen a]: site 't' is not defined\n"},
	    {SITE "listen = htpp\n[listen http]\naddress = :80\n",
		"3:10: [site s]: listen 'htpp' is not defined; did you mean "
		"'http' (line 4)?\n"},
	    {SITE "access_log = acess\n[log access]\npath = /x\n",
		"3:14: [site s]: log 'acess' is not defined; did you mean "
		"'access' (line 4)?\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(hosts_and_addresses_have_one_owner)
{
	static const struct refusal rows[] = {
	    {SITE "[site t]\nhosts = a S\nrespond = 200\n",
		"4:11: [site t]: host 'S' is served by [site s] already (line "
		"1)\n"},
	    {"[defaults]\nrespond = 200\n"
	     "[site a]\nhosts = *.x\n[site b]\nhosts = .X\n",
		"6:9: [site b]: host '.X' is served by [site a] already (line "
		"4)\n"},
	    {"[defaults]\nrespond = 200\n[site a]\nhosts = *\n"
	     "[site b]\nhosts = *\n",
		"6:9: [site b]: host '*' is served by [site a] already (line "
		"4)\n"},
	    /* said once, however many listens share them */
	    {"[defaults]\nrespond = 200\n[listen l]\naddress = :1\n"
	     "[listen m]\naddress = :2\n[site a]\nhosts = x\n"
	     "[site b]\nhosts = x\nlisten = m l\n",
		"10:9: [site b]: host 'x' is served by [site a] already (line "
		"8)\n"},
	    {SITE "[listen a]\naddress = :1 :2\n[listen b]\naddress = :2\n",
		"6:11: address :2 is listened on twice, first in line 4\n"},
	    {SITE "[listen a]\n", "3:1: [listen a] has no address\n"},
	    {SITE "[listen a]\naddress = none\n",
		"3:1: [listen a] has no address\n"},
	    /* without hosts and without listens, as if they were not written */
	    {SITE "[site t]\nhosts = S\nlisten = none\nrespond = 200\n"
		  "[site S]\nhosts = none\nrespond = 200\n",
		"4:9: [site t]: host 'S' is served by [site s] already (line "
		"1)\n"
		"7:7: [site S]: host 'S' is served by [site s] already (line "
		"1)\n"},
	};
	struct loaded l = conf_must_load(
	    "[defaults]\nrespond = 200\n[listen l]\naddress = :1\n"
	    "[listen m]\naddress = :2\n[site a]\nhosts = x\nlisten = l\n"
	    "[site b]\nhosts = x x\nlisten = m\n"
	    "[site c]\nhosts = y .x *.y\n");

	loaded_free(&l);
	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(sites_and_logs_have_what_they_need)
{
	static const struct refusal rows[] = {
	    {"[site s]\n",
		"1:1: [site s] answers nothing: it needs upstream, root, "
		"respond or redirect\n"},
	    {"[site s]\nrespond = none\n",
		"1:1: [site s] answers nothing: it needs upstream, root, "
		"respond or redirect\n"},
	    {"[site s]\n[route s /x]\n",
		"2:1: [route s /x] answers nothing: it needs upstream, root, "
		"respond or redirect\n"},
	    /* what could not be read is not called missing */
	    {"[site s]\nrespond = ${GH_TEST_NOT_SET}\n",
		"2:11: ${GH_TEST_NOT_SET}: the variable is not set; "
		"${NAME:-text} gives a default\n"},
	    {SITE "redirect = 301 /x\n",
		"3:1: [site s]: 'redirect' and 'respond' (line 2) cannot both "
		"answer\n"},
	    {SITE "upstream = a:1\n",
		"3:1: [site s]: 'upstream' and 'respond' (line 2) cannot both "
		"answer\n"},
	    {"[site s/t]\nrespond = 200\n",
		"1:7: the site's name is its host, but: a host has no scheme "
		"and no path (set hosts, or name it after its host)\n"},
	    {"[site s]\nrespond = 20\n",
		"2:11: respond = 20: expected a status from 200 to 599, then a "
		"text if wanted\n"},
	    {"[site s]\nrespond = 100\n",
		"2:11: respond = 100: expected a status from 200 to 599, then "
		"a text if wanted\n"},
	    {"[site s]\nredirect = 304 /x\n",
		"2:12: redirect = 304 /x: expected 301, 302, 303, 307 or 308 "
		"and the target\n"},
	    {"[site s]\nredirect = 301\n",
		"2:12: redirect = 301: expected 301, 302, 303, 307 or 308 and "
		"the target\n"},
	    {"[site s]\nredirect = 301 /a b\n",
		"2:12: redirect = 301 /a b: a target holds no blanks\n"},
	    {SITE "[log access]\n", "3:1: [log access] has no path\n"},
	    {SITE "[log access]\npath = /x\nlevel = info\n",
		"5:1: only [log error] has a level\n"},
	    {SITE "[log error]\nformat = json\nsample = 1%\nbuffer = none\n",
		"4:1: the lines of [log error] have one format\n"
		"5:1: [log error] keeps all its lines\n"
		"6:1: lines of [log error] are written at once\n"},
	    {SITE "[log x]\npath = /x\nfacility = user\n",
		"5:1: only lines for 'syslog' have a facility\n"},
	    {SITE "[log error]\npath = /x\n[global]\nerror_log = /y\n",
		"6:1: 'error_log' is set by [log error] too (line 4)\n"},
	    {SITE "[log error]\nlevel = info\n[global]\nlog_level = warn\n",
		"6:1: 'log_level' is set by [log error] too (line 4)\n"},
	    {SITE "[log x]\npath = /x\nformat = combinde\n",
		"5:10: format = combinde: expected combined, common, json, "
		"squid, combined_policy, squid_policy or a template with "
		"{variables}\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

/* More than anybody reads: bounded, and no tree. */
#define TAKEN SITE "[listen a]\naddress = :80\nmode = transparent\npolicy = f\n"
#define FORWARD "[forward f]\nallow = all\n"
#define OF_TRANSPARENT " says nothing here: it is of mode transparent\n"

START_TEST(clients_who_know_of_no_proxy_say_nothing_to_it)
{
	static const struct refusal rows[] = {
	    {SITE "[listen a]\naddress = :80\nmode = transparent\n",
		"3:1: [listen a] is a proxy and needs a policy\n"},
	    {TAKEN "tls = on\nh2c = on\n" FORWARD,
		"7:1: 'tls'" OF_TRANSPARENT "8:1: 'h2c'" OF_TRANSPARENT},
	    {TAKEN "proxy_protocol = on\n" FORWARD,
		"7:1: 'proxy_protocol'" OF_TRANSPARENT},
	    {TAKEN "protocols = h2\n" FORWARD,
		"7:1: 'protocols'" OF_TRANSPARENT},
	    {TAKEN "default_site = s\n" FORWARD,
		"7:1: 'default_site' says nothing here: no site is served\n"},
	    {SITE "[listen a]\naddress = unix:/x\nmode = transparent\n"
		  "policy = f\n" FORWARD,
		"4:11: nothing can be redirected to a unix socket\n"},
	    {TAKEN FORWARD "auth = u\n[auth u]\nscheme = basic\nusers = w\n"
			   "[users w]\nfile = /x\n",
		"9:8: [listen a] cannot ask who its clients are: it is of mode "
		"transparent\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

START_TEST(ten_thousand_problems_are_bounded)
{
	enum { n_lines = 10000 };
	char *text = malloc(n_lines * 40 + 100);
	char *said;
	size_t len;
	uint32_t n = 0;

	ck_assert_ptr_nonnull(text);
	len = (size_t)sprintf(text, SITE);
	for (int i = 0; i < n_lines; i++)
		len += (size_t)sprintf(
		    text + len, "[route x%d /y]\nupstream = u%d\n", i, i);
	said = conf_refusal(text, len, CONF_PART);
	for (const char *p = said; *p != '\0'; p++)
		n += *p == '\n';
	ck_assert_uint_ge(n, DIAG_MAX);
	ck_assert_uint_le(n, DIAG_MAX + 1);
	free(said);
	free(text);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    problems_are_shown_with_line_and_caret,
	    malformed_lines_are_named,
	    keys_are_known_or_refused,
	    what_comes_later_is_never_ignored,
	    every_later_row_is_refused_by_name,
	    values_are_judged_by_their_type,
	    addresses_have_one_form,
	    servers_are_authorities_without_path,
	    hosts_are_names_or_patterns,
	    servers_and_their_options_are_judged,
	    names_must_be_defined,
	    hosts_and_addresses_have_one_owner,
	    sites_and_logs_have_what_they_need,
	    clients_who_know_of_no_proxy_say_nothing_to_it,
	    ten_thousand_problems_are_bounded,
	};

	return unit_run("conf_errors", tests, NELEMS(tests));
}
