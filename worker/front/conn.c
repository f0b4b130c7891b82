/* front/conn: accepting, the PROXY header, and the end. */
#include "worker/front/conn.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/num.h"
#include "common/http/h2.h"
#include "common/net/proxyproto.h"
#include "worker/front/gate.h"

/* How long the client's bytes are read after our direction has ended: while
 * they come, and a while after the last. The times are nginx's lingering_time
 * and lingering_timeout, which clients are used to. */
#define LINGER_MS 30000u
#define LINGER_IDLE_MS 5000u
/* Reads before other connections get their turn. */
#define LINGER_READS 64

/* --- life ----------------------------------------------------------------- */

static void
conn_on_event(void *self, unsigned events)
{
	struct conn *k = self;

	OBJ_CHECK(k, MAGIC_CONN);
	k->ops->on_event(k, events);
}

static void
conn_on_timer(void *self)
{
	struct conn *k = self;

	OBJ_CHECK(k, MAGIC_CONN);
	k->ops->on_timer(k);
}

static void
conn_on_task(void *self)
{
	struct conn *k = self;

	OBJ_CHECK(k, MAGIC_CONN);
	k->ops->on_task(k);
}

/* Who may send a PROXY header: everybody, or those that are named ("only
 * trusted proxies", proxy-protocol.txt 2). */
static bool
conn_may_tell(const struct conn *k)
{
	const struct plan_listen *l = k->listen;

	return (l->trusted == NULL && !l->trusts_unix) ||
	       plan_trusts(l, &k->peer, k->is_unix);
}

static void
conn_log(const struct conn *k, const char *what, const char *why)
{
	char peer[IP_TEXT_CAP] = "unix:";

	if (!log_is_on(LOG_INFO))
		return;
	if (!k->is_unix)
		(void)ip_format(&k->peer, peer);
	log_msg(LOG_INFO, "connection closed peer=%s why=\"%s %s\"", peer, what,
	    why);
}

static void
conn_log_proxy(const struct conn *k, const char *why)
{
	conn_log(k, "PROXY header", why);
}

static void
conn_count_failure(const struct conn *k, enum tls_failure class)
{
	static const enum counter_id of[] = {
	    [TLS_FAILURE_NONE] = COUNTER_TLS_FAILED_INTERNAL,
	    [TLS_FAILURE_CUT] = COUNTER_TLS_FAILED_CUT,
	    [TLS_FAILURE_PROTOCOL] = COUNTER_TLS_FAILED_PROTOCOL,
	    [TLS_FAILURE_MISMATCH] = COUNTER_TLS_FAILED_MISMATCH,
	    [TLS_FAILURE_CERTIFICATE] = COUNTER_TLS_FAILED_CERTIFICATE,
	    [TLS_FAILURE_INTERNAL] = COUNTER_TLS_FAILED_INTERNAL,
	};

	counter_add(k->w->counters, COUNTER_TLS_FAILURES, 1);
	counter_add(k->w->counters, of[class], 1);
}

void
conn_log_late(const struct conn *k)
{
	if (k->greeting == CONN_TLS) {
		conn_count_failure(k, TLS_FAILURE_CUT);
		conn_log(k, "TLS:", "the handshake took too long");
	} else if (k->greeting == CONN_PROXY) {
		conn_log_proxy(k, "too late");
	} else if (k->greeting == CONN_HELLO) {
		conn_log(k, "intercepted:", "nothing was asked for");
	}
}

/* Whether it may begin at all. */
static bool
conn_is_welcome(const struct conn *k)
{
	if (!k->listen->proxy_protocol || conn_may_tell(k))
		return true;
	conn_log_proxy(k, "from one who may send none");
	return false;
}

/* What comes where no PROXY header does, or behind it: what was read with that
 * is the beginning of a handshake. */
static void
conn_begin(struct conn *k)
{
	const struct plan_listen *l = k->listen;

	if (l->has_tls) {
		tls_stream_accept(
		    &k->stream, k->w->tls, &l->tls, inbuf_span(&k->in));
		inbuf_drop(&k->in);
		k->greeting = CONN_TLS;
		k->is_tls = true;
		k->w->n_tls++;
	} else if (l->is_transparent) {
		k->greeting = CONN_HELLO;
	} else {
		k->greeting = l->has_h2c ? CONN_PREFACE : CONN_GREETED;
	}
}

static void
conn_set_told(struct conn *k, const struct sock_addr *dst)
{
	struct ip ignored;

	if (!sock_addr_ip(dst, &ignored, &k->local_port))
		k->local_port = 0;
	k->told = malloc(sizeof(*k->told));
	REQUIRE(k->told != NULL);
	k->told->dst = *dst;
}

/* Where it was going. One that came to us by itself was going nowhere else. */
static void
conn_learn(struct conn *k, int fd)
{
	struct sock_addr own, dst;
	uint16_t own_port, dst_port;
	struct ip own_ip, dst_ip;

	if (k->is_unix || sock_original(fd, ip_is_v4(&k->peer), &dst) < 0 ||
	    sock_local(fd, &own) < 0 ||
	    !sock_addr_ip(&dst, &dst_ip, &dst_port) ||
	    !sock_addr_ip(&own, &own_ip, &own_port) ||
	    (own_port == dst_port && ip_eq(&own_ip, &dst_ip)))
		return;
	k->is_intercepted = true;
	conn_set_told(k, &dst);
}

bool
conn_open(struct conn *k, const struct conn_ops *ops, struct worker *w,
    const struct plan_listen *l, int fd, const struct sock_addr *peer,
    const struct sock_addr *local)
{
	struct ip ignored;

	k->magic = MAGIC_CONN;
	k->ops = ops;
	k->w = w;
	k->listen = l;
	k->is_unix = !sock_addr_ip(peer, &k->peer, &k->peer_port);
	if (!sock_addr_ip(local, &ignored, &k->local_port))
		k->local_port = 0;
	k->greeting = CONN_PROXY;
	timer_init(&k->timer, conn_on_timer, k);
	task_init(&k->task, conn_on_task, k);
	if (!conn_is_welcome(k)) {
		(void)close(fd);
		return false;
	}
	if (!l->proxy_protocol && !gate_enter(k)) {
		sock_reset(fd);
		return false;
	}
	if (l->is_transparent)
		conn_learn(k, fd);
	stream_open_late(&k->stream, w->loop, fd, conn_on_event, k);
	if (!l->proxy_protocol)
		conn_begin(k);
	list_push_back(&w->conns, &k->node);
	w->n_conns++;
	worker_conns_changed(w);
	counter_add(w->counters, COUNTER_CONNECTIONS, 1);
	return true;
}

static void
conn_free(void *self)
{
	free(self);
}

void
conn_gone(struct conn *k)
{
	struct worker *w = k->w;

	OBJ_CHECK(k, MAGIC_CONN);
	gate_leave(k);
	inbuf_drop(&k->in);
	list_del(&k->node);
	w->n_conns--;
	if (k->is_tls)
		w->n_tls--;
	worker_conns_changed(w);
	loop_timer_clear(w->loop, &k->timer);
	free(k->told);
	k->told = NULL;
	tls_facts_free(k->tls);
	k->tls = NULL;
	k->magic = 0;
	task_cancel(&k->task);
	task_init(&k->task, conn_free, k);
	loop_reap(w->loop, &k->task);
}

/* --- the greeting --------------------------------------------------------- */

/* The header is complete: its addresses are the client's. */
static void
conn_believe(struct conn *k, const struct proxyproto *pp)
{
	if (!pp->has_addrs || !sock_addr_ip(&pp->src, &k->peer, &k->peer_port))
		return;
	k->is_unix = false;
	conn_set_told(k, &pp->dst);
}

/* Whether the request that came before the end of the handshake may be served
 * at once: it may be a copy, so its method must be a safe one (RFC 8470 3).
 * Of HTTP/2 one cannot tell. */
static bool
conn_may_begin(const struct conn *k)
{
	span in = tls_stream_early(&k->stream);
	ptrdiff_t end = span_chr(in, ' ');

	return end > 0 &&
	       !span_eq(tls_stream_alpn(&k->stream), SPAN_LIT("h2")) &&
	       method_is_safe(method_lookup(span_first(in, (size_t)end)));
}

static enum conn_rc
conn_shake(struct conn *k)
{
	switch (tls_stream_shake(&k->stream)) {
	case TLS_RC_MORE:
		return CONN_MORE;
	case TLS_RC_EARLY:
		if (!conn_may_begin(k))
			return CONN_MORE;
		k->is_early = true;
		counter_add(k->w->counters, COUNTER_TLS_EARLY, 1);
		break;
	case TLS_RC_FAILED:
		conn_count_failure(k, tls_stream_failure(&k->stream));
		conn_log(k, "TLS:", tls_stream_why(&k->stream));
		return CONN_BAD;
	case TLS_RC_DONE:
		break;
	}
	k->tls = tls_facts_new(&k->stream);
	counter_add(k->w->counters, COUNTER_TLS_HANDSHAKES, 1);
	if (k->tls->is_resumed)
		counter_add(k->w->counters, COUNTER_TLS_RESUMED, 1);
	if (k->tls->is_stapled)
		counter_add(k->w->counters, COUNTER_TLS_STAPLED, 1);
	k->greeting = CONN_GREETED;
	return span_eq(k->tls->alpn, SPAN_LIT("h2")) ? CONN_H2 : CONN_H1;
}

/* A client that knows that we speak HTTP/2 begins with the preface (RFC 9113
 * 3.3); no other request begins like it. */
static enum conn_rc
conn_read_preface(struct conn *k)
{
	for (;;) {
		span in = inbuf_span(&k->in);
		size_t n = size_min(in.len, H2_PREFACE_LEN);
		ssize_t rc;

		bool is_like =
		    span_starts(SPAN_LIT(H2_PREFACE), span_first(in, n));

		if (n == H2_PREFACE_LEN || !is_like) {
			k->greeting = CONN_GREETED;
			return is_like ? CONN_H2 : CONN_H1;
		}
		rc = inbuf_fill(&k->in, k->w, &k->stream, H2_PREFACE_LEN);
		if (rc == STREAM_RC_AGAIN)
			return CONN_MORE;
		if (rc <= 0) {
			k->greeting = CONN_GREETED;
			return CONN_H1;
		}
	}
}

/* What a handshake for somebody else begins with (RFC 8446 5.1). */
#define HELLO_FIRST_BYTE 0x16

/* A client that does not know of us speaks HTTP, or TLS with the one it thinks it
 * speaks with; its first message is waited for then, since that may name him. */
static enum conn_rc
conn_read_hello(struct conn *k)
{
	for (;;) {
		span in = inbuf_span(&k->in);
		char room[TLS_HELLO_MAX];
		struct tls_hello h;
		ssize_t n;

		k->greeting = CONN_GREETED;
		if (in.len > 0 && in.p[0] != HELLO_FIRST_BYTE)
			return CONN_H1;
		if (in.len > 0 &&
		    (in.len >= TLS_HELLO_MAX ||
			tls_hello_read(in, room, &h) != TLS_HELLO_MORE))
			return CONN_TLS_THROUGH;
		n = inbuf_fill(&k->in, k->w, &k->stream, TLS_HELLO_MAX);
		if (n == STREAM_RC_AGAIN) {
			k->greeting = CONN_HELLO;
			return CONN_MORE;
		}
		if (n <= 0)
			return in.len > 0 ? CONN_TLS_THROUGH : CONN_H1;
	}
}

span
conn_hello_name(const struct conn *k, char name[TLS_NAME_MAX + 1])
{
	char room[TLS_HELLO_MAX];
	struct tls_hello h;
	size_t len;

	if (tls_hello_read(inbuf_span(&k->in), room, &h) != TLS_HELLO_OK ||
	    !tls_hello_name(&h, name, &len))
		return span_of(NULL, 0);
	return span_of(name, len);
}

/* The PROXY header comes first and is believed: the listen says so. */
static enum conn_rc
conn_read_proxy(struct conn *k)
{
	enum proxyproto_rc rc;
	struct proxyproto pp;
	size_t used;

	while ((rc = proxyproto_parse(inbuf_span(&k->in), &pp, &used)) ==
	       PROXYPROTO_MORE) {
		ssize_t n =
		    inbuf_fill(&k->in, k->w, &k->stream, PROXYPROTO_MAX);

		if (n == STREAM_RC_AGAIN)
			return CONN_MORE;
		if (n <= 0)
			break;
	}
	if (rc != PROXYPROTO_OK) {
		conn_log_proxy(
		    k, rc == PROXYPROTO_BAD ? "malformed" : "incomplete");
		return CONN_BAD;
	}
	inbuf_use(&k->in, used);
	conn_believe(k, &pp);
	if (k->told != NULL && !gate_enter(k))
		return CONN_BAD;
	conn_begin(k);
	return conn_greet(k);
}

enum conn_rc
conn_greet(struct conn *k)
{
	switch (k->greeting) {
	case CONN_PROXY:
		return conn_read_proxy(k);
	case CONN_TLS:
		return conn_shake(k);
	case CONN_PREFACE:
		return conn_read_preface(k);
	case CONN_HELLO:
		return conn_read_hello(k);
	case CONN_GREETED:
		return CONN_H1;
	}
	UNREACHED();
}

/* --- a client that takes no more ------------------------------------------ */

void
conn_note_unsent(struct conn *k)
{
	k->unsent = stream_unsent(&k->stream);
}

size_t
conn_taken(struct conn *k, size_t written)
{
	size_t before = k->unsent + written;

	conn_note_unsent(k);
	return before - size_min(before, k->unsent);
}

/* --- the end -------------------------------------------------------------- */

bool
conn_linger_begin(struct conn *k)
{
	k->linger_until_ms = clock_mono_ms(worker_clock(k->w)) + LINGER_MS;
	if (stream_shutdown(&k->stream) == STREAM_RC_ERROR)
		return false;
	loop_timer_set(k->w->loop, &k->timer, LINGER_IDLE_MS);
	return conn_linger(k);
}

bool
conn_linger(struct conn *k)
{
	if (clock_mono_ms(worker_clock(k->w)) >= k->linger_until_ms)
		return false;
	for (int reads = 0; reads < LINGER_READS; reads++) {
		ssize_t n;

		inbuf_drop(&k->in);
		n = inbuf_fill(&k->in, k->w, &k->stream, BUF_CAP);
		if (n > 0)
			continue;
		if (n == STREAM_RC_AGAIN && reads > 0)
			loop_timer_set(k->w->loop, &k->timer, LINGER_IDLE_MS);
		return n == STREAM_RC_AGAIN;
	}
	loop_yield(k->w->loop, &k->task);
	return true;
}

/* --- for exchanges -------------------------------------------------------- */

bool
conn_is_early(const struct conn *k)
{
	return k->is_early && tls_stream_is_early(&k->stream);
}

void
conn_tell(const struct conn *k, struct exch_client *client)
{
	uint16_t ignored;

	client->ip = client->peer = k->peer;
	client->port = client->peer_port = k->peer_port;
	client->is_unix = k->is_unix;
	client->local_port = k->local_port;
	client->is_intercepted = k->is_intercepted;
	if (k->is_intercepted)
		(void)sock_addr_ip(&k->told->dst, &client->sent_to, &ignored);
	client->tls = k->tls;
	client->is_early = conn_is_early(k);
	client->scheme = k->tls != NULL ? SPAN_LIT("https") : SPAN_LIT("http");
}

bool
conn_local_addr(const struct conn *k, struct sock_addr *out)
{
	if (k->told != NULL) {
		*out = k->told->dst;
		return true;
	}
	return !stream_is_closed(&k->stream) &&
	       sock_local(k->stream.watch.fd, out) == 0;
}

void
conn_fit_trailers(struct exch *x)
{
	field_rules_apply(&x->set->hidden_fields, x, &x->resp.trailers);
	if (x->filters != NULL)
		fields_del_digests(&x->resp.trailers);
}
