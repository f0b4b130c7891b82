/* Unit tests of the handlers respond and redirect and of the response stage. */
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/route/route.h"

#define SITE "[site a.test]\n"

static const char *
resp_field(struct exch *x, const char *name)
{
	return fixture_field(x, &x->resp.fields, name);
}

/* The answer to a GET on a site with this line. */
static struct exch *
answer(struct fixture **f, const char *line, const char *target)
{
	char text[512];
	struct exch *x;

	snprintf(text, sizeof(text), SITE "%s\n", line);
	*f = fixture_new(text);
	snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: a.test:8080\r\nX-A: v\"\r\n\r\n", target);
	x = fixture_request(*f, text);
	ck_assert_int_eq(fixture_open(x), VERDICT_REPLY);
	ck_assert(x->is_own_answer);
	return x;
}

START_TEST(respond_gives_status_and_text)
{
	struct fixture *f;
	struct exch *x = answer(&f, "respond = 201 hello  you ; ok", "/");

	ck_assert_uint_eq(x->resp.status, 201);
	ck_assert_str_eq(fixture_content(x), "hello  you ; ok");
	ck_assert_str_eq(
	    resp_field(x, "Content-Type"), "text/plain; charset=utf-8");
	ck_assert_uint_eq(x->resp.length, 15);
	ck_assert_int_eq(x->resp_body.state, BODY_LAST);
	fixture_free(f);
}
END_TEST

START_TEST(respond_knows_variables_and_leaves_json_alone)
{
	struct fixture *f;
	struct exch *x = answer(
	    &f, "respond = 200 {\"p\":\"{path}\",\"x\":{{{method}}", "/a");

	ck_assert_str_eq(fixture_content(x), "{\"p\":\"/a\",\"x\":{GET}");
	fixture_free(f);
}
END_TEST

START_TEST(respond_without_text_is_a_page_or_nothing)
{
	struct fixture *f;
	struct exch *x = answer(&f, "respond = 403", "/");

	ck_assert_uint_eq(x->resp.status, 403);
	ck_assert_ptr_nonnull(strstr(fixture_content(x), "403 Forbidden"));
	/* without a fault nothing is said of one */
	ck_assert_ptr_null(strstr(fixture_content(x), "<p></p>"));
	fixture_free(f);
	x = answer(&f, "respond = 200", "/");
	ck_assert_str_eq(fixture_content(x), "");
	ck_assert_int_eq(x->resp.body, LENGTH_KNOWN);
	fixture_free(f);
	x = answer(&f, "respond = 204", "/");
	ck_assert_int_eq(x->resp.body, LENGTH_NONE);
	fixture_free(f);
}
END_TEST

START_TEST(respond_reads_a_file_at_load)
{
	char path[] = "/tmp/gh_respond_XXXXXX.json";
	int fd = mkstemps(path, 5);
	char line[64];
	struct fixture *f;
	struct exch *x;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "[\0{path}]", 9), 9);
	snprintf(line, sizeof(line), "respond = 200 file:%s", path);
	x = answer(&f, line, "/");
	(void)close(fd);
	(void)unlink(path);
	ck_assert_uint_eq(x->resp.length, 9);
	ck_assert_str_eq(resp_field(x, "Content-Type"), "application/json");
	ck_assert_mem_eq(fixture_content(x), "[\0{path}]", 9);
	fixture_free(f);
}
END_TEST

static void
expect_refused(const char *line, const char *want)
{
	char text[256];
	char *why;

	snprintf(text, sizeof(text), SITE "%s\n", line);
	why = fixture_refused(text);
	ck_assert_msg(strstr(why, want) != NULL, "%s", why);
	ck_assert_msg(strstr(why, "test.ini:2:") != NULL, "%s", why);
	free(why);
}

START_TEST(wrong_respond_and_redirect_lines_are_refused)
{
	expect_refused("respond = hello", "respond");
	expect_refused("respond = 100 no", "respond");
	expect_refused("respond = 600", "respond");
	expect_refused("respond = 204 text", "204");
	expect_refused("respond = 200 file:/nonexistent/x", "/nonexistent/x");
	expect_refused("respond = 200 file:/", "/");
	expect_refused("respond = 200 {pth}", "{path}");
	expect_refused("respond = 200 {header}", "{header:NAME}");
	expect_refused("respond = 200 {path", "{{");
	expect_refused("redirect = https://x", "redirect");
	expect_refused("redirect = 200 https://x", "redirect");
	expect_refused("redirect = 301", "redirect");
	expect_refused("redirect = 301 /{hosst}", "{host}");
}
END_TEST

static void
expect_location(const char *line, const char *target, const char *want)
{
	struct fixture *f;
	struct exch *x = answer(&f, line, target);

	ck_assert_uint_eq(x->resp.status, 308);
	ck_assert_str_eq(resp_field(x, "Location"), want);
	fixture_free(f);
}

START_TEST(redirect_puts_values_where_they_are_harmless)
{
	expect_location("redirect = 308 https://{host}{uri}", "/a/%2e?x=%0d",
	    "https://a.test/a/%2e?x=%0d");
	expect_location("redirect = 308 https://{host}{path}",
	    "/%C3%A9/b%20c%25d%3F", "https://a.test/%C3%A9/b%20c%25d%3F");
	expect_location("redirect = 308 /x?h={header:X-A}&q={query}", "/?a=<b>",
	    "/x?h=v%22&q=a=%3Cb%3E");
}
END_TEST

START_TEST(a_client_cannot_choose_the_host_of_a_redirect)
{
	expect_location("redirect = 308 {uri}", "//evil.test/", "/evil.test/");
	expect_location(
	    "redirect = 308 {raw_path}", "///evil.test", "/evil.test");
	expect_location("redirect = 308 {path}", "//evil.test", "/evil.test");
}
END_TEST

/* An origin's answer with these fields, "name: value" pairs. */
static struct exch *
origin_answer(struct fixture *f, const char *head)
{
	struct exch *x =
	    fixture_request(f, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	enum h1_bad bad;
	bool is_chunked;

	ck_assert_int_eq(fixture_stages(x), VERDICT_NEXT);
	ck_assert_int_eq(
	    h1_parse_response(arena_span(&x->arena, span_str(head)), METHOD_GET,
		&x->arena, &x->resp, &is_chunked, &bad),
	    H1_OK);
	return x;
}

START_TEST(an_origins_answer_loses_what_was_for_us)
{
	struct fixture *f = fixture_new(SITE "respond = 200\n");
	struct exch *x = origin_answer(f,
	    "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
	    "Keep-Alive: timeout=5\r\nUpgrade: h2c\r\n"
	    "Transfer-Encoding: chunked\r\nX-Kept: 1\r\n\r\n");
	char via[128];

	ck_assert_int_eq(stage_response_fields(x), VERDICT_NEXT);
	ck_assert_ptr_null(resp_field(x, "Connection"));
	ck_assert_ptr_null(resp_field(x, "X-Hop"));
	ck_assert_ptr_null(resp_field(x, "Keep-Alive"));
	ck_assert_ptr_null(resp_field(x, "Upgrade"));
	ck_assert_ptr_null(resp_field(x, "Transfer-Encoding"));
	ck_assert_str_eq(resp_field(x, "X-Kept"), "1");
	ck_assert_uint_eq(strlen(resp_field(x, "Date")), 29);
	snprintf(via, sizeof(via), "1.1 %.*s",
	    SPAN_FMT(f->w.plan->listens[0].via_name));
	ck_assert_str_eq(resp_field(x, "Via"), via);
	fixture_free(f);
}
END_TEST

START_TEST(an_origins_date_stays_and_an_upgrade_is_passed_on)
{
	struct fixture *f = fixture_new(SITE "respond = 200\n");
	struct exch *x = origin_answer(f,
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
	    "Upgrade: websocket\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	    "\r\n");

	ck_assert_int_eq(stage_response_fields(x), VERDICT_NEXT);
	ck_assert_ptr_null(resp_field(x, "Connection"));
	ck_assert_str_eq(resp_field(x, "Upgrade"), "websocket");
	ck_assert_str_eq(
	    resp_field(x, "Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
	fixture_free(f);
}
END_TEST

START_TEST(an_origin_that_nominates_too_much_is_refused)
{
	struct fixture *f = fixture_new(SITE "respond = 200\n");
	char head[2048] = "HTTP/1.1 200 OK\r\nConnection: close";
	struct exch *x;

	for (unsigned i = 0; i < 65; i++)
		strcat(head, ", x-abc");
	strcat(head, "\r\n\r\n");
	x = origin_answer(f, head);
	ck_assert_int_eq(stage_response_fields(x), VERDICT_FAULT);
	ck_assert_int_eq(x->fault, F_ORIGIN_BAD);
	fixture_free(f);
}
END_TEST

START_TEST(an_own_405_says_what_is_allowed)
{
	struct fixture *f = fixture_new(SITE "respond = 200\n");
	struct exch *x =
	    fixture_request(f, "TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n");

	ck_assert_int_eq(fixture_stages(x), VERDICT_FAULT);
	exch_reply_status(x, 405);
	ck_assert_int_eq(stage_response_fields(x), VERDICT_NEXT);
	ck_assert_ptr_nonnull(resp_field(x, "Allow"));
	ck_assert_ptr_null(resp_field(x, "Via"));
	fixture_free(f);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    respond_gives_status_and_text,
	    respond_knows_variables_and_leaves_json_alone,
	    respond_without_text_is_a_page_or_nothing,
	    respond_reads_a_file_at_load,
	    wrong_respond_and_redirect_lines_are_refused,
	    redirect_puts_values_where_they_are_harmless,
	    a_client_cannot_choose_the_host_of_a_redirect,
	    an_origins_answer_loses_what_was_for_us,
	    an_origins_date_stays_and_an_upgrade_is_passed_on,
	    an_origin_that_nominates_too_much_is_refused,
	    an_own_405_says_what_is_allowed,
	};

	return unit_run("route/answer", tests, NELEMS(tests));
}
