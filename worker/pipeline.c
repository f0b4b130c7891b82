/* pipeline: THE stage tables. The whole way of a request can be read here; a
 * stage never calls another one. */
#include "common/base/check.h"
#include "worker/acl/acl.h"
#include "worker/auth/auth.h"
#include "worker/audit.h"
#include "worker/cache/cache.h"
#include "worker/challenge/challenge.h"
#include "worker/exch/crawler.h"
#include "worker/exch/exch.h"
#include "worker/exch/handler.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/exch/trace.h"
#include "worker/exch/trail.h"
#include "worker/exch/visit.h"
#include "worker/filter/compress.h"
#include "worker/filter/substitute.h"
#include "worker/forward/forward.h"
#include "worker/log/access_log.h"
#include "worker/log/decision_feed.h"
#include "worker/log/hitter_feed.h"
#include "worker/log/tally_feed.h"
#include "worker/preset/preset.h"
#include "worker/rate/rate.h"
#include "worker/route/route.h"
#include "worker/up/mirror.h"
#include "worker/up/up.h"
#include "worker/waf/waf.h"

/* The last stage of a request: whoever the route names makes the answer. */
static enum verdict
stage_handler(struct exch *x)
{
	REQUIRE(x->set->handler != NULL);
	sink_note(
	    x, "handler", x->set->handler_at, "%s", x->set->handler->name);
	trail_add(x, DECISION_HANDLER, &x->set->handler_at,
	    span_str(x->set->handler->name));
	x->handler = x->set->handler;
	return x->handler->open(x);
}

/* The last stage of an answer. */
static enum verdict
stage_send(struct exch *x)
{
	if (exch_is_granted(x))
		return VERDICT_TUNNEL;
	return VERDICT_NEXT;
}

/* Kinds that clients ask for. */
#define STAGE_CLIENTS (STAGE_REVERSE | STAGE_FORWARD)

const struct stage pipeline_request[] = {
    {"normalize", STAGE_REVERSE, stage_normalize},
    {"target", STAGE_FORWARD, stage_target},
    {"client", STAGE_CLIENTS, stage_client},
    {"trace", STAGE_CLIENTS, stage_trace},
    {"ban", STAGE_CLIENTS, stage_ban},
    {"route", STAGE_REVERSE, stage_route},
    {"rules", STAGE_REVERSE, stage_rules},
    {"memory", STAGE_CLIENTS, stage_memory},
    {"maintenance", STAGE_REVERSE, stage_maintenance},
    {"acl", STAGE_CLIENTS, stage_acl},
    {"rate", STAGE_CLIENTS, stage_rate},
    {"cors", STAGE_REVERSE, stage_cors},
    {"moves", STAGE_REVERSE, stage_moves},
    {"redirect-match", STAGE_REVERSE, stage_redirect_match},
    {"canonical", STAGE_REVERSE, stage_canon},
    {"auth", STAGE_CLIENTS, stage_auth},
    {"rate-user", STAGE_CLIENTS, stage_rate_user},
    {"quota", STAGE_FORWARD, stage_quota},
    {"challenge", STAGE_REVERSE, stage_challenge},
    {"guard", STAGE_FORWARD, stage_guard},
    {"admit", STAGE_CLIENTS, stage_admit},
    {"waf-head", STAGE_CLIENTS, stage_waf_head},
    {"path", STAGE_REVERSE, stage_path},
    {"waf-body", STAGE_CLIENTS, stage_waf_body},
    {"suspect", STAGE_REVERSE, stage_challenge_suspect},
    {"split", STAGE_REVERSE, stage_split},
    {"sticky", STAGE_REVERSE, stage_sticky},
    {"rewrite-fields", STAGE_REVERSE, stage_request_fields},
    {"forward-fields", STAGE_FORWARD, stage_forward_fields},
    {"mirror", STAGE_REVERSE, stage_mirror},
    {"whole", STAGE_REVERSE, stage_whole},
    {"cache", STAGE_CLIENTS, stage_cache},
    {"rewrite-path", STAGE_REVERSE | STAGE_INTERNAL, stage_rewrite},
    {"handler", STAGE_CLIENTS | STAGE_INTERNAL, stage_handler},
    {NULL, 0, NULL},
};

const struct stage pipeline_response[] = {
    {"waf-resp", STAGE_CLIENTS, stage_waf_answer},
    {"acl", STAGE_CLIENTS, stage_acl_answer},
    {"offer", STAGE_INTERNAL, stage_offer},
    {"cache-put", STAGE_CLIENTS | STAGE_INTERNAL, stage_cache_put},
    {"rules", STAGE_REVERSE, stage_answer_rules},
    {"error-page", STAGE_CLIENTS, stage_error_page},
    {"rewrite", STAGE_REVERSE, stage_response_fields},
    {"presets", STAGE_REVERSE, stage_presets},
    {"response-header", STAGE_REVERSE, stage_response_header},
    {"forward-rewrite", STAGE_FORWARD, stage_forward_answer},
    {"sticky", STAGE_REVERSE, stage_sticky_answer},
    {"substitute", STAGE_REVERSE, stage_substitute},
    {"compress", STAGE_REVERSE | STAGE_INTERNAL, stage_compress},
    {"pace", STAGE_CLIENTS, stage_pace},
    {"send", STAGE_CLIENTS, stage_send},
    {NULL, 0, NULL},
};

void
pipeline_log(struct exch *x)
{
	/* whoever caused it is logged */
	if (x->kind == STAGE_INTERNAL)
		return;
	counter_add(x->w->counters, COUNTER_REQUESTS, 1);
	cache_close(x);
	rate_close(x);
	auth_close(x);
	crawler_close(x);
	guard_close(x);
	mirror_close(x);
	page_close(x);
	if (exch_is_granted(x))
		counter_add(x->w->counters, COUNTER_TUNNELS, 1);
	trace_close(x);
	audit_exchange(x);
	log_exchange(x);
	hitter_feed(x);
	visit_note(x);
	tally_feed(x);
	decision_feed(x);
}
