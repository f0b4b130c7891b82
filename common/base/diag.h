/* base/diag: everything that is wrong with a configuration, collected instead
 * of printed, so that one run names all of it. Entries know file, line and
 * column; printing shows the line with a caret under it. */
#ifndef GH_DIAG_H
#define GH_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/span.h"

/* Where a piece of configuration stands. `file` indexes the diag's files
 * (diag_file); line and col count from 1 in bytes; len is the length of what
 * the caret underlines (0: nothing). line 0: no place (a command-line flag). */
struct place {
	uint16_t file;
	uint16_t col;
	uint16_t len;
	uint32_t line;
};

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag;

struct diag *diag_new(void);
void diag_free(struct diag *d);
/* Drop all problems; the sources stay. */
void diag_forget(struct diag *d);

/* Register a source file with its whole text (copied), for showing lines.
 * Returns its index. */
uint16_t diag_file(struct diag *d, const char *path, span text);
const char *diag_file_path(const struct diag *d, uint16_t file);

/* What stands there is a secret: lines are shown with stars in its place. */
void diag_hide(struct diag *d, struct place at);

/* Note a problem. Text is lower case, no trailing dot. The list is bounded:
 * after DIAG_MAX entries further ones are only counted. */
#define DIAG_MAX 200
void diag_add(struct diag *d, enum diag_level level, struct place at,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define diag_error(d, at, ...) diag_add(d, DIAG_ERROR, at, __VA_ARGS__)
#define diag_warning(d, at, ...) diag_add(d, DIAG_WARNING, at, __VA_ARGS__)

uint32_t diag_count(const struct diag *d, enum diag_level level);

/* All entries in order of file and line as text (see CONFIG: "Unknown key, all
 * problems in one run"); malloc'd, NUL-terminated, the caller frees. */
char *diag_render(const struct diag *d);

/* A line of text for people: what controls a terminal (also as UTF-8, see
 * span_utf8_steers()), and what is no UTF-8, is written as '?'; a tab stays. */
void text_print(span line, FILE *out);

/* "file:line" of a place into out (cut to cap, NUL-terminated). */
void diag_where(const struct diag *d, struct place at, char *out, size_t cap);

/* Append the entries of a rendered child's list: `wire` is what
 * diag_serialize() gave in another process. false when it is malformed. */
char *diag_serialize(const struct diag *d, size_t *len_out);
bool diag_merge(struct diag *d, const char *wire, size_t len);

/* The candidate nearest to `word` by edit distance if it is near enough to be
 * a likely slip, else NULL. */
const char *diag_suggest(span word, const char *const *candidates, size_t n);

#endif
