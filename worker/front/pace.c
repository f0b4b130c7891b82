/* front/pace: accounts in microseconds. */
#include "worker/front/pace.h"

#include "common/base/num.h"
#include "worker/exch/plan.h"

#define US_PER_MS 1000u
#define US_PER_S 1000000u

static uint64_t
pace_grace_us(const struct plan_listen *l)
{
	return l->header_timeout_ms * US_PER_MS;
}

/* What is missing, with the wait that is under way. */
static uint64_t
pace_spent_us(const struct pace *p, uint64_t now_us)
{
	return p->since_us == 0 || now_us < p->since_us
		   ? p->spent_us
		   : p->spent_us + (now_us - p->since_us);
}

uint64_t
pace_wait(struct pace *p, const struct plan_listen *l, uint64_t now_us,
    uint64_t timeout_ms)
{
	uint64_t grace_us = pace_grace_us(l);
	uint64_t spent_us;

	if (l->min_rate == 0)
		return timeout_ms;
	if (p->since_us == 0)
		p->since_us = now_us;
	spent_us = pace_spent_us(p, now_us);
	/* later by what a timer may be early, so that it is over when it is
	 * looked at: both ends of the wait are cut to milliseconds */
	return spent_us >= grace_us
		   ? 0
		   : u64_min(timeout_ms, (grace_us - spent_us) / US_PER_MS + 2);
}

void
pace_earn(
    struct pace *p, const struct plan_listen *l, uint64_t now_us, uint64_t n)
{
	uint64_t worth_us;

	if (l->min_rate == 0)
		return;
	p->spent_us = u64_min(pace_spent_us(p, now_us), pace_grace_us(l));
	p->since_us = 0;
	/* more than the account holds is of no use */
	worth_us = u64_min(n, UINT32_MAX) * US_PER_S / l->min_rate;
	p->spent_us -= u64_min(p->spent_us, worth_us);
}

bool
pace_is_over(const struct pace *p, const struct plan_listen *l, uint64_t now_us)
{
	return l->min_rate != 0 && p->since_us != 0 &&
	       pace_spent_us(p, now_us) >= pace_grace_us(l);
}
