/* store/tally: rows of 64-bit numbers, each of which only goes up, by one atomic
 * add: there is nothing to repair. */
#include "common/store/tally.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

#define TALLY_WORDS (sizeof(struct tally) / sizeof(uint64_t))
#define US_PER_S 1000000u

struct tally_row {
	_Atomic uint64_t word[TALLY_WORDS]; /* those of struct tally */
} __attribute__((aligned(64)));

struct tally_table {
	_Atomic uint32_t used; /* ids below it were made ready at some time */
	struct tally_row row[TALLIES_MAX];
};

struct tallies {
	struct segment *segment;
	struct tally_table *t;
};

/* The numbers of a row are part of the layout. */
static const struct segment_want tallies_want = {
    .kind = SEGMENT_KIND_TALLY,
    .version = 0x10000u + TALLY_WORDS,
    .size = sizeof(struct tally_table),
    .commit = sizeof(uint32_t),
    .name = "tally",
};

static const char *const kind_words[] = {
#define TALLY_KIND(id, word) [TALLY_##id] = word,
#include "common/store/tally_kind.def"
#undef TALLY_KIND
};

static const char *const result_words[] = {
    [RESULT_NONE] = "",
#define RESULT(id, word) [RESULT_##id] = word,
#include "common/store/cache_result.def"
#undef RESULT
};

static const struct {
	const char *name;
	const char *help;
} curves[] = {
#define TALLY_CURVE(id, name, help) [TALLY_##id] = {name, help},
#include "common/store/tally_curve.def"
#undef TALLY_CURVE
};

struct tallies *
tallies_open(struct segment *s, bool may_make)
{
	struct tallies *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	t->segment = s;
	t->t = may_make ? segment_claim(s, &tallies_want)
			: segment_find(s, &tallies_want);
	if (t->t != NULL)
		return t;
	free(t);
	return NULL;
}

void
tallies_free(struct tallies *t)
{
	free(t);
}

bool
tallies_ready(void *self, uint32_t id)
{
	struct tallies *t = self;
	struct tally_row *r = &t->t->row[id];

	if (segment_commit(t->segment, r, sizeof(*r)) < 0)
		return false;
	for (uint32_t i = 0; i < TALLY_WORDS; i++)
		atomic_store(&r->word[i], 0);
	if (id >= atomic_load(&t->t->used))
		atomic_store(&t->t->used, id + 1);
	return true;
}

void
tallies_add(struct tallies *t, uint32_t id, const struct tally *more)
{
	const uint64_t *from = (const uint64_t *)more;
	struct tally_row *r = &t->t->row[id];

	REQUIRE(id < atomic_load(&t->t->used));
	for (uint32_t i = 0; i < TALLY_WORDS; i++) {
		if (from[i] == 0)
			continue;
		CRASH_POINT();
		(void)atomic_fetch_add_explicit(
		    &r->word[i], from[i], memory_order_relaxed);
	}
}

void
tallies_get(const struct tallies *t, uint32_t id, struct tally *out)
{
	bool is_there = id < atomic_load(&t->t->used);
	uint64_t *to = (uint64_t *)out;

	for (uint32_t i = 0; i < TALLY_WORDS; i++)
		to[i] = is_there ? atomic_load_explicit(&t->t->row[id].word[i],
				       memory_order_relaxed)
				 : 0;
}

/* The first step that it does not go beyond; TALLY_STEPS: there is none. */
static uint32_t
tally_step(uint64_t took_us)
{
	/* of 2^-14 s, rounded up: a step's end belongs to it */
	uint64_t parts =
	    ((took_us << -TALLY_STEP_FIRST) + US_PER_S - 1) / US_PER_S;
	uint32_t step =
	    parts <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(parts - 1);

	return step < TALLY_STEPS ? step : TALLY_STEPS;
}

void
tally_note(struct tally *t, enum tally_curve which, uint64_t took_us)
{
	/* more than a day is one: a clock that jumped tells nothing */
	uint64_t us = took_us < UINT64_C(86400) * US_PER_S
			  ? took_us
			  : UINT64_C(86400) * US_PER_S;

	t->times[which].n[tally_step(us)]++;
	t->times[which].sum_us += us;
}

const char *
tally_kind_word(enum tally_kind k)
{
	return kind_words[k];
}

const char *
cache_result_word(enum cache_result r)
{
	return result_words[r];
}

const char *
tally_curve_name(enum tally_curve c)
{
	return curves[c].name;
}

const char *
tally_curve_help(enum tally_curve c)
{
	return curves[c].help;
}
