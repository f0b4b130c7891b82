/* filter/filter_decode: see exch/decode.h. What a few bytes can become is bounded
 * by the caller: room grows with what comes, up to that. */
#include "worker/filter/filter_decode.h"

#include <string.h>

#include "common/base/num.h"
#include "worker/filter/codec.h"
#include "worker/filter/compress.h"

/* Of what usually comes out of a byte. */
#define GROWTH 4u

struct room {
	struct decode *d;
	char *p;
	size_t len, cap;
};

/* Twice the room, which holds one step more than is told. */
static void
room_grow(struct room *r)
{
	uint64_t most = r->d->max + BFILTER_OUT_MIN;
	size_t cap = (size_t)u64_min(most, (uint64_t)r->cap * 2);
	char *p = arena_alloc(r->d->arena, cap);

	memcpy(p, r->p, r->len);
	r->p = p;
	r->cap = cap;
}

static void
room_open(struct room *r, struct decode *d, size_t len)
{
	uint64_t cap = (uint64_t)len * GROWTH + BFILTER_OUT_MIN;

	*r = (struct room){.d = d};
	r->cap = (size_t)u64_min(cap, d->max + BFILTER_OUT_MIN);
	r->p = arena_alloc(d->arena, r->cap);
}

static enum decode_rc
decode_all(void *self, span in, struct room *r)
{
	for (;;) {
		struct bfilter_io io = {
		    in.p, in.len, r->p + r->len, r->cap - r->len};
		enum bfilter_rc rc = codec_ops.step(self, &io, BFILTER_LAST);

		in = span_from(in, in.len - io.in_len);
		r->len = r->cap - io.out_len;
		if (r->len > r->d->max)
			return DECODE_LONG;
		switch (rc) {
		case BFILTER_FULL:
			break;
		case BFILTER_DONE:
			return DECODE_OK;
		case BFILTER_OK:
		case BFILTER_BAD:
			return DECODE_BAD;
		}
		if (r->cap - r->len < BFILTER_OUT_MIN)
			room_grow(r);
	}
}

enum decode_rc
filter_decode(struct worker *w, enum coding c, span in, struct decode *d)
{
	struct room r;
	enum decode_rc rc;
	void *self;

	d->text = (span){0};
	self = c < CODING_N && codec_decodes(c)
		   ? codec_open_decode(compress_pool(w), c, 0)
		   : NULL;
	if (self == NULL)
		return DECODE_BAD;
	room_open(&r, d, in.len);
	rc = decode_all(self, in, &r);
	codec_ops.close(self);
	d->text = span_of(r.p, (size_t)u64_min(r.len, d->max));
	return rc;
}
