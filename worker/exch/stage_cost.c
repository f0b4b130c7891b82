/* exch/stage_cost: counts calls, time and verdicts of stages. Only in a build
 * with --enable-stage-costs. Time is the processor's counter where there is
 * one that is cheap to read, and turned into nanoseconds when it is told: by
 * what both clocks advanced since the worker began. Called by exch_run(). */
#include "worker/exch/stage_cost.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/log.h"

/* Pairs of readings of which the fastest is what a pair takes. */
#define PAIR_TRIES 1000
#define NS_PER_US 1000.0

#ifdef __x86_64__
static inline uint64_t
stage_cost_now(void)
{
	return __builtin_ia32_rdtsc();
}
#else
static inline uint64_t
stage_cost_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
#endif

static uint64_t
stage_cost_pair(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < PAIR_TRIES; i++) {
		uint64_t begin = stage_cost_now();
		uint64_t took = stage_cost_now() - begin;

		if (took < least)
			least = took;
	}
	return least;
}

void
stage_cost_open(struct worker *w)
{
	struct stage_costs *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	c->pair_ticks = stage_cost_pair();
	c->begin_us = clock_mono_us();
	c->begin_ticks = stage_cost_now();
	w->costs = c;
}

void
stage_cost_close(struct worker *w)
{
	free(w->costs);
	w->costs = NULL;
}

enum verdict
stage_cost_run(struct exch *x, const struct stage *table, unsigned row)
{
	struct stage_costs *c = x->w->costs;
	struct stage_cost *cost;
	uint64_t begin;
	enum verdict v;

	if (c == NULL)
		return table[row].fn(x);
	REQUIRE(row < STAGE_COST_ROWS);
	cost = table == pipeline_request ? &c->request[row] : &c->response[row];
	begin = stage_cost_now();
	v = table[row].fn(x);
	cost->ticks += stage_cost_now() - begin;
	cost->calls++;
	cost->verdicts[v]++;
	return v;
}

/* Nanoseconds of a tick; 0 when no time has passed yet. */
static double
stage_cost_scale(const struct stage_costs *c)
{
	uint64_t ticks = stage_cost_now() - c->begin_ticks;
	uint64_t us = clock_mono_us() - c->begin_us;

	return ticks == 0 ? 0 : (double)us * NS_PER_US / (double)ticks;
}

static void
stage_cost_log_row(
    const char *table, const char *name, const struct stage_cost *c, double ns)
{
	log_msg(LOG_NOTICE,
	    "stage cost table=%s stage=%s calls=%llu ns=%.0f ns_per_call=%.1f"
	    " next=%llu wait=%llu reply=%llu tunnel=%llu fault=%llu",
	    table, name, (unsigned long long)c->calls, ns * (double)c->ticks,
	    ns * (double)c->ticks / (double)c->calls,
	    (unsigned long long)c->verdicts[VERDICT_NEXT],
	    (unsigned long long)c->verdicts[VERDICT_WAIT],
	    (unsigned long long)c->verdicts[VERDICT_REPLY],
	    (unsigned long long)c->verdicts[VERDICT_TUNNEL],
	    (unsigned long long)c->verdicts[VERDICT_FAULT]);
}

static void
stage_cost_log_table(const char *name, const struct stage *table,
    const struct stage_cost *costs, double ns)
{
	for (unsigned i = 0; table[i].name != NULL; i++)
		if (costs[i].calls > 0)
			stage_cost_log_row(name, table[i].name, &costs[i], ns);
}

void
stage_cost_log(const struct worker *w)
{
	const struct stage_costs *c = w->costs;
	double ns;

	if (c == NULL)
		return;
	ns = stage_cost_scale(c);
	log_msg(LOG_NOTICE, "stage cost clock_ns=%.1f included=\"each call\"",
	    ns * (double)c->pair_ticks);
	stage_cost_log_table("request", pipeline_request, c->request, ns);
	stage_cost_log_table("response", pipeline_response, c->response, ns);
}
