/* Authorities, URLs (RFC 3986, RFC 9110 4.2) and the form of paths that rules
 * compare. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/uri.h"
#include "t/unit/h1_feed.h"
#include "t/unit/unit.h"

#define TEN "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN

struct authority_row {
	const char *text;
	const char *host; /* NULL: malformed */
	uint16_t port;
};

START_TEST(authorities_are_host_and_port)
{
	static const struct authority_row rows[] = {
	    {"a", "a", 0},
	    {"a.example:8080", "a.example", 8080},
	    {"A.Example:", "A.Example", 0},
	    {"a:0", "a", 0},
	    {"a:65535", "a", 65535},
	    {"a:00080", "a", 80},
	    {"127.0.0.1:80", "127.0.0.1", 80},
	    {"[::1]", "::1", 0},
	    {"[::1]:", "::1", 0},
	    {"[2001:db8::1]:443", "2001:db8::1", 443},
	    {"[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", 1},
	    {"a-b_c~!$&'()*+,;=", "a-b_c~!$&'()*+,;=", 0},
	    {FIFTY FIFTY FIFTY FIFTY FIFTY "aaa",
		FIFTY FIFTY FIFTY FIFTY FIFTY "aaa", 0},
	    {FIFTY FIFTY FIFTY FIFTY FIFTY "aaaa", NULL, 0},
	    {"", NULL, 0},
	    {":", NULL, 0},
	    {":80", NULL, 0},
	    {"a:65536", NULL, 0},
	    {"a:000080", NULL, 0},
	    {"a:+80", NULL, 0},
	    {"a: 80", NULL, 0},
	    {"a:8O", NULL, 0},
	    {"a:80:80", NULL, 0},
	    {"a:18446744073709551696", NULL, 0},
	    {"u@a", NULL, 0},
	    {"u:p@a:80", NULL, 0},
	    {"a b", NULL, 0},
	    {" a", NULL, 0},
	    {"a ", NULL, 0},
	    {"a/", NULL, 0},
	    {"a\\", NULL, 0},
	    {"a#", NULL, 0},
	    {"a?", NULL, 0},
	    {"a%41", NULL, 0},
	    {"a\"", NULL, 0},
	    {"<a>", NULL, 0},
	    {"a\xc3\xa9", NULL, 0},
	    {"a\x7f", NULL, 0},
	    {"::1", NULL, 0},
	    {"[::1", NULL, 0},
	    {"::1]", NULL, 0},
	    {"[]", NULL, 0},
	    {"[]:80", NULL, 0},
	    {"[1.2.3.4]", NULL, 0},
	    {"[a]", NULL, 0},
	    {"[v1.a]", NULL, 0},
	    {"[::1]80", NULL, 0},
	    {"[::1]]", NULL, 0},
	    {"[::1%25eth0]", NULL, 0},
	    {"[::1%eth0]", NULL, 0},
	    {"[[::1]]", NULL, 0},
	    {"x[::1]", NULL, 0},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const struct authority_row *r = &rows[i];
		span text = span_str(r->text);
		char *copy = feed_dup(text);
		uint16_t port = 1;
		span host;
		bool is_good =
		    uri_parse_authority(span_of(copy, text.len), &host, &port);

		ck_assert_msg(is_good == (r->host != NULL), "%s", r->text);
		if (is_good) {
			ck_assert_span_eq(host, r->host);
			ck_assert_uint_eq(port, r->port);
		}
		free(copy);
	}
}
END_TEST

struct host_row {
	const char *text;
	enum uri_host rc;
	const char *is;
};

START_TEST(hosts_have_one_spelling)
{
	static const struct host_row rows[] = {
	    {"a.example", URI_HOST_NAME, "a.example"},
	    {"A.eXample.", URI_HOST_NAME, "a.example"},
	    {"localhost", URI_HOST_NAME, "localhost"},
	    {"1a.2b", URI_HOST_NAME, "1a.2b"},
	    {"127.0.0.1.example", URI_HOST_NAME, "127.0.0.1.example"},
	    {"0x7f.example", URI_HOST_NAME, "0x7f.example"},
	    {"a.0x1g", URI_HOST_NAME, "a.0x1g"},
	    {"a_b.-c-", URI_HOST_NAME, "a_b.-c-"},
	    {"127.0.0.1", URI_HOST_ADDRESS, "127.0.0.1"},
	    {"127.0.0.1.", URI_HOST_ADDRESS, "127.0.0.1"},
	    {"::1", URI_HOST_ADDRESS, "::1"},
	    {"0:0::0:1", URI_HOST_ADDRESS, "::1"},
	    {"::FFFF:7f00:1", URI_HOST_ADDRESS, "127.0.0.1"},
	    {"2001:DB8::A", URI_HOST_ADDRESS, "2001:db8::a"},
	    {"127.1", URI_HOST_AMBIGUOUS, ""},
	    {"127.0.0.01", URI_HOST_AMBIGUOUS, ""},
	    {"127.0.0.256", URI_HOST_AMBIGUOUS, ""},
	    {"127.0.0.1..", URI_HOST_AMBIGUOUS, ""},
	    {"2130706433", URI_HOST_AMBIGUOUS, ""},
	    {"0x7f000001", URI_HOST_AMBIGUOUS, ""},
	    {"0X7F.0.0.1", URI_HOST_AMBIGUOUS, ""},
	    {"0177.0.0.01", URI_HOST_AMBIGUOUS, ""},
	    {"a.1", URI_HOST_AMBIGUOUS, ""},
	    {"a.0x", URI_HOST_AMBIGUOUS, ""},
	    {"a.0xff.", URI_HOST_AMBIGUOUS, ""},
	    {".", URI_HOST_AMBIGUOUS, ""},
	    {"", URI_HOST_AMBIGUOUS, ""},
	    {"a..b", URI_HOST_AMBIGUOUS, ""},
	    {".a", URI_HOST_AMBIGUOUS, ""},
	    {"a,b", URI_HOST_AMBIGUOUS, ""},
	    {"a b", URI_HOST_AMBIGUOUS, ""},
	    {"a%b", URI_HOST_AMBIGUOUS, ""},
	    {"1::2::3", URI_HOST_AMBIGUOUS, ""},
	    {"::1%1", URI_HOST_AMBIGUOUS, ""},
	    {FIFTY TEN "aaa.b", URI_HOST_NAME, FIFTY TEN "aaa.b"},
	    {FIFTY TEN "aaaa.b", URI_HOST_AMBIGUOUS, ""},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char out[URI_HOST_CAP];
		struct ip ip;
		size_t len;

		ck_assert_msg(uri_normalize_host(span_str(rows[i].text), out,
				  &len, &ip) == rows[i].rc,
		    "%s", rows[i].text);
		ck_assert_span_eq(span_of(out, len), rows[i].is);
	}
}
END_TEST

START_TEST(a_nul_is_no_part_of_a_host)
{
	uint16_t port;
	span host;

	ck_assert(!uri_parse_authority(SPAN_LIT("a\0b"), &host, &port));
	ck_assert(!uri_parse_authority(SPAN_LIT("[::1\0]"), &host, &port));
	ck_assert(!uri_parse_authority(SPAN_LIT("a:8\0"), &host, &port));
}
END_TEST

START_TEST(a_url_is_split_into_its_pieces)
{
	struct uri u;

	ck_assert(uri_parse(SPAN_LIT("HTTPS://A:81/b/c?d=/?e#f"), &u));
	ck_assert_span_eq(u.scheme, "HTTPS");
	ck_assert_span_eq(u.authority, "A:81");
	ck_assert_span_eq(u.host, "A");
	ck_assert_uint_eq(u.port, 81);
	ck_assert_span_eq(u.path, "/b/c");
	ck_assert(u.has_query);
	ck_assert_span_eq(u.query, "d=/?e");
	ck_assert(uri_parse(SPAN_LIT("http://[::1]?x"), &u));
	ck_assert_span_eq(u.host, "::1");
	ck_assert_span_eq(u.path, "/");
	ck_assert_span_eq(u.query, "x");
	ck_assert(uri_parse(SPAN_LIT("a+b-c.1://h#"), &u));
	ck_assert_span_eq(u.path, "/");
	ck_assert(!u.has_query);
	ck_assert(uri_parse(SPAN_LIT("ws://h/?"), &u));
	ck_assert(u.has_query);
	ck_assert_uint_eq(u.query.len, 0);
}
END_TEST

START_TEST(a_url_has_one_name)
{
	static const char *const rows[][2] = {
	    {"HTTP://Shop.Test/A?B=C", "http://shop.test/A?B=C"},
	    {"https://shop.test:8443/", "https://shop.test/"},
	    {"https://shop.test", "https://shop.test/"},
	    {"http://shop.test/a?", "http://shop.test/a"},
	    {"http://shop.test?x#y", "http://shop.test/?x"},
	    {"http://[2001:DB8::1]:80/*", "http://[2001:db8::1]/*"},
	};
	char out[64];

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct uri u;
		size_t len;

		ck_assert(uri_parse(span_str(rows[i][0]), &u));
		ck_assert_uint_le(uri_name_cap(&u), sizeof(out));
		len = uri_write_name(&u, out);
		ck_assert_uint_le(len, uri_name_cap(&u));
		ck_assert_span_eq(span_of(out, len), rows[i][1]);
	}
}
END_TEST

START_TEST(malformed_urls_are_refused)
{
	static const char *const rows[] = {"", "http", "http:", "http:/",
	    "http://", "http:///a", "http:a", "http:/a", "//a/b", "/a", "://a",
	    "1http://a", "-a://b", "ht tp://a", "ht_tp://a", "http//a",
	    "http ://a", "http://a b", "http://u@a/", "http://a/b c",
	    "http://a/\xc3\xa9", "http://a/b#c#d", "http://a/b#c d",
	    "http://a?b\x01", "http://a:b/", "http://[::1", "http://a\\b/"};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		span text = span_str(rows[i]);
		char *copy = feed_dup(text);
		struct uri u;

		ck_assert_msg(
		    !uri_parse(span_of(copy, text.len), &u), "%s", rows[i]);
		free(copy);
	}
}
END_TEST

/* Each beginning of a URL is read or refused, from memory of its size. */
START_TEST(truncated_urls_are_read_within_their_length)
{
	span text = SPAN_LIT("https://[2001:db8::1]:8443/a/b?c=d#e");
	size_t n_good = 0;

	for (size_t len = 0; len <= text.len; len++) {
		char *copy = feed_dup(span_first(text, len));
		struct uri u;

		if (uri_parse(span_of(copy, len), &u)) {
			n_good++;
			ck_assert_span_eq(u.host, "2001:db8::1");
		}
		free(copy);
	}
	ck_assert_uint_eq(n_good, text.len - 20);
}
END_TEST

START_TEST(schemes_have_default_ports)
{
	ck_assert_uint_eq(uri_default_port(SPAN_LIT("HTTP")), 80);
	ck_assert_uint_eq(uri_default_port(SPAN_LIT("https")), 443);
	ck_assert_uint_eq(uri_default_port(SPAN_LIT("ws")), 80);
	ck_assert_uint_eq(uri_default_port(SPAN_LIT("wss")), 443);
	ck_assert_uint_eq(uri_default_port(SPAN_LIT("ftp")), 0);
	ck_assert_uint_eq(uri_default_port(SPAN_LIT("")), 0);
}
END_TEST

struct path_row {
	const char *in;
	const char *out;
	enum uri_path rc;
};

static void
check_path(const struct path_row *r)
{
	span in = span_str(r->in);
	char *text = feed_dup(in);
	char *out = malloc(in.len > 0 ? in.len : 1);
	size_t len;
	enum uri_path rc;

	ck_assert_ptr_nonnull(out);
	rc = uri_normalize_path(span_of(text, in.len), out, &len);
	ck_assert_msg(rc == r->rc, "%d, not %d: %s", rc, r->rc, r->in);
	ck_assert_span_eq(span_of(out, len), r->out);
	/* in place */
	rc = uri_normalize_path(span_of(text, in.len), text, &len);
	ck_assert_int_eq(rc, r->rc);
	ck_assert_span_eq(span_of(text, len), r->out);
	if (r->rc != URI_PATH_AMBIGUOUS) {
		rc = uri_normalize_path(span_of(out, len), text, &len);
		ck_assert_int_eq(rc, URI_PATH_PLAIN);
		ck_assert_span_eq(span_of(text, len), r->out);
	}
	free(out);
	free(text);
}

START_TEST(paths_get_one_form)
{
	static const struct path_row rows[] = {
	    {"/", "/", URI_PATH_PLAIN},
	    {"*", "*", URI_PATH_PLAIN},
	    {"/a/b.c/", "/a/b.c/", URI_PATH_PLAIN},
	    {"/a;b=c/~d!$&'()*+,;=:@", "/a;b=c/~d!$&'()*+,;=:@",
		URI_PATH_PLAIN},
	    {"/...", "/...", URI_PATH_PLAIN},
	    {"/.a/..b/c.", "/.a/..b/c.", URI_PATH_PLAIN},
	    {"/%20%3F%25%23%C3%A9", "/%20%3F%25%23%C3%A9", URI_PATH_PLAIN},
	    {"/%41%7e%2d", "/A~-", URI_PATH_CHANGED},
	    {"/%3b%22%3c", "/;\"<", URI_PATH_CHANGED},
	    {"/%c3%a9%3f", "/%C3%A9%3F", URI_PATH_CHANGED},
	    {"/%2541", "/%2541", URI_PATH_PLAIN},
	    {"//", "/", URI_PATH_CHANGED},
	    {"///a//b///", "/a/b/", URI_PATH_CHANGED},
	    {"/.", "/", URI_PATH_CHANGED},
	    {"/./", "/", URI_PATH_CHANGED},
	    {"/a/.", "/a/", URI_PATH_CHANGED},
	    {"/a/./b", "/a/b", URI_PATH_CHANGED},
	    {"/a/..", "/", URI_PATH_CHANGED},
	    {"/a/../", "/", URI_PATH_CHANGED},
	    {"/a/b/../c", "/a/c", URI_PATH_CHANGED},
	    {"/a/b/../../c/d/..", "/c/", URI_PATH_CHANGED},
	    {"/a//../b", "/b", URI_PATH_CHANGED},
	    {"/a/%2e%2E/b", "/b", URI_PATH_CHANGED},
	    {"/a/.%2e", "/", URI_PATH_CHANGED},
	    {"/a/%2e", "/a/", URI_PATH_CHANGED},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		check_path(&rows[i]);
}
END_TEST

START_TEST(paths_that_can_be_read_twice_are_called_so)
{
	static const struct path_row rows[] = {
	    {"", "", URI_PATH_AMBIGUOUS},
	    {"a/b", "a/b", URI_PATH_AMBIGUOUS},
	    {"..", "", URI_PATH_AMBIGUOUS},
	    {"/..", "/", URI_PATH_AMBIGUOUS},
	    {"/../a", "/a", URI_PATH_AMBIGUOUS},
	    {"/a/../..", "/", URI_PATH_AMBIGUOUS},
	    {"/a/../../b", "/b", URI_PATH_AMBIGUOUS},
	    {"/%2e%2e/a", "/a", URI_PATH_AMBIGUOUS},
	    {"/a%2fb", "/a%2Fb", URI_PATH_AMBIGUOUS},
	    {"/a/..%2fb", "/a/..%2Fb", URI_PATH_AMBIGUOUS},
	    {"/a\\b", "/a\\b", URI_PATH_AMBIGUOUS},
	    {"/a%5Cb", "/a%5Cb", URI_PATH_AMBIGUOUS},
	    {"/a%00b", "/a%00b", URI_PATH_AMBIGUOUS},
	    {"/a%", "/a%", URI_PATH_AMBIGUOUS},
	    {"/a%4", "/a%4", URI_PATH_AMBIGUOUS},
	    {"/a%g1", "/a%g1", URI_PATH_AMBIGUOUS},
	    {"/a%1g", "/a%1g", URI_PATH_AMBIGUOUS},
	    {"/%u0041", "/%u0041", URI_PATH_AMBIGUOUS},
	    {"/%%41", "/%A", URI_PATH_AMBIGUOUS},
	    {"/a/..;/b", "/a/..;/b", URI_PATH_AMBIGUOUS},
	    {"/a/.;x=y", "/a/.;x=y", URI_PATH_AMBIGUOUS},
	    {"/a/%2e.%3b/b", "/a/..;/b", URI_PATH_AMBIGUOUS},
	    {"/%c0%af", "/%C0%AF", URI_PATH_AMBIGUOUS},
	    {"/%c0%ae%C0%AE/", "/%C0%AE%C0%AE/", URI_PATH_AMBIGUOUS},
	    {"/%e0%80%af", "/%E0%80%AF", URI_PATH_AMBIGUOUS},
	    {"/%f0%80%80%af", "/%F0%80%80%AF", URI_PATH_AMBIGUOUS},
	    {"/a b", "/a b", URI_PATH_AMBIGUOUS},
	    {"/\xc3\xa9", "/\xc3\xa9", URI_PATH_AMBIGUOUS},
	    {"/a\x01", "/a\x01", URI_PATH_AMBIGUOUS},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		check_path(&rows[i]);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    hosts_have_one_spelling,
	    authorities_are_host_and_port,
	    a_nul_is_no_part_of_a_host,
	    a_url_is_split_into_its_pieces,
	    a_url_has_one_name,
	    malformed_urls_are_refused,
	    truncated_urls_are_read_within_their_length,
	    schemes_have_default_ports,
	    paths_get_one_form,
	    paths_that_can_be_read_twice_are_called_so,
	};

	return unit_run("uri", tests, NELEMS(tests));
}
