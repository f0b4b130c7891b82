/* net/stream: a byte stream to a peer: TCP or unix socket, and with the same
 * face TLS. A stream belongs to one connection object, lives inside of it, and
 * tells it of readiness. Reading and writing are speculative: a stream knows
 * from earlier short reads and writes when asking the kernel is useless. */
#ifndef GH_STREAM_H
#define GH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/base/span.h"
#include "common/net/loop.h"

/* What happened, as told to the owner; may be several. */
enum {
	STREAM_OPEN = 1, /* connected; handshakes are through */
	STREAM_READABLE = 2, /* reading may give bytes, the end, or an error */
	STREAM_WRITABLE = 4, /* writing may take bytes */
	STREAM_DEAD = 8 /* error pending; reads and writes tell it */
};

enum stream_rc {
	STREAM_RC_AGAIN = -1, /* nothing now; an event will tell */
	STREAM_RC_EOF = -2, /* the peer ended its direction in order */
	STREAM_RC_ERROR = -3 /* stream_errno() says why */
};

struct stream;

typedef void stream_event_f(void *self, unsigned events);

struct stream_ops {
	/* > 0 bytes, or enum stream_rc. */
	ssize_t (*read)(struct stream *s, void *to, size_t len);
	/* >= 0 bytes taken (0 never for n > 0), or enum stream_rc. */
	ssize_t (*writev)(struct stream *s, const struct iovec *iov, int n);
	/* End our direction; what was written is still delivered. 0 or
	 * ERROR. */
	int (*shutdown)(struct stream *s);
	/* Release everything but the struct itself. */
	void (*close)(struct stream *s);
	/* The socket takes bytes again: send what waits beneath the owner. NULL
	 * where nothing does. */
	void (*on_room)(struct stream *s);
	/* See stream_is_fresh(). */
	bool (*is_fresh)(struct stream *s);
};

struct stream {
	const struct stream_ops *ops;
	struct loop *loop;
	struct watch watch;
	void *impl; /* of what lies above the socket (TLS), or NULL */
	stream_event_f *fn;
	void *self;
	int err; /* errno of the failure */
	bool is_open; /* connected */
	bool is_broken; /* closed by a reset */
	bool may_read; /* not known to be drained */
	bool may_write; /* not known to be full */
	bool is_ready; /* the socket told of bytes; who reads it clears this */
	bool got_rdhup; /* the peer's end is on its way: read on to it */
	bool got_hup;
};

/* Take over a connected non-blocking socket. -1 with errno: the caller still
 * owns fd. */
int stream_open_fd(
    struct stream *s, struct loop *l, int fd, stream_event_f *fn, void *self);
/* The same for one whose peer speaks first and may be served at once: reading
 * may give bytes already, and events are told late (watch_add_late()) as long
 * as nobody waits for one: who got AGAIN does, and who calls stream_await(). */
void stream_open_late(
    struct stream *s, struct loop *l, int fd, stream_event_f *fn, void *self);
/* The same for a socket whose connect is under way: STREAM_OPEN or STREAM_DEAD
 * will be told. */
int stream_open_connecting(
    struct stream *s, struct loop *l, int fd, stream_event_f *fn, void *self);
/* Close the descriptor. No event is told after it. The struct's memory must
 * stay until loop_reap(). Harmless when closed already. */
void stream_close(struct stream *s);
/* Close so that the peer sees a reset: what it got cannot look complete. */
void stream_reset(struct stream *s);
/* Bytes written that the peer's kernel has not taken yet; 0 when unknown. */
size_t stream_unsent(const struct stream *s);
/* Whether the open stream has nothing to read: asks the kernel, whatever events
 * told, and lets through what is no content (tickets of TLS). may_read is so
 * after it. */
static inline bool
stream_is_fresh(struct stream *s)
{
	return s->ops->is_fresh(s);
}
/* Give the raw descriptor away (plain streams only, for splice or handing on);
 * the stream is closed after it. */
int stream_take_fd(struct stream *s);
/* Whether a plain descriptor stands behind it that splice(2) can use. */
bool stream_can_splice(const struct stream *s);
/* Move up to len bytes into a pipe; as stream_read(). AGAIN from one that was
 * not empty may mean that it is full. Only where stream_can_splice(). */
ssize_t stream_splice_in(struct stream *s, int pipe, size_t len, bool is_empty);
/* Move up to len bytes, which lie in it, out of a pipe; as stream_writev(). */
ssize_t stream_splice_out(struct stream *s, int pipe, size_t len);
/* Send up to len bytes of a file, from `off` on: > 0 bytes, 0: the file has none
 * there, or enum stream_rc. Only where stream_can_splice(). */
ssize_t stream_send_file(struct stream *s, int fd, uint64_t off, size_t len);

static inline bool
stream_is_closed(const struct stream *s)
{
	return s->watch.fd < 0;
}

/* The owner waits for an event. */
static inline void
stream_await(struct stream *s)
{
	if (list_is_linked(&s->watch.late))
		watch_arm(s->loop, &s->watch);
}

static inline ssize_t
stream_read(struct stream *s, void *to, size_t len)
{
	ssize_t rc = s->may_read ? s->ops->read(s, to, len) : STREAM_RC_AGAIN;

	if (rc == STREAM_RC_AGAIN)
		stream_await(s);
	return rc;
}

static inline ssize_t
stream_writev(struct stream *s, const struct iovec *iov, int n)
{
	ssize_t rc = s->may_write ? s->ops->writev(s, iov, n) : STREAM_RC_AGAIN;

	/* a short write has told that there is no more room */
	if (!s->may_write)
		stream_await(s);
	return rc;
}

/* The same for bytes with others right behind them: they may wait for these, so
 * that both go out together. */
ssize_t stream_writev_more(struct stream *s, const struct iovec *iov, int n);

static inline int
stream_shutdown(struct stream *s)
{
	return s->ops->shutdown(s);
}

static inline int
stream_errno(const struct stream *s)
{
	return s->err;
}

#endif
