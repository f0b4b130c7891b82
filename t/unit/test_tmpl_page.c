/* Pages as templates: what is a variable, what is a slip, and what is text. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/exch/tmpl.h"

static const char page_conf[] = "[site s]\nhosts = *\nrespond = 200\n";
static const char head[] = "GET /a'b?c=<&\" HTTP/1.1\r\nHost: s\r\n"
			   "X-A: <a href=\"'&\\>\r\nX-B: \xff\xc3\xa9\r\n\r\n";

static struct fixture *f;
static struct exch *x;

static void
set_up(void)
{
	f = fixture_new(page_conf);
	x = fixture_request(f, head);
}

static void
tear_down(void)
{
	fixture_free(f);
}

static span
render(const char *page, enum tmpl_escape how)
{
	struct var_src src = {span_str(page), {.line = 1}, VAR_WHEN_RESPONSE};
	struct diag *d = diag_new();
	struct tmpl t;
	bool ok = tmpl_prepare_page(&t, &x->arena, SPAN_LIT("p.html"), &src, d);

	ck_assert_msg(ok, "%s", diag_render(d));
	diag_free(d);
	return tmpl_render(&t, x, how);
}

static void
refused(const char *page, const char *why)
{
	struct var_src src = {span_str(page), {.line = 1}, VAR_WHEN_RESPONSE};
	struct diag *d = diag_new();
	struct tmpl t;
	char *said;

	ck_assert(
	    !tmpl_prepare_page(&t, &x->arena, SPAN_LIT("p.html"), &src, d));
	said = diag_render(d);
	ck_assert_msg(strstr(said, why) != NULL, "%s", said);
	free(said);
	diag_free(d);
}

START_TEST(variables_are_replaced_and_other_braces_stay)
{
	ck_assert_span_eq(render("", TMPL_PLAIN), "");
	ck_assert_span_eq(render("{method}", TMPL_PLAIN), "GET");
	ck_assert_span_eq(render("a{method}{host}b", TMPL_PLAIN), "aGETsb");
	ck_assert_span_eq(render("p{color:red}a{b}{ method }{}", TMPL_PLAIN),
	    "p{color:red}a{b}{ method }{}");
	ck_assert_span_eq(
	    render("{method:x}{header}{header:}{header:a b}", TMPL_PLAIN),
	    "{method:x}{header}{header:}{header:a b}");
	ck_assert_span_eq(render("{METHOD}{", TMPL_PLAIN), "{METHOD}{");
	ck_assert_span_eq(render("{method", TMPL_PLAIN), "{method");
	ck_assert_span_eq(render("{{{a{method}", TMPL_PLAIN), "{{{aGET");
}
END_TEST

START_TEST(a_doubled_brace_before_a_variable_is_one_brace)
{
	ck_assert_span_eq(render("{{method}", TMPL_PLAIN), "{method}");
	ck_assert_span_eq(render("{{metod}x", TMPL_PLAIN), "{metod}x");
	ck_assert_span_eq(
	    render("{{header:X-A}{method}", TMPL_PLAIN), "{header:X-A}GET");
	ck_assert_span_eq(render("{{ x }}{{y}}", TMPL_PLAIN), "{{ x }}{{y}}");
}
END_TEST

START_TEST(slips_are_told_with_their_line)
{
	refused("a\n b {metod}", "p.html:2:4: unknown variable {metod}; did "
				 "you mean {method}?");
	refused("{bytes_out}", "p.html:1:1: {bytes_out} is known only later");
}
END_TEST

START_TEST(parts_are_bounded)
{
	char page[16 * TMPL_PARTS_MAX] = "";

	for (int i = 0; i < TMPL_PARTS_MAX / 2 - 2; i++)
		strcat(page, "a{method}");
	(void)render(page, TMPL_PLAIN);
	strcat(page, "a{method}a{method}");
	refused(page, "of more than");
}
END_TEST

START_TEST(values_are_escaped_for_where_they_stand)
{
	ck_assert_span_eq(render("{ {header:X-A}", TMPL_HTML),
	    "{ &lt;a href=&quot;&#39;&amp;\\&gt;");
	ck_assert_span_eq(render("{header:X-A}", TMPL_JSON),
	    "\\u003ca href=\\u0022\\u0027\\u0026\\u005c\\u003e");
	ck_assert_span_eq(
	    render("{header:X-A}", TMPL_PLAIN), "<a href=\"'&\\>");
	ck_assert_span_eq(render("{query}", TMPL_HTML), "c=&lt;&amp;&quot;");
	/* bytes that are no UTF-8 could make another text of what follows */
	ck_assert_span_eq(render("{header:X-B}", TMPL_HTML), "?\xc3\xa9");
	ck_assert_span_eq(render("{header:X-B}", TMPL_JSON), "?\xc3\xa9");
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    variables_are_replaced_and_other_braces_stay,
	    a_doubled_brace_before_a_variable_is_one_brace,
	    slips_are_told_with_their_line,
	    parts_are_bounded,
	    values_are_escaped_for_where_they_stand,
	};

	return unit_run_in(
	    "tmpl_page", tests, NELEMS(tests), set_up, tear_down);
}
