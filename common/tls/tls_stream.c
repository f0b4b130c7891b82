/* tls_stream: records in and out, and the handshake. */
#include "common/tls/tls_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/base/num.h"
#include "common/net/loop.h"
#include "common/tls/tls_int.h"

/* A record that one TCP segment holds: 1,460 bytes, less 40 of IPv6 and of time
 * stamps and 22 to 29 of the record. The peer can read it when that segment
 * comes, not when a whole large record did. */
#define TLS_RECORD_SMALL 1380u
/* Longest host name (RFC 1035 2.3.4), its NUL included. */
#define NAME_CAP 256
/* The first flight: ten segments (RFC 6928). Behind it large records cost the
 * peer no round trip. */
#define TLS_SMALL_BYTES (10 * TLS_RECORD_SMALL)
/* After so long a connection begins with a first flight again (RFC 9293 3.8.1:
 * the least time-out of a retransmission is 1 s). */
#define TLS_PAUSE_MS 1000u

static enum tls_rc tls_go_on(struct tls_stream *t);

/* --- the stream ----------------------------------------------------------- */

/* What a read that gave nothing means; 0: a message that is no content was
 * worked through, go on. */
static int
tls_read_stopped(struct tls_stream *t)
{
	int error = SSL_get_error(t->ssl, 0);

	if (t->n_chatter > TLS_CHATTER_MAX) {
		t->failure = TLS_FAILURE_PROTOCOL;
		return tls_failed(t, "too many handshake messages", EPROTO);
	}
	if (error == SSL_ERROR_WANT_READ)
		return t->is_blocked ? STREAM_RC_AGAIN : 0;
	if (error == SSL_ERROR_ZERO_RETURN)
		return STREAM_RC_EOF;
	return tls_broke(t, error);
}

/* The handshake goes on while its owner reads. 0: there is something to be
 * read, or it has ended. */
static int
tls_read_early(struct tls_stream *t)
{
	switch (tls_go_on(t)) {
	case TLS_RC_DONE:
	case TLS_RC_EARLY:
		return 0;
	case TLS_RC_MORE:
		return STREAM_RC_AGAIN;
	case TLS_RC_FAILED:
		break;
	}
	return STREAM_RC_ERROR;
}

/* As tls_read_early(); what was read ahead comes first. */
static int
tls_begin_read(struct tls_stream *t)
{
	return t->is_done || t->ahead != NULL ? 0 : tls_read_early(t);
}

static ssize_t
tls_read(struct stream *s, void *to, size_t len)
{
	struct tls_stream *t = s->impl;
	size_t n = 0;
	int rc;

	if (s->is_ready) {
		s->is_ready = false;
		t->is_drained = false;
	}
	rc = tls_begin_read(t);
	if (t->ahead != NULL) {
		s->may_read = true;
		return (ssize_t)tls_early_take(t, to, len);
	}
	while (n == 0 && rc == 0) {
		tls_enter(t);
		if (SSL_read_ex(t->ssl, to, len, &n) != 1)
			rc = tls_read_stopped(t);
	}
	/* it may have answered a key update */
	if (t->io->used > 0 && tls_flush(t) == STREAM_RC_ERROR)
		return STREAM_RC_ERROR;
	if (n == 0) {
		s->may_read = rc == STREAM_RC_EOF;
		return rc;
	}
	t->n_chatter = 0;
	s->may_read = !t->is_drained || SSL_has_pending(t->ssl) == 1;
	return (ssize_t)n;
}

/* Content of the next record. */
static size_t
tls_record_size(const struct tls_stream *t)
{
	return t->burst < TLS_SMALL_BYTES ? TLS_RECORD_SMALL : TLS_RECORD_MAX;
}

/* Where writing stands in what the owner offers. */
struct tls_offer {
	const struct iovec *iov;
	int n;
	size_t off; /* in *iov */
};

static void
offer_skip(struct tls_offer *o, size_t n)
{
	while (o->n > 0 && n >= o->iov->iov_len - o->off) {
		n -= o->iov->iov_len - o->off;
		o->off = 0;
		o->iov++;
		o->n--;
	}
	o->off += o->n > 0 ? n : 0;
}

/* Up to len bytes in one piece: where they lie, or gathered. */
static span
offer_take(struct tls_offer *o, struct tls_io *io, size_t len)
{
	span one;
	size_t at = 0;

	if (o->n == 0)
		return span_of(NULL, 0);
	one = span_of((const char *)o->iov->iov_base + o->off,
	    size_min(len, o->iov->iov_len - o->off));
	if (one.len == len || o->n == 1) {
		offer_skip(o, one.len);
		return one;
	}
	while (at < len && o->n > 0) {
		size_t n = size_min(len - at, o->iov->iov_len - o->off);

		memcpy(
		    io->plain + at, (const char *)o->iov->iov_base + o->off, n);
		at += n;
		offer_skip(o, n);
	}
	return span_of(io->plain, at);
}

/* Before the end of the handshake it goes to whom nobody but the session has
 * named (RFC 8446 4.4.4). */
static bool
tls_write(struct tls_stream *t, span part)
{
	size_t n = 0;
	int rc = t->is_done
		     ? SSL_write_ex(t->ssl, part.p, part.len, &n)
		     : SSL_write_early_data(t->ssl, part.p, part.len, &n);

	REQUIRE(rc != 1 || n == part.len);
	return rc == 1;
}

/* Encrypt what is offered, a batch at most. Returns the bytes of it, or
 * ERROR. */
static ssize_t
tls_encrypt(struct tls_stream *t, struct tls_offer *o)
{
	size_t done = 0;

	while (done < TLS_BATCH) {
		span part = offer_take(o, t->io, tls_record_size(t));

		if (part.len == 0)
			break;
		tls_enter(t);
		if (!tls_write(t, part))
			return tls_broke(t, SSL_get_error(t->ssl, 0));
		done += part.len;
		/* as far as it matters: it may be many gigabytes */
		if (t->burst < TLS_SMALL_BYTES)
			t->burst += (uint32_t)part.len;
	}
	return (ssize_t)done;
}

static void
tls_note_pause(struct tls_stream *t)
{
	uint64_t now_ms = clock_mono_ms(loop_clock(t->stream->loop));

	if (now_ms - t->wrote_ms >= TLS_PAUSE_MS)
		t->burst = 0;
	t->wrote_ms = now_ms;
}

static ssize_t
tls_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct tls_stream *t = s->impl;
	struct tls_offer o = {iov, n, 0};
	size_t paid;
	ssize_t more;
	int rc = tls_send_left(t);

	if (rc != 0)
		return rc;
	paid = t->owed;
	t->owed = 0;
	offer_skip(&o, paid);
	tls_note_pause(t);
	more = tls_encrypt(t, &o);
	if (more < 0)
		return more;
	rc = tls_flush(t);
	if (rc == STREAM_RC_ERROR)
		return rc;
	if (rc == 0)
		return (ssize_t)paid + more;
	t->owed = (uint32_t)more;
	return paid > 0 ? (ssize_t)paid : STREAM_RC_AGAIN;
}

static int
tls_end(struct tls_stream *t)
{
	if (!t->has_ended && t->is_done && t->why == NULL) {
		tls_enter(t);
		(void)SSL_shutdown(t->ssl);
		ERR_clear_error();
	}
	t->has_ended = true;
	return tls_flush(t);
}

/* Behind close_notify, once the kernel has it. */
static int
tls_shut(struct tls_stream *t)
{
	if (!t->has_ended || t->is_shut || t->left != NULL)
		return 0;
	t->is_shut = true;
	t->stream->may_write = false;
	if (shutdown(t->stream->watch.fd, SHUT_WR) < 0)
		return tls_failed(t, "the connection broke", errno);
	return 0;
}

static int
tls_shutdown(struct stream *s)
{
	struct tls_stream *t = s->impl;

	/* there is no way to say it yet */
	if (!t->is_done && t->why == NULL) {
		t->wants_end = true;
		return 0;
	}
	if (tls_end(t) == STREAM_RC_ERROR)
		return STREAM_RC_ERROR;
	return tls_shut(t);
}

static void
tls_on_room(struct stream *s)
{
	struct tls_stream *t = s->impl;

	if (tls_send_left(t) == 0)
		(void)tls_shut(t);
}

static void
tls_free(struct tls_stream *t)
{
	/* a session is good for another connection however this one ends */
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	task_cancel(&t->task);
	free(t->left);
	free(t->early);
	free(t->ahead);
	free(t->ja4);
	free(t);
}

static void
tls_close(struct stream *s)
{
	struct tls_stream *t = s->impl;

	/* the end of TLS says that nothing is missing */
	if (!s->is_broken)
		(void)tls_end(t);
	watch_close(s->loop, &s->watch);
	s->impl = NULL;
	t->stream = NULL;
	/* what sleeps has to end in its own way: see tls_on_task() */
	if (!t->is_waiting)
		tls_free(t);
}

/* Nothing but what belongs to TLS (tickets) has come. */
static bool
tls_is_fresh(struct stream *s)
{
	struct tls_stream *t = s->impl;
	char byte;
	size_t n;
	int rc;

	t->is_drained = s->is_ready = false;
	rc = tls_begin_read(t);
	if (t->ahead != NULL) {
		s->may_read = true;
		return false;
	}
	while (rc == 0) {
		tls_enter(t);
		if (SSL_peek_ex(t->ssl, &byte, 1, &n) == 1)
			rc = STREAM_RC_EOF;
		else
			rc = tls_read_stopped(t);
	}
	if (t->io->used > 0 && tls_flush(t) == STREAM_RC_ERROR)
		return false;
	s->may_read = rc != STREAM_RC_AGAIN;
	return rc == STREAM_RC_AGAIN;
}

static const struct stream_ops tls_ops = {
    .read = tls_read,
    .writev = tls_writev,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .on_room = tls_on_room,
    .is_fresh = tls_is_fresh,
};

/* --- the handshake -------------------------------------------------------- */

/* Until OpenSSL has no early data any more it must be asked for some. */
static int
tls_step_error(struct tls_stream *t)
{
	int error = t->may_have_early ? tls_early_step(t) : SSL_ERROR_NONE;

	if (error == SSL_ERROR_NONE && SSL_do_handshake(t->ssl) != 1)
		error = SSL_get_error(t->ssl, 0);
	return error;
}

/* One step of the handshake as far as it gets. */
static enum tls_rc
tls_step(struct tls_stream *t)
{
	int error;

	tls_enter(t);
	error = tls_step_error(t);
	t->is_waiting = error == SSL_ERROR_WANT_ASYNC;
	if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ &&
	    error != SSL_ERROR_WANT_ASYNC) {
		(void)tls_broke(t, error);
		return TLS_RC_FAILED;
	}
	if (tls_flush(t) == STREAM_RC_ERROR)
		return TLS_RC_FAILED;
	if (error == SSL_ERROR_NONE)
		return TLS_RC_DONE;
	return t->ahead != NULL ? TLS_RC_EARLY : TLS_RC_MORE;
}

/* The same, and what is due at the end. */
static enum tls_rc
tls_go_on(struct tls_stream *t)
{
	enum tls_rc rc = tls_step(t);

	if (rc != TLS_RC_DONE)
		return rc;
	t->is_done = true;
	/* a staple that went out is of no more use */
	if (t->server != NULL)
		(void)SSL_set_tlsext_status_ocsp_resp(t->ssl, NULL, 0);
	/* what follows needs no signer */
	(void)SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
	if (t->wants_end &&
	    (tls_end(t) == STREAM_RC_ERROR || tls_shut(t) == STREAM_RC_ERROR))
		return TLS_RC_FAILED;
	return TLS_RC_DONE;
}

/* --- a signer's answer ---------------------------------------------------- */

static void
tls_on_task(void *self)
{
	struct tls_stream *t = self;
	struct stream *s = t->stream;

	if (s == NULL) {
		/* closed meanwhile: what sleeps has to end in its own way */
		(void)tls_step(t);
		if (!t->is_waiting)
			tls_free(t);
		return;
	}
	t->is_waiting = false;
	s->fn(s->self, STREAM_READABLE);
}

/* Called by whoever has the answer; see tls_later_resume(). */
static int
tls_on_answer(SSL *ssl, void *self)
{
	struct tls_stream *t = self;

	(void)ssl;
	loop_yield(t->io->loop, &t->task);
	return 1;
}

/* The client is gone while a signer works for it. */
static bool
tls_has_left(struct tls_stream *t)
{
	if (!t->stream->got_hup)
		return false;
	t->failure = TLS_FAILURE_CUT;
	(void)tls_failed(t, "the connection ended without notice", ECONNRESET);
	return true;
}

/* --- the beginning -------------------------------------------------------- */

/* Messages of handshakes that come after the handshake. */
static void
tls_on_message(int is_write, int version, int type, const void *buf, size_t len,
    SSL *ssl, void *self)
{
	struct tls_stream *t = self;

	(void)version;
	(void)buf;
	(void)len;
	(void)ssl;
	if (!is_write && type == SSL3_RT_HANDSHAKE && t->is_done &&
	    t->n_chatter <= TLS_CHATTER_MAX)
		t->n_chatter++;
}

static struct tls_stream *
tls_begin(struct stream *s, struct tls_io *io, const struct tls_context *c)
{
	struct tls_stream *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL && !stream_is_closed(s));
	t->stream = s;
	t->io = io;
	t->context = c;
	t->wrote_ms = clock_mono_ms(loop_clock(s->loop));
	t->ssl = SSL_new(c->ssl);
	REQUIRE(t->ssl != NULL);
	/* one reference serves for both directions */
	REQUIRE(BIO_up_ref(io->bio) == 1);
	SSL_set_bio(t->ssl, io->bio, io->bio);
	SSL_set_msg_callback(t->ssl, tls_on_message);
	SSL_set_msg_callback_arg(t->ssl, t);
	task_init(&t->task, tls_on_task, t);
	s->impl = t;
	s->ops = &tls_ops;
	return t;
}

void
tls_stream_accept(struct stream *s, struct tls_io *io,
    const struct tls_server *server, span early)
{
	struct tls_stream *t = tls_begin(s, io, server->first);

	t->server = server;
	t->may_have_early = server->first->has_early_data;
	if (early.len > 0) {
		t->early = malloc(early.len);
		REQUIRE(t->early != NULL);
		memcpy(t->early, early.p, early.len);
		t->early_len = (uint32_t)early.len;
	}
	if (server->has_signer) {
		(void)SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
		(void)SSL_set_async_callback(t->ssl, tls_on_answer);
		(void)SSL_set_async_callback_arg(t->ssl, t);
	}
	SSL_set_accept_state(t->ssl);
}

/* Whom the certificate must name, and SNI, which holds names only (RFC 6066 3).
 */
static bool
tls_set_peer(struct tls_stream *t, span name, bool verifies)
{
	char text[NAME_CAP];
	struct ip ip;
	bool is_ip = ip_parse(name, &ip);
	X509_VERIFY_PARAM *p = SSL_get0_param(t->ssl);

	if (name.len == 0)
		return !verifies;
	if (name.len >= sizeof(text))
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	if (!is_ip && SSL_set_tlsext_host_name(t->ssl, text) != 1)
		return false;
	if (!verifies)
		return true;
	/* RFC 9525 6.3: a subject's common name is no identity */
	X509_VERIFY_PARAM_set_hostflags(
	    p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return is_ip ? X509_VERIFY_PARAM_set1_ip_asc(p, text) == 1
		     : X509_VERIFY_PARAM_set1_host(p, text, name.len) == 1;
}

bool
tls_stream_connect(struct stream *s, struct tls_io *io,
    const struct tls_context *c, const struct tls_peer *peer)
{
	struct tls_stream *t = tls_begin(s, io, c);

	t->on_session = peer->on_session;
	t->on_session_self = peer->self;
	SSL_set_connect_state(t->ssl);
	if (tls_set_peer(t, peer->name, c->verifies) &&
	    (peer->session == NULL ||
		SSL_set_session(t->ssl, peer->session) == 1))
		return true;
	ERR_clear_error();
	t->failure = TLS_FAILURE_INTERNAL;
	(void)tls_failed(t, "the name cannot be used", EINVAL);
	return false;
}

enum tls_rc
tls_stream_shake(struct stream *s)
{
	struct tls_stream *t = s->impl;
	enum tls_rc rc;

	if (t->is_done)
		return TLS_RC_DONE;
	if (t->why != NULL)
		return TLS_RC_FAILED;
	if (s->is_ready) {
		s->is_ready = false;
		t->is_drained = false;
	}
	if (t->is_waiting)
		return tls_has_left(t) ? TLS_RC_FAILED : TLS_RC_MORE;
	rc = tls_go_on(t);
	if (rc == TLS_RC_DONE)
		s->may_read = !t->is_drained || t->ahead != NULL ||
			      SSL_has_pending(t->ssl) == 1;
	return rc;
}

enum tls_failure
tls_stream_failure(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return t != NULL ? t->failure : TLS_FAILURE_NONE;
}

const char *
tls_stream_why(const struct stream *s)
{
	const struct tls_stream *t = s->impl;

	return t != NULL && t->why != NULL ? t->why : "no reason told";
}

span
tls_stream_alpn(const struct stream *s)
{
	const struct tls_stream *t = s->impl;
	const unsigned char *p;
	unsigned len;

	SSL_get0_alpn_selected(t->ssl, &p, &len);
	return span_of((const char *)p, len);
}
