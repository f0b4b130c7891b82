/* exch/vars_proxy: the target as one text, and the outcome in the words of Squid,
 * which readers of proxies' logs know (Squid's documentation, "Squid result
 * codes" and "Hierarchy codes"). */
#include "worker/exch/vars_proxy.h"

#include "common/base/check.h"
#include "worker/exch/exch.h"

/* What a cache said, and what Squid calls that. */
static const struct {
	span result;
	span word;
} squid_cached[] = {
    {{"hit", 3}, {"TCP_MEM_HIT", 11}},
    {{"stale", 5}, {"TCP_MEM_HIT", 11}},
    {{"revalidated", 11}, {"TCP_REFRESH_UNMODIFIED", 22}},
    {{"collapsed", 9}, {"TCP_CF_HIT", 10}},
};

static span
proxy_url(struct exch *x)
{
	span parts[] = {
	    x->client.scheme,
	    SPAN_LIT("://"),
	    x->req.authority,
	    msg_uri(&x->req, &x->arena),
	};

	if (x->req.form == TARGET_AUTHORITY || x->req.authority.len == 0)
		return x->req.raw_target;
	return arena_concat(&x->arena, parts, NELEMS(parts));
}

static span
squid_result(const struct exch *x)
{
	const struct fault_row *row = fault_row(x->fault);

	if (exch_is_granted(x))
		return SPAN_LIT("TCP_TUNNEL");
	if (x->is_own_answer &&
	    (x->resp.status == 403 || x->resp.status == 407))
		return SPAN_LIT("TCP_DENIED");
	if (row->side == SIDE_CLIENT && x->fault != F_NONE && row->status != 0)
		return SPAN_LIT("NONE_NONE");
	for (size_t i = 0; i < NELEMS(squid_cached); i++)
		if (span_eq(x->cache_result, squid_cached[i].result))
			return squid_cached[i].word;
	return x->fault == F_CLIENT_GONE ? SPAN_LIT("TCP_MISS_ABORTED")
					 : SPAN_LIT("TCP_MISS");
}

static span
squid_peer(const struct exch *x, char *scratch)
{
	span how = x->destination != NULL && x->destination->parent != NULL
		       ? SPAN_LIT("FIRSTUP_PARENT/")
		       : SPAN_LIT("HIER_DIRECT/");

	if (!exch_has_origin_ip(x))
		return SPAN_LIT("HIER_NONE/-");
	memcpy(scratch, how.p, how.len);
	return span_of(
	    scratch, how.len + ip_format(&x->origin.ip, scratch + how.len));
}

span
var_get_proxy(struct exch *x, enum var_id id, char *scratch)
{
	switch ((unsigned)id) {
	case VAR_URL:
		return proxy_url(x);
	case VAR_SQUID_RESULT:
		return squid_result(x);
	case VAR_SQUID_PEER:
		return squid_peer(x, scratch);
	default:
		UNREACHED();
	}
}
