/* shm/crash: places at which a test build can end this process with SIGKILL,
 * as if the machine had stopped it between two writes. In other builds they are
 * nothing. Numbers count from 1 in the order in which a process passes them. */
#ifndef GH_CRASH_H
#define GH_CRASH_H

#ifdef GH_CRASH_POINTS

#include <stdint.h>

/* Die at the n-th point from now on; 0: never. */
void crash_arm(uint32_t n);
/* Points passed since the last crash_arm(). */
uint32_t crash_passed(void);
void crash_point(void);
/* From now on a signal arms this process while it runs: SIGRTMIN with the value
 * n (sigqueue(3)) is crash_arm(n); SIGRTMIN + 1 does the same, but at its point
 * the process then turns in a circle instead of dying. */
void crash_listen(void);

#define CRASH_POINT() crash_point()
#define CRASH_LISTEN() crash_listen()

#else

#define CRASH_POINT() ((void)0)
#define CRASH_LISTEN() ((void)0)

#endif

#endif
