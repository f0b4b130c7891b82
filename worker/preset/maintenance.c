/* preset/maintenance: a site or route that is closed for a while, by its
 * configuration or by an order of the operator, but not to those who mend it. */
#include <inttypes.h>

#include "common/base/check.h"
#include "common/store/closures.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"
#include "worker/preset/preset.h"

#define MAINTENANCE_MS_PER_S 1000

struct maintenance {
	bool is_on;
	struct place at;
	span retry_after; /* seconds; empty: nothing is said */
	struct ip_prefix *allowed;
	uint32_t n;
};

static bool
maintenance_read_allow(struct maintenance *m, struct arena *a, span list)
{
	span rest = list;
	span item;
	uint32_t n = 0;

	while (span_cut(&rest, ',', &item))
		n++;
	m->allowed = arena_alloc(a, n * sizeof(*m->allowed));
	rest = list;
	while (span_cut(&rest, ',', &item))
		if (!ip_prefix_parse(item, &m->allowed[m->n++]))
			return false;
	return n > 0;
}

/* One word behind the first; false: it is none that is known. */
static bool
maintenance_read_word(struct maintenance *m, struct arena *a, span word)
{
	span allow = SPAN_LIT("allow=");
	span retry = SPAN_LIT("retry_after=");
	const char *why;
	int64_t ms;

	if (span_starts(word, allow) && m->n == 0)
		return maintenance_read_allow(m, a, span_from(word, allow.len));
	if (!span_starts(word, retry) || m->retry_after.len > 0 ||
	    !conf_parse_duration(span_from(word, retry.len), &ms, &why))
		return false;
	/* who comes back too early finds it closed */
	m->retry_after = arena_printf(a, "%" PRId64,
	    (ms + MAINTENANCE_MS_PER_S - 1) / MAINTENANCE_MS_PER_S);
	return true;
}

const struct maintenance *
maintenance_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct maintenance *m = arena_zalloc(a, sizeof(*m));

	m->at = v->at;
	m->is_on = span_eq(v->words[0].text, SPAN_LIT("on"));
	for (uint32_t i = 1; i < v->n_words; i++)
		if (!maintenance_read_word(m, a, v->words[i].text))
			diag_error(d, v->words[i].at,
			    "maintenance: '%.*s' is neither retry_after=10m "
			    "nor allow=ADDRESS,NETWORK, each once",
			    SPAN_FMT(v->words[i].text));
	return m;
}

static bool
maintenance_lets_in(const struct maintenance *m, const struct exch *x)
{
	if (m == NULL || !exch_client_has_ip(&x->client))
		return false;
	for (uint32_t i = 0; i < m->n; i++)
		if (ip_prefix_has(&m->allowed[i], &x->client.ip))
			return true;
	return false;
}

/* What the operator says of the site, if anything can be said here (-t and
 * explain share no memory). */
static enum closure_order
maintenance_order(const struct exch *x)
{
	const struct closures *t = x->w->boot->closures;

	return t == NULL ? CLOSURE_AUTO : closures_get(t, x->site->closure);
}

enum verdict
stage_maintenance(struct exch *x)
{
	const struct maintenance *m = x->set->maintenance;
	enum closure_order order = maintenance_order(x);
	bool is_on =
	    order == CLOSURE_AUTO ? m != NULL && m->is_on : order == CLOSURE_ON;

	if (!is_on)
		return VERDICT_NEXT;
	if (maintenance_lets_in(m, x)) {
		trail_note(
		    x, DECISION_MAINTENANCE, m->at, "the client is let in");
		return VERDICT_NEXT;
	}
	trail_note(x, DECISION_MAINTENANCE, m != NULL ? m->at : SINK_NOWHERE,
	    "closed%s", order == CLOSURE_ON ? " by order" : "");
	exch_reply_status(x, 503);
	if (m != NULL && m->retry_after.len > 0)
		fields_set(&x->resp.fields, &x->arena, FIELD_RETRY_AFTER,
		    m->retry_after);
	fields_set(&x->resp.fields, &x->arena, FIELD_CACHE_CONTROL,
	    SPAN_LIT("no-store"));
	return VERDICT_REPLY;
}
