/* Vary and the canonical secondary key: RFC 9111 4.1. */
#include <check.h>
#include <stdio.h>

#include "common/http/vary.h"
#include "t/unit/cache_fixture.h"

START_TEST(names_are_read_over_lines_sorted_and_once)
{
	static const struct {
		const char *fields;
		const char *names; /* NULL: never selected */
	} rows[] = {
	    {"", ""},
	    {"Vary:", ""},
	    {"Vary: ,", ""},
	    {"Vary: Accept", "accept"},
	    {"Vary: b, a", "a,b"},
	    {"Vary: a\nVary: b", "a,b"},
	    {"Vary: b ,\ta,, ", "a,b"},
	    {"Vary: A, a, B, b", "a,b"},
	    {"Vary: ab, a, abc", "a,ab,abc"},
	    {"Vary: *", NULL},
	    {"Vary: *, *", NULL},
	    {"Vary: *\nVary: *", NULL},
	    {"Vary: , *", NULL},
	    {"Vary:\nVary: *", NULL},
	    {"Vary: *, Foo", NULL},
	    {"Vary: Foo, *", NULL},
	    {"Vary: Foo\nVary: *", NULL},
	    {"Vary: a b", NULL},
	    {"Vary: \"a\"", NULL},
	    {"Vary: a;q=1", NULL},
	    {"Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p",
		"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"},
	    {"Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,P",
		"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"},
	    {"Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", NULL},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char text[VARY_TEXT_MAX];
		struct http_fields f;
		struct vary v, again;
		size_t len;

		fix_fields(&f, rows[i].fields);
		ck_assert_msg(vary_parse(&f, &v) == (rows[i].names != NULL),
		    "%s", rows[i].fields);
		if (rows[i].names == NULL)
			continue;
		len = vary_write_names(&v, text);
		ck_assert_span_eq(span_of(text, len), rows[i].names);
		ck_assert(vary_parse_text(span_of(text, len), &again));
		ck_assert_uint_eq(again.n, v.n);
		for (unsigned n = 0; n < v.n; n++) {
			ck_assert(span_ieq(again.at[n].name, v.at[n].name));
			ck_assert_uint_eq(again.at[n].id, v.at[n].id);
		}
	}
}
END_TEST

START_TEST(names_have_a_bounded_text)
{
	char line[VARY_TEXT_MAX + 16] = "Vary: ";
	struct http_fields f;
	struct vary v;

	memset(line + 6, 'a', VARY_TEXT_MAX - 1);
	fix_fields(&f, line);
	ck_assert(vary_parse(&f, &v));
	line[6 + VARY_TEXT_MAX - 1] = 'a';
	fix_fields(&f, line);
	ck_assert(!vary_parse(&f, &v));
}
END_TEST

/* The key of a request for names, as text; "!" when it does not fit. */
static void
key_of(const char *names, const char *fields, char *out, size_t cap)
{
	struct http_fields f;
	struct vary v;
	size_t len;

	ck_assert(vary_parse_text(span_str(names), &v));
	fix_fields(&f, fields);
	if (vary_key(&v, &f, out, cap - 1, &len))
		out[len] = '\0';
	else
		(void)snprintf(out, cap, "!");
}

START_TEST(keys_are_canonical)
{
	static const struct {
		const char *names;
		const char *fields;
		const char *key;
	} rows[] = {
	    {"", "Accept: a", ""},
	    {"foo", "", "foo \n"},
	    {"foo", "Foo:", "foo:\n"},
	    {"foo", "FOO: Bar", "foo:Bar\n"},
	    {"Foo", "foo: Bar", "foo:Bar\n"},
	    {"foo", "foo: a, b", "foo:a,b\n"},
	    {"foo", "foo: a ,\tb", "foo:a,b\n"},
	    {"foo", "foo: a\nfoo: b", "foo:a,b\n"},
	    {"foo", "foo: a\nbar: x\nFoo: b", "foo:a,b\n"},
	    {"foo", "foo: b, a", "foo:b,a\n"},
	    {"foo", "foo: a  b", "foo:a  b\n"},
	    {"foo", "foo: \"a , b\" , c", "foo:\"a , b\",c\n"},
	    {"foo", "foo: \"a\\\" , b\" , c", "foo:\"a\\\" , b\",c\n"},
	    {"foo", "foo: \"a , b", "foo:\"a , b\n"},
	    {"foo", "foo: a,, b", "foo:a,,b\n"},
	    {"bar,foo", "foo: 1", "bar \nfoo:1\n"},
	    {"bar,foo", "foo: 1\nbar: 2", "bar:2\nfoo:1\n"},
	    {"cookie", "Cookie: a=b\nCookie: c=d", "cookie:a=b;c=d\n"},
	    {"user-agent", "User-Agent: A (b, c)", "user-agent:A (b,c)\n"},
	    /* lists of what is accepted */
	    {"accept-encoding", "", "accept-encoding \n"},
	    {"accept-encoding", "Accept-Encoding:", "accept-encoding:\n"},
	    {"accept-encoding", "Accept-Encoding: gzip, br",
		"accept-encoding:br,gzip\n"},
	    {"accept-encoding", "Accept-Encoding: br,gzip",
		"accept-encoding:br,gzip\n"},
	    {"accept-encoding", "Accept-Encoding: GZIP\naccept-encoding: Br",
		"accept-encoding:br,gzip\n"},
	    {"accept-encoding", "Accept-Encoding: gzip, gzip, , br",
		"accept-encoding:br,gzip\n"},
	    {"accept-encoding", "Accept-Encoding: gzip;q=1.0, br ; Q = 0.500",
		"accept-encoding:br;q=0.5,gzip\n"},
	    {"accept-encoding", "Accept-Encoding: gzip;q=1, br;q=0.000",
		"accept-encoding:br;q=0,gzip\n"},
	    {"accept-encoding", "Accept-Encoding: gzip;q=0.001, *;q=0",
		"accept-encoding:*;q=0,gzip;q=0.001\n"},
	    {"accept-encoding", "Accept-Encoding: gzip;q=1.001",
		"accept-encoding:gzip;q=1.001\n"},
	    {"accept-encoding", "Accept-Encoding: gzip;q=2, br;q=.5, a;q=",
		"accept-encoding:a;q=,br;q=.5,gzip;q=2\n"},
	    {"accept-encoding", "Accept-Encoding: a;q=0.1234, b;q=1.0000",
		"accept-encoding:a;q=0.1234,b;q=1.0000\n"},
	    {"accept-encoding", "Accept-Encoding: a;q=1.",
		"accept-encoding:a\n"},
	    {"accept-language", "Accept-Language: en-US, de;q=0.8",
		"accept-language:de;q=0.8,en-us\n"},
	    {"accept-language", "Accept-Language: de;q=0.80,EN-us;q=1",
		"accept-language:de;q=0.8,en-us\n"},
	    {"accept", "Accept: text/html;level=A;q=0.50, */*",
		"accept:*/*,text/html;level=A;q=0.5\n"},
	    {"accept", "Accept: a/b;x", "accept:a/b;x\n"},
	    {"accept", "Accept: a/b;x=\"A, B\" , c/d",
		"accept:a/b;x=\"A, B\",c/d\n"},
	    {"accept", "Accept: \"B, a\" , c/d", "accept:\"B, a\",c/d\n"},
	    {"accept-charset", "Accept-Charset: utf-8, ISO-8859-1",
		"accept-charset:iso-8859-1,utf-8\n"},
	};
	char got[512];

	for (size_t i = 0; i < NELEMS(rows); i++) {
		key_of(rows[i].names, rows[i].fields, got, sizeof(got));
		ck_assert_msg(strcmp(got, rows[i].key) == 0, "%s of [%s]: [%s]",
		    rows[i].names, rows[i].fields, got);
	}
}
END_TEST

/* More than is sorted: compared as it came, and still as a whole. */
START_TEST(long_lists_are_not_sorted)
{
	char fields[1024] = "Accept-Language: zz";
	char want[1024] = "accept-language:zz";
	char got[1024];

	for (int i = 0; i < 40; i++) {
		char member[16];

		(void)snprintf(member, sizeof(member), "a%02d", i);
		(void)strcat(strcat(fields, " , "), member);
		(void)strcat(strcat(want, ","), member);
	}
	(void)strcat(want, "\n");
	key_of("accept-language", fields, got, sizeof(got));
	ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(keys_have_a_bounded_length)
{
	struct sipkey key = {1, 2};
	char value[VARY_KEY_MAX + 16];
	struct http_fields f;
	struct vary v;
	uint64_t hash;
	char got[8];

	key_of("foo", "foo: bar", got, sizeof(got));
	ck_assert_str_eq(got, "!");
	ck_assert(vary_parse_text(SPAN_LIT("foo"), &v));
	memset(value, 'a', sizeof(value));
	memcpy(value, "foo:", 4);
	value[VARY_KEY_MAX - 1] = '\0';
	fix_fields(&f, value);
	ck_assert(vary_hash(&v, &f, &key, &hash));
	value[VARY_KEY_MAX - 1] = 'a';
	value[VARY_KEY_MAX] = '\0';
	fix_fields(&f, value);
	ck_assert(!vary_hash(&v, &f, &key, &hash));
}
END_TEST

START_TEST(hashes_are_those_of_the_keys)
{
	struct sipkey key = {3, 4};
	struct http_fields f;
	struct vary v;
	uint64_t hash;

	ck_assert(vary_parse_text(SPAN_LIT("a,accept"), &v));
	fix_fields(&f, "Accept: y, x\nA: 1");
	ck_assert(vary_hash(&v, &f, &key, &hash));
	ck_assert_uint_eq(hash, siphash(&key, SPAN_LIT("a:1\naccept:x,y\n")));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    names_are_read_over_lines_sorted_and_once,
	    names_have_a_bounded_text,
	    keys_are_canonical,
	    long_lists_are_not_sorted,
	    keys_have_a_bounded_length,
	    hashes_are_those_of_the_keys,
	};

	return unit_run_in(
	    "vary", tests, NELEMS(tests), fix_set_up, fix_tear_down);
}
