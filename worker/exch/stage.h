/* exch/stage: rows of the stage tables in worker/pipeline.c. */
#ifndef GH_STAGE_H
#define GH_STAGE_H

#include "worker/exch/verdict.h"

struct exch;

/* Kinds of exchange that a stage serves. */
enum {
	STAGE_REVERSE = 1, /* for a site of ours */
	STAGE_FORWARD = 2, /* for anybody's, as a forward proxy */
	STAGE_INTERNAL = 4 /* spawned by another stage, no client */
};

struct stage {
	const char *name;
	unsigned kinds;
	/* Decides by itself; never calls another stage. With x->sink it records
	 * what it would do and has no effect outside of the exchange. */
	enum verdict (*fn)(struct exch *x);
};

/* The tables, ended by a row without name (worker/pipeline.c). */
extern const struct stage pipeline_request[];
extern const struct stage pipeline_response[];
/* Runs exactly once for each exchange, whatever its end. */
void pipeline_log(struct exch *x);

#endif
