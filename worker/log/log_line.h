/* log/log_line: one line of an access log, made so that no peer can forge,
 * split or extend it. */
#ifndef GH_LOG_LINE_H
#define GH_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/date.h"
#include "common/base/span.h"
#include "worker/exch/tmpl.h"

struct exch;

enum log_escape {
	/* quote, backslash, control bytes and all that is not ASCII as \xHH;
	 * "-" for no value */
	LOG_ESCAPE_TEXT,
	/* as in a JSON string, bytes that are no UTF-8 as U+FFFD; null for no
	 * number */
	LOG_ESCAPE_JSON
};

/* Bytes that every value may have in a line that had to be cut. */
#define LOG_VALUE_MIN 28
/* Behind every text of a line there is room for the rest of a step of copying it,
 * for any number and for "null". */
#define LOG_ROOM 32u
/* Every format's text, LOG_VALUE_MIN for each of its values and LOG_ROOM fit into
 * this.
 * It is also the least that a pipe takes in one piece (pipe(7), PIPE_BUF). */
#define LOG_LINE_MIN 4096

struct log_item;

struct log_format {
	struct tmpl tmpl;
	enum log_escape escape;
	/* What stands outside of quotes is a column: blanks in it are \x20, or
	 * who is called "a 200" could make columns of its own. */
	bool has_columns;
	/* The template, as it is written out: by log_format_compile(). */
	const struct log_item *items;
};

/* Of a format whose other members are set; the items are in the arena. */
void log_format_compile(struct log_format *f, struct arena *a);

/* Texts of the current second. */
struct log_times {
	int64_t s; /* that the texts stand for */
	char clf[DATE_CLF_LEN];
	char iso[DATE_ISO_LEN];
};

/* Write the line with its LF into at most cap >= LOG_LINE_MIN bytes. When it
 * does not fit, its longest values are cut. Returns its length. */
size_t log_line(const struct log_format *f, struct log_times *times,
    struct exch *x, char *out, size_t cap);

/* Append `s` escaped to out[0 .. cap); stops before what does not fit whole and
 * says so in *is_cut. Returns bytes written. */
size_t log_escape_text(span s, char *out, size_t cap, bool *is_cut);
size_t log_escape_json(span s, char *out, size_t cap, bool *is_cut);

#endif
