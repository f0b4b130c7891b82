/* exch/vars: what the variables of vars.def are worth. Knows the exchange and
 * what it points at; knows nothing of who asks, so values are never escaped
 * here. */
#include "worker/exch/vars.h"

#include <assert.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/num.h"
#include "common/tls/tls_stream.h"
#include "worker/exch/blocked.h"
#include "worker/exch/crawler.h"
#include "worker/exch/exch.h"
#include "worker/exch/exch_geo.h"
#include "worker/exch/plan.h"
#include "worker/exch/trace.h"
#include "worker/exch/vars_proxy.h"
#include "worker/exch/visit.h"

static_assert(VAR_SCRATCH >= IP_TEXT_CAP, "an address fits");
static_assert(VAR_SCRATCH >= DATE_HTTP_LEN, "a date fits");

/* Answered by nobody: the client left first. nginx gave it this number, and
 * log readers know it. */
#define STATUS_CLIENT_GONE 499

enum var_arg { ARG_NONE, ARG_FIELD, ARG_NAME };

struct var_row {
	const char *name;
	enum var_kind kind;
	enum var_arg arg;
	enum var_when when;
	const char *doc;
};

static const struct var_row rows[] = {
#define VAR(id, name, kind, arg, when, doc) \
	[VAR_##id] = {name, VAR_KIND_##kind, ARG_##arg, VAR_WHEN_##when, doc},
#include "worker/exch/vars.def"
#undef VAR
};

static const char *const names[] = {
#define VAR(id, name, kind, arg, when, doc) [VAR_##id] = name,
#include "worker/exch/vars.def"
#undef VAR
};

/* Of those that are texts of the exchange as they are: where. 0: it is none. */
static const uint16_t texts[VAR_N] = {
    [VAR_SCHEME] = offsetof(struct exch, client.scheme),
    [VAR_AUTHORITY] = offsetof(struct exch, req.authority),
    [VAR_METHOD] = offsetof(struct exch, req.method_text),
    [VAR_PATH] = offsetof(struct exch, path),
    [VAR_RAW_PATH] = offsetof(struct exch, req.path),
    [VAR_QUERY] = offsetof(struct exch, req.query),
    [VAR_TARGET] = offsetof(struct exch, req.raw_target),
    [VAR_REQUEST_ID] = offsetof(struct exch, request_id),
    [VAR_CACHE] = offsetof(struct exch, cache_result),
    [VAR_LIMIT] = offsetof(struct exch, limit),
    [VAR_LIMIT_RESULT] = offsetof(struct exch, limit_result),
    [VAR_ACL] = offsetof(struct exch, access.acl),
    [VAR_ACL_RULE] = offsetof(struct exch, access.rule),
    [VAR_CATEGORY] = offsetof(struct exch, access.category),
    [VAR_STICKY] = offsetof(struct exch, origin.sticky),
    [VAR_UPSTREAM] = offsetof(struct exch, origin.upstream),
    [VAR_SERVER] = offsetof(struct exch, origin.server),
    [VAR_ORIGIN_TLS_VERSION] = offsetof(struct exch, origin.tls_version),
    [VAR_ORIGIN_TLS_RESUMED] = offsetof(struct exch, origin.tls_resumed),
};

const char *
var_name(enum var_id id)
{
	REQUIRE((unsigned)id < VAR_N);
	return rows[id].name;
}

bool
var_is_of_user(enum var_id id)
{
	return id == VAR_USER || id == VAR_CLAIM;
}

enum var_kind
var_kind(enum var_id id)
{
	REQUIRE((unsigned)id < VAR_N);
	return rows[id].kind;
}

bool
var_is_number(enum var_id id)
{
	return var_kind(id) >= VAR_KIND_NUMBER;
}

enum var_when
var_when(enum var_id id)
{
	REQUIRE((unsigned)id < VAR_N);
	return rows[id].when;
}

const char *
var_doc(enum var_id id)
{
	REQUIRE((unsigned)id < VAR_N);
	return rows[id].doc;
}

bool
var_takes_arg(enum var_id id)
{
	REQUIRE((unsigned)id < VAR_N);
	return rows[id].arg != ARG_NONE;
}

const char *
var_near(span word)
{
	return diag_suggest(word, names, VAR_N);
}

bool
var_find(span name, enum var_id *out)
{
	for (unsigned id = 0; id < VAR_N; id++) {
		if (!span_eq(span_str(rows[id].name), name))
			continue;
		*out = (enum var_id)id;
		return true;
	}
	return false;
}

static void
var_unknown(span name, struct place at, struct diag *d)
{
	const char *near = var_near(name);

	if (near != NULL)
		diag_error(d, at, "unknown variable {%.*s}; did you mean {%s}?",
		    SPAN_FMT(name), near);
	else
		diag_error(d, at,
		    "unknown variable {%.*s}; doc/reference.md lists them, and "
		    "a brace as text is written {{",
		    SPAN_FMT(name));
}

struct place
var_src_place(const struct var_src *src, size_t off, size_t len)
{
	struct place at = src->at;

	at.col = (uint16_t)size_min(at.col + off, UINT16_MAX);
	at.len = (uint16_t)size_min(len, UINT16_MAX);
	return at;
}

/* Whether the row takes what was written, at the time it is asked. */
static bool
var_check(const struct var_src *src, const struct var *v, bool has_arg,
    struct diag *d)
{
	static const char *const known[] = {
	    [VAR_WHEN_REQUEST] = "",
	    [VAR_WHEN_RESPONSE] = "when the answer begins",
	    [VAR_WHEN_END] = "at the end of the exchange",
	};
	const struct var_row *row = &rows[v->id];

	if (row->arg == ARG_NONE && has_arg) {
		diag_error(
		    d, src->at, "{%s} takes nothing behind a colon", row->name);
		return false;
	}
	if (row->arg != ARG_NONE && v->arg.len == 0) {
		diag_error(d, src->at, "{%s} needs a name: {%s:NAME}",
		    row->name, row->name);
		return false;
	}
	if (row->when > src->when) {
		diag_error(d, src->at, "{%s} is known only %s, later than this",
		    row->name, known[row->when]);
		return false;
	}
	return true;
}

bool
var_parse(const struct var_src *src, struct var *out, struct diag *d)
{
	ptrdiff_t colon = span_chr(src->text, ':');
	span name =
	    colon < 0 ? src->text : span_first(src->text, (size_t)colon);

	memset(out, 0, sizeof(*out));
	if (!var_find(name, &out->id)) {
		var_unknown(name, src->at, d);
		return false;
	}
	if (colon >= 0)
		out->arg = span_trim(span_from(src->text, (size_t)colon + 1));
	if (!var_check(src, out, colon >= 0, d))
		return false;
	if (rows[out->id].arg == ARG_FIELD)
		out->field = field_lookup(out->arg);
	return true;
}

/* With its brackets when it is an IPv6 address, so that it can stand in a URL.
 */
static span
var_host(const struct exch *x)
{
	span host = x->req.host;
	span all = x->req.authority;

	if (all.len >= host.len + 2 && all.p[0] == '[' && host.p == all.p + 1)
		return span_of(all.p, host.len + 2);
	return host;
}

static span
var_protocol(const struct exch *x)
{
	switch (x->req.version) {
	case HTTP_1_0:
		return SPAN_LIT("HTTP/1.0");
	case HTTP_1_1:
		return SPAN_LIT("HTTP/1.1");
	case HTTP_2:
		return SPAN_LIT("HTTP/2.0");
	}
	return span_of(NULL, 0); /* its head was never read */
}

static span
var_request(struct exch *x)
{
	span parts[5] = {x->req.method_text, SPAN_LIT(" "), x->req.raw_target,
	    SPAN_LIT(" "), var_protocol(x)};

	if (x->req.method_text.len == 0)
		return span_of(NULL, 0);
	return arena_concat(&x->arena, parts, NELEMS(parts));
}

static span
var_field(struct exch *x, const struct http_fields *f, const struct var *v)
{
	const struct http_field *fld;

	if (v->field != FIELD_OTHER)
		return fields_joined(f, v->field, &x->arena);
	fld = fields_find_name(f, v->arg);
	return fld == NULL ? span_of(NULL, 0) : fld->value;
}

static span
var_query_arg(const struct exch *x, span name)
{
	span rest = x->req.query;
	span pair;

	while (span_cut(&rest, '&', &pair)) {
		ptrdiff_t eq = span_chr(pair, '=');
		span key = eq < 0 ? pair : span_first(pair, (size_t)eq);

		if (span_eq(key, name))
			return span_from(pair, key.len + (eq < 0 ? 0 : 1));
	}
	return span_of(NULL, 0);
}

/* What the client was answered; 499 when it left first. */
static unsigned
var_status(const struct exch *x)
{
	const struct fault_row *row = fault_row(x->fault);

	if (x->is_answered || x->fault == F_NONE)
		return x->resp.status;
	if (row->status == 0)
		return STATUS_CLIENT_GONE;
	return x->fault_status != 0 ? x->fault_status : row->status;
}

static uint64_t
var_since_us(const struct exch *x, uint64_t then_us)
{
	return then_us > x->t.begin_us ? then_us - x->t.begin_us : 0;
}

static uint64_t
var_duration_us(const struct exch *x)
{
	uint64_t end_us = x->t.end_us;

	return var_since_us(
	    x, end_us != 0 ? end_us : worker_clock(x->w)->mono_us);
}

/* Seconds with three decimals. */
static size_t
var_seconds(uint64_t ms, char *scratch)
{
	size_t n = u64_format(ms / 1000, scratch);

	scratch[n++] = '.';
	scratch[n++] = (char)('0' + ms / 100 % 10);
	scratch[n++] = (char)('0' + ms / 10 % 10);
	scratch[n++] = (char)('0' + ms % 10);
	return n;
}

/* A number of which 0 means: not known. */
static bool
var_if_known(uint64_t v, uint64_t *out)
{
	*out = v;
	return v != 0;
}

/* Milliseconds until a point of time; nothing when it was not reached. */
static bool
var_ms_until(const struct exch *x, uint64_t then_us, uint64_t *out)
{
	*out = var_since_us(x, then_us) / 1000;
	return then_us != 0;
}

bool
var_get_number(const struct exch *x, enum var_id id, uint64_t *out)
{
	switch ((unsigned)id) {
	case VAR_CLIENT_PORT:
		return var_if_known(x->client.port, out);
	case VAR_PEER_PORT:
		return var_if_known(x->client.peer_port, out);
	case VAR_ASN:
		return var_if_known(exch_client_asn(x), out);
	case VAR_NOT_FOUND_RATE:
		*out = visit_rates(x).missing;
		return true;
	case VAR_PATH_RATE:
		*out = visit_rates(x).paths;
		return true;
	case VAR_PORT:
		return var_if_known(x->client.local_port, out);
	case VAR_ORIGIN_STATUS:
		return var_if_known(x->origin.status, out);
	case VAR_CONNECT_MS:
		return var_ms_until(x, x->t.connect_us, out);
	case VAR_ANSWER_MS:
		return var_ms_until(x, x->t.answer_us, out);
	case VAR_TRIES:
		*out = x->origin.tries;
		return true;
	case VAR_STATUS:
		*out = var_status(x);
		return true;
	case VAR_BYTES_IN:
		*out = x->bytes_in;
		return true;
	case VAR_BYTES_OUT:
		*out = x->bytes_out;
		return true;
	case VAR_BODY_BYTES_IN:
		*out = x->req_body.total;
		return true;
	case VAR_BODY_BYTES_OUT:
		*out = x->out->total - x->out->len;
		return true;
	case VAR_DURATION:
	case VAR_DURATION_MS:
		*out = var_duration_us(x) / 1000;
		return true;
	case VAR_TIME_UNIX:
		*out = (uint64_t)clock_wall_s(worker_clock(x->w));
		return true;
	case VAR_WORKER:
		*out = x->w->boot->worker;
		return true;
	default:
		UNREACHED();
	}
}

bool
var_get_ip(const struct exch *x, enum var_id id, struct ip *out)
{
	REQUIRE(var_kind(id) == VAR_KIND_ADDRESS);
	if (id == VAR_PEER_IP) {
		*out = x->client.peer;
		return !x->client.is_unix;
	}
	*out = x->client.ip;
	return exch_client_has_ip(&x->client);
}

static span
var_time(const struct exch *x, enum var_id id, char *scratch)
{
	const struct clock *now = worker_clock(x->w);

	if (id == VAR_TIME_CLF) {
		date_format_clf(clock_wall_s(now), scratch);
		return span_of(scratch, DATE_CLF_LEN);
	}
	date_format_iso(now->wall_us, scratch);
	return span_of(scratch, DATE_ISO_LEN);
}

static span
var_ip(const struct exch *x, enum var_id id, char *scratch)
{
	struct ip ip;

	if (!var_get_ip(x, id, &ip))
		return SPAN_LIT("unix:");
	return span_of(scratch, ip_format(&ip, scratch));
}

static span
var_claim(const struct exch_user *u, span name)
{
	for (uint32_t i = 0; u != NULL && i < u->n_claims; i++)
		if (span_eq(u->claims[i].name, name))
			return u->claims[i].value;
	return span_of(NULL, 0);
}

/* What the client asked. */
static span
var_get_request(struct exch *x, const struct var *v, char *scratch)
{
	switch ((unsigned)v->id) {
	case VAR_CLIENT_IP:
	case VAR_PEER_IP:
		return var_ip(x, v->id, scratch);
	case VAR_COUNTRY:
		return exch_client_country(x, scratch);
	case VAR_HOST:
		return var_host(x);
	case VAR_URI:
		return msg_uri(&x->req, &x->arena);
	case VAR_ARG:
		return var_query_arg(x, v->arg);
	case VAR_PROTOCOL:
		return var_protocol(x);
	case VAR_REQUEST:
		return var_request(x);
	case VAR_HEADER:
		return var_field(x, &x->req.fields, v);
	case VAR_COOKIE:
		return exch_cookie(x, v->arg);
	case VAR_CRAWLER:
		return crawler_name(x);
	case VAR_CLAIM:
		return var_claim(x->user, v->arg);
	case VAR_USER:
		return x->user != NULL ? x->user->name : span_of(NULL, 0);
	default:
		UNREACHED();
	}
}

/* Of a client's certificate. */
static span
var_get_proof(const struct tls_proof *p, enum var_id id)
{
	switch ((unsigned)id) {
	case VAR_TLS_CLIENT_SUBJECT:
		return p->subject;
	case VAR_TLS_CLIENT_ISSUER:
		return p->issuer;
	case VAR_TLS_CLIENT_SERIAL:
		return p->serial;
	case VAR_TLS_CLIENT_FINGERPRINT:
		return p->fingerprint;
	default:
		UNREACHED();
	}
}

/* What the TLS handshake came to. */
static span
var_get_tls(const struct exch *x, enum var_id id)
{
	const struct tls_facts *f = x->client.tls;

	if (f == NULL)
		return span_of(NULL, 0);
	switch ((unsigned)id) {
	case VAR_TLS_VERSION:
		return f->version;
	case VAR_TLS_CIPHER:
		return f->cipher;
	case VAR_TLS_SNI:
		return f->sni;
	case VAR_TLS_ALPN:
		return f->alpn;
	case VAR_JA4:
		return f->ja4;
	case VAR_TLS_RESUMED:
		return f->is_resumed ? SPAN_LIT("yes") : SPAN_LIT("no");
	case VAR_TLS_CLIENT_VERIFY:
		return f->proof != NULL ? SPAN_LIT("OK") : SPAN_LIT("NONE");
	default:
		return f->proof != NULL ? var_get_proof(f->proof, id)
					: span_of(NULL, 0);
	}
}

/* What the list of `allow` and `deny` said; nothing where there is none. */
static span
var_access(const struct exch *x)
{
	if (!x->access.is_decided)
		return span_of(NULL, 0);
	if (!x->access.is_denied)
		return SPAN_LIT("allowed");
	return x->fault == F_ACCESS_DENIED ? SPAN_LIT("denied")
					   : SPAN_LIT("log_only");
}

static span
var_origin_ip(const struct exch *x, char *scratch)
{
	if (!exch_has_origin_ip(x))
		return span_of(NULL, 0);
	return span_of(scratch, ip_format(&x->origin.ip, scratch));
}

static span
var_media_type(const struct exch *x)
{
	const struct http_field *f =
	    fields_find(&x->resp.fields, FIELD_CONTENT_TYPE);
	span rest = f == NULL ? span_of("", 0) : f->value;
	span type;

	(void)span_cut(&rest, ';', &type);
	return span_trim(type);
}

/* What became of it. */
static span
var_get_outcome(struct exch *x, const struct var *v, char *scratch)
{
	switch ((unsigned)v->id) {
	case VAR_LISTEN:
		return x->listen->name;
	case VAR_SITE:
		return x->site != NULL ? x->site->name : span_of(NULL, 0);
	case VAR_ROUTE:
		return x->route != NULL ? x->route->text : span_of(NULL, 0);
	case VAR_ACL_RESULT:
		return var_access(x);
	case VAR_ORIGIN_IP:
		return var_origin_ip(x, scratch);
	case VAR_CONTENT_TYPE:
		return var_media_type(x);
	case VAR_RESPONSE_HEADER:
		return var_field(x, &x->resp.fields, v);
	case VAR_REASON:
		return status_reason((unsigned)var_status(x));
	case VAR_FAULT:
		return x->fault == F_NONE ? span_of(NULL, 0)
					  : span_str(fault_row(x->fault)->word);
	case VAR_FAULT_DETAIL:
		return span_str(x->fault_detail);
	case VAR_TRACE_ID:
		return trace_id_text(x);
	case VAR_SPAN_ID:
		return trace_span_text(x);
	case VAR_BLOCKED:
		return exch_blocked(x);
	case VAR_TIME:
	case VAR_TIME_CLF:
		return var_time(x, v->id, scratch);
	case VAR_TIME_UNIX_MS:
		return span_of(scratch,
		    var_seconds(
			(uint64_t)worker_clock(x->w)->wall_us / 1000, scratch));
	default:
		UNREACHED();
	}
}

size_t
var_format_number(enum var_id id, uint64_t n, char *out)
{
	return var_kind(id) == VAR_KIND_SECONDS ? var_seconds(n, out)
						: u64_format(n, out);
}

static span
var_number_text(const struct exch *x, enum var_id id, char *scratch)
{
	uint64_t n;

	if (!var_get_number(x, id, &n))
		return span_of(NULL, 0);
	return span_of(scratch, var_format_number(id, n, scratch));
}

/* Apart from var_get(), so that what is a text already is had for a few
 * instructions. */
static __attribute__((noinline)) span
var_make(struct exch *x, const struct var *v, char *scratch)
{
	if (var_is_number(v->id))
		return var_number_text(x, v->id, scratch);
	if (v->id < VAR_TLS_VERSION)
		return var_get_request(x, v, scratch);
	if (v->id < VAR_URL)
		return var_get_tls(x, v->id);
	if (v->id < VAR_LISTEN)
		return var_get_proxy(x, v->id, scratch);
	return var_get_outcome(x, v, scratch);
}

span
var_get(struct exch *x, const struct var *v, char *scratch)
{
	REQUIRE((unsigned)v->id < VAR_N);
	return texts[v->id] != 0
		   ? *(const span *)(const void *)((const char *)x +
						   texts[v->id])
		   : var_make(x, v, scratch);
}

/* The next line of the same field, or its first. */
static const struct http_field *
var_next_line(const struct http_fields *f, const struct var *v,
    const struct http_field *at)
{
	if (v->field != FIELD_OTHER)
		return at == NULL ? fields_find(f, v->field)
				  : fields_next(f, at);
	for (at = at == NULL ? f->at : at + 1; at < f->at + f->n; at++)
		if (!at->is_gone && span_ieq(at->name, v->arg))
			return at;
	return NULL;
}

bool
var_next(struct exch *x, const struct var *v, struct var_walk *w, span *out)
{
	bool is_first = !w->is_begun;

	w->is_begun = true;
	if (rows[v->id].arg != ARG_FIELD) {
		if (is_first)
			*out = var_get(x, v, w->scratch);
		return is_first;
	}
	if (!is_first && w->at == NULL)
		return false;
	w->at = var_next_line(
	    v->id == VAR_HEADER ? &x->req.fields : &x->resp.fields, v, w->at);
	*out = w->at == NULL ? span_of(NULL, 0) : w->at->value;
	return is_first || w->at != NULL;
}
