/* Deaths at every step of what TLS keeps in shared memory. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/store/staples.h"
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

/* --- OCSP answers ---------------------------------------------------------- */

/* Few enough to meet each other in their windows. */
#define CERTS_MAX 8u
#define STAPLES_NOW_S 1000

struct staples_run {
	struct slots *t;
	struct staples *s;
};

static void *
staples_set_up(struct segment *s, struct slots *t)
{
	struct staples_run *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->s = staples_map(s, true);
	ck_assert_ptr_nonnull(v->s);
	ck_assert(staples_ready(v->s, s));
	return v;
}

/* Of an answer all bytes are alike; which they are its end tells. */
static bool
staple_is_whole(const struct staple *found)
{
	int64_t byte = found->until_s % 256;

	for (size_t i = 0; i < found->der.len; i++)
		if ((unsigned char)found->der.p[i] != byte)
			return false;
	return found->der.len > 0 && found->since_s == found->until_s - 1;
}

static void
staples_see(struct staples_run *v, uint8_t which)
{
	uint8_t print[STAPLE_PRINT_LEN] = {1, 0, 0, 0, which};
	char room[STAPLE_CAP];
	struct staple found;

	if (staples_find(v->s, print, STAPLES_NOW_S, room, &found))
		REQUIRE(staple_is_whole(&found));
}

static void
staples_look(void *ctx, struct slot_name me, uint64_t *done)
{
	(void)me;
	staples_see(ctx, (uint8_t)(*done % CERTS_MAX));
	++*done;
}

static void
staples_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct staples_run *v = ctx;
	uint8_t which = (uint8_t)((me.incarnation + *done) % CERTS_MAX);
	uint8_t print[STAPLE_PRINT_LEN] = {1, 0, 0, 0, which};
	static char der[STAPLE_CAP];
	struct staple s = {
	    .der = span_of(der, 1 + *done % STAPLE_CAP),
	    .since_s = STAPLES_NOW_S + (int64_t)*done,
	    .until_s = STAPLES_NOW_S + 1 + (int64_t)*done,
	};

	memset(der, (int)(s.until_s % 256), sizeof(der));
	(void)staples_put(v->s, v->t, me, print, &s, STAPLES_NOW_S);
	staples_see(v, which);
	(void)staples_drop(v->s, v->t, me, print);
	++*done;
}

static bool
staples_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct staples_run *v = ctx;

	staples_repair(v->s, v->t, me, dead);
	return true;
}

static bool
staples_are_whole(void *ctx)
{
	struct staples_run *v = ctx;

	for (uint8_t i = 0; i < CERTS_MAX; i++)
		staples_see(v, i);
	return staples_check(v->s);
}

START_TEST(a_dead_writer_leaves_no_half_answer)
{
	static const struct crash_case c = {
	    .name = "staples",
	    .set_up = staples_set_up,
	    .tear_down = free,
	    .work = staples_work,
	    .look = staples_look,
	    .repair = staples_mend,
	    .check = staples_are_whole,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 10);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_dead_writer_leaves_no_half_key,
	    a_dead_one_makes_nothing_fresh_again,
	    a_dead_writer_leaves_no_half_answer,
	};

	return unit_run("crash_tls", tests, NELEMS(tests));
}
