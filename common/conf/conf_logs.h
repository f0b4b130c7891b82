/* conf/conf_logs: what must hold of [log]s, and which of their keys mean
 * something. */
#ifndef GH_CONF_LOGS_H
#define GH_CONF_LOGS_H

#include "common/conf/conf_int.h"

/* Whether a key means something in that [log]: the error log is a file, whose
 * lines have one form and are written at once. */
bool conf_log_takes(const struct conf_section *s, enum conf_key key);
/* What is wrong of all of them is noted. */
void conf_logs_check(const struct conf_tree *t, struct diag *d);

#endif
