/* explain: one request, run dry. A client connection is made of a socket pair,
 * the request is written into it as bytes, and the worker's own front, stages
 * and handlers do the rest, recording what they decide instead of having an
 * effect. Nothing is decided here but which [listen] is meant. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/ipc/boot.h"
#include "common/store/decisions.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/front/h1f.h"
#include "worker/prepare.h"
#include "worker/setup.h"

/* Largest request: what a socket pair holds without being read. */
#define EXPLAIN_REQUEST_MAX 65536
/* Head of the answer that is shown. */
#define EXPLAIN_ANSWER_MAX 65536
/* A dry run waits for nobody; longer than this it hangs. */
#define EXPLAIN_MS 10000u
#define EXPLAIN_TURN_MS 10u
#define EXPLAIN_WORD_WIDTH 16
#define EXPLAIN_WHERE_CAP 4096

struct explain {
	struct worker w;
	const struct command *c;
	struct counter_set counters; /* nobody's */
	struct sink sink;
	struct arena arena;
	struct plan_listen listen;
	struct sock_addr local;
	span authority; /* of the URL; p == NULL: it has none */
	span target;
	uint16_t port; /* that the URL asks for */
	bool is_https; /* it says so */
	bool has_tls; /* the listen does */
	int fd; /* the client's end */
	span to_send; /* of what the client sends, so far not taken */
	char *answer;
	size_t answer_len;
	span why; /* it could not be run; empty: it could */
};

static void
explain_on_conns(struct worker *w)
{
	(void)w;
}

/* --- the request ---------------------------------------------------------- */

static uint16_t
explain_port(span authority, uint16_t deflt)
{
	ptrdiff_t colon = span_rchr(authority, ':');
	uint64_t port;

	if (colon < 0 ||
	    span_chr(span_from(authority, (size_t)colon), ']') >= 0)
		return deflt;
	if (!span_u64(
		span_from(authority, (size_t)colon + 1), UINT16_MAX, &port))
		return deflt;
	return (uint16_t)port;
}

/* "http://host:81/x?y" is host:81 and /x?y; anything else is a target. */
static void
explain_read_url(struct explain *e)
{
	span url = span_str(e->c->url);
	size_t n = 0;

	e->target = url;
	e->port = 80;
	e->is_https = span_starts(url, SPAN_LIT("https://"));
	if (!e->is_https && !span_starts(url, SPAN_LIT("http://")))
		return;
	url = span_from(url, e->is_https ? 8 : 7);
	while (n < url.len && strchr("/?#", url.p[n]) == NULL)
		n++;
	e->authority = span_first(url, n);
	e->port = explain_port(e->authority, e->is_https ? 443 : 80);
	e->target = span_from(url, n);
	n = 0;
	while (n < e->target.len && e->target.p[n] != '#')
		n++;
	/* a fragment is never sent (RFC 9110 7.1) */
	e->target = span_first(e->target, n);
}

static bool
explain_has_host(const struct command *c)
{
	for (unsigned i = 0; i < c->n_headers; i++)
		if (span_ieq(span_first(span_str(c->headers[i]), 5),
			SPAN_LIT("host:")))
			return true;
	return false;
}

/* A proxy is asked for the URL itself (RFC 9112 3.2.2), or for host and port of
 * a tunnel. */
static void
explain_write_target(struct explain *e, struct text *t)
{
	if (e->listen.forward != NULL && !e->c->is_bare) {
		text_add(t, span_str(e->c->url));
		if (e->authority.p == NULL)
			e->authority = e->target;
		return;
	}
	if (e->authority.p != NULL &&
	    (e->target.len == 0 || e->target.p[0] != '/'))
		text_add_char(t, '/');
	text_add(t, e->target);
}

/* Send what goes into the connection, then say that this is all. */
static void
explain_send(struct explain *e)
{
	ssize_t n;

	while (e->to_send.len > 0) {
		n = send(e->fd, e->to_send.p, e->to_send.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return;
		e->to_send = span_from(e->to_send, (size_t)n);
		if (e->to_send.len == 0)
			(void)shutdown(e->fd, SHUT_WR);
	}
}

/* The bytes a client would send; false when they are too many. */
static bool
explain_write_request(struct explain *e)
{
	const struct command *c = e->c;
	char *room = arena_alloc(&e->arena, EXPLAIN_REQUEST_MAX);
	struct text t;

	if (c->word == COMMAND_WAF_TEST) {
		e->to_send = span_of(c->request, c->request_len);
		explain_send(e);
		return true;
	}
	text_init(&t, room, EXPLAIN_REQUEST_MAX);
	text_add_str(&t, c->method);
	text_add_char(&t, ' ');
	explain_write_target(e, &t);
	text_add_str(&t, " HTTP/1.1\r\n");
	if ((e->authority.p != NULL || e->listen.forward != NULL) &&
	    !explain_has_host(c)) {
		text_add_str(&t, "Host: ");
		text_add(&t, e->authority);
		text_add_str(&t, "\r\n");
	}
	for (unsigned i = 0; i < c->n_headers; i++) {
		text_add_str(&t, c->headers[i]);
		text_add_str(&t, "\r\n");
	}
	text_add_str(&t, "\r\n");
	return !t.is_cut &&
	       send(e->fd, t.p, t.len, MSG_NOSIGNAL) == (ssize_t)t.len;
}

/* --- the listen ----------------------------------------------------------- */

/* The address of the listen with this port (0: any that can be read). */
static bool
explain_address(const struct explain *e, const struct plan_listen *l,
    uint16_t port, struct sock_addr *out)
{
	struct conf_scope s = conf_scope_of(e->w.plan->conf, l->section);
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	while ((v = conf_next(&s, KEY_LISTEN_ADDRESS, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			uint16_t have = 0;
			struct ip ip;

			if (!sock_addr_parse(v->words[i].text, out))
				continue;
			(void)sock_addr_ip(out, &ip, &have);
			if (port == 0 || have == port)
				return true;
		}
	}
	return false;
}

static const struct plan_listen *
explain_named_listen(const struct explain *e)
{
	const struct plan *p = e->w.plan;

	for (uint32_t i = 0; i < p->n_listens; i++)
		if (span_eq(p->listens[i].name, span_str(e->c->listen)))
			return &p->listens[i];
	return NULL;
}

/* A tunnel is what a proxy is asked for. By the port that the URL asks for, else
 * the first one with TLS for https and without for http, else the first one. */
static const struct plan_listen *
explain_likely_listen(struct explain *e)
{
	const struct plan *p = e->w.plan;
	bool is_connect = strcmp(e->c->method, "CONNECT") == 0;

	for (uint32_t i = 0; i < p->n_listens && is_connect; i++)
		if (p->listens[i].forward != NULL)
			return &p->listens[i];
	for (uint32_t i = 0; i < p->n_listens; i++)
		if (explain_address(e, &p->listens[i], e->port, &e->local))
			return &p->listens[i];
	for (uint32_t i = 0; i < p->n_listens && e->authority.p != NULL; i++)
		if (p->listens[i].has_tls == e->is_https)
			return &p->listens[i];
	return &p->listens[0];
}

static bool
explain_choose_listen(struct explain *e)
{
	const struct plan_listen *l = NULL;

	if (e->c->listen != NULL) {
		l = explain_named_listen(e);
		if (l == NULL) {
			e->why = arena_printf(
			    &e->arena, "there is no listen '%s'", e->c->listen);
			return false;
		}
	}
	if (l == NULL)
		l = explain_likely_listen(e);
	if (!explain_address(e, l, e->port, &e->local) &&
	    !explain_address(e, l, 0, &e->local)) {
		static const struct ip any;

		/* an inherited socket: its address is not known here */
		sock_addr_from_ip(&any, e->port, &e->local);
	}
	e->listen = *l;
	/* what the header tells is --from */
	e->listen.proxy_protocol = false;
	/* nor is there a handshake: what would come of it is put in its place */
	e->listen.has_tls = false;
	e->has_tls = l->has_tls;
	sink_add(&e->sink, "listen", l->at, "%.*s", SPAN_FMT(l->name));
	return true;
}

/* --- the handshake -------------------------------------------------------- */

/* The name that the client would ask for: the host, if it is no address (RFC
 * 6066 3). */
static span
explain_sni(struct explain *e)
{
	ptrdiff_t colon = span_rchr(e->authority, ':');
	span host =
	    colon >= 0 ? span_first(e->authority, (size_t)colon) : e->authority;
	char *lower = arena_alloc(&e->arena, host.len + 1);
	struct ip ip;

	if (host.len > 0 && (host.p[0] == '[' || ip_parse(host, &ip)))
		return span_of("", 0);
	if (span_ends(host, SPAN_LIT(".")))
		host.len--;
	for (size_t i = 0; i < host.len; i++)
		lower[i] = ascii_lower(host.p[i]);
	return span_of(lower, host.len);
}

static void
explain_note_tls(struct explain *e, const struct tls_facts *f)
{
	const struct plan *p = e->w.plan;

	for (uint32_t i = 0; i < p->n_sites; i++)
		if (p->sites[i].tls == f->context) {
			sink_add(&e->sink, "tls", p->sites[i].at,
			    "the certificate of %.*s",
			    SPAN_FMT(p->sites[i].name));
			return;
		}
	sink_add(&e->sink, "tls", e->listen.at, "the listen's own certificate");
}

/* A client that speaks TLS 1.3, asks for the host of the URL and shows a
 * certificate where it must. */
static struct tls_facts *
explain_shake(struct explain *e)
{
	static const struct tls_proof nobody;
	const struct tls_server *tls = &e->listen.tls;
	struct tls_facts *f = calloc(1, sizeof(*f));

	REQUIRE(f != NULL);
	f->version = SPAN_LIT("TLSv1.3");
	f->alpn = SPAN_LIT("http/1.1");
	f->sni = explain_sni(e);
	f->context = tls->choose(tls->self, f->sni);
	explain_note_tls(e, f);
	if (tls_context_requires(f->context)) {
		f->proof = &nobody;
		sink_add(&e->sink, "assumed", SINK_NOWHERE,
		    "the client shows a good certificate");
	}
	return f;
}

/* --- the run -------------------------------------------------------------- */

static bool
explain_peer(struct explain *e, struct sock_addr *out)
{
	const struct command *c = e->c;
	struct ip ip;

	memset(out, 0, sizeof(*out));
	out->u.sa.sa_family = AF_UNIX;
	out->len = sizeof(out->u.sa.sa_family);
	if (strcmp(c->from, "unix:") == 0)
		return true;
	if (!ip_parse(span_str(c->from), &ip)) {
		e->why = arena_printf(&e->arena,
		    "--from %s is no address and not unix:", c->from);
		return false;
	}
	sock_addr_from_ip(&ip, 0, out);
	return true;
}

/* Take what came back; the head is kept. */
static void
explain_read(struct explain *e)
{
	char more[4096];
	ssize_t n;

	while ((n = recv(e->fd, more, sizeof(more), MSG_DONTWAIT)) > 0) {
		size_t room = EXPLAIN_ANSWER_MAX - e->answer_len;
		size_t len = (size_t)n < room ? (size_t)n : room;

		memcpy(e->answer + e->answer_len, more, len);
		e->answer_len += len;
	}
}

/* Whether a tunnel was granted: nothing comes through it, and nothing ends it. */
static bool
explain_has_tunnel(const struct explain *e)
{
	span got = span_of(e->answer, e->answer_len);
	bool is_connect = strcmp(e->c->method, "CONNECT") == 0;

	if (span_find(got, SPAN_LIT("\r\n\r\n")) < 0)
		return false;
	return span_starts(got, SPAN_LIT("HTTP/1.1 101 ")) ||
	       (is_connect && span_starts(got, SPAN_LIT("HTTP/1.1 2")));
}

/* Whether something refused the request, or it failed: that is the last line. */
static bool
explain_has_fault(const struct decision *d)
{
	return d != NULL && d->n_lines > 0 &&
	       d->lines[d->n_lines - 1].word == DECISION_FAULT;
}

/* The fault of a tunnel that is cut off is none. */
static void
explain_spare_end(struct decision *d)
{
	if (explain_has_fault(d))
		d->n_lines--;
}

static void
explain_turn(struct explain *e)
{
	uint64_t end_ms = clock_mono_ms(worker_clock(&e->w)) + EXPLAIN_MS;
	struct sink_line **end = NULL;

	while (!e->sink.is_over && !explain_has_tunnel(e) &&
	       !list_is_empty(&e->w.conns) &&
	       clock_mono_ms(worker_clock(&e->w)) < end_ms) {
		loop_step(e->w.loop, EXPLAIN_TURN_MS);
		explain_send(e);
		explain_read(e);
	}
	/* that it is cut off here is no part of its story */
	if (explain_has_tunnel(e))
		end = e->sink.last;
	list_foreach_safe (n, &e->w.conns) {
		struct conn *k = LIST_ENTRY(n, struct conn, node);

		k->ops->expire(k, true, F_SHUTDOWN);
	}
	loop_step(e->w.loop, 0);
	if (end != NULL) {
		*end = NULL;
		e->sink.last = end;
		explain_spare_end(e->sink.decision);
	}
	explain_read(e);
}

static void
explain_print(const struct explain *e)
{
	char where[EXPLAIN_WHERE_CAP];
	FILE *out = e->c->out;

	for (const struct sink_line *l = e->sink.first; l != NULL;
	     l = l->next) {
		(void)fprintf(out, "%-*s ", EXPLAIN_WORD_WIDTH, l->word);
		text_print(l->text, out);
		if (l->at.line > 0) {
			diag_where(e->c->sources, l->at, where, sizeof(where));
			(void)fprintf(out, "  (%s)", where);
		}
		(void)fputc('\n', out);
	}
}

/* The head of the answer, as it came over the wire. */
static void
explain_note_answer(struct explain *e)
{
	span rest = span_of(e->answer, e->answer_len);
	span line;

	while (span_cut(&rest, '\n', &line) && line.len > 1)
		sink_add(&e->sink, "answer", SINK_NOWHERE, "%.*s",
		    SPAN_FMT(span_first(line, line.len - 1)));
}

/* Nothing of the connection has run so far. */
static void
explain_put_tls(struct explain *e)
{
	list_foreach_safe (n, &e->w.conns) {
		struct conn *k = LIST_ENTRY(n, struct conn, node);

		k->tls = explain_shake(e);
	}
}

/* false: the command was wrong, and that was said. */
static bool
explain_run(struct explain *e)
{
	struct sock_addr peer;
	int fds[2];

	explain_read_url(e);
	if (!explain_peer(e, &peer) || !explain_choose_listen(e))
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fds) < 0) {
		e->why =
		    arena_printf(&e->arena, "socketpair: %s", strerror(errno));
		return false;
	}
	e->fd = fds[0];
	if (!explain_write_request(e)) {
		e->why = SPAN_LIT("the request is too long");
		(void)close(fds[1]);
	} else {
		h1f_accept(&e->w, &e->listen, fds[1], &peer, &e->local);
		if (e->has_tls)
			explain_put_tls(e);
		explain_turn(e);
	}
	(void)close(e->fd);
	explain_note_answer(e);
	return e->sink.is_over;
}

/* Begin anew with another request. */
static void
explain_reset(struct explain *e, const struct command *c)
{
	arena_fini(&e->arena);
	arena_init(&e->arena, &e->w.arenas);
	sink_init(&e->sink, &e->arena);
	e->sink.answer_status = c->answer_status;
	e->sink.has_content = c->word == COMMAND_WAF_TEST;
	e->answer = arena_alloc(&e->arena, EXPLAIN_ANSWER_MAX);
	e->answer_len = 0;
	e->authority = e->target = e->to_send = e->why = span_of(NULL, 0);
	e->c = c;
}

struct explain *
worker_explain_open(const struct boot *b)
{
	struct explain *e = calloc(1, sizeof(*e));

	REQUIRE(e != NULL);
	e->w.counters = &e->counters;
	e->w.on_conns = explain_on_conns;
	e->w.sink = &e->sink;
	if (setup_open(&e->w, b) < 0) {
		free(e);
		return NULL;
	}
	arena_init(&e->arena, &e->w.arenas);
	return e;
}

bool
worker_explain_ask(
    struct explain *e, const struct command *c, struct explained *out)
{
	bool is_over;

	explain_reset(e, c);
	is_over = explain_run(e);
	*out = (struct explained){
	    .decision = e->sink.decision,
	    .answer = span_of(e->answer, e->answer_len),
	    .why = !is_over && e->why.len == 0
		       ? SPAN_LIT("it ended without an answer")
		       : e->why,
	};
	return out->why.len == 0;
}

void
worker_explain_close(struct explain *e)
{
	arena_fini(&e->arena);
	setup_close(&e->w);
	free(e);
}

static int
explain_status(const struct explain *e)
{
	if (e->c->word != COMMAND_WAF_TEST)
		return EXIT_SUCCESS;
	if (e->sink.audit.len == 0) {
		(void)fputs(explain_has_fault(e->sink.decision)
				? "gatehouse: the request was refused before a "
				  "[waf] was asked\n"
				: "gatehouse: no [waf] judges this request\n",
		    stderr);
		return EXIT_FAILURE;
	}
	if (!e->sink.is_judged) {
		(void)fputs("gatehouse: the request ended before its rules had "
			    "judged it\n",
		    stderr);
		return EXIT_FAILURE;
	}
	return e->sink.is_refused ? EXIT_WAF_REFUSES : EXIT_SUCCESS;
}

int
worker_command(const struct boot *b, const struct command *c)
{
	struct explain *e = worker_explain_open(b);
	struct explained result;
	bool is_over;
	int rc = EXIT_FAILURE;

	if (e == NULL) {
		perror("gatehouse: explain");
		return EXIT_FAILURE;
	}
	is_over = worker_explain_ask(e, c, &result);
	if (e->why.len > 0)
		(void)fprintf(stderr, "gatehouse: %.*s\n", SPAN_FMT(e->why));
	else if (c->is_json)
		(void)fwrite(e->sink.audit.p, 1, e->sink.audit.len, c->out);
	else
		explain_print(e);
	(void)fflush(c->out);
	if (is_over)
		rc = explain_status(e);
	worker_explain_close(e);
	return rc;
}
