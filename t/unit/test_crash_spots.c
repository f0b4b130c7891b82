/* Deaths at every step of putting the addresses of a name into its spots, while
 * others put, read and count requests. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/spots.h"
#include "common/store/upstate.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define HOSTS 5u

struct shared {
	struct slots *t;
	struct upstate *u;
	struct spots *spots;
	struct spots_name name;
};

static void *
spots_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->u = upstate_open(s, true);
	v->spots = spots_open(s, true);
	ck_assert(v->u != NULL && v->spots != NULL);
	ck_assert(spots_ready(v->spots, 0));
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		v->name.servers[k] = k;
		ck_assert(upstate_ready(v->u, k));
	}
	return v;
}

static void
spots_tear_down(void *ctx)
{
	struct shared *v = ctx;

	spots_free(v->spots);
	upstate_free(v->u);
	free(v);
}

static struct spots_by
by(const struct shared *v, struct slot_name me)
{
	return (struct spots_by){v->t, me, v->u};
}

/* No two spots have the same host, and all are of one answer: their last bytes
 * follow each other. */
static void
look(const struct shared *v)
{
	struct spots_set set;
	uint32_t seen = 0;
	uint32_t least = UINT32_MAX;

	if (!spots_read(v->spots, 0, &set))
		return;
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++) {
		uint32_t host = set.at[k].ip[0].b[15];

		if (set.at[k].n == 0)
			continue;
		REQUIRE(host < 32 && !((seen >> host) & 1));
		seen |= UINT32_C(1) << host;
		least = host < least ? host : least;
	}
	REQUIRE(set.is_known ? seen >> least == (1u << HOSTS) - 1 : seen == 0);
}

static void
spots_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	struct spots_by who = by(v, me);
	struct dns_answer a = {.rc = DNS_OK, .n = HOSTS};
	uint32_t k = (uint32_t)(*done % SPOTS_PER_NAME);

	for (uint32_t i = 0; i < HOSTS; i++) {
		ck_assert(ip_parse(SPAN_LIT("192.0.2.0"), &a.addrs[i]));
		a.addrs[i].b[15] = (uint8_t)((*done + me.slot) % 16 + i);
	}
	upstate_begin(v->u, me.slot, k);
	/* after a repair it is written */
	spots_fail(v->spots, &who, 0);
	(void)spots_put(v->spots, &who, &v->name, &a, NULL);
	look(v);
	upstate_end(v->u, me.slot, k);
	++*done;
}

static bool
spots_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;
	struct spots_by who = by(v, me);

	spots_repair(v->spots, &who, dead);
	return upstate_repair(v->u, v->t, dead);
}

static bool
spots_are_whole(void *ctx)
{
	struct shared *v = ctx;

	look(v);
	return spots_check(v->spots) && upstate_check(v->u, v->t);
}

START_TEST(no_death_puts_two_answers_together)
{
	static const struct crash_case c = {
	    .name = "spots",
	    .set_up = spots_set_up,
	    .tear_down = spots_tear_down,
	    .work = spots_work,
	    .repair = spots_mend,
	    .check = spots_are_whole,
	    .others_go_on = true,
	    .repair_stride = 4,
	};

	ck_assert_uint_ge(crash_run(&c), 5);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    no_death_puts_two_answers_together,
	};

	return unit_run("crash_spots", tests, NELEMS(tests));
}
