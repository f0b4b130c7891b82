/* base/linefile: a list of the configuration in a file of its own, one item a
 * line: read whole, within bounds, and complained about at its own lines. Read
 * at load; nothing of it is kept. */
#ifndef GH_LINEFILE_H
#define GH_LINEFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"

/* Bytes of a file: five million names of hosts. */
#define LINEFILE_MAX (128u << 20)
/* Bytes of a line. */
#define LINEFILE_LINE_MAX 8192u
/* Problems of one file that are told; then the rest of it is left unread. */
#define LINEFILE_ERRORS_MAX 20u

/* What stands behind a line. */
enum linefile_tail {
	LINEFILE_WHOLE, /* `#` begins a comment at the start of a line only */
	LINEFILE_COMMENT /* and behind a blank */
};

struct linefile {
	const char *path;
	char *text; /* malloc'd */
	size_t len;
	size_t at;
	uint32_t line; /* number of the line that was given last */
	uint32_t n_errors;
	enum linefile_tail tail;
	struct place from; /* of the path in the configuration */
	struct diag *d;
	uint16_t file; /* among the diag's, with n_errors > 0 */
};

/* Read the file, which may begin with a byte order mark. `path` must live as
 * long as *f. false: what is wrong was told at `from`. */
bool linefile_open(struct linefile *f, const char *path,
    enum linefile_tail tail, struct place from, struct diag *d);
/* The same over a text (tests, fuzzing), which is copied. */
void linefile_open_text(struct linefile *f, const char *name, span text,
    enum linefile_tail tail, struct diag *d);
/* The next line that holds something, without its comment and the blanks around
 * it; valid until the file is closed. false at the end, and after too many
 * problems. Lines that are too long or hold control bytes are problems. */
bool linefile_next(struct linefile *f, span *line);
/* Lines that are left, at most. */
uint32_t linefile_count(const struct linefile *f);
/* Tell a problem with `part` of the line that was given last. */
void linefile_error(struct linefile *f, span part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Where `part` of that line stands; from then on the diag knows the file. */
struct place linefile_place(struct linefile *f, span part);
void linefile_close(struct linefile *f);

#endif
