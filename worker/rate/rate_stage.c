/* rate/rate_stage: stages `rate` and `rate-user`. Each limit of the scope counts
 * the request in the order in which they are written, those that ask who it is
 * from when that is known; the first that refuses it ends that, and those before
 * it give back what they counted. */
#include <inttypes.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "worker/exch/ban.h"
#include "worker/exch/exch.h"
#include "worker/exch/key.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/rate/rate_int.h"

#define RATE_US_PER_MS 1000u
#define RATE_US_PER_S 1000000u

/* What the limits of a request's scope did with it. */
struct rate_state {
	struct timer timer;
	bool is_waiting; /* for its turn */
	bool has_run; /* stage rate; and the other one: */
	bool has_run_by_user;
	span *keys; /* under which each has counted it; NULL: it has not */
};

static void
rate_on_timer(void *self)
{
	struct exch *x = self;

	OBJ_CHECK(x, MAGIC_EXCH);
	x->rate->is_waiting = false;
	exch_kick(x);
}

void
rate_close(struct exch *x)
{
	if (x->rate != NULL)
		loop_timer_clear(x->w->loop, &x->rate->timer);
}

/* --- counting ------------------------------------------------------------- */

static struct slot_name
rate_me(const struct exch *x)
{
	return (struct slot_name){x->w->boot->slot, x->w->boot->incarnation};
}

static uint64_t
rate_now_us(const struct exch *x)
{
	return worker_clock(x->w)->mono_us;
}

/* What a limit says that only tells: the request is none of its business. */
static void
rate_note_dry(struct exch *x, const struct rate *r, enum limits_rc rc)
{
	if (rc != LIMITS_REFUSED && rc != LIMITS_HELD)
		return;
	counter_add(x->w->counters, COUNTER_LIMIT_DRY, 1);
	x->limit = r->name;
	x->limit_result = SPAN_LIT("dry_run");
}

/* A table without room for its keys forgets some; a place whose writer died is
 * mended soon. Neither goes unsaid. */
static void
rate_tell(struct exch *x, const struct rate *r, enum limits_rc rc)
{
	if (rc == LIMITS_UNKNOWN)
		counter_add(x->w->counters, COUNTER_LIMIT_UNKNOWN, 1);
	if (limits_may_tell(r->table, rate_now_us(x)))
		log_msg(LOG_WARN,
		    "limit is not exact limit=%.*s keys_forgotten=%" PRIu64
		    " not_counted=%" PRIu64 " advice=\"raise table\"",
		    SPAN_FMT(r->name),
		    limits_count(r->table, LIMITS_COUNT_EVICTED),
		    limits_count(r->table, LIMITS_COUNT_UNKNOWN));
}

static struct limits_answer
rate_count(struct exch *x, const struct rate *r, span key)
{
	/* not the loop's clock: in a worker whose turn is long it is earlier than
	 * what others counted, and the last of a burst would be one too many */
	struct limits_answer a = limits_take(r->table, x->w->boot->slots,
	    rate_me(x), key, &r->rule, clock_mono_us());

	rate_tell(x, r, a.rc);
	if (!r->is_dry)
		return a;
	rate_note_dry(x, r, a.rc);
	return (struct limits_answer){.rc = LIMITS_OK};
}

/* Whole seconds, none too early. */
static uint64_t
rate_seconds(uint64_t us)
{
	return (us + RATE_US_PER_S - 1) / RATE_US_PER_S;
}

/* RateLimit-Policy and RateLimit of
 * draft-ietf-httpapi-ratelimit-headers-10: the burst is the quota, the window
 * is what it takes to have it back. */
static void
rate_add_fields(struct exch *x, const struct rate *r, uint64_t wait_us)
{
	struct http_fields *f = &x->resp.fields;
	uint64_t in_s = rate_seconds(wait_us);
	uint64_t window_s = rate_seconds(r->rule.ahead / LIMITS_UNITS_PER_US);

	fields_add_id(f, &x->arena, FIELD_RETRY_AFTER,
	    arena_printf(&x->arena, "%" PRIu64, in_s));
	fields_add(f, &x->arena, SPAN_LIT("RateLimit-Policy"),
	    arena_printf(&x->arena, "\"%.*s\";q=%" PRIu64 ";w=%" PRIu64,
		SPAN_FMT(r->name), r->burst, u64_max(window_s, 1)));
	fields_add(f, &x->arena, SPAN_LIT("RateLimit"),
	    arena_printf(
		&x->arena, "\"%.*s\";r=0;t=%" PRIu64, SPAN_FMT(r->name), in_s));
}

static enum verdict
rate_refuse(struct exch *x, const struct rate *r, span key, uint64_t wait_us)
{
	counter_add(x->w->counters, COUNTER_LIMIT_REFUSED, 1);
	x->limit = r->name;
	x->limit_result = SPAN_LIT("refused");
	trail_note(x, DECISION_LIMIT, r->at, "%.*s refuses '%.*s'",
	    SPAN_FMT(r->name), SPAN_FMT(key_tell(x, &r->key, key)));
	exch_reply_status(x, r->status);
	rate_add_fields(x, r, wait_us);
	if (r->ban_ms > 0)
		ban_client(x, BAN_WHY_LIMIT, r->ban_ms);
	return VERDICT_REPLY;
}

static enum verdict
rate_hold(struct exch *x, uint64_t wait_us)
{
	counter_add(x->w->counters, COUNTER_LIMIT_HELD, 1);
	x->rate->is_waiting = true;
	loop_timer_set(x->w->loop, &x->rate->timer,
	    (wait_us + RATE_US_PER_MS - 1) / RATE_US_PER_MS);
	return VERDICT_WAIT;
}

static struct rate_state *
rate_state_new(struct exch *x, uint32_t n)
{
	struct rate_state *s = arena_zalloc(&x->arena, sizeof(*s));

	timer_init(&s->timer, rate_on_timer, x);
	s->keys = arena_zalloc(&x->arena, n * sizeof(*s->keys));
	return s;
}

/* They have counted a request that does not happen. */
static void
rate_undo(struct exch *x, const struct plan_limits *all)
{
	for (uint32_t i = 0; i < all->n; i++) {
		span key = x->rate->keys[i];

		if (key.p != NULL)
			limits_give_back(all->at[i]->table, key,
			    &all->at[i]->rule, rate_now_us(x));
	}
}

static enum verdict
rate_run(struct exch *x, const struct plan_limits *all, bool is_by_user)
{
	uint64_t wait_us = 0;

	for (uint32_t i = 0; i < all->n; i++) {
		const struct rate *r = all->at[i];
		struct limits_answer a;
		span key;

		if (r->is_by_user != is_by_user)
			continue;
		key = key_render(x, &r->key, r->ipv6_prefix);
		a = rate_count(x, r, key);
		if (a.rc == LIMITS_REFUSED) {
			rate_undo(x, all);
			return rate_refuse(x, r, key, a.wait_us);
		}
		x->rate->keys[i] = key;
		trail_add(x, DECISION_LIMIT, &r->at, r->name);
		if (a.rc != LIMITS_HELD || a.wait_us <= wait_us)
			continue;
		wait_us = a.wait_us;
		x->limit = r->name;
		x->limit_result = SPAN_LIT("held");
	}
	return wait_us == 0 ? VERDICT_NEXT : rate_hold(x, wait_us);
}

/* What would be counted, for who wants to know. */
static void
rate_explain(struct exch *x, const struct plan_limits *all, bool is_by_user)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct rate *r = all->at[i];
		span key;

		if (r->is_by_user != is_by_user)
			continue;
		key = key_tell(
		    x, &r->key, key_render(x, &r->key, r->ipv6_prefix));
		trail_add(x, DECISION_LIMIT, &r->at, r->name);
		sink_note(x, "limit", r->at, "%.*s counts '%.*s'%s%s",
		    SPAN_FMT(r->name), SPAN_FMT(key),
		    r->is_dry ? ", and only tells" : "",
		    r->ban_ms > 0 && !r->is_dry
			? ", and bans the client that goes over it"
			: "");
	}
}

static enum verdict
rate_step(struct exch *x, bool is_by_user)
{
	const struct plan_limits *all = &x->set->limits;
	bool *has_run;

	if (all->n == 0)
		return VERDICT_NEXT;
	if (x->sink != NULL) {
		rate_explain(x, all, is_by_user);
		return VERDICT_NEXT;
	}
	if (x->rate == NULL)
		x->rate = rate_state_new(x, all->n);
	has_run = is_by_user ? &x->rate->has_run_by_user : &x->rate->has_run;
	if (*has_run)
		return x->rate->is_waiting ? VERDICT_WAIT : VERDICT_NEXT;
	*has_run = true;
	return rate_run(x, all, is_by_user);
}

enum verdict
stage_rate(struct exch *x)
{
	return rate_step(x, false);
}

enum verdict
stage_rate_user(struct exch *x)
{
	return rate_step(x, true);
}
