/* http/h2_calm: how much useless work a peer may make. One budget for all kinds
 * of it, so that mixing them does not help: a frame of no use costs, whatever
 * is of use and the time that passes give back. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/h2_int.h"

/* What a peer begins with and has at most. */
#define H2_CALM_MAX 2000
/* A point for so many milliseconds: 100 a second. */
#define CALM_MS_PER_POINT 10u
/* A point for so many bytes of content, in either direction. */
#define CALM_BYTES_PER_POINT 1024u
/* For each answer that was completed: as much as its reset would have cost. */
#define CALM_PER_ANSWER 10

/* A client may give back what each DATA frame takes as soon as it comes: of the
 * stream's window and of the connection's. The smaller the frames, the more of
 * that there is, and it is of use. So many may be under way. */
#define CALM_WINDOWS_PER_FRAME 2u
#define CALM_WINDOWS_MAX 65536u

struct calm_row {
	int32_t cost;
	const char *text;
};

static const struct calm_row calm_rows[H2_CALM_N] = {
#define H2_CALM(name, cost, text) [H2_CALM_##name] = {cost, text},
#include "common/http/h2_calm.def"
#undef H2_CALM
};

static void
budget_earn(struct h2_budget *b, uint64_t points)
{
	int32_t room = H2_CALM_MAX - b->points;

	b->points += (int32_t)u64_min(points, (uint64_t)room);
}

void
h2_budget_init(struct h2_budget *b)
{
	*b = (struct h2_budget){.points = H2_CALM_MAX};
}

void
h2_budget_tick(struct h2_budget *b, uint64_t now_ms)
{
	uint64_t points = (now_ms - b->now_ms) / CALM_MS_PER_POINT;

	if (now_ms < b->now_ms || points == 0)
		return;
	b->now_ms = now_ms;
	budget_earn(b, points);
}

void
h2_budget_earn_bytes(struct h2_budget *b, size_t n)
{
	uint64_t bytes = (uint64_t)b->bytes + n;

	b->bytes = (uint32_t)(bytes % CALM_BYTES_PER_POINT);
	budget_earn(b, bytes / CALM_BYTES_PER_POINT);
}

void
h2_budget_earn_frame(struct h2_budget *b, size_t n)
{
	h2_budget_earn_bytes(b, n);
	if (b->windows < CALM_WINDOWS_MAX)
		b->windows += CALM_WINDOWS_PER_FRAME;
}

void
h2_budget_earn_answer(struct h2_budget *b)
{
	budget_earn(b, CALM_PER_ANSWER);
}

bool
h2_budget_spend(struct h2_budget *b, enum h2_calm what)
{
	if (what == H2_CALM_WINDOWS && b->windows > 0) {
		b->windows--;
		return true;
	}
	b->points -= calm_rows[what].cost;
	return b->points >= 0;
}

const char *
h2_calm_text(enum h2_calm what)
{
	REQUIRE(what < H2_CALM_N);
	return calm_rows[what].text;
}
