/* bench/origin: the web server behind the proxies that are measured. One
 * thread, keep-alive and pipelining; decides nothing but the body by the path:
 * /1k /10k /100k /1m with a Content-Length, /chunked10k in chunks,
 * /kept1k /kept10k /kept100k /kept1m for caches to keep, anything else (and whatever was
 * posted) a short text. It must cost little beside the proxy: every answer is
 * rendered once, before the first request. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/wire.h"

#define BACKLOG 4096
#define EVENTS 256
#define READ_CAP 65536
#define HEAD_ROOM 256
#define DATE_CAP 64
#define CHUNK_LEN 1024
#define CHUNK_ROOM (CHUNK_LEN + 16)
#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

struct answer {
	const char *path; /* the last row stands for any other */
	size_t body_len;
	bool is_chunked;
	bool is_kept; /* says how long it may be: a day */
	char *bytes;
	size_t head_len;
	size_t len;
};

enum conn_state { CONN_HEAD, CONN_BODY, CONN_SENDING, CONN_CLOSED };

/* A connection keeps input only while a head is partial, or while requests
 * wait behind an answer that the socket does not take yet. */
struct conn {
	int fd;
	enum conn_state state;
	bool want_close;
	struct wire_body body;
	const struct answer *answer;
	size_t send_len;
	size_t sent;
	char *kept;
	size_t kept_len;
};

struct origin {
	int epoll_fd;
	int listen_fd;
	struct answer answers[10];
	char in[2 * READ_CAP]; /* what was kept, then what is read */
};

static _Noreturn void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static size_t
render_chunks(char *out, size_t body_len)
{
	size_t at = 0, left, n;

	for (left = body_len; left > 0; left -= n) {
		n = left < CHUNK_LEN ? left : CHUNK_LEN;
		at += (size_t)snprintf(out + at, CHUNK_ROOM, "%zx\r\n", n);
		memset(out + at, 'x', n);
		at += n;
		memcpy(out + at, "\r\n", 2);
		at += 2;
	}
	memcpy(out + at, "0\r\n\r\n", 5);
	return at + 5;
}

static void
answer_render(struct answer *a)
{
	size_t chunks = a->body_len / CHUNK_LEN + 2;
	char framing[64], date[DATE_CAP] = "Thu, 01 Jan 2026 00:00:00 GMT";
	time_t now = time(NULL);

	/* a cache takes an old one for the age of what came */
	if (a->is_kept)
		(void)strftime(
		    date, sizeof(date), "%a, %d %b %Y %T GMT", gmtime(&now));
	a->bytes = malloc(HEAD_ROOM + chunks * CHUNK_ROOM);
	if (a->bytes == NULL)
		fail("malloc");
	if (a->is_chunked)
		(void)snprintf(
		    framing, sizeof(framing), "Transfer-Encoding: chunked");
	else
		(void)snprintf(framing, sizeof(framing), "Content-Length: %zu",
		    a->body_len);
	a->head_len = (size_t)snprintf(a->bytes, HEAD_ROOM,
	    "HTTP/1.1 200 OK\r\n"
	    "Server: origin\r\n"
	    "Date: %s\r\n"
	    "Content-Type: text/plain\r\n"
	    "%s%s\r\n\r\n",
	    date, a->is_kept ? "Cache-Control: max-age=86400\r\n" : "",
	    framing);
	if (a->is_chunked) {
		a->len = a->head_len +
			 render_chunks(a->bytes + a->head_len, a->body_len);
		return;
	}
	memset(a->bytes + a->head_len, 'x', a->body_len);
	a->len = a->head_len + a->body_len;
}

static void
origin_render(struct origin *o)
{
	static const struct answer rows[] = {
	    {.path = "/1k ", .body_len = 1024},
	    {.path = "/10k ", .body_len = 10240},
	    {.path = "/100k ", .body_len = 102400},
	    {.path = "/1m ", .body_len = 1048576},
	    {.path = "/chunked10k ", .body_len = 10240, .is_chunked = true},
	    {.path = "/kept1k ", .body_len = 1024, .is_kept = true},
	    {.path = "/kept10k ", .body_len = 10240, .is_kept = true},
	    {.path = "/kept100k ", .body_len = 102400, .is_kept = true},
	    {.path = "/kept1m ", .body_len = 1048576, .is_kept = true},
	    {.path = "", .body_len = 3},
	};
	size_t i;

	_Static_assert(NELEMS(rows) == NELEMS(o->answers), "one each");
	for (i = 0; i < NELEMS(rows); i++) {
		o->answers[i] = rows[i];
		answer_render(&o->answers[i]);
	}
}

/* The answer to a request line: a GET or HEAD of a known path, or the last. */
static const struct answer *
answer_find(const struct origin *o, const char *line, size_t len)
{
	size_t skip = memcmp(line, "GET ", 4) == 0 ? 4 : 5;
	size_t i, n;

	if (memcmp(line, "POST", 4) == 0)
		return &o->answers[NELEMS(o->answers) - 1];
	for (i = 0; i < NELEMS(o->answers) - 1; i++) {
		n = strlen(o->answers[i].path);
		if (len >= skip + n &&
		    memcmp(line + skip, o->answers[i].path, n) == 0)
			break;
	}
	return &o->answers[i];
}

static size_t
conn_head(struct origin *o, struct conn *c, const char *in, size_t len)
{
	struct wire_head head;

	switch (wire_head(in, len, &head)) {
	case WIRE_MORE:
		return 0;
	case WIRE_BAD:
		c->state = CONN_CLOSED;
		return 0;
	case WIRE_OK:
		break;
	}
	c->answer = answer_find(o, in, head.len);
	c->send_len =
	    memcmp(in, "HEAD", 4) == 0 ? c->answer->head_len : c->answer->len;
	c->sent = 0;
	c->want_close = head.want_close;
	wire_body_init(&c->body, &head);
	c->state = CONN_BODY;
	return head.len;
}

/* Send what the socket takes; false when it is full or gone. */
static bool
conn_send(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->send_len) {
		n = send(c->fd, c->answer->bytes + c->sent,
		    c->send_len - c->sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN)
				c->state = CONN_CLOSED;
			return false;
		}
		c->sent += (size_t)n;
	}
	c->state = c->want_close ? CONN_CLOSED : CONN_HEAD;
	return !c->want_close;
}

/* Work through `len` bytes of input; returns how many were used up. */
static size_t
conn_work(struct origin *o, struct conn *c, const char *in, size_t len)
{
	size_t at = 0, n;

	for (;;) {
		if (c->state == CONN_HEAD) {
			n = conn_head(o, c, in + at, len - at);
			if (n == 0)
				return at;
			at += n;
		}
		if (c->state == CONN_BODY) {
			at += wire_body_feed(&c->body, in + at, len - at);
			if (c->body.state == WIRE_BODY_BAD)
				c->state = CONN_CLOSED;
			if (c->body.state != WIRE_BODY_DONE)
				return at;
			c->state = CONN_SENDING;
		}
		if (c->state != CONN_SENDING || !conn_send(c))
			return at;
	}
}

static void
conn_keep(struct conn *c, const char *rest, size_t len)
{
	if (len == 0)
		return;
	c->kept = malloc(len);
	if (c->kept == NULL)
		fail("malloc");
	memcpy(c->kept, rest, len);
	c->kept_len = len;
}

static size_t
conn_unkeep(struct conn *c, char *in)
{
	size_t len = c->kept_len;

	if (len > 0)
		memcpy(in, c->kept, len);
	free(c->kept);
	c->kept = NULL;
	c->kept_len = 0;
	return len;
}

/* One turn: take up what was kept, read, work. False when nothing is left to
 * do before the next event. A short read means that the socket is empty, unless
 * its end was announced. */
static bool
conn_turn(struct origin *o, struct conn *c, bool is_ending)
{
	size_t len = conn_unkeep(c, o->in), used;
	ssize_t n = recv(c->fd, o->in + len, READ_CAP, 0);
	bool is_end = n == 0 || (n < 0 && errno != EAGAIN);

	if (n > 0)
		len += (size_t)n;
	used = conn_work(o, c, o->in, len);
	if (is_end && c->state != CONN_SENDING)
		c->state = CONN_CLOSED; /* nobody will send the rest */
	conn_keep(c, o->in + used, len - used);
	if (c->state == CONN_CLOSED || c->state == CONN_SENDING)
		return false;
	return n == READ_CAP || (n > 0 && is_ending);
}

static void
conn_event(struct origin *o, struct conn *c, uint32_t events)
{
	bool is_ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	bool can_read = true;

	if (c->state == CONN_SENDING)
		can_read = conn_send(c);
	while (can_read)
		can_read = conn_turn(o, c, is_ending);
	if (c->state != CONN_CLOSED)
		return;
	(void)close(c->fd);
	free(c->kept);
	free(c);
}

static void
origin_accept(struct origin *o)
{
	struct epoll_event ev = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	const int on = 1;
	struct conn *c;
	int fd;

	while ((fd = accept4(o->listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			fail("calloc");
		c->fd = fd;
		ev.data.ptr = c;
		if (epoll_ctl(o->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
			fail("epoll_ctl");
	}
}

static void
origin_listen(struct origin *o, uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.events = EPOLLIN};
	socklen_t len = sizeof(sin);
	const int on = 1;

	o->epoll_fd = epoll_create1(0);
	o->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (o->epoll_fd < 0 || o->listen_fd < 0)
		fail("socket");
	(void)setsockopt(
	    o->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(o->listen_fd, (struct sockaddr *)&sin, len) < 0)
		fail("bind");
	if (listen(o->listen_fd, BACKLOG) < 0 ||
	    getsockname(o->listen_fd, (struct sockaddr *)&sin, &len) < 0 ||
	    epoll_ctl(o->epoll_fd, EPOLL_CTL_ADD, o->listen_fd, &ev) < 0)
		fail("listen");
	(void)printf("%d\n", ntohs(sin.sin_port));
	(void)fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct origin *o = calloc(1, sizeof(*o));
	int i, n;

	if (argc != 2 || o == NULL) {
		(void)fprintf(
		    stderr, "usage: origin PORT (0: any free one, printed)\n");
		return 2;
	}
	origin_render(o);
	origin_listen(o, (uint16_t)arg_number("port", argv[1], UINT16_MAX));
	for (;;) {
		n = epoll_wait(o->epoll_fd, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				origin_accept(o);
			else
				conn_event(
				    o, events[i].data.ptr, events[i].events);
		}
	}
}
