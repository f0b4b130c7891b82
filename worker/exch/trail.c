/* exch/trail: texts of lines that are rare enough to be made. */
#include "worker/exch/trail.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/sink.h"

/* Longest text; more is cut. */
#define TRAIL_TEXT_CAP 256

void
trail_note(struct exch *x, enum decision_word word, struct place at,
    const char *fmt, ...)
{
	char text[TRAIL_TEXT_CAP];
	va_list ap;
	span s;
	int n;

	if (x->w->decisions == NULL && x->sink == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	REQUIRE(n >= 0);
	s = span_of(text, size_min((size_t)n, sizeof(text) - 1));
	trail_join(x, word, &at, &s, 1);
}

void
trail_join(struct exch *x, enum decision_word word, const struct place *at,
    const span *parts, size_t n)
{
	span s;

	if (x->w->decisions == NULL && x->sink == NULL)
		return;
	s = arena_concat(&x->arena, parts, n);
	trail_add(x, word, at, s);
	if (x->sink != NULL)
		sink_note(x, decision_word_text((uint8_t)word), *at, "%.*s",
		    SPAN_FMT(s));
}

void
trail_copy(struct exch *x, const struct exch *spawned)
{
	for (uint32_t i = 0; i < spawned->n_trail; i++)
		trail_add(x, spawned->trail[i].word, &spawned->trail[i].at,
		    arena_span(&x->arena, spawned->trail[i].text));
}
