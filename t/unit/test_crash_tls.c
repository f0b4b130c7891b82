/* Deaths at every step of what TLS keeps in shared memory. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/store/strikes.h"
#include "common/store/ticket_keys.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

/* --- keys of session tickets ---------------------------------------------- */

struct keys {
	struct slots *t;
	struct ticket_keys *k;
	struct ticket_key first; /* drawn */
};

static void *
keys_set_up(struct segment *s, struct slots *t)
{
	struct keys *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->k = ticket_keys_map(s, true);
	ck_assert_ptr_nonnull(v->k);
	ck_assert(ticket_keys_current(v->k, UINT64_MAX, &v->first));
	return v;
}

/* Of keys that were added here all bytes are alike. */
static bool
key_is_whole(const struct ticket_key *key)
{
	const uint8_t *p = (const uint8_t *)key;

	for (size_t i = 1; i < sizeof(*key); i++)
		if (p[i] != p[0])
			return false;
	return true;
}

/* Far behind the first key, which is drawn. */
#define KEYS_FROM_MS (UINT64_MAX / 2)

static void
keys_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct keys *v = ctx;
	struct ticket_key key, got;
	uint64_t now_ms = KEYS_FROM_MS + *done;

	memset(&key, (int)(*done % 256), sizeof(key));
	/* whoever was first: one takes over, at some time up to now */
	if (!ticket_keys_add(v->k, v->t, me, &key, now_ms))
		return;
	if (ticket_keys_current(v->k, UINT64_MAX, &got))
		REQUIRE(key_is_whole(&got));
	if (ticket_keys_find(v->k, key.name, now_ms, &got) != TICKET_UNKNOWN)
		REQUIRE(
		    key_is_whole(&got) && memcmp(&got, &key, sizeof(got)) == 0);
	(void)ticket_keys_rotate(v->k, v->t, me, 0, 0);
	++*done;
}

static bool
keys_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct keys *v = ctx;

	ticket_keys_repair(v->k, v->t, me, dead);
	return true;
}

static bool
keys_check(void *ctx)
{
	struct keys *v = ctx;
	struct ticket_key got;

	return ticket_keys_check(v->k) &&
	       ticket_keys_current(v->k, UINT64_MAX, &got) &&
	       (key_is_whole(&got) ||
		   memcmp(&got, &v->first, sizeof(got)) == 0);
}

START_TEST(a_dead_writer_leaves_no_half_key)
{
	static const struct crash_case c = {
	    .name = "ticket keys",
	    .set_up = keys_set_up,
	    .tear_down = free,
	    .work = keys_work,
	    .repair = keys_repair,
	    .check = keys_check,
	    /* nobody adds a key meanwhile; tickets are given */
	    .others_go_on = false,
	};

	ck_assert_uint_ge(crash_run(&c), 6);
}
END_TEST

/* --- the register of early data ------------------------------------------- */

/* Time goes by a thousand times as fast, so that entries come to their end. */
#define STRIKES_RATE 1000u

struct register_run {
	struct slots *t;
	struct strikes *r;
};

static uint64_t
register_now_ms(void)
{
	return clock_mono_us() / 1000 * STRIKES_RATE;
}

static void *
register_set_up(struct segment *s, struct slots *t)
{
	struct register_run *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->r = strikes_map(s, true);
	ck_assert_ptr_nonnull(v->r);
	/* long ago */
	ck_assert(strikes_ready(v->r, s, 1));
	return v;
}

/* What one was told is fresh is so to nobody again while it is remembered. */
static void
register_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct register_run *v = ctx;
	uint64_t words[3] = {me.slot, me.incarnation, *done};
	span text = span_of((const char *)words, sizeof(words));
	uint64_t now_ms = register_now_ms();

	if (strikes_take(v->r, v->t, me, text, now_ms))
		REQUIRE(!strikes_take(v->r, v->t, me, text, now_ms));
	++*done;
}

static bool
register_repair(void *ctx, struct slot_name me, uint32_t dead)
{
	struct register_run *v = ctx;

	strikes_repair(v->r, v->t, me, dead);
	return true;
}

static bool
register_check(void *ctx)
{
	struct register_run *v = ctx;

	return strikes_check(v->r);
}

START_TEST(a_dead_one_makes_nothing_fresh_again)
{
	static const struct crash_case c = {
	    .name = "strikes",
	    .set_up = register_set_up,
	    .tear_down = free,
	    .work = register_work,
	    .repair = register_repair,
	    .check = register_check,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 8);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_dead_writer_leaves_no_half_key,
	    a_dead_one_makes_nothing_fresh_again,
	};

	return unit_run("crash_tls", tests, NELEMS(tests));
}
