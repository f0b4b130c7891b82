/* sec_read: the files of a set, one inside the other. */
#include <sys/stat.h>

#include "common/base/filelist.h"
#include "common/base/linefile.h"
#include "worker/sec/sec_int.h"

/* Bytes that no rule has: a file with a NUL is another kind of file. */
static bool
text_is_good(struct sec_build *b, uint16_t file, span text)
{
	const char *nul = text.len == 0 ? NULL : memchr(text.p, '\0', text.len);
	struct place at = {.file = file, .line = 1, .col = 1};

	if (nul == NULL)
		return true;
	for (const char *p = text.p; p < nul; p++)
		if (*p == '\n')
			at.line++;
	diag_error(b->d, at, "a NUL byte: is it another kind of file?");
	return false;
}

void
sec_read_text(struct sec_build *b, const char *path, span text)
{
	struct sec_lex *outer = b->x;
	span outer_file = b->file;
	struct sec_lex x;
	span line;

	sec_lex_init(&x, diag_file(b->d, path, text), text, b->d);
	b->x = &x;
	b->file = arena_span(b->a, span_str(path));
	b->depth++;
	b->n_files++;
	if (text_is_good(b, x.file, text))
		while (sec_lex_line(&x, &line))
			sec_directive_read(b, line);
	b->depth--;
	b->file = outer_file;
	b->x = outer;
	sec_lex_fini(&x);
}

/* What stands before the last slash, or the folder that we are in. */
static const char *
folder_of(struct sec_build *b, const char *path)
{
	ptrdiff_t slash = span_rchr(span_str(path), '/');

	if (slash < 0)
		return ".";
	if (slash == 0)
		return "/";
	return arena_span(b->a, span_of(path, (size_t)slash)).p;
}

/* A file that is read, and the one that includes it. */
struct sec_reading {
	dev_t dev;
	ino_t ino;
	const struct sec_reading *outer;
};

/* Whether it includes itself, whatever its paths are. What cannot be seen is told
 * when it is opened. */
static bool
is_reading(const struct sec_build *b, const char *path, struct sec_reading *out)
{
	struct stat st;

	*out = (struct sec_reading){.outer = b->reading};
	if (stat(path, &st) < 0)
		return false;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	for (const struct sec_reading *r = b->reading; r != NULL; r = r->outer)
		if (r->dev == st.st_dev && r->ino == st.st_ino)
			return true;
	return false;
}

void
sec_read_file(struct sec_build *b, const char *path, struct place from)
{
	const char *outer = b->folder;
	struct sec_reading reading;
	struct linefile f;
	span text;

	if (is_reading(b, path, &reading)) {
		diag_error(b->d, from, "%s includes itself", path);
		return;
	}
	if (b->depth == SEC_DEPTH_MAX || b->n_files == SEC_FILES_MAX) {
		diag_error(b->d, from,
		    "more than %u files, or files %u deep inside each other",
		    SEC_FILES_MAX, SEC_DEPTH_MAX);
		return;
	}
	if (!linefile_open(&f, path, LINEFILE_WHOLE, from, b->d))
		return;
	text = span_of(f.text + f.at, f.len - f.at);
	if (text.len > SEC_FILE_MAX)
		diag_error(b->d, from, "%s is larger than 16m", path);
	else {
		b->folder = folder_of(b, path);
		b->reading = &reading;
		sec_read_text(b, path, text);
		b->reading = reading.outer;
		b->folder = outer;
	}
	linefile_close(&f);
}

static span
path_join(struct sec_build *b, span dir, span path)
{
	if (path.len > 0 && path.p[0] == '/')
		return arena_span(b->a, path);
	return arena_printf(b->a, "%.*s/%.*s", SPAN_FMT(dir), SPAN_FMT(path));
}

span
sec_beside(struct sec_build *b, span path)
{
	return path_join(b, span_str(b->folder), path);
}

void
sec_read_pattern(struct sec_build *b, span word, bool is_needed)
{
	struct place at = sec_lex_place(b->x, word);
	span dir = filelist_escape(b->a, span_str(b->folder));
	span pattern = path_join(b, dir, word);
	glob_t found;

	if (is_needed && !filelist_is_pattern(word)) {
		sec_read_file(b, sec_beside(b, word).p, at);
		return;
	}
	switch (filelist_find(pattern.p, SEC_FILES_MAX, &found)) {
	case FILELIST_GOOD:
		for (size_t i = 0; i < found.gl_pathc; i++)
			sec_read_file(b, found.gl_pathv[i], at);
		globfree(&found);
		return;
	case FILELIST_NONE:
		if (is_needed)
			diag_error(
			    b->d, at, "no file is called %.*s", SPAN_FMT(word));
		return;
	case FILELIST_MANY:
		diag_error(b->d, at, "more than %u files are called %.*s",
		    SEC_FILES_MAX, SPAN_FMT(word));
		return;
	case FILELIST_UNREADABLE:
		diag_error(b->d, at, "a folder of %.*s cannot be read",
		    SPAN_FMT(word));
		return;
	}
}
