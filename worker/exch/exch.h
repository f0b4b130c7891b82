/* exch/exch: one request and its answer, whatever the wire. An exchange is
 * driven by exch_run() alone: it walks the stages, then moves bytes between the
 * front and the handler until both block. Fronts and handlers never call it or
 * each other; they change what is theirs and exch_kick(). */
#ifndef GH_EXCH_H
#define GH_EXCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/ip.h"
#include "common/http/coding.h"
#include "common/http/msg.h"
#include "common/net/loop.h"
#include "common/net/sock.h"
#include "common/store/decisions.h"
#include "common/store/sessions.h"
#include "worker/exch/access.h"
#include "worker/exch/body.h"
#include "worker/exch/fault.h"
#include "worker/exch/identity.h"
#include "worker/exch/verdict.h"
#include "worker/exch/worker.h"

#define MAGIC_EXCH MAGIC('E', 'X', 'C', 'H')

struct bfilters;
struct cached;
struct dictionary;
struct cache_fill;
struct crawler_wait;
struct exch;
struct plan_listen;
struct plan_route;
struct plan_settings;
struct plan_site;
struct sink;
struct handler;
struct rate_state;
struct auth_asked;
struct auth_wait;
struct jwks_wait;
struct meter;
struct mirror;
struct pacer;
struct page_asked;
struct tls_facts;
struct trace;
struct upstream;
struct waf_run;

enum exch_state {
	EXCH_REQUEST, /* request stages run or wait */
	EXCH_HANDLER, /* the handler works on the answer */
	EXCH_RESPONSE, /* response stages run or wait */
	EXCH_SENDING, /* the front sends; the handler may still produce */
	EXCH_TUNNEL, /* both directions are raw bytes */
	EXCH_DONE
};

/* What a client speaks. All calls return without calling back. */
struct front_ops {
	const char *name; /* "HTTP/1.1", for logs */
	/* Put request content into x->req_body while it has room (LAST or
	 * ABORTED at its end). Returns whether anything moved. */
	bool (*pull)(void *self, struct exch *x);
	/* Send x->resp's head once it was begun, and x->out as far as the
	 * client takes it. Returns whether anything moved. Sets x->is_sent when
	 * the whole answer is handed to the kernel, x->fault when the client is
	 * gone. */
	bool (*send)(void *self, struct exch *x);
	/* Send an interim answer (1xx) now; its fields may change. */
	void (*send_info)(void *self, struct exch *x, struct http_msg *info);
	/* The client was promised content that will not come: make that visible
	 * (reset), never a complete-looking end. */
	void (*abort)(void *self, struct exch *x);
	/* The exchange is over and about to be freed; go on with the next. */
	void (*done)(void *self, struct exch *x);
	/* The address that the client connected to. false when unknown. */
	bool (*local_addr)(void *self, struct sock_addr *out);
};

/* Whose request it is, after trust was applied. */
struct exch_client {
	struct ip ip; /* the client as believed */
	uint16_t port;
	bool is_trusted; /* the peer may tell us who the client is */
	bool is_unix; /* came over a unix socket: peer is not set */
	span scheme; /* "http" or "https" as the client saw it */
	const struct tls_facts *tls; /* NULL: a plain connection */
	bool is_early; /* it may be a copy: the handshake has not ended */
	struct ip peer; /* who the connection is really from */
	uint16_t peer_port;
	uint16_t local_port; /* of the listen, or where it was going; 0 for a
	                        unix socket */
	bool is_intercepted; /* it was going to `sent_to` and knows nothing of
	                        us */
	struct ip sent_to;
};

/* Whether the client's address is known: a peer on a unix socket has none, but
 * may have told its client's. */
static inline bool
exch_client_has_ip(const struct exch_client *c)
{
	static const struct ip none;

	return !c->is_unix || !ip_eq(&c->ip, &none);
}

/* Microseconds of CLOCK_MONOTONIC; 0: did not happen. */
struct exch_times {
	uint64_t begin_us; /* first byte of the request */
	uint64_t head_us; /* head complete */
	uint64_t asked_us; /* a server is to be chosen */
	uint64_t chosen_us; /* the last one was */
	uint64_t connect_us; /* origin connection at hand */
	uint64_t answer_us; /* head of the answer */
	uint64_t end_us;
	int64_t begin_wall_us;
};

/* What logs say of the origin's side. */
struct exch_origin {
	span server; /* text of the last server tried; empty: none */
	struct place server_at; /* with it */
	span upstream;
	uint32_t tally; /* with it: id of its numbers (store/tally) */
	uint32_t tries;
	uint16_t status; /* of the origin's last answer */
	struct ip ip; /* that was connected to; 0: none, or a unix socket */
	span tls_version; /* of the connection; empty: plain */
	span tls_resumed; /* yes or no; the same */
	bool is_reused; /* the connection came from the pool */
	span sticky; /* how it met `sticky`: new, kept or moved; or empty */
};

/* What a request says of the server that it belongs to (worker/up/up_sticky).
 * Servers are names of session_server(); 0: none. */
struct exch_sticky {
	const struct upstream *of; /* whose `sticky` holds; NULL: none does */
	struct session_key key; /* of its session, with has_key */
	uint64_t server; /* that it belongs to */
	uint64_t answered; /* that gave the answer */
	bool has_key;
	bool is_due; /* it is time to say or note that again */
};

/* What decided about it, and where that stands (worker/exch/trail.h). */
struct trail_line {
	span text; /* lives as long as the exchange */
	struct place at; /* line 0: nowhere in the configuration */
	enum decision_word word;
};

struct exch {
	uint32_t magic;
	enum exch_state state;
	unsigned kind; /* STAGE_x: the rows of the stage tables that serve it */
	struct arena arena; /* the exchange itself lives in it */
	struct worker *w;
	struct task task; /* exch_run() */
	struct timer timer; /* total limit */

	const struct front_ops *front;
	void *front_self;
	const struct handler *handler; /* opened, not yet closed; else NULL */
	void *handler_state;
	uint16_t stage; /* next row of the table that runs */
	uint16_t n_trail;

	const struct plan_listen *listen;
	const struct plan_site *site; /* NULL before routing */
	const struct plan_route *route;
	const struct plan_settings *set; /* what holds for it; never NULL */
	const struct plan_settings *request_set; /* the same when the request
	                                            was let through, or NULL */

	struct exch_client client;
	const struct exch_user *user; /* NULL: not known, see identity.h */
	struct exch_destination
	    *destination; /* of a forward proxy; else NULL */
	struct exch_access access;
	struct http_msg req;
	/* its fields before `request_header` changed them; NULL: it did not */
	const struct http_fields *said;
	struct http_msg resp;
	struct body *out; /* as the front sends it: resp_body, or what
	                     filters make of it */
	struct bfilters *filters; /* NULL: there are none */
	struct meter *meter; /* counts its bytes; NULL: nothing does */
	struct pacer *pacer; /* behind them; NULL: nothing holds them back */
	enum coding coding; /* an internal one: to be made of its content */
	struct dictionary *dictionary; /* to code with, pinned; or NULL */
	span path; /* normalized: what rules compare */
	bool path_is_ambiguous;
	/* what `rewrite` made of path and query; NULL: they stay */
	const struct target_new *target;
	span request_id;
	struct trace *trace; /* its place in one; NULL: there is no [tracing] */
	span cache_result; /* how it met a cache, one word; or empty */
	uint8_t cache_result_no; /* enum cache_result (store/tally) */
	uint32_t cache_tally; /* with it: id of the cache's numbers */
	span limit; /* name of the [limit] that had a say in it; or empty */
	span limit_result; /* what it said, one word */
	struct rate_state *rate; /* what limits did with it; or NULL */
	struct auth_asked *auth_asked; /* what a server says of it; or NULL */
	struct auth_wait
	    *auth_wait; /* its credentials are being verified, or were */
	struct crawler_wait *crawler; /* see crawler.h; or NULL */
	struct jwks_wait
	    *jwks_wait; /* keys are being fetched for it, or were */
	struct cached *cached; /* what the cache has to do with it, or NULL */
	struct cache_fill *fill; /* whom an internal one works for, or NULL */
	struct waf_run *waf; /* before which rules it is; or NULL */
	struct mirror *mirror; /* the copy that waits for content, or NULL */
	struct page_asked *page_asked; /* an error's, of a server; or NULL */

	enum fault_id fault; /* the first one; stays for the log */
	int fault_errno;
	uint16_t fault_status; /* instead of the row's; 0: the row's */
	const char *fault_detail; /* what exactly, for logs; or NULL */
	bool is_failing; /* a fault waits to be settled */
	bool is_settled; /* one was: the answer says so */
	bool is_answered; /* x->resp is the answer (own or the origin's) */
	bool is_begun; /* its head was handed to the front's wire */
	bool is_sent; /* all of it */
	bool is_edited; /* its content is not what its handler has: a filter
	                   changes it */
	bool is_own_answer; /* made here, not by an origin */
	bool is_page; /* with is_own_answer: the page of its status alone */
	bool wants_tunnel; /* an upgrade was asked and may be granted */
	bool is_tacit; /* a tunnel that nobody asked us for: the client hears
	                  nothing that is ours */
	bool is_unproven; /* a tunnel whose first bytes are still waited for, as
	                     long as for a head */
	bool is_spare; /* its failure hurts nobody: no server is waited for */
	bool is_suspect; /* rules of a [waf] want to see a proof of work */
	bool wants_close; /* the client connection ends after this answer */
	bool is_unwelcome; /* the same, whatever it speaks: no more of it is
	                      heard */

	struct exch_times t;
	struct exch_origin origin;
	struct exch_sticky sticky;
	uint64_t moved_ms; /* in a tunnel: when bytes did last */
	uint64_t bytes_in; /* head and content from the client */
	uint64_t bytes_out; /* to the client, framing included */
	struct sink *sink; /* what is decided is recorded here; NULL: live */

	/* last, since exch_new() clears what stands before them */
	struct body req_body;
	struct body resp_body; /* content as the handler makes it */
	struct trail_line trail[DECISION_LINES]; /* n_trail of them */
};

static inline bool
exch_has_origin_ip(const struct exch *x)
{
	static const struct ip none;

	return !ip_eq(&x->origin.ip, &none);
}

/* Whether the answer at hand makes a tunnel of the exchange: what was asked for
 * by an upgrade or a CONNECT is granted. */
static inline bool
exch_is_granted(const struct exch *x)
{
	if (x->is_own_answer)
		return false;
	return x->resp.status == 101 ||
	       (x->req.method == METHOD_CONNECT && x->resp.status / 100 == 2);
}

/* A new exchange of the worker, in state REQUEST, its messages empty. The front
 * fills req, client, listen and then calls exch_kick(). */
struct exch *exch_new(struct worker *w, const struct front_ops *front,
    void *front_self, const struct plan_listen *listen);

/* An exchange that a stage of `x` spawns (STAGE_INTERNAL): a copy of its request
 * without content, which lives on its own, for the same listen, site, route and
 * settings. The caller changes its fields and then calls exch_kick(). */
struct exch *exch_spawn(
    struct exch *x, const struct front_ops *front, void *front_self);

/* Let it run soon (idempotent, cheap, from anywhere). */
void exch_kick(struct exch *x);

/* Note that it cannot go on. The first fault wins. */
void exch_fault(struct exch *x, enum fault_id id, int err);
/* The same with another status than the row's and a word of explanation that
 * lives forever. */
void exch_fault_as(
    struct exch *x, enum fault_id id, unsigned status, const char *detail);

/* For fronts that have put content into x->req_body: more than is allowed here
 * is a fault. */
void exch_check_content(struct exch *x);

/* The handler filled x->resp: it is the answer. */
void exch_answer(struct exch *x);

/* Make an own answer with this status and content (borrowed; it must live as
 * long as the exchange). type empty: no Content-Type. The caller may add fields
 * to x->resp after it. */
void exch_reply(struct exch *x, unsigned status, span type, span content);
/* The same with a short text page for the status; an error of a call of gRPC in
 * its own terms. */
void exch_reply_status(struct exch *x, unsigned status);
/* The same, and Location: a path or a URL, whose escapes are still to be made. */
void exch_reply_elsewhere(struct exch *x, unsigned status, span to);
/* Whether that place, a path or a URL without fragment, is the one that was asked
 * for: who is sent there comes back, again and again. */
bool exch_is_place(const struct exch *x, span to);

/* Put this content (as with exch_reply()) in place of that of the answer, which
 * keeps its status. Of an origin's answer only the fields that go with a status
 * stay; the handler is closed. From a response stage. */
void exch_replace(struct exch *x, span type, span content);
/* The same with the short text page for its status. */
void exch_replace_page(struct exch *x);

/* End it without regard for the client (worker shutdown, client lost). Calls
 * front->done. */
void exch_kill(struct exch *x, enum fault_id why);

/* Value of a cookie of the request (RFC 6265 4.2.1), or p == NULL. */
span exch_cookie(const struct exch *x, span name);

/* Value of a field of the request, or the empty span. */
span exch_req_field(const struct exch *x, enum field_id id);

/* What the client said, for who answers it: servers may have been told otherwise. */
static inline const struct http_fields *
exch_said(const struct exch *x)
{
	return x->said != NULL ? x->said : &x->req.fields;
}

/* Value of a field of that, or the empty span. */
span exch_said_field(const struct exch *x, enum field_id id);

#endif
