/* exch/fault: the names of everything that ends an exchange other than well. */
#ifndef GH_FAULT_H
#define GH_FAULT_H

#include <stdbool.h>

enum fault_id {
#define FAULT(id, side, status, may_retry, word, text) F_##id,
#include "worker/exch/fault.def"
#undef FAULT
	F_N
};

enum fault_side { SIDE_CLIENT, SIDE_ORIGIN, SIDE_GATE };

struct fault_row {
	enum fault_side side;
	unsigned status;
	bool may_retry;
	const char *word;
	const char *text;
};

const struct fault_row *fault_row(enum fault_id id);

#endif
