/* Unit tests of what a peer of HTTP/2 may cost: each kind of useless work comes
 * to an end, alone and mixed, and use and time pay for it. */
#include "t/unit/unit.h"

#include "t/unit/h2_fixture.h"

static struct end *server;
static struct raw *raw;

static void
set_up(void)
{
	server = end_new(H2_SERVER);
	raw = calloc(1, sizeof(*raw));
	REQUIRE(raw != NULL);
	raw_begin(raw);
	ck_assert_int_eq(raw_send(raw, server, 0), H2_RC_OK);
	(void)end_says(server);
}

static void
tear_down(void)
{
	end_free(server);
	free(raw);
}

typedef void attack_f(uint32_t i);

static void
settings(uint32_t i)
{
	(void)i;
	raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void
pings(uint32_t i)
{
	raw_frame(raw, NGHTTP2_PING, i % 2, 0, "12345678", 8);
}

static void
priorities(uint32_t i)
{
	raw_frame(raw, NGHTTP2_PRIORITY, 0, 2 * i + 1, "\0\0\0\0\x10", 5);
}

static void
updates(uint32_t i)
{
	(void)i;
	raw_frame(raw, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7);
}

static void
windows(uint32_t i)
{
	(void)i;
	raw_frame(raw, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

static void
junk(uint32_t i)
{
	raw_frame(raw, (uint8_t)(0x20 + i % 100), 0xff, i, "x", 1);
}

static void
empties(uint32_t i)
{
	if (i == 0)
		raw_request(raw, 1, true);
	raw_frame(raw, NGHTTP2_DATA, 0, 1, NULL, 0);
}

static void
padded_empties(uint32_t i)
{
	if (i == 0)
		raw_request(raw, 1, true);
	raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\2\0\0", 3);
}

static void
resets(uint32_t i)
{
	raw_request(raw, 2 * i + 1, false);
	raw_frame(raw, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x8", 4);
}

/* Malformed requests make the server reset. */
static void
broken(uint32_t i)
{
	char block[64];
	size_t n = raw_literal(block, ":method", "GET");

	raw_frame(raw, NGHTTP2_HEADERS,
	    NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 2 * i + 1,
	    block, n);
}

static void
continuations(uint32_t i)
{
	if (i == 0)
		raw_frame(raw, NGHTTP2_HEADERS, 0, 1, NULL, 0);
	raw_frame(raw, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
}

static const struct {
	attack_f *attack;
	enum h2_calm calm;
	uint32_t at_least; /* so many are taken at once */
} attacks[] = {
    {settings, H2_CALM_SETTINGS, 50},
    {pings, H2_CALM_PINGS, 400},
    {priorities, H2_CALM_PRIORITIES, 400},
    {updates, H2_CALM_PRIORITIES, 400},
    {windows, H2_CALM_WINDOWS, 1900},
    {junk, H2_CALM_JUNK, 400},
    {empties, H2_CALM_EMPTY, 150},
    {padded_empties, H2_CALM_EMPTY, 150},
    {resets, H2_CALM_RESETS, 150},
    {broken, H2_CALM_BROKEN, 80},
    {continuations, H2_CALM_CONTINUATIONS, 4},
};

#define ATTACKS_MAX 3000u

/* How many it takes until the session ends. */
static uint32_t
attack(attack_f *fn)
{
	for (uint32_t i = 0; i < ATTACKS_MAX; i++) {
		fn(i);
		if (raw_send(raw, server, 0) != H2_RC_OK)
			return i;
		(void)end_says(server);
		if (h2_session_is_over(server->h2))
			return i;
		for (unsigned k = 0; k < server->n; k++)
			if (server->streams[k]->is_reset) {
				h2_stream_leave(
				    &server->streams[k]->h2, H2_CANCEL);
				arena_fini(&server->streams[k]->arena);
				free(server->streams[k]);
				server->streams[k] =
				    server->streams[--server->n];
			}
	}
	return ATTACKS_MAX;
}

START_TEST(each_flood_comes_to_its_end)
{
	uint32_t n = attack(attacks[_i].attack);

	ck_assert_uint_ge(n, attacks[_i].at_least);
	ck_assert_uint_lt(n, ATTACKS_MAX);
	ck_assert_uint_eq(h2_session_code(server->h2), H2_ENHANCE_YOUR_CALM);
	ck_assert_int_eq(h2_session_calm(server->h2), attacks[_i].calm);
	(void)end_says(server);
	ck_assert(h2_session_is_over(server->h2));
}
END_TEST

/* One frame of each second hurts nobody. */
START_TEST(time_pays_for_it)
{
	for (uint32_t i = 0; i < ATTACKS_MAX; i++) {
		pings(0);
		settings(0);
		windows(0);
		ck_assert_int_eq(
		    raw_send(raw, server, UINT64_C(1000) * i), H2_RC_OK);
		(void)end_says(server);
	}
}
END_TEST

/* A clock that stands still or goes back gives nothing. */
START_TEST(time_that_goes_back_pays_nothing)
{
	struct h2_budget b;

	h2_budget_init(&b);
	h2_budget_tick(&b, 1000000);
	while (h2_budget_spend(&b, H2_CALM_PINGS))
		;
	h2_budget_tick(&b, 10);
	ck_assert(!h2_budget_spend(&b, H2_CALM_WINDOWS));
}
END_TEST

START_TEST(content_and_answers_pay_for_it)
{
	struct h2_budget b;

	h2_budget_init(&b);
	for (int i = 0; i < 100000; i++) {
		h2_budget_earn_bytes(&b, 2048);
		ck_assert(h2_budget_spend(&b, H2_CALM_WINDOWS));
		ck_assert(h2_budget_spend(&b, H2_CALM_WINDOWS));
		h2_budget_earn_answer(&b);
		ck_assert(h2_budget_spend(&b, H2_CALM_RESETS));
	}
}
END_TEST

/* RFC 7541: one byte of the wire can be a whole entry of the table. */
/* RFC 9113 6.9: who gives back the windows of each frame, however small it was,
 * is never too loud; who opens them for nothing is. */
START_TEST(giving_back_what_was_sent_costs_nothing)
{
	struct h2_budget b;
	uint32_t n = 0;

	h2_budget_init(&b);
	for (int i = 0; i < 100000; i++) {
		h2_budget_earn_frame(&b, 1);
		ck_assert(h2_budget_spend(&b, H2_CALM_WINDOWS));
		ck_assert(h2_budget_spend(&b, H2_CALM_WINDOWS));
	}
	while (h2_budget_spend(&b, H2_CALM_WINDOWS))
		n++;
	ck_assert_uint_eq(n, 2000);
}
END_TEST

START_TEST(a_bomb_of_table_entries_ends_at_once)
{
	static char block[16000];
	char *p = block;
	size_t n = 0;

	/* an entry of 3000 bytes, then a reference to it in each byte */
	p[n++] = 0x40;
	p[n++] = 1;
	p[n++] = 'x';
	p[n++] = 0x7f;
	p[n++] = (char)((3000 - 127) % 128 | 0x80);
	p[n++] = (char)((3000 - 127) / 128);
	memset(p + n, 'a', 3000);
	n += 3000;
	memset(p + n, 0x80 | 62, sizeof(block) - n);
	raw_frame(raw, NGHTTP2_HEADERS,
	    NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block,
	    sizeof(block));
	ck_assert_int_eq(raw_send(raw, server, 0), H2_RC_OVER);
	ck_assert_int_eq(h2_session_calm(server->h2), H2_CALM_BOMB);
	ck_assert_uint_lt(h2_session_memory_peak(server->h2), 128u * 1024);
}
END_TEST

/* A head over its limit is read to its end, because the table must stay right,
 * and refused with a status. */
START_TEST(a_head_that_is_too_large_is_refused_alone)
{
	char block[4096];
	size_t n = 0;
	char value[101] = {0};

	memset(value, 'a', 100);
	n += raw_literal(block + n, ":method", "GET");
	n += raw_literal(block + n, ":scheme", "http");
	n += raw_literal(block + n, ":path", "/");
	n += raw_literal(block + n, ":authority", "a");
	for (int i = 0; i < 20; i++)
		n += raw_literal(block + n, "x", value);
	raw_frame(raw, NGHTTP2_HEADERS,
	    NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block, n);
	raw_request(raw, 3, false);
	ck_assert_int_eq(raw_send(raw, server, 0), H2_RC_OK);
	ck_assert_uint_eq(server->n, 2);
	ck_assert_int_eq(server->streams[0]->bad, H2_BAD_HEAD_LARGE);
	ck_assert_int_eq(server->streams[1]->bad, H2_BAD_NONE);
	ck_assert(server->streams[1]->has_ended);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("h2_calm");
	TCase *tc = tcase_create("h2_calm");
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_set_timeout(tc, UNIT_TIMEOUT_S);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(
	    tc, each_flood_comes_to_its_end, 0, (int)NELEMS(attacks));
	tcase_add_test(tc, time_pays_for_it);
	tcase_add_test(tc, time_that_goes_back_pays_nothing);
	tcase_add_test(tc, content_and_answers_pay_for_it);
	tcase_add_test(tc, giving_back_what_was_sent_costs_nothing);
	tcase_add_test(tc, a_bomb_of_table_entries_ends_at_once);
	tcase_add_test(tc, a_head_that_is_too_large_is_refused_alone);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
