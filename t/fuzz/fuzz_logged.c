/* fuzz/logged: any bytes as a line of an access log. What is accepted stays
 * within one request: no text of it ends a line or a word. */
#include <string.h>

#include "master/logged.h"
#include "t/fuzz/fuzz.h"

static void
check_word(const char *s)
{
	for (; *s != '\0'; s++)
		REQUIRE((unsigned char)*s > ' ' && *s != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct logged l;

	logged_init(&l);
	if (logged_read(&l, in)) {
		check_word(l.command.method);
		check_word(l.command.url);
		REQUIRE(l.command.n_headers <= LOGGED_HEADERS_MAX + 3);
		for (unsigned i = 0; i < l.command.n_headers; i++)
			REQUIRE(strpbrk(l.command.headers[i], "\r\n") == NULL &&
				strchr(l.command.headers[i], ':') != NULL);
		REQUIRE(l.command.answer_status >= 200 &&
			l.command.answer_status <= 599);
	} else {
		REQUIRE(l.why != NULL);
	}
	logged_fini(&l);
	fuzz_free(in);
	return 0;
}
