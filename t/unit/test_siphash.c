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
/* The same with 128 bits; also what `openssl mac` says with size 16. */
static const uint64_t pairs[][2] = {
    {UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d)},
    {UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634)},
    {UINT64_C(0xc75da4a48d227781), UINT64_C(0xe4ff0af6de8ba3fc)},
    {UINT64_C(0x4ea967520cb6709c), UINT64_C(0x51ed8529b0b6335f)},
    {UINT64_C(0xaf8f9c2dc16481f8), UINT64_C(0x7955cd7b7c6e0f7d)},
    {UINT64_C(0x886f778059876813), UINT64_C(0x27960e69077a5254)},
    {UINT64_C(0x1386208b33caee14), UINT64_C(0x5ea1d78f30a05e48)},
    {UINT64_C(0x53c1dbd8beebf1a1), UINT64_C(0x3982f01fa64ab8c0)},
    {UINT64_C(0x61f55862baa9623b), UINT64_C(0xb49714f364e2830f)},
    {UINT64_C(0xabbad90a06994426), UINT64_C(0xed716dbb028b7fc4)},
    {UINT64_C(0x56691478c30d1100), UINT64_C(0xbafbd0f3d34754c9)},
    {UINT64_C(0x77666b3868c55101), UINT64_C(0x18dce5816fdcb4a2)},
    {UINT64_C(0x58f35e9066b226d6), UINT64_C(0x25c13285f64d6382)},
    {UINT64_C(0x108bc0e947e26998), UINT64_C(0xf752b9c44f9329d0)},
    {UINT64_C(0x9cded766aceffc31), UINT64_C(0x024949e45f48c77e)},
    {UINT64_C(0x11a8b03399e99354), UINT64_C(0xd9c3cf970fec087e)},
    {UINT64_C(0xbb54b067caa4e26e), UINT64_C(0x77052385bf1533fd)},
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

START_TEST(the_vectors_of_128_bits_come_out)
{
	char text[NELEMS(pairs)];
	uint64_t out[2];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t len = 0; len < NELEMS(pairs); len++) {
		siphash_pair(&key, span_of(text, len), out);
		ck_assert_uint_eq(out[0], pairs[len][0]);
		ck_assert_uint_eq(out[1], pairs[len][1]);
	}
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
	    the_vectors_of_128_bits_come_out,
	    lowering_makes_texts_equal_that_differ_in_case_only,
	    every_byte_is_lowered_as_ascii,
	    random_keys_differ,
	};

	return unit_run("siphash", tests, NELEMS(tests));
}
