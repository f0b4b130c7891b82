/* exch/bfilter: the driver of filters. Knows nothing of what they do. Who calls
 * it: the exchange's driver, between the handler and the front. */
#include "worker/exch/bfilter.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"

/* Bytes of output that wait for the next one in line. */
#define BFILTER_HIGH (32u * 1024)
/* Bytes, in and out together, that one turn of the exchange moves before other
 * connections get theirs: a few milliseconds of the slowest filter. */
#define BFILTERS_TURN (64u * 1024)

struct bfilter {
	const struct bfilter_ops *ops;
	void *self; /* NULL: closed */
	struct buf *block; /* output goes behind what it holds; or NULL */
	bool is_full; /* it has more output than there was room for */
	bool is_holding; /* it took input and was not asked for all output */
	struct body out;
};

struct bfilters {
	struct exch *x;
	struct timer idle; /* runs while something is held */
	bool is_due; /* it ran out: all that is held is to come out */
	bool is_busy; /* the turn's bytes were used up */
	uint32_t left; /* of them */
	uint32_t n;
	struct bfilter at[BFILTERS_MAX];
};

static void
bfilters_idle(void *self)
{
	struct bfilters *fs = self;

	fs->is_due = true;
	exch_kick(fs->x);
}

static struct bfilters *
bfilters_new(struct exch *x)
{
	struct bfilters *fs = arena_zalloc(&x->arena, sizeof(*fs));

	fs->x = x;
	timer_init(&fs->idle, bfilters_idle, fs);
	return fs;
}

void
bfilter_add(struct exch *x, const struct bfilter_ops *ops, void *self)
{
	struct bfilter *f;

	REQUIRE(!x->is_begun);
	if (x->filters == NULL)
		x->filters = bfilters_new(x);
	REQUIRE(x->filters->n < BFILTERS_MAX);
	f = &x->filters->at[x->filters->n++];
	*f = (struct bfilter){.ops = ops, .self = self};
	body_init(&f->out, BFILTER_HIGH);
	x->out = &f->out;
}

static void
bfilter_close(struct bfilter *f)
{
	if (f->self != NULL)
		f->ops->close(f->self);
	f->self = NULL;
	buf_unref(f->block);
	f->block = NULL;
	f->is_full = f->is_holding = false;
}

static void
bfilter_break(struct bfilter *f, enum fault_id why)
{
	bfilter_close(f);
	body_abort(&f->out, why);
}

/* Room for output, which may go beyond what the next one takes now by a block.
 */
static void
bfilter_make_room(struct bfilter *f, struct buf_pool *bufs)
{
	if (f->block != NULL && buf_room(f->block) >= BFILTER_OUT_MIN)
		return;
	buf_unref(f->block);
	f->block = buf_new(bufs);
}

/* Whether there is anything to call the filter for. */
static bool
bfilter_has_work(const struct bfilters *fs, const struct bfilter *f,
    const struct iovec *in, enum bfilter_how how)
{
	return in->iov_len > 0 || f->is_full || how == BFILTER_LAST ||
	       (fs->is_due && f->is_holding);
}

static enum bfilter_how
bfilter_how(const struct bfilters *fs, const struct body *from, uint64_t bytes)
{
	if (from->state == BODY_LAST && from->len == bytes)
		return BFILTER_LAST;
	return fs->is_due && from->len == bytes ? BFILTER_FLUSH : BFILTER_RUN;
}

/* One call of the filter, and what came of it. */
static void
bfilter_step(struct bfilters *fs, struct bfilter *f, struct body *from,
    const struct iovec *in, enum bfilter_how how)
{
	struct bfilter_io io = {.in = in->iov_base, .in_len = in->iov_len};
	enum bfilter_rc rc;
	uint32_t took;
	uint32_t made;
	struct slice s;

	bfilter_make_room(f, &fs->x->w->bufs);
	io.out = f->block->data + f->block->used;
	io.out_len = buf_room(f->block);
	made = (uint32_t)io.out_len;
	rc = f->ops->step(f->self, &io, how);
	took = (uint32_t)(in->iov_len - io.in_len);
	made -= (uint32_t)io.out_len;
	f->block->used += made;
	s = slice_of(f->block, f->block->used - made, made);
	body_push(&f->out, &s);
	body_consume(from, took);
	fs->left -= (uint32_t)u64_min(fs->left, took + made);
	f->is_full = rc == BFILTER_FULL;
	if (took > 0)
		f->is_holding = true;
	switch (rc) {
	case BFILTER_OK:
		REQUIRE(took == in->iov_len && how != BFILTER_LAST);
		if (how == BFILTER_FLUSH)
			f->is_holding = false;
		break;
	case BFILTER_FULL:
		REQUIRE(io.out_len == 0);
		break;
	case BFILTER_DONE:
		bfilter_close(f);
		body_end(&f->out);
		break;
	case BFILTER_BAD:
		bfilter_break(f, F_ORIGIN_BAD);
		break;
	}
}

/* Move content through one filter until it, or the next one, takes no more. */
static bool
bfilter_run(struct bfilters *fs, struct bfilter *f, struct body *from)
{
	bool moved = false;

	if (from->state == BODY_ABORTED && f->out.state == BODY_OPEN) {
		bfilter_break(f, from->fault);
		return true;
	}
	while (f->out.state == BODY_OPEN && body_room(&f->out) > 0) {
		struct iovec in = {NULL, 0};
		enum bfilter_how how;
		uint64_t bytes;

		(void)body_peek(from, &in, 1, fs->left, &bytes);
		how = bfilter_how(fs, from, bytes);
		if (fs->left > 0 && !bfilter_has_work(fs, f, &in, how))
			break;
		if (fs->left == 0) {
			fs->is_busy = from->len > 0 || f->is_full;
			break;
		}
		bfilter_step(fs, f, from, &in, how);
		moved = true;
	}
	return moved;
}

/* The clock runs while something is held; what was due has come out when nothing
 * is held any more. */
static void
bfilters_watch(struct bfilters *fs)
{
	bool is_holding = false;

	for (uint32_t i = 0; i < fs->n; i++)
		is_holding |= fs->at[i].is_holding;
	if (!is_holding) {
		fs->is_due = false;
		loop_timer_clear(fs->x->w->loop, &fs->idle);
	} else if (!fs->is_due && !timer_is_set(&fs->idle)) {
		loop_timer_set(fs->x->w->loop, &fs->idle, BFILTER_IDLE_MS);
	}
}

bool
bfilters_run(struct exch *x)
{
	struct bfilters *fs = x->filters;
	struct body *from = &x->resp_body;
	bool moved = false;

	/* who yielded comes back with a turn's bytes */
	fs->is_busy = false;
	fs->left = BFILTERS_TURN;
	for (uint32_t i = 0; i < fs->n; i++) {
		moved |= bfilter_run(fs, &fs->at[i], from);
		from = &fs->at[i].out;
	}
	bfilters_watch(fs);
	return moved;
}

bool
bfilters_are_busy(const struct exch *x)
{
	return x->filters != NULL && x->filters->is_busy;
}

void
bfilters_drop(struct exch *x)
{
	struct bfilters *fs = x->filters;

	loop_timer_clear(x->w->loop, &fs->idle);
	for (uint32_t i = 0; i < fs->n; i++) {
		bfilter_close(&fs->at[i]);
		body_fini(&fs->at[i].out);
	}
	x->filters = NULL;
	x->out = &x->resp_body;
}
