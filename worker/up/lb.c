/* up/lb: the list of policies. */
#include "worker/up/lb.h"

#include "common/base/check.h"

const struct lb_ops *
lb_find(span name)
{
	static const struct lb_ops *const all[] = {
	    &lb_round_robin,
	    &lb_least_conn,
	    &lb_least_time,
	    &lb_random_two,
	    &lb_hash,
	    &lb_ip_hash,
	};

	for (size_t i = 0; i < NELEMS(all); i++)
		if (span_eq(name, span_str(all[i]->name)))
			return all[i];
	return NULL;
}
