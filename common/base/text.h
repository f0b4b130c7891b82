/* base/text: bounded text building into storage of the caller's. What does not
 * fit is dropped and remembered in `is_cut`. */
#ifndef GH_TEXT_H
#define GH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

struct text {
	char *p;
	size_t len;
	size_t cap;
	bool is_cut;
};

void text_init(struct text *t, char *storage, size_t cap);
void text_add(struct text *t, span s);
void text_add_str(struct text *t, const char *s);
void text_add_char(struct text *t, char c);
void text_add_u64(struct text *t, uint64_t v);
void text_printf(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline span
text_span(const struct text *t)
{
	return span_of(t->p, t->len);
}

#endif
