/* sec_lex: the text of a rule file as lines, words and items. Lines and words
 * are as Apache's configuration has them: a backslash at the end of a line goes
 * on with the next one, comments too; a word may stand in double or single
 * quotes, where a backslash makes a quote or a backslash literal. Items are
 * what the words of rules hold: names with values, between commas or bars.
 * Every byte keeps its place in the file. */
#ifndef GH_SEC_LEX_H
#define GH_SEC_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/sec/sec_scan.h"

/* Bytes of a line with its continuations. The longest of a core rule set has
 * 13 KiB. */
#define SEC_LINE_MAX (256u << 10)

struct sec_lex {
	struct diag *d;
	span text; /* of the file */
	size_t at;
	uint32_t n_lines; /* read so far */
	uint16_t file; /* of the diag */
	/* the line, and where in the file its bytes are */
	char *line;
	uint32_t *where;
	size_t len, cap;
	size_t begin; /* in the file */
	uint32_t number;
};

enum sec_lex_rc { SEC_LEX_END, SEC_LEX_GOOD, SEC_LEX_BAD };

struct sec_item {
	span name;
	span value;
	bool has_value; /* it is not empty */
};

/* `text` must live as long. */
void sec_lex_init(struct sec_lex *x, uint16_t file, span text, struct diag *d);
void sec_lex_fini(struct sec_lex *x);

/* The next line that is neither blank nor a comment, without the blanks around
 * it; valid until the next call. false at the end. A line that is too long is
 * told and left out. */
bool sec_lex_line(struct sec_lex *x, span *line);

/* Take the next word off the front of *rest, which is a part of the line; its
 * escapes are undone in place. What is wrong is told. */
enum sec_lex_rc sec_lex_word(struct sec_lex *x, span *rest, span *word);
/* The same with the next item of a word. */
enum sec_lex_rc sec_lex_item(
    struct sec_lex *x, span *rest, struct sec_item *item);

/* Where a part of the line stands. */
struct place sec_lex_place(const struct sec_lex *x, span part);

/* Tell a problem with a part of the line. */
#define sec_lex_error(x, part, ...) \
	diag_error((x)->d, sec_lex_place((x), (part)), __VA_ARGS__)

/* Without the white space around it. */
span sec_trim(span s);

#endif
