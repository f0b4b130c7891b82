/* exch/fault: the table behind the names. */
#include "worker/exch/fault.h"

#include "common/base/check.h"

static const struct fault_row rows[] = {
#define FAULT(id, side, status, may_retry, word, text) \
	[F_##id] = {SIDE_##side, status, may_retry, word, text},
#include "worker/exch/fault.def"
#undef FAULT
};

const struct fault_row *
fault_row(enum fault_id id)
{
	REQUIRE((unsigned)id < F_N);
	return &rows[id];
}
