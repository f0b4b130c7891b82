/* store/adaptive: windows of samples in one word that all workers add to. Who
 * moves the end of a window on by compare-and-swap judges it; who dies then
 * costs the samples of one window, and nothing is to be repaired. */
#include "common/store/adaptive.h"

#include "common/base/num.h"
#include "common/shm/crash.h"

#define N_BITS 20
#define N_MASK ((UINT64_C(1) << N_BITS) - 1)
/* One answer counts for no more: the sum of a full word fits. */
#define SAMPLE_MAX_US UINT64_C(10000000)
/* The sum of so many samples cannot overflow 44 bits. */
#define SAMPLES_MAX (UINT64_C(1) << N_BITS)
/* The present time may be so much more than the least one, as noise:
 * quarters. */
#define TOLERANCE_QUARTERS 5u
#define QUARTERS 4u

_Static_assert(SAMPLES_MAX *SAMPLE_MAX_US < UINT64_C(1) << (64 - N_BITS),
    "a sum must not run into the number");

/* What is read may be anything (doc/shm.md 8). */
static uint64_t
limit_kept(uint64_t limit)
{
	if (limit == 0)
		return ADAPTIVE_START;
	return u64_min(u64_max(limit, ADAPTIVE_MIN), ADAPTIVE_MAX);
}

uint32_t
adaptive_limit(const struct adaptive *a)
{
	if (atomic_load_explicit(&a->probe_since, memory_order_relaxed) != 0)
		return ADAPTIVE_MIN;
	return (uint32_t)limit_kept(
	    atomic_load_explicit(&a->limit, memory_order_relaxed));
}

/* The next limit. It grows only when what it allows is used. */
static uint64_t
limit_next(uint64_t limit, uint64_t least_us, uint64_t now_us, uint64_t n)
{
	uint64_t good_us = least_us * TOLERANCE_QUARTERS / QUARTERS;
	uint64_t root = 1;
	uint64_t next;

	while ((root + 1) * (root + 1) <= limit)
		root++;
	next = limit;
	/* never to less than a half at once */
	if (now_us > good_us)
		next = u64_max(limit * good_us / now_us, limit / 2);
	next += root;
	if (next > limit && n * 2 < limit)
		next = limit;
	return limit_kept(next);
}

/* --- the least time ------------------------------------------------------- */

static void
probe_begin(struct adaptive *a, uint64_t now_us)
{
	uint64_t at = atomic_load(&a->probe_at);

	if (at != 0 && now_us < at)
		return;
	if (!atomic_compare_exchange_strong(
		&a->probe_at, &at, now_us + ADAPTIVE_PROBE_EVERY_US))
		return;
	CRASH_POINT();
	/* at the very beginning there is nothing to be compared with */
	if (at == 0)
		return;
	atomic_store(&a->probe_since, now_us);
	CRASH_POINT();
	atomic_store(&a->samples, 0);
}

/* A window ended. */
static bool
window_judge(
    struct adaptive *a, uint64_t mean_us, uint64_t now_us, uint32_t n_active)
{
	uint64_t least = atomic_load(&a->least_us);
	uint64_t limit = atomic_load(&a->limit);
	uint64_t next;

	if (atomic_load(&a->probe_since) != 0) {
		atomic_store(&a->least_us, mean_us);
		CRASH_POINT();
		atomic_store(&a->probe_since, 0);
		return true;
	}
	if (least == 0 || mean_us < least)
		atomic_store(&a->least_us, least = mean_us);
	CRASH_POINT();
	next = limit_next(limit_kept(limit), least, mean_us, n_active);
	(void)atomic_compare_exchange_strong(&a->limit, &limit, next);
	CRASH_POINT();
	probe_begin(a, now_us);
	return next > limit_kept(limit);
}

/* Whether the sample says something of now. A probe that nobody answers ends. */
static bool
sample_counts(struct adaptive *a, uint64_t began_us, uint64_t now_us)
{
	uint64_t since = atomic_load(&a->probe_since);

	if (since == 0)
		return true;
	if (now_us > since + ADAPTIVE_PROBE_MAX_US) {
		atomic_store(&a->probe_since, 0);
		return true;
	}
	return began_us >= since;
}

bool
adaptive_sample(
    struct adaptive *a, uint64_t began_us, uint64_t now_us, uint32_t n_active)
{
	uint64_t took = now_us > began_us ? now_us - began_us : 1;
	uint64_t end = atomic_load(&a->window_end);
	uint64_t seen;

	if (!sample_counts(a, began_us, now_us))
		return false;
	seen = atomic_load(&a->samples);
	if ((seen & N_MASK) < N_MASK / 2)
		seen = atomic_fetch_add(&a->samples,
			   u64_min(took, SAMPLE_MAX_US) << N_BITS | 1) +
		       (u64_min(took, SAMPLE_MAX_US) << N_BITS | 1);
	CRASH_POINT();
	if (now_us < end || (seen & N_MASK) < ADAPTIVE_SAMPLES_MIN ||
	    !atomic_compare_exchange_strong(
		&a->window_end, &end, now_us + ADAPTIVE_WINDOW_US))
		return false;
	CRASH_POINT();
	seen = atomic_exchange(&a->samples, 0);
	if ((seen & N_MASK) == 0)
		return false;
	return window_judge(a, u64_max((seen >> N_BITS) / (seen & N_MASK), 1),
	    now_us, n_active);
}
