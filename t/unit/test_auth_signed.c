/* Signed URLs: what other programs signed is believed, and nothing else under
 * the same signature. What becomes of a request is tested over sockets. */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/auth/signed.h"

#define PREFIX SPAN_LIT("gh_")
#define SECRET SPAN_LIT("a secret of thirty-two bytes or so")
#define EXPIRES "gh_expires=2000000000"
#define NO_SIGNATURE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct arena_pool pool;
static struct arena arena;

static void
set_up(void)
{
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
}

static void
tear_down(void)
{
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

/* Made by printf '%s\n' LINES | openssl dgst -sha256 -hmac SECRET -binary, as
 * base64url without its end. */
static const struct {
	const char *method;
	const char *host;
	const char *path;
	const char *query;
	const char *rest;
} vectors[] = {
    {"GET", "example.com", "/a/b",
	EXPIRES "&gh_signature=U9MusrEs9mCms2XH6Ph1IHJkA3CRQYW6Lq4zCRKCI5E",
	""},
    {"PUT", "example.com", "/a%20b",
	"b=2&gh_user=anna%20lee&gh_ip=2001%3Adb8::/64&a=1&" EXPIRES
	"&gh_signature=E6uX2U1cM72tuVIxJ9f4khwGK8pX0zqzm5XGePdz2yo",
	"b=2&a=1"},
    {"GET", "example.com", "/",
	"gh_signature=OI2o3TCDo58Bd72xvkZGkGdxxE8tFNVUYXTX3uEm%5fAU&&a&" EXPIRES
	"&gh_user=%61nna",
	"&a"},
};

static bool
is_good(const char *method, const char *host, const char *path,
    const char *query, span secret)
{
	struct signed_request r = {
	    span_str(method), span_str(host), span_str(path)};
	struct signed_url u;

	return signed_read(span_str(query), PREFIX, &arena, &u) == NULL &&
	       signed_is_by(&u, signed_text(&u, &r, &arena), secret);
}

START_TEST(what_openssl_signed_is_believed)
{
	for (size_t i = 0; i < NELEMS(vectors); i++) {
		struct signed_url u;

		ck_assert_msg(is_good(vectors[i].method, vectors[i].host,
				  vectors[i].path, vectors[i].query, SECRET),
		    "%zu", i);
		ck_assert_ptr_null(signed_read(
		    span_str(vectors[i].query), PREFIX, &arena, &u));
		ck_assert_span_eq(u.query, vectors[i].rest);
	}
	ck_assert(is_good("HEAD", vectors[0].host, vectors[0].path,
	    vectors[0].query, SECRET));
}
END_TEST

START_TEST(nothing_else_has_their_signature)
{
	for (size_t i = 0; i < NELEMS(vectors); i++) {
		const char *query = vectors[i].query;
		span more = arena_printf(&arena, "%s&x=1", query);

		ck_assert(!is_good(
		    "POST", vectors[i].host, vectors[i].path, query, SECRET));
		ck_assert(!is_good(vectors[i].method, "www.example.com",
		    vectors[i].path, query, SECRET));
		ck_assert(!is_good(
		    vectors[i].method, vectors[i].host, "/a", query, SECRET));
		ck_assert(!is_good(vectors[i].method, vectors[i].host,
		    vectors[i].path, more.p, SECRET));
		ck_assert(!is_good(vectors[i].method, vectors[i].host,
		    vectors[i].path, query,
		    SPAN_LIT("a secret of thirty-two bytes or si")));
	}
}
END_TEST

/* Lines of a text cannot be told from one another by what stands in them alone:
 * each has its place. */
START_TEST(each_line_has_its_place)
{
	struct signed_request r = {
	    SPAN_LIT("HEAD"), SPAN_LIT("test"), SPAN_LIT("/p")};
	struct signed_url u;

	ck_assert_ptr_null(
	    signed_read(SPAN_LIT("a&" EXPIRES "&gh_signature=s&gh_ip=::1"),
		PREFIX, &arena, &u));
	ck_assert_span_eq(signed_text(&u, &r, &arena),
	    "GET\ntest\n/p\na\n2000000000\n\n::1\n");
	ck_assert(!signed_is_by(&u, signed_text(&u, &r, &arena), SECRET));
}
END_TEST

START_TEST(arguments_are_read_strictly)
{
	static const char *const bad[] = {"", "a=1", EXPIRES,
	    "gh_signature=" NO_SIGNATURE,
	    EXPIRES "&gh_signature=a&gh_signature=a",
	    EXPIRES "&" EXPIRES "&gh_signature=a", EXPIRES "&gh_signature",
	    EXPIRES "&gh_signature=", EXPIRES "&gh_signature=a&gh_",
	    EXPIRES "&gh_signature=a&gh_other=1",
	    EXPIRES "&gh_signature=a&gh_user=",
	    EXPIRES "&gh_signature=a&gh_user=a%0ab",
	    EXPIRES "&gh_signature=a&gh_user=%ff",
	    EXPIRES "&gh_signature=a&gh_user=%4",
	    EXPIRES "&gh_signature=a&gh_user=%4x",
	    EXPIRES "&gh_signature=a&gh_ip=1%0a",
	    "gh_expires=-1&gh_signature=a", "gh_expires=1e9&gh_signature=a",
	    "gh_expires=253402300800&gh_signature=a",
	    "gh_expires=99999999999999999999999&gh_signature=a"};
	struct signed_url u;

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    signed_read(span_str(bad[i]), PREFIX, &arena, &u) != NULL,
		    "%s", bad[i]);
	ck_assert(!signed_is_any(SPAN_LIT("a=gh_&GH_user=1"), PREFIX));
	ck_assert(signed_is_any(SPAN_LIT("a=1&gh_"), PREFIX));
}
END_TEST

START_TEST(it_ends_when_it_says)
{
	struct signed_url u = {.expires = SPAN_LIT("1000")};

	ck_assert(!signed_is_over(&u, 999, 0));
	ck_assert(signed_is_over(&u, 1000, 0));
	ck_assert(!signed_is_over(&u, 1029, 30));
	ck_assert(signed_is_over(&u, 1030, 30));
	u.expires = SPAN_LIT("soon");
	ck_assert(signed_is_over(&u, 0, 30));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {what_openssl_signed_is_believed,
	    nothing_else_has_their_signature, each_line_has_its_place,
	    arguments_are_read_strictly, it_ends_when_it_says};

	return unit_run_in(
	    "auth_signed", tests, NELEMS(tests), set_up, tear_down);
}
