/* exch/trace: see trace.h. */
#include "worker/exch/trace.h"

#include <stddef.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/serve/fetch_url.h"
#include "common/store/spans.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"

/* Tenths of a percent, as `sample` has them. */
#define SHARE_ALL 1000u
/* What `export` begins with. */
#define EXPORT_OTLP "otlp "

/* No secret: the same in every worker, which is what it is for. */
static const struct sipkey sample_key = {0, 0};
static const uint8_t no_span[TRACE_SPAN_LEN];

/* --- plan ----------------------------------------------------------------- */

static void
prepare_export(const struct conf_value *v, struct diag *d)
{
	struct fetch_url url;
	bool is_http;

	if (!span_starts(v->text, SPAN_LIT(EXPORT_OTLP)) ||
	    !fetch_url_read(
		&url, span_trim(span_from(v->text, sizeof(EXPORT_OTLP) - 1)))) {
		diag_error(d, v->at,
		    "expected otlp and a URL, for example otlp "
		    "http://127.0.0.1:4318/v1/traces");
		return;
	}
	is_http = !fetch_url_is_tls(&url);
	fetch_url_fini(&url);
	if (!is_http)
		diag_error(d, v->at,
		    "spans are sent by http:// alone: name a collector of this "
		    "machine or network, which may send them on by TLS");
}

const struct plan_tracing *
trace_prepare(const struct conf_tree *t, struct arena *a, struct diag *d)
{
	const struct conf_section *sec = conf_first(t, CONF_TRACING);
	struct conf_scope s = conf_scope_of(t, sec);
	const struct conf_value *to = conf_get(&s, KEY_TRACING_EXPORT);
	struct plan_tracing *p;
	uint64_t share;

	if (sec == NULL)
		return NULL;
	p = arena_zalloc(a, sizeof(*p));
	share = (uint64_t)conf_num(&s, KEY_TRACING_SAMPLE);
	p->propagates =
	    span_eq(conf_text(&s, KEY_TRACING_PROPAGATE), SPAN_LIT("w3c"));
	p->follows_parent = conf_bool(&s, KEY_TRACING_FOLLOW_PARENT);
	p->is_all = share == SHARE_ALL;
	p->below = share * (UINT64_MAX / SHARE_ALL);
	p->exports = to != NULL;
	if (to != NULL)
		prepare_export(to, d);
	return p;
}

/* --- ids ------------------------------------------------------------------ */

static uint64_t
trace_chance(struct worker *w)
{
	if (w->trace_seq == 0)
		sipkey_random(&w->trace_key);
	w->trace_seq++;
	return siphash(&w->trace_key,
	    span_of((const char *)&w->trace_seq, sizeof(w->trace_seq)));
}

/* n: a multiple of 8. */
static void
trace_make_id(struct worker *w, uint8_t *id, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		/* all zeroes would be no id */
		uint64_t v = trace_chance(w) | 1;

		memcpy(id + i, &v, sizeof(v));
	}
}

/* The one line of traceparent, when it is good. */
static bool
trace_read_parent(const struct exch *x, struct traceparent *out)
{
	const struct http_fields *f = &x->req.fields;
	const struct http_field *one = fields_find(f, FIELD_TRACEPARENT);

	return one != NULL && fields_next(f, one) == NULL &&
	       traceparent_read(span_trim(one->value), out);
}

static bool
trace_is_sampled(const struct plan_tracing *p, const struct trace *t,
    const struct traceparent *parent)
{
	if (parent != NULL && p->follows_parent)
		return (parent->flags & TRACE_SAMPLED) != 0;
	return p->is_all ||
	       siphash(&sample_key, span_of((const char *)t->own.trace_id,
					TRACE_ID_LEN)) < p->below;
}

/* Without spans of ours the client's trace goes on without us; and what somebody
 * asks of the internet is told there with no name of ours. */
static bool
trace_is_ours(const struct exch *x, const struct plan_tracing *p,
    const struct traceparent *parent)
{
	return p->propagates && (p->exports || parent == NULL) &&
	       x->kind != STAGE_FORWARD;
}

static void
trace_begin(struct exch *x, const struct plan_tracing *p, struct trace *t,
    const struct traceparent *parent)
{
	bool is_sampled;

	t->own.flags = TRACE_RANDOM;
	if (parent != NULL) {
		memcpy(t->own.trace_id, parent->trace_id, TRACE_ID_LEN);
		memcpy(t->parent_id, parent->span_id, TRACE_SPAN_LEN);
		t->own.flags = parent->flags & TRACE_RANDOM;
	} else {
		trace_make_id(x->w, t->own.trace_id, TRACE_ID_LEN);
	}
	trace_make_id(x->w, t->own.span_id, TRACE_SPAN_LEN);
	is_sampled = trace_is_sampled(p, t, parent);
	if (is_sampled)
		t->own.flags |= TRACE_SAMPLED;
	t->is_recorded = is_sampled && p->exports && x->sink == NULL;
	if (trace_is_ours(x, p, parent)) {
		t->told = arena_alloc(&x->arena, TRACEPARENT_LEN);
		traceparent_write(&t->own, t->told);
	}
	traceparent_hex(t->own.trace_id, TRACE_ID_LEN, t->trace_text);
	traceparent_hex(t->own.span_id, TRACE_SPAN_LEN, t->span_text);
}

enum verdict
stage_trace(struct exch *x)
{
	const struct plan_tracing *p = x->w->plan->tracing;
	struct traceparent parent;

	if (p == NULL)
		return VERDICT_NEXT;
	x->trace = arena_zalloc(&x->arena, sizeof(*x->trace));
	trace_begin(
	    x, p, x->trace, trace_read_parent(x, &parent) ? &parent : NULL);
	return VERDICT_NEXT;
}

void
trace_tell(struct exch *x)
{
	struct http_fields *f = &x->req.fields;
	struct trace *t = x->trace;
	bool has_parent;

	if (t == NULL || !x->w->plan->tracing->propagates)
		return;
	has_parent = memcmp(t->parent_id, no_span, sizeof(no_span)) != 0;
	/* it belongs to the traceparent that it came with (3.3) */
	if (fields_find(f, FIELD_TRACESTATE) != NULL &&
	    (!has_parent || !tracestate_is_fine(
				fields_joined(f, FIELD_TRACESTATE, &x->arena))))
		(void)fields_del(f, FIELD_TRACESTATE);
	if (t->told != NULL)
		fields_set(f, &x->arena, FIELD_TRACEPARENT,
		    span_of(t->told, TRACEPARENT_LEN));
}

void
trace_spawn(const struct exch *x, struct exch *y)
{
	struct trace *t;

	if (x->trace == NULL)
		return;
	t = arena_alloc(&y->arena, sizeof(*t));
	*t = *x->trace;
	t->is_trying = false;
	t->n_tries = 0;
	y->trace = t;
	if (t->told == NULL)
		return;
	t->told = arena_alloc(&y->arena, TRACEPARENT_LEN);
	traceparent_write(&t->own, t->told);
	fields_set(&y->req.fields, &y->arena, FIELD_TRACEPARENT,
	    span_of(t->told, TRACEPARENT_LEN));
}

/* --- spans ---------------------------------------------------------------- */

static int64_t
trace_wall_us(const struct exch *x, uint64_t mono_us)
{
	return x->t.begin_wall_us + (int64_t)(mono_us - x->t.begin_us);
}

static uint8_t
trace_version(const struct exch *x)
{
	switch (x->req.version) {
	case HTTP_1_0:
		return 10;
	case HTTP_1_1:
		return 11;
	case HTTP_2:
		return 20;
	}
	return 0; /* its head was never read */
}

static void
span_add_request(
    struct span_note *n, const struct exch *x, span peer, enum fault_id why)
{
	span_note_add(n, x->req.method_text);
	span_note_add(n, x->client.scheme);
	span_note_add(n, x->req.host);
	span_note_add(n, x->path.len > 0 ? x->path : x->req.path);
	span_note_add(n, x->route != NULL ? x->route->text : (span){0});
	span_note_add(n, x->site != NULL ? x->site->name : (span){0});
	span_note_add(n, peer);
	span_note_add(
	    n, why == F_NONE ? (span){0} : span_str(fault_row(why)->word));
	span_note_add(n, x->request_id);
	span_note_add(n, exch_req_field(x, FIELD_USER_AGENT));
}

static void
span_init(struct span_note *n, const struct trace *t, enum span_kind kind)
{
	memset(n, 0, offsetof(struct span_note, text));
	memcpy(n->trace_id, t->own.trace_id, TRACE_ID_LEN);
	n->flags = t->own.flags;
	n->kind = (uint8_t)kind;
}

static void
span_leave(const struct exch *x, const struct span_note *n)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};

	/* what finds no place is counted by who misses it */
	(void)spans_note(b->spans, me, n);
	counter_add(x->w->counters, COUNTER_SPANS, 1);
}

void
trace_try_begin(struct exch *x)
{
	struct trace *t = x->trace;

	if (t == NULL)
		return;
	trace_try_end(x, F_NONE);
	if (!t->is_recorded)
		return;
	trace_make_id(x->w, t->try_id, TRACE_SPAN_LEN);
	t->try_begin_us = worker_clock(x->w)->mono_us;
	t->is_trying = true;
	t->try_status = 0;
	if (t->told != NULL)
		traceparent_hex(
		    t->try_id, TRACE_SPAN_LEN, t->told + TRACEPARENT_SPAN_AT);
}

void
trace_try_answered(struct exch *x, unsigned status)
{
	if (x->trace != NULL)
		x->trace->try_status = (uint16_t)status;
}

static void
trace_note_try(struct exch *x, enum span_kind kind, enum fault_id why)
{
	struct trace *t = x->trace;
	struct span_note n;

	if (t == NULL || !t->is_trying)
		return;
	t->is_trying = false;
	span_init(&n, t, kind);
	memcpy(n.span_id, t->try_id, TRACE_SPAN_LEN);
	memcpy(n.parent_id, t->own.span_id, TRACE_SPAN_LEN);
	n.begin_us = trace_wall_us(x, t->try_begin_us);
	n.end_us = trace_wall_us(x, worker_clock(x->w)->mono_us);
	n.status = t->try_status;
	n.n_resent = t->n_tries;
	if (t->n_tries < UINT8_MAX)
		t->n_tries++;
	span_add_request(&n, x, x->origin.server, why);
	span_leave(x, &n);
}

void
trace_try_end(struct exch *x, enum fault_id why)
{
	trace_note_try(x, SPAN_CLIENT, why);
}

void
trace_try_leave(struct exch *x)
{
	trace_note_try(x, SPAN_LEFT, F_NONE);
}

void
trace_close(struct exch *x)
{
	const struct trace *t = x->trace;
	char client[IP_TEXT_CAP];
	struct span_note n;

	if (t == NULL || !t->is_recorded)
		return;
	span_init(&n, t, SPAN_SERVER);
	memcpy(n.span_id, t->own.span_id, TRACE_SPAN_LEN);
	memcpy(n.parent_id, t->parent_id, TRACE_SPAN_LEN);
	n.begin_us = x->t.begin_wall_us;
	n.end_us = trace_wall_us(x, x->t.end_us);
	n.status = x->is_begun ? x->resp.status : 0;
	n.version = trace_version(x);
	span_add_request(&n, x,
	    exch_client_has_ip(&x->client)
		? span_of(client, ip_format(&x->client.ip, client))
		: SPAN_LIT("unix:"),
	    x->fault);
	span_leave(x, &n);
}

/* --- for logs ------------------------------------------------------------- */

span
trace_id_text(const struct exch *x)
{
	return x->trace == NULL ? span_of(NULL, 0)
				: span_of(x->trace->trace_text,
				      sizeof(x->trace->trace_text));
}

span
trace_span_text(const struct exch *x)
{
	return x->trace == NULL
		   ? span_of(NULL, 0)
		   : span_of(x->trace->span_text, sizeof(x->trace->span_text));
}
