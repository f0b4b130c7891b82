/* exch/offence: who offends too often is banned: guesses of credentials, attacks.
 * Offences of an address are counted once for all workers, in a table of rates.
 */
#ifndef GH_OFFENCE_H
#define GH_OFFENCE_H

#include <stdint.h>

#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/store/bans.h"
#include "common/store/limits.h"

struct exch;

/* From when on who offends is banned. */
struct offence {
	struct limits *table; /* NULL: never, or nothing is shared */
	struct limits_rule rule;
	uint64_t ban_ms;
	enum ban_why why;
};

/* From a key `ban`; without `after` it is `after` offences. NULL and none are
 * allowed. The table (borrowed) is that of the section. */
void offence_prepare(struct offence *o, const struct conf_value *v,
    uint64_t after, struct limits *table, struct diag *d);
/* The client did it once more; too often, and it is banned. */
void offence_note(struct exch *x, const struct offence *o);

#endif
