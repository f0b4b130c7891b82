/* exch/stage_cost: what each stage costs, in a build with --enable-stage-costs:
 * calls, time and verdicts of every row of the stage tables. In any other build
 * nothing of it is there. */
#ifndef GH_STAGE_COST_H
#define GH_STAGE_COST_H

#include "worker/exch/exch.h"
#include "worker/exch/stage.h"

/* Exception: #if in a header, around whole functions, so that the build without
 * it calls the stage and does nothing else. */
#ifdef GH_STAGE_COSTS

/* Rows of one table at most. */
#define STAGE_COST_ROWS 32
#define STAGE_COST_VERDICTS (VERDICT_FAULT + 1)

struct stage_cost {
	uint64_t calls;
	uint64_t ticks; /* of stage_cost_now() */
	uint64_t verdicts[STAGE_COST_VERDICTS];
};

struct stage_costs {
	uint64_t begin_ticks; /* both clocks at one time, to compare them */
	uint64_t begin_us;
	uint64_t pair_ticks; /* what reading the clock twice takes */
	struct stage_cost request[STAGE_COST_ROWS];
	struct stage_cost response[STAGE_COST_ROWS];
};

/* Begin counting for a worker. */
void stage_cost_open(struct worker *w);
void stage_cost_close(struct worker *w);
/* Call the row and count it. A worker that does not count only calls. */
enum verdict stage_cost_run(
    struct exch *x, const struct stage *table, unsigned row);
/* One line of the error log for each row that ran. */
void stage_cost_log(const struct worker *w);

#else

static inline void
stage_cost_open(struct worker *w)
{
	(void)w;
}

static inline void
stage_cost_close(struct worker *w)
{
	(void)w;
}

static inline enum verdict
stage_cost_run(struct exch *x, const struct stage *table, unsigned row)
{
	return table[row].fn(x);
}

static inline void
stage_cost_log(const struct worker *w)
{
	(void)w;
}

#endif

#endif
