/* master/cpu: how many CPUs this process may use, and which. */
#ifndef GH_CPU_H
#define GH_CPU_H

#include <stdint.h>

#include "common/base/span.h"

/* CPUs of the affinity mask, or fewer when a cgroup's quota allows less;
 * at least 1. */
uint32_t cpu_usable(void);
/* Stay on the n-th CPU of the mask (they are counted round). Returns its
 * number, -1 when that failed. */
int cpu_pin(uint32_t n);
/* Whole CPUs of a quota, rounded up; 0: no limit told or unreadable. `max` is
 * the text of cgroup v2's cpu.max ("50000 100000", "max 100000"). */
uint32_t cpu_quota_v2(span max);

#endif
