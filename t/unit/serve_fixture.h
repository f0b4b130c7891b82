/* unit/serve_fixture: a loop, sockets with names that the kernel chose, and a
 * peer that says exact bytes. */
#ifndef GH_SERVE_FIXTURE_H
#define GH_SERVE_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/loop.h"
#include "common/net/sock.h"

/* Longest wait for anything. */
#define PUMP_MS 20000

static struct loop *loop;

/* A listening unix socket; *addr is its kernel-given abstract name. */
static inline int
fix_listen(struct sock_addr *addr)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&un, sizeof(un.sun_family)), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(sock_local(fd, addr), 0);
	return fd;
}

static inline int
fix_connect(const struct sock_addr *to)
{
	bool is_done;
	int fd = sock_connect(to, &is_done);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* As much as goes. */
static inline size_t
fix_send(int fd, const char *p, size_t len)
{
	ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

	return n < 0 ? 0 : (size_t)n;
}

static inline void
fix_say(int fd, const char *text)
{
	ck_assert_uint_eq(fix_send(fd, text, strlen(text)), strlen(text));
}

/* Take what came behind what is in `got`; whether the peer ended. */
static inline bool
fix_hear(int fd, char *got, size_t cap)
{
	size_t len = strlen(got);
	ssize_t n;

	while ((n = recv(fd, got + len, cap - 1 - len, 0)) > 0) {
		len += (size_t)n;
		got[len] = '\0';
		if (len == cap - 1)
			return false;
	}
	return n == 0 || errno != EAGAIN;
}

#define fix_until(cond) \
	do { \
		uint64_t end_us = clock_mono_us() + PUMP_MS * 1000u; \
		while (!(cond)) { \
			ck_assert_msg(clock_mono_us() < end_us, \
			    "never came: %s", #cond); \
			loop_step(loop, 5); \
		} \
	} while (0)

#endif
