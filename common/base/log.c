/* base/log: one write a line, so that lines of several processes never mix. */
#include "common/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/date.h"
#include "common/base/num.h"

/* Longest line; what is over it is cut. */
#define LOG_LINE_MAX 4096
#define LOG_WHO_CAP 32

struct log {
	int fd;
	enum log_level min;
	const _Atomic uint32_t *order; /* NULL: nobody orders */
	char who[LOG_WHO_CAP];
};

/* Exception: file-scope, see the header. */
static struct log the_log = {STDERR_FILENO, LOG_NOTICE, NULL, "gatehouse"};

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_NOTICE] = "notice",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
    [LOG_FATAL] = "fatal",
};

void
log_open(int fd, enum log_level min, const char *who)
{
	the_log.fd = fd;
	the_log.min = min;
	(void)snprintf(the_log.who, sizeof(the_log.who), "%s", who);
}

void
log_take_fd(int fd)
{
	if (the_log.fd > STDERR_FILENO)
		(void)close(the_log.fd);
	the_log.fd = fd;
}

void
log_obey(const _Atomic uint32_t *order)
{
	the_log.order = order;
}

bool
log_ordered(enum log_level *out)
{
	uint32_t order =
	    the_log.order != NULL
		? atomic_load_explicit(the_log.order, memory_order_relaxed)
		: 0;

	/* a word that nobody writes so is no order */
	if (order == 0 || order > NELEMS(level_names))
		return false;
	*out = (enum log_level)(order - 1);
	return true;
}

bool
log_is_on(enum log_level level)
{
	enum log_level ordered;

	return level >= (log_ordered(&ordered) ? ordered : the_log.min);
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	struct clock now;
	va_list ap;
	int n;
	size_t at = DATE_ISO_LEN;

	if (!log_is_on(level))
		return;
	clock_update(&now);
	date_format_iso(now.wall_us, line);
	n = snprintf(line + at, sizeof(line) - at,
	    " %s %s: ", level_names[level], the_log.who);
	at += (size_t)n;
	va_start(ap, fmt);
	n = vsnprintf(line + at, sizeof(line) - at - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	at = size_min(at + (size_t)n, sizeof(line) - 2);
	line[at++] = '\n';
	/* nobody is left to hear that the log cannot be written */
	if (write(the_log.fd, line, at) < 0)
		return;
}

bool
log_level_parse(span s, enum log_level *out)
{
	for (size_t i = 0; i < NELEMS(level_names); i++) {
		if (span_eq(s, span_str(level_names[i]))) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	REQUIRE((size_t)level < NELEMS(level_names));
	return level_names[level];
}

size_t
log_escape(span s, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			if (n + 1 > cap)
				break;
			out[n++] = (char)c;
			continue;
		}
		if (n + 4 > cap)
			break;
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}
