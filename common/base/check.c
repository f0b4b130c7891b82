/* base/check: panics. Uses only what is safe in a signal handler, because a
 * broken contract may be found anywhere. */
#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Exception: file-scope, because a panic has nothing at hand that could carry
 * it. Written once after fork. */
static char *panic_sink;

struct panic_line {
	char text[PANIC_TEXT_CAP];
	size_t len;
};

static void
line_add(struct panic_line *l, const char *s)
{
	while (*s != '\0' && l->len < sizeof(l->text) - 2)
		l->text[l->len++] = *s++;
}

static void
line_add_int(struct panic_line *l, int v)
{
	char digits[12];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0 && at > 0);
	line_add(l, digits + at);
}

void
check_set_sink(char *sink)
{
	panic_sink = sink;
}

_Noreturn void
check_panic(const char *file, int line, const char *func, const char *what)
{
	struct panic_line l = {.len = 0};

	line_add(&l, "panic: ");
	line_add(&l, file);
	line_add(&l, ":");
	line_add_int(&l, line);
	line_add(&l, " ");
	line_add(&l, func);
	line_add(&l, ": ");
	line_add(&l, what);
	if (panic_sink != NULL) {
		memcpy(panic_sink, l.text, l.len);
		panic_sink[l.len] = '\0';
	}
	l.text[l.len++] = '\n';
	/* the process ends here: nobody is left to hear of a failed write */
	if (write(STDERR_FILENO, l.text, l.len) < 0)
		abort();
	abort();
}
