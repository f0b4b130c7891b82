/* net/sock: sockets of the three families. */
#include "common/net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"

#define UNIX_PREFIX "unix:"
/* linux/netfilter_ipv6/ip6_tables.h, which is no header for programs that have
 * netinet/in.h. */
#define SOCK_ORIGINAL_DST6 80
/* Bytes that the kernel takes of what a client has no window for: without a bound
 * it takes megabytes, and thousands who read nothing fill its memory for TCP. */
#define SOCK_UNSENT_MAX (256 << 10)

static bool
addr_parse_unix(span path, struct sock_addr *out)
{
	struct sockaddr_un *un = &out->u.un;

	if (path.len == 0 || path.len >= sizeof(un->sun_path) ||
	    span_chr(path, '\0') >= 0)
		return false;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.p, path.len);
	out->len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
	return true;
}

static void
addr_set_in6(struct sock_addr *out, const struct ip *ip, uint16_t port)
{
	struct sockaddr_in6 *in6 = &out->u.in6;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, ip->b, sizeof(ip->b));
	out->len = sizeof(*in6);
}

void
sock_addr_from_ip(const struct ip *ip, uint16_t port, struct sock_addr *out)
{
	struct sockaddr_in *in = &out->u.in;

	memset(out, 0, sizeof(*out));
	if (!ip_is_v4(ip)) {
		addr_set_in6(out, ip, port);
		return;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, ip->b + 12, 4);
	out->len = sizeof(*in);
}

bool
sock_addr_parse(span s, struct sock_addr *out)
{
	static const struct ip any;
	ptrdiff_t colon = span_rchr(s, ':');
	struct ip ip;
	uint64_t port;
	span host;

	memset(out, 0, sizeof(*out));
	if (span_starts(s, SPAN_LIT(UNIX_PREFIX)))
		return addr_parse_unix(
		    span_from(s, sizeof(UNIX_PREFIX) - 1), out);
	if (colon < 0 ||
	    !span_u64(span_from(s, (size_t)colon + 1), UINT16_MAX, &port))
		return false;
	host = span_first(s, (size_t)colon);
	if (host.len == 0) {
		addr_set_in6(out, &any, (uint16_t)port);
		return true;
	}
	if (host.p[0] == '[' && host.p[host.len - 1] == ']') {
		host = span_of(host.p + 1, host.len - 2);
		if (!ip_parse(host, &ip) || span_chr(host, ':') < 0)
			return false;
		addr_set_in6(out, &ip, (uint16_t)port);
		return true;
	}
	if (span_chr(host, ':') >= 0 || !ip_parse(host, &ip))
		return false;
	sock_addr_from_ip(&ip, (uint16_t)port, out);
	return true;
}

bool
sock_addr_ip(const struct sock_addr *a, struct ip *ip, uint16_t *port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	switch (a->u.sa.sa_family) {
	case AF_INET:
		memcpy(ip->b, mapped, sizeof(mapped));
		memcpy(ip->b + 12, &a->u.in.sin_addr, 4);
		*port = ntohs(a->u.in.sin_port);
		return true;
	case AF_INET6:
		memcpy(ip->b, &a->u.in6.sin6_addr, sizeof(ip->b));
		*port = ntohs(a->u.in6.sin6_port);
		return true;
	default:
		return false;
	}
}

size_t
sock_addr_format(const struct sock_addr *a, char out[SOCK_ADDR_TEXT_CAP])
{
	char text[IP_TEXT_CAP];
	struct text t;
	struct ip ip;
	uint16_t port;

	text_init(&t, out, SOCK_ADDR_TEXT_CAP - 1);
	if (sock_addr_ip(a, &ip, &port)) {
		size_t n = ip_format(&ip, text);
		bool is_v6 = memchr(text, ':', n) != NULL;

		text_add_str(&t, is_v6 ? "[" : "");
		text_add(&t, span_of(text, n));
		text_add_str(&t, is_v6 ? "]:" : ":");
		text_add_u64(&t, port);
	} else {
		text_add_str(&t, UNIX_PREFIX);
		if (a->u.sa.sa_family == AF_UNIX)
			text_add(&t, span_of(a->u.un.sun_path,
					 strnlen(a->u.un.sun_path,
					     sizeof(a->u.un.sun_path))));
	}
	out[t.len] = '\0';
	return t.len;
}

bool
sock_addr_eq(const struct sock_addr *a, const struct sock_addr *b)
{
	struct ip ia, ib;
	uint16_t pa, pb;

	if (a->u.sa.sa_family != b->u.sa.sa_family)
		return false;
	if (sock_addr_ip(a, &ia, &pa) && sock_addr_ip(b, &ib, &pb))
		return ip_eq(&ia, &ib) && pa == pb;
	return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
}

static int
set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* A unix socket's file that nobody listens behind any more is in the way. */
static void
remove_stale(const struct sock_addr *a)
{
	struct stat st;
	bool is_done;
	int fd;

	if (a->u.sa.sa_family != AF_UNIX || lstat(a->u.un.sun_path, &st) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return;
	fd = sock_connect(a, &is_done);
	if (fd >= 0)
		(void)close(fd);
	else if (errno == ECONNREFUSED)
		(void)unlink(a->u.un.sun_path);
}

static int
close_failed(int fd)
{
	int err = errno;

	(void)close(fd);
	errno = err;
	return -1;
}

/* What accepted connections inherit. */
static void
set_inherited(int fd)
{
	(void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, SOCK_UNSENT_MAX);
}

static int
listen_on(const struct sock_addr *a, bool is_v6only, int backlog)
{
	int fd = socket(
	    a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
	    (a->u.sa.sa_family == AF_INET6 &&
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_v6only) < 0) ||
	    bind(fd, &a->u.sa, a->len) < 0 || listen(fd, backlog) < 0)
		return close_failed(fd);
	if (a->u.sa.sa_family != AF_UNIX)
		set_inherited(fd);
	return fd;
}

int
sock_listen(const struct sock_addr *a, bool is_v6only, int backlog)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;
	struct sock_addr v4;
	int fd;

	remove_stale(a);
	fd = listen_on(a, is_v6only, backlog);
	if (fd >= 0 || is_v6only || a->u.sa.sa_family != AF_INET6 ||
	    (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) ||
	    memcmp(&a->u.in6.sin6_addr, &any, sizeof(any)) != 0)
		return fd;
	/* a machine without IPv6: the unspecified address of IPv4 */
	memset(&v4, 0, sizeof(v4));
	v4.u.in.sin_family = AF_INET;
	v4.u.in.sin_port = a->u.in6.sin6_port;
	v4.len = sizeof(v4.u.in);
	return listen_on(&v4, false, backlog);
}

void
sock_defer_accept(int fd)
{
	/* seconds: the kernel's least, until it asks the client again */
	(void)set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
}

int
sock_connect(const struct sock_addr *to, bool *is_done)
{
	int fd = socket(
	    to->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (to->u.sa.sa_family != AF_UNIX)
		(void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	*is_done = connect(fd, &to->u.sa, to->len) == 0;
	if (!*is_done && errno != EINPROGRESS)
		return close_failed(fd);
	return fd;
}

int
sock_connect_datagram(const struct sock_addr *to)
{
	int fd = socket(
	    to->u.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, &to->u.sa, to->len) < 0)
		return close_failed(fd);
	return fd;
}

int
sock_accept(int fd, struct sock_addr *peer)
{
	memset(peer, 0, sizeof(*peer));
	peer->len = sizeof(peer->u);
	return accept4(
	    fd, &peer->u.sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int
sock_original(int fd, bool is_v4, struct sock_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->len = is_v4 ? sizeof(out->u.in) : sizeof(out->u.in6);
	return getsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
	    is_v4 ? SO_ORIGINAL_DST : SOCK_ORIGINAL_DST6, &out->u, &out->len);
}

bool
sock_is_starved(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	       err == ENOMEM || err == EADDRNOTAVAIL;
}

int
sock_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return errno;
	return err;
}

int
sock_local(int fd, struct sock_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->len = sizeof(out->u);
	return getsockname(fd, &out->u.sa, &out->len);
}

void
sock_reset(int fd)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(fd);
}
