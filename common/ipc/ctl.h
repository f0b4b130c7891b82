/* ipc/ctl: control messages between the master and the processes below it, over
 * a SOCK_SEQPACKET pair each: fixed-size head, bounded text, passed
 * descriptors, and the sender's credentials as the kernel knows them. */
#ifndef GH_CTL_H
#define GH_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/span.h"

enum ctl_type {
	/* to a nursery */
	CTL_SPAWN = 1, /* slot, incarnation; one fd: the worker's ctl end */
	/* from a nursery */
	CTL_PREPARED, /* ready to spawn; arg: when the first certificate ends;
	                 one fd: a file for CTL_CERTIFICATES */
	CTL_REFUSED, /* text: a piece of diag_serialize(); arg 1: the last one
		      */
	/* from a worker or the steward */
	CTL_HELLO, /* first word: the kernel's credentials name its pid */
	CTL_READY, /* it accepts */
	CTL_RETIRED, /* it no longer accepts; arg: connections left */
	/* to a worker or the steward */
	CTL_RETIRE, /* stop accepting, finish, exit; arg: milliseconds to do
		     * so, 0: as long as it takes */
	CTL_CLOSE_IDLE, /* nobody will be there for their next request */
	CTL_LOG, /* arg: index of the log; one fd to use from now on */
	CTL_LOGS_DONE, /* all reopened */
	/* to the steward */
	CTL_STATE, /* one fd: a file with what only the master knows, as JSON.
		      What CTL_CONF and CTL_ADMIN told before holds from now */
	CTL_CONF, /* one fd: a file with what it needs of the configuration, as
	             JSON; arg: admin sockets that follow */
	CTL_ADMIN, /* one fd: the next admin socket; arg: its index */
	CTL_CERTIFICATES, /* one fd: a file with the certificates that are
	                     shown, as JSON */
	CTL_CACHE_SAVE, /* arg: number of a cache; one fd: an empty file for a
	                   snapshot of it. CTL_CACHE_FLAG: it is the last */
	CTL_CACHE_LOAD, /* arg: number of a cache; one fd: a snapshot to fill
	                   it from. CTL_CACHE_FLAG: what it has is to be
	                   validated before use */
	CTL_QUOTA_SAVE, /* one fd: an empty file for what is used of quotas */
	CTL_QUOTA_LOAD, /* one fd: such a file, to be counted */
	/* from the steward */
	CTL_QUOTA_DONE, /* with the last CTL_QUOTA_SAVE or CTL_QUOTA_LOAD; arg:
	                  1: it is good */
	CTL_ASK, /* arg: enum ctl_ask. CTL_STATE tells what came of it */
	CTL_CACHE_DONE, /* with the last CTL_CACHE_SAVE or CTL_CACHE_LOAD; arg:
	                  1: all of it */
	CTL_RUN, /* the command that checks a server; arg: ctl_run_arg() */
	/* to the steward */
	CTL_RAN, /* what came of it; arg: ctl_run_arg() of an enum ctl_ran, or
	           an exit status below them, and the number asked for */
	/* from a worker */
	CTL_HELP, /* a program that knows users; arg: ctl_help_arg(). One that
	             runs under it is ended */
	/* to a worker */
	CTL_HELPER /* one fd: the socket that speaks with it; none: it was not
	              begun. arg: as it was asked for */
};

/* Of a command that did not end by itself. */
enum ctl_ran {
	RAN_STATUSES = 256, /* exit statuses are below */
	RAN_LATE, /* its time was over */
	RAN_NOT /* it was not begun: of another configuration, or too many */
};

/* `high`: the number of the generation that names the command, or what came of
 * it; `number`: of the server, as CTL_CONF told it. */
static inline uint64_t
ctl_run_arg(uint32_t high, uint32_t number)
{
	return (uint64_t)high << 32 | number;
}

/* The number of an [auth] in its configuration, and the program's own among
 * those that a worker has of it. */
static inline uint64_t
ctl_help_arg(uint32_t auth, uint32_t place)
{
	return (uint64_t)place << 32 | auth;
}

static inline uint32_t
ctl_help_auth(uint64_t arg)
{
	return (uint32_t)arg;
}

static inline uint32_t
ctl_help_place(uint64_t arg)
{
	return (uint32_t)(arg >> 32);
}

/* What the steward may ask of the master: what signals ask, too. */
enum ctl_ask { ASK_RELOAD = 1, ASK_REOPEN, ASK_QUIT, ASK_STOP, ASK_DRAIN };

/* In arg of CTL_CACHE_SAVE and CTL_CACHE_LOAD; the number is below. */
#define CTL_CACHE_FLAG (UINT64_C(1) << 32)

/* Index of the error log in CTL_LOG; others count boot.logs. */
#define CTL_LOG_ERROR UINT64_MAX

#define CTL_TEXT_MAX 32768

struct ctl_msg {
	uint32_t type;
	uint32_t slot;
	uint32_t incarnation;
	uint32_t len; /* bytes of text */
	uint64_t arg;
	char text[CTL_TEXT_MAX];
};

/* A pair of non-blocking, close-on-exec ends that pass credentials. -1, errno.
 */
int ctl_pair(int fds[2]);
/* Send; fd -1: none. 0, or -1 with errno (EAGAIN: the peer does not read). */
int ctl_send(int s, const struct ctl_msg *m, int fd);
/* Whether the errno of a send says that the other end is closed: its process
 * has ended, which is told by who waits for it. */
bool ctl_is_gone(int err);
/* A message without text. */
int ctl_send_word(int s, enum ctl_type type, uint64_t arg, int fd);
/* Receive one. 1: got it; 0: the peer is gone; -1 with errno (EAGAIN, EPROTO
 * for malformed, or with more than one descriptor). *fd is a passed descriptor
 * that the caller owns, or -1: also when this process has no room for the one
 * that was passed. *pid is the sender's. Pointers may be NULL
 * (then a descriptor is closed). */
int ctl_recv(int s, struct ctl_msg *m, int *fd, pid_t *pid);

#endif
