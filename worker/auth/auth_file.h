/* auth/auth_file: files of lines that say who is known: read whole before any
 * worker is born, and told of by file and line. */
#ifndef GH_AUTH_FILE_H
#define GH_AUTH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"

/* Longest name of somebody or of a group. */
#define AUTH_NAME_MAX 255u

struct auth_file {
	const char *path; /* for messages */
	struct place at; /* where the configuration names it */
	struct arena *arena;
	struct diag *d;
};

/* All of a file, in the arena. false: it was noted why not. */
bool auth_file_load(const struct auth_file *f, span *out);

/* The next line that says something; *n counts all, from 0. false at the end,
 * or when one is too long, which was noted. */
bool auth_file_line(
    const struct auth_file *f, span *rest, span *line, uint32_t *n);

/* Note something about line n. */
void auth_file_tell(
    const struct auth_file *f, enum diag_level level, uint32_t n, span what);
#define auth_file_error(f, n, ...) \
	auth_file_tell(f, DIAG_ERROR, n, arena_printf((f)->arena, __VA_ARGS__))

/* Whether it is UTF-8 without control characters (RFC 7617 2). */
bool auth_is_text(span s);
/* Why it can be no name, valid forever; NULL: it can. */
const char *auth_name_fault(span name);

#endif
