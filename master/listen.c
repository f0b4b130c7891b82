/* master/listen: listening sockets. They outlive generations: a new one takes
 * over those whose address it names, so that nobody is refused in between. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/vec.h"
#include "master/master.h"

/* Who may connect is the folder's matter, as with other servers. */
#define UNIX_SOCKET_MODE 0666

static struct lsock *
lsock_find(struct master *m, const struct sock_addr *a)
{
	list_foreach (n, &m->lsocks) {
		struct lsock *s = LIST_ENTRY(n, struct lsock, node);

		if (sock_addr_eq(&s->addr, a))
			return s;
	}
	return NULL;
}

/* A new master has its own use for a socket's path. */
static void
lsock_end(struct lsock *s, bool is_ours)
{
	if (is_ours && s->addr.u.sa.sa_family == AF_UNIX)
		(void)unlink(s->addr.u.un.sun_path);
	(void)close(s->fd);
	list_del(&s->node);
	free(s);
}

void
lsock_unref(struct master *m, struct lsock *s)
{
	/* its starter's: the number may be named again, the file is not ours */
	if (--s->refs > 0 || s->is_inherited)
		return;
	lsock_end(s, !m->is_replaced);
}

static struct lsock *
lsock_new(struct master *m, const struct sock_addr *a, int fd, bool is_admin)
{
	struct lsock *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->addr = *a;
	s->fd = fd;
	s->is_admin = is_admin;
	list_push_back(&m->lsocks, &s->node);
	return s;
}

static bool
lsock_is_listening(int fd, struct sock_addr *addr)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
	       on && sock_local(fd, addr) == 0;
}

/* A socket that was handed to this process by its starter. */
static struct lsock *
lsock_inherited(struct gen *g, span number, struct place at)
{
	struct sock_addr addr;
	struct lsock *s;
	uint64_t fd;
	int flags;

	if (!span_u64(number, INT32_MAX, &fd) ||
	    !lsock_is_listening((int)fd, &addr) ||
	    (flags = fcntl((int)fd, F_GETFL)) < 0 ||
	    fcntl((int)fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		diag_error(g->diag, at,
		    "address = fd:%.*s: not a listening socket",
		    SPAN_FMT(number));
		return NULL;
	}
	s = lsock_find(g->master, &addr);
	if (s != NULL)
		return s;
	s = lsock_new(g->master, &addr, (int)fd, false);
	s->is_inherited = true;
	return s;
}

static bool
is_any4(const struct sock_addr *a, in_port_t port)
{
	return a->u.sa.sa_family == AF_INET && a->u.in.sin_port == port &&
	       a->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* Whether 0.0.0.0 has a socket of its own beside this [::]. */
static bool
listen_has_any4(const struct gen *g, const struct sock_addr *any6)
{
	for (const struct conf_section *sec = conf_first(g->conf, CONF_LISTEN);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(g->conf, sec);
		struct conf_iter it = {NULL, 0, false};
		const struct conf_value *v;
		struct sock_addr a;

		while ((v = conf_next(&s, KEY_LISTEN_ADDRESS, &it)) != NULL)
			for (uint32_t i = 0; i < v->n_words; i++)
				if (sock_addr_parse(v->words[i].text, &a) &&
				    is_any4(&a, any6->u.in6.sin6_port))
					return true;
	}
	return false;
}

/* One that this configuration uses as the one before it did not. */
static struct lsock *
lsock_keep(struct gen *g, struct lsock *s, struct place at, bool is_admin)
{
	/* what was inherited and not named yet may become either */
	if (s->refs == 0)
		s->is_admin = is_admin;
	if (s->is_admin == is_admin)
		return s;
	diag_error(g->diag, at,
	    "the address is %s of the running configuration; that cannot "
	    "change by a reload",
	    s->is_admin ? "the [admin]'s" : "a [listen]'s");
	return NULL;
}

struct lsock *
lsock_get(struct gen *g, span text, struct place at, int backlog, bool is_admin)
{
	struct sock_addr addr;
	struct lsock *s;
	bool is_v6only;
	int fd;

	if (!sock_addr_parse(text, &addr)) {
		diag_error(
		    g->diag, at, "address = %.*s: malformed", SPAN_FMT(text));
		return NULL;
	}
	s = lsock_find(g->master, &addr);
	if (s != NULL) {
		/* the backlog may be another now */
		(void)listen(s->fd, backlog);
		return lsock_keep(g, s, at, is_admin);
	}
	is_v6only =
	    span_starts(text, SPAN_LIT("[::]:")) && listen_has_any4(g, &addr);
	fd = sock_listen(&addr, is_v6only, backlog);
	if (fd < 0) {
		diag_error(g->diag, at, "cannot listen on %.*s: %s",
		    SPAN_FMT(text), strerror(errno));
		return NULL;
	}
	if (addr.u.sa.sa_family == AF_UNIX && !is_admin)
		(void)chmod(addr.u.un.sun_path, UNIX_SOCKET_MODE);
	return lsock_new(g->master, &addr, fd, is_admin);
}

/* Named in two ways, such as `:80 [::]:80`. */
static bool
listen_is_there(const struct gen *g, const struct lsock *s)
{
	for (uint32_t i = 0; i < g->boot.n_listens; i++)
		if (g->lsocks[i] == s)
			return true;
	return false;
}

static void
listen_add(struct gen *g, const struct conf_section *sec,
    const struct conf_word *w, int backlog)
{
	struct lsock *s;
	uint32_t i = g->boot.n_listens;

	if (span_starts(w->text, SPAN_LIT("fd:")))
		s = lsock_inherited(g, span_from(w->text, 3), w->at);
	else
		s = lsock_get(g, w->text, w->at, backlog, false);
	if (s == NULL || listen_is_there(g, s))
		return;
	sock_defer_accept(s->fd);
	s->refs++;
	g->listens = reallocarray(g->listens, i + 1, sizeof(*g->listens));
	g->lsocks = reallocarray(g->lsocks, i + 1, sizeof(*g->lsocks));
	REQUIRE(g->listens != NULL && g->lsocks != NULL);
	g->listens[i] = (struct boot_listen){sec, s->addr, s->fd};
	g->lsocks[i] = s;
	g->boot.listens = g->listens;
	g->boot.n_listens = i + 1;
}

void
listen_open(struct gen *g)
{
	for (const struct conf_section *sec = conf_first(g->conf, CONF_LISTEN);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(g->conf, sec);
		struct conf_iter it = {NULL, 0, false};
		int backlog = (int)conf_num(&s, KEY_LISTEN_BACKLOG);
		const struct conf_value *v;

		while ((v = conf_next(&s, KEY_LISTEN_ADDRESS, &it)) != NULL)
			for (uint32_t i = 0; i < v->n_words; i++)
				listen_add(g, sec, &v->words[i], backlog);
	}
}

void
listen_close(struct gen *g)
{
	for (uint32_t i = 0; i < g->boot.n_listens; i++)
		lsock_unref(g->master, g->lsocks[i]);
	g->boot.n_listens = 0;
	free(g->lsocks);
	g->lsocks = NULL;
	/* g->listens stays: the boot of a process may still be read */
}

bool
listen_inherit(struct master *m, int fd)
{
	struct sock_addr addr;

	if (!lsock_is_listening(fd, &addr))
		return false;
	(void)lsock_new(m, &addr, fd, false);
	return true;
}

void
listen_drop_unused(struct master *m)
{
	list_foreach_safe (n, &m->lsocks) {
		struct lsock *s = LIST_ENTRY(n, struct lsock, node);

		if (s->refs == 0 && !s->is_inherited)
			lsock_end(s, true);
	}
}
