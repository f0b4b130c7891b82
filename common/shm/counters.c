/* shm/counters: sums over the sets of all slots. */
#include "common/shm/counters.h"

#include <string.h>

#include "common/base/check.h"

/* The number of rows is part of the layout. */
#define COUNTERS_VERSION (0x10000u + COUNTER_N)

static const struct {
	const char *name;
	const char *help;
} rows[] = {
#define COUNTER(id, name, help) [COUNTER_##id] = {name, help},
#include "common/shm/counters.def"
#undef COUNTER
};

static const struct segment_want counters_want = {
    .kind = SEGMENT_KIND_COUNTERS,
    .version = COUNTERS_VERSION,
    .size = sizeof(struct counters),
    .commit = sizeof(struct counters),
    .name = "counters",
};

struct counters *
counters_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &counters_want)
			: segment_find(s, &counters_want);
}

void
counters_fold(struct counters *c, unsigned slot)
{
	REQUIRE(slot < SLOTS_MAX);
	for (unsigned i = 0; i < COUNTER_N; i++)
		c->retired.v[i] += c->slot[slot].v[i];
	memset(&c->slot[slot], 0, sizeof(c->slot[slot]));
}

uint64_t
counters_sum(const struct counters *c, enum counter_id id)
{
	uint64_t sum = c->retired.v[id];

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		sum += c->slot[i].v[id];
	return sum;
}

const char *
counter_name(enum counter_id id)
{
	return rows[id].name;
}

const char *
counter_help(enum counter_id id)
{
	return rows[id].help;
}
