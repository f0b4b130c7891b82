/* net/dns: c-ares inside the loop. The library's sockets are foreign: watched
 * level-triggered, as it asks. Callbacks of its own never reach the caller
 * directly; answers are handed over by a deferred task. */
#include "common/net/dns.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/base/check.h"
#include "common/base/service_name.h"
#include "common/net/dns_int.h"
#include "common/net/dns_service.h"

/* Pending queries at once. */
#define DNS_QUERIES_MAX 256
#define DNS_TRY_MS 2000
#define DNS_TRIES 3
/* RFC 1035 3.2. */
#define CLASS_IN 1
#define TYPE_PTR 12

/* --- the library's sockets and timeouts ----------------------------------- */

void
dns_arm(struct dns *d)
{
	struct timeval tv;

	if (ares_timeout(d->channel, NULL, &tv) == NULL)
		loop_timer_clear(d->loop, &d->timer);
	else
		loop_timer_set(d->loop, &d->timer,
		    (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 +
			1);
}

static void
dns_on_timer(void *self)
{
	struct dns *d = self;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	dns_arm(d);
}

static void
dns_on_event(void *self, unsigned events)
{
	struct dns_sock *s = self;
	struct dns *d = s->dns;
	int fd = s->watch.fd;

	ares_process_fd(d->channel,
	    events & ~(unsigned)LOOP_OUT ? fd : ARES_SOCKET_BAD,
	    events & (LOOP_OUT | LOOP_HUP) ? fd : ARES_SOCKET_BAD);
	dns_arm(d);
}

static struct dns_sock *
dns_sock_of(struct dns *d, int fd)
{
	for (int i = 0; i < DNS_SOCKS_MAX; i++)
		if (d->socks[i].watch.fd == fd)
			return &d->socks[i];
	return NULL;
}

static void
dns_on_sock(void *self, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = self;
	struct dns_sock *s = dns_sock_of(d, fd);
	enum loop_mode mode = LOOP_LEVEL_IN;

	if (!readable && !writable) {
		if (s != NULL)
			watch_del(d->loop, &s->watch);
		return;
	}
	if (writable)
		mode = readable ? LOOP_LEVEL_BOTH : LOOP_LEVEL_OUT;
	if (s != NULL) {
		(void)watch_mode(d->loop, &s->watch, mode);
		return;
	}
	s = dns_sock_of(d, -1);
	/* a socket too many is not watched: its query ends by timeout */
	if (s != NULL)
		(void)watch_add(d->loop, &s->watch, fd, mode, dns_on_event, s);
}

/* --- queries -------------------------------------------------------------- */

static void
query_free(struct dns_query *q)
{
	list_del(&q->node);
	q->dns->n_queries--;
	task_cancel(&q->task);
	dns_service_free(q->service, q->dns);
	free(q);
}

static void
query_hand_over(void *self)
{
	struct dns_query *q = self;
	struct dns_answer a;
	dns_f *fn = q->fn;
	void *to = q->self;

	if (fn != NULL && q->service != NULL && dns_service_goes_on(q))
		return;
	a = q->answer;
	query_free(q);
	if (fn != NULL)
		fn(to, &a);
}

enum dns_rc
dns_rc_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return DNS_OK;
	case ARES_ENOTFOUND:
		return DNS_NOT_FOUND;
	case ARES_ETIMEOUT:
		return DNS_TIMEOUT;
	default:
		return DNS_FAILED;
	}
}

/* One above 2^31 is none (RFC 2181 8). */
static uint32_t
ttl_min(uint32_t ttl, int other)
{
	uint32_t other_s = other < 0 ? 0 : (uint32_t)other;

	return other_s < ttl ? other_s : ttl;
}

/* Addresses in the library's order and the least time they may be kept. */
static void
query_take(struct dns_query *q, const struct ares_addrinfo *info)
{
	struct dns_answer *a = &q->answer;
	uint32_t ttl = DNS_TTL_MAX_S;

	for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL;
	     c = c->next)
		ttl = ttl_min(ttl, c->ttl);
	for (const struct ares_addrinfo_node *n = info->nodes;
	     n != NULL && a->n < DNS_ADDRS_MAX; n = n->ai_next) {
		struct sock_addr addr;
		uint16_t port;

		if ((size_t)n->ai_addrlen > sizeof(addr.u))
			continue;
		memset(&addr, 0, sizeof(addr));
		memcpy(&addr.u, n->ai_addr, (size_t)n->ai_addrlen);
		if (!sock_addr_ip(&addr, &a->addrs[a->n], &port))
			continue;
		a->n++;
		ttl = ttl_min(ttl, n->ai_ttl);
	}
	a->ttl_s = ttl;
	if (a->n == 0)
		a->rc = DNS_FAILED;
}

bool
dns_query_came(struct dns_query *q)
{
	q->is_pending = false;
	if (!q->dns->is_closing)
		return true;
	query_free(q);
	return false;
}

static void
query_done(void *self, int status, int timeouts, struct ares_addrinfo *info)
{
	struct dns_query *q = self;

	(void)timeouts;
	if (dns_query_came(q)) {
		q->answer.rc = dns_rc_of(status);
		if (status == ARES_SUCCESS && info != NULL)
			query_take(q, info);
		loop_defer(q->dns->loop, &q->task);
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
}

/* --- names of addresses --------------------------------------------------- */

span
dns_reverse_name(const struct ip *ip, char out[DNS_REVERSE_CAP])
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 0;

	if (ip_is_v4(ip))
		return span_of(out, (size_t)snprintf(out, DNS_REVERSE_CAP,
					"%u.%u.%u.%u.in-addr.arpa", ip->b[15],
					ip->b[14], ip->b[13], ip->b[12]));
	for (int i = 15; i >= 0; i--) {
		out[len++] = digits[ip->b[i] & 0xf];
		out[len++] = '.';
		out[len++] = digits[ip->b[i] >> 4];
		out[len++] = '.';
	}
	memcpy(out + len, "ip6.arpa", sizeof("ip6.arpa"));
	return span_of(out, len + strlen("ip6.arpa"));
}

static void
reverse_take(struct dns_query *q, span reply)
{
	struct dns_answer *a = &q->answer;
	char name[DNS_REVERSE_CAP];
	struct dns_ptr ptr;

	a->rc = dns_reply_ptr(reply, dns_reverse_name(&q->ip, name), &ptr);
	a->ttl_s = ptr.ttl_s < DNS_TTL_MAX_S ? ptr.ttl_s : DNS_TTL_MAX_S;
	a->host_len = ptr.len;
	memcpy(a->host, ptr.text, ptr.len);
}

static void
reverse_done(
    void *self, int status, int timeouts, unsigned char *reply, int len)
{
	struct dns_query *q = self;

	(void)timeouts;
	if (!dns_query_came(q))
		return;
	if (reply == NULL)
		q->answer.rc = dns_rc_of(status);
	else
		reverse_take(q, span_of((const char *)reply, (size_t)len));
	loop_defer(q->dns->loop, &q->task);
}

/* --- asking --------------------------------------------------------------- */

/* A question of its own; NULL: there are too many. */
static struct dns_query *
query_new(struct dns *d, dns_f *fn, void *self)
{
	struct dns_query *q;

	if (d->n_queries >= DNS_QUERIES_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	REQUIRE(q != NULL);
	q->dns = d;
	q->fn = fn;
	q->self = self;
	q->is_pending = true;
	task_init(&q->task, query_hand_over, q);
	list_push_back(&d->queries, &q->node);
	d->n_queries++;
	return q;
}

struct dns_query *
dns_resolve(struct dns *d, span name, dns_f *fn, void *self)
{
	struct ares_addrinfo_hints hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_flags = ARES_AI_NOSORT,
	    .ai_socktype = SOCK_STREAM,
	};
	char text[DNS_NAME_MAX + 1];
	struct dns_query *q;

	if (name.len == 0 || name.len > DNS_NAME_MAX ||
	    span_chr(name, '\0') >= 0)
		return NULL;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	q = query_new(d, fn, self);
	if (q == NULL)
		return NULL;
	if (dns_hosts_find(d->conf, name, &q->answer)) {
		q->is_pending = false;
		loop_defer(d->loop, &q->task);
		return q;
	}
	if (service_name_is(name))
		dns_service_ask(q, text);
	else
		ares_getaddrinfo(d->channel, text, NULL, &hints, query_done, q);
	dns_arm(d);
	return q;
}

struct dns_query *
dns_reverse(struct dns *d, const struct ip *ip, dns_f *fn, void *self)
{
	struct dns_query *q = query_new(d, fn, self);
	char name[DNS_REVERSE_CAP];

	if (q == NULL)
		return NULL;
	q->ip = *ip;
	(void)dns_reverse_name(ip, name);
	ares_query(d->channel, name, CLASS_IN, TYPE_PTR, reverse_done, q);
	dns_arm(d);
	return q;
}

void
dns_cancel(struct dns_query *q)
{
	q->fn = NULL;
	/* what the library still has is freed by its callback */
	if (!q->is_pending)
		query_free(q);
}

/* --- the channel ---------------------------------------------------------- */

/* A channel that asks name servers only and takes everything from the saved
 * options, so that the library opens no file. */
static bool
dns_open_channel(struct dns *d)
{
	/* name servers only; the library copies it */
	char lookups[] = "b";
	struct ares_options o = d->conf->options;
	int mask = d->conf->mask;

	o.lookups = lookups;
	o.timeout = DNS_TRY_MS;
	o.tries = DNS_TRIES;
	o.sock_state_cb = dns_on_sock;
	o.sock_state_cb_data = d;
	mask |= ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS |
		ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
		ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS;
	return ares_init_options(&d->channel, &o, mask) == ARES_SUCCESS;
}

struct dns *
dns_new(struct loop *l, const struct dns_conf *c)
{
	struct dns *d = calloc(1, sizeof(*d));

	REQUIRE(d != NULL);
	d->conf = c;
	d->loop = l;
	list_init(&d->queries);
	timer_init(&d->timer, dns_on_timer, d);
	for (int i = 0; i < DNS_SOCKS_MAX; i++) {
		d->socks[i].watch.fd = -1;
		d->socks[i].dns = d;
	}
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    !dns_open_channel(d)) {
		free(d);
		return NULL;
	}
	if (ares_set_servers_ports(d->channel, c->servers) != ARES_SUCCESS) {
		dns_free(d);
		return NULL;
	}
	return d;
}

bool
dns_use_servers(struct dns *d, span servers)
{
	/* it takes no others while it asks */
	ares_cancel(d->channel);
	if (servers.len == 0)
		return ares_set_servers_ports(d->channel, d->conf->servers) ==
		       ARES_SUCCESS;
	return dns_set_servers(d->channel, servers);
}

void
dns_free(struct dns *d)
{
	if (d == NULL)
		return;
	d->is_closing = true;
	ares_destroy(d->channel);
	list_foreach_safe (n, &d->queries)
		query_free(LIST_ENTRY(n, struct dns_query, node));
	loop_timer_clear(d->loop, &d->timer);
	ares_library_cleanup();
	free(d);
}
