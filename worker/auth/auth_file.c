/* auth/auth_file: see auth_file.h. What lines hold is secret: messages name
 * file and line, and what they are about. */
#include "worker/auth/auth_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

/* A file of a million users has some 80 MB. */
#define FILE_MAX ((size_t)256 * 1024 * 1024)
#define FILE_LINE_MAX 4096u
/* The first piece that is read. */
#define FILE_CAP ((size_t)64 * 1024)

void
auth_file_tell(
    const struct auth_file *f, enum diag_level level, uint32_t n, span what)
{
	diag_add(f->d, level, f->at, "%s:%u: %.*s", f->path, n, SPAN_FMT(what));
}

bool
auth_file_line(const struct auth_file *f, span *rest, span *line, uint32_t *n)
{
	while (span_cut(rest, '\n', line)) {
		++*n;
		if (line->len > FILE_LINE_MAX) {
			auth_file_error(
			    f, *n, "the line is over %u bytes", FILE_LINE_MAX);
			return false;
		}
		if (span_ends(*line, SPAN_LIT("\r")))
			line->len--;
		if (span_trim(*line).len > 0 && line->p[0] != '#')
			return true;
	}
	return false;
}

bool
auth_is_text(span s)
{
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = c < 0x7f ? 1 : span_utf8_len(s, i);

		if (n == 0 || c < ' ' || c == 0x7f)
			return false;
		i += n;
	}
	return true;
}

const char *
auth_name_fault(span name)
{
	if (name.len == 0)
		return "the name is missing";
	if (name.len > AUTH_NAME_MAX)
		return "the name is over 255 bytes";
	return auth_is_text(name) ? NULL
				  : "the name is no UTF-8, or holds a control "
				    "character";
}

bool
auth_file_load(const struct auth_file *f, span *out)
{
	FILE *in = fopen(f->path, "re");
	size_t cap = FILE_CAP;
	size_t len = 0;
	char *room = malloc(cap);

	REQUIRE(room != NULL);
	while (in != NULL && len < FILE_MAX) {
		size_t n = fread(room + len, 1, cap - len, in);

		len += n;
		if (n == 0)
			break;
		if (len < cap)
			continue;
		cap *= 2;
		room = realloc(room, cap);
		REQUIRE(room != NULL);
	}
	if (in == NULL || ferror(in) != 0)
		diag_error(f->d, f->at, "%s cannot be read: %s", f->path,
		    strerror(errno));
	else if (len >= FILE_MAX)
		diag_error(f->d, f->at, "%s is over 256 MiB", f->path);
	else
		*out = arena_span(f->arena, span_of(room, len));
	if (in != NULL)
		(void)fclose(in);
	free(room);
	return out->p != NULL;
}
