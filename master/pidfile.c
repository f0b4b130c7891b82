/* master/pidfile: pid files with a lock. */
#include "master/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/num.h"
#include "common/base/span.h"

#define PID_TEXT_CAP 32

static pid_t
pid_of(int fd)
{
	char text[PID_TEXT_CAP];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	uint64_t v;
	span rest;
	span s;

	if (n <= 0)
		return -1;
	rest = span_of(text, (size_t)n);
	if (!span_cut(&rest, '\n', &s))
		return -1;
	return span_u64(s, INT32_MAX, &v) && v > 1 ? (pid_t)v : -1;
}

/* Whether fd is still what the path names: its owner may have removed it
 * between our opening and locking. */
static bool
is_at(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* A regular file, made if it is not there. -1 with errno. */
static int
open_regular(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	(void)close(fd);
	errno = EINVAL;
	return -1;
}

static int
refuse_another(int fd, const char *path)
{
	pid_t pid = pid_of(fd);

	if (pid > 0)
		(void)fprintf(stderr,
		    "gatehouse: another one runs already (%s says pid %d)\n",
		    path, (int)pid);
	else
		(void)fprintf(stderr,
		    "gatehouse: another one is starting (it holds %s)\n", path);
	(void)close(fd);
	return -1;
}

int
pidfile_open(const char *path)
{
	for (;;) {
		int fd = open_regular(path);

		if (fd < 0) {
			(void)fprintf(stderr,
			    "gatehouse: cannot open the pid_file %s: %s\n",
			    path,
			    errno == EINVAL ? "not a regular file"
					    : strerror(errno));
			return -1;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return refuse_another(fd, path);
		/* a pid of before must not be signalled for ours */
		if (is_at(fd, path) && ftruncate(fd, 0) == 0)
			return fd;
		(void)close(fd);
	}
}

void
pidfile_write(int fd)
{
	char text[PID_TEXT_CAP];
	size_t n = u64_format((uint64_t)getpid(), text);

	text[n++] = '\n';
	/* in this order it is at no moment empty: somebody may read it */
	if (pwrite(fd, text, n, 0) != (ssize_t)n || ftruncate(fd, (off_t)n) < 0)
		(void)fprintf(stderr,
		    "gatehouse: cannot write the pid file: "
		    "%s\n",
		    strerror(errno));
}

void
pidfile_remove(int fd, const char *path)
{
	/* unlocked last: nobody can take it in between */
	(void)unlink(path);
	(void)close(fd);
}

pid_t
pidfile_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (fd < 0) {
		(void)fprintf(stderr, "gatehouse: cannot read %s: %s\n", path,
		    strerror(errno));
		return -1;
	}
	pid = pid_of(fd);
	if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		(void)fprintf(stderr,
		    "gatehouse: %s is stale: no gatehouse runs there\n", path);
		pid = -1;
	} else if (pid < 0) {
		(void)fprintf(stderr,
		    "gatehouse: the one that holds %s is still starting\n",
		    path);
	}
	(void)close(fd);
	return pid;
}
