/* fuzz/traceparent: any bytes as traceparent (the first line) and tracestate (the
 * rest). What is read says the same when it is written and read again; what is
 * refused reads no further than its end. */
#include "common/http/traceparent.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct traceparent t, again;
	char text[TRACEPARENT_LEN];
	span rest = in;
	span first;

	if (span_cut(&rest, '\n', &first) && traceparent_read(first, &t)) {
		REQUIRE(first.len >= TRACEPARENT_LEN);
		REQUIRE(t.flags <= (TRACE_SAMPLED | TRACE_RANDOM));
		traceparent_write(&t, text);
		REQUIRE(
		    traceparent_read(span_of(text, TRACEPARENT_LEN), &again));
		REQUIRE(memcmp(t.trace_id, again.trace_id, TRACE_ID_LEN) == 0);
		REQUIRE(memcmp(t.span_id, again.span_id, TRACE_SPAN_LEN) == 0);
		REQUIRE(t.flags == again.flags);
	}
	if (tracestate_is_fine(rest)) {
		REQUIRE(rest.len <= TRACESTATE_MAX);
		for (size_t i = 0; i < rest.len; i++)
			REQUIRE((rest.p[i] >= ' ' && rest.p[i] <= '~') ||
				rest.p[i] == '\t');
	}
	fuzz_free(in);
	return 0;
}
