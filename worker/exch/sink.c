/* exch/sink: a list of lines in an arena. */
#include "worker/exch/sink.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/check.h"

/* Longest text of one line; more is cut. */
#define SINK_TEXT_CAP 4096

void
sink_init(struct sink *s, struct arena *a)
{
	*s = (struct sink){.arena = a, .answer_status = 200};
	s->last = &s->first;
}

void
sink_add(
    struct sink *s, const char *word, struct place at, const char *fmt, ...)
{
	struct sink_line *l = arena_zalloc(s->arena, sizeof(*l));
	char text[SINK_TEXT_CAP];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	REQUIRE(n >= 0);
	l->word = word;
	l->at = at;
	l->text = arena_span(s->arena, span_str(text));
	*s->last = l;
	s->last = &l->next;
}
