/* exch/body: one direction of an exchange's content, between a producer and a
 * consumer who never call each other: a bounded queue of slices that ends as
 * complete (LAST) or as broken (ABORTED). A broken one can never look complete:
 * nothing but body_end() makes it LAST. What was consumed can be kept and
 * played again while it fits.
 *
 * Content that nobody looks at can go from socket to socket in a pipe, without
 * being copied: the consumer says that it takes pipes, the producer decides.
 * What lies in the pipe comes behind all slices. */
#ifndef GH_BODY_H
#define GH_BODY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/base/buf.h"
#include "common/net/stream.h"
#include "worker/exch/fault.h"
#include "worker/exch/pipes.h"

/* Slices in flight; more means that the consumer is far behind. */
#define BODY_SLICES 16

enum body_state { BODY_OPEN, BODY_LAST, BODY_ABORTED };

/* Content that was pushed; p == NULL: it is complete. */
typedef void body_tee_f(void *self, const char *p, size_t len);

struct body {
	enum body_state state;
	enum fault_id fault; /* with ABORTED */
	uint8_t first; /* oldest slice held, kept ones included */
	uint8_t at; /* slices from `first` to the next one to consume */
	uint8_t n; /* slices held */
	bool is_kept; /* consumed slices stay for body_rewind() */
	bool
	    wants_whole; /* its consumer waits for all of it, or until `high` */
	bool is_prompt; /* its producer never waits for content: what goes in
	                   front of it may wait for it */
	uint32_t at_off; /* bytes consumed of slice `at` */
	uint32_t len; /* bytes not yet consumed */
	uint32_t held; /* bytes held, consumed ones included */
	uint32_t high; /* no room from here on */
	uint64_t total; /* bytes ever pushed */
	struct pipes *pipes; /* the consumer takes a pipe of these, or NULL */
	struct pipe *pipe; /* of them, or NULL */
	uint32_t pipe_cap; /* it holds so many at most */
	uint32_t piped; /* bytes of `len` that lie in it, or without one in a
	                   file */
	int file; /* with that: where they are */
	uint64_t file_off;
	body_tee_f *tee; /* gets to know what is pushed, or NULL */
	void *tee_self;
	struct slice q[BODY_SLICES];
};

void body_init(struct body *b, uint32_t high);
/* Drop all that is held. */
void body_fini(struct body *b);

/* As if nothing had ever been pushed, to an open one of which nothing was
 * consumed; who is told of content (body_tee()) was not told yet. */
void body_restart(struct body *b);

/* Bytes the producer may push now; 0: wait. May let go of what was kept. */
uint32_t body_room(struct body *b);
/* Take a slice (emptied by the call). Contiguous slices become one. Who cannot
 * wait for room may push all the same what he has bounded himself: where there
 * is no place left, what is held is copied into one block. */
void body_push(struct body *b, struct slice *s);
/* For who waits until all of it has come: there is a place for a slice again, if
 * what is held was in too many parts. */
void body_gather(struct body *b);
/* What is held lies in memory of its own from now on: where it came from may go. */
void body_own(struct body *b);
/* Bytes for which the peer that sends them may send as many more: those that were
 * consumed; all that came, as long as the consumer waits for more of it. */
uint64_t body_taken(const struct body *b);
/* The content is complete. */
void body_end(struct body *b);
/* An upgrade turns an ended body into the raw bytes of a tunnel. */
void body_reopen(struct body *b);
/* The content broke; what is queued may still be consumed, or not. */
void body_abort(struct body *b, enum fault_id why);

/* Tell fn of all content, from what is held already on. It does not go through
 * pipes then. Before anything was consumed. */
void body_tee(struct body *b, body_tee_f *fn, void *self);

/* The consumer sends content on by body_drain_pipe() where body_peek() finds no
 * slice; `cap` bytes (PIPE_CAP at most) lie in it. */
void body_take_pipes(struct body *b, struct pipes *pipes, uint32_t cap);
/* Move up to `max` bytes from the stream into the body's pipe. > 0 bytes, or
 * enum stream_rc; AGAIN may also mean that the pipe is full. 0: there is no
 * pipe, read instead. Until it is drained nothing may be pushed. Others have it
 * while nothing lies in it. */
ssize_t body_fill_pipe(struct body *b, struct stream *from, uint64_t max);
/* Whether content can go into a pipe: the consumer takes one, and there is one
 * to be had; if there is none, the consumer is not asked again. */
bool body_has_pipe(struct body *b);
/* Whether the consumer takes content that stays in a file. */
static inline bool
body_takes_file(const struct body *b)
{
	return b->pipes != NULL;
}
/* Give up to `max` bytes of a file from `off` on, which follow those that were
 * given before: it stays open until they are consumed, or the body is done with.
 * Returns how many; 0: enough are waiting. One that turns out to have fewer
 * aborts the body (F_FILE_BROKEN). Nothing else may be pushed meanwhile. */
uint64_t body_give_file(struct body *b, int fd, uint64_t off, uint64_t max);
/* Move what lies in the pipe or the file into the stream; as stream_writev(), 0
 * when it aborted the body. */
ssize_t body_drain_pipe(struct body *b, struct stream *to);

/* Up to n pieces and `max` bytes of what is not yet consumed. Returns how many
 * pieces; *bytes their sum. Valid until the next call that changes b. */
int body_peek(const struct body *b, struct iovec *iov, int n, uint64_t max,
    uint64_t *bytes);
void body_consume(struct body *b, uint64_t bytes);

/* Copy on what came, up to `max` bytes, as far as there is room; consumed here.
 * Content that no pipe holds. Returns how many bytes. */
uint64_t body_pass(
    struct body *from, struct body *to, uint64_t max, struct buf_pool *bufs);

/* Keep consumed slices from now on (call before the first is consumed). */
void body_keep(struct body *b);
/* Let go of them. */
void body_forget(struct body *b);
/* Whether everything ever pushed is still held. */
bool body_can_rewind(const struct body *b);
void body_rewind(struct body *b);

/* Complete and all consumed. */
static inline bool
body_is_done(const struct body *b)
{
	return b->state == BODY_LAST && b->len == 0;
}

#endif
