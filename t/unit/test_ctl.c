/* Control messages: whole or not at all, with descriptors that never leak. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/ipc/ctl.h"
#include "t/unit/unit.h"

#define HEAD offsetof(struct ctl_msg, text)
#define FDS_MAX 8

static int ends[2];
static struct ctl_msg sent, got;
/* The lowest descriptor that is free when nothing leaks. */
static int lowest;

static int
lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	return fd;
}

static void
set_up(void)
{
	ck_assert_int_eq(ctl_pair(ends), 0);
	memset(&sent, 0, sizeof(sent));
	memset(&got, 0xff, sizeof(got));
	lowest = lowest_free();
}

static void
tear_down(void)
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* Bytes and descriptors as a process gone wrong might send them. */
static void
send_raw(const void *p, size_t len, const int *fds, size_t n_fds)
{
	struct iovec iov = {(void *)(uintptr_t)p, len};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	if (n_fds > 0) {
		struct cmsghdr *c;

		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(ends[0], &h, MSG_NOSIGNAL), len);
}

START_TEST(a_message_arrives_as_it_was_sent)
{
	pid_t pid;
	int fd;

	sent.type = CTL_REFUSED;
	sent.slot = 3;
	sent.incarnation = 7;
	sent.arg = UINT64_MAX;
	memcpy(sent.text, "hello", 5);
	sent.len = 5;
	ck_assert_int_eq(ctl_send(ends[0], &sent, -1), 0);
	ck_assert_int_eq(ctl_recv(ends[1], &got, &fd, &pid), 1);
	ck_assert_mem_eq(&sent, &got, HEAD + 5);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(pid, getpid());
}
END_TEST

START_TEST(messages_do_not_run_together)
{
	ck_assert_int_eq(ctl_send_word(ends[0], CTL_HELLO, 1, -1), 0);
	ck_assert_int_eq(ctl_send_word(ends[0], CTL_READY, 2, -1), 0);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
	ck_assert_uint_eq(got.type, CTL_HELLO);
	ck_assert_uint_eq(got.arg, 1);
	ck_assert_uint_eq(got.len, 0);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
	ck_assert_uint_eq(got.type, CTL_READY);
	ck_assert_uint_eq(got.arg, 2);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(the_longest_text_fits_and_no_longer_one)
{
	memset(sent.text, 'x', CTL_TEXT_MAX);
	sent.len = CTL_TEXT_MAX;
	ck_assert_int_eq(ctl_send(ends[0], &sent, -1), 0);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
	ck_assert_mem_eq(&sent, &got, sizeof(sent));
	sent.len++;
	ck_assert_int_eq(ctl_send(ends[0], &sent, -1), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(a_descriptor_travels_and_closes_on_exec)
{
	int p[2];
	char c;
	int fd;

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(ctl_send_word(ends[0], CTL_LOG, 0, p[1]), 0);
	ck_assert_int_eq(ctl_recv(ends[1], &got, &fd, NULL), 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	ck_assert_int_eq(close(fd), 0);
	(void)close(p[0]);
	(void)close(p[1]);
	ck_assert_int_eq(lowest_free(), lowest);
}
END_TEST

START_TEST(a_descriptor_that_nobody_wants_is_closed)
{
	ck_assert_int_eq(
	    ctl_send_word(ends[0], CTL_HELLO, 0, STDERR_FILENO), 0);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
	ck_assert_int_eq(lowest_free(), lowest);
}
END_TEST

/* However many: the receiver keeps one or none, and leaks none. */
START_TEST(descriptors_too_many_do_not_leak)
{
	static const int fds[FDS_MAX] = {2, 2, 2, 2, 2, 2, 2, 2};

	for (size_t n = 2; n <= FDS_MAX; n++) {
		int fd = -1;
		int rc;

		send_raw(&sent, HEAD, fds, n);
		rc = ctl_recv(ends[1], &got, &fd, NULL);
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_int_eq(lowest_free(), lowest);
	}
}
END_TEST

/* What has no room for one gets the words, and does not take them for the end. */
START_TEST(a_descriptor_without_room_is_as_none)
{
	struct rlimit was, low;
	int fd = 0;
	int rc;

	ck_assert_int_eq(ctl_send_word(ends[0], CTL_LOG, 7, STDERR_FILENO), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = (struct rlimit){(rlim_t)lowest, was.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	rc = ctl_recv(ends[1], &got, &fd, NULL);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_int_eq(rc, 1);
	ck_assert_int_eq(fd, -1);
	ck_assert_uint_eq(got.arg, 7);
	ck_assert_int_eq(lowest_free(), lowest);
}
END_TEST

START_TEST(a_malformed_message_is_refused_whole)
{
	static const int fds[] = {2, 2};
	char raw[sizeof(struct ctl_msg) + 16];

	memset(raw, 0, sizeof(raw));
	/* the text's length says 0 */
	for (size_t len = 1; len < HEAD + 3; len++) {
		int fd;

		if (len == HEAD)
			continue;
		send_raw(raw, len, fds, len % 3);
		ck_assert_int_eq(ctl_recv(ends[1], &got, &fd, NULL), -1);
		ck_assert_int_eq(errno, EPROTO);
		ck_assert_int_eq(lowest_free(), lowest);
	}
	/* longer than any message: cut by the kernel */
	memset(raw, 0xff, sizeof(raw));
	sent.len = CTL_TEXT_MAX;
	memcpy(raw, &sent, HEAD);
	send_raw(raw, sizeof(raw), fds, 1);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), -1);
	ck_assert_int_eq(errno, EPROTO);
	/* a length that nothing has */
	memset(raw, 0xff, HEAD);
	send_raw(raw, HEAD + 100, fds, 1);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(lowest_free(), lowest);
}
END_TEST

/* It cannot be told from the peer's end. */
START_TEST(an_empty_message_is_the_end_and_leaks_nothing)
{
	static const int fds[] = {2, 2};

	for (size_t n = 0; n <= NELEMS(fds); n++) {
		send_raw("", 0, fds, n);
		ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 0);
		ck_assert_int_eq(lowest_free(), lowest);
	}
}
END_TEST

START_TEST(the_peers_end_is_told)
{
	ck_assert_int_eq(ctl_send_word(ends[0], CTL_HELLO, 0, -1), 0);
	ck_assert_int_eq(close(ends[0]), 0);
	ends[0] = -1;
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 0);
	ck_assert_int_eq(ctl_send_word(ends[1], CTL_RETIRE, 0, -1), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(the_last_words_come_from_one_who_did_not_listen)
{
	ck_assert_int_eq(ctl_send_word(ends[1], CTL_LOG, 0, -1), 0);
	ck_assert_int_eq(ctl_send_word(ends[0], CTL_REFUSED, 7, -1), 0);
	ck_assert_int_eq(close(ends[0]), 0);
	ends[0] = -1;
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
	ck_assert_int_eq(got.type, CTL_REFUSED);
	ck_assert_int_eq(got.arg, 7);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 0);
}
END_TEST

START_TEST(a_peer_that_does_not_read_stops_nobody)
{
	int n = 0;

	while (ctl_send_word(ends[0], CTL_HELLO, 0, -1) == 0)
		ck_assert_int_lt(++n, 100000);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(ctl_recv(ends[1], &got, NULL, NULL), 1);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_message_arrives_as_it_was_sent,
	    messages_do_not_run_together,
	    the_longest_text_fits_and_no_longer_one,
	    a_descriptor_travels_and_closes_on_exec,
	    a_descriptor_that_nobody_wants_is_closed,
	    descriptors_too_many_do_not_leak,
	    a_descriptor_without_room_is_as_none,
	    a_malformed_message_is_refused_whole,
	    an_empty_message_is_the_end_and_leaks_nothing,
	    the_peers_end_is_told,
	    the_last_words_come_from_one_who_did_not_listen,
	    a_peer_that_does_not_read_stops_nobody,
	};

	return unit_run_in("ctl", tests, NELEMS(tests), set_up, tear_down);
}
