/* exch/textfile: files that answers are made of, read when the configuration is
 * prepared. */
#ifndef GH_TEXTFILE_H
#define GH_TEXTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"

/* Room for a path that can be opened. */
#define TEXTFILE_PATH_MAX 4096

/* The media type that a file's name stands for; TEXTFILE_UNKNOWN when it stands
 * for none. */
#define TEXTFILE_UNKNOWN "application/octet-stream"
span textfile_type(span path);

/* Read a regular file whole, of at most `max` bytes (a multiple of 1k), into
 * the arena. A relative path counts from the folder of the file that `at` is
 * in. false with a message at `at`. */
bool textfile_read(span path, struct place at, size_t max, struct arena *a,
    struct diag *d, span *out);
/* The path that textfile_read() opens; false when it is too long. */
bool textfile_path(span path, struct place at, const struct diag *d,
    char out[TEXTFILE_PATH_MAX]);

#endif
