/* pipeline: THE stage tables. The whole way of a request can be read here; a
 * stage never calls another one. */
#include "common/base/check.h"
#include "worker/acl/acl.h"
#include "worker/auth/auth.h"
#include "worker/cache/cache.h"
#include "worker/challenge/challenge.h"
#include "worker/exch/exch.h"
#include "worker/exch/handler.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/filter/compress.h"
#include "worker/log/access_log.h"
#include "worker/preset/preset.h"
#include "worker/rate/rate.h"
#include "worker/route/route.h"
#include "worker/up/mirror.h"
#include "worker/up/up.h"

/* The last stage of a request: whoever the route names makes the answer. */
static enum verdict
stage_handler(struct exch *x)
{
	REQUIRE(x->set->handler != NULL);
	sink_note(
	    x, "handler", x->set->handler_at, "%s", x->set->handler->name);
	x->handler = x->set->handler;
	return x->handler->open(x);
}

/* The last stage of an answer. */
static enum verdict
stage_send(struct exch *x)
{
	if (x->resp.status == 101)
		return VERDICT_TUNNEL;
	return VERDICT_NEXT;
}

const struct stage pipeline_request[] = {
    {"normalize", STAGE_REVERSE, stage_normalize},
    {"client", STAGE_REVERSE, stage_client},
    {"ban", STAGE_REVERSE, stage_ban},
    {"memory", STAGE_REVERSE, stage_memory},
    {"route", STAGE_REVERSE, stage_route},
    {"rules", STAGE_REVERSE, stage_rules},
    {"acl", STAGE_REVERSE | STAGE_FORWARD, stage_acl},
    {"rate", STAGE_REVERSE, stage_rate},
    {"auth", STAGE_REVERSE | STAGE_FORWARD, stage_auth},
    {"challenge", STAGE_REVERSE, stage_challenge},
    {"admit", STAGE_REVERSE, stage_admit},
    {"split", STAGE_REVERSE, stage_split},
    {"sticky", STAGE_REVERSE, stage_sticky},
    {"rewrite-fields", STAGE_REVERSE, stage_request_fields},
    {"mirror", STAGE_REVERSE, stage_mirror},
    {"cache", STAGE_REVERSE, stage_cache},
    {"handler", STAGE_REVERSE | STAGE_INTERNAL, stage_handler},
    {NULL, 0, NULL},
};

const struct stage pipeline_response[] = {
    {"acl", STAGE_REVERSE | STAGE_FORWARD, stage_acl_answer},
    {"cache-put", STAGE_REVERSE | STAGE_INTERNAL, stage_cache_put},
    {"rules", STAGE_REVERSE, stage_answer_rules},
    {"error-page", STAGE_REVERSE, stage_error_page},
    {"rewrite", STAGE_REVERSE, stage_response_fields},
    {"presets", STAGE_REVERSE, stage_presets},
    {"response-header", STAGE_REVERSE, stage_response_header},
    {"sticky", STAGE_REVERSE, stage_sticky_answer},
    {"compress", STAGE_REVERSE | STAGE_INTERNAL, stage_compress},
    {"send", STAGE_REVERSE, stage_send},
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
	mirror_close(x);
	if (x->resp.status == 101)
		counter_add(x->w->counters, COUNTER_TUNNELS, 1);
	log_exchange(x);
}
