/* sec_xss: what runs in a page is found in its content and in each kind of
 * value of an attribute; prose, code and harmless markup are not taken for it. */
#include <check.h>
#include <stdio.h>
#include <time.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_op.h"

static const char *const attacks[] = {
    /* tags */
    "<script>alert(1)</script>",
    "<SCRIPT SRC=http://example.com/x.js></SCRIPT>",
    "<script/src=//example.com/x.js>",
    "<<script>alert(1);//<</script>",
    "<x:script xmlns:x=\"http://www.w3.org/1999/xhtml\">alert(1)",
    "<iframe src=x>",
    "<object data=\"x\"></object>",
    "<embed src=x.swf>",
    "<applet code=x>",
    "<base href=//example.com/>",
    "<link rel=stylesheet href=//example.com/x.css>",
    "<meta http-equiv=refresh content=\"0;url=x\">",
    "<style>@import 'http://example.com/x.css';</style>",
    "<frameset><frame src=x></frameset>",
    /* events */
    "<img src=x onerror=alert(1)>",
    "<img/src/onerror=alert(1)>",
    "<svg/onload=alert(1)//",
    "<img src=x onerror\n=\nalert(1)>",
    "<details open ontoggle='alert(1)'>",
    "<xyz onbeforehellfreezes=alerw(1)>",
    "a < b <b onwheel=alert(1)>",
    "\"><script>alert(1)</script>",
    "--><svg onload=alert(1)>",
    "</textarea><svg onload=alert(1)>",
    /* values of attributes */
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "` onmouseover=alert(1) x=`",
    "\" autofocus onfocus=alert`1` x=\"",
    "x onmouseover=alert(1)",
    "x/onmouseover=alert(1)",
    "onclick=alert(1)",
    "\" onpointerrawupdate=&#97;lert&lpar;1) \"",
    "Test/1.0 (compatible; onload=alert(document.domain))",
    "x\" style=\"width:expression(alert(1))",
    "x\" href=\"javascript:alert(1)",
    /* addresses */
    "<a href=\"javascript:alert(1)\">x</a>",
    "<a href=\" \x01java\tscript:alert(1)\">x</a>",
    "<a href=\"jav&#x09;ascript&#58;alert(1)\">x</a>",
    "<a href=\"&#106avascript&colon;alert(1)\">x</a>",
    "<a href=vbscript:msgbox(1)>x</a>",
    "<a href=data:text/html;base64,PHNjcmlwdD4=>x</a>",
    "<img src=\"data:,alert(1)\">",
    "<use href=\"data:image/svg+xml,x#x\">",
    "<form action=javascript:alert(1)>",
    "<button formaction=javascript:alert(1)>",
    "<table background=`javascript:alert(1)`>",
    "<p style=\"background:url(javascript:alert(1))\">",
    "<iframe srcdoc=\"x\">",
    /* markup */
    "<!--[if gte IE 4]><p><![endif]-->",
    "<!-- ` --><p>",
    "<?xml-stylesheet href=\"x\"?>",
    "<!ENTITY x SYSTEM \"http://example.com/\">",
};

static const char *const plain[] = {
    "",
    "O'Brien",
    "a < b and c > d",
    "if (a<b && c>d) online=1",
    "1 <2> 3 <= 4",
    "<b>bold</b> and <i class=\"x\">italic</i>",
    "<p style=\"color:red\">red</p>",
    "<a href=\"https://example.com/?a=b&amp;c=d\" title='x'>link</a>",
    "<a href=\"/javascript/intro.html\">x</a>",
    "<img src=\"data:image/png;base64,iVBORw0KGgo=\" alt=\"\">",
    "<link@example.com>",
    "std::vector<object> v; map<string, meta> m;",
    "usage: prog [<object>] <style> <base>",
    "<!DOCTYPE html>",
    "<!-- a comment -->",
    "<?php echo 1; ?>",
    "JavaScript: The Good Parts (2008)",
    "once=1 only=2 one=3 ontology=4",
    "online=true&onhand=3",
    "say \"on\" = off, \"once\" = 1",
    "\"onclick\" is an attribute",
    "x = \"a\" onto = (b)",
    "{\"on\": \"push\", \"url\": \"https://example.com\"}",
    "src=https://example.com/a.png",
    "SELECT a FROM b WHERE c = 'd'",
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
    "\xe4\xb8\xad\xe6\x96\x87 <\xe6\x88\x96>",
};

START_TEST(attacks_are_found)
{
	for (size_t i = 0; i < NELEMS(attacks); i++)
		ck_assert_msg(
		    sec_xss_find(span_str(attacks[i])), "%s", attacks[i]);
}
END_TEST

START_TEST(plain_texts_are_none)
{
	for (size_t i = 0; i < NELEMS(plain); i++)
		ck_assert_msg(
		    !sec_xss_find(span_str(plain[i])), "%s", plain[i]);
}
END_TEST

/* Beginnings and ends, in memory of exactly their size. */
START_TEST(no_text_is_read_past_its_end)
{
	for (size_t i = 0; i < NELEMS(attacks); i++) {
		span text = span_str(attacks[i]);

		for (size_t n = 0; n <= text.len; n++) {
			char *copy = malloc(n + (n == 0));

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, text.p, n);
			(void)sec_xss_find(span_of(copy, n));
			memcpy(copy, text.p + text.len - n, n);
			(void)sec_xss_find(span_of(copy, n));
			free(copy);
		}
	}
}
END_TEST

#define LONG ((size_t)128 << 10)
/* Far above what a walk over the text takes (1 ms), far below its square. */
#define LONG_MS 500

/* What is begun again and again makes no detector slow. */
START_TEST(effort_grows_with_the_text_alone)
{
	static const char *const again[] = {"<!--", "<!", "<style>", "<style x",
	    "<a b=", "<a b='", "style=@", "<", "&#", "' ", "\"", "=", "`a=b ",
	    "select all ", "(", "1 or ", "'a' ", "1--", "/*", "*/", "/*!",
	    "\\'", "union ", "not ", "1 or 1 between 1 and ", "`", "[", "@",
	    ";", "; declare ", "1+", "case when "};
	char *text = malloc(LONG);
	char told[SEC_HITS_TOLD];

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < NELEMS(again); i++) {
		size_t len = strlen(again[i]);
		clock_t begin = clock();

		for (size_t k = 0; k < LONG; k++)
			text[k] = again[i][k % len];
		(void)sec_xss_find(span_of(text, LONG));
		(void)sec_sqli_find(span_of(text, LONG), told);
		ck_assert_msg(
		    (clock() - begin) * 1000 / CLOCKS_PER_SEC < LONG_MS,
		    "%s: %ld ms", again[i],
		    (long)((clock() - begin) * 1000 / CLOCKS_PER_SEC));
	}
	free(text);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    attacks_are_found,
	    plain_texts_are_none,
	    no_text_is_read_past_its_end,
	    effort_grows_with_the_text_alone,
	};

	return unit_run("sec_xss", tests, NELEMS(tests));
}
