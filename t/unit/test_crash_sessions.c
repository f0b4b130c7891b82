/* Deaths at every step of giving sessions to servers, while others do the
 * same. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/sessions.h"
#include "t/unit/crash.h"
#include "t/unit/unit.h"

#define NOW UINT64_C(1000)
#define UNTIL UINT64_C(1000000)
/* Sessions of all together: more than a set holds, so that some are pushed
 * out, and few enough that all meet in the same ones. */
#define NAMES 64u
/* A server's name tells whose it is. */
#define SERVER_OF(name) ((name) + 1000u)

struct shared {
	struct slots *t;
	struct sessions *v;
};

static void *
sessions_set_up(struct segment *s, struct slots *t)
{
	struct shared *v = calloc(1, sizeof(*v));

	ck_assert_ptr_nonnull(v);
	v->t = t;
	v->v = sessions_map(s, true);
	ck_assert_ptr_nonnull(v->v);
	ck_assert(sessions_ready(v->v, s));
	return v;
}

static struct session_key
key_of(const struct shared *v, uint64_t name)
{
	struct session_key key = session_key(
	    v->v, SPAN_LIT("u"), span_of((const char *)&name, sizeof(name)));

	/* a few sets only */
	key.hash[0] %= 4;
	key.hash[1] = name;
	return key;
}

/* No process ever reads what another one half wrote. */
static void
sessions_work(void *ctx, struct slot_name me, uint64_t *done)
{
	struct shared *v = ctx;
	uint64_t name = (*done * 7 + me.slot) % NAMES;
	struct session_key key = key_of(v, name);
	struct session next = {SERVER_OF(name), UNTIL + *done};
	struct session got;

	REQUIRE(
	    sessions_bind(v->v, v->t, me, &key, 0, &next, NOW) == next.server);
	if (sessions_find(v->v, &key, NOW, &got))
		REQUIRE(got.server == SERVER_OF(name) && got.until_ms >= UNTIL);
	++*done;
}

static bool
sessions_mend(void *ctx, struct slot_name me, uint32_t dead)
{
	struct shared *v = ctx;

	sessions_repair(v->v, v->t, me, dead);
	return true;
}

static bool
sessions_are_whole(void *ctx)
{
	struct shared *v = ctx;

	for (uint64_t name = 0; name < NAMES; name++) {
		struct session_key key = key_of(v, name);
		struct session got;

		if (sessions_find(v->v, &key, NOW, &got) &&
		    got.server != SERVER_OF(name))
			return false;
	}
	return sessions_check(v->v);
}

START_TEST(no_death_gives_a_session_to_another_server)
{
	static const struct crash_case c = {
	    .name = "sessions",
	    .set_up = sessions_set_up,
	    .tear_down = free,
	    .work = sessions_work,
	    .repair = sessions_mend,
	    .check = sessions_are_whole,
	    .others_go_on = true,
	};

	ck_assert_uint_ge(crash_run(&c), 8);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    no_death_gives_a_session_to_another_server,
	};

	return unit_run("crash_sessions", tests, NELEMS(tests));
}
