/* store/loglevel: one word, which changes as a whole: whoever dies leaves the old
 * or the new one. */
#include "common/store/loglevel.h"

static const struct segment_want loglevel_want = {
    .kind = SEGMENT_KIND_LOGLEVEL,
    .version = 1,
    .size = sizeof(struct loglevel),
    .commit = sizeof(struct loglevel),
    .name = "loglevel",
};

struct loglevel *
loglevel_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &loglevel_want)
			: segment_find(s, &loglevel_want);
}

void
loglevel_set(struct loglevel *t, enum log_level level)
{
	atomic_store(&t->order, (uint32_t)level + 1);
}

void
loglevel_drop(struct loglevel *t)
{
	atomic_store(&t->order, 0);
}
