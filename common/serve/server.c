/* serve/server: accepting, and which connection has to go when there are too
 * many: of those whose client keeps us waiting the one that does so longest.
 * Those whose handler has not answered yet are never sent away; when all are such,
 * who comes waits in the socket's queue. Unix sockets and TCP have a room each. */
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
	struct serve_room *room;
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
room_pause(struct serve_room *r)
{
	struct loop *l = r->serve->loop;

	list_foreach (n, &r->listeners) {
		struct serve_listener *ls =
		    LIST_ENTRY(n, struct serve_listener, node);

		watch_del(l, &ls->watch);
	}
	loop_timer_set(l, &r->pause, ACCEPT_PAUSE_MS);
}

static bool
room_is_full(const struct serve_room *r)
{
	return r->n_conns >= r->serve->limits.conns_max;
}

/* One more, and one fewer when there is no room for both. */
static void
room_take(struct serve_room *r, int fd)
{
	if (room_is_full(r) && list_is_empty(&r->waiting)) {
		(void)close(fd);
		return;
	}
	if (room_is_full(r))
		serve_conn_close(serve_conn_of(r->waiting.next));
	serve_conn_new(r, fd);
}

/* The one of the listener, or that of strangers. */
static struct serve_room *
room_for(const struct serve_listener *ls, const struct sock_addr *peer)
{
	struct serve *s = ls->room->serve;
	struct ip ip;
	uint16_t port;

	if (s->is_stranger != NULL && sock_addr_ip(peer, &ip, &port) &&
	    s->is_stranger(s->self, &ip))
		return &s->rooms[SERVE_ROOM_STRANGERS];
	return ls->room;
}

static void
listener_on_event(void *self, unsigned events)
{
	struct serve_listener *ls = self;
	struct serve_room *r = ls->room;
	struct sock_addr peer;

	(void)events;
	for (int i = 0; i < ACCEPT_BUDGET; i++) {
		int fd;

		if (room_is_full(r) && list_is_empty(&r->waiting)) {
			room_pause(r);
			return;
		}
		fd = sock_accept(ls->fd, &peer);
		if (fd >= 0) {
			room_take(room_for(ls, &peer), fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			log_msg(LOG_ERROR, "serve accept failed error=\"%s\"",
			    strerror(errno));
			room_pause(r);
		}
		return;
	}
}

static int
listener_watch(struct serve_listener *ls)
{
	return watch_add(ls->room->serve->loop, &ls->watch, ls->fd, LOOP_LISTEN,
	    listener_on_event, ls);
}

static void
room_on_pause_over(void *self)
{
	struct serve_room *r = self;

	OBJ_CHECK(r->serve, MAGIC_SERVE);
	list_foreach (n, &r->listeners) {
		struct serve_listener *ls =
		    LIST_ENTRY(n, struct serve_listener, node);

		if (ls->watch.fd < 0 && listener_watch(ls) < 0) {
			room_pause(r);
			return;
		}
	}
}

static void
room_init(struct serve_room *r, struct serve *s)
{
	r->serve = s;
	list_init(&r->listeners);
	list_init(&r->waiting);
	list_init(&r->busy);
	timer_init(&r->pause, room_on_pause_over, r);
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
	for (size_t i = 0; i < SERVE_ROOMS; i++)
		room_init(&s->rooms[i], s);
	list_init(&s->texts);
	arena_pool_init(&s->arenas, FREE_CHUNKS);
	return s;
}

void
serve_know_strangers(struct serve *s, serve_stranger_f *fn)
{
	s->is_stranger = fn;
}

/* Where its connections go. */
static struct serve_room *
serve_room_of(struct serve *s, int fd)
{
	struct sock_addr addr;
	bool is_unix =
	    sock_local(fd, &addr) == 0 && addr.u.sa.sa_family == AF_UNIX;

	return &s->rooms[is_unix ? SERVE_ROOM_UNIX : SERVE_ROOM_TCP];
}

int
serve_listen(struct serve *s, int fd)
{
	struct serve_listener *ls = calloc(1, sizeof(*ls));
	int err;

	REQUIRE(ls != NULL);
	ls->room = serve_room_of(s, fd);
	ls->fd = fd;
	if (listener_watch(ls) == 0) {
		list_push_back(&ls->room->listeners, &ls->node);
		return 0;
	}
	err = errno;
	(void)close(fd);
	free(ls);
	errno = err;
	return -1;
}

static void
room_unlisten(struct serve_room *r)
{
	struct loop *l = r->serve->loop;

	loop_timer_clear(l, &r->pause);
	list_foreach_safe (n, &r->listeners) {
		struct serve_listener *ls =
		    LIST_ENTRY(n, struct serve_listener, node);

		/* another process may hold the same socket: closing ours
		 * would not take it out of the loop */
		watch_del(l, &ls->watch);
		(void)close(ls->fd);
		list_del(&ls->node);
		task_init(&ls->reap, listener_free, ls);
		loop_reap(l, &ls->reap);
	}
}

void
serve_unlisten(struct serve *s)
{
	for (size_t i = 0; i < SERVE_ROOMS; i++)
		room_unlisten(&s->rooms[i]);
}

static void
room_empty(struct serve_room *r)
{
	list_foreach_safe (n, &r->waiting) {
		serve_conn_close(serve_conn_of(n));
	}
	list_foreach_safe (n, &r->busy) {
		serve_conn_close(serve_conn_of(n));
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
	for (size_t i = 0; i < SERVE_ROOMS; i++)
		room_empty(&s->rooms[i]);
	s->magic = 0;
	task_init(&s->reap, serve_release, s);
	loop_reap(s->loop, &s->reap);
}

uint32_t
serve_n_conns(const struct serve *s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < SERVE_ROOMS; i++)
		n += s->rooms[i].n_conns;
	return n;
}
