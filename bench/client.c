/* bench/client: connect, send, read, judge. Descriptors are registered once,
 * edge-triggered, so that the generator costs little beside the proxy. RFC
 * 9112. */
#include "bench/client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/secure.h"

#define STATUS_OK "HTTP/1.1 200 "

void
client_init(struct client *c, const struct client_plan *plan, uint32_t index)
{
	memset(c, 0, sizeof(*c));
	c->plan = plan;
	c->index = index;
	c->fd = -1;
	c->state = CLIENT_CLOSED;
}

static void
drop_part(struct client *c)
{
	free(c->part);
	c->part = NULL;
	c->part_len = 0;
}

void
client_close(struct client *c)
{
	secure_end(c);
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->state = CLIENT_CLOSED;
	drop_part(c);
}

void
client_fini(struct client *c)
{
	client_close(c);
	secure_forget(c);
}

static enum client_rc
give_up(struct client *c)
{
	client_close(c);
	return CLIENT_FAILED;
}

static ssize_t
send_some(struct client *c, const char *data, size_t len)
{
	if (c->ssl != NULL)
		return secure_send(c, data, len);
	return send(c->fd, data, len, MSG_NOSIGNAL);
}

static enum client_rc
send_more(struct client *c)
{
	const struct client_plan *plan = c->plan;
	ssize_t n;

	if (plan->request_len == 0) {
		c->state = CLIENT_IDLE;
		c->took_ns = now_ns() - c->since_ns;
		return CLIENT_DONE;
	}
	while (c->sent < plan->request_len) {
		n = send_some(
		    c, plan->request + c->sent, plan->request_len - c->sent);
		if (n < 0)
			return errno == EAGAIN ? CLIENT_GOING : give_up(c);
		c->sent += (size_t)n;
	}
	c->state = CLIENT_HEAD;
	return CLIENT_GOING;
}

static enum client_rc
start_connect(struct client *c)
{
	struct epoll_event ev = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	const struct client_plan *plan = c->plan;
	const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return CLIENT_FAILED;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->turn++;
	ev.data.u64 = (uint64_t)c->turn << 32 | c->index;
	c->state = CLIENT_CONNECTING;
	if (connect(c->fd, (const struct sockaddr *)&plan->to,
		sizeof(plan->to)) < 0 &&
	    errno != EINPROGRESS)
		return give_up(c);
	if (epoll_ctl(plan->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		return give_up(c);
	return CLIENT_GOING;
}

enum client_rc
client_start(struct client *c, uint64_t since_ns)
{
	c->since_ns = since_ns;
	c->sent = 0;
	c->want_close = c->plan->is_oneshot;
	if (c->fd < 0)
		return start_connect(c);
	c->state = CLIENT_SENDING;
	return send_more(c);
}

/* The last byte of an answer was read. */
static enum client_rc
finish_answer(struct client *c)
{
	const struct client_plan *plan = c->plan;

	c->took_ns = now_ns() - c->since_ns;
	c->bytes += c->body.total;
	if (plan->has_expect && c->body.total != plan->expect)
		return give_up(c);
	if (plan->is_oneshot) {
		c->state = CLIENT_ENDING;
		return CLIENT_GOING;
	}
	if (c->want_close)
		client_close(c);
	else
		c->state = CLIENT_IDLE;
	return CLIENT_DONE;
}

static enum client_rc
take_body(struct client *c, const char *in, size_t len)
{
	size_t used = wire_body_feed(&c->body, in, len);

	if (c->body.state == WIRE_BODY_BAD || used < len)
		return give_up(c);
	if (c->body.state != WIRE_BODY_DONE)
		return CLIENT_GOING;
	return finish_answer(c);
}

static enum client_rc
keep_part(struct client *c, const char *in, size_t len)
{
	char *part;

	if (len >= WIRE_HEAD_MAX || (part = malloc(WIRE_HEAD_MAX)) == NULL)
		return give_up(c);
	memcpy(part, in, len);
	drop_part(c);
	c->part = part;
	c->part_len = len;
	return CLIENT_GOING;
}

static enum client_rc
take_head(struct client *c, const char *in, size_t len)
{
	struct wire_head head;

	switch (wire_head(in, len, &head)) {
	case WIRE_MORE:
		return keep_part(c, in, len);
	case WIRE_BAD:
		return give_up(c);
	case WIRE_OK:
		break;
	}
	if (head.len < strlen(STATUS_OK) ||
	    memcmp(in, STATUS_OK, strlen(STATUS_OK)) != 0 ||
	    (!head.has_length && !head.is_chunked))
		return give_up(c);
	drop_part(c);
	c->want_close = c->want_close || head.want_close;
	wire_body_init(&c->body, &head);
	c->state = CLIENT_BODY;
	return take_body(c, in + head.len, len - head.len);
}

/* Read once; *want_out is what was asked for. Bytes of a body with a length are
 * only counted: MSG_TRUNC drops them in the kernel, which leaves more of the
 * CPU to the origin. */
static ssize_t
read_some(struct client *c, size_t *want_out)
{
	char *to = c->plan->in + c->part_len;
	size_t want = CLIENT_IN_CAP - WIRE_HEAD_MAX;
	int flags = 0;

	if (c->ssl == NULL && c->state == CLIENT_BODY &&
	    c->body.state == WIRE_BODY_LENGTH) {
		want = c->body.left < want ? (size_t)c->body.left : want;
		flags = MSG_TRUNC;
	} else if (c->part_len > 0) {
		memcpy(c->plan->in, c->part, c->part_len);
	}
	*want_out = want;
	if (c->ssl != NULL)
		return secure_recv(c, to, want);
	return recv(c->fd, to, want, flags);
}

static enum client_rc
take_end(struct client *c)
{
	bool is_whole = c->state == CLIENT_ENDING;

	client_close(c);
	return is_whole ? CLIENT_DONE : CLIENT_FAILED;
}

static enum client_rc
read_all(struct client *c, bool is_ending)
{
	enum client_rc rc = CLIENT_GOING;
	bool is_short = false;
	size_t want;
	ssize_t n;

	while (rc == CLIENT_GOING && (!is_short || is_ending)) {
		n = read_some(c, &want);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return n == 0 || c->state == CLIENT_ENDING ? take_end(c)
								   : give_up(c);
		/* OpenSSL gives a record, and may hold the next one. */
		is_short = c->ssl == NULL && (size_t)n < want;
		if (c->state == CLIENT_BODY)
			rc = take_body(c, c->plan->in, (size_t)n);
		else if (c->state == CLIENT_HEAD)
			rc = take_head(c, c->plan->in, c->part_len + (size_t)n);
		else
			rc = give_up(c);
	}
	return rc;
}

static enum client_rc
finish_connect(struct client *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ||
	    error != 0)
		return give_up(c);
	c->state = CLIENT_SENDING;
	if (c->plan->tls == NULL)
		return CLIENT_GOING;
	c->state = CLIENT_HANDSHAKE;
	return secure_start(c) ? CLIENT_GOING : give_up(c);
}

static enum client_rc
shake_hands(struct client *c)
{
	enum client_rc rc = secure_handshake(c);

	if (rc == CLIENT_FAILED)
		return give_up(c);
	if (rc == CLIENT_GOING)
		return CLIENT_GOING;
	c->state = CLIENT_SENDING;
	return send_more(c);
}

enum client_rc
client_event(struct client *c, uint32_t events)
{
	bool is_ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	enum client_rc rc = CLIENT_GOING;

	if (c->state == CLIENT_CLOSED)
		return CLIENT_GOING;
	if (c->state == CLIENT_IDLE) {
		if (is_ending)
			client_close(c);
		return CLIENT_GOING;
	}
	if (c->state == CLIENT_CONNECTING && (events & (EPOLLOUT | EPOLLERR)))
		rc = finish_connect(c);
	if (rc == CLIENT_GOING && c->state == CLIENT_HANDSHAKE) {
		rc = shake_hands(c);
		if (c->state == CLIENT_HANDSHAKE && is_ending)
			rc = give_up(c);
	}
	if (rc == CLIENT_GOING && c->state == CLIENT_SENDING &&
	    (events & EPOLLOUT))
		rc = send_more(c);
	if (rc == CLIENT_GOING && c->state > CLIENT_HANDSHAKE &&
	    ((events & EPOLLIN) || is_ending))
		rc = read_all(c, is_ending);
	return rc;
}

bool
client_is_lost(const struct client *c)
{
	char byte;

	if (c->fd < 0)
		return true;
	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       errno != EAGAIN;
}
