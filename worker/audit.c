/* audit: a line of JSON for each exchange in which rules of a firewall matched.
 * Who it was, what matched, and what came of it. */
#include "worker/audit.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/log/access_log.h"
#include "worker/log/log_line.h"
#include "worker/sec/sec_tx.h"
#include "worker/waf/waf.h"

/* Longest value of one member; the rest is left out. */
#define VALUE_MAX 1024u
/* Room for what closes the line. */
#define TAIL_ROOM 64u
#define US_PER_MS 1000
/* Of an explained one, and of a value in it. */
#define EXPLAINED_MAX (256u * 1024)
#define EXCERPT_MAX 100u

struct line {
	char *p;
	size_t len, cap;
	bool is_full; /* what came next did not fit */
	bool is_cut; /* something was left out */
	/* NULL: a line of the log; else it explains, and tells more */
	const struct sec_set *explained;
};

static void
put(struct line *l, span s)
{
	if (l->len + s.len + TAIL_ROOM > l->cap) {
		l->is_full = true;
		return;
	}
	memcpy(l->p + l->len, s.p, s.len);
	l->len += s.len;
}

/* What was put since then is taken back if it did not fit. Whether it did. */
static bool
put_whole(struct line *l, size_t before)
{
	if (!l->is_full)
		return true;
	l->len = before;
	l->is_full = false;
	l->is_cut = true;
	return false;
}

/* What ends a list always has room. */
static void
put_end(struct line *l)
{
	l->p[l->len++] = ']';
}

static void
put_number(struct line *l, uint64_t n)
{
	char digits[20];

	put(l, span_of(digits, u64_format(n, digits)));
}

static void
put_text(struct line *l, span s)
{
	bool is_cut = false;

	if (l->len + 2 + TAIL_ROOM > l->cap) {
		l->is_full = true;
		return;
	}
	l->p[l->len++] = '"';
	l->len += log_escape_json(span_first(s, VALUE_MAX), l->p + l->len,
	    l->cap - l->len - TAIL_ROOM, &is_cut);
	l->p[l->len++] = '"';
	l->is_full = l->is_full || is_cut;
}

static void
put_member(struct line *l, const char *name, span value)
{
	put(l, SPAN_LIT(",\""));
	put(l, span_str(name));
	put(l, SPAN_LIT("\":"));
	put_text(l, value);
}

/* Where the rule stands, and what it saw. */
static void
put_rule(struct line *l, const struct sec_message *m)
{
	const struct sec_chain *c = &l->explained->chains[m->rule->chain];

	put_member(l, "file", m->rule->file);
	put(l, SPAN_LIT(",\"line\":"));
	put_number(l, m->rule->at.line);
	put(l, SPAN_LIT(",\"phase\":"));
	put_number(l, m->phase);
	put_member(l, "value", m->value);
	put(l, SPAN_LIT(",\"transformations\":["));
	for (uint32_t i = 0; i < c->n_steps; i++) {
		if (i > 0)
			put(l, SPAN_LIT(","));
		put_text(l, span_str(sec_trans_name(c->steps[i])));
	}
	put(l, SPAN_LIT("]"));
}

static void
put_message(struct line *l, const struct sec_message *m)
{
	put(l, SPAN_LIT("{\"id\":"));
	put_number(l, m->rule->id);
	put_member(l, "msg", m->msg);
	put_member(l, "data", m->data);
	put_member(l, "var", m->var);
	if (l->explained != NULL)
		put_rule(l, m);
	if (m->rule->severity != SEC_SEVERITY_NONE) {
		put(l, SPAN_LIT(",\"severity\":"));
		put_number(l, m->rule->severity);
	}
	put(l, SPAN_LIT(",\"tags\":["));
	for (uint32_t i = 0; i < m->rule->n_tags; i++) {
		if (i > 0)
			put(l, SPAN_LIT(","));
		put_text(l, m->rule->tags[i]);
	}
	put(l, SPAN_LIT("]}"));
}

/* As many as there is room for, whole. */
static void
put_messages(struct line *l, const struct sec_message *first)
{
	put(l, SPAN_LIT(",\"messages\":["));
	for (const struct sec_message *m = first; m != NULL; m = m->next) {
		size_t before = l->len;

		if (m != first)
			put(l, SPAN_LIT(","));
		put_message(l, m);
		if (!put_whole(l, before))
			break;
	}
	put_end(l);
}

/* They leave room for messages. */
static void
put_ids(struct line *l, const struct sec_message *first)
{
	const struct sec_message *m = first;

	put(l, SPAN_LIT(",\"rule_ids\":["));
	for (; m != NULL && l->len < l->cap / 2; m = m->next) {
		if (m != first)
			put(l, SPAN_LIT(","));
		put_number(l, m->rule->id);
	}
	l->is_cut = l->is_cut || m != NULL;
	put_end(l);
}

/* Rules may write anything there: what is no number of JSON is a text. Who adds
 * nothing up has nothing. */
static void
put_score(struct line *l, span score)
{
	bool is_number = score.len == 1 || (score.len > 1 && score.p[0] != '0');

	for (size_t i = 0; i < score.len; i++)
		is_number = is_number && score.p[i] >= '0' && score.p[i] <= '9';
	if (score.len > 0 && !is_number) {
		put_member(l, "anomaly_score", score);
	} else {
		put(l, SPAN_LIT(",\"anomaly_score\":"));
		put(l, score.len > 0 ? score : SPAN_LIT("0"));
	}
}

static void
put_request(struct line *l, struct exch *x, const struct waf_report *r)
{
	char client[IP_TEXT_CAP];

	put(l, SPAN_LIT("{\"time_ms\":"));
	put_number(l, (uint64_t)(x->t.begin_wall_us / US_PER_MS));
	put_member(l, "client",
	    exch_client_has_ip(&x->client)
		? span_of(client, ip_format(&x->client.ip, client))
		: SPAN_LIT("unix:"));
	put_member(l, "request_id", x->request_id);
	put_member(l, "method", x->req.method_text);
	put_member(l, "uri", x->req.raw_target);
	put_member(l, "site", x->site == NULL ? (span){0} : x->site->name);
	put_member(l, "route", x->route == NULL ? (span){0} : x->route->text);
	put_member(l, "waf", waf_name(r->waf));
	put_member(l, "action", span_str(r->action));
	put_score(l, r->score);
	if (r->bound == NULL)
		return;
	put_member(l, "bound", span_str(r->bound));
	if (r->bound_rule != 0) {
		put(l, SPAN_LIT(",\"bound_rule\":"));
		put_number(l, r->bound_rule);
	}
}

/* Whether who reads the value could be somebody else by it. */
static bool
is_secret(span name)
{
	static const char *const names[] = {
	    "authorization", "proxy-authorization", "cookie", "set-cookie"};

	for (size_t i = 0; i < NELEMS(names); i++)
		if (span_ieq(name, span_str(names[i])))
			return true;
	return false;
}

/* All of them, or none. */
static void
put_fields(
    struct line *l, const char *name, const struct sec_field *f, uint32_t n)
{
	size_t before = l->len;

	put(l, SPAN_LIT(",\""));
	put(l, span_str(name));
	put(l, SPAN_LIT("\":["));
	for (uint32_t i = 0; i < n; i++) {
		put(l, i == 0 ? SPAN_LIT("[") : SPAN_LIT(",["));
		put_text(l, f[i].name);
		put(l, SPAN_LIT(","));
		put_text(
		    l, is_secret(f[i].name) ? SPAN_LIT("***") : f[i].value);
		put(l, SPAN_LIT("]"));
	}
	put(l, SPAN_LIT("]"));
	(void)put_whole(l, before);
}

static void
put_line(struct line *l, struct exch *x, const struct waf_report *r)
{
	put_request(l, x, r);
	put_ids(l, r->messages);
	put_messages(l, r->messages);
	if (r->request_fields != NULL)
		put_fields(l, "request_headers", r->request_fields,
		    r->n_request_fields);
	if (r->answer_fields != NULL)
		put_fields(l, "response_headers", r->answer_fields,
		    r->n_answer_fields);
	if (l->is_full || l->is_cut) {
		memcpy(l->p + l->len, ",\"is_cut\":true", 14);
		l->len += 14;
	}
	memcpy(l->p + l->len, "}\n", 2);
	l->len += 2;
}

/* --- for who only explains ------------------------------------------------ */

/* The names of what a rule makes of a text, for people. */
static span
steps_of(struct arena *a, const struct sec_set *set, const struct sec_rule *r)
{
	const struct sec_chain *c = &set->chains[r->chain];
	span all = {0};

	for (uint32_t i = 0; i < c->n_steps; i++) {
		const span parts[] = {all,
		    i == 0 ? SPAN_LIT(" by ") : SPAN_LIT(","),
		    span_str(sec_trans_name(c->steps[i]))};

		all = arena_concat(a, parts, NELEMS(parts));
	}
	return all;
}

static span
seen_by(struct arena *a, const struct sec_set *set, const struct sec_message *m)
{
	span value = span_first(m->value, size_min(m->value.len, EXCERPT_MAX));

	/* SecAction looks at nothing */
	if (m->var.len == 0)
		return SPAN_LIT("always");
	return arena_printf(a, "%s%.*s is \"%.*s\"%.*s",
	    m->is_count ? "the number of " : "", SPAN_FMT(m->var),
	    SPAN_FMT(value), SPAN_FMT(steps_of(a, set, m->rule)));
}

static void
audit_explain(struct exch *x, const struct waf_report *r)
{
	struct sink *s = x->sink;
	struct line l = {.p = arena_alloc(s->arena, EXPLAINED_MAX),
	    .cap = EXPLAINED_MAX,
	    .explained = r->set};

	put_line(&l, x, r);
	s->audit = span_of(l.p, l.len);
	s->is_refused = r->is_refused;
	s->is_judged = r->is_whole;
	for (const struct sec_message *m = r->messages; m != NULL; m = m->next)
		sink_add(s, "match", m->rule->at,
		    "rule %llu, phase %u: %.*s: %.*s",
		    (unsigned long long)m->rule->id, m->phase,
		    SPAN_FMT(seen_by(s->arena, r->set, m)), SPAN_FMT(m->msg));
	sink_add(s, "verdict", SINK_NOWHERE, "%s%s%.*s", r->action,
	    r->score.len > 0 ? ", anomaly score " : "", SPAN_FMT(r->score));
}

void
audit_exchange(struct exch *x)
{
	struct waf_report r;
	struct line l = {0};
	const struct access_log *log;

	if (!waf_close(x, &r))
		return;
	if (x->sink != NULL) {
		audit_explain(x, &r);
		return;
	}
	if (waf_log(r.waf) < 0)
		return;
	log = x->w->plan->logs[waf_log(r.waf)];
	l.p = log_room(x->w->log, log, &l.cap);
	if (l.p == NULL) {
		log_added(x->w->log, log, 0);
		return;
	}
	put_line(&l, x, &r);
	log_added(x->w->log, log, l.len);
}
