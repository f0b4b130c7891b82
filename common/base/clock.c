/* base/clock: reading the kernel's clocks. */
#include "common/base/clock.h"

#include <time.h>

uint64_t
clock_mono_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
clock_update(struct clock *c)
{
	struct timespec ts;

	c->mono_us = clock_mono_us();
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	c->wall_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
