/* The words of `sticky`: what they mean, and what is said of those that mean
 * nothing. */
#include "common/base/check.h"
#include "common/conf/conf_sticky.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

#define HEAD "[site s]\nupstream = u\n[upstream u]\nserver = a:1\n"

/* The tree lives on for the spans in it. */
static struct conf_sticky
sticky_of(struct loaded *l, const char *line)
{
	char text[256];
	struct conf_sticky c;
	struct conf_scope s;

	(void)snprintf(text, sizeof(text), HEAD "%s\n", line);
	*l = conf_must_load(text);
	s = conf_scope_of(l->tree, conf_first(l->tree, CONF_UPSTREAM));
	conf_sticky_read(&s, &c, NULL);
	return c;
}

START_TEST(a_cookie_has_defaults)
{
	struct loaded l;
	struct conf_sticky c = sticky_of(&l, "sticky = cookie gh_srv");

	ck_assert_int_eq(c.kind, STICKY_COOKIE);
	ck_assert_span(c.name, "gh_srv");
	ck_assert_span(c.path, "/");
	ck_assert_uint_eq(c.domain.len, 0);
	ck_assert_uint_eq(c.ttl_ms, 0);
	ck_assert_int_eq(c.same_site, SAME_SITE_LAX);
	ck_assert(!c.is_secure && !conf_sticky_is_learnt(&c));
	loaded_free(&l);
	c = sticky_of(&l, "");
	ck_assert_int_eq(c.kind, STICKY_NONE);
	loaded_free(&l);
	c = sticky_of(&l, "sticky = none");
	ck_assert_int_eq(c.kind, STICKY_NONE);
	loaded_free(&l);
}
END_TEST

START_TEST(a_cookie_has_options)
{
	struct loaded l;
	struct conf_sticky c = sticky_of(&l,
	    "sticky = cookie __Secure-x domain=example.com secure "
	    "samesite=none path=/shop ttl=2h");

	ck_assert_span(c.name, "__Secure-x");
	ck_assert_span(c.path, "/shop");
	ck_assert_span(c.domain, "example.com");
	ck_assert_uint_eq(c.ttl_ms, 7200000);
	ck_assert_int_eq(c.same_site, SAME_SITE_NONE);
	ck_assert(c.is_secure);
	loaded_free(&l);
}
END_TEST

START_TEST(sessions_are_learnt_in_three_ways)
{
	static const struct {
		const char *line;
		enum conf_sticky_kind kind;
		const char *name;
		uint64_t timeout_ms;
	} rows[] = {
	    {"sticky = header X-User", STICKY_HEADER, "X-User", 1800000},
	    {"sticky = header X-User timeout=5s", STICKY_HEADER, "X-User",
		5000},
	    {"sticky = learn cookie=sid", STICKY_LEARN_COOKIE, "sid", 1800000},
	    {"sticky = learn header=X-S timeout=1h", STICKY_LEARN_HEADER, "X-S",
		3600000},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct loaded l;
		struct conf_sticky c = sticky_of(&l, rows[i].line);

		ck_assert_int_eq(c.kind, rows[i].kind);
		ck_assert(conf_sticky_is_learnt(&c));
		ck_assert_span(c.name, rows[i].name);
		ck_assert_uint_eq(c.timeout_ms, rows[i].timeout_ms);
		loaded_free(&l);
	}
}
END_TEST

#define EXPECTED \
	"expected `cookie NAME`, `header NAME`, `learn cookie=NAME` or " \
	"`learn header=NAME`\n"
#define BAD_NAME \
	"sticky: a name holds 1 to 64 letters, digits and " \
	"!#$%&'*+-.^_`|~ only\n"

START_TEST(what_means_nothing_is_refused)
{
	static const struct refusal rows[] = {
	    {HEAD "sticky = on\n", "5:10: sticky = on: " EXPECTED},
	    {HEAD "sticky = cookie\n", "5:10: sticky = cookie: " EXPECTED},
	    {HEAD "sticky = learn\n", "5:10: sticky = learn: " EXPECTED},
	    {HEAD "sticky = learn sid\n", "5:10: sticky = learn: " EXPECTED},
	    {HEAD "sticky = learn cookie=\n", "5:16: " BAD_NAME},
	    {HEAD "sticky = learn cookie\n", "5:16: " BAD_NAME},
	    {HEAD "sticky = cookie a=b\n", "5:17: " BAD_NAME},
	    {HEAD "sticky = cookie x ttk=1s\n",
		"5:19: sticky: unknown option 'ttk'; did you mean 'ttl'?\n"},
	    {HEAD "sticky = cookie x timeout=1s\n",
		"5:19: sticky: unknown option 'timeout'; expected ttl=TIME, "
		"path=PATH, domain=NAME, samesite=WORD or secure\n"},
	    {HEAD "sticky = header x secure\n",
		"5:19: sticky: unknown option 'secure'; expected "
		"timeout=TIME\n"},
	    {HEAD "sticky = cookie x ttl\n", "5:19: sticky: write ttl=VALUE\n"},
	    {HEAD "sticky = cookie x secure=1\n",
		"5:19: sticky: write secure\n"},
	    {HEAD "sticky = cookie x ttl=10\n",
		"5:19: sticky: ttl=10: a duration needs a unit, for example "
		"10s\n"},
	    {HEAD "sticky = cookie x ttl=1500ms\n",
		"5:19: sticky: ttl=1500ms: whole seconds from 1s to 400d are "
		"good\n"},
	    {HEAD "sticky = header x timeout=31d\n",
		"5:19: sticky: timeout=31d: whole seconds from 1s to 30d are "
		"good\n"},
	    {HEAD "sticky = cookie x ttl=1s ttl=2s\n",
		"5:26: sticky: 'ttl' stands twice\n"},
	    {HEAD "sticky = cookie x path=/a;b\n",
		"5:19: sticky: path: expected one that begins with '/', "
		"without ';' and blanks\n"},
	    {HEAD "sticky = cookie x path=a\n",
		"5:19: sticky: path: expected one that begins with '/', "
		"without ';' and blanks\n"},
	    {HEAD "sticky = cookie x domain=*.a\n",
		"5:19: sticky: domain: expected a name like example.com\n"},
	    {HEAD "sticky = cookie x samesite=never\n",
		"5:19: sticky: samesite: expected lax, strict or none\n"},
	    {HEAD "sticky = cookie x samesite=none\n",
		"5:10: sticky: samesite=none needs `secure` beside it\n"},
	    {HEAD "sticky = cookie __Secure-x\n",
		"5:10: sticky: a cookie __Secure-x needs `secure`\n"},
	    {HEAD "sticky = cookie __Host-x secure path=/a\n",
		"5:10: sticky: a cookie __Host-x has no domain and path=/\n"},
	    {HEAD "sticky = cookie x\nsticky = header y\n",
		"6:1: an upstream has one sticky; the first is in line 5\n"},
	};

	check_refusals(rows, NELEMS(rows));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_cookie_has_defaults,
	    a_cookie_has_options,
	    sessions_are_learnt_in_three_ways,
	    what_means_nothing_is_refused,
	};

	return unit_run("conf_sticky", tests, NELEMS(tests));
}
