/* challenge: see challenge.h. The task is for the client's address (of IPv6 for
 * its network) and the host, and is proved anew for each request: that is one
 * hash of 55 bytes and two short keyed ones. */
#include "worker/challenge/challenge.h"

#include <string.h>

#include "common/base/check.h"
#include "common/store/sessions.h"
#include "worker/challenge/challenge_int.h"
#include "worker/challenge/proof.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/exch/trail.h"

#define MS_PER_S 1000u
#define US_PER_S 1000000

struct challenge {
	struct place at; /* of the section; line 0: there is none */
	unsigned bits;
	unsigned status;
	uint64_t ttl_s;
	span cookie;
	bool has_key; /* a secret of the configuration; else the segment's */
	struct proof_key key;
};

/* --- preparing ------------------------------------------------------------ */

/* RFC 6265 4.1.1: a token. */
static bool
is_cookie_name(span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f ||
		    memchr("()<>@,;:\\\"/[]?={}", c, 17) != NULL)
			return false;
	}
	return s.len > 0;
}

const struct challenge *
challenge_prepare(const struct conf_tree *t, struct arena *a, struct diag *d)
{
	const struct conf_section *sec = conf_first(t, CONF_CHALLENGE);
	struct conf_scope s = conf_scope_of(t, sec);
	struct challenge *c = arena_zalloc(a, sizeof(*c));
	const struct conf_value *secret = conf_get(&s, KEY_CHALLENGE_SECRET);
	const struct conf_value *cookie = conf_get(&s, KEY_CHALLENGE_COOKIE);

	if (sec != NULL)
		c->at = sec->at;
	c->bits = (unsigned)conf_num(&s, KEY_CHALLENGE_DIFFICULTY);
	c->status = (unsigned)conf_num(&s, KEY_CHALLENGE_STATUS);
	c->ttl_s = (uint64_t)conf_num(&s, KEY_CHALLENGE_TTL) / MS_PER_S;
	c->cookie = conf_text(&s, KEY_CHALLENGE_COOKIE);
	if (cookie != NULL && !is_cookie_name(c->cookie))
		diag_error(d, cookie->at, "'%.*s' cannot be a cookie's name",
		    SPAN_FMT(c->cookie));
	c->has_key = secret != NULL;
	if (c->has_key)
		proof_key_make(secret->text, &c->key);
	return c;
}

/* --- serving -------------------------------------------------------------- */

/* Without a secret of the configuration it is one of the segment, which lasts
 * over reloads and upgrades. false: this is a dry run without a segment. */
static bool
challenge_key(
    const struct exch *x, const struct challenge *c, struct proof_key *out)
{
	struct session_secret secret;

	if (c->has_key) {
		*out = c->key;
		return true;
	}
	if (x->w->boot->sessions == NULL)
		return false;
	sessions_secret(x->w->boot->sessions, &secret);
	/* it seals cookies of servers as well, which begin with another byte:
	 * no hash of it is needed to keep them apart */
	memcpy(out->seal, secret.seal, sizeof(out->seal));
	return true;
}

static struct proof_for
challenge_who(struct exch *x)
{
	struct proof_for who = {.host = x->req.host};
	struct ip ip = ip_client(&x->client.ip);
	char *text = arena_alloc(&x->arena, IP_TEXT_CAP);

	if (!exch_client_has_ip(&x->client))
		return who;
	who.client = span_of(text, ip_format(&ip, text));
	return who;
}

static uint64_t
challenge_now_s(const struct exch *x)
{
	return (uint64_t)(worker_clock(x->w)->wall_us / US_PER_S);
}

/* A page for browsers, whatever they asked for. */
static enum verdict
challenge_show(struct exch *x, const struct challenge *c,
    const struct proof_key *key, bool has_failed)
{
	struct proof_for who = challenge_who(x);
	char *task = arena_alloc(&x->arena, PROOF_TASK_MAX);
	size_t len = proof_task(key, &who, challenge_now_s(x), c->bits, task);
	struct page_task page = {
	    .task = span_of(task, len),
	    .cookie = c->cookie,
	    .ttl_s = c->ttl_s,
	    .is_secure = span_eq(x->client.scheme, SPAN_LIT("https")),
	    .has_failed = has_failed,
	};

	counter_add(x->w->counters, COUNTER_CHALLENGES, 1);
	trail_note(x, DECISION_CHALLENGE, c->at,
	    "a page asks for %u bits of work: %u", c->bits, c->status);
	exch_reply(x, c->status, SPAN_LIT("text/html; charset=utf-8"),
	    page_write(&x->arena, &page));
	fields_add_id(&x->resp.fields, &x->arena, FIELD_CACHE_CONTROL,
	    SPAN_LIT("no-store"));
	return VERDICT_REPLY;
}

static enum verdict
challenge_script(struct exch *x)
{
	exch_reply(
	    x, 200, SPAN_LIT("text/javascript; charset=utf-8"), page_script);
	fields_add_id(&x->resp.fields, &x->arena, FIELD_CACHE_CONTROL,
	    SPAN_LIT("public, max-age=86400"));
	return VERDICT_REPLY;
}

static enum verdict
challenge_judge(struct exch *x, const struct challenge *c)
{
	struct proof_for who = challenge_who(x);
	struct proof_rule rule = {c->bits, c->ttl_s, challenge_now_s(x)};
	span proof = exch_cookie(x, c->cookie);
	struct proof_key key;

	if (!challenge_key(x, c, &key)) {
		sink_note(x, "challenge", c->at,
		    "is asked for, unless the "
		    "cookie proves it");
		return VERDICT_NEXT;
	}
	if (proof.p != NULL &&
	    proof_judge(&key, &who, &rule, proof) == PROOF_GOOD) {
		trail_note(
		    x, DECISION_CHALLENGE, c->at, "the cookie proves it");
		return VERDICT_NEXT;
	}
	return challenge_show(x, c, &key, proof.p != NULL);
}

/* Whom a limit would refuse, were it in force. */
static bool
challenge_suspects(const struct exch *x)
{
	return span_eq(x->limit_result, SPAN_LIT("dry_run"));
}

enum verdict
stage_challenge(struct exch *x)
{
	switch (x->set->asks_work) {
	case PLAN_WORK_OFF:
		return VERDICT_NEXT;
	case PLAN_WORK_SUSPICIOUS:
	case PLAN_WORK_ON:
		break;
	}
	if (span_eq(x->path, SPAN_LIT(CHALLENGE_SCRIPT_PATH)))
		return challenge_script(x);
	if (x->set->asks_work == PLAN_WORK_SUSPICIOUS && !challenge_suspects(x))
		return VERDICT_NEXT;
	return challenge_judge(x, x->w->plan->challenge);
}

enum verdict
stage_challenge_suspect(struct exch *x)
{
	if (!x->is_suspect || x->set->asks_work != PLAN_WORK_SUSPICIOUS)
		return VERDICT_NEXT;
	return challenge_judge(x, x->w->plan->challenge);
}
