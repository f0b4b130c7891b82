/* exch/match_int: a compiled condition, between match.c and match_read.c. */
#ifndef GH_MATCH_INT_H
#define GH_MATCH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/iptrie.h"
#include "common/base/regex.h"
#include "worker/exch/match.h"

enum match_op {
	MATCH_OP_IS_SET,
	MATCH_OP_EQ,
	MATCH_OP_BEGINS,
	MATCH_OP_ENDS,
	MATCH_OP_HOLDS,
	MATCH_OP_REGEX,
	MATCH_OP_LESS,
	MATCH_OP_MOST,
	MATCH_OP_MORE,
	MATCH_OP_LEAST,
	MATCH_OP_IN
};

/* Both ends belong to it. */
struct match_range {
	uint64_t low;
	uint64_t high;
};

struct match {
	struct var var;
	enum match_op op;
	bool is_negated;
	bool folds_case;
	bool has_unix; /* addresses: `unix:` is among the values */
	uint32_t n_words;
	uint32_t n_ranges;
	span *words; /* texts */
	struct match_range *ranges; /* numbers, whatever the operator */
	struct iptrie *nets; /* addresses; owned */
	struct regex *re; /* owned */
};

#endif
