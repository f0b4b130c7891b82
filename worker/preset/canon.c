/* preset/canon: the one place where a thing is: canonical_host, redirect_https
 * and trailing_slash, in one redirect however many of them apply. */
#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/preset/preset.h"

/* For good (RFC 9110 15.4.2), and where a browser would turn the method into
 * GET, so that it does not (15.4.9). */
#define CANON_STATUS 301
#define CANON_STATUS_KEEP 308

/* Where a request belongs. */
struct canon_place {
	span scheme;
	span authority;
	span path;
	bool is_other;
};

void
canon_redirect(struct exch *x, unsigned status, span to)
{
	bool is_get =
	    x->req.method == METHOD_GET || x->req.method == METHOD_HEAD;

	if (status == 0)
		status = is_get ? CANON_STATUS : CANON_STATUS_KEEP;
	exch_reply_elsewhere(x, status, to);
}

static bool
canon_wants_https(const struct exch *x)
{
	return x->set->canon.is_https &&
	       span_eq(x->client.scheme, SPAN_LIT("http"));
}

/* Its host with the port that is asked; another scheme has its own. */
static void
canon_host(struct exch *x, struct canon_place *p)
{
	const struct plan_canon *c = &x->set->canon;
	bool is_host = c->host.len == 0 || span_ieq(x->req.host, c->name);
	span host = is_host ? x->req.host : c->name;
	bool has_brackets = span_chr(host, ':') >= 0;

	if (canon_wants_https(x)) {
		p->scheme = SPAN_LIT("https");
		p->is_other = true;
		p->authority =
		    arena_printf(&x->arena, "%s%.*s%s", has_brackets ? "[" : "",
			SPAN_FMT(host), has_brackets ? "]" : "");
	}
	if (is_host)
		return;
	p->is_other = true;
	if (c->has_port || x->req.port == 0 ||
	    !span_eq(p->scheme, x->client.scheme))
		p->authority = c->host;
	else
		p->authority = arena_printf(&x->arena, "%.*s:%u",
		    SPAN_FMT(c->host), (unsigned)x->req.port);
}

/* Whether the last segment looks like a file's name. */
static bool
canon_is_file(span path)
{
	return span_chr(
		   span_from(path, (size_t)span_rchr(path, '/') + 1), '.') >= 0;
}

static void
canon_slash(struct exch *x, struct canon_place *p)
{
	bool has_slash = span_ends(p->path, SPAN_LIT("/"));
	span parts[2] = {p->path, SPAN_LIT("/")};

	/* what can be read in two ways has no one place */
	if (x->path_is_ambiguous || p->path.len == 0 || p->path.p[0] != '/' ||
	    has_slash != span_ends(x->path, SPAN_LIT("/")))
		return;
	if (x->set->canon.slash == PLAN_SLASH_ADD && !has_slash &&
	    !canon_is_file(x->path)) {
		p->path = arena_concat(&x->arena, parts, NELEMS(parts));
		p->is_other = true;
	}
	if (x->set->canon.slash == PLAN_SLASH_REMOVE && has_slash &&
	    x->path.len > 1) {
		while (p->path.len > 1 && p->path.p[p->path.len - 1] == '/')
			p->path.len--;
		p->is_other = true;
	}
}

enum verdict
stage_canon(struct exch *x)
{
	const struct plan_canon *c = &x->set->canon;
	struct canon_place p = {.scheme = x->client.scheme,
	    .authority = x->req.authority,
	    .path = x->req.path};
	span to;

	/* who names no host (HTTP/1.0) asks for no other one */
	if (!c->is_asked || (x->req.host.len == 0 && !canon_wants_https(x)))
		return VERDICT_NEXT;
	if (x->req.host.len == 0 && c->host.len == 0) {
		exch_fault_as(x, F_MISDIRECTED, 0,
		    "it names no host to be sent to https by");
		return VERDICT_FAULT;
	}
	canon_host(x, &p);
	canon_slash(x, &p);
	if (!p.is_other)
		return VERDICT_NEXT;
	to = arena_printf(&x->arena, "%.*s://%.*s%.*s%s%.*s",
	    SPAN_FMT(p.scheme), SPAN_FMT(p.authority), SPAN_FMT(p.path),
	    x->req.has_query ? "?" : "", SPAN_FMT(x->req.query));
	trail_note(x, DECISION_CANONICAL, c->at, "to %.*s", SPAN_FMT(to));
	canon_redirect(x, 0, to);
	return VERDICT_REPLY;
}
