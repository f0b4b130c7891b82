/* unit/sec_text: rule sets from texts, and what is said about them. */
#ifndef GH_SEC_TEXT_H
#define GH_SEC_TEXT_H

#include <check.h>
#include <stdlib.h>

#include "common/base/diag.h"
#include "worker/sec/sec_set.h"

/* A set that must be there; nothing may be said about it. */
static inline struct sec_set *
sec_must_load(const char *text)
{
	struct diag *d = diag_new();
	struct sec_set *set = sec_set_new_text("t", span_str(text), ".", d);
	char *said = diag_render(d);

	ck_assert_msg(
	    set != NULL && said[0] == '\0', "said:\n%s\n%s", said, text);
	free(said);
	diag_free(d);
	return set;
}

/* "LINE:COLUMN: error: message" of all that is said about it, one a line.
 * malloc'd. A set may only be there when nothing of it is an error. */
static inline char *
sec_problems(const char *text)
{
	struct diag *d = diag_new();
	struct sec_set *set = sec_set_new_text("t", span_str(text), ".", d);
	char *said = diag_render(d);
	span rest = span_str(said);
	size_t to = 0;
	span line;

	ck_assert((set == NULL) == (diag_count(d, DIAG_ERROR) > 0));
	while (span_cut(&rest, '\n', &line)) {
		if (!span_starts(line, SPAN_LIT("t:")))
			continue;
		if (to > 0)
			said[to++] = '\n';
		memmove(said + to, line.p + 2, line.len - 2);
		to += line.len - 2;
	}
	said[to] = '\0';
	sec_set_free(set);
	diag_free(d);
	return said;
}

#endif
