/* Proofs of work: tasks, seals, times. */
#include <check.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/challenge/proof.h"

#define NOW 1764200000u
#define BITS 8u

static const struct proof_for anna = {
    {"192.0.2.1", sizeof("192.0.2.1") - 1}, {"a.test", sizeof("a.test") - 1}};

static bool
is_worked(const char *text)
{
	unsigned char md[EVP_MAX_MD_SIZE];

	REQUIRE(EVP_Digest(text, strlen(text), md, NULL, EVP_sha256(), NULL));
	return md[0] == 0;
}

/* A proof of BITS bits, as a browser makes it. */
static void
work(const struct proof_key *key, uint64_t at_s, unsigned bits,
    char out[PROOF_MAX + 1])
{
	char task[PROOF_TASK_MAX];
	size_t len = proof_task(key, &anna, at_s, bits, task);
	unsigned nonce = 0;

	do
		(void)snprintf(
		    out, PROOF_MAX + 1, "%.*s.%u", (int)len, task, nonce++);
	while (!is_worked(out));
}

static enum proof_rc
judge(const struct proof_key *key, const char *text, uint64_t now_s,
    unsigned bits)
{
	struct proof_rule rule = {bits, 3600, now_s};

	return proof_judge(key, &anna, &rule, span_str(text));
}

START_TEST(a_proof_is_good_in_its_time)
{
	struct proof_key key;
	char text[PROOF_MAX + 1];

	proof_key_make(SPAN_LIT("k"), &key);
	work(&key, NOW, BITS, text);
	ck_assert_int_eq(judge(&key, text, NOW, BITS), PROOF_GOOD);
	/* 5 minutes of clocks that differ, both ways */
	ck_assert_int_eq(judge(&key, text, NOW - 300, BITS), PROOF_GOOD);
	ck_assert_int_eq(judge(&key, text, NOW - 301, BITS), PROOF_OLD);
	ck_assert_int_eq(judge(&key, text, NOW + 3900, BITS), PROOF_GOOD);
	ck_assert_int_eq(judge(&key, text, NOW + 3901, BITS), PROOF_OLD);
}
END_TEST

START_TEST(less_work_than_is_asked_is_weak)
{
	struct proof_key key;
	char text[PROOF_MAX + 1];

	proof_key_make(SPAN_LIT("k"), &key);
	work(&key, NOW, BITS, text);
	ck_assert_int_eq(judge(&key, text, NOW, BITS + 1), PROOF_WEAK);
	/* more than 8 bits were promised, and hardly ever done */
	work(&key, NOW, PROOF_BITS_MAX, text);
	ck_assert_int_eq(judge(&key, text, NOW, BITS), PROOF_WEAK);
}
END_TEST

START_TEST(nobody_else_can_use_it)
{
	static const struct proof_for others[] = {
	    {{"192.0.2.2", sizeof("192.0.2.2") - 1},
		{"a.test", sizeof("a.test") - 1}},
	    {{"192.0.2.1", sizeof("192.0.2.1") - 1},
		{"b.test", sizeof("b.test") - 1}},
	    {{"", sizeof("") - 1},
		{"192.0.2.1\na.test", sizeof("192.0.2.1\na.test") - 1}},
	};
	struct proof_rule rule = {BITS, 3600, NOW};
	struct proof_key key, other;
	char text[PROOF_MAX + 1];

	proof_key_make(SPAN_LIT("k"), &key);
	proof_key_make(SPAN_LIT("l"), &other);
	work(&key, NOW, BITS, text);
	for (size_t i = 0; i < NELEMS(others); i++)
		ck_assert_int_eq(
		    proof_judge(&key, &others[i], &rule, span_str(text)),
		    PROOF_NONE);
	ck_assert_int_eq(judge(&other, text, NOW, BITS), PROOF_NONE);
}
END_TEST

START_TEST(every_changed_character_is_seen)
{
	struct proof_key key;
	char text[PROOF_MAX + 1];
	size_t len;

	proof_key_make(SPAN_LIT("k"), &key);
	work(&key, NOW, BITS, text);
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] ^= 1;
		ck_assert_int_ne(judge(&key, text, NOW, 2 * BITS), PROOF_GOOD);
		text[i] = was;
		/* and every shorter text */
		ck_assert_int_eq(proof_judge(&key, &anna,
				     &(struct proof_rule){2 * BITS, 3600, NOW},
				     span_of(text, i)) == PROOF_GOOD,
		    false);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_proof_is_good_in_its_time,
	    less_work_than_is_asked_is_weak,
	    nobody_else_can_use_it,
	    every_changed_character_is_seen,
	};

	return unit_run("proof", tests, NELEMS(tests));
}
