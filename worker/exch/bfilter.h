/* exch/bfilter: what stands between an answer's content as its handler makes it
 * and as its front sends it. A filter turns bytes into bytes and knows neither
 * neighbours nor sockets; the driver here moves content through the chain,
 * holds it back where the next one takes no more, and is the only one who calls
 * a filter: one place for back-pressure, no recursion, however long the chain.
 *
 * Content that a filter has taken and not given yet is asked of it when nothing
 * more came for a moment: a streamed answer is not held back. */
#ifndef GH_BFILTER_H
#define GH_BFILTER_H

#include <stdbool.h>
#include <stddef.h>

struct exch;

/* Filters of one answer. */
#define BFILTERS_MAX 4
/* Longest time that a filter keeps what could be sent, in ms. */
#define BFILTER_IDLE_MS 5

/* Room for output that a step finds at least: the mark of a flush fits into it,
 * so that one that was cut off is not made again for ever. */
#define BFILTER_OUT_MIN 64

/* What a step is for. */
enum bfilter_how {
	BFILTER_RUN, /* take input, give output as it suits */
	BFILTER_FLUSH, /* give all output of what was taken so far */
	BFILTER_LAST /* there is no input behind this: finish */
};

enum bfilter_rc {
	BFILTER_OK, /* all input is taken, and what was asked for is done */
	BFILTER_FULL, /* `out` has no more room: call again with more of it */
	BFILTER_DONE, /* finished: nothing comes any more, whatever came in */
	BFILTER_BAD /* the input is not what it should be */
};

/* Where a step reads and writes; it moves what it used from the front. */
struct bfilter_io {
	const char *in;
	size_t in_len;
	char *out;
	size_t out_len; /* >= BFILTER_OUT_MIN */
};

/* A kind of filter. Its state is made by its own folder, which knows for what.
 * All calls return without calling back. */
struct bfilter_ops {
	const char *name;
	enum bfilter_rc (*step)(
	    void *self, struct bfilter_io *io, enum bfilter_how how);
	/* Let go of the state; called once, whatever became of it. */
	void (*close)(void *self);
};

/* Put a filter behind those of the answer: x->out is what it makes from now
 * on. Before anything was sent; `self` is closed by the driver. */
void bfilter_add(struct exch *x, const struct bfilter_ops *ops, void *self);

/* For exch.c: move what can be moved. Whether anything did. */
bool bfilters_run(struct exch *x);
/* Work remains that only waits for its turn: others come first. */
bool bfilters_are_busy(const struct exch *x);
/* Close what is still open; x->out is x->resp_body again. */
void bfilters_drop(struct exch *x);

#endif
