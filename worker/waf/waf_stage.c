/* waf_stage: an exchange before the rules of its scope, phase by phase. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/http/coding.h"
#include "worker/exch/crawler.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/reqid.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/sec/sec_sieve.h"
#include "worker/waf/waf_ask.h"
#include "worker/waf/waf_int.h"

/* Memory of one worker for the patterns of one [waf] (sec_sieve). */
#define MEMO_BYTES (16u << 20)
#define US_PER_S 1000000
#define NS_PER_US 1000

/* What 200002 of ModSecurity's recommended configuration says to it. */
#define UNREADABLE_STATUS 400
#define STATUS_CONTINUE 100
#define PHASE_HEAD 1
#define PHASE_BODY 2
#define PHASE_ANSWER 3
#define PHASE_ANSWER_BODY 4

struct waf_worker {
	struct waf_known *known; /* of names that rules look for */
	uint32_t n;
	struct sec_sieve_memo *memos[];
};

/* Where the exchange stands. */
struct waf_run {
	const struct waf *waf;
	struct sec_tx *tx;
	struct sec_request request;
	const struct sec_answer *answer; /* its head; NULL: none came */
	struct sec_share share;
	char client[IP_TEXT_CAP];
	uint32_t high; /* of the request's content, as it was before */
	struct body *waits_for; /* whose `high` was that */
	struct waf_asked *asked; /* names; NULL: none yet */
	bool has_content; /* of the request, and of the answer, was shown */
	bool has_shown;
	bool has_body; /* phase 2 has run */
	bool has_answer; /* and phase 3 */
	const char *bound; /* of content, that was met; or NULL */
	bool is_closed;
	bool leads_elsewhere; /* the answer to come has a Location */
	const char *action;
};

struct waf_worker *
waf_worker_new(struct worker *w)
{
	uint32_t n = w->plan->n_wafs;
	struct waf_worker *ww =
	    calloc(1, sizeof(*ww) + n * sizeof(ww->memos[0]));

	REQUIRE(ww != NULL);
	ww->known = waf_known_new();
	ww->n = n;
	for (uint32_t i = 0; i < n; i++)
		ww->memos[i] =
		    sec_plan_memo(w->plan->wafs[i]->plan, MEMO_BYTES);
	return ww;
}

void
waf_worker_free(struct waf_worker *ww)
{
	if (ww == NULL)
		return;
	for (uint32_t i = 0; i < ww->n; i++)
		sec_sieve_memo_free(ww->memos[i]);
	waf_known_free(ww->known);
	free(ww);
}

/* --- facts ---------------------------------------------------------------- */

static const struct sec_field *
take_fields(
    struct exch *x, const struct http_fields *from, span host, uint32_t *n)
{
	struct sec_field *f =
	    arena_alloc(&x->arena, (from->n + 1) * sizeof(*f));

	*n = 0;
	/* what HTTP/2 says of it in another way */
	if (host.len > 0 && fields_find(from, FIELD_HOST) == NULL)
		f[(*n)++] = (struct sec_field){SPAN_LIT("Host"), host};
	fields_foreach(fld, from) f[(*n)++] =
	    (struct sec_field){fld->name, fld->value};
	return f;
}

static span
protocol_of(enum http_version v)
{
	switch (v) {
	case HTTP_1_0:
		return SPAN_LIT("HTTP/1.0");
	case HTTP_1_1:
		return SPAN_LIT("HTTP/1.1");
	case HTTP_2:
		return SPAN_LIT("HTTP/2.0");
	}
	UNREACHED();
}

/* Who only explains asks nobody, and at the end nobody waits. */
static enum sec_look
look(void *self, span name)
{
	struct exch *x = self;

	OBJ_CHECK(x, MAGIC_EXCH);
	return x->sink != NULL || x->waf->is_closed
		   ? SEC_LOOK_NO
		   : waf_ask(x, x->w->waf->known, &x->waf->asked, name);
}

static void
take_request(struct exch *x, struct waf_run *run)
{
	struct sec_request *r = &run->request;

	r->method = x->req.method_text;
	r->target = x->req.raw_target;
	r->protocol = protocol_of(x->req.version);
	r->fields =
	    take_fields(x, &x->req.fields, x->req.authority, &r->n_fields);
	if (exch_client_has_ip(&x->client))
		r->remote_addr =
		    span_of(run->client, ip_format(&x->client.ip, run->client));
	r->remote_host = crawler_name(x);
	r->remote_port = x->client.port;
	r->server_port = x->client.local_port;
	r->server_addr = waf_server_addr;
	r->self = x;
	r->rates = waf_rates;
	r->locate = waf_locate;
	r->look = look;
	r->server_name = x->req.host;
	if (x->user != NULL)
		r->user = x->user->name;
	r->id = x->request_id;
	r->now = (struct timespec){x->t.begin_wall_us / US_PER_S,
	    x->t.begin_wall_us % US_PER_S * NS_PER_US};
}

/* What rules keep beyond the request; who only explains changes nothing. */
static void
share(struct exch *x, struct waf_run *run)
{
	const struct boot *b = x->w->boot;

	if (x->sink != NULL || b->collections == NULL)
		return;
	run->share = (struct sec_share){.table = b->collections,
	    .slots = b->slots,
	    .me = {b->slot, b->incarnation},
	    .scope = run->waf->section->name};
	sec_tx_share(run->tx, &run->share);
}

/* --- verdicts ------------------------------------------------------------- */

static enum verdict
refuse(struct exch *x, struct waf_run *run, enum sec_outcome o)
{
	struct sec_tx *tx = run->tx;
	uint16_t status = sec_tx_status(tx);

	counter_add(x->w->counters, COUNTER_WAF_REFUSED, 1);
	/* what a server answers is not its client's doing, and who is sent
	 * elsewhere was not refused */
	if (x->state == EXCH_REQUEST && o != SEC_OUTCOME_REDIRECT)
		offence_note(x, &run->waf->attack);
	trail_note(x, DECISION_WAF, sec_tx_refuser(tx)->at, "rule %llu refuses",
	    (unsigned long long)sec_tx_refuser(tx)->id);
	switch (o) {
	case SEC_OUTCOME_PASS:
	case SEC_OUTCOME_WAIT:
		break;
	case SEC_OUTCOME_REDIRECT:
		run->action = "redirect";
		run->leads_elsewhere = true;
		break;
	case SEC_OUTCOME_DROP:
		run->action = "drop";
		x->is_unwelcome = true;
		exch_fault(x, F_WAF_DROP, 0);
		return VERDICT_FAULT;
	case SEC_OUTCOME_DENY:
		run->action = "deny";
		break;
	}
	exch_fault_as(x, F_WAF, status, NULL);
	return VERDICT_FAULT;
}

/* What could not be judged is not let through. */
static enum verdict
refuse_unjudged(
    struct exch *x, struct waf_run *run, unsigned status, const char *why)
{
	run->action = "deny";
	counter_add(x->w->counters, COUNTER_WAF_REFUSED, 1);
	exch_fault_as(x, F_WAF, status, why);
	return VERDICT_FAULT;
}

static enum verdict
judge(struct exch *x, struct waf_run *run, uint8_t phase)
{
	enum sec_outcome o = sec_tx_phase(run->tx, phase);

	if (o == SEC_OUTCOME_WAIT)
		return VERDICT_WAIT;
	if (run->waf->only_detects)
		return VERDICT_NEXT;
	if (o != SEC_OUTCOME_PASS)
		return refuse(x, run, o);
	return sec_tx_is_over(run->tx) && sec_tx_may_refuse(run->tx)
		   ? refuse_unjudged(x, run, 0, "its rules met a bound")
		   : VERDICT_NEXT;
}

/* --- stages --------------------------------------------------------------- */

static void
begin(struct exch *x, const struct waf *waf)
{
	struct waf_run *run;

	reqid_make(x);
	run = arena_zalloc(&x->arena, sizeof(*run));
	run->waf = waf;
	run->action = "pass";
	take_request(x, run);
	run->tx = sec_tx_new(
	    waf->plan, x->w->waf->memos[waf->index], &x->arena, &run->request);
	share(x, run);
	if (waf->only_detects)
		sec_tx_detect(run->tx);
	waf_use_excludes(waf, x->path, run->tx);
	x->waf = run;
	trail_add(x, DECISION_WAF, &waf->section->at, waf->section->name);
	sink_note(x, "waf", waf->section->at, "%.*s: %s",
	    SPAN_FMT(waf->section->name),
	    waf->only_detects ? "its rules tell" : "its rules judge");
}

enum verdict
stage_waf_head(struct exch *x)
{
	const struct waf *waf = x->set->waf;

	/* of a tunnel nothing is seen but where it goes, which is for ACLs */
	if (waf == NULL || x->req.method == METHOD_CONNECT)
		return VERDICT_NEXT;
	/* it may have waited */
	if (x->waf == NULL)
		begin(x, waf);
	return judge(x, x->waf, PHASE_HEAD);
}

/* A copy of all content that is held: the rules keep its texts until the end,
 * when it has long been sent. */
static span
content_of(struct exch *x, const struct body *b, uint64_t max)
{
	struct iovec iov[BODY_SLICES];
	span parts[BODY_SLICES];
	uint64_t bytes;
	int n = body_peek(b, iov, BODY_SLICES, max, &bytes);

	for (int i = 0; i < n; i++)
		parts[i] = span_of(iov[i].iov_base, iov[i].iov_len);
	return n == 0 ? (span){0} : arena_concat(&x->arena, parts, (size_t)n);
}

/* Let more of it be held than is usual, while rules wait for it. */
static void
hold(struct waf_run *run, struct body *b, uint64_t limit)
{
	if (run->waits_for == b)
		return;
	run->waits_for = b;
	run->high = b->high;
	if (b->high <= limit)
		b->high = (uint32_t)limit + 1;
	b->wants_whole = true;
}

/* They have it. */
static void
let_go(const struct waf_run *run, struct body *b)
{
	b->high = run->high;
	b->wants_whole = false;
}

static bool
is_enough(const struct body *b, uint64_t limit)
{
	return b->state != BODY_OPEN || b->len > limit;
}

/* Who waits to be told to send it is told here (RFC 9110 10.1.1): the server that
 * would do so is not asked before rules have seen it. */
static void
ask_for_content(struct exch *x)
{
	struct http_msg info = {.version = HTTP_1_1,
	    .status = STATUS_CONTINUE,
	    .reason = status_reason(STATUS_CONTINUE)};

	if (!x->req.want_continue)
		return;
	x->req.want_continue = false;
	fields_init(&info.fields, &x->arena, 0);
	x->front->send_info(x->front_self, x, &info);
}

/* Whether all content that rules see is there. */
static bool
has_content(struct exch *x, struct waf_run *run)
{
	uint64_t limit = run->waf->body_limit;

	hold(run, &x->req_body, limit);
	while (
	    !is_enough(&x->req_body, limit) && x->front->pull(x->front_self, x))
		body_gather(&x->req_body);
	if (is_enough(&x->req_body, limit))
		return true;
	ask_for_content(x);
	return false;
}

/* The same of the answer; who is still sending the request may go on. */
static bool
has_answer(struct exch *x, struct waf_run *run)
{
	uint64_t limit = run->waf->set->options.response_max;
	bool moved = true;

	hold(run, &x->resp_body, limit);
	while (moved && !is_enough(&x->resp_body, limit)) {
		moved = false;
		if (x->handler == NULL || x->handler->pump == NULL)
			break;
		if (body_room(&x->req_body) > 0)
			moved = x->front->pull(x->front_self, x);
		moved |= x->handler->pump(x);
		body_gather(&x->resp_body);
	}
	return is_enough(&x->resp_body, limit);
}

static enum verdict
content_too_long(struct exch *x, struct waf_run *run)
{
	run->bound = "request_body";
	if (!sec_tx_may_refuse(run->tx) ||
	    run->waf->set->options.request_over == SEC_LIMIT_PARTIAL)
		return VERDICT_NEXT;
	run->action = "deny";
	exch_fault(x, F_BODY_TOO_LARGE, 0);
	return VERDICT_FAULT;
}

/* Content as rules are to see it, without its coding: all of it, the first `limit`
 * bytes, or what could be read. The end of what is too long is not there, and so
 * not missed. */
static enum decode_rc
plain_content(struct exch *x, const struct body *b, const struct http_fields *f,
    uint64_t limit, span *out)
{
	struct decode d = {.arena = &x->arena, .max = limit};
	enum coding c = coding_of(f);
	enum decode_rc rc = DECODE_OK;

	d.text = content_of(x, b, limit);
	if (c != CODING_IDENTITY && d.text.len > 0)
		rc = x->w->decode(x->w, c, d.text, &d);
	*out = d.text;
	if (b->len > limit)
		return DECODE_LONG;
	if (rc == DECODE_BAD)
		counter_add(x->w->counters, COUNTER_WAF_UNREAD, 1);
	return rc;
}

static enum verdict
show_content(struct exch *x, struct waf_run *run)
{
	span content;
	enum decode_rc rc = plain_content(
	    x, &x->req_body, &x->req.fields, run->waf->body_limit, &content);

	if (rc == DECODE_LONG && content_too_long(x, run) == VERDICT_FAULT)
		return VERDICT_FAULT;
	sec_tx_body(run->tx, content);
	if (rc == DECODE_BAD)
		sec_tx_body_is_broken(run->tx);
	return VERDICT_NEXT;
}

static enum verdict
take_content(struct exch *x, struct waf_run *run)
{
	if ((x->sink != NULL && !x->sink->has_content) ||
	    x->req.body == LENGTH_NONE || !sec_tx_wants_body(run->tx))
		return VERDICT_NEXT;
	if (!has_content(x, run))
		return VERDICT_WAIT;
	let_go(run, &x->req_body);
	if (x->req_body.state == BODY_ABORTED) {
		exch_fault(x, x->req_body.fault, 0);
		return VERDICT_FAULT;
	}
	return show_content(x, run);
}

/* Content that rules could not see as it is meant, and that none of them judges,
 * is not let through: the server may read it otherwise. */
static enum verdict
judge_unread(struct exch *x, struct waf_run *run)
{
	if (!sec_tx_is_unread(run->tx))
		return VERDICT_NEXT;
	run->bound = "unreadable";
	return sec_tx_may_refuse(run->tx)
		   ? refuse_unjudged(x, run, UNREADABLE_STATUS,
			 "its content is not what its type says")
		   : VERDICT_NEXT;
}

/* Whether rules want to see a proof of work. */
static bool
is_distrusted(const struct waf_run *run)
{
	span asked = sec_tx_value(run->tx, SPAN_LIT("challenge"));

	return !run->waf->only_detects && asked.len > 0 &&
	       !span_eq(asked, SPAN_LIT("0"));
}

enum verdict
stage_waf_body(struct exch *x)
{
	struct waf_run *run = x->waf;
	enum verdict v;

	if (run == NULL)
		return VERDICT_NEXT;
	v = run->has_content ? VERDICT_NEXT : take_content(x, run);
	if (v != VERDICT_NEXT)
		return v;
	run->has_content = true;
	v = judge(x, run, PHASE_BODY);
	if (v == VERDICT_NEXT)
		v = judge_unread(x, run);
	run->has_body = v != VERDICT_WAIT;
	x->is_suspect = v == VERDICT_NEXT && is_distrusted(run);
	return v;
}

static enum verdict
judge_head(struct exch *x, struct waf_run *run)
{
	struct sec_answer *a;

	if (run->answer != NULL)
		return judge(x, run, PHASE_ANSWER);
	a = arena_zalloc(&x->arena, sizeof(*a));
	a->status = x->resp.status;
	a->reason = x->resp.reason;
	a->protocol = protocol_of(x->resp.version);
	a->fields = take_fields(x, &x->resp.fields, (span){0}, &a->n_fields);
	run->answer = a;
	sec_tx_answer(run->tx, a);
	return judge(x, run, PHASE_ANSWER);
}

static bool
is_listed(const struct conf_value *types, span type)
{
	for (uint32_t i = 0; i < types->n_words; i++)
		if (span_ieq(types->words[i].text, type))
			return true;
	return false;
}

/* Whether rules see its content: of a type that they ask for. */
static bool
wants_answer(struct exch *x, const struct waf_run *run)
{
	const struct http_field *type =
	    fields_find(&x->resp.fields, FIELD_CONTENT_TYPE);
	span word;

	if (type == NULL || x->req.method == METHOD_HEAD || exch_is_granted(x))
		return false;
	word = span_trim(span_before(type->value, ';'));
	return run->waf->types != NULL
		   ? is_listed(run->waf->types, word)
		   : sec_tx_wants_answer_body(run->tx, word);
}

/* Rules see no more than a part of it. */
static enum verdict
answer_is_cut(struct exch *x, struct waf_run *run, const char *why)
{
	run->bound = "response_body";
	if (!sec_tx_may_refuse(run->tx) ||
	    run->waf->set->options.response_over == SEC_LIMIT_PARTIAL)
		return VERDICT_NEXT;
	run->action = "deny";
	exch_fault_as(x, F_WAF, 0, why);
	return VERDICT_FAULT;
}

static enum verdict
show_answer(struct exch *x, struct waf_run *run, uint64_t limit)
{
	span content;
	enum decode_rc rc =
	    plain_content(x, &x->resp_body, &x->resp.fields, limit, &content);

	if (content.len > 0 && coding_of(&x->resp.fields) != CODING_IDENTITY)
		sec_tx_answer_decoded(run->tx);
	sec_tx_answer_body(run->tx, content);
	if (rc == DECODE_OK)
		return VERDICT_NEXT;
	return answer_is_cut(x, run,
	    rc == DECODE_LONG ? "the answer is too long for its rules"
			      : "its rules cannot read the answer's coding");
}

static enum verdict
judge_content(struct exch *x, struct waf_run *run)
{
	uint64_t limit = run->waf->set->options.response_max;
	enum verdict v = VERDICT_NEXT;

	if (!run->has_shown && x->sink == NULL && wants_answer(x, run)) {
		if (!has_answer(x, run))
			return VERDICT_WAIT;
		let_go(run, &x->resp_body);
		v = show_answer(x, run, limit);
		if (v != VERDICT_NEXT)
			return v;
	}
	run->has_shown = true;
	return judge(x, run, PHASE_ANSWER_BODY);
}

enum verdict
stage_waf_answer(struct exch *x)
{
	struct waf_run *run = x->waf;
	enum verdict v = VERDICT_NEXT;

	if (run != NULL && run->leads_elsewhere && x->is_own_answer)
		fields_add_id(&x->resp.fields, &x->arena, FIELD_LOCATION,
		    sec_tx_redirect(run->tx));
	/* what we say ourselves is no server's */
	if (run == NULL || !run->has_body || x->is_own_answer || x->is_settled)
		return VERDICT_NEXT;
	if (!run->has_answer)
		v = judge_head(x, run);
	if (v == VERDICT_WAIT)
		return v;
	run->has_answer = true;
	return v == VERDICT_NEXT ? judge_content(x, run) : v;
}

/* --- what came of it ------------------------------------------------------ */

static span
score_of(const struct sec_tx *tx)
{
	span v = sec_tx_value(tx, SPAN_LIT("blocking_inbound_anomaly_score"));

	return v.len > 0 ? v : sec_tx_value(tx, SPAN_LIT("anomaly_score"));
}

/* The bound that was met, of rules before that of content; NULL: none. */
static const char *
bound_of(const struct waf_run *run, uint64_t *rule)
{
	const struct sec_rule *r;
	enum sec_bound bound = sec_tx_bound(run->tx, &r);

	*rule = r == NULL ? 0 : r->id;
	switch (bound) {
	case SEC_BOUND_NONE:
		return run->bound;
	case SEC_BOUND_PATTERN:
		return "pattern";
	case SEC_BOUND_TIME:
		return "time";
	case SEC_BOUND_MEMORY:
		return "memory";
	case SEC_BOUND_ARGUMENTS:
		return "arguments";
	}
	UNREACHED();
}

/* The rules that matched, for who asks why. */
static void
note_matches(struct exch *x, const struct waf_run *run)
{
	for (const struct sec_message *m = sec_tx_messages(run->tx);
	     m != NULL && x->n_trail < DECISION_LINES; m = m->next)
		trail_add(x, DECISION_WAF, &m->rule->at,
		    arena_printf(&x->arena, "rule %llu: %.*s",
			(unsigned long long)m->rule->id, SPAN_FMT(m->msg)));
}

bool
waf_close(struct exch *x, struct waf_report *out)
{
	struct waf_run *run = x->waf;

	if (run == NULL || run->is_closed)
		return false;
	run->is_closed = true;
	waf_ask_end(run->asked);
	(void)sec_tx_phase(run->tx, SEC_PHASES);
	note_matches(x, run);
	*out = (struct waf_report){.waf = run->waf,
	    .action = run->action,
	    .messages = sec_tx_messages(run->tx),
	    .score = score_of(run->tx),
	    .is_refused = strcmp(run->action, "pass") != 0,
	    .is_whole = run->has_body || strcmp(run->action, "pass") != 0,
	    .set = run->waf->set};
	out->bound = bound_of(run, &out->bound_rule);
	if (sec_tx_audits_part(run->tx, 'B')) {
		out->request_fields = run->request.fields;
		out->n_request_fields = run->request.n_fields;
	}
	if (sec_tx_audits_part(run->tx, 'F') && run->answer != NULL) {
		out->answer_fields = run->answer->fields;
		out->n_answer_fields = run->answer->n_fields;
	}
	if (x->sink != NULL)
		return true;
	waf_count_rules(
	    x, out->messages, out->is_refused ? sec_tx_refuser(run->tx) : NULL);
	if (out->bound != NULL)
		counter_add(x->w->counters, COUNTER_WAF_BOUNDS, 1);
	return (out->messages != NULL || out->bound != NULL) &&
	       sec_tx_is_audited(run->tx);
}
