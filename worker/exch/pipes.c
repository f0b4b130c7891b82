/* exch/pipes: the pool. */
#include "worker/exch/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"

/* Two descriptors each, and PIPE_CAP of kernel memory while they are full. */
#define PIPES_MAX 512u
#define PIPES_IDLE_MAX 64u

void
pipes_init(struct pipes *p)
{
	*p = (struct pipes){NULL, 0, 0};
}

static void
pipe_close(struct pipes *p, struct pipe *pipe)
{
	(void)close(pipe->in);
	(void)close(pipe->out);
	free(pipe);
	p->n_live--;
}

void
pipes_fini(struct pipes *p)
{
	while (p->idle != NULL) {
		struct pipe *pipe = p->idle;

		p->idle = pipe->next;
		pipe_close(p, pipe);
	}
	p->n_idle = 0;
	REQUIRE(p->n_live == 0);
}

static struct pipe *
pipe_new(struct pipes *p)
{
	struct pipe *pipe;
	int fd[2];

	if (p->n_live == PIPES_MAX || pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
		return NULL;
	pipe = malloc(sizeof(*pipe));
	REQUIRE(pipe != NULL);
	*pipe = (struct pipe){fd[0], fd[1], NULL};
	p->n_live++;
	/* over the user's limit (pipe(7), pipe-user-pages-soft) a pipe has a
	 * page or two: copying is better */
	if (fcntl(pipe->in, F_SETPIPE_SZ, (int)PIPE_CAP) >= (int)PIPE_CAP)
		return pipe;
	pipe_close(p, pipe);
	return NULL;
}

struct pipe *
pipes_take(struct pipes *p)
{
	struct pipe *pipe = p->idle;

	if (pipe == NULL)
		return pipe_new(p);
	p->idle = pipe->next;
	p->n_idle--;
	return pipe;
}

void
pipes_give(struct pipes *p, struct pipe *pipe, bool is_empty)
{
	if (!is_empty || p->n_idle == PIPES_IDLE_MAX) {
		pipe_close(p, pipe);
		return;
	}
	pipe->next = p->idle;
	p->idle = pipe;
	p->n_idle++;
}
