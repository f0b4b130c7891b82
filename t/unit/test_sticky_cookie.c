/* The cookie that names a server: what was written is read, and nothing else
 * is, whatever bit of it is another one. */
#include <check.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/up/sticky_cookie.h"

static const struct session_secret secret = {
    .name = {1, 2},
    .seal = {{3, 4}, {5, 6}},
};
static const struct sticky_cookie some = {
    .server = UINT64_C(0x0123456789abcdef),
    .until_s = UINT64_C(1700000000),
};

static span
written(const struct sticky_cookie *c)
{
	static char text[STICKY_COOKIE_LEN];

	sticky_cookie_write(&secret, c, text);
	return span_of(text, sizeof(text));
}

START_TEST(what_was_written_is_read)
{
	static const struct sticky_cookie rows[] = {
	    {1, 0}, {UINT64_MAX, UINT64_MAX}, {UINT64_C(1) << 63, 1}};
	struct sticky_cookie got;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ck_assert(sticky_cookie_read(&secret, written(&rows[i]), &got));
		ck_assert_uint_eq(got.server, rows[i].server);
		ck_assert_uint_eq(got.until_s, rows[i].until_s);
	}
}
END_TEST

START_TEST(it_is_text_that_cookies_hold_unquoted)
{
	span text = written(&some);

	for (size_t i = 0; i < text.len; i++)
		ck_assert_ptr_nonnull(
		    memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
			   "xyz0123456789-_",
			text.p[i], 64));
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	span text = written(&some);
	char longer[STICKY_COOKIE_LEN + 1] = {0};
	struct sticky_cookie got;

	for (size_t n = 0; n < text.len; n++) {
		ck_assert(
		    !sticky_cookie_read(&secret, span_first(text, n), &got));
		ck_assert(!sticky_cookie_read(
		    &secret, span_from(text, text.len - n), &got));
	}
	memcpy(longer, text.p, text.len);
	for (int c = 0; c < 256; c++) {
		longer[STICKY_COOKIE_LEN] = (char)c;
		ck_assert(!sticky_cookie_read(
		    &secret, span_of(longer, sizeof(longer)), &got));
	}
}
END_TEST

START_TEST(every_other_byte_is_refused)
{
	char text[STICKY_COOKIE_LEN];
	struct sticky_cookie got;

	sticky_cookie_write(&secret, &some, text);
	for (size_t i = 0; i < sizeof(text); i++) {
		char was = text[i];

		for (int c = 0; c < 256; c++) {
			text[i] = (char)c;
			ck_assert_int_eq(sticky_cookie_read(&secret,
					     span_of(text, sizeof(text)), &got),
			    text[i] == was);
		}
		text[i] = was;
	}
}
END_TEST

START_TEST(every_bit_of_the_secret_counts)
{
	span text = written(&some);
	struct sticky_cookie got;

	for (size_t i = 0; i < 8 * sizeof(secret.seal); i++) {
		struct session_secret other = secret;

		((uint8_t *)other.seal)[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert(!sticky_cookie_read(&other, text, &got));
	}
}
END_TEST

START_TEST(servers_have_names_of_their_own)
{
	span a = SPAN_LIT("a:80");
	uint64_t name = session_server(&secret, SPAN_LIT("up"), a);
	struct session_secret other = secret;

	other.name.k0++;
	ck_assert_uint_eq(session_server(&secret, SPAN_LIT("up"), a), name);
	ck_assert_uint_ne(
	    session_server(&secret, SPAN_LIT("up"), SPAN_LIT("b:80")), name);
	ck_assert_uint_ne(session_server(&secret, SPAN_LIT("x"), a), name);
	ck_assert_uint_ne(
	    session_server(&secret, SPAN_LIT("upa"), SPAN_LIT(":80")), name);
	ck_assert_uint_ne(session_server(&other, SPAN_LIT("up"), a), name);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_was_written_is_read,
	    it_is_text_that_cookies_hold_unquoted,
	    every_truncation_is_refused,
	    every_other_byte_is_refused,
	    every_bit_of_the_secret_counts,
	    servers_have_names_of_their_own,
	};

	return unit_run("sticky_cookie", tests, NELEMS(tests));
}
