/* files/files_int: what the files of worker/files share. */
#ifndef GH_FILES_INT_H
#define GH_FILES_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/date.h"
#include "common/base/span.h"
#include "worker/exch/worker.h"

/* A file's name below its folder has less bytes; a longer one is not there. */
#define FILES_NAME_MAX 1024u
/* Of an entity tag: three numbers in hexadecimal. */
#define FILES_ETAG_CAP 64

/* A folder that is open. */
struct files_root {
	int fd; /* O_PATH */
};

/* An open file as it was when it was looked at. Counted: who sends it holds it,
 * and so does the table of those that are open. */
struct file {
	uint32_t refs;
	int fd; /* -1: all of it is in `content` */
	struct buf *content; /* of a small one; or NULL */
	uint64_t size;
	int64_t modified_s;
	int64_t modified_ns; /* of that second */
	span type;
	span etag; /* strong, in etag_text */
	uint64_t opened_ms;
	bool is_broken; /* no longer what it was; looked at again at once */
	uint64_t used; /* the turn of the table in which it was asked for */
	int dir; /* the folder that the name counts from */
	span name; /* behind this struct */
	char etag_text[FILES_ETAG_CAP];
	char modified[DATE_HTTP_LEN];
};

/* The file of that name, with a reference that file_unref() gives back. NULL:
 * errno says why not; EISDIR for a folder, ENOENT for what is neither. `name`
 * is as files_name() makes it. */
struct file *file_open(struct worker *w, int dir, span name);
void file_unref(struct file *f);

/* The name below the folder that a path in normal form stands for, without '/'
 * in front: escapes are decoded. p == NULL: it can stand for none: too long, a
 * part that is empty or begins with a dot (but for /.well-known/), a slash or
 * NUL in an escape. */
span files_name(struct arena *a, span path);

#endif
