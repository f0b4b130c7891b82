/* master/seccomp: system calls that no process below the master has any use
 * for. */
#ifndef GH_SECCOMP_H
#define GH_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

/* Refuse them from now on (EPERM), for good. false with errno. Without the
 * library nothing happens. */
bool seccomp_apply(void);
/* From now on no path can be opened, made, moved or removed. Below the n
 * folders, if there are any, files can be opened for reading by openat2(2); a
 * kernel without Landlock then lets it open what its user may. false with
 * errno; true without libseccomp. */
bool seccomp_confine(const int *roots, uint32_t n);
/* From now on this process and all below it stay in its session and process
 * group. false with errno; true without libseccomp. */
bool seccomp_keep_session(void);

#endif
