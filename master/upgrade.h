/* master/upgrade: another binary takes over (USR2) while this one serves. The
 * new master inherits the segment, the listening sockets, the wake descriptors
 * and the pid file; it starts its workers and says so over a pipe. Only then
 * this one lets go; if that word never comes, nothing has happened. */
#ifndef GH_UPGRADE_H
#define GH_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

struct master;

/* Keep what an exec needs: the binary's path, a copy of the arguments, the
 * current directory. Before anything changes them. */
void upgrade_remember(int argc, char **argv);

/* --- the old master ------------------------------------------------------- */
void upgrade_begin(struct master *m);
/* A process was reaped that is no child of another kind: perhaps the new master
 * before it was ready. */
void upgrade_reaped(struct master *m, pid_t pid, int status);
/* What it had to wait for has ended: begin the one that was asked for meanwhile,
 * if one was. */
void upgrade_resume(struct master *m);

/* --- the new master ------------------------------------------------------- */

/* Whether this process was started to take over, and what it was given: fills
 * m->inherited and forgets the environment variable. false with a message when
 * what it was given is malformed. */
bool upgrade_inherit(struct master *m);
/* It serves: take the pid file, tell the old master, close what is not used. */
void upgrade_ready(struct master *m);

/* --- both ----------------------------------------------------------------- */

/* Once a second: take over what masters left that have ended. */
void upgrade_sweep(struct master *m);

#endif
