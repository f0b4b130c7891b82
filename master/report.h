/* master/report: problems, told to whoever can mend them: standard error while
 * there is a person at it, the error log as well once it is open. */
#ifndef GH_REPORT_H
#define GH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"

/* All problems and a closing line, to standard error. */
void report_diag(const struct diag *d);
/* The same as text; malloc'd. */
char *report_text(const struct diag *d);
/* The same to the error log, after a reload. `serving` is the generation that
 * goes on unchanged, 0: none. */
void report_reload(const struct diag *d, uint32_t serving);
/* Warnings to the error log; nothing when there are none. The list holds no
 * errors. */
void report_warnings(const struct diag *d);
/* Send what was printed on its way. The exit status of that: a full disk must
 * not look like success. */
int report_flush(void);
/* "gatehouse: WHAT: error", for errno. Always false. */
bool report_errno(const char *what);

#endif
