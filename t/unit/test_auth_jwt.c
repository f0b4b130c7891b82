/* Tokens and their keys: the examples of the RFCs are verified, and nothing
 * else under their signatures is. What a token must say is tested over
 * sockets. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/auth/auth_json.h"
#include "worker/auth/jwt.h"

/* RFC 7515 A.1 */
#define HS_TOKEN \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleH" \
	"AiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf" \
	"Q.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define HS_KEY \
	"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr" \
	"_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"
/* RFC 8037 A.4, A.2 */
#define ED_TOKEN \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MG" \
	"CjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpA" \
	"r_MuM0KAg"
#define ED_KEY \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_" \
	"7TyWQHOg7h" \
	"cvPapiMlrwIaaPcHURo\"}"
/* RSA of 16384 bits. */
#define MODULUS_LEN 2048u
/* Longer than a secret has to be for anybody. */
#define SECRET_LEN 1600u
#define SET(keys) "{\"keys\":[" keys "]}"

static struct arena_pool pool;
static struct arena arena;
static struct jwt_keys keys;

static void
set_up(void)
{
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	jwt_keys_init(&keys);
}

static void
tear_down(void)
{
	jwt_keys_fini(&keys);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static const char *
read_set(const char *text)
{
	return jwt_keys_read(&keys, &arena, span_str(text));
}

static bool
is_signed(span token)
{
	struct jwt t;

	return jwt_read(token, &arena, &t) && jwt_verify(&t, &keys);
}

START_TEST(the_examples_of_the_rfcs_are_verified)
{
	struct jwt t;

	ck_assert_ptr_null(read_set(SET(HS_KEY "," ED_KEY)));
	ck_assert_uint_eq(keys.at.n, 2);
	ck_assert(is_signed(SPAN_LIT(HS_TOKEN)));
	ck_assert(is_signed(SPAN_LIT(ED_TOKEN)));
	ck_assert(jwt_read(SPAN_LIT(ED_TOKEN), &arena, &t));
	ck_assert_int_eq(t.alg, JWT_EDDSA);
	ck_assert_span_eq(t.claims, "Example of Ed25519 signing");
}
END_TEST

START_TEST(no_other_text_has_their_signature)
{
	static const char *const tokens[] = {HS_TOKEN, ED_TOKEN};
	char text[sizeof(HS_TOKEN)];

	ck_assert_ptr_null(read_set(SET(HS_KEY "," ED_KEY)));
	for (size_t i = 0; i < NELEMS(tokens); i++) {
		size_t len = strlen(tokens[i]);

		for (size_t at = 0; at < len; at++) {
			memcpy(text, tokens[i], len);
			text[at] = text[at] == 'A' ? 'B' : 'A';
			ck_assert(!is_signed(span_of(text, len)));
			ck_assert(!is_signed(span_of(tokens[i], at)));
		}
	}
}
END_TEST

START_TEST(a_key_is_for_its_own_algorithm_name_and_use)
{
	static const char *const sets[] = {
	    SET(""),
	    SET(ED_KEY),
	    SET("{\"kty\":\"oct\"}"),
	    SET("{\"alg\":\"HS512\","
		"\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDf"
		"gZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuT"
		"wjAzZr1Z9CAow\"}"),
	    SET("{\"use\":\"enc\","
		"\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZ"
		"ld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwj"
		"AzZr1Z9CAow\"}"),
	    SET("{\"key_ops\":[\"sign\"],"
		"\"kty\":\"oct\",\"k\":\"AyM1SysP"
		"pbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4h"
		"cgUuTwjAzZr1Z9CAow\"}"),
	};

	for (size_t i = 0; i < NELEMS(sets); i++) {
		jwt_keys_fini(&keys);
		jwt_keys_init(&keys);
		(void)read_set(sets[i]);
		ck_assert(!is_signed(SPAN_LIT(HS_TOKEN)));
	}
	jwt_keys_fini(&keys);
	jwt_keys_init(&keys);
	ck_assert_ptr_null(read_set(
	    SET("{\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],\"alg\":"
		"\"HS256\",\"kid\":\"a\",\"kty\":\"oct\",\"k\":\"AyM1SysPpbyD"
		"fgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuT"
		"wjAzZr1Z9CAow\"}")));
	ck_assert(is_signed(SPAN_LIT(HS_TOKEN)));
}
END_TEST

START_TEST(bad_sets_are_told)
{
	static const struct {
		const char *text;
		const char *told;
	} rows[] = {
	    {"", "no JSON Web Key Set"},
	    {"{\"keys\":{}}", "no JSON Web Key Set"},
	    {"{\"keys\":[],\"keys\":[]}", "no JSON Web Key Set"},
	    {SET(ED_KEY) "x", "no JSON Web Key Set"},
	    {SET(ED_KEY ",{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}"), "key 2 "},
	    {SET("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"), "key 1 "},
	    {SET("{\"kty\":\"RSA\"}"), "key 1 "},
	    {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":"
		 "\"AQ\"}"),
		"key 1 "},
	    {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}"),
		"key 1 "},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const char *why = read_set(rows[i].text);

		ck_assert_ptr_nonnull(why);
		ck_assert_msg(strstr(why, rows[i].told) != NULL, "%s", why);
	}
}
END_TEST

START_TEST(keys_of_other_kinds_are_passed_over)
{
	ck_assert_ptr_null(
	    read_set(SET("{\"kty\":\"AKP\"},{},7,{\"kty\":\"EC\",\"crv\":"
			 "\"P-521\"},{\"kty\":\"OKP\",\"crv\":\"X25519\"}")));
	ck_assert_uint_eq(keys.at.n, 0);
}
END_TEST

/* The last 16384 bits of RSA, of which the modulus is nothing but ones. */
START_TEST(a_key_may_be_as_long_as_keys_are)
{
	static char text[8192];
	char modulus[BASE64_CHARS(MODULUS_LEN)];
	char bytes[MODULUS_LEN];
	size_t len;

	memset(bytes, 0xff, sizeof(bytes));
	len = base64url_write(span_of(bytes, sizeof(bytes)), modulus);
	(void)snprintf(text, sizeof(text),
	    SET("{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%.*s\"}"), (int)len,
	    modulus);
	ck_assert_ptr_null(read_set(text));
	ck_assert_uint_eq(keys.at.n, 1);
	/* a byte more is too long */
	(void)snprintf(text, sizeof(text),
	    SET("{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%.*sAA\"}"), (int)len,
	    modulus);
	ck_assert_ptr_nonnull(read_set(text));
}
END_TEST

/* What is read behind it lies behind it. */
START_TEST(a_long_secret_stays_what_it_is)
{
	char secret[SECRET_LEN];
	char chars[BASE64_CHARS(SECRET_LEN)];
	static char text[8192];
	size_t len;

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (char)('a' + i % 26);
	len = base64url_write(span_of(secret, sizeof(secret)), chars);
	(void)snprintf(text, sizeof(text),
	    SET("{\"kty\":\"oct\",\"k\":\"%.*s\"},{\"kid\":\"other\","
		"\"kty\":\"oct\",\"k\":\"%.*s\"}"),
	    (int)len, chars, (int)len, chars);
	ck_assert_ptr_null(read_set(text));
	for (uint32_t i = 0; i < 2; i++) {
		const struct jwt_key *k = keys.at.at[i];

		ck_assert(span_eq(k->secret, span_of(secret, sizeof(secret))));
	}
}
END_TEST

START_TEST(json_is_read_strictly)
{
	static const char *const bad[] = {"", "[]", "7", "{", "{}x",
	    "{\"a\":1,}", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}",
	    "{\"a\":\"\xff\"}", "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
	    "{'a':1}"};
	json_t *j;

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    auth_json_read(span_str(bad[i])) == NULL, "%s", bad[i]);
	j = auth_json_read(SPAN_LIT("{\"a\":\"[[[[[[[[[[[[[[[[[[\\\"]\",\"b\":"
				    "[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"));
	ck_assert_ptr_nonnull(j);
	ck_assert_span_eq(auth_json_text(j, "a"), "[[[[[[[[[[[[[[[[[[\"]");
	ck_assert_uint_eq(auth_json_text(j, "b").len, 0);
	json_decref(j);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {the_examples_of_the_rfcs_are_verified,
	    no_other_text_has_their_signature,
	    a_key_is_for_its_own_algorithm_name_and_use, bad_sets_are_told,
	    keys_of_other_kinds_are_passed_over,
	    a_key_may_be_as_long_as_keys_are, a_long_secret_stays_what_it_is,
	    json_is_read_strictly};

	return unit_run_in("auth_jwt", tests, NELEMS(tests), set_up, tear_down);
}
