/* conf/conf_source: the files that make up a configuration: reading them whole,
 * the stack of includes, secrets. Bounds sizes, numbers and depth; refuses
 * cycles and what is no regular file. */
#include "common/conf/conf_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/filelist.h"
#include "common/base/clock.h"

#define READ_STEP 65536
/* A pipe is written while it is read. The master waits for it in a reload, too,
 * so that it must not take long. */
#define READ_TIME_MS 3000u

/* The byte order mark of UTF-8. */
static const char bom[] = "\xef\xbb\xbf";

static uint64_t
now_ms(void)
{
	return clock_mono_us() / 1000;
}

/* Wait until there is something to read, or the end. false with errno. */
static bool
wait_readable(int fd, uint64_t end_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t at_ms = now_ms();
	int rc = 0;

	if (at_ms < end_ms)
		rc = poll(&p, 1, (int)(end_ms - at_ms));
	if (rc == 0)
		errno = ETIMEDOUT;
	return rc > 0 || (rc < 0 && errno == EINTR);
}

/* Read fd to its end. NULL with errno: EFBIG when it is larger than `max`. */
static char *
read_all(int fd, size_t max, size_t *len_out)
{
	uint64_t end_ms = now_ms() + READ_TIME_MS;
	char *text = NULL;
	size_t cap = 0;
	size_t len = 0;

	for (;;) {
		ssize_t n;

		if (!wait_readable(fd, end_ms)) {
			free(text);
			return NULL;
		}
		if (len == cap) {
			char *larger;

			cap = cap == 0 ? READ_STEP : cap * 2;
			larger = realloc(text, cap);
			REQUIRE(larger != NULL);
			text = larger;
		}
		n = read(fd, text + len, cap - len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == 0 && len <= max) {
			*len_out = len;
			return text;
		}
		if (n >= 0) {
			len += (size_t)n;
			errno = EFBIG;
		}
		if (n < 0 || len > max) {
			free(text);
			return NULL;
		}
	}
}

/* Open for reading, without waiting. What is included must be a regular file.
 * -1 with errno. */
static int
open_file(const char *path, bool must_be_regular, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int saved;

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && !S_ISDIR(st->st_mode) &&
	    (S_ISREG(st->st_mode) || !must_be_regular))
		return fd;
	saved = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
	(void)close(fd);
	errno = saved;
	return -1;
}

static const char *
read_error(int err)
{
	if (err == EFBIG)
		return "the file is too large";
	if (err == ETIMEDOUT)
		return "nobody has written it to its end for 3s";
	if (err == EINVAL)
		return "not a regular file";
	return strerror(err);
}

span
conf_path_join(struct conf_tree *t, span dir, span path)
{
	span parts[] = {dir, SPAN_LIT("/"), path};

	if (dir.len == 0 || (path.len > 0 && path.p[0] == '/'))
		return arena_span(&t->arena, path);
	return arena_concat(&t->arena, parts, NELEMS(parts));
}

/* The folder of a file, absolute where it can be found. */
static span
folder_of(struct conf_tree *t, span path)
{
	ptrdiff_t slash = span_rchr(path, '/');
	span dir = arena_span(&t->arena, slash < 0 ? SPAN_LIT(".")
					 : slash == 0
					     ? SPAN_LIT("/")
					     : span_first(path, (size_t)slash));
	char *real = realpath(dir.p, NULL);

	if (real == NULL)
		return dir;
	dir = arena_span(&t->arena, span_str(real));
	free(real);
	return dir;
}

static struct conf_source *
source_new(struct conf_reader *r, span path, struct place from)
{
	struct conf_source *s = arena_zalloc(&r->tree->arena, sizeof(*s));

	s->path = arena_span(&r->tree->arena, path);
	s->from = from;
	s->section = -1;
	return s;
}

void
conf_source_push_text(struct conf_reader *r, const char *name, span text)
{
	struct conf_source *s =
	    source_new(r, span_str(name), (struct place){.line = 0});

	s->text = malloc(text.len + 1);
	REQUIRE(s->text != NULL);
	if (text.len > 0)
		memcpy(s->text, text.p, text.len);
	s->len = text.len;
	s->below = r->top;
	r->top = s;
}

void
conf_source_push(
    struct conf_reader *r, span path, struct place from, bool is_include)
{
	struct conf_source *s = source_new(r, path, from);

	s->below = r->top;
	if (is_include) {
		for (s->parent = r->top; !s->parent->is_open;)
			s->parent = s->parent->below;
		s->depth = s->parent->depth + 1;
	}
	r->top = s;
}

/* Whether a file is being read already further up. */
static bool
is_cycle(const struct conf_source *s, const struct stat *st)
{
	for (const struct conf_source *p = s->parent; p != NULL;
	     p = p->parent) {
		if (p->dev == st->st_dev && p->ino == st->st_ino)
			return true;
	}
	return false;
}

/* The text of a source just opened becomes known to the messages. */
static void
source_begin(struct conf_reader *r, struct conf_source *s)
{
	if (s->len >= 3 && memcmp(s->text, bom, 3) == 0) {
		s->len -= 3;
		memmove(s->text, s->text + 3, s->len);
	}
	s->file = diag_file(r->d, s->path.p, span_of(s->text, s->len));
	r->n_bytes += s->len;
	r->n_files++;
	s->is_open = true;
}

/* The bound that one more file would break, or NULL. */
static const char *
include_excess(const struct conf_reader *r, const struct conf_source *s)
{
	static_assert(CONF_FILES_MAX == 1024 && CONF_DEPTH_MAX == 16 &&
			  CONF_TOTAL_MAX == 64u << 20,
	    "the texts below say so");

	if (s->depth > CONF_DEPTH_MAX)
		return "files include each other more than 16 deep";
	if (r->n_files >= CONF_FILES_MAX)
		return "more than 1024 files";
	if (r->n_bytes > CONF_TOTAL_MAX)
		return "more than 64m of text";
	return NULL;
}

bool
conf_source_open(struct conf_reader *r)
{
	struct conf_source *s = r->top;
	const char *why;
	struct stat st;
	int fd;

	if (s->text != NULL) {
		source_begin(r, s);
		return true;
	}
	why = include_excess(r, s);
	if (why != NULL) {
		diag_error(r->d, s->from, "include: %s at '%.*s'", why,
		    SPAN_FMT(s->path));
		return false;
	}
	fd = open_file(s->path.p, s->parent != NULL, &st);
	if (fd >= 0 && is_cycle(s, &st)) {
		diag_error(r->d, s->from,
		    "include: a cycle: '%.*s' is being read already",
		    SPAN_FMT(s->path));
		(void)close(fd);
		return false;
	}
	if (fd >= 0) {
		s->text = read_all(fd, CONF_FILE_MAX, &s->len);
		(void)close(fd);
	}
	if (s->text == NULL) {
		diag_error(r->d, s->from, "cannot read '%.*s': %s",
		    SPAN_FMT(s->path), read_error(errno));
		return false;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->dir = folder_of(r->tree, s->path);
	source_begin(r, s);
	return true;
}

void
conf_source_pop(struct conf_reader *r)
{
	struct conf_source *s = r->top;

	r->top = s->below;
	free(s->text);
	s->text = NULL;
}

static void
include_word(struct conf_reader *r, const struct conf_word *w, span dir)
{
	enum filelist_rc rc;
	glob_t found;
	span pattern;

	if (!filelist_is_pattern(w->text)) {
		conf_source_push(
		    r, conf_path_join(r->tree, dir, w->text), w->at, true);
		return;
	}
	pattern = conf_path_join(
	    r->tree, filelist_escape(&r->tree->arena, dir), w->text);
	rc = filelist_find(pattern.p, CONF_FILES_MAX, &found);
	if (rc == FILELIST_MANY || rc == FILELIST_UNREADABLE)
		diag_error(r->d, w->at, "include: cannot list '%.*s': %s",
		    SPAN_FMT(pattern),
		    rc == FILELIST_MANY ? "more than 1024 files"
					: "a folder cannot be read");
	if (rc != FILELIST_GOOD)
		return;
	/* a stack: the first to be read goes on last */
	for (size_t i = found.gl_pathc; i-- > 0;)
		conf_source_push(r, span_str(found.gl_pathv[i]), w->at, true);
	globfree(&found);
}

void
conf_source_include(struct conf_reader *r, const struct conf_value *v, span dir)
{
	for (uint32_t i = v->n_words; i-- > 0;)
		include_word(r, &v->words[i], dir);
}

bool
conf_secret_read(struct conf_reader *r, span path, struct place at, span *out)
{
	struct stat st;
	size_t len = 0;
	char *text = NULL;
	int fd = open_file(path.p, true, &st);

	if (fd >= 0) {
		text = read_all(fd, CONF_SECRET_MAX, &len);
		(void)close(fd);
	}
	if (text == NULL) {
		diag_error(r->d, at, "cannot read '%.*s': %s", SPAN_FMT(path),
		    read_error(errno));
		return false;
	}
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	*out = arena_span(&r->tree->arena, span_of(text, len));
	explicit_bzero(text, len);
	free(text);
	if (len == 0)
		diag_error(r->d, at, "'%.*s' is empty", SPAN_FMT(path));
	else if (memchr(out->p, '\0', len) != NULL)
		diag_error(r->d, at, "'%.*s' holds a NUL byte", SPAN_FMT(path));
	else
		return true;
	return false;
}
