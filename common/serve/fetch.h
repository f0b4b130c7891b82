/* serve/fetch: one request on a connection of its own, and its whole answer, by
 * HTTP/1.1 or HTTP/2: for checks, for what is fetched, for the command line. Bounded in
 * bytes and time; only a well-formed and complete answer is one. */
#ifndef GH_FETCH_H
#define GH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/http/h1.h"
#include "common/net/loop.h"
#include "common/net/sock.h"

struct fetch_field {
	span name;
	span value;
};

struct tls_io;
struct tls_remote;

/* What to ask. Borrowed for the call only. Texts hold no CR, LF or NUL: the
 * caller has made sure. */
struct fetch_spec {
	struct sock_addr to;
	/* NULL: no TLS. Both must outlive the fetch. */
	struct tls_remote *remote;
	struct tls_io *io;
	/* Goes ahead of everything, of the handshake too: a PROXY header. */
	span first;
	/* Only connect, with the handshake: nothing is asked, and there is no
	 * answer. What follows holds for requests only. */
	bool is_probe;
	bool is_h2; /* by HTTP/2: TLS must have chosen it, else it is known */
	enum http_method method;
	span host; /* value of Host */
	span target; /* "/path?query" */
	const struct fetch_field *fields; /* besides Host, Connection, and
	                                     Content-Length */
	uint32_t n_fields;
	span content; /* p == NULL: none */
	uint32_t time_ms; /* for all of it */
	struct h1_limits head; /* of the answer */
	size_t body_max; /* of the answer */
};

enum fetch_rc {
	FETCH_OK,
	FETCH_CONNECT, /* err says why there was no connection */
	FETCH_TLS, /* the handshake failed: tls says why */
	FETCH_BROKEN, /* it broke (err) or ended (0) before the answer did */
	FETCH_BAD, /* no HTTP: bad says why */
	FETCH_LARGE, /* the content is over body_max */
	FETCH_TIME
};

struct fetch_result {
	enum fetch_rc rc;
	int err;
	enum h1_bad bad;
	const char *tls; /* a constant text */
	bool is_mistrusted; /* FETCH_TLS: we did not believe its certificate */
	/* FETCH_OK and FETCH_LARGE only; NULL for a probe */
	const struct http_msg *answer;
	span content; /* FETCH_OK only; decoded from its framing */
	const struct http_fields *trailers; /* of HTTP/2; NULL: none came */
};

/* The one call back; all of the result is valid during it. */
typedef void fetch_done_f(void *self, const struct fetch_result *r);

struct fetch;

/* Begin. Never NULL; fn is called once, never from within this call, unless the
 * fetch is cancelled before. The fetch is gone when fn returns. */
struct fetch *fetch_start(struct loop *l, const struct fetch_spec *spec,
    fetch_done_f *fn, void *self);
/* Forget it without a call. */
void fetch_cancel(struct fetch *f);

/* What went wrong, for people: a constant or strerror's text. */
const char *fetch_why(const struct fetch_result *r);

#endif
