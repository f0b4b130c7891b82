/* exch/textfile: reads them and knows their types by name. */
#include "worker/exch/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"

#define TEXTFILE_K 1024

struct textfile_type {
	span ext;
	span type;
};

static const struct textfile_type types[] = {
#define TYPE(ext, type) {{ext, sizeof(ext) - 1}, {type, sizeof(type) - 1}},
#include "worker/exch/textfile_type.def"
#undef TYPE
};

span
textfile_type(span path)
{
	for (size_t i = 0; i < NELEMS(types); i++)
		if (span_iends(path, types[i].ext))
			return types[i].type;
	return SPAN_LIT(TEXTFILE_UNKNOWN);
}

/* The path as it can be opened; false when it is too long. */
bool
textfile_path(span path, struct place at, const struct diag *d,
    char out[TEXTFILE_PATH_MAX])
{
	span from = span_str(diag_file_path(d, at.file));
	ptrdiff_t slash = span_rchr(from, '/');
	int n;

	if ((path.len > 0 && path.p[0] == '/') || slash < 0)
		from.len = 0;
	else
		from.len = (size_t)slash + 1;
	n = snprintf(
	    out, TEXTFILE_PATH_MAX, "%.*s%.*s", SPAN_FMT(from), SPAN_FMT(path));
	return n > 0 && n < TEXTFILE_PATH_MAX;
}

/* Read an open file whole. An errno, EFBIG when it is too large, or 0. */
static int
textfile_read_fd(int fd, size_t max, struct arena *a, span *out)
{
	struct stat st;
	size_t len = 0;
	char *p;

	if (fstat(fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	if (st.st_size > (off_t)max)
		return EFBIG;
	p = arena_alloc(a, (size_t)st.st_size);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, p + len, (size_t)st.st_size - len);

		if (n < 0)
			return errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*out = span_of(p, len);
	return 0;
}

bool
textfile_read(span path, struct place at, size_t max, struct arena *a,
    struct diag *d, span *out)
{
	char name[TEXTFILE_PATH_MAX];
	int err = ENAMETOOLONG;
	int fd = -1;

	if (textfile_path(path, at, d, name)) {
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		err = fd < 0 ? errno : textfile_read_fd(fd, max, a, out);
	}
	if (fd >= 0)
		(void)close(fd);
	if (err == EFBIG)
		diag_error(d, at, "cannot read %.*s: larger than %zuk",
		    SPAN_FMT(path), max / TEXTFILE_K);
	else if (err != 0)
		diag_error(d, at, "cannot read %.*s: %s", SPAN_FMT(path),
		    err == EINVAL ? "not a regular file" : strerror(err));
	return err == 0;
}
