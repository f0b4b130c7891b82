/* fuzz/proof: any bytes as a proof of work. None but those that were sealed with
 * the key are one, for nobody else, and never with less work. */
#include "t/fuzz/fuzz.h"

#include "worker/challenge/proof.h"

#define NOW 1764200000u
#define BITS 8u

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct proof_for anna = {{"192.0.2.1", 9}, {"a.test", 6}};
	static const struct proof_for ben = {{"192.0.2.2", 9}, {"a.test", 6}};
	struct proof_rule rule = {BITS, 3600, NOW};
	span in = fuzz_dup(span_of((const char *)data, size));
	struct proof_key key;
	enum proof_rc rc;

	proof_key_make(SPAN_LIT("k"), &key);
	rc = proof_judge(&key, &anna, &rule, in);
	REQUIRE(proof_judge(&key, &ben, &rule, in) == PROOF_NONE);
	if (rc != PROOF_NONE)
		REQUIRE(in.len <= PROOF_MAX && span_chr(in, '.') == 1);
	rule.bits = PROOF_BITS_MAX;
	/* more is asked: what was good is weak at worst */
	if (rc == PROOF_GOOD)
		REQUIRE(proof_judge(&key, &anna, &rule, in) != PROOF_OLD);
	else
		REQUIRE(proof_judge(&key, &anna, &rule, in) == rc);
	fuzz_free(in);
	return 0;
}
