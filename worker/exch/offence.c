/* exch/offence: see offence.h. */
#include "worker/exch/offence.h"

#include "common/base/num.h"
#include "worker/exch/ban.h"
#include "worker/exch/exch.h"

/* Without `in`. */
#define OFFENCE_IN_MS 60000
#define OFFENCE_MS_PER_DAY UINT64_C(86400000)

/* --- preparing ------------------------------------------------------------ */

static uint64_t
offence_after(const struct conf_value *v, uint64_t n, struct diag *d)
{
	span option;

	/* its bounds were judged when it was read */
	if (conf_option(v, "after", &option) &&
	    !span_u64(option, UINT32_MAX, &n))
		diag_error(d, v->at, "ban: write `after` in digits alone");
	return u64_max(n, 1);
}

static uint64_t
offence_in_ms(const struct conf_value *v)
{
	int64_t ms = OFFENCE_IN_MS;
	const char *why;
	span option;

	if (conf_option(v, "in", &option) &&
	    !conf_parse_duration(option, &ms, &why))
		ms = OFFENCE_IN_MS;
	return u64_max((uint64_t)ms, 1);
}

void
offence_prepare(struct offence *o, const struct conf_value *v, uint64_t after,
    struct limits *table, struct diag *d)
{
	const char *why;
	int64_t ms = 0;

	if (v == NULL || v->is_none ||
	    !conf_parse_duration(v->words[0].text, &ms, &why))
		return;
	after = offence_after(v, after, d);
	if (v->next != NULL)
		diag_error(d, v->next->key_at, "ban stands twice (line %u)",
		    v->key_at.line);
	/* after is bounded by a million a second: neither overflows */
	if (!limits_rule_make(&o->rule,
		u64_max(after * OFFENCE_MS_PER_DAY / offence_in_ms(v), 1),
		after, 0))
		diag_error(d, v->at, "so many offences are counted too long");
	o->ban_ms = (uint64_t)ms;
	o->table = table;
}

/* --- counting ------------------------------------------------------------- */

/* What is counted: an address, or of IPv6 the network of one client. */
static span
offence_key(struct exch *x)
{
	struct ip ip = ip_client(&x->client.ip);

	return arena_span(&x->arena, span_of((const char *)ip.b, sizeof(ip.b)));
}

void
offence_note(struct exch *x, const struct offence *o)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct limits_answer a;

	if (o->table == NULL || x->sink != NULL ||
	    !exch_client_has_ip(&x->client))
		return;
	/* not the loop's clock, which may be earlier than what another worker
	 * counted: that would count as one more */
	a = limits_take(
	    o->table, b->slots, me, offence_key(x), &o->rule, clock_mono_us());
	/* the one that fills the window is the last */
	if (a.rc == LIMITS_REFUSED || (a.rc == LIMITS_OK && a.left == 0))
		ban_client(x, o->why, o->ban_ms);
}
