/* auth/helper_line: the lines of Squid's protocol for helpers of Basic. Pure. */
#ifndef GH_HELPER_LINE_H
#define GH_HELPER_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "worker/auth/passwd.h"
#include "worker/auth/users.h"

/* Longest question: a number, a name and a password whose every byte is
 * escaped, what is between them and the end of the line. */
#define HELPER_NUMBER_MAX 10u
#define HELPER_ASK_MAX \
	(HELPER_NUMBER_MAX + 3 * (AUTH_NAME_MAX + PASSWD_MAX) + 3)
/* Longest answer, with the end of its line. */
#define HELPER_ANSWER_MAX 4096u

enum helper_word {
	HELPER_OK, /* it is so */
	HELPER_ERR, /* it is not */
	HELPER_BH /* it cannot tell */
};

struct helper_answer {
	uint32_t number; /* of the question */
	enum helper_word word;
};

/* Write `name password` and the end of a line; every byte but letters, digits
 * and "-._" is escaped as %XX. */
void helper_write(struct text *t, span name, span password);
/* Read an answer, without the end of its line: a word, behind a number if lines
 * have one; what follows the word is not looked at. false: it is none. */
bool helper_read(span line, bool has_number, struct helper_answer *out);

#endif
