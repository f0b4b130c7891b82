/* exch/blocked: see blocked.h. Some rules end an exchange by a fault of their
 * own, others answer it: those have left their word as the last one of the
 * trail. */
#include "worker/exch/blocked.h"

#include "common/base/check.h"
#include "worker/exch/exch.h"

static const enum fault_id faults[] = {F_WAF, F_WAF_DROP, F_BANNED,
    F_CERTIFICATE_NEEDED, F_ACCESS_DENIED, F_URL_NOT_SIGNED, F_CONNECT_PORT,
    F_PRIVATE_ADDRESS, F_QUOTA, F_TUNNEL_SNI};

static const enum decision_word answers[] = {
    DECISION_LIMIT, DECISION_AUTH, DECISION_CHALLENGE};

span
exch_blocked(const struct exch *x)
{
	enum decision_word last;

	for (size_t i = 0; i < NELEMS(faults); i++)
		if (x->fault == faults[i])
			return span_str(fault_row(x->fault)->word);
	if (!x->is_own_answer || x->resp.status < 400 || x->fault != F_NONE ||
	    x->n_trail == 0)
		return span_of(NULL, 0);
	last = x->trail[x->n_trail - 1].word;
	for (size_t i = 0; i < NELEMS(answers); i++)
		if (last == answers[i])
			return span_str(decision_word_text((uint8_t)last));
	return span_of(NULL, 0);
}
