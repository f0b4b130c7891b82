/* up/origin: what opening a connection is, whatever will be spoken on it. */
#include "worker/up/origin.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/tls/tls_client.h"

int
origin_connect(struct up_server *s, const struct sock_addr *to,
    struct stream *st, stream_event_f *fn, void *self, struct up_at *at)
{
	struct worker *w = s->group->w;
	bool is_done = false;
	int fd = sock_connect(to, &is_done);
	int rc;

	if (fd < 0)
		return -1;
	(void)sock_addr_ip(to, &at->ip, &at->port);
	if (is_done)
		rc = stream_open_fd(st, w->loop, fd, fn, self);
	else
		rc = stream_open_connecting(st, w->loop, fd, fn, self);
	if (rc < 0) {
		int err = errno;

		(void)close(fd);
		errno = err;
		return -1;
	}
	counter_add(w->counters, COUNTER_ORIGIN_CONNECTS, 1);
	return 0;
}

/* --- TLS ------------------------------------------------------------------ */

/* What goes ahead of the handshake fits into a socket that nothing was written
 * to yet; else the connection is of no use. */
static bool
origin_say_first(struct stream *st, span first)
{
	struct iovec iov = {.iov_len = first.len};

	memcpy(&iov.iov_base, &first.p, sizeof(first.p));
	return first.len == 0 ||
	       stream_writev(st, &iov, 1) == (ssize_t)first.len;
}

static enum origin_rc
origin_refused(const struct up_server *s, const struct stream *st,
    const char *why, struct origin_failure *f)
{
	const struct up_group *g = s->group;
	bool is_mistrusted = tls_stream_is_mistrusted(st);

	f->why = is_mistrusted ? F_ORIGIN_CERT : F_ORIGIN_TLS;
	f->err = stream_errno(st);
	f->detail = why;
	counter_add(g->w->counters, COUNTER_ORIGIN_TLS_FAILURES, 1);
	/* the operator has to know; clients are told nothing of it */
	if (is_mistrusted)
		log_msg(LOG_WARN,
		    "server refused upstream=%.*s server=%.*s name=%.*s "
		    "why=\"TLS: %s\"",
		    SPAN_FMT(g->conf->name), SPAN_FMT(s->conf->text),
		    SPAN_FMT(s->conf->tls_name), why);
	return ORIGIN_FAILED;
}

static enum origin_rc
origin_shake(struct up_server *s, struct stream *st, struct origin_failure *f)
{
	const char *alpn = s->group->conf->wire->alpn;
	struct counter_set *c = s->group->w->counters;

	switch (tls_stream_shake(st)) {
	case TLS_RC_MORE:
		return ORIGIN_WAIT;
	case TLS_RC_FAILED:
		/* a session that does not work must not stand in the way */
		tls_remote_forget(s->remote);
		return origin_refused(s, st, tls_stream_why(st), f);
	case TLS_RC_EARLY:
		/* of the server's side */
		UNREACHED();
	case TLS_RC_DONE:
		break;
	}
	if (!tls_stream_alpn_is_offered(st, alpn, (uint32_t)strlen(alpn)))
		return origin_refused(
		    s, st, "a protocol was chosen that was not offered", f);
	counter_add(c, COUNTER_ORIGIN_TLS_HANDSHAKES, 1);
	if (tls_stream_is_resumed(st))
		counter_add(c, COUNTER_ORIGIN_TLS_RESUMED, 1);
	return ORIGIN_READY;
}

enum origin_rc
origin_open(struct up_server *s, struct stream *st, span first,
    struct origin_failure *f)
{
	if (!st->is_open) {
		*f = (struct origin_failure){
		    F_ORIGIN_CONNECT, stream_errno(st), NULL};
		return f->err != 0 || st->got_hup ? ORIGIN_FAILED : ORIGIN_WAIT;
	}
	if (s->remote == NULL)
		return ORIGIN_READY;
	if (st->impl == NULL &&
	    (!origin_say_first(st, first) ||
		!tls_remote_connect(s->remote, st, s->group->w->tls))) {
		*f = (struct origin_failure){
		    F_ORIGIN_CONNECT, stream_errno(st), NULL};
		return ORIGIN_FAILED;
	}
	return origin_shake(s, st, f);
}

void
origin_note(struct exch *x, const struct up_server *s, const struct up_at *at,
    const struct stream *st)
{
	span none = span_of(NULL, 0);

	x->origin.ip = at->ip;
	x->origin.tls_version = x->origin.tls_resumed = none;
	if (s->remote == NULL)
		return;
	x->origin.tls_version = tls_stream_version(st);
	x->origin.tls_resumed =
	    tls_stream_is_resumed(st) ? SPAN_LIT("yes") : SPAN_LIT("no");
}
