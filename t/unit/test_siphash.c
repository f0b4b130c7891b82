/* SipHash-2-4 against the vectors of its authors. */
#include <check.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "t/unit/unit.h"

/* Key 00 01 .. 0f. */
static const struct sipkey key = {
    UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* Of the texts "", 00, 00 01, .. (the reference implementation's vectors.h; the
 * one of 15 bytes is also the paper's appendix A). */
static const uint64_t vectors[] = {
    UINT64_C(0x726fdb47dd0e0e31),
    UINT64_C(0x74f839c593dc67fd),
    UINT64_C(0x0d6c8009d9a94f5a),
    UINT64_C(0x85676696d7fb7e2d),
    UINT64_C(0xcf2794e0277187b7),
    UINT64_C(0x18765564cd99a68d),
    UINT64_C(0xcbc9466e58fee3ce),
    UINT64_C(0xab0200f58b01d137),
    UINT64_C(0x93f5f5799a932462),
    UINT64_C(0x9e0082df0ba9e4b0),
    UINT64_C(0x7a5dbbc594ddb9f3),
    UINT64_C(0xf4b32f46226bada7),
    UINT64_C(0x751e8fbc860ee5fb),
    UINT64_C(0x14ea5627c0843d90),
    UINT64_C(0xf723ca908e7af2ee),
    UINT64_C(0xa129ca6149be45e5),
};
#define LAST_LEN 63
#define LAST_VECTOR UINT64_C(0x958a324ceb064572)

START_TEST(the_published_vectors_come_out)
{
	char text[LAST_LEN];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t len = 0; len < NELEMS(vectors); len++)
		ck_assert_uint_eq(
		    siphash(&key, span_of(text, len)), vectors[len]);
	ck_assert_uint_eq(siphash(&key, span_of(text, LAST_LEN)), LAST_VECTOR);
	ck_assert_uint_eq(siphash(&key, span_of(NULL, 0)), vectors[0]);
}
END_TEST

START_TEST(lowering_makes_texts_equal_that_differ_in_case_only)
{
	span mixed = SPAN_LIT("Content-LENGTH: @[`{\xc4");
	span lower = SPAN_LIT("content-length: @[`{\xc4");
	span other = SPAN_LIT("content-length: `[`{\xc4");

	for (size_t len = 0; len <= mixed.len; len++)
		ck_assert_uint_eq(siphash_lower(&key, span_first(mixed, len)),
		    siphash(&key, span_first(lower, len)));
	ck_assert_uint_ne(siphash_lower(&key, mixed), siphash(&key, mixed));
	ck_assert_uint_ne(
	    siphash_lower(&key, mixed), siphash_lower(&key, other));
}
END_TEST

START_TEST(every_byte_is_lowered_as_ascii)
{
	char one[11] = "0123456789";
	char two[11];

	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < 10; at++) {
			memset(one, (int)(byte ^ 1), 10);
			one[at] = (char)byte;
			for (size_t i = 0; i < 10; i++)
				two[i] = ascii_lower(one[i]);
			ck_assert_uint_eq(siphash_lower(&key, span_of(one, 10)),
			    siphash(&key, span_of(two, 10)));
		}
	}
}
END_TEST

START_TEST(random_keys_differ)
{
	struct sipkey a, b;

	sipkey_random(&a);
	sipkey_random(&b);
	ck_assert(a.k0 != b.k0 || a.k1 != b.k1);
	ck_assert_uint_ne(
	    siphash(&a, SPAN_LIT("a")), siphash(&b, SPAN_LIT("a")));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_published_vectors_come_out,
	    lowering_makes_texts_equal_that_differ_in_case_only,
	    every_byte_is_lowered_as_ascii,
	    random_keys_differ,
	};

	return unit_run("siphash", tests, NELEMS(tests));
}
