/* fuzz/sectrans: any bytes through each transformation of the rule language. A
 * result has its room; what does not change is given back; what was cleaned
 * stays clean; digits become the bytes again that they were. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_trans.h"

static span
run(enum sec_trans t, span in, char **room)
{
	size_t cap = sec_trans_room(t, in.len);
	span out;

	*room = malloc(cap);
	REQUIRE(*room != NULL);
	out = sec_trans_run(t, in, NULL, *room);
	REQUIRE(out.len <= cap);
	REQUIRE(out.p == *room || (out.p == in.p && out.len == in.len));
	return out;
}

/* Transformations whose result they do not change any more. */
static bool
is_final(enum sec_trans t)
{
	static const enum sec_trans final[] = {SEC_TRANS_LOWERCASE,
	    SEC_TRANS_UPPERCASE, SEC_TRANS_TRIM, SEC_TRANS_TRIM_LEFT,
	    SEC_TRANS_TRIM_RIGHT, SEC_TRANS_REMOVE_NULLS,
	    SEC_TRANS_REPLACE_NULLS, SEC_TRANS_REMOVE_WHITESPACE,
	    SEC_TRANS_COMPRESS_WHITESPACE};

	for (size_t i = 0; i < NELEMS(final); i++) {
		if (final[i] == t)
			return true;
	}
	return false;
}

static void
fuzz_each(span in)
{
	for (unsigned i = 0; i < SEC_N_TRANS; i++) {
		enum sec_trans t = (enum sec_trans)i;
		char *room;
		char *again;
		span out = run(t, in, &room);

		if (is_final(t)) {
			REQUIRE(run(t, out, &again).p == out.p);
			free(again);
		}
		free(room);
	}
}

static void
fuzz_pair(span in, enum sec_trans to, enum sec_trans from)
{
	char *room;
	char *back;

	REQUIRE(span_eq(run(from, run(to, in, &room), &back), in));
	free(back);
	free(room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));

	fuzz_each(in);
	fuzz_pair(in, SEC_TRANS_HEX_ENCODE, SEC_TRANS_HEX_DECODE);
	fuzz_pair(in, SEC_TRANS_BASE64_ENCODE, SEC_TRANS_BASE64_DECODE);
	fuzz_pair(in, SEC_TRANS_URL_ENCODE, SEC_TRANS_URL_DECODE);
	fuzz_free(in);
	return 0;
}
