/* exch/body: a bounded queue of slices between producer and consumer. Knows
 * nothing of wires, framing or sockets. Slices before `at` were consumed and
 * stay only while is_kept. */
#include "worker/exch/body.h"

#include "common/base/check.h"
#include "common/base/num.h"

/* Of a file that waits to be sent: it takes no memory, and one call sends as much
 * of it as the socket takes. */
#define BODY_FILE_CAP (1024u * 1024)

static struct slice *
body_slot(struct body *b, unsigned i)
{
	return &b->q[(b->first + i) % BODY_SLICES];
}

static const struct slice *
body_slot_const(const struct body *b, unsigned i)
{
	return &b->q[(b->first + i) % BODY_SLICES];
}

void
body_init(struct body *b, uint32_t high)
{
	b->state = BODY_OPEN;
	b->fault = F_NONE;
	b->first = b->at = b->n = 0;
	b->is_kept = b->wants_whole = b->is_prompt = false;
	b->at_off = b->len = b->held = 0;
	b->high = high;
	b->total = 0;
	b->pipes = NULL;
	b->pipe = NULL;
	b->pipe_cap = 0;
	b->piped = 0;
	b->file = -1;
	b->file_off = 0;
	b->tee = NULL;
	b->tee_self = NULL;
}

/* Drop consumed slices from the front of the queue. */
static void
body_trim(struct body *b)
{
	while (b->at > 0) {
		struct slice *s = body_slot(b, 0);

		b->held -= s->len;
		slice_drop(s);
		b->first = (uint8_t)((b->first + 1) % BODY_SLICES);
		b->at--;
		b->n--;
	}
}

/* Others may have it, if nothing is left in it. */
static void
body_leave_pipe(struct body *b)
{
	if (b->pipe != NULL)
		pipes_give(b->pipes, b->pipe, b->piped == 0);
	b->pipe = NULL;
	b->piped = 0;
}

void
body_fini(struct body *b)
{
	while (b->n > 0) {
		slice_drop(body_slot(b, (unsigned)b->n - 1));
		b->n--;
	}
	b->at = 0;
	b->at_off = b->len = b->held = 0;
	b->is_kept = false;
	body_leave_pipe(b);
}

void
body_restart(struct body *b)
{
	REQUIRE(b->state == BODY_OPEN && b->total == b->len && b->tee == NULL);
	body_fini(b);
	b->total = 0;
}

uint32_t
body_room(struct body *b)
{
	uint32_t high;

	if (b->state != BODY_OPEN)
		return 0;
	if (b->is_kept && (b->n == BODY_SLICES || b->held >= b->high))
		body_forget(b);
	high = b->piped > 0 ? b->pipe_cap : b->high;
	if (b->n == BODY_SLICES || b->len >= high)
		return 0;
	return high - b->len;
}

/* Whether the slice goes on where the last one held ends. */
static bool
body_extends(const struct body *b, const struct slice *s)
{
	const struct slice *last;

	if (b->n == 0 || b->at == b->n)
		return false;
	last = body_slot_const(b, (unsigned)b->n - 1);
	return last->buf == s->buf && last->p + last->len == s->p;
}

/* The block that begins with the first slice and has room for the others, which
 * nobody else holds; NULL when there is none. */
static struct buf *
body_roomy(const struct body *b)
{
	const struct slice *s = body_slot_const(b, 0);
	struct buf *all = s->buf;

	if (all == NULL || all->refs != 1 || s->p != all->data ||
	    s->len != all->used || all->cap < b->held)
		return NULL;
	return buf_ref(all);
}

/* Put all that is held into one block: pieces that cannot be refused any more
 * have come in more parts than there are places. It has room for as much again,
 * so that however small the pieces are, a byte is copied a few times at most. */
static void
body_squeeze(struct body *b)
{
	struct buf *all = body_roomy(b);
	uint32_t consumed = b->at_off;
	unsigned first = all == NULL ? 0 : 1;

	if (all == NULL)
		all = buf_new_sized(NULL, 2 * (size_t)b->held);
	for (unsigned i = 0; i < b->n; i++) {
		struct slice *s = body_slot(b, i);

		if (i < b->at)
			consumed += s->len;
		if (i >= first) {
			memcpy(all->data + all->used, s->p, s->len);
			all->used += s->len;
		}
		slice_drop(s);
	}
	b->n = 1;
	b->at = consumed == b->held ? 1 : 0;
	b->at_off = consumed == b->held ? 0 : consumed;
	*body_slot(b, 0) = slice_of(all, 0, b->held);
	buf_unref(all);
}

void
body_push(struct body *b, struct slice *s)
{
	uint32_t len = s->len;

	REQUIRE(b->state == BODY_OPEN && b->piped == 0);
	if (len == 0) {
		slice_drop(s);
		return;
	}
	if (b->tee != NULL)
		b->tee(b->tee_self, s->p, len);
	if (body_extends(b, s)) {
		body_slot(b, (unsigned)b->n - 1)->len += len;
		slice_drop(s);
	} else {
		if (b->n == BODY_SLICES)
			body_squeeze(b);
		*body_slot(b, b->n) = *s;
		b->n++;
		*s = (struct slice){NULL, NULL, 0};
	}
	b->len += len;
	b->held += len;
	b->total += len;
}

void
body_gather(struct body *b)
{
	if (b->n == BODY_SLICES)
		body_squeeze(b);
}

void
body_own(struct body *b)
{
	for (unsigned i = 0; i < b->n; i++)
		if (body_slot(b, i)->buf == NULL) {
			body_squeeze(b);
			return;
		}
}

uint64_t
body_taken(const struct body *b)
{
	return b->wants_whole && b->len < b->high ? b->total
						  : b->total - b->len;
}

void
body_end(struct body *b)
{
	REQUIRE(b->state == BODY_OPEN);
	b->state = BODY_LAST;
	if (b->tee != NULL)
		b->tee(b->tee_self, NULL, 0);
}

void
body_reopen(struct body *b)
{
	REQUIRE(b->state == BODY_LAST);
	b->state = BODY_OPEN;
}

void
body_abort(struct body *b, enum fault_id why)
{
	if (b->state == BODY_ABORTED)
		return;
	b->state = BODY_ABORTED;
	b->fault = why;
}

/* --- pipes ---------------------------------------------------------------- */

void
body_take_pipes(struct body *b, struct pipes *pipes, uint32_t cap)
{
	REQUIRE(cap > 0 && cap <= PIPE_CAP);
	if (b->tee == NULL)
		b->pipes = pipes;
	b->pipe_cap = cap;
}

void
body_tee(struct body *b, body_tee_f *fn, void *self)
{
	b->tee = fn;
	b->tee_self = self;
	for (unsigned i = b->at; i < b->n; i++) {
		const struct slice *s = body_slot_const(b, i);

		fn(self, s->p, s->len);
	}
	if (b->state == BODY_LAST)
		fn(self, NULL, 0);
}

static void
body_piped(struct body *b, uint32_t n)
{
	b->piped += n;
	b->len += n;
	b->total += n;
}

bool
body_has_pipe(struct body *b)
{
	if (b->pipes == NULL)
		return false;
	REQUIRE(b->state == BODY_OPEN && !b->is_kept);
	if (b->pipe == NULL)
		b->pipe = pipes_take(b->pipes);
	if (b->pipe == NULL)
		b->pipes = NULL;
	return b->pipe != NULL;
}

ssize_t
body_fill_pipe(struct body *b, struct stream *from, uint64_t max)
{
	ssize_t n;

	/* nothing to ask the kernel for: no pipe is needed either */
	if (b->pipe == NULL && !from->may_read) {
		stream_await(from);
		return STREAM_RC_AGAIN;
	}
	if (!body_has_pipe(b))
		return 0;
	if (b->piped >= b->pipe_cap)
		return STREAM_RC_AGAIN;
	n = stream_splice_in(from, b->pipe->in,
	    (size_t)u64_min(max, b->pipe_cap - b->piped), b->piped == 0);
	if (n > 0)
		body_piped(b, (uint32_t)n);
	else if (b->piped == 0)
		body_leave_pipe(b);
	return n;
}

uint64_t
body_give_file(struct body *b, int fd, uint64_t off, uint64_t max)
{
	/* a quota bounds what it has not counted */
	uint32_t cap = b->pipe_cap < PIPE_CAP ? b->pipe_cap : BODY_FILE_CAP;
	uint64_t n = u64_min(max, cap - b->piped);

	REQUIRE(b->state == BODY_OPEN && b->pipe == NULL && b->at == b->n);
	if (b->piped == 0) {
		b->file = fd;
		b->file_off = off;
	}
	REQUIRE(b->file == fd && b->file_off + b->piped == off);
	body_piped(b, (uint32_t)n);
	return n;
}

/* What waits in a file. */
static ssize_t
body_drain_file(struct body *b, struct stream *to)
{
	ssize_t n = stream_send_file(to, b->file, b->file_off, b->piped);

	/* shorter than was promised: it must not look complete */
	if (n == 0)
		body_abort(b, F_FILE_BROKEN);
	else if (n > 0)
		b->file_off += (uint64_t)n;
	return n;
}

ssize_t
body_drain_pipe(struct body *b, struct stream *to)
{
	ssize_t n = b->pipe == NULL
			? body_drain_file(b, to)
			: stream_splice_out(to, b->pipe->out, b->piped);

	REQUIRE(b->at == b->n);
	if (n <= 0)
		return n;
	b->piped -= (uint32_t)n;
	b->len -= (uint32_t)n;
	if (b->piped == 0)
		body_leave_pipe(b);
	return n;
}

/* --- consuming ------------------------------------------------------------ */

int
body_peek(const struct body *b, struct iovec *iov, int n, uint64_t max,
    uint64_t *bytes)
{
	uint32_t off = b->at_off;
	int used = 0;

	*bytes = 0;
	for (unsigned i = b->at; i < b->n && used < n && *bytes < max; i++) {
		const struct slice *s = body_slot_const(b, i);
		uint64_t len = u64_min(s->len - off, max - *bytes);

		/* iovec has no const; the bytes are only read */
		memcpy(&iov[used].iov_base, &(const char *){s->p + off},
		    sizeof(char *));
		iov[used].iov_len = len;
		*bytes += len;
		used++;
		off = 0;
	}
	return used;
}

void
body_consume(struct body *b, uint64_t bytes)
{
	REQUIRE(bytes <= b->len - b->piped);
	b->len -= (uint32_t)bytes;
	while (bytes > 0) {
		const struct slice *s = body_slot(b, b->at);
		uint32_t left = s->len - b->at_off;

		if (bytes < left) {
			b->at_off += (uint32_t)bytes;
			break;
		}
		bytes -= left;
		b->at++;
		b->at_off = 0;
	}
	if (!b->is_kept)
		body_trim(b);
}

/* One piece into another body: whose arena holds it does not matter then. */
static void
body_pass_piece(struct body *to, const struct iovec *iov, struct buf_pool *bufs)
{
	size_t done = 0;

	while (done < iov->iov_len) {
		struct buf *b = buf_new(bufs);
		size_t n = u64_min(iov->iov_len - done, b->cap);
		struct slice s;

		memcpy(b->data, (const char *)iov->iov_base + done, n);
		b->used = (uint32_t)n;
		s = slice_of(b, 0, (uint32_t)n);
		buf_unref(b);
		body_push(to, &s);
		done += n;
	}
}

uint64_t
body_pass(
    struct body *from, struct body *to, uint64_t max, struct buf_pool *bufs)
{
	uint64_t sum = 0;
	struct iovec iov;
	uint64_t bytes;

	while (sum < max && body_room(to) > 0) {
		uint64_t room = u64_min(body_room(to), BUF_CAP);

		if (body_peek(
			from, &iov, 1, u64_min(room, max - sum), &bytes) == 0)
			break;
		body_pass_piece(to, &iov, bufs);
		body_consume(from, bytes);
		sum += bytes;
	}
	return sum;
}

void
body_keep(struct body *b)
{
	REQUIRE(b->total == b->held);
	b->is_kept = true;
}

void
body_forget(struct body *b)
{
	b->is_kept = false;
	body_trim(b);
}

bool
body_can_rewind(const struct body *b)
{
	return b->total == b->held;
}

void
body_rewind(struct body *b)
{
	REQUIRE(body_can_rewind(b));
	b->at = 0;
	b->at_off = 0;
	b->len = b->held;
}
