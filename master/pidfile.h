/* master/pidfile: the file that names the running master. It is locked as long
 * as that lives, so that a stale one is known as such. */
#ifndef GH_PIDFILE_H
#define GH_PIDFILE_H

#include <sys/types.h>

/* Open and lock. -1 after saying why on standard error (another one runs). */
int pidfile_open(const char *path);
/* Write this process's pid. */
void pidfile_write(int fd);
void pidfile_remove(int fd, const char *path);
/* The pid of the running master, or -1 after saying why. */
pid_t pidfile_read(const char *path);

#endif
