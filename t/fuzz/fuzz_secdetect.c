/* fuzz/secdetect: any bytes as what may be an attack on a statement or on a
 * page. Tokens move on; a fingerprint is told with an attack, and only then. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_sqli.h"

static void
fuzz_tokens(span in)
{
	struct sqli_lexer l = {.in = in, .last = SQLI_STOP};
	struct sqli_token t;

	do {
		size_t before = l.at;

		t = sqli_next(&l);
		REQUIRE(l.at <= in.len);
		REQUIRE(t.class == SQLI_STOP || l.at > before);
	} while (t.class != SQLI_STOP);
	REQUIRE(l.at == in.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	char told[SEC_HITS_TOLD];
	bool is_attack;

	fuzz_tokens(in);
	is_attack = sec_sqli_find(in, told);
	REQUIRE(memchr(told, '\0', sizeof(told)) != NULL);
	REQUIRE((told[0] != '\0') == is_attack);
	(void)sec_xss_find(in);
	fuzz_free(in);
	return 0;
}
