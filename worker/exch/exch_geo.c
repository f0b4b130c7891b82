/* exch/exch_geo: see exch_geo.h. */
#include "worker/exch/exch_geo.h"

#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/worker.h"

span
exch_client_country(const struct exch *x, char out[GEO_COUNTRY_LEN])
{
	bool is_known = exch_client_has_ip(&x->client) &&
			geo_country(x->w->plan->geo, &x->client.ip, out);

	return span_of(out, is_known ? GEO_COUNTRY_LEN : 0);
}

uint32_t
exch_client_asn(const struct exch *x)
{
	return exch_client_has_ip(&x->client)
		   ? geo_asn(x->w->plan->geo, &x->client.ip)
		   : 0;
}
