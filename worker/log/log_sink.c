/* log/log_sink: buffer and descriptor of one log in one worker. Files are
 * opened for appending by the master, so that workers' writes do not overlap;
 * pipes get at most PIPE_BUF bytes at once, for the same reason (pipe(7)). */
#include "worker/log/log_sink.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "worker/log/log_line.h"

static_assert(LOG_LINE_MIN <= PIPE_BUF, "a line goes into a pipe in one piece");

static bool
sink_is_stream(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
}

void
log_sink_init(struct log_sink *s, int fd, size_t buffer)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->is_stream = sink_is_stream(fd);
	s->flush_at = buffer;
	/* the line that goes over flush_at has room, and so has another one
	 * while the first cannot be written */
	s->cap = buffer + 2 * LOG_LINE_MAX;
	s->buf = malloc(s->cap);
	REQUIRE(s->buf != NULL);
}

static size_t
sink_line_max(const struct log_sink *s)
{
	return s->is_stream ? LOG_LINE_MIN : LOG_LINE_MAX;
}

/* Drop all lines but the rest of one that is half written. */
static void
sink_drop(struct log_sink *s)
{
	for (size_t i = s->torn; i < s->len; i++)
		if (s->buf[i] == '\n')
			s->n_lost++;
	s->len = s->torn;
}

/* The rest of a half-written line is of no use elsewhere. */
static void
sink_drop_torn(struct log_sink *s)
{
	if (s->torn == 0)
		return;
	s->n_lost++;
	s->len -= s->torn;
	memmove(s->buf, s->buf + s->torn, s->len);
	s->torn = 0;
}

void
log_sink_fini(struct log_sink *s)
{
	sink_drop_torn(s);
	sink_drop(s);
	free(s->buf);
	s->buf = NULL;
}

/* Length of the whole lines at `p` that go into one write. */
static size_t
sink_piece(const struct log_sink *s, const char *p, size_t len)
{
	const char *end;

	if (!s->is_stream || len <= PIPE_BUF)
		return len;
	end = memrchr(p, '\n', PIPE_BUF);
	return end == NULL ? PIPE_BUF : (size_t)(end - p) + 1;
}

static bool
sink_takes(const struct log_sink *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	return !s->is_stream || (poll(&p, 1, 0) == 1 && p.revents & POLLOUT);
}

/* Take n written bytes off the front. */
static void
sink_wrote(struct log_sink *s, size_t n)
{
	const char *end;
	bool is_whole;

	if (n == 0)
		return;
	is_whole = s->buf[n - 1] == '\n';
	s->len -= n;
	memmove(s->buf, s->buf + n, s->len);
	s->torn = 0;
	if (is_whole)
		return;
	end = memchr(s->buf, '\n', s->len);
	s->torn = end == NULL ? s->len : (size_t)(end - s->buf) + 1;
}

void
log_sink_flush(struct log_sink *s)
{
	bool is_broken = s->fd < 0;
	size_t at = 0;

	while (!is_broken && at < s->len && sink_takes(s)) {
		ssize_t n = write(s->fd, s->buf + at,
		    sink_piece(s, s->buf + at, s->len - at));

		if (n > 0) {
			at += (size_t)n;
			s->err = 0;
		} else if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
			break;
		} else if (errno != EINTR) {
			s->err = errno;
			is_broken = true;
		}
	}
	sink_wrote(s, at);
	s->is_full = s->len > 0 && !is_broken;
	if (is_broken)
		sink_drop(s);
}

char *
log_sink_room(struct log_sink *s, size_t *cap)
{
	if (s->cap - s->len < LOG_LINE_MAX)
		log_sink_flush(s);
	if (s->fd < 0 || s->cap - s->len < LOG_LINE_MAX) {
		s->n_lost++;
		return NULL;
	}
	*cap = sink_line_max(s);
	return s->buf + s->len;
}

void
log_sink_added(struct log_sink *s, size_t len)
{
	REQUIRE(len <= s->cap - s->len);
	s->len += len;
	if (s->len > s->flush_at)
		log_sink_flush(s);
}

void
log_sink_set_fd(struct log_sink *s, int fd)
{
	log_sink_flush(s);
	sink_drop_torn(s);
	s->fd = fd;
	s->is_stream = sink_is_stream(fd);
}
