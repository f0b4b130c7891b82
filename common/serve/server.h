/* serve/server: a little HTTP/1.1 server for what a process tells and is told:
 * bounded in connections, bytes and time, whatever its peers do. It owns
 * connections and framing; what is asked and who may ask is its handlers'. No
 * pipeline, no exchange.
 *
 * Every answer is one block with its length. An answer that grows (charts)
 * would be one more state between CALL and SEND of a connection: its handler
 * appends chunks while the block is below a watermark; nothing else changes. */
#ifndef GH_SERVER_H
#define GH_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/http/h1.h"
#include "common/net/loop.h"

struct serve_limits {
	/* over unix sockets, and as many over TCP, and as many of strangers */
	uint32_t conns_max;
	struct h1_limits head;
	size_t body_max;
	/* ms; each is for the whole state, bytes that trickle win nothing */
	uint32_t idle_ms; /* between requests */
	uint32_t
	    head_ms; /* from accept, or the head's first byte, to its end */
	uint32_t body_ms;
	uint32_t call_ms; /* the handler: after it, 504 */
	uint32_t send_ms;
	uint32_t linger_ms; /* after our end, until theirs */
};

struct serve;

/* One request and its answer. Lives from the handler's call until it is
 * answered or cancelled; not to be touched afterwards. */
struct serve_call;

typedef void serve_handle_f(void *self, struct serve_call *c);
typedef void serve_cancel_f(void *self, struct serve_call *c);

/* What is served. A path of which no row has the method is answered 405 with
 * Allow, one without a row 404, as all that no handler answers by an object of
 * JSON, {"error": why}; HEAD is answered as GET without content. */
struct serve_route {
	const char *path;
	enum http_method method;
	serve_handle_f *fn;
};

/* The routes are borrowed; `self` is given to every handler. */
struct serve *serve_new(struct loop *l, const struct serve_limits *lim,
    const struct serve_route *routes, uint32_t n_routes, void *self);
/* Who comes over TCP and is answered at once that they may not: they take places of
 * each other alone. */
typedef bool serve_stranger_f(void *self, const struct ip *ip);
void serve_know_strangers(struct serve *s, serve_stranger_f *fn);
/* Close everything. Calls under way are cancelled. The loop must step once more
 * for memory to be freed. */
void serve_free(struct serve *s);

/* Accept from this listening socket, too. Takes fd (also on failure). -1 with
 * errno. */
int serve_listen(struct serve *s, int fd);
/* Close all listening sockets; connections live on. */
void serve_unlisten(struct serve *s);
uint32_t serve_n_conns(const struct serve *s);

/* The request; all of it is valid until the call ends. */
const struct http_msg *serve_request(const struct serve_call *c);
span serve_content(const struct serve_call *c);

/* Who asks, as the kernel knows (SO_PEERCRED when it connected). false: not
 * over a unix socket. */
bool serve_peer(const struct serve_call *c, pid_t *pid, uid_t *uid, gid_t *gid);
/* Where it asks from. false: over a unix socket. */
bool serve_peer_ip(const struct serve_call *c, struct ip *ip);
/* Whether the peer of a unix socket has that group, as its own or as a
 * supplementary one. */
bool serve_peer_has_group(const struct serve_call *c, gid_t gid);

/* A field of the answer to come. Copied. */
void serve_field(struct serve_call *c, span name, span value);
/* Answer; ends the call. `type` and `content` are copied; with an empty type
 * there is no Content-Type. Within the handler or any time later. */
void serve_answer(
    struct serve_call *c, unsigned status, span type, span content);
/* The same of a content that many may take at once and that is not copied. Of such
 * contents SERVE_TEXTS_MAX may be on their way: for one more, who takes the oldest is
 * sent away. */
#define SERVE_TEXTS_MAX 4u
struct serve_text;
/* Takes p, which is free()d with it. */
struct serve_text *serve_text_new(char *p, size_t len);
void serve_text_unref(struct serve_text *t);
void serve_answer_text(
    struct serve_call *c, unsigned status, span type, struct serve_text *t);
/* The call is answered later: be told when that is no longer wanted (the client
 * left, time is over, the server ends). The call is gone when fn returns. */
void serve_later(struct serve_call *c, serve_cancel_f *fn, void *self);

#endif
