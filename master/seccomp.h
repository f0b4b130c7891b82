/* master/seccomp: system calls that no process below the master has any use
 * for. */
#ifndef GH_SECCOMP_H
#define GH_SECCOMP_H

#include <stdbool.h>

/* Refuse them from now on (EPERM), for good. false with errno. Without the
 * library nothing happens. */
bool seccomp_apply(void);
/* From now on no path can be opened, made, moved or removed. false with errno;
 * true without libseccomp. */
bool seccomp_confine(void);
/* From now on this process and all below it stay in its session and process
 * group. false with errno; true without libseccomp. */
bool seccomp_keep_session(void);

#endif
