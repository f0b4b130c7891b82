/* store/rulehits: open addressing; a place is taken by one exchange of its
 * number, for good, and its counts are added to. A death in between costs a
 * count at most, so that there is nothing to repair. */
#include "common/store/rulehits.h"

#include <stdatomic.h>
#include <stddef.h>

struct rulehits_place {
	_Atomic uint64_t rule; /* 0: free */
	_Atomic uint64_t n[RULEHITS];
};

struct rulehits {
	/* the last one is for all that found no other */
	struct rulehits_place at[RULEHITS_KEPT + 1];
};

static const struct segment_want rulehits_want = {
    .kind = SEGMENT_KIND_RULEHITS,
    .version = 1,
    .size = sizeof(struct rulehits),
    .commit = sizeof(struct rulehits),
    .name = "rulehits",
};

struct rulehits *
rulehits_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &rulehits_want)
			: segment_find(s, &rulehits_want);
}

/* Whether the place is the rule's, or becomes it. */
static bool
place_is_for(struct rulehits_place *p, uint64_t rule)
{
	uint64_t is = atomic_load_explicit(&p->rule, memory_order_relaxed);

	return is == rule || (is == 0 && (atomic_compare_exchange_strong(
					      &p->rule, &is, rule) ||
					     is == rule));
}

void
rulehits_add(struct rulehits *t, uint64_t rule, enum rulehit what)
{
	/* neighbours have numbers that follow each other */
	uint32_t first = (uint32_t)(rule % RULEHITS_KEPT);
	struct rulehits_place *p = &t->at[RULEHITS_KEPT];

	for (uint32_t i = 0; i < RULEHITS_KEPT; i++) {
		struct rulehits_place *q = &t->at[(first + i) % RULEHITS_KEPT];

		if (place_is_for(q, rule)) {
			p = q;
			break;
		}
	}
	(void)atomic_fetch_add_explicit(&p->n[what], 1, memory_order_relaxed);
}

bool
rulehits_next(const struct rulehits *t, uint32_t *at, struct rulehits_row *out)
{
	while (*at <= RULEHITS_KEPT) {
		const struct rulehits_place *p = &t->at[(*at)++];
		bool is_rest = *at > RULEHITS_KEPT;

		out->rule = is_rest ? 0 : atomic_load(&p->rule);
		for (unsigned i = 0; i < RULEHITS; i++)
			out->n[i] = atomic_load(&p->n[i]);
		if (out->rule != 0 || (is_rest && out->n[0] + out->n[1] > 0))
			return true;
	}
	return false;
}
