/* base/linefile: see linefile.h. The diag gets the text only when there is
 * something to tell, because it keeps a copy. */
#include "common/base/linefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"

#define LINEFILE_ROOM 65536u
#define LINEFILE_ERROR_CAP 512
#define BOM SPAN_LIT("\xef\xbb\xbf")

/* Read all; false with a reason. */
static bool
linefile_read(struct linefile *f, int fd, const char **why)
{
	size_t cap = LINEFILE_ROOM;
	ssize_t n;

	f->text = malloc(cap);
	REQUIRE(f->text != NULL);
	while ((n = read(fd, f->text + f->len, cap - f->len)) > 0) {
		f->len += (size_t)n;
		if (f->len > LINEFILE_MAX) {
			*why = "it is larger than 128m";
			return false;
		}
		if (f->len < cap)
			continue;
		cap *= 2;
		f->text = realloc(f->text, cap);
		REQUIRE(f->text != NULL);
	}
	if (n < 0)
		*why = strerror(errno);
	return n == 0;
}

static void
linefile_begin(struct linefile *f)
{
	if (span_starts(span_of(f->text, f->len), BOM))
		f->at = BOM.len;
}

bool
linefile_open(struct linefile *f, const char *path, enum linefile_tail tail,
    struct place from, struct diag *d)
{
	/* a pipe without a writer must not hold up the start */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	bool ok;

	*f =
	    (struct linefile){.path = path, .tail = tail, .from = from, .d = d};
	if (fd < 0) {
		diag_error(
		    d, from, "%s cannot be opened: %s", path, strerror(errno));
		return false;
	}
	ok = linefile_read(f, fd, &why);
	(void)close(fd);
	if (!ok) {
		diag_error(d, from, "%s cannot be read: %s", path, why);
		linefile_close(f);
		return false;
	}
	linefile_begin(f);
	return true;
}

void
linefile_open_text(struct linefile *f, const char *name, span text,
    enum linefile_tail tail, struct diag *d)
{
	*f = (struct linefile){.path = name, .tail = tail, .d = d};
	f->text = malloc(text.len + 1);
	REQUIRE(f->text != NULL);
	if (text.len > 0)
		memcpy(f->text, text.p, text.len);
	f->len = text.len;
	linefile_begin(f);
}

void
linefile_close(struct linefile *f)
{
	free(f->text);
	f->text = NULL;
}

/* --- problems ------------------------------------------------------------- */

struct place
linefile_place(struct linefile *f, span part)
{
	const char *begin = part.p;
	struct place at = {.line = f->line};

	if (f->n_errors == 0)
		f->file = diag_file(f->d, f->path, span_of(f->text, f->len));
	f->n_errors++;
	while (begin > f->text && begin[-1] != '\n')
		begin--;
	at.file = f->file;
	at.col = (uint16_t)size_min((size_t)(part.p - begin) + 1, UINT16_MAX);
	at.len = (uint16_t)size_min(part.len, UINT16_MAX);
	return at;
}

void
linefile_error(struct linefile *f, span part, const char *fmt, ...)
{
	struct place at = linefile_place(f, part);
	char text[LINEFILE_ERROR_CAP];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_error(f->d, at, "%s", text);
	if (f->n_errors == LINEFILE_ERRORS_MAX)
		diag_error(f->d, at,
		    "these are %u problems: the rest is left unread",
		    LINEFILE_ERRORS_MAX);
}

/* --- lines ---------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static span
without_comment(const struct linefile *f, span line)
{
	if (line.len > 0 && line.p[0] == '#')
		return span_first(line, 0);
	if (f->tail == LINEFILE_WHOLE)
		return line;
	for (size_t i = 1; i < line.len; i++)
		if (line.p[i] == '#' && is_blank(line.p[i - 1]))
			return span_trim(span_first(line, i));
	return line;
}

/* What no line holds; false when it was told. */
static bool
line_is_good(struct linefile *f, span line)
{
	if (line.len > LINEFILE_LINE_MAX) {
		linefile_error(f, span_first(line, 1),
		    "the line is longer than %u bytes", LINEFILE_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f) {
			linefile_error(f, span_of(line.p + i, 1),
			    "a control byte: is it another kind of file?");
			return false;
		}
	}
	return true;
}

uint32_t
linefile_count(const struct linefile *f)
{
	const char *at = f->text + f->at;
	const char *end = f->text + f->len;
	uint32_t n = 1;

	while (
	    at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		n++;
	}
	return n;
}

bool
linefile_next(struct linefile *f, span *line)
{
	while (f->at < f->len && f->n_errors < LINEFILE_ERRORS_MAX) {
		span rest = span_of(f->text + f->at, f->len - f->at);
		const char *end = memchr(rest.p, '\n', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.p);

		f->at += size_min(len + 1, rest.len);
		f->line++;
		if (len > 0 && rest.p[len - 1] == '\r')
			len--;
		*line = without_comment(f, span_trim(span_first(rest, len)));
		if (line->len > 0 && line_is_good(f, *line))
			return true;
	}
	return false;
}
