/* Locations and cookies of an origin as clients get them. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "common/conf/conf.h"
#include "t/unit/unit.h"
#include "worker/preset/cookie_edit.h"
#include "worker/preset/outer_names.h"
#include "worker/preset/preset.h"

static const char scene_text[] = "[site s]\nupstream = u\n"
				 "[upstream u]\n"
				 "server = app.internal:3000\n"
				 "server = app.internal\n"
				 "server = https://10.0.0.1 weight=2\n"
				 "server = [fd00::1]:81\n"
				 "server = unix:/run/x.sock\n"
				 "server = _http._tcp.svc.internal\n";

struct scene {
	struct diag *d;
	struct conf_tree *conf;
	struct arena_pool pool;
	struct arena arena;
	struct outer_names *names;
	struct outer_view view;
};

static void
scene_open(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->d = diag_new();
	s->conf = conf_load_text("t", span_str(scene_text), s->d);
	ck_assert_ptr_nonnull(s->conf);
	arena_pool_init(&s->pool, 4);
	arena_init(&s->arena, &s->pool);
	s->names =
	    outer_names_prepare(conf_first(s->conf, CONF_UPSTREAM), &s->arena);
	s->view = (struct outer_view){
	    .names = s->names,
	    .scheme = SPAN_LIT("https"),
	    .authority = SPAN_LIT("shop.test:8443"),
	};
}

static void
scene_close(struct scene *s)
{
	outer_names_fini(s->names);
	arena_fini(&s->arena);
	arena_pool_fini(&s->pool);
	conf_free(s->conf);
	diag_free(s->d);
}

static void
url_is(struct scene *s, const char *url, const char *want)
{
	span got = outer_url(&s->arena, &s->view, span_str(url));

	ck_assert_msg(span_eq(got, span_str(want != NULL ? want : url)),
	    "%s: %.*s", url, SPAN_FMT(got));
	/* who compares pointers learns whether it changed */
	ck_assert((got.p == url) == (want == NULL));
}

START_TEST(urls_of_servers_become_ours_and_no_others)
{
	struct scene s;

	scene_open(&s);
	url_is(&s, "http://app.internal:3000/a?b#c",
	    "https://shop.test:8443/a?b#c");
	url_is(&s, "HTTP://App.Internal:3000", "https://shop.test:8443/");
	url_is(&s, "http://app.internal/", "https://shop.test:8443/");
	url_is(&s, "http://app.internal:80?a", "https://shop.test:8443/?a");
	url_is(&s, "https://10.0.0.1/", "https://shop.test:8443/");
	url_is(&s, "https://10.0.0.1:443/", "https://shop.test:8443/");
	url_is(&s, "http://[fd00::1]:81/x", "https://shop.test:8443/x");
	url_is(&s, "//10.0.0.1/x", "https://shop.test:8443/x");
	url_is(&s, "http://10.0.0.1/", NULL);
	url_is(&s, "https://app.internal/", NULL);
	url_is(&s, "http://app.internal:3001/", NULL);
	url_is(&s, "http://app.internal:99999/", NULL);
	url_is(&s, "http://app.internal.test:3000/", NULL);
	url_is(&s, "http://app.internal:3000@evil.test/", NULL);
	url_is(&s, "http://user@app.internal:3000/", NULL);
	url_is(&s, "http://evil.test/app.internal:3000", NULL);
	url_is(&s, "ftp://app.internal:3000/", NULL);
	url_is(&s, "mailto:a@app.internal", NULL);
	url_is(&s, "relative", NULL);
	url_is(&s, "/path", NULL);
	url_is(&s, "http://", NULL);
	url_is(&s, "http:///x", NULL);
	url_is(&s, "", NULL);
	scene_close(&s);
}
END_TEST

START_TEST(the_server_that_answered_counts_too)
{
	struct scene s;

	scene_open(&s);
	url_is(&s, "http://10.9.9.9:8000/", NULL);
	s.view.server = SPAN_LIT("10.9.9.9:8000");
	url_is(&s, "http://10.9.9.9:8000/", "https://shop.test:8443/");
	s.view.names = NULL;
	url_is(&s, "http://app.internal:3000/", NULL);
	/* what is ours already is not changed */
	s.view.authority = SPAN_LIT("10.9.9.9:8000");
	url_is(&s, "http://10.9.9.9:8000/", NULL);
	scene_close(&s);
}
END_TEST

START_TEST(prefixes_are_turned_back)
{
	struct scene s;

	scene_open(&s);
	s.view.strip_prefix = SPAN_LIT("/shop");
	s.view.add_prefix = SPAN_LIT("/v1");
	url_is(&s, "http://app.internal/v1/a", "https://shop.test:8443/shop/a");
	url_is(&s, "http://app.internal/v1", "https://shop.test:8443/shop/");
	url_is(
	    &s, "http://app.internal/v1?q", "https://shop.test:8443/shop/?q");
	url_is(
	    &s, "http://app.internal/v11", "https://shop.test:8443/shop/v11");
	url_is(&s, "/v1/a", NULL);
	s.view.has_paths = true;
	url_is(&s, "/v1/a", "/shop/a");
	url_is(&s, "/b", "/shop/b");
	url_is(&s, "b", NULL);
	/* a client that told no name reads a path, and never another host */
	s.view.authority = SPAN_LIT("");
	s.view.strip_prefix = SPAN_LIT("");
	url_is(&s, "http://app.internal//evil.test/", "/evil.test/");
	scene_close(&s);
}
END_TEST

static void
refresh_is(struct scene *s, const char *value, const char *want)
{
	span got = outer_refresh(&s->arena, &s->view, span_str(value));

	ck_assert_msg(span_eq(got, span_str(want != NULL ? want : value)),
	    "%s: %.*s", value, SPAN_FMT(got));
}

START_TEST(refresh_holds_a_url)
{
	struct scene s;

	scene_open(&s);
	refresh_is(&s, "5; url=http://app.internal/a",
	    "5; url=https://shop.test:8443/a");
	refresh_is(&s, "0;URL = \"http://app.internal/a\"",
	    "0;URL = \"https://shop.test:8443/a\"");
	refresh_is(&s, "5; url='http://other.test/'", NULL);
	refresh_is(&s, "5", NULL);
	refresh_is(&s, "5;", NULL);
	refresh_is(&s, "5; url", NULL);
	refresh_is(&s, "5; url=", NULL);
	refresh_is(&s, "5; url='", NULL);
	scene_close(&s);
}
END_TEST

static void
cookie_is(struct scene *s, const struct cookie_edit *e, const char *value,
    const char *want)
{
	span got = cookie_edit_apply(&s->arena, e, &s->view, span_str(value));

	ck_assert_msg(span_eq(got, span_str(want != NULL ? want : value)),
	    "%s: %.*s", value, SPAN_FMT(got));
	ck_assert((got.p == value) == (want == NULL));
}

/* Of a prefix that is longer than what is written behind a cookie. */
#define LONG "a-name-of-thirty-two-characters."

START_TEST(cookies_lose_names_of_servers)
{
	static const struct cookie_edit none = {.has_paths = false};
	struct scene s;

	scene_open(&s);
	cookie_is(&s, &none, "a=b; Domain=app.internal", "a=b");
	cookie_is(&s, &none, "a=b;DOMAIN=.App.Internal;Path=/", "a=b; Path=/");
	cookie_is(&s, &none, "a=b; Domain = 10.0.0.1; x", "a=b; x");
	cookie_is(&s, &none, "a=b; Domain=internal", NULL);
	cookie_is(&s, &none, "a=Domain=app.internal", NULL);
	cookie_is(&s, &none, "a=b; Domain=shop.test", NULL);
	cookie_is(&s, &none, "a=b; Domain=", NULL);
	cookie_is(&s, &none, "a=b; Domain", NULL);
	cookie_is(&s, &none, "", NULL);
	cookie_is(&s, &none, ";;", NULL);
	s.view.authority = SPAN_LIT("app.internal:8080");
	cookie_is(&s, &none, "a=b; Domain=app.internal", NULL);
	scene_close(&s);
}
END_TEST

START_TEST(cookies_get_what_is_asked_for)
{
	static const struct cookie_edit all = {
	    .is_secure = true,
	    .is_httponly = true,
	    .samesite = {"Lax", 3},
	    .domain = {"shop.test", 9},
	    .path = {"/shop", 5},
	};
	static const struct cookie_edit paths = {.has_paths = true};
	struct scene s;

	scene_open(&s);
	cookie_is(&s, &all, "a=b",
	    "a=b; Domain=shop.test; Path=/shop; Secure; HttpOnly; "
	    "SameSite=Lax");
	cookie_is(&s, &all,
	    "a=b; path=/; secure; SAMESITE=None; HTTPOnly; domain=x; Max-Age=1",
	    "a=b; Max-Age=1; Domain=shop.test; Path=/shop; Secure; HttpOnly; "
	    "SameSite=Lax");
	s.view.strip_prefix = SPAN_LIT("/shop");
	s.view.add_prefix = SPAN_LIT("/v1");
	cookie_is(
	    &s, &paths, "a=b; Path=/v1/c; Secure", "a=b; Path=/shop/c; Secure");
	cookie_is(&s, &paths, "a=b; Path=c", NULL);
	cookie_is(&s, &paths, "a=b;path=/;path=/;path=/;path=/;path=/;path=/",
	    "a=b; Path=/shop/; Path=/shop/; Path=/shop/; Path=/shop/; "
	    "Path=/shop/; Path=/shop/");
	s.view.strip_prefix = SPAN_LIT("/" LONG LONG LONG LONG);
	cookie_is(&s, &paths, "a=b;path=/;path=/",
	    "a=b; Path=/" LONG LONG LONG LONG "/; Path=/" LONG LONG LONG LONG
	    "/");
	s.view.strip_prefix = SPAN_LIT("/shop");
	/* browsers refuse it with a Domain, or for less than its host */
	cookie_is(&s, &paths, "__Host-a=b; Path=/v1/", NULL);
	cookie_is(&s, &all, "__host-a=b; Path=/",
	    "__host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax");
	scene_close(&s);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    urls_of_servers_become_ours_and_no_others,
	    the_server_that_answered_counts_too,
	    prefixes_are_turned_back,
	    refresh_holds_a_url,
	    cookies_lose_names_of_servers,
	    cookies_get_what_is_asked_for,
	};

	return unit_run("outer_names", tests, NELEMS(tests));
}
