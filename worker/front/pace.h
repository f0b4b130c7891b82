/* front/pace: how fast a client must be while it is waited for (`min_rate`). A
 * client has an account of time: waiting for it takes from the account, each
 * byte puts in what it may take at that rate, and there is never more on it than
 * header_timeout, which is also what it begins with: what was fast once is soon
 * forgotten, and a pause is allowed. Costs nothing where no rate is told. */
#ifndef GH_PACE_H
#define GH_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct plan_listen;

struct pace {
	uint64_t spent_us; /* what is missing to a full account */
	uint64_t since_us; /* it is waited for since then; 0: it is not */
};

/* It is waited for from now on, if it was not already. Returns how long that
 * may last: timeout_ms at most, and until its account is empty. */
uint64_t pace_wait(struct pace *p, const struct plan_listen *l, uint64_t now_us,
    uint64_t timeout_ms);
/* So many bytes came, or none: it is not waited for any more. */
void pace_earn(
    struct pace *p, const struct plan_listen *l, uint64_t now_us, uint64_t n);
/* Whether its account is empty: it was too slow. */
bool pace_is_over(
    const struct pace *p, const struct plan_listen *l, uint64_t now_us);

#endif
