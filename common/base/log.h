/* base/log: the error log. One line an event: level, then text of the form
 * key=value in lower case. A process has one log; before log_open() it is
 * standard error. Never called inside a critical section of the segment. */
#ifndef GH_LOG_H
#define GH_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

/* The log of the process is the one file-scope variable besides const tables:
 * Exception: a panic or a failed allocation has no worker at hand. */
enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_NOTICE,
	LOG_WARN,
	LOG_ERROR,
	LOG_FATAL
};

/* Use this descriptor (borrowed) from now on, for lines of `min` and above.
 * `who` is a short name put into each line ("master", "worker 3"). */
void log_open(int fd, enum log_level min, const char *who);
/* Go on with another descriptor; the old one is closed unless it is standard
 * error. */
void log_take_fd(int fd);
bool log_is_on(enum log_level level);
/* This word orders the level from now on, in this process and those that it
 * forks: 0: as opened, else the level and 1. Others may write it. */
void log_obey(const _Atomic uint32_t *order);
/* Whether a level is ordered. */
bool log_ordered(enum log_level *out);
void log_msg(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool log_level_parse(span s, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Text from a peer made safe for one log line: control bytes, quote and
 * backslash become \xHH. Writes at most cap bytes, no NUL; returns length. */
size_t log_escape(span s, char *out, size_t cap);

#endif
