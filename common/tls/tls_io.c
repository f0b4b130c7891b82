/* tls_io: between OpenSSL and the socket. OpenSSL reads from the socket itself,
 * ahead of the record it needs; what it writes is gathered for all streams in
 * one area and goes out by one send. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/tls/tls_int.h"

/* Encrypted bytes that may wait for a peer that does not read; OpenSSL itself
 * answers key updates. */
#define TLS_LEFT_MAX (2 * TLS_OUT_CAP)

/* --- the socket under OpenSSL --------------------------------------------- */

static size_t
bio_read_early(struct tls_stream *t, char *to, size_t len)
{
	size_t n = size_min(len, t->early_len - t->early_at);

	memcpy(to, t->early + t->early_at, n);
	t->early_at += (uint32_t)n;
	if (t->early_at == t->early_len) {
		free(t->early);
		t->early = NULL;
	}
	return n;
}

static struct tls_stream *
tls_current(BIO *b)
{
	struct tls_io *io = BIO_get_data(b);

	return io->current;
}

static int
bio_read(BIO *b, char *to, size_t len, size_t *got)
{
	struct tls_stream *t = tls_current(b);
	struct stream *s = t->stream;
	ssize_t n;

	BIO_clear_retry_flags(b);
	*got = 0;
	if (t->early != NULL) {
		*got = bio_read_early(t, to, len);
		return 1;
	}
	if (s == NULL)
		return 0;
	if (t->is_drained) {
		t->is_blocked = true;
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
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		t->is_blocked = true;
		BIO_set_retry_read(b);
	} else {
		s->err = errno;
	}
	return 0;
}

/* Into the shared area; its user sends it. */
static int
bio_write(BIO *b, const char *from, size_t len, size_t *took)
{
	struct tls_io *io = BIO_get_data(b);

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
	const struct tls_stream *t = tls_current(b);

	(void)num;
	(void)p;
	if (cmd == BIO_CTRL_FLUSH)
		return 1;
	if (cmd == BIO_CTRL_EOF)
		return t->early == NULL &&
		       (t->stream == NULL ||
			   (t->stream->err == 0 && !t->is_drained));
	return 0;
}

struct tls_io *
tls_io_new(struct loop *l, const struct tls_shared *shared)
{
	struct tls_io *io = malloc(sizeof(*io));

	REQUIRE(io != NULL);
	io->loop = l;
	io->shared = shared;
	io->used = 0;
	io->method = BIO_meth_new(
	    BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse stream");
	REQUIRE(io->method != NULL);
	REQUIRE(BIO_meth_set_read_ex(io->method, bio_read) == 1);
	REQUIRE(BIO_meth_set_write_ex(io->method, bio_write) == 1);
	REQUIRE(BIO_meth_set_ctrl(io->method, bio_ctrl) == 1);
	io->bio = BIO_new(io->method);
	REQUIRE(io->bio != NULL);
	io->current = NULL;
	BIO_set_data(io->bio, io);
	BIO_set_init(io->bio, 1);
	return io;
}

const struct tls_shared *
tls_shared_of(const SSL *ssl)
{
	return tls_of(ssl)->io->shared;
}

void
tls_io_free(struct tls_io *io)
{
	if (io == NULL)
		return;
	(void)BIO_free(io->bio);
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

/* The kernel takes no more. What the peer sent before it broke off can still be
 * read. */
static int
tls_unsent(struct tls_stream *t, int err)
{
	struct stream *s = t->stream;

	if (t->why == NULL)
		t->why = "the connection broke";
	if (s->err == 0)
		s->err = err;
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
	t->left_len = (uint32_t)(have + len);
	t->left_at = 0;
	t->stream->may_write = false;
	return STREAM_RC_AGAIN;
}

int
tls_send_left(struct tls_stream *t)
{
	ssize_t n;

	if (t->left == NULL)
		return 0;
	n = tls_send(t->stream, t->left + t->left_at, t->left_len - t->left_at);
	if (n < 0)
		return tls_unsent(t, errno);
	t->left_at += (uint32_t)n;
	if (t->left_at < t->left_len) {
		t->stream->may_write = false;
		return STREAM_RC_AGAIN;
	}
	free(t->left);
	t->left = NULL;
	t->left_len = t->left_at = 0;
	return 0;
}

int
tls_flush(struct tls_stream *t)
{
	struct tls_io *io = t->io;
	size_t len = io->used;
	ssize_t n;
	int rc;

	io->used = 0;
	if (t->stream == NULL)
		return STREAM_RC_ERROR;
	rc = tls_send_left(t);
	if (len == 0 || rc == STREAM_RC_ERROR)
		return rc;
	if (rc == STREAM_RC_AGAIN)
		return tls_keep(t, io->out, len);
	n = tls_send(t->stream, io->out, len);
	if (n < 0)
		return tls_unsent(t, errno);
	if ((size_t)n == len)
		return 0;
	return tls_keep(t, io->out + n, len - (size_t)n);
}

/* --- the end -------------------------------------------------------------- */

int
tls_failed(struct tls_stream *t, const char *why, int err)
{
	struct stream *s = t->stream;

	if (t->why == NULL)
		t->why = why;
	if (s == NULL)
		return STREAM_RC_ERROR;
	if (s->err == 0)
		s->err = err;
	s->may_read = false;
	s->may_write = false;
	return STREAM_RC_ERROR;
}

int
tls_broke(struct tls_stream *t, int error)
{
	bool is_end = error == SSL_ERROR_SYSCALL ||
		      ERR_GET_REASON(ERR_peek_error()) ==
			  SSL_R_UNEXPECTED_EOF_WHILE_READING;
	enum tls_failure class = TLS_FAILURE_CUT;
	const char *why = "the connection ended without notice";
	int err = ECONNRESET;

	if (!is_end) {
		why = tls_why_failed(t->ssl, &class);
		err = EPROTO;
	} else if (t->stream != NULL && t->stream->err != 0) {
		err = t->stream->err;
	}
	ERR_clear_error();
	if (t->failure == TLS_FAILURE_NONE)
		t->failure = class;
	/* an alert that cannot be sent is not the reason */
	(void)tls_failed(t, why, err);
	(void)tls_flush(t);
	return STREAM_RC_ERROR;
}
