/* store/latency: how long a server takes until the head of its answer, as all
 * workers meet it: a peak EWMA (as in Twitter's Finagle), which follows a slower
 * answer at once and forgets with time. It lies in one word of the server, which
 * changes by one atomic step from one whole value to the next, so nobody can die
 * in the middle of it. Times now_ms are CLOCK_MONOTONIC. Protocol: doc/shm.md
 * 6.1. */
#ifndef GH_LATENCY_H
#define GH_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/store/upstate.h"

/* What is not heard of again counts for half after so long: short enough that a
 * server which was slow once is asked again soon, long enough that a few quick
 * answers do not hide a slow one. */
#define LATENCY_HALF_MS 5000u
/* After so many of them nothing is known of the server any more. */
#define LATENCY_HALVES 6u
/* A failure counts for twice what the server took so far, within these. */
#define LATENCY_FAILURE_MIN_US 1000000u
#define LATENCY_FAILURE_MAX_US 60000000u

/* An answer's head came after took_us; more than 71 minutes count as these. */
void latency_note(
    struct upstate *u, uint32_t id, uint64_t took_us, uint64_t now_ms);
/* No answer came, or one that is as bad; how soon it did is no merit. */
void latency_note_failure(struct upstate *u, uint32_t id, uint64_t now_ms);
/* What it would take now in us, from 1 on; 0: nothing is known of it. */
uint32_t latency_us(struct upstate *u, uint32_t id, uint64_t now_ms);

/* --- of all servers of an upstream: how long answers take at most ---------- */

/* So many answers are looked at before their tail is known. */
#define LATENCY_TAIL_FEW 20u

/* An answer's head came after took_us, or had not by then: learn the time that
 * `percent` (50 .. 99, always the same) of 100 answers do not exceed. `id`: the
 * upstream's first server. */
void latency_tail_note(
    struct upstate *u, uint32_t id, uint32_t percent, uint64_t took_us);
/* That time, from 1 on; 0: not known yet. */
uint32_t latency_tail_us(struct upstate *u, uint32_t id);

#endif
