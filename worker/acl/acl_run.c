/* acl/acl_run: a list judged line by line, as far as can be told now. It stops
 * at a line that needs an identity or an address and goes on there. What only
 * the answer can tell is left for later: a request is let on when it may still
 * be allowed, and judged again when the head of the answer is there. */
#include "common/base/check.h"
#include "worker/acl/acl_int.h"
#include "worker/exch/crawler.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"

/* Of answers without content of their own (RFC 9110 15.3.5, 15.4.5). */
enum { STATUS_NO_CONTENT = 204, STATUS_NOT_MODIFIED = 304 };

static bool
run_ends_open(const struct plan_access *l)
{
	return !l->is_closed && !l->has_allow;
}

/* By a line, or by the list's end (NULL). */
static void
run_decide(const struct acl_look *look, const struct plan_access *l,
    struct exch_access *st, const struct acl_line *line, bool is_allowed)
{
	st->is_decided = true;
	st->is_denied = !is_allowed;
	if (line != NULL) {
		st->rule = acl_line_text(line);
		st->acl = acl_line_acl(line);
		st->at = acl_line_at(line);
		st->category = acl_line_category(line, look);
	} else {
		st->rule = run_ends_open(l) ? SPAN_LIT("allow all")
					    : SPAN_LIT("deny all");
		st->acl = span_of(NULL, 0);
		st->at = (struct place){0};
		st->category = span_of(NULL, 0);
	}
	if (is_allowed ? !st->late_denies : !st->late_allows)
		return;
	/* a line before this one has another opinion, and waits */
	st->is_pending = true;
	st->is_denied = false;
}

static void
run_set_late(struct exch_access *st, const struct acl_line *line, uint32_t i)
{
	if (st->late_line == 0)
		st->late_line = i + 1;
	if (acl_line_is_allow(line))
		st->late_allows = true;
	else
		st->late_denies = true;
}

static void
run_note(struct exch *x, const struct acl_line *line, enum acl_rc rc)
{
	static const char *const said[] = {
	    [ACL_NO] = "does not match",
	    [ACL_YES] = "decides",
	    [ACL_DOUBT] = "cannot be judged, and denies",
	    [ACL_LATE] = "waits for the answer",
	    [ACL_NEED_ADDR] = "needs the address",
	    [ACL_NEED_CRAWLER] = "needs the client's name",
	    [ACL_NEED_USER] = "needs the user",
	};
	bool is_tried =
	    acl_line_is_log_only(line) && (rc == ACL_YES || rc == ACL_DOUBT);
	span text = acl_line_text(line);

	sink_note(x, "access", acl_line_at(line), "%.*s %s", SPAN_FMT(text),
	    is_tried ? "holds, which is only logged" : said[rc]);
}

static void
run_note_category(struct exch *x, const struct exch_access *st)
{
	if (st->category.len > 0)
		sink_note(x, "access", st->at, "the host is in category %.*s",
		    SPAN_FMT(st->category));
}

static void
run_end(const struct acl_look *look, const struct plan_access *l,
    struct exch_access *st)
{
	run_decide(look, l, st, NULL, run_ends_open(l));
	sink_note(look->x, "access", SINK_NOWHERE,
	    "no line decides, and %s: %.*s",
	    l->is_closed   ? "a policy is closed"
	    : l->has_allow ? "there is an allow"
			   : "there is no allow",
	    SPAN_FMT(st->rule));
}

/* From st->line on; ACL_YES: decided, else what is needed. */
static enum acl_rc
run_lines(const struct acl_look *look, const struct plan_access *l,
    struct exch_access *st)
{
	for (; st->line < l->n; st->line++) {
		const struct acl_line *line = l->at[st->line];
		enum acl_rc rc = acl_line_judge(line, look);

		run_note(look->x, line, rc);
		if (acl_line_is_log_only(line) &&
		    (rc == ACL_YES || rc == ACL_DOUBT)) {
			if (st->tried == NULL)
				st->tried = line;
			continue;
		}
		switch (rc) {
		case ACL_NO:
			continue;
		case ACL_LATE:
			run_set_late(st, line, st->line);
			continue;
		case ACL_NEED_ADDR:
		case ACL_NEED_CRAWLER:
		case ACL_NEED_USER:
			return rc;
		case ACL_DOUBT:
			/* nobody sees it before it is refused */
			st->is_doubtful = true;
			st->late_allows = false;
			run_decide(look, l, st, line, false);
			return ACL_YES;
		case ACL_YES:
			run_decide(look, l, st, line, acl_line_is_allow(line));
			run_note_category(look->x, st);
			return ACL_YES;
		}
	}
	run_end(look, l, st);
	return ACL_YES;
}

/* Each address of the destination is judged by itself, and those that are
 * denied are taken away from it: only one that was allowed is connected to. */
static enum acl_rc
run_addresses(
    struct exch *x, const struct plan_access *l, struct exch_access *st)
{
	struct exch_destination *to = x->destination;
	struct ip kept[DESTINATION_IPS_MAX];
	struct exch_access out = *st;
	bool is_pending = false;
	uint16_t n_kept = 0;

	for (uint16_t i = 0; i < to->n_ips; i++) {
		struct exch_access one = *st;
		struct acl_look look = {x, &one, &to->ips[i]};
		char text[IP_TEXT_CAP];
		enum acl_rc rc;

		sink_note(x, "access", SINK_NOWHERE, "for the address %.*s",
		    (int)ip_format(&to->ips[i], text), text);
		rc = run_lines(&look, l, &one);
		if (rc != ACL_YES)
			return rc;
		/* the first that is allowed tells by what */
		if (i == 0 || (n_kept == 0 && !one.is_denied))
			out = one;
		if (one.is_denied)
			continue;
		kept[n_kept++] = to->ips[i];
		is_pending |= one.is_pending;
	}
	*st = out;
	st->is_pending = is_pending;
	if (n_kept > 0) {
		memcpy(to->ips, kept, n_kept * sizeof(kept[0]));
		to->n_ips = n_kept;
	}
	return ACL_YES;
}

/* The answer is judged by the address that it came from. Which one that was is
 * not known of what was kept, or came from a parent: all must be allowed. */
static void
run_answer(struct exch *x, const struct plan_access *l, struct exch_access *st)
{
	const struct exch_destination *to = x->destination;
	bool is_known = to->parent == NULL && exch_has_origin_ip(x);
	const struct ip *at = is_known ? &x->origin.ip : to->ips;
	uint16_t n = is_known ? 1 : to->n_ips;
	struct exch_access one = {.is_denied = false};

	for (uint16_t i = 0; i < n && !one.is_denied; i++) {
		struct acl_look look = {x, &one, &at[i]};

		/* an address may have been decided before the first line that
		 * another one had to wait for */
		one = *st;
		one.line = 0;
		(void)run_lines(&look, l, &one);
	}
	*st = one;
}

static enum acl_rc
run_round(struct exch *x, const struct plan_access *l, struct exch_access *st)
{
	const struct exch_destination *to = x->destination;
	struct acl_look look = {x, st, NULL};

	if (to != NULL && to->is_resolved && to->n_ips > 0) {
		if (!st->is_answer)
			return run_addresses(x, l, st);
		run_answer(x, l, st);
		return ACL_YES;
	}
	return run_lines(&look, l, st);
}

enum verdict
acl_run(struct exch *x, const struct plan_access *l, struct exch_access *st)
{
	enum verdict v = VERDICT_NEXT;

	while (!st->is_decided) {
		switch (run_round(x, l, st)) {
		case ACL_NEED_USER:
			v = identity_need_user(x);
			st->knows_user = v == VERDICT_NEXT;
			break;
		case ACL_NEED_ADDR:
			v = identity_need_address(x);
			st->knows_address = v == VERDICT_NEXT;
			break;
		case ACL_NEED_CRAWLER:
			v = crawler_need(x);
			break;
		case ACL_NO:
		case ACL_YES:
		case ACL_DOUBT:
		case ACL_LATE:
			break;
		}
		if (v != VERDICT_NEXT)
			return v;
	}
	return VERDICT_NEXT;
}

/* --- the stages ----------------------------------------------------------- */

static void
acl_only_log(struct exch *x)
{
	trail_note(
	    x, DECISION_ACCESS, x->access.at, "denied, which is only logged");
	counter_add(x->w->counters, COUNTER_ACCESS_LOGGED, 1);
}

/* It is let on, and a line that is tried would not have: that line is what logs
 * tell of. */
static void
acl_tell_tried(struct exch *x, bool is_told)
{
	struct exch_access *st = &x->access;
	struct acl_look look = {x, st, NULL};

	st->rule = acl_line_text(st->tried);
	st->acl = acl_line_acl(st->tried);
	st->at = acl_line_at(st->tried);
	st->category = acl_line_category(st->tried, &look);
	st->is_denied = true;
	if (!is_told)
		acl_only_log(x);
}

/* told: the line that is tried and was told of before; or NULL. */
static enum verdict
acl_settle(struct exch *x, const struct acl_line *told)
{
	const struct exch_access *st = &x->access;

	trail_add(x, DECISION_ACCESS, &st->at, st->rule);
	if (!st->is_denied) {
		if (st->tried != NULL)
			acl_tell_tried(x, st->tried == told);
		return VERDICT_NEXT;
	}
	if (x->set->access.is_log_only) {
		acl_only_log(x);
		return VERDICT_NEXT;
	}
	counter_add(x->w->counters, COUNTER_ACCESS_DENIED, 1);
	exch_fault_as(x, F_ACCESS_DENIED, 0,
	    st->is_doubtful ? "a line of the list cannot be judged for it"
			    : NULL);
	return VERDICT_FAULT;
}

enum verdict
stage_acl(struct exch *x)
{
	const struct plan_access *l = &x->set->access;
	enum verdict v;

	if (l->judge == NULL)
		return VERDICT_NEXT;
	v = l->judge(x, l, &x->access);
	return v == VERDICT_NEXT ? acl_settle(x, NULL) : v;
}

/* Whether the answer is an origin's that brings content; what we say ourselves
 * is not judged, and nothing new comes with the others. */
static bool
acl_is_content(const struct exch *x)
{
	return !x->is_own_answer && x->resp.status != STATUS_NO_CONTENT &&
	       x->resp.status != STATUS_NOT_MODIFIED;
}

enum verdict
stage_acl_answer(struct exch *x)
{
	struct exch_access *st = &x->access;
	const struct acl_line *told = st->tried;

	if (!st->is_pending || !acl_is_content(x))
		return VERDICT_NEXT;
	/* all that can be known about the request was found out before */
	*st = (struct exch_access){
	    .line = st->late_line - 1,
	    .knows_user = true,
	    .knows_address = true,
	    .is_answer = true,
	    .tried = told,
	};
	(void)acl_run(x, &x->set->access, st);
	return acl_settle(x, told);
}
