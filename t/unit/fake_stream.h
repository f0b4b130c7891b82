/* unit/fake_stream: a stream without a socket: gives and takes as many bytes a
 * call as the test says, with "nothing now" in between. */
#ifndef GH_FAKE_STREAM_H
#define GH_FAKE_STREAM_H

#include <check.h>
#include <string.h>

#include "common/base/num.h"
#include "common/net/stream.h"

#define FAKE_CAP (256u * 1024)

struct fake_stream {
	struct stream s; /* first: it is what callers hold */
	span in; /* what is still to be read */
	ssize_t in_end; /* enum stream_rc behind it */
	size_t step; /* bytes a call; 0: all */
	bool pauses; /* every other call says AGAIN */
	bool was_paused;
	unsigned n_calls;
	size_t len;
	char out[FAKE_CAP]; /* what was written */
};

static inline bool
fake_pauses(struct fake_stream *f)
{
	f->n_calls++;
	f->was_paused = f->pauses && !f->was_paused;
	return f->was_paused;
}

static ssize_t
fake_read(struct stream *s, void *to, size_t len)
{
	struct fake_stream *f = s->self;
	size_t n = size_min(len, f->in.len);

	if (fake_pauses(f))
		return STREAM_RC_AGAIN;
	if (f->in.len == 0)
		return f->in_end;
	if (f->step > 0)
		n = size_min(n, f->step);
	memcpy(to, f->in.p, n);
	f->in = span_from(f->in, n);
	return (ssize_t)n;
}

static ssize_t
fake_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct fake_stream *f = s->self;
	size_t room = f->step > 0 ? f->step : FAKE_CAP;
	size_t took = 0;

	if (fake_pauses(f))
		return STREAM_RC_AGAIN;
	for (int i = 0; i < n; i++) {
		size_t part = size_min(iov[i].iov_len, room - took);

		ck_assert_uint_gt(iov[i].iov_len, 0);
		ck_assert_uint_le(f->len + part, FAKE_CAP);
		memcpy(f->out + f->len, iov[i].iov_base, part);
		f->len += part;
		took += part;
	}
	return (ssize_t)took;
}

static const struct stream_ops fake_ops = {
    .read = fake_read,
    .writev = fake_writev,
};

static inline void
fake_init(struct fake_stream *f, size_t step, bool pauses)
{
	memset(f, 0, sizeof(*f));
	list_init(&f->s.watch.late);
	f->s.ops = &fake_ops;
	f->s.self = f;
	f->s.is_open = f->s.may_read = f->s.may_write = true;
	f->in_end = STREAM_RC_AGAIN;
	f->step = step;
	f->pauses = pauses;
}

#endif
