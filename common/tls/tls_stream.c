/* tls_stream: records in and out. OpenSSL reads from the socket itself, ahead
 * of the record it needs; what it writes is gathered for all streams in one
 * area and goes out by one send. */
#include "common/tls/tls_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/net/loop.h"
#include "common/tls/tls_int.h"

/* Content of a record at most (RFC 8446 5.1). */
#define TLS_RECORD_MAX 16384u
/* What a record adds to its content at most (RFC 8446 5.2, RFC 5246 6.2.3). */
#define TLS_RECORD_MORE 2048u
/* Content encrypted before it is sent. */
#define TLS_BATCH (4 * TLS_RECORD_MAX)
#define TLS_OUT_CAP (TLS_BATCH + 64 * TLS_RECORD_MORE)
/* A record that one TCP segment holds: 1,460 bytes, less 40 of IPv6 and of time
 * stamps and 22 to 29 of the record. The peer can read it when that segment
 * comes, not when a whole large record did. */
#define TLS_RECORD_SMALL 1380u
/* The first flight: ten segments (RFC 6928). Behind it large records cost the
 * peer no round trip. */
#define TLS_SMALL_BYTES (10 * TLS_RECORD_SMALL)
/* After so long a connection begins with a first flight again (RFC 9293 3.8.1:
 * the least time-out of a retransmission is 1 s). */
#define TLS_PAUSE_MS 1000u
/* Encrypted bytes that may wait for a peer that does not read; OpenSSL itself
 * answers key updates. */
#define TLS_LEFT_MAX (2 * TLS_OUT_CAP)

struct tls_io {
	BIO_METHOD *method;
	size_t used; /* of out */
	char plain[TLS_RECORD_MAX];
	char out[TLS_OUT_CAP];
};

/* --- the socket under OpenSSL --------------------------------------------- */

static size_t
bio_read_early(struct tls_stream *t, char *to, size_t len)
{
	size_t n = size_min(len, t->early_len - t->early_at);

	memcpy(to, t->early + t->early_at, n);
	t->early_at += n;
	if (t->early_at == t->early_len) {
		free(t->early);
		t->early = NULL;
	}
	return n;
}

static int
bio_read(BIO *b, char *to, size_t len, size_t *got)
{
	struct tls_stream *t = BIO_get_data(b);
	struct stream *s = t->stream;
	ssize_t n;

	BIO_clear_retry_flags(b);
	*got = 0;
	if (t->early != NULL) {
		*got = bio_read_early(t, to, len);
		return 1;
	}
	if (t->is_drained) {
		BIO_set_retry_read(b);
		return 0;
	}
	do {
		n = recv(s->watch.fd, to, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* as in net/stream: a short read has drained the socket */
		if ((size_t)n < len && !s->got_rdhup && !s->got_hup)
			t->is_drained = true;
		*got = (size_t)n;
		return 1;
	}
	if (n == 0)
		return 0;
	t->is_drained = true;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		BIO_set_retry_read(b);
	else
		s->err = errno;
	return 0;
}

/* Into the shared area; its user sends it. */
static int
bio_write(BIO *b, const char *from, size_t len, size_t *took)
{
	struct tls_stream *t = BIO_get_data(b);
	struct tls_io *io = t->io;

	BIO_clear_retry_flags(b);
	*took = 0;
	if (len > sizeof(io->out) - io->used)
		return 0;
	memcpy(io->out + io->used, from, len);
	io->used += len;
	*took = len;
	return 1;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *p)
{
	const struct tls_stream *t = BIO_get_data(b);

	(void)num;
	(void)p;
	if (cmd == BIO_CTRL_FLUSH)
		return 1;
	if (cmd == BIO_CTRL_EOF)
		return t->early == NULL && t->stream->err == 0 &&
		       !t->is_drained;
	return 0;
}

struct tls_io *
tls_io_new(void)
{
	struct tls_io *io = malloc(sizeof(*io));

	REQUIRE(io != NULL);
	io->used = 0;
	io->method = BIO_meth_new(
	    BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse stream");
	REQUIRE(io->method != NULL);
	REQUIRE(BIO_meth_set_read_ex(io->method, bio_read) == 1);
	REQUIRE(BIO_meth_set_write_ex(io->method, bio_write) == 1);
	REQUIRE(BIO_meth_set_ctrl(io->method, bio_ctrl) == 1);
	return io;
}

void
tls_io_free(struct tls_io *io)
{
	if (io == NULL)
		return;
	BIO_meth_free(io->method);
	OPENSSL_cleanse(io->plain, sizeof(io->plain));
	free(io);
}

/* --- sending -------------------------------------------------------------- */

/* As much as the kernel takes. Returns how much, or -1 with errno. */
static ssize_t
tls_send(const struct stream *s, const char *p, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = send(s->watch.fd, p + at, len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return -1;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static int
tls_failed(struct tls_stream *t, const char *why, int err)
{
	struct stream *s = t->stream;

	if (t->why == NULL)
		t->why = why;
	if (s->err == 0)
		s->err = err;
	s->may_read = false;
	s->may_write = false;
	return STREAM_RC_ERROR;
}

/* Keep what the kernel did not take. */
static int
tls_keep(struct tls_stream *t, const char *p, size_t len)
{
	size_t have = t->left_len - t->left_at;
	char *left;

	if (have + len > TLS_LEFT_MAX)
		return tls_failed(t, "the peer does not read", ENOBUFS);
	left = malloc(have + len);
	REQUIRE(left != NULL);
	if (have > 0)
		memcpy(left, t->left + t->left_at, have);
	memcpy(left + have, p, len);
	free(t->left);
	t->left = left;
	t->left_len = have + len;
	t->left_at = 0;
	t->stream->may_write = false;
	return STREAM_RC_AGAIN;
}

/* Send what was kept. 0, AGAIN or ERROR. */
static int
tls_send_left(struct tls_stream *t)
{
	ssize_t n;

	if (t->left == NULL)
		return 0;
	n = tls_send(t->stream, t->left + t->left_at, t->left_len - t->left_at);
	if (n < 0)
		return tls_failed(t, "the connection broke", errno);
	t->left_at += (size_t)n;
	if (t->left_at < t->left_len) {
		t->stream->may_write = false;
		return STREAM_RC_AGAIN;
	}
	free(t->left);
	t->left = NULL;
	t->left_len = t->left_at = 0;
	return 0;
}

/* Send what OpenSSL has written into the shared area. 0, AGAIN (the rest is
 * kept) or ERROR. */
static int
tls_flush(struct tls_stream *t)
{
	struct tls_io *io = t->io;
	size_t len = io->used;
	ssize_t n;
	int rc = tls_send_left(t);

	io->used = 0;
	if (len == 0 || rc == STREAM_RC_ERROR)
		return rc;
	if (rc == STREAM_RC_AGAIN)
		return tls_keep(t, io->out, len);
	n = tls_send(t->stream, io->out, len);
	if (n < 0)
		return tls_failed(t, "the connection broke", errno);
	if ((size_t)n == len)
		return 0;
	return tls_keep(t, io->out + n, len - (size_t)n);
}

/* --- what OpenSSL says ---------------------------------------------------- */

const char *
tls_first_error(void)
{
	unsigned long e = ERR_peek_error();
	const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return text != NULL ? text : "no reason told";
}

/* A call failed for good: what it wants the peer to know still goes out. */
static int
tls_broke(struct tls_stream *t, int error)
{
	bool is_end = error == SSL_ERROR_SYSCALL ||
		      ERR_GET_REASON(ERR_peek_error()) ==
			  SSL_R_UNEXPECTED_EOF_WHILE_READING;

	(void)tls_flush(t);
	if (!is_end)
		return tls_failed(t, tls_first_error(), EPROTO);
	ERR_clear_error();
	return tls_failed(t, "the connection ended without notice",
	    t->stream->err != 0 ? t->stream->err : ECONNRESET);
}

/* --- the stream ----------------------------------------------------------- */

static ssize_t
tls_read(struct stream *s, void *to, size_t len)
{
	struct tls_stream *t = s->impl;
	size_t n = 0;
	int error;

	if (s->is_ready) {
		s->is_ready = false;
		t->is_drained = false;
	}
	ERR_clear_error();
	if (SSL_read_ex(t->ssl, to, len, &n) == 1) {
		/* it may have answered a key update */
		if (t->io->used > 0 && tls_flush(t) == STREAM_RC_ERROR)
			return STREAM_RC_ERROR;
		s->may_read = !t->is_drained || SSL_has_pending(t->ssl) == 1;
		return (ssize_t)n;
	}
	error = SSL_get_error(t->ssl, 0);
	if (error == SSL_ERROR_ZERO_RETURN)
		return STREAM_RC_EOF;
	if (error != SSL_ERROR_WANT_READ)
		return tls_broke(t, error);
	if (t->io->used > 0 && tls_flush(t) == STREAM_RC_ERROR)
		return STREAM_RC_ERROR;
	s->may_read = false;
	return STREAM_RC_AGAIN;
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

/* Encrypt what is offered, a batch at most. Returns the bytes of it, or
 * ERROR. */
static ssize_t
tls_encrypt(struct tls_stream *t, struct tls_offer *o)
{
	size_t done = 0;

	while (done < TLS_BATCH) {
		span part = offer_take(o, t->io, tls_record_size(t));
		size_t n;

		if (part.len == 0)
			break;
		ERR_clear_error();
		if (SSL_write_ex(t->ssl, part.p, part.len, &n) != 1)
			return tls_broke(t, SSL_get_error(t->ssl, 0));
		REQUIRE(n == part.len);
		done += n;
		t->burst += n;
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
	t->owed = (size_t)more;
	return paid > 0 ? (ssize_t)paid : STREAM_RC_AGAIN;
}

static int
tls_end(struct tls_stream *t)
{
	if (!t->has_ended && t->is_done && t->why == NULL) {
		ERR_clear_error();
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
	SSL_free(t->ssl);
	free(t->left);
	free(t->early);
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
	tls_free(t);
}

/* Nothing but what belongs to TLS (tickets) has come. */
static bool
tls_is_fresh(struct stream *s)
{
	struct tls_stream *t = s->impl;
	char byte;
	size_t n;
	bool is_quiet;

	t->is_drained = s->is_ready = false;
	ERR_clear_error();
	is_quiet = SSL_peek_ex(t->ssl, &byte, 1, &n) != 1 &&
		   SSL_get_error(t->ssl, 0) == SSL_ERROR_WANT_READ;
	ERR_clear_error();
	if (t->io->used > 0 && tls_flush(t) == STREAM_RC_ERROR)
		return false;
	if (is_quiet)
		s->may_read = false;
	return is_quiet;
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

static struct tls_stream *
tls_begin(struct stream *s, struct tls_io *io, const struct tls_context *c)
{
	struct tls_stream *t = calloc(1, sizeof(*t));
	BIO *b = BIO_new(io->method);

	REQUIRE(t != NULL && b != NULL && !stream_is_closed(s));
	t->stream = s;
	t->io = io;
	t->context = c;
	t->wrote_ms = clock_mono_ms(loop_clock(s->loop));
	t->ssl = SSL_new(c->ssl);
	REQUIRE(t->ssl != NULL);
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	tls_set_of(t->ssl, t);
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
	if (early.len > 0) {
		t->early = malloc(early.len);
		REQUIRE(t->early != NULL);
		memcpy(t->early, early.p, early.len);
		t->early_len = early.len;
	}
	SSL_set_accept_state(t->ssl);
}

enum tls_rc
tls_stream_shake(struct stream *s)
{
	struct tls_stream *t = s->impl;
	int error = SSL_ERROR_NONE;

	if (t->is_done)
		return TLS_RC_DONE;
	if (s->is_ready) {
		s->is_ready = false;
		t->is_drained = false;
	}
	ERR_clear_error();
	if (SSL_do_handshake(t->ssl) != 1)
		error = SSL_get_error(t->ssl, 0);
	if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ &&
	    error != SSL_ERROR_WANT_ASYNC &&
	    error != SSL_ERROR_WANT_ASYNC_JOB) {
		(void)tls_broke(t, error);
		return TLS_RC_FAILED;
	}
	if (tls_flush(t) == STREAM_RC_ERROR)
		return TLS_RC_FAILED;
	if (error != SSL_ERROR_NONE)
		return TLS_RC_MORE;
	t->is_done = true;
	s->may_read = !t->is_drained || SSL_has_pending(t->ssl) == 1;
	return TLS_RC_DONE;
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
