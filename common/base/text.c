/* base/text: bounded building of text. */
#include "common/base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/num.h"

void
text_init(struct text *t, char *storage, size_t cap)
{
	*t = (struct text){.p = storage, .cap = cap};
}

void
text_add(struct text *t, span s)
{
	size_t n = size_min(s.len, t->cap - t->len);

	if (n > 0)
		memcpy(t->p + t->len, s.p, n);
	t->len += n;
	t->is_cut |= n < s.len;
}

void
text_add_str(struct text *t, const char *s)
{
	text_add(t, span_str(s));
}

void
text_add_char(struct text *t, char c)
{
	text_add(t, span_of(&c, 1));
}

void
text_add_u64(struct text *t, uint64_t v)
{
	char digits[20];

	text_add(t, span_of(digits, u64_format(v, digits)));
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	text_add(t, span_of(line, size_min((size_t)n, sizeof(line) - 1)));
	t->is_cut |= (size_t)n >= sizeof(line);
}
