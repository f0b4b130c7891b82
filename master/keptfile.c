/* master/keptfile: see keptfile.h. */
#include "master/keptfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"

#define KEPTFILE_MODE 0600

char *
keptfile_path(span path, const char *more)
{
	char *text = NULL;

	REQUIRE(asprintf(&text, "%.*s%s", SPAN_FMT(path), more) >= 0);
	return text;
}

/* A file that others may write holds what others want. */
int
keptfile_open(const char *path)
{
	int fd =
	    open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return fd;
	(void)close(fd);
	errno = EPERM;
	return -1;
}

int
keptfile_begin(const char *temp)
{
	/* left by a master that was killed */
	(void)unlink(temp);
	return open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    KEPTFILE_MODE);
}

bool
keptfile_is_ours(int fd, const char *temp)
{
	struct stat ours;
	struct stat there;

	if (fstat(fd, &ours) < 0 || lstat(temp, &there) < 0)
		return false;
	errno = ESTALE;
	return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}
