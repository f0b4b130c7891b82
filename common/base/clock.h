/* base/clock: the loop's idea of now. Read once per wake-up; everything that
 * runs in one batch of events sees the same time. */
#ifndef GH_CLOCK_H
#define GH_CLOCK_H

#include <stdint.h>

struct clock {
	uint64_t mono_us; /* CLOCK_MONOTONIC */
	int64_t wall_us; /* CLOCK_REALTIME since 1970 */
};

/* Read both clocks. */
void clock_update(struct clock *c);
/* CLOCK_MONOTONIC in microseconds, now. */
uint64_t clock_mono_us(void);

static inline uint64_t
clock_mono_ms(const struct clock *c)
{
	return c->mono_us / 1000;
}

static inline int64_t
clock_wall_s(const struct clock *c)
{
	return c->wall_us / 1000000;
}

#endif
