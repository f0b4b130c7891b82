/* auth/auth_guard: whoever guesses is not heard any more. Failures of an
 * address are counted once for all workers, in a table of rates. */
#include "common/base/num.h"
#include "common/store/tenants.h"
#include "worker/auth/auth_int.h"
#include "worker/exch/ban.h"

/* Without `after` and `in`. */
#define GUARD_AFTER 10u
#define GUARD_IN_MS 60000
#define GUARD_MS_PER_DAY UINT64_C(86400000)

/* --- preparing ------------------------------------------------------------ */

static uint64_t
guard_after(const struct conf_value *v, struct diag *d)
{
	uint64_t n = GUARD_AFTER;
	span option;

	/* its bounds were judged when it was read */
	if (conf_option(v, "after", &option) &&
	    !span_u64(option, UINT32_MAX, &n))
		diag_error(d, v->at, "ban: write `after` in digits alone");
	return u64_max(n, 1);
}

static uint64_t
guard_in_ms(const struct conf_value *v)
{
	int64_t ms = GUARD_IN_MS;
	const char *why;
	span option;

	if (conf_option(v, "in", &option) &&
	    !conf_parse_duration(option, &ms, &why))
		ms = GUARD_IN_MS;
	return u64_max((uint64_t)ms, 1);
}

void
auth_guard_prepare(struct auth_guard *g, const struct conf_scope *s,
    struct limits *table, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_AUTH_BAN);
	const char *why;
	uint64_t after;
	int64_t ms = 0;

	if (v == NULL || v->is_none ||
	    !conf_parse_duration(v->words[0].text, &ms, &why))
		return;
	after = guard_after(v, d);
	if (v->next != NULL)
		diag_error(d, v->next->key_at, "ban stands twice (line %u)",
		    v->key_at.line);
	/* after is bounded by a million a second: neither overflows */
	if (!limits_rule_make(&g->rule,
		u64_max(after * GUARD_MS_PER_DAY / guard_in_ms(v), 1), after,
		0))
		diag_error(d, v->at, "so many failures are counted too long");
	g->ban_ms = (uint64_t)ms;
	g->table = table;
}

/* --- counting ------------------------------------------------------------- */

/* What is counted: an address, or of IPv6 the network of one client. */
static span
guard_key(struct exch *x)
{
	struct ip ip = ip_client(&x->client.ip);

	return arena_span(&x->arena, span_of((const char *)ip.b, sizeof(ip.b)));
}

void
auth_guard_failed(struct exch *x, const struct auth_guard *g)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct limits_answer a;

	if (g->table == NULL || x->sink != NULL ||
	    !exch_client_has_ip(&x->client))
		return;
	a = limits_take(g->table, b->slots, me, guard_key(x), &g->rule,
	    worker_clock(x->w)->mono_us);
	/* the one that fills the window is the last */
	if (a.rc == LIMITS_REFUSED || (a.rc == LIMITS_OK && a.left == 0))
		ban_client(x, BAN_WHY_AUTH, g->ban_ms);
}
