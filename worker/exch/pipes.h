/* exch/pipes: pipes for content that goes from one socket to another without
 * being copied (splice(2)). A worker keeps those that were emptied; one with
 * something in it is never used for another exchange. */
#ifndef GH_PIPES_H
#define GH_PIPES_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that a pipe of ours holds at most. */
#define PIPE_CAP (256u * 1024)

struct pipe {
	int out; /* to read from */
	int in; /* to write to */
	struct pipe *next;
};

struct pipes {
	struct pipe *idle; /* emptied last first */
	uint32_t n_idle;
	uint32_t n_live; /* all of them */
};

void pipes_init(struct pipes *p);
/* Close those that are idle; all must have come back. */
void pipes_fini(struct pipes *p);
/* An empty pipe; NULL when there are too many already, or the system gives
 * none of full size: then content is copied. */
struct pipe *pipes_take(struct pipes *p);
/* Back; closed when something is left in it. */
void pipes_give(struct pipes *p, struct pipe *pipe, bool is_empty);

#endif
