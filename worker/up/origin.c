/* up/origin: what opening a connection is, whatever will be spoken on it. */
#include "worker/up/origin.h"

#include <errno.h>
#include <unistd.h>

int
origin_connect(struct up_server *s, const struct sock_addr *to,
    struct stream *st, stream_event_f *fn, void *self, struct ip *at)
{
	struct worker *w = s->group->w;
	bool is_done = false;
	uint16_t port;
	int fd = sock_connect(to, &is_done);
	int rc;

	if (fd < 0)
		return -1;
	(void)sock_addr_ip(to, at, &port);
	if (is_done)
		rc = stream_open_fd(st, w->loop, fd, fn, self);
	else
		rc = stream_open_connecting(st, w->loop, fd, fn, self);
	if (rc < 0) {
		int err = errno;

		(void)close(fd);
		errno = err;
		return -1;
	}
	counter_add(w->counters, COUNTER_ORIGIN_CONNECTS, 1);
	return 0;
}
