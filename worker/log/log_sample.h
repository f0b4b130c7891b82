/* log/log_sample: which exchanges a log gets a line for:
 *   SHARE% [unless CONDITION [or CONDITION]...]
 * A request is in the share by a hash of its name, so that every worker, log
 * and machine that knows it by this name decides alike. */
#ifndef GH_LOG_SAMPLE_H
#define GH_LOG_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "worker/exch/vars.h"

struct exch;
struct match;

struct log_sample {
	uint64_t below; /* hashes below it are kept */
	bool is_all;
	struct match **always; /* any of them keeps the line */
	uint32_t n;
};

/* Compile it into the arena, except what log_sample_fini() gives back, whatever
 * the answer is; empty text keeps everything. false with a message in d. */
bool log_sample_prepare(struct log_sample *s, struct arena *a,
    const struct var_src *src, struct diag *d);
void log_sample_fini(struct log_sample *s);

/* Whether an exchange that has ended is kept. A condition that cannot be judged
 * keeps it. */
bool log_sample_keeps(const struct log_sample *s, struct exch *x);

#endif
