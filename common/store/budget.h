/* store/budget: how many tries again an upstream has left, for all workers
 * together: a share of its requests of the last seconds, and a floor. Its words
 * lie with the upstream's first server; each changes by one atomic step from
 * one whole value to the next, so nobody can die in the middle of it. Times are
 * CLOCK_MONOTONIC in ms. Protocol: doc/shm.md 6.1. */
#ifndef GH_BUDGET_H
#define GH_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/store/upstate.h"

/* What is looked back at: long enough that the death of one server of many,
 * which breaks all its requests at once, is paid by what came before it. */
#define BUDGET_WINDOW_MS 10000u
/* Tries again that are always left, whatever comes: of an upstream with little
 * traffic the share alone is nothing. */
#define BUDGET_FLOOR_RPS 10u

/* A request to the upstream. */
void budget_count(struct upstate *u, uint32_t id, uint64_t now_ms);
/* Take one try again. share_tenths: 0 .. 1000, tenths of per cent. false: they
 * are spent. */
bool budget_take(
    struct upstate *u, uint32_t id, uint32_t share_tenths, uint64_t now_ms);

#endif
