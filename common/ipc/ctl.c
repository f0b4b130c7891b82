/* ipc/ctl: messages over SOCK_SEQPACKET: one send is one message, whole or not
 * at all. */
#include "common/ipc/ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors of one message. Room for them is rounded up, so more may come. */
#define CTL_FDS 1

#define CTL_HEAD offsetof(struct ctl_msg, text)

union ctl_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(CTL_FDS * sizeof(int)) +
		   CMSG_SPACE(sizeof(struct ucred))];
};

int
ctl_pair(int fds[2])
{
	int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (setsockopt(
			fds[i], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
			int err = errno;

			(void)close(fds[0]);
			(void)close(fds[1]);
			errno = err;
			return -1;
		}
	}
	return 0;
}

int
ctl_send(int s, const struct ctl_msg *m, int fd)
{
	union ctl_control control;
	struct iovec iov;
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (m->len > CTL_TEXT_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	/* iovec has no const; the bytes are only read */
	memcpy(&iov.iov_base, &m, sizeof(m));
	iov.iov_len = CTL_HEAD + m->len;
	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(s, &h, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

bool
ctl_is_gone(int err)
{
	return err == EPIPE || err == ECONNRESET;
}

int
ctl_send_word(int s, enum ctl_type type, uint64_t arg, int fd)
{
	struct ctl_msg m;

	memset(&m, 0, CTL_HEAD);
	m.type = type;
	m.arg = arg;
	return ctl_send(s, &m, fd);
}

/* The first descriptor of a control message; the others are closed. Returns
 * whether there were no others. */
static bool
ctl_take_fd(const struct cmsghdr *c, int *fd)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool is_one = true;

	for (size_t i = 0; i < n; i++) {
		int one;

		memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
		if (*fd < 0) {
			*fd = one;
			continue;
		}
		(void)close(one);
		is_one = false;
	}
	return is_one;
}

/* What travelled beside the bytes. false when it was more than may. */
static bool
ctl_take_control(struct msghdr *h, int *fd, pid_t *pid)
{
	bool is_good = (h->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL;
	     c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			is_good &= ctl_take_fd(c, fd);
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			*pid = cred.pid;
		}
	}
	return is_good;
}

/* Refuse what came. */
static int
ctl_drop(int passed, int rc)
{
	if (passed >= 0)
		(void)close(passed);
	errno = EPROTO;
	return rc;
}

int
ctl_recv(int s, struct ctl_msg *m, int *fd, pid_t *pid)
{
	union ctl_control control;
	struct iovec iov = {m, sizeof(*m)};
	struct msghdr h = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	pid_t from = 0;
	int passed = -1;
	bool is_good;
	ssize_t n;

	/* ECONNRESET is told once, and before what is queued: the peer closed
	 * with messages of ours unread, after it sent what comes next */
	do {
		n = recvmsg(s, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -1;
	is_good = ctl_take_control(&h, &passed, &from);
	/* a process that is out of descriptors is given none, and the rest of
	 * the message */
	is_good |= passed < 0;
	if (n == 0)
		return ctl_drop(passed, 0);
	if (!is_good || (size_t)n < CTL_HEAD ||
	    (size_t)n != CTL_HEAD + m->len || (h.msg_flags & MSG_TRUNC))
		return ctl_drop(passed, -1);
	if (fd != NULL)
		*fd = passed;
	else if (passed >= 0)
		(void)close(passed);
	if (pid != NULL)
		*pid = from;
	return 1;
}
