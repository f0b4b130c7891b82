/* rate/rate_int: a [limit], as compiled. */
#ifndef GH_RATE_INT_H
#define GH_RATE_INT_H

#include "common/store/limits.h"
#include "worker/exch/tmpl.h"
#include "worker/rate/rate.h"

struct rate {
	span name;
	struct place at;
	struct tmpl key;
	struct limits *table; /* NULL: nothing is shared (a check) */
	struct limits_rule rule;
	uint64_t burst;
	uint64_t delay;
	unsigned status; /* of refusals */
	unsigned ipv6_prefix; /* bits of an address that count */
	uint64_t ban_ms; /* of who goes over it; 0: nobody is banned */
	bool is_by_user; /* its key tells who it is: counted behind `auth` */
	bool is_dry; /* what would be refused or held is only told */
};

#endif
