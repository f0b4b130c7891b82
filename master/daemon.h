/* master/daemon: going to the background. The command that was typed waits
 * until the daemon serves, and fails when it does not. */
#ifndef GH_DAEMON_H
#define GH_DAEMON_H

#include <stdbool.h>

/* Returns in the daemon only; the starting process waits and exits. *tell is
 * for daemon_tell(). false with errno. */
bool daemon_start(int *tell);
/* Let the starting command end well, and leave its terminal. Closes *tell;
 * harmless when it is -1. Without it the command fails when the daemon has
 * ended, so that nothing of it is left then. */
void daemon_tell(int *tell);

/* Standard input, output and error lead nowhere from now on. */
void daemon_be_quiet(void);

#endif
