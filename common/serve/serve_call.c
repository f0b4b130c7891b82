/* serve/serve_call: what a handler asks of its call. */
#include <sys/socket.h>

#include "common/net/sock.h"
#include "common/serve/serve_int.h"

/* Supplementary groups that are looked at. */
#define GROUPS_MAX 1024

void
serve_field(struct serve_call *c, span name, span value)
{
	struct arena *a = &c->arena;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	fields_add(
	    &c->resp.fields, a, arena_span(a, name), arena_span(a, value));
}

void
serve_later(struct serve_call *c, serve_cancel_f *fn, void *self)
{
	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	REQUIRE(c->state == SERVE_CALL);
	c->cancel = fn;
	c->cancel_self = self;
}

const struct http_msg *
serve_request(const struct serve_call *c)
{
	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	return &c->req;
}

span
serve_content(const struct serve_call *c)
{
	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	return recv_body_span(&c->body);
}

bool
serve_peer(const struct serve_call *c, pid_t *pid, uid_t *uid, gid_t *gid)
{
	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	*pid = c->cred.pid;
	*uid = c->cred.uid;
	*gid = c->cred.gid;
	return c->has_cred;
}

bool
serve_peer_ip(const struct serve_call *c, struct ip *ip)
{
	struct sock_addr peer = {.len = sizeof(peer.u)};
	uint16_t port;

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	return getpeername(c->stream.watch.fd, &peer.u.sa, &peer.len) == 0 &&
	       sock_addr_ip(&peer, ip, &port);
}

bool
serve_peer_has_group(const struct serve_call *c, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	OBJ_CHECK(c, MAGIC_SERVE_CALL);
	if (!c->has_cred)
		return false;
	if (c->cred.gid == gid)
		return true;
	if (getsockopt(c->stream.watch.fd, SOL_SOCKET, SO_PEERGROUPS, groups,
		&len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}
