/* up/up_answer: what an origin's answer means for the exchange, whatever wire
 * it came on: interim answers, the final head, its end. */
#include "worker/exch/hop.h"
#include "worker/exch/plan.h"
#include "worker/exch/trace.h"
#include "worker/up/up_hedge.h"
#include "worker/up/up_sticky.h"
#include "worker/up/up_try.h"

/* Interim answers before an origin counts as broken. */
#define UP_INFOS_MAX 16

const struct h1_limits up_limits = {
    .line_max = 8192,
    .head_max = UP_HEAD_MAX,
    .fields_max = UP_FIELDS_MAX,
};

static bool
try_is_websocket_answer(const struct up_try *t, const struct http_msg *m)
{
	return t->x->wants_tunnel && m->want_upgrade &&
	       fields_has_token(
		   &m->fields, FIELD_UPGRADE, SPAN_LIT("websocket"));
}

/* It goes on at once; 101 is final. */
void
try_got_info(struct up_try *t, struct http_msg *info)
{
	struct exch *x = t->x;

	if (++t->n_infos > UP_INFOS_MAX || !hop_remove(&info->fields, false)) {
		try_failed(t, F_ORIGIN_BAD, 0);
		return;
	}
	info->version = HTTP_1_1;
	field_rules_apply(&x->set->hidden_fields, x, &info->fields);
	/* nobody asked for 100 unless the client did (RFC 9110 10.1.1) */
	if (info->status != 100 || x->req.want_continue)
		x->front->send_info(x->front_self, x, info);
}

bool
try_got_final(struct up_try *t, const struct http_msg *m)
{
	struct exch *x = t->x;

	x->origin.status = m->status;
	trace_try_answered(x, m->status);
	if (try_passes_over(t, m))
		return false;
	hedge_leave(t);
	loop_timer_clear(x->w->loop, &t->limit);
	x->resp = *m;
	body_forget(&x->req_body);
	if (m->status == 101) {
		if (!try_is_websocket_answer(t, m)) {
			try_failed(t, F_ORIGIN_UPGRADE, 0);
			return false;
		}
		x->resp.body = LENGTH_OPEN;
	}
	t->state = UP_BODY;
	up_server_answered(t->server, m->status,
	    worker_clock(t->x->w)->mono_us - t->x->t.connect_us);
	hedge_learn(t, m->status);
	up_sticky_answered(
	    t->group, x, (uint32_t)(t->server - t->group->servers), m);
	up_place_answered(t);
	exch_answer(x);
	return true;
}

/* No stage has seen the answer yet: the client knows nothing of it. */
static bool
try_is_unseen(const struct up_try *t)
{
	return t->x->state == EXCH_HANDLER && !exch_is_granted(t->x);
}

void
try_cut(struct up_try *t, enum fault_id why, int err)
{
	struct exch *x = t->x;

	if (try_is_unseen(t)) {
		x->is_answered = false;
		body_restart(&x->resp_body);
		try_failed(t, why, err);
		return;
	}
	try_count_failure(t);
	up_server_failed(t->server, why);
	body_abort(&x->resp_body, why);
	exch_fault(x, why, err);
	t->state = UP_DONE;
}

void
try_got_all(struct up_try *t)
{
	struct exch *x = t->x;
	struct origin *o = t->o;
	bool is_sent = t->ops->is_sent(t);

	if (x->state == EXCH_TUNNEL || exch_is_granted(x))
		return;
	loop_timer_clear(x->w->loop, &t->timer);
	t->state = UP_DONE;
	try_uncount(t);
	up_place_leave(t);
	up_server_finished(t->server);
	t->o = NULL;
	t->ops->release(o, t->can_reuse && !t->is_send_over && is_sent);
}
