/* master/title: the kernel shows the memory where argv was; it is overwritten
 * after everything that lay behind it was copied away. */
#include "master/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

/* Exception: file-scope, because there is one argv in a process. */
static char *title_area;
static size_t title_cap;
/* What environ is until somebody sets a variable, and the texts in it; kept, for
 * nobody can free them; volatile, for a compiler leaves out what nobody reads. */
static char **volatile title_env;
static char *volatile title_texts;

void
title_init(int argc, char **argv)
{
	extern char **environ;
	char *end = argv[0];
	size_t room = 1;
	size_t n = 0;
	char **copy;
	char *text;

	/* arguments and environment lie one behind the other */
	for (int i = 0; i < argc; i++)
		if (argv[i] == end)
			end = argv[i] + strlen(argv[i]) + 1;
	while (environ[n] != NULL) {
		if (environ[n] == end)
			end = environ[n] + strlen(environ[n]) + 1;
		room += strlen(environ[n]) + 1;
		n++;
	}
	copy = calloc(n + 1, sizeof(*copy));
	text = title_texts = malloc(room);
	REQUIRE(copy != NULL && text != NULL);
	for (size_t i = 0; i < n; i++) {
		copy[i] = text;
		text = stpcpy(text, environ[i]) + 1;
	}
	environ = title_env = copy;
	title_area = argv[0];
	title_cap = (size_t)(end - argv[0]);
}

void
title_set(const char *fmt, ...)
{
	va_list ap;

	if (title_cap < 2)
		return;
	memset(title_area, 0, title_cap);
	va_start(ap, fmt);
	(void)vsnprintf(title_area, title_cap, fmt, ap);
	va_end(ap);
}
