/* fuzz/helper: any bytes as the answer of a helper, and as a name and a password
 * that it is asked for: what is said of them is one line of two words. */
#include "t/fuzz/fuzz.h"

#include "worker/auth/helper_line.h"

static void
fuzz_question(span name, span password)
{
	char room[HELPER_ASK_MAX];
	struct text t;
	span line;
	span word;

	text_init(&t, room, sizeof(room));
	helper_write(&t, name, password);
	REQUIRE(!t.is_cut);
	line = text_span(&t);
	REQUIRE(span_chr(line, '\n') == (ptrdiff_t)line.len - 1);
	for (size_t i = 0; i + 1 < line.len; i++)
		REQUIRE(line.p[i] >= ' ' && line.p[i] < 0x7f);
	line.len--;
	REQUIRE(span_cut(&line, ' ', &word) && word.len >= name.len);
	REQUIRE(span_chr(line, ' ') < 0 && line.len >= password.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct helper_answer a;

	if (helper_read(in, false, &a))
		REQUIRE(a.word <= HELPER_BH && a.number == 0);
	if (helper_read(in, true, &a))
		REQUIRE(a.word <= HELPER_BH && in.len >= sizeof("0 OK") - 1);
	fuzz_question(span_first(in, AUTH_NAME_MAX),
	    span_first(span_from(in, AUTH_NAME_MAX), PASSWD_MAX));
	fuzz_free(in);
	return 0;
}
