/* files/files_open: files that are open, few enough to be counted, looked at
 * again after a while. Opens names below a folder that the configuration named;
 * knows nothing of HTTP but what a file is told apart by. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/net/loop.h"
#include "worker/exch/textfile.h"
#include "worker/files/files.h"
#include "worker/files/files_int.h"

/* Files that a worker keeps open: sets of ways, by the hash of the name. */
#define OPEN_SETS 64u
#define OPEN_WAYS 4u
/* What was looked at so long ago is looked at again. */
#define OPEN_CHECK_MS 1000u
/* What is not longer is read once and sent out of memory: with all of a
 * worker's that is 4m at most. */
#define OPEN_CONTENT_MAX 16384u
#define OPEN_NS_PER_S UINT64_C(1000000000)

struct files_worker {
	struct sipkey key;
	uint64_t turn; /* grows with each request for a file */
	struct file *at[OPEN_SETS][OPEN_WAYS];
};

struct files_worker *
files_worker_new(void)
{
	struct files_worker *f = calloc(1, sizeof(*f));

	REQUIRE(f != NULL);
	sipkey_random(&f->key);
	return f;
}

void
file_unref(struct file *f)
{
	if (f == NULL || --f->refs > 0)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	buf_unref(f->content);
	free(f);
}

void
files_worker_free(struct files_worker *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < OPEN_SETS; i++)
		for (unsigned k = 0; k < OPEN_WAYS; k++)
			file_unref(f->at[i][k]);
	free(f);
}

/* No link is followed, no way leads out of the folder or into another process;
 * what is no file does not block (a FIFO) and becomes nobody's terminal. */
static int
open_beneath(int dir, const char *name)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do {
		fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	} while (fd < 0 && errno == EINTR);
	return fd;
}

static bool
open_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Keep the content of a small file, unless somebody writes it meanwhile. It is no
 * connection's: nobody is refused for it (memory_limit). */
static void
open_read(struct file *f, const struct stat *st)
{
	struct stat after;
	struct buf *b;
	ssize_t n;

	if (f->size == 0 || f->size > OPEN_CONTENT_MAX)
		return;
	b = buf_new_sized(NULL, (size_t)f->size);
	n = pread(f->fd, b->data, (size_t)f->size, 0);
	if (n != (ssize_t)f->size || fstat(f->fd, &after) < 0 ||
	    !open_is_same(st, &after)) {
		buf_unref(b);
		return;
	}
	b->used = (uint32_t)n;
	f->content = b;
	(void)close(f->fd);
	f->fd = -1;
}

static struct file *
open_describe(int fd, int dir, span name, const struct stat *st)
{
	struct file *f = malloc(sizeof(*f) + name.len);
	char *copy;
	int n;

	REQUIRE(f != NULL);
	copy = (char *)(f + 1);
	memcpy(copy, name.p, name.len);
	*f = (struct file){
	    .refs = 1,
	    .fd = fd,
	    .size = (uint64_t)st->st_size,
	    .modified_s = st->st_mtim.tv_sec,
	    .modified_ns = st->st_mtim.tv_nsec,
	    .type = textfile_type(name),
	    .dir = dir,
	    .name = span_of(copy, name.len),
	};
	n = snprintf(f->etag_text, FILES_ETAG_CAP, "\"%llx-%llx-%llx\"",
	    (unsigned long long)st->st_ino,
	    (unsigned long long)st->st_mtim.tv_sec * OPEN_NS_PER_S +
		(unsigned long long)st->st_mtim.tv_nsec,
	    (unsigned long long)st->st_size);
	f->etag = span_of(f->etag_text, (size_t)n);
	/* what a date of HTTP cannot tell is told as long ago */
	if (f->modified_s < 0 || f->modified_s > UINT32_MAX)
		f->modified_s = 0;
	date_format_http(f->modified_s, f->modified);
	return f;
}

/* With one reference. */
static struct file *
open_new(int dir, span name)
{
	char path[FILES_NAME_MAX + 1];
	struct stat st;
	struct file *f;
	int fd;

	if (name.len > FILES_NAME_MAX) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	memcpy(path, name.p, name.len);
	path[name.len] = '\0';
	fd = open_beneath(dir, path);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		bool is_dir = S_ISDIR(st.st_mode);

		(void)close(fd);
		errno = is_dir ? EISDIR : ENOENT;
		return NULL;
	}
	f = open_describe(fd, dir, name, &st);
	open_read(f, &st);
	return f;
}

static bool
open_is_named(const struct file *f, int dir, span name)
{
	return f->dir == dir && span_eq(f->name, name);
}

/* It is not there any more: its room on the disk is free only when nobody has
 * it open. errno stays what it is. */
static void
open_forget(struct file **at, int dir, span name)
{
	int err = errno;

	if (*at != NULL && open_is_named(*at, dir, name)) {
		file_unref(*at);
		*at = NULL;
	}
	errno = err;
}

struct file *
file_open(struct worker *w, int dir, span name)
{
	struct files_worker *fw = w->files;
	uint64_t now_ms = clock_mono_ms(worker_clock(w));
	uint64_t hash = siphash(&fw->key, name) + (uint64_t)dir;
	struct file **set = fw->at[hash % OPEN_SETS];
	unsigned at = 0;

	fw->turn++;
	for (unsigned i = 0; i < OPEN_WAYS; i++) {
		struct file *f = set[i];

		if (f != NULL && open_is_named(f, dir, name)) {
			at = i;
			break;
		}
		/* the place of the one that was asked for longest ago */
		if (f == NULL || (set[at] != NULL && f->used < set[at]->used))
			at = i;
	}
	if (set[at] == NULL || !open_is_named(set[at], dir, name) ||
	    set[at]->is_broken ||
	    now_ms - set[at]->opened_ms >= OPEN_CHECK_MS) {
		struct file *f = open_new(dir, name);

		if (f == NULL) {
			open_forget(&set[at], dir, name);
			return NULL;
		}
		f->opened_ms = now_ms;
		file_unref(set[at]);
		set[at] = f;
	}
	set[at]->used = fw->turn;
	set[at]->refs++;
	return set[at];
}
