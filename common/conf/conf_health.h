/* conf/conf_health: the little languages of `eject` and `health_check`, whose
 * words are more than `name=value`. Read once when a configuration is checked,
 * which tells all problems, and again by those who act on them. */
#ifndef GH_CONF_HEALTH_H
#define GH_CONF_HEALTH_H

#include "common/conf/conf.h"

/* What is counted of a server, one after the other without a good answer in
 * between. */
enum conf_eject_run {
	EJECT_5XX, /* answers 5xx, and tries that end in our own 502 or 504 */
	EJECT_RESET, /* no connection, or it broke */
	EJECT_SLOW, /* answers whose head took longer than slow_ms */
	EJECT_RUNS
};

/* `eject = 5xx>=5 reset>=3 slow>=500ms window=10s for=30s max=50%` */
struct conf_eject {
	bool is_on;
	uint32_t most[EJECT_RUNS]; /* so many in a row; 0: not counted */
	uint64_t slow_ms;
	uint64_t window_ms; /* in which they must come */
	uint64_t for_ms; /* the first time; longer each time */
	uint32_t max_tenths; /* share of the servers that may be out */
};

/* The value in scope of an upstream; problems go to d, which may be NULL. */
void conf_eject_read(
    const struct conf_scope *s, struct conf_eject *out, struct diag *d);

#endif
