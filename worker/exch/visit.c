/* exch/visit: see visit.h. */
#include "worker/exch/visit.h"

#include "worker/exch/exch.h"
#include "worker/exch/stage.h"
#include "worker/exch/vars.h"

#define STATUS_NOT_FOUND 404

static struct visits_by
by_of(const struct exch *x)
{
	const struct boot *b = x->w->boot;

	return (struct visits_by){
	    b->slots,
	    {b->slot, b->incarnation},
	    clock_mono_ms(worker_clock(x->w)),
	};
}

/* Whether it is known what the client did. */
static bool
has_visits(const struct exch *x)
{
	const struct visits *v = x->w->boot->visits;

	return x->sink == NULL && v != NULL && visits_is_ready(v) &&
	       exch_client_has_ip(&x->client);
}

struct visits_rates
visit_rates(const struct exch *x)
{
	struct ip net = ip_client(&x->client.ip);
	struct visits_by by;

	if (!has_visits(x))
		return (struct visits_rates){0};
	by = by_of(x);
	return visits_read(x->w->boot->visits, &by,
	    span_of((const char *)net.b, sizeof(net.b)));
}

void
visit_note(const struct exch *x)
{
	struct ip net = ip_client(&x->client.ip);
	struct visits_by by;
	uint64_t status;

	/* one that could not be read has no path; of other sites, through a
	 * forward proxy, nothing is learned of clients */
	if (x->kind != STAGE_REVERSE || x->path.len == 0 || !has_visits(x))
		return;
	by = by_of(x);
	(void)var_get_number(x, VAR_STATUS, &status);
	visits_note(x->w->boot->visits, &by,
	    span_of((const char *)net.b, sizeof(net.b)), x->path,
	    status == STATUS_NOT_FOUND);
}
