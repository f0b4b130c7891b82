/* master/priv: what a process below the master may do. */
#ifndef GH_PRIV_H
#define GH_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf/conf.h"

/* Give up root for good: user and group of the configuration, no supplementary
 * groups, no new privileges ever. Without root only the last. false after
 * logging why. */
bool priv_lower(const struct conf_scope *global);
/* And the system calls of master/seccomp. */
bool priv_drop(const struct conf_scope *global);
/* Whether user and group exist (asked only as root); problems go to d. */
void priv_check(const struct conf_scope *global, struct diag *d);
/* Room for so many client connections, an origin's for each, and the rest.
 * Warns when the machine's limit is lower. */
bool priv_limits(uint32_t connections);

#endif
