/* base64: the vectors of RFC 4648 10 both ways, and one spelling for each row of
 * bytes. */
#include <check.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "t/unit/unit.h"

#define CAP 64

static const struct {
	const char *bytes;
	const char *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbe", "+/++"},
};

START_TEST(vectors_go_both_ways)
{
	char out[CAP];
	size_t len;

	for (size_t i = 0; i < NELEMS(vectors); i++) {
		ck_assert(base64_read(span_str(vectors[i].text), out, &len));
		ck_assert_span_eq(span_of(out, len), vectors[i].bytes);
		len = base64_write(span_str(vectors[i].bytes), out);
		ck_assert_span_eq(span_of(out, len), vectors[i].text);
	}
}
END_TEST

START_TEST(the_alphabet_for_urls_has_no_padding)
{
	char out[CAP];
	size_t len;

	ck_assert(base64url_read(SPAN_LIT("-_--"), out, &len));
	ck_assert_span_eq(span_of(out, len), "\xfb\xff\xbe");
	ck_assert(base64url_read(SPAN_LIT("Zm8"), out, &len));
	ck_assert_span_eq(span_of(out, len), "fo");
	ck_assert(!base64url_read(SPAN_LIT("Zm8="), out, &len));
	ck_assert(!base64url_read(SPAN_LIT("+/++"), out, &len));
	ck_assert_uint_eq(
	    base64url_write(SPAN_LIT("\xfb\xff\xbe\x01"), out), 6);
	ck_assert_span_eq(span_of(out, 6), "-_--AQ");
}
END_TEST

START_TEST(other_spellings_are_refused)
{
	static const char *const bad[] = {"Z", "Zg",
	    "Zg=", "Zg===", "Z===", "====", "=", "Zm8",
	    "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm 9v",
	    "Zm9vYg==Zg==", "Zm9v=", "Zm9v====", "-_--", "Zm9*", "Zg==\n"};
	char out[CAP];
	size_t len;

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    !base64_read(span_str(bad[i]), out, &len), "%s", bad[i]);
	ck_assert(!base64_read(span_of("Zm9\0", 4), out, &len));
}
END_TEST

START_TEST(every_byte_comes_back)
{
	char bytes[4];
	char text[CAP];
	char out[CAP];
	size_t len;

	for (unsigned v = 0; v < 256; v++) {
		for (size_t n = 1; n <= sizeof(bytes); n++) {
			memset(bytes, (int)v, sizeof(bytes));
			len = base64_write(span_of(bytes, n), text);
			ck_assert(base64_read(span_of(text, len), out, &len));
			ck_assert_uint_eq(len, n);
			ck_assert_mem_eq(out, bytes, n);
		}
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {vectors_go_both_ways,
	    the_alphabet_for_urls_has_no_padding, other_spellings_are_refused,
	    every_byte_comes_back};

	return unit_run("base64", tests, NELEMS(tests));
}
