/* net/stream: plain sockets. */
#include "common/net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/sock.h"

/* A failure that ends the stream. */
static int
plain_failed(struct stream *s, int err)
{
	s->err = err;
	s->may_read = false;
	s->may_write = false;
	return STREAM_RC_ERROR;
}

static bool
is_again(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK;
}

static ssize_t
plain_read(struct stream *s, void *to, size_t len)
{
	ssize_t n;

	do {
		n = recv(s->watch.fd, to, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* a short read has drained the socket; the next edge tells of
		 * more. Only the peer's end may still lie behind it. */
		if ((size_t)n < len && !s->got_rdhup && !s->got_hup)
			s->may_read = false;
		return n;
	}
	if (n == 0 && len > 0)
		return STREAM_RC_EOF;
	if (!is_again(errno))
		return plain_failed(s, errno);
	s->may_read = false;
	return STREAM_RC_AGAIN;
}

static ssize_t
plain_send(struct stream *s, const struct iovec *iov, int n, int flags)
{
	struct msghdr m = {.msg_iovlen = (size_t)n};
	size_t len = 0;
	ssize_t rc;

	memcpy(&m.msg_iov, &iov, sizeof(iov));
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	do {
		/* one piece is the common case, and cheaper this way */
		rc = n == 1 ? send(s->watch.fd, iov->iov_base, iov->iov_len,
				  MSG_NOSIGNAL | flags)
			    : sendmsg(s->watch.fd, &m, MSG_NOSIGNAL | flags);
	} while (rc < 0 && errno == EINTR);
	if (rc >= 0) {
		if ((size_t)rc < len)
			s->may_write = false;
		return rc;
	}
	if (!is_again(errno)) {
		/* what the peer sent before it broke off can still be read */
		s->err = errno;
		s->may_write = false;
		return STREAM_RC_ERROR;
	}
	s->may_write = false;
	return STREAM_RC_AGAIN;
}

static ssize_t
plain_writev(struct stream *s, const struct iovec *iov, int n)
{
	return plain_send(s, iov, n, 0);
}

static int
plain_shutdown(struct stream *s)
{
	if (shutdown(s->watch.fd, SHUT_WR) < 0)
		return plain_failed(s, errno);
	s->may_write = false;
	return 0;
}

static void
plain_close(struct stream *s)
{
	watch_close(s->loop, &s->watch);
}

static bool
plain_is_fresh(struct stream *s)
{
	char byte;
	ssize_t n = recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	s->may_read = n >= 0 || !is_again(errno);
	return !s->may_read;
}

static const struct stream_ops plain_ops = {
    .read = plain_read,
    .writev = plain_writev,
    .shutdown = plain_shutdown,
    .close = plain_close,
    .is_fresh = plain_is_fresh,
};

/* The first event of a socket that was connecting. */
static unsigned
stream_connected(struct stream *s, unsigned events)
{
	int err;

	if (!(events & (LOOP_OUT | LOOP_HUP)))
		return 0;
	err = sock_error(s->watch.fd);
	if (err == 0 && !(events & LOOP_HUP)) {
		s->is_open = true;
		return STREAM_OPEN;
	}
	(void)plain_failed(s, err ? err : ECONNREFUSED);
	return STREAM_DEAD;
}

static void
stream_on_event(void *self, unsigned events)
{
	struct stream *s = self;
	unsigned told = 0;

	if (!s->is_open)
		told |= stream_connected(s, events);
	if (events & LOOP_RDHUP)
		s->got_rdhup = true;
	if (events & LOOP_HUP)
		s->got_hup = true;
	if (s->is_open && (events & (LOOP_IN | LOOP_RDHUP | LOOP_HUP))) {
		s->may_read = s->is_ready = true;
		told |= STREAM_READABLE;
	}
	if (s->is_open && (events & LOOP_OUT)) {
		s->may_write = true;
		if (s->ops->on_room != NULL)
			s->ops->on_room(s);
		told |= STREAM_WRITABLE;
	}
	if (events & LOOP_HUP)
		told |= STREAM_DEAD;
	if (told != 0)
		s->fn(s->self, told);
}

static void
stream_init(struct stream *s, struct loop *l, stream_event_f *fn, void *self,
    bool is_open)
{
	*s = (struct stream){
	    .ops = &plain_ops,
	    .loop = l,
	    .fn = fn,
	    .self = self,
	    .is_open = is_open,
	    .may_read = false,
	    .may_write = is_open,
	};
}

int
stream_open_fd(
    struct stream *s, struct loop *l, int fd, stream_event_f *fn, void *self)
{
	stream_init(s, l, fn, self, true);
	return watch_add(l, &s->watch, fd, LOOP_EDGE, stream_on_event, s);
}

void
stream_open_late(
    struct stream *s, struct loop *l, int fd, stream_event_f *fn, void *self)
{
	stream_init(s, l, fn, self, true);
	s->may_read = true;
	watch_add_late(l, &s->watch, fd, stream_on_event, s);
}

int
stream_open_connecting(
    struct stream *s, struct loop *l, int fd, stream_event_f *fn, void *self)
{
	stream_init(s, l, fn, self, false);
	return watch_add(l, &s->watch, fd, LOOP_EDGE, stream_on_event, s);
}

void
stream_close(struct stream *s)
{
	if (!stream_is_closed(s))
		s->ops->close(s);
	s->may_read = s->may_write = false;
}

void
stream_reset(struct stream *s)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (!stream_is_closed(s))
		(void)setsockopt(
		    s->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	s->is_broken = true;
	stream_close(s);
}

size_t
stream_unsent(const struct stream *s)
{
	int n = 0;

	if (stream_is_closed(s) || ioctl(s->watch.fd, SIOCOUTQ, &n) < 0 ||
	    n < 0)
		return 0;
	return (size_t)n;
}

int
stream_take_fd(struct stream *s)
{
	int fd = s->watch.fd;

	REQUIRE(s->ops == &plain_ops && fd >= 0);
	watch_del(s->loop, &s->watch);
	s->may_read = s->may_write = false;
	return fd;
}

ssize_t
stream_writev_more(struct stream *s, const struct iovec *iov, int n)
{
	ssize_t rc;

	if (s->ops != &plain_ops)
		return stream_writev(s, iov, n);
	rc = s->may_write ? plain_send(s, iov, n, MSG_MORE) : STREAM_RC_AGAIN;
	if (!s->may_write)
		stream_await(s);
	return rc;
}

bool
stream_can_splice(const struct stream *s)
{
	return s->ops == &plain_ops;
}

ssize_t
stream_splice_in(struct stream *s, int pipe, size_t len, bool is_empty)
{
	ssize_t n;

	REQUIRE(s->ops == &plain_ops);
	if (!s->may_read) {
		stream_await(s);
		return STREAM_RC_AGAIN;
	}
	do {
		n = splice(s->watch.fd, NULL, pipe, NULL, len,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	/* a short one says nothing: a pipe has few places, whatever their
	 * size */
	if (n > 0)
		return n;
	if (n == 0)
		return STREAM_RC_EOF;
	if (!is_again(errno))
		return plain_failed(s, errno);
	if (is_empty) {
		s->may_read = false;
		stream_await(s);
	}
	return STREAM_RC_AGAIN;
}

ssize_t
stream_splice_out(struct stream *s, int pipe, size_t len)
{
	ssize_t n;

	REQUIRE(s->ops == &plain_ops);
	if (!s->may_write) {
		stream_await(s);
		return STREAM_RC_AGAIN;
	}
	do {
		n = splice(pipe, NULL, s->watch.fd, NULL, len,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	s->may_write = false;
	if (n < 0 && is_again(errno)) {
		stream_await(s);
		return STREAM_RC_AGAIN;
	}
	s->err = n == 0 ? EIO : errno;
	return STREAM_RC_ERROR;
}

ssize_t
stream_send_file(struct stream *s, int fd, uint64_t off, size_t len)
{
	off_t at = (off_t)off;
	ssize_t n;

	REQUIRE(s->ops == &plain_ops);
	if (!s->may_write) {
		stream_await(s);
		return STREAM_RC_AGAIN;
	}
	do {
		n = sendfile(s->watch.fd, fd, &at, len);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	/* what cannot be read is not there */
	if (n == 0 || errno == EIO)
		return 0;
	s->may_write = false;
	if (is_again(errno)) {
		stream_await(s);
		return STREAM_RC_AGAIN;
	}
	s->err = errno;
	return STREAM_RC_ERROR;
}
