/* serve/server: accepting, and which connection has to go when there are too
 * many: of those that owe us a request the one that owes it longest. Those that
 * are being answered are never sent away; when all are, who comes waits in the
 * socket's queue. */
#include "common/serve/server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/net/sock.h"
#include "common/serve/serve_int.h"

/* Connections taken per wake-up, so that others are served in between. */
#define ACCEPT_BUDGET 16
/* Looked away for so long without room or descriptors. */
#define ACCEPT_PAUSE_MS 100u
/* Arena chunks kept while idle. */
#define FREE_CHUNKS 2

struct serve_listener {
	struct list node;
	struct serve *serve;
	struct watch watch;
	int fd;
	struct task reap;
};

static void
listener_free(void *self)
{
	free(self);
}

static void
serve_pause(struct serve *s)
{
	list_foreach (n, &s->listeners) {
		struct serve_listener *ls =
		    LIST_ENTRY(n, struct serve_listener, node);

		watch_del(s->loop, &ls->watch);
	}
	loop_timer_set(s->loop, &s->pause, ACCEPT_PAUSE_MS);
}

static bool
serve_is_full(const struct serve *s)
{
	return s->n_conns >= s->limits.conns_max;
}

/* One more, and one fewer when there is no room for both. */
static void
serve_take(struct serve *s, int fd)
{
	if (serve_is_full(s))
		serve_conn_close(serve_conn_of(s->owing.next));
	serve_conn_new(s, fd);
}

static void
listener_on_event(void *self, unsigned events)
{
	struct serve_listener *ls = self;
	struct serve *s = ls->serve;
	struct sock_addr peer;

	(void)events;
	for (int i = 0; i < ACCEPT_BUDGET; i++) {
		int fd;

		if (serve_is_full(s) && list_is_empty(&s->owing)) {
			serve_pause(s);
			return;
		}
		fd = sock_accept(ls->fd, &peer);
		if (fd >= 0) {
			serve_take(s, fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			log_msg(LOG_ERROR, "serve accept failed error=\"%s\"",
			    strerror(errno));
			serve_pause(s);
		}
		return;
	}
}

static int
listener_watch(struct serve_listener *ls)
{
	return watch_add(ls->serve->loop, &ls->watch, ls->fd, LOOP_LISTEN,
	    listener_on_event, ls);
}

static void
serve_on_pause_over(void *self)
{
	struct serve *s = self;

	OBJ_CHECK(s, MAGIC_SERVE);
	list_foreach (n, &s->listeners) {
		struct serve_listener *ls =
		    LIST_ENTRY(n, struct serve_listener, node);

		if (ls->watch.fd < 0 && listener_watch(ls) < 0) {
			serve_pause(s);
			return;
		}
	}
}

struct serve *
serve_new(struct loop *l, const struct serve_limits *lim,
    const struct serve_route *routes, uint32_t n_routes, void *self)
{
	struct serve *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL && lim->conns_max > 0);
	s->magic = MAGIC_SERVE;
	s->loop = l;
	s->limits = *lim;
	s->routes = routes;
	s->n_routes = n_routes;
	s->self = self;
	list_init(&s->listeners);
	list_init(&s->owing);
	list_init(&s->busy);
	timer_init(&s->pause, serve_on_pause_over, s);
	arena_pool_init(&s->arenas, FREE_CHUNKS);
	return s;
}

int
serve_listen(struct serve *s, int fd)
{
	struct serve_listener *ls = calloc(1, sizeof(*ls));
	int err;

	REQUIRE(ls != NULL);
	ls->serve = s;
	ls->fd = fd;
	if (listener_watch(ls) == 0) {
		list_push_back(&s->listeners, &ls->node);
		return 0;
	}
	err = errno;
	(void)close(fd);
	free(ls);
	errno = err;
	return -1;
}

void
serve_unlisten(struct serve *s)
{
	loop_timer_clear(s->loop, &s->pause);
	list_foreach_safe (n, &s->listeners) {
		struct serve_listener *ls =
		    LIST_ENTRY(n, struct serve_listener, node);

		/* another process may hold the same socket: closing ours
		 * would not take it out of the loop */
		watch_del(s->loop, &ls->watch);
		(void)close(ls->fd);
		list_del(&ls->node);
		task_init(&ls->reap, listener_free, ls);
		loop_reap(s->loop, &ls->reap);
	}
}

static void
serve_release(void *self)
{
	struct serve *s = self;

	arena_pool_fini(&s->arenas);
	free(s);
}

void
serve_free(struct serve *s)
{
	OBJ_CHECK(s, MAGIC_SERVE);
	serve_unlisten(s);
	list_foreach_safe (n, &s->owing) {
		serve_conn_close(serve_conn_of(n));
	}
	list_foreach_safe (n, &s->busy) {
		serve_conn_close(serve_conn_of(n));
	}
	s->magic = 0;
	task_init(&s->reap, serve_release, s);
	loop_reap(s->loop, &s->reap);
}

uint32_t
serve_n_conns(const struct serve *s)
{
	return s->n_conns;
}
