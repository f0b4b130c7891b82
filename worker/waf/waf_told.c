/* waf_told: what rules ask that is not in the request and needs no waiting: who
 * the server is, what the client did of late, where an address is; and what of
 * them is counted. */
#include <assert.h>

#include "common/base/check.h"
#include "common/net/geo.h"
#include "common/store/rulehits.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/visit.h"
#include "worker/waf/waf_int.h"

static_assert(GEO_FACTS <= SEC_GEO_MAX, "all that is known has room");

uint32_t
waf_locate(void *self, span address, struct sec_field out[SEC_GEO_MAX])
{
	struct exch *x = self;
	char room[GEO_NUMBER_CAP];
	struct ip ip;
	uint32_t n = 0;

	OBJ_CHECK(x, MAGIC_EXCH);
	if (!ip_parse(address, &ip))
		return 0;
	for (unsigned i = 0; i < GEO_FACTS; i++) {
		enum geo_fact what = (enum geo_fact)i;
		span text = geo_tell(x->w->plan->geo, &ip, what, room);

		if (text.len > 0)
			out[n++] =
			    (struct sec_field){span_str(geo_fact_name(what)),
				arena_span(&x->arena, text)};
	}
	return n;
}

span
waf_server_addr(void *self)
{
	struct exch *x = self;
	struct sock_addr local;
	uint16_t port;
	struct ip ip;
	char *text;

	OBJ_CHECK(x, MAGIC_EXCH);
	if (!x->front->local_addr(x->front_self, &local) ||
	    !sock_addr_ip(&local, &ip, &port))
		return (span){0};
	text = arena_alloc(&x->arena, IP_TEXT_CAP);
	return span_of(text, ip_format(&ip, text));
}

struct sec_rates
waf_rates(void *self)
{
	struct exch *x = self;
	struct visits_rates r;

	OBJ_CHECK(x, MAGIC_EXCH);
	r = visit_rates(x);
	return (struct sec_rates){.not_found = r.missing, .paths = r.paths};
}

void
waf_count_rules(const struct exch *x, const struct sec_message *matched,
    const struct sec_rule *refuser)
{
	struct rulehits *t = x->w->boot->rulehits;

	if (matched != NULL)
		counter_add(x->w->counters, COUNTER_WAF_MATCHED, 1);
	for (const struct sec_message *m = matched; m != NULL; m = m->next)
		if (m->rule->id != 0)
			rulehits_add(t, m->rule->id, RULEHIT_MATCHED);
	if (refuser != NULL && refuser->id != 0)
		rulehits_add(t, refuser->id, RULEHIT_REFUSED);
}
