/* What is stored, kept, updated and forgotten: RFC 9111 3, 3.2, 4.4. */
#include <check.h>
#include <stdio.h>

#include "common/http/storable.h"
#include "t/unit/cache_fixture.h"

#define CACHE(s) "Cache-Control: " s "\n"
#define CDN(s) "CDN-Cache-Control: " s "\n"
#define FRESH CACHE("max-age=60")
#define NOON "Sun, 06 Nov 1994 12:00:00 GMT"

static const struct cache_policy rfc_policy = {
    .heuristic_max_s = 86400, .cookies = COOKIES_STORE, .stores_partial = true};

struct store_row {
	const char *method;
	const char *request;
	unsigned status;
	const char *response;
	enum storable want;
};

static enum storable
judge(const struct store_row *row, const struct cache_policy *policy,
    struct freshness *f)
{
	struct cache_facts facts = {FIX_NOW_S, FIX_NOW_S, SPAN_LIT("http")};
	struct http_msg req, resp;

	fix_request(&req, row->method, "/a?b", row->request);
	fix_response(&resp, row->status, row->response);
	return storable_judge(&req, &resp, policy, &facts, f);
}

static void
check_rows(
    const struct store_row *rows, size_t n, const struct cache_policy *policy)
{
	struct freshness f;

	for (size_t i = 0; i < n; i++) {
		enum storable got = judge(&rows[i], policy, &f);

		ck_assert_msg(got == rows[i].want, "%s [%s] %u [%s]: %.*s",
		    rows[i].method, rows[i].request, rows[i].status,
		    rows[i].response, SPAN_FMT(storable_word(got)));
	}
}

START_TEST(methods_and_statuses_that_are_stored)
{
	static const struct store_row rows[] = {
	    {"GET", "", 200, FRESH, STORABLE_YES},
	    {"HEAD", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"PUT", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"DELETE", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"OPTIONS", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"FOO", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"get", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"GET", "", 100, FRESH, STORABLE_NO_STATUS},
	    {"GET", "", 103, FRESH, STORABLE_NO_STATUS},
	    {"GET", "", 304, FRESH, STORABLE_NO_STATUS},
	    /* explicit freshness is for any final status */
	    {"GET", "", 201, FRESH, STORABLE_YES},
	    {"GET", "", 299, FRESH, STORABLE_YES},
	    {"GET", "", 302, FRESH, STORABLE_YES},
	    {"GET", "", 307, FRESH, STORABLE_YES},
	    {"GET", "", 400, FRESH, STORABLE_YES},
	    {"GET", "", 403, FRESH, STORABLE_YES},
	    {"GET", "", 499, FRESH, STORABLE_YES},
	    {"GET", "", 500, FRESH, STORABLE_YES},
	    {"GET", "", 503, "Expires: Sun, 06 Nov 1994 12:01:00 GMT",
		STORABLE_YES},
	    {"GET", "", 599, FRESH, STORABLE_YES},
	    {"GET", "", 999, FRESH, STORABLE_YES},
	    {"GET", "", 599, "ETag: \"a\"", STORABLE_NO_RULE},
	    {"GET", "", 302, "ETag: \"a\"", STORABLE_NO_RULE},
	    {"GET", "", 302, CACHE("public") "ETag: \"a\"", STORABLE_YES},
	    {"GET", "", 404, "ETag: \"a\"", STORABLE_YES},
	    /* answers to conditions that others do not make */
	    {"GET", "", 412, FRESH, STORABLE_YES},
	    {"GET", "If-Match: \"a\"", 412, FRESH, STORABLE_NO_STATUS},
	    {"GET", "If-Unmodified-Since: " NOON, 412, FRESH,
		STORABLE_NO_STATUS},
	    {"GET", "Range: bytes=5-", 416, FRESH, STORABLE_NO_STATUS},
	    {"GET", "Range: bytes=5-", 404, FRESH, STORABLE_YES},
	    {"GET", "Range: bytes=5-", 200, FRESH, STORABLE_YES},
	};

	check_rows(rows, NELEMS(rows), &rfc_policy);
}
END_TEST

START_TEST(post_needs_explicit_freshness_and_its_own_url)
{
	static const struct store_row rows[] = {
	    {"POST", "", 200, FRESH "Content-Location: /a?b", STORABLE_YES},
	    {"POST", "", 200, FRESH "Content-Location: http://h.test/a?b",
		STORABLE_YES},
	    {"POST", "", 200, FRESH "Content-Location: http://H.TEST:80/a?b",
		STORABLE_YES},
	    {"POST", "", 200, FRESH "Content-Location: /a?b#c", STORABLE_YES},
	    {"POST", "", 200, FRESH, STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: /a", STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: /a?c",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: /A?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: //h.test/a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: https://h.test/a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: http://o.test/a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, FRESH "Content-Location: http://h.test:81/a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200,
		FRESH "Content-Location: /a?b\nContent-Location: /a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, "ETag: \"a\"\nContent-Location: /a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200,
		CACHE("public") "ETag: \"a\"\nContent-Location: /a?b",
		STORABLE_NO_METHOD},
	    {"POST", "", 200, CACHE("no-store") "Content-Location: /a?b",
		STORABLE_NO_STORE},
	};

	check_rows(rows, NELEMS(rows), &rfc_policy);
}
END_TEST

START_TEST(directives_forbid_to_store)
{
	static const struct store_row rows[] = {
	    {"GET", "", 200, CACHE("no-store"), STORABLE_NO_STORE},
	    {"GET", "", 200, CACHE("No-StOrE, max-age=60"), STORABLE_NO_STORE},
	    {"GET", CACHE("no-store"), 200, FRESH, STORABLE_NO_REQUEST},
	    {"GET", CACHE("no-cache"), 200, FRESH, STORABLE_YES},
	    {"GET", "", 200, CACHE("private, max-age=60"), STORABLE_NO_PRIVATE},
	    {"GET", "", 200, CACHE("public, private, max-age=60"),
		STORABLE_NO_PRIVATE},
	    {"GET", "", 200, CACHE("private=\"x\", max-age=60"), STORABLE_YES},
	    {"GET", "", 200, CACHE("private=\"\", max-age=60"),
		STORABLE_NO_PRIVATE},
	    {"GET", "", 200, CACHE("private=\"Vary\", max-age=60"),
		STORABLE_NO_PRIVATE},
	    {"GET", "", 200,
		CACHE("no-cache=\"a, Content-Encoding\", max-age=60"),
		STORABLE_NO_PRIVATE},
	    {"GET", "", 200, CACHE("no-cache=\"set-cookie\", max-age=60"),
		STORABLE_YES},
	    /* must-understand */
	    {"GET", "", 200, CACHE("must-understand, no-store, max-age=60"),
		STORABLE_YES},
	    {"GET", "", 299, CACHE("must-understand, no-store, max-age=60"),
		STORABLE_NO_UNDERSTOOD},
	    {"GET", "", 299, CACHE("must-understand, max-age=60"),
		STORABLE_NO_UNDERSTOOD},
	    {"GET", CACHE("no-store"), 200,
		CACHE("must-understand, no-store, max-age=60"),
		STORABLE_NO_REQUEST},
	    /* CDN-Cache-Control both ways */
	    {"GET", "", 200, CACHE("no-store") CDN("max-age=60"), STORABLE_YES},
	    {"GET", "", 200, CACHE("private") CDN("max-age=60"), STORABLE_YES},
	    {"GET", "", 200, CACHE("max-age=60") CDN("no-store"),
		STORABLE_NO_STORE},
	    {"GET", "", 200, CACHE("max-age=60") CDN("private"),
		STORABLE_NO_PRIVATE},
	    {"GET", "", 200, CACHE("no-store") CDN("max-age=60, &&&"),
		STORABLE_NO_STORE},
	    {"GET", "", 200, CACHE("no-store") CDN("max-age=\"60\""),
		STORABLE_NO_STORE},
	};
	struct cache_policy deaf = rfc_policy;
	struct freshness f;
	struct store_row row = {"GET", CACHE("no-store"), 200, FRESH, 0};

	check_rows(rows, NELEMS(rows), &rfc_policy);
	deaf.ignored = CC_BIT(CC_NO_STORE);
	ck_assert_int_eq(judge(&row, &deaf, &f), STORABLE_YES);
}
END_TEST

START_TEST(answers_to_authorization_need_permission)
{
	static const struct store_row rows[] = {
	    {"GET", "Authorization: Basic x", 200, FRESH,
		STORABLE_NO_AUTHORIZATION},
	    {"GET", "Authorization: Basic x", 200, CACHE("public, max-age=60"),
		STORABLE_YES},
	    {"GET", "Authorization: Basic x", 200, CACHE("s-maxage=60"),
		STORABLE_YES},
	    {"GET", "Authorization: Basic x", 200,
		CACHE("must-revalidate, max-age=60"), STORABLE_YES},
	    {"GET", "Authorization: Basic x", 200,
		CACHE("proxy-revalidate, max-age=60"),
		STORABLE_NO_AUTHORIZATION},
	    {"GET", "Authorization:", 200, FRESH, STORABLE_NO_AUTHORIZATION},
	    {"GET", "Authorization: Basic x", 200,
		CACHE("public") CDN("max-age=60"), STORABLE_NO_AUTHORIZATION},
	    {"GET", "Authorization: Basic x", 200, CDN("public, max-age=60"),
		STORABLE_YES},
	    {"GET", "Cookie: a=b", 200, FRESH, STORABLE_YES},
	};

	check_rows(rows, NELEMS(rows), &rfc_policy);
}
END_TEST

START_TEST(cookies_are_stripped_stored_or_a_reason)
{
	struct store_row row = {
	    "GET", "", 200, FRESH "Set-Cookie: a=b", STORABLE_YES};
	struct cache_policy policy = rfc_policy;
	struct freshness f;

	ck_assert_int_eq(judge(&row, &policy, &f), STORABLE_YES);
	ck_assert_uint_eq(f.flags & FRESH_STRIP_COOKIE, 0);
	policy.cookies = COOKIES_STRIP;
	ck_assert_int_eq(judge(&row, &policy, &f), STORABLE_YES);
	ck_assert_uint_ne(f.flags & FRESH_STRIP_COOKIE, 0);
	policy.cookies = COOKIES_BYPASS;
	ck_assert_int_eq(judge(&row, &policy, &f), STORABLE_NO_COOKIE);
	row.response = FRESH;
	ck_assert_int_eq(judge(&row, &policy, &f), STORABLE_YES);
}
END_TEST

START_TEST(what_cannot_be_used_is_not_stored)
{
	static const struct store_row rows[] = {
	    {"GET", "", 200, "", STORABLE_NO_USE},
	    {"GET", "", 200, CACHE("max-age=0"), STORABLE_NO_USE},
	    {"GET", "", 200, "Expires: 0", STORABLE_NO_USE},
	    {"GET", "", 200, CACHE("max-age=60") "Age: 60", STORABLE_NO_USE},
	    {"GET", "", 200, CACHE("max-age=60") "Age: 59", STORABLE_YES},
	    {"GET", "", 200, CACHE("max-age=60, no-cache"), STORABLE_NO_USE},
	    {"GET", "", 200, CACHE("no-cache") "ETag: \"a\"", STORABLE_YES},
	    {"GET", "", 200, CACHE("no-cache") "ETag: a", STORABLE_NO_USE},
	    {"GET", "", 200, CACHE("max-age=0") "Last-Modified: " NOON,
		STORABLE_YES},
	    {"GET", "", 200, CACHE("max-age=0, stale-if-error=60"),
		STORABLE_YES},
	    {"GET", "", 200, CACHE("max-age=0, stale-while-revalidate=60"),
		STORABLE_YES},
	    {"GET", "", 200,
		CACHE("max-age=0, stale-if-error=60, must-revalidate"),
		STORABLE_NO_USE},
	    {"GET", "", 200, FRESH "Vary: *", STORABLE_NO_VARY},
	    {"GET", "", 200, FRESH "Vary: Accept, *", STORABLE_NO_VARY},
	    {"GET", "", 200, FRESH "Vary: a b", STORABLE_NO_VARY},
	    {"GET", "", 200, FRESH "Content-Encoding: dcz", STORABLE_NO_VARY},
	    {"GET", "", 200,
		FRESH "Content-Encoding: dcb\nVary: accept-encoding",
		STORABLE_NO_VARY},
	    {"GET", "", 200,
		FRESH "Content-Encoding: DCZ\nVary: a, available-dictionary",
		STORABLE_YES},
	    {"GET", "", 200, FRESH "Vary: Accept", STORABLE_YES},
	};

	check_rows(rows, NELEMS(rows), &rfc_policy);
}
END_TEST

START_TEST(partial_content_is_stored_when_it_is_one_asked_range)
{
	static const struct store_row rows[] = {
	    {"GET", "Range: bytes=0-4", 206,
		FRESH "Content-Range: bytes 0-4/10", STORABLE_YES},
	    {"GET", "Range: bytes=0-4", 206, FRESH "Content-Range: bytes 0-4/*",
		STORABLE_YES},
	    {"GET", "", 206, FRESH "Content-Range: bytes 0-4/10",
		STORABLE_NO_PARTIAL},
	    {"GET", "Range: bytes=0-4", 206, FRESH, STORABLE_NO_PARTIAL},
	    {"GET", "Range: bytes=0-4", 206,
		FRESH "Content-Range: bytes 4-0/10", STORABLE_NO_PARTIAL},
	    {"GET", "Range: bytes=0-4", 206, FRESH "Content-Range: bytes */10",
		STORABLE_NO_PARTIAL},
	    {"GET", "Range: bytes=0-4", 206,
		FRESH "Content-Range: lines 0-4/10", STORABLE_NO_PARTIAL},
	    {"GET", "Range: bytes=0-1,4-5", 206,
		FRESH "Content-Type: multipart/byteranges; boundary=x",
		STORABLE_NO_PARTIAL},
	    {"GET", "Range: bytes=0-4", 206,
		FRESH "Content-Range: bytes 0-4/10\n"
		      "Content-Range: bytes 0-4/10",
		STORABLE_NO_PARTIAL},
	};
	struct cache_policy whole = rfc_policy;
	struct cache_facts facts = {FIX_NOW_S, FIX_NOW_S, SPAN_LIT("http")};
	struct http_msg req, resp;
	struct freshness f;

	check_rows(rows, NELEMS(rows), &rfc_policy);
	whole.stores_partial = false;
	ck_assert_int_eq(judge(&rows[0], &whole, &f), STORABLE_NO_PARTIAL);
	fix_request(&req, "GET", "/", rows[0].request);
	fix_response(&resp, 206, rows[0].response);
	resp.body = LENGTH_KNOWN;
	resp.length = 5;
	ck_assert_int_eq(
	    storable_judge(&req, &resp, &rfc_policy, &facts, &f), STORABLE_YES);
	resp.length = 6;
	ck_assert_int_eq(storable_judge(&req, &resp, &rfc_policy, &facts, &f),
	    STORABLE_NO_PARTIAL);
}
END_TEST

START_TEST(words_are_all_there)
{
	for (int s = 0; s < STORABLE_N; s++)
		ck_assert_uint_gt(storable_word((enum storable)s).len, 0);
}
END_TEST

/* --- fields --------------------------------------------------------------- */

/* The names that are kept, lower-case, each with a blank behind. */
static void
print_kept(const char *fields, unsigned flags, bool is_update, char *out)
{
	struct http_fields f;

	out[0] = '\0';
	fix_fields(&f, fields);
	fields_foreach(fld, &f)
	{
		if (!(is_update ? storable_updates(&f, fld, flags)
				: storable_field(&f, fld, flags)))
			continue;
		(void)strncat(out, fld->name.p, fld->name.len);
		(void)strcat(out, " ");
	}
}

START_TEST(fields_of_one_hop_are_not_kept)
{
	static const struct {
		const char *fields;
		unsigned flags;
		const char *kept;
	} rows[] = {
	    {"A: 1\nDate: x\nX-B: 2", 0, "A Date X-B "},
	    {"A: 1\nConnection: a, b\nB: 2\nC: 3", 0, "C "},
	    {"Connection: close\nClose: 1\nETag: \"x\"", 0, "ETag "},
	    {"Connection: etag\nETag: \"x\"\nA: 1", 0, "A "},
	    {"Connection: a\nConnection: b\nA: 1\nB: 2\nC: 3", 0, "C "},
	    {"Keep-Alive: x\nTE: x\nTrailer: x\nTransfer-Encoding: chunked\n"
	     "Upgrade: x\nProxy-Connection: x\nHTTP2-Settings: x\nA: 1",
		0, "A "},
	    {"Proxy-Authenticate: x\nProxy-Authorization: x\n"
	     "Proxy-Authentication-Info: x\nWWW-Authenticate: x",
		0, "WWW-Authenticate "},
	    {"Age: 5\nA: 1", 0, "A "},
	    {"Set-Cookie: a=b\nSet-Cookie: c=d\nA: 1", 0,
		"Set-Cookie Set-Cookie A "},
	    {"Set-Cookie: a=b\nA: 1", FRESH_STRIP_COOKIE, "A "},
	    {CACHE("no-cache=\"a\"") "A: 1\nB: 2", FRESH_STRIP_NAMED,
		"Cache-Control B "},
	    {CACHE("no-cache=\"a, b\", max-age=5") "A: 1\nb: 2\nC: 3",
		FRESH_STRIP_NAMED, "Cache-Control C "},
	    {CACHE("private=\"a\"") CACHE("no-cache=b") "A: 1\nB: 2\nC: 3",
		FRESH_STRIP_NAMED, "Cache-Control Cache-Control C "},
	    {CACHE("private=\"a\"") CDN("private=\"b\"") "A: 1\nB: 2",
		FRESH_STRIP_NAMED | FRESH_CDN,
		"Cache-Control CDN-Cache-Control A "},
	    {CACHE("no-cache=\"a\"") "A: 1", 0, "Cache-Control A "},
	};
	char kept[512];

	for (size_t i = 0; i < NELEMS(rows); i++) {
		print_kept(rows[i].fields, rows[i].flags, false, kept);
		ck_assert_str_eq(kept, rows[i].kept);
	}
}
END_TEST

START_TEST(fields_of_the_stored_bytes_are_not_updated)
{
	char kept[512];

	print_kept("Test-Header: x\nX-Test-Header: x\nContent-Foo: x\n"
		   "Cache-Control: max-age=1\nConnection: x\n"
		   "Content-Encoding: x\nContent-Length: 10\n"
		   "Content-Location: /b\nContent-MD5: x\n"
		   "Content-Range: bytes 0-1/2\nContent-Type: text/plain\n"
		   "ETag: \"a\"\nExpires: x\nAge: 4\nX: y\n"
		   "Transfer-Encoding: chunked\nVary: a",
	    0, true, kept);
	ck_assert_str_eq(kept,
	    "Test-Header X-Test-Header Content-Foo Cache-Control "
	    "Content-Location Content-MD5 Content-Type ETag Expires Vary ");
}
END_TEST

START_TEST(newer_fields_replace_all_of_their_name)
{
	struct http_fields stored, newer;
	char got[512] = "";

	fix_fields(&stored, "Date: 1\nA: old\nB: old\na: old2\nX-C: old\n"
			    "Content-Length: 5\nLink: <a>");
	fix_fields(&newer,
	    "Date: 2\nA: new\nContent-Length: 10\nX-c: new\nx-C: new2\n"
	    "D: new\nConnection: e\nE: new\nSet-Cookie: f");
	storable_merge(&stored, &fix_arena, &newer, FRESH_STRIP_COOKIE);
	fields_foreach(fld, &stored)
	{
		size_t at = strlen(got);

		(void)snprintf(got + at, sizeof(got) - at, "%.*s=%.*s ",
		    SPAN_FMT(fld->name), SPAN_FMT(fld->value));
	}
	ck_assert_str_eq(got, "B=old Content-Length=5 Link=<a> "
			      "Date=2 A=new X-c=new x-C=new2 D=new ");
}
END_TEST

START_TEST(newer_fields_that_may_not_be_kept_replace_nothing)
{
	static const struct {
		const char *newer;
		unsigned flags;
		const char *want; /* of the stored "A: old" and "B: old" */
	} rows[] = {
	    {"A: new\nB: new", 0, "new new "},
	    {"A: new\nB: new\n" CACHE("no-cache=\"a\""), 0, "old new "},
	    {"A: new\nB: new\n" CACHE("no-cache=\"a\""), FRESH_CDN, "old new "},
	    {"A: new\nB: new\n" CACHE("no-cache=\"a\"") CDN("max-age=5"), 0,
		"new new "},
	    {"A: new\nB: new\n" CDN("private=\"b\""), 0, "new old "},
	    {"A: new\nB: new", FRESH_STRIP_NAMED, "new new "},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct http_fields stored, newer;
		char got[64] = "";

		fix_fields(&stored, "A: old\nB: old");
		fix_fields(&newer, rows[i].newer);
		storable_merge(&stored, &fix_arena, &newer, rows[i].flags);
		for (const char *name = "ab"; *name != '\0'; name++) {
			struct http_field *fld =
			    fields_find_name(&stored, span_of(name, 1));

			ck_assert_ptr_nonnull(fld);
			(void)strncat(got, fld->value.p, fld->value.len);
			(void)strcat(got, " ");
		}
		ck_assert_msg(strcmp(got, rows[i].want) == 0, "%s: %s",
		    rows[i].newer, got);
	}
}
END_TEST

/* --- forgetting ----------------------------------------------------------- */

START_TEST(unsafe_methods_make_urls_of_their_origin_doubtful)
{
	static const struct {
		const char *method;
		const char *target;
		unsigned status;
		const char *response;
		const char *want; /* URLs, each with a blank behind */
	} rows[] = {
	    {"GET", "/a", 200, "Location: /b", ""},
	    {"HEAD", "/a", 200, "", ""},
	    {"OPTIONS", "/a", 200, "", ""},
	    {"TRACE", "/a", 200, "", ""},
	    {"POST", "/a", 200, "", "/a "},
	    {"PUT", "/a", 204, "", "/a "},
	    {"DELETE", "/a?b", 200, "", "/a?b "},
	    {"PATCH", "/a?", 200, "", "/a? "},
	    {"M-SEARCH", "/a", 200, "", "/a "},
	    {"get", "/a", 200, "", "/a "},
	    {"POST", "/a", 299, "", "/a "},
	    {"POST", "/a", 303, "Location: /b", "/a /b "},
	    {"POST", "/a", 399, "", "/a "},
	    {"POST", "/a", 400, "Location: /b", ""},
	    {"POST", "/a", 404, "", ""},
	    {"POST", "/a", 500, "", ""},
	    {"POST", "/a", 503, "Content-Location: /b", ""},
	    {"POST", "/a", 100, "", ""},
	    {"POST", "/a", 201, "Location: /b\nContent-Location: /c",
		"/a /b /c "},
	    {"POST", "/a", 201, "Location: /a\nContent-Location: /a", "/a "},
	    {"POST", "/a", 201, "Location: /b\nContent-Location: /b", "/a /b "},
	    {"POST", "/a", 201, "Location: http://h.test/b", "/a /b "},
	    {"POST", "/a", 201, "Location: HTTP://H.Test:80/b?c#d", "/a /b?c "},
	    {"POST", "/a", 201, "Location: http://h.test", "/a / "},
	    {"POST", "/a", 201, "Location: //h.test/b", "/a /b "},
	    {"POST", "/a", 201, "Location: //o.test/b", "/a "},
	    {"POST", "/a", 201, "Location: http://o.test/b", "/a "},
	    {"POST", "/a", 201, "Location: http://h.test.o.test/b", "/a "},
	    {"POST", "/a", 201, "Location: http://h.test@o.test/b", "/a "},
	    {"POST", "/a", 201, "Location: https://h.test/b", "/a "},
	    {"POST", "/a", 201, "Location: http://h.test:8080/b", "/a "},
	    {"POST", "/a", 201, "Location: mailto:x", "/a "},
	    {"POST", "/a", 201, "Location: javascript:/b", "/a "},
	    {"POST", "/a/b?q", 201, "Location: c", "/a/b?q /a/c "},
	    {"POST", "/a/b", 201, "Location: ../c/./d", "/a/b /c/d "},
	    {"POST", "/a/b", 201, "Location: ../../../c", "/a/b "},
	    {"POST", "/a/b", 201, "Location: ?x", "/a/b /a/b?x "},
	    {"POST", "/a/b?q", 201, "Location: #x", "/a/b?q "},
	    {"POST", "/a/b?q", 201, "Location:", "/a/b?q "},
	    {"POST", "/a", 201, "Location: /b/%7Ec/", "/a /b/~c/ "},
	    {"POST", "/a", 201, "Location: /b?u=http://o.test/",
		"/a /b?u=http://o.test/ "},
	    {"POST", "/a", 201, "Location: c:d", "/a "},
	    {"POST", "/a", 201, "Location: :d", "/a "},
	    {"POST", "/a", 201, "Location: ./c:d", "/a /c:d "},
	    {"POST", "/a", 201, "Location: /b%2Fc", "/a "},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct http_msg req, resp;
		struct forget all[FORGET_MAX];
		char got[256] = "";
		unsigned n;

		fix_request(&req, rows[i].method, rows[i].target, "");
		fix_response(&resp, rows[i].status, rows[i].response);
		n = storable_forget(
		    &req, SPAN_LIT("http"), &resp, &fix_arena, all);
		for (unsigned j = 0; j < n; j++) {
			size_t at = strlen(got);

			(void)snprintf(got + at, sizeof(got) - at,
			    "%.*s%s%.*s ", SPAN_FMT(all[j].path),
			    all[j].has_query ? "?" : "",
			    SPAN_FMT(all[j].query));
		}
		ck_assert_msg(strcmp(got, rows[i].want) == 0,
		    "%s %s %u %s: [%s]", rows[i].method, rows[i].target,
		    rows[i].status, rows[i].response, got);
	}
}
END_TEST

START_TEST(ports_and_schemes_are_part_of_the_origin)
{
	struct forget all[FORGET_MAX];
	struct http_msg req, resp;

	fix_request(&req, "POST", "/a", "");
	req.port = 8443;
	fix_response(&resp, 201, "Location: https://h.test:8443/b");
	ck_assert_uint_eq(
	    storable_forget(&req, SPAN_LIT("https"), &resp, &fix_arena, all),
	    2);
	ck_assert_uint_eq(
	    storable_forget(&req, SPAN_LIT("http"), &resp, &fix_arena, all), 1);
	fix_response(&resp, 201, "Location: https://h.test/b");
	ck_assert_uint_eq(
	    storable_forget(&req, SPAN_LIT("https"), &resp, &fix_arena, all),
	    1);
	req.port = 0;
	ck_assert_uint_eq(
	    storable_forget(&req, SPAN_LIT("https"), &resp, &fix_arena, all),
	    2);
	/* CONNECT has no path */
	fix_request(&req, "CONNECT", "", "");
	ck_assert_uint_eq(
	    storable_forget(&req, SPAN_LIT("https"), &resp, &fix_arena, all),
	    0);
}
END_TEST

START_TEST(answers_for_one_client_update_nothing_for_all)
{
	static const struct store_row rows[] = {
	    {"GET", "", 200, FRESH, STORABLE_YES},
	    {"HEAD", "", 200, FRESH, STORABLE_YES},
	    /* how long it is good does not count */
	    {"GET", "", 200, "", STORABLE_YES},
	    {"GET", "", 299, CACHE("max-age=0"), STORABLE_YES},
	    {"GET", "", 200, CACHE("private, max-age=60"), STORABLE_NO_PRIVATE},
	    {"HEAD", "", 200, CACHE("private"), STORABLE_NO_PRIVATE},
	    {"GET", "", 200, CACHE("private=\"x\""), STORABLE_YES},
	    {"GET", "", 200, CACHE("no-store"), STORABLE_NO_STORE},
	    {"GET", "", 200, CACHE("private") CDN("max-age=60"), STORABLE_YES},
	    {"GET", "", 200, FRESH "Set-Cookie: a=b", STORABLE_NO_COOKIE},
	    {"GET", "", 200, FRESH "Vary: *", STORABLE_NO_VARY},
	    {"GET", "", 200, FRESH "Vary: a", STORABLE_YES},
	    {"GET", "Authorization: x", 200, FRESH, STORABLE_NO_AUTHORIZATION},
	    {"GET", "Authorization: x", 200, CACHE("s-maxage=60"),
		STORABLE_YES},
	    {"GET", CACHE("no-store"), 200, FRESH, STORABLE_NO_REQUEST},
	};
	const struct cache_policy policy = {.cookies = COOKIES_BYPASS};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct http_msg req, updated;
		enum storable got;

		fix_request(&req, rows[i].method, "/a?b", rows[i].request);
		fix_response(&updated, rows[i].status, rows[i].response);
		got = storable_judge_update(&req, &updated, &policy);
		ck_assert_msg(got == rows[i].want, "%s [%s] %u [%s]: %.*s",
		    rows[i].method, rows[i].request, rows[i].status,
		    rows[i].response, SPAN_FMT(storable_word(got)));
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    methods_and_statuses_that_are_stored,
	    post_needs_explicit_freshness_and_its_own_url,
	    directives_forbid_to_store,
	    answers_to_authorization_need_permission,
	    cookies_are_stripped_stored_or_a_reason,
	    what_cannot_be_used_is_not_stored,
	    partial_content_is_stored_when_it_is_one_asked_range,
	    words_are_all_there,
	    fields_of_one_hop_are_not_kept,
	    fields_of_the_stored_bytes_are_not_updated,
	    newer_fields_replace_all_of_their_name,
	    newer_fields_that_may_not_be_kept_replace_nothing,
	    answers_for_one_client_update_nothing_for_all,
	    unsafe_methods_make_urls_of_their_origin_doubtful,
	    ports_and_schemes_are_part_of_the_origin,
	};

	return unit_run_in(
	    "storable", tests, NELEMS(tests), fix_set_up, fix_tear_down);
}
