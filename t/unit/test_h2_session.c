/* Unit tests of HTTP/2 sessions: a client and a server of ours talk. */
#include "t/unit/unit.h"

#include "t/unit/h2_fixture.h"

static struct end *client, *server;

static void
set_up(void)
{
	client = end_new(H2_CLIENT);
	server = end_new(H2_SERVER);
	ends_talk(client, server);
}

static void
tear_down(void)
{
	if (client != NULL)
		end_free(client);
	end_free(server);
}

static struct http_msg
request(enum http_method method)
{
	return (struct http_msg){
	    .version = HTTP_2,
	    .method = method,
	    .scheme = SPAN_LIT("http"),
	    .authority = SPAN_LIT("h"),
	};
}

static struct end_stream *
ask(struct http_msg *m, const char *content)
{
	struct end_stream *s = end_new_stream(client);

	s->content = content;
	s->n_content = content == NULL ? 0 : strlen(content);
	ck_assert_int_eq(h2_stream_request(client->h2, &s->h2, m,
			     SPAN_LIT("/x"), content != NULL),
	    H2_RC_OK);
	return s;
}

static void
answer(struct end_stream *s, uint16_t status, const char *content, size_t n)
{
	struct http_msg m = {.version = HTTP_1_1, .status = status};

	s->content = content;
	s->n_content = n;
	ck_assert_int_eq(
	    h2_stream_answer(&s->h2, &m, content != NULL), H2_RC_OK);
}

START_TEST(both_know_what_the_other_allows)
{
	ck_assert(h2_session_is_settled(client->h2));
	ck_assert(h2_session_is_settled(server->h2));
	ck_assert(h2_session_may_tunnel(client->h2));
	ck_assert_uint_eq(h2_session_room(client->h2), 100);
	ck_assert(!h2_session_wants_send(client->h2));
	ck_assert(!h2_session_is_over(client->h2));
}
END_TEST

START_TEST(a_request_is_answered)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);
	struct end_stream *s;

	ends_talk(client, server);
	ck_assert_uint_eq(server->n, 1);
	s = server->streams[0];
	ck_assert(s->has_ended);
	ck_assert_span_eq(s->head.path, "/x");
	answer(s, 200, "hello", 5);
	ends_talk(client, server);
	ck_assert(s->is_sent && c->has_ended);
	ck_assert_uint_eq(c->head.status, 200);
	ck_assert_mem_eq(c->got, "hello", 5);
	ck_assert(c->h2.is_closed && s->h2.is_closed);
	ck_assert(!c->is_reset && !s->is_reset);
}
END_TEST

START_TEST(names_are_in_lower_case_and_connections_stay_behind)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);
	struct http_msg a = {.version = HTTP_1_1, .status = 200};
	struct http_fields *f = &a.fields;
	struct arena *arena = &c->arena;

	ends_talk(client, server);
	fields_add(f, arena, SPAN_LIT("Content-Type"), SPAN_LIT("a"));
	fields_add(f, arena, SPAN_LIT("X-Own"), SPAN_LIT("b"));
	fields_add(f, arena, SPAN_LIT("Connection"), SPAN_LIT("close"));
	fields_add(
	    f, arena, SPAN_LIT("Transfer-Encoding"), SPAN_LIT("chunked"));
	fields_add(f, arena, SPAN_LIT("Upgrade"), SPAN_LIT("h2c"));
	fields_add(f, arena, SPAN_LIT("Gone"), SPAN_LIT("x"));
	f->at[5].is_gone = true;
	ck_assert_int_eq(
	    h2_stream_answer(&server->streams[0]->h2, &a, false), H2_RC_OK);
	ends_talk(client, server);
	ck_assert(c->has_ended && !c->is_reset);
	ck_assert_uint_eq(c->head.fields.n, 2);
	ck_assert_span_eq(c->head.fields.at[0].name, "content-type");
	ck_assert_span_eq(c->head.fields.at[1].name, "x-own");
}
END_TEST

START_TEST(interim_answers_come_before_the_final_one)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);
	struct http_msg info = {.version = HTTP_1_1, .status = 103};

	ends_talk(client, server);
	ck_assert_int_eq(
	    h2_stream_info(&server->streams[0]->h2, &info), H2_RC_OK);
	ends_talk(client, server);
	ck_assert_uint_eq(c->n_infos, 1);
	ck_assert(!c->has_ended);
	answer(server->streams[0], 204, NULL, 0);
	ck_assert_int_eq(
	    h2_stream_info(&server->streams[0]->h2, &info), H2_RC_OVER);
	ends_talk(client, server);
	ck_assert_uint_eq(c->n_heads, 2);
	ck_assert_uint_eq(c->head.status, 204);
	ck_assert(c->has_ended);
}
END_TEST

START_TEST(trailers_come_behind_the_content)
{
	struct http_msg m = request(METHOD_POST);
	struct end_stream *c = ask(&m, "abc");
	struct http_fields own = {.n = 0};

	fields_add(&own, &c->arena, SPAN_LIT("X-End"), SPAN_LIT("1"));
	fields_add(&own, &c->arena, SPAN_LIT("Host"), SPAN_LIT("evil"));
	c->h2.trailers = &own;
	ends_talk(client, server);
	ck_assert(server->streams[0]->has_ended);
	ck_assert_mem_eq(server->streams[0]->got, "abc", 3);
	ck_assert_uint_eq(server->streams[0]->trailers.n, 1);
	ck_assert_span_eq(server->streams[0]->trailers.at[0].name, "x-end");
}
END_TEST

START_TEST(content_waits_for_the_windows)
{
	static char big[200000];
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);

	client->consumes = false;
	ends_talk(client, server);
	answer(server->streams[0], 200, big, sizeof(big));
	ends_talk(client, server);
	ck_assert_uint_eq(c->h2.got, 65535);
	ck_assert_uint_eq(c->h2.unconsumed, 65535);
	h2_stream_consume(&c->h2, 65535);
	ends_talk(client, server);
	ck_assert_uint_eq(c->h2.got, 2 * 65535);
	client->consumes = true;
	h2_stream_consume(&c->h2, 65535);
	ends_talk(client, server);
	ck_assert(c->has_ended);
	ck_assert_uint_eq(c->h2.got, sizeof(big));
}
END_TEST

START_TEST(content_that_comes_later_is_resumed)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);
	struct end_stream *s;

	ends_talk(client, server);
	s = server->streams[0];
	s->is_last = false;
	answer(s, 200, "", 0);
	ends_talk(client, server);
	ck_assert(s->h2.is_waiting && c->n_heads == 1 && !c->has_ended);
	s->content = "x";
	s->n_content = 1;
	s->is_last = true;
	h2_stream_resume(&s->h2);
	ends_talk(client, server);
	ck_assert(c->has_ended && c->n_got == 1);
}
END_TEST

START_TEST(who_leaves_breaks_off_what_is_not_complete)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);

	ends_talk(client, server);
	h2_stream_leave(&server->streams[0]->h2, H2_INTERNAL_ERROR);
	ck_assert_ptr_null(server->streams[0]->h2.session);
	ends_talk(client, server);
	ck_assert(c->is_reset);
	ck_assert_uint_eq(c->code, H2_INTERNAL_ERROR);
	ck_assert(!c->is_unserved);
	ck_assert_uint_eq(h2_session_streams(server->h2), 0);
}
END_TEST

START_TEST(an_early_answer_is_no_error)
{
	struct http_msg m = request(METHOD_POST);
	struct end_stream *c = ask(&m, "abc");

	c->is_last = false;
	ends_talk(client, server);
	answer(server->streams[0], 413, NULL, 0);
	ends_talk(client, server);
	h2_stream_leave(&server->streams[0]->h2, H2_INTERNAL_ERROR);
	ends_talk(client, server);
	ck_assert(c->has_ended);
	ck_assert_uint_eq(c->head.status, 413);
	ck_assert_uint_eq(c->code, H2_NO_ERROR);
}
END_TEST

START_TEST(a_refused_stream_was_not_served)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);

	server->refuses = true;
	ends_talk(client, server);
	ck_assert(c->is_reset && c->is_unserved);
	ck_assert_uint_eq(c->code, H2_REFUSED_STREAM);
}
END_TEST

START_TEST(a_length_that_does_not_match_breaks_the_stream)
{
	static const char *const lengths[] = {"2", "4"};

	for (size_t i = 0; i < NELEMS(lengths); i++) {
		struct http_msg m = request(METHOD_POST);
		struct end_stream *c, *s;

		fields_init(&m.fields, NULL, 0);
		c = end_new_stream(client);
		fields_add_id(&m.fields, &c->arena, FIELD_CONTENT_LENGTH,
		    span_str(lengths[i]));
		c->content = "abc";
		c->n_content = 3;
		ck_assert_int_eq(h2_stream_request(client->h2, &c->h2, &m,
				     SPAN_LIT("/"), true),
		    H2_RC_OK);
		ends_talk(client, server);
		s = server->streams[i];
		ck_assert(s->is_reset && !s->has_ended);
		ck_assert_int_eq(s->bad, H2_BAD_LENGTH_DIFFERS);
		ck_assert(c->is_reset);
		ck_assert_uint_eq(c->code, H2_PROTOCOL_ERROR);
	}
}
END_TEST

START_TEST(two_goaways_lose_no_stream)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);

	/* the client's request crosses the warning */
	h2_session_warn(server->h2);
	h2_session_warn(server->h2);
	ends_talk(client, server);
	ck_assert_uint_eq(client->n_goaways, 1);
	ck_assert_uint_eq(server->n_pongs, 1);
	ck_assert_uint_eq(server->n, 1);
	ck_assert_uint_eq(h2_session_room(client->h2), 0);
	h2_session_goaway(server->h2, H2_NO_ERROR);
	ends_talk(client, server);
	ck_assert(!h2_session_is_over(server->h2));
	answer(server->streams[0], 200, "x", 1);
	ends_talk(client, server);
	ck_assert(c->has_ended && !c->is_reset);
	ck_assert(h2_session_is_over(server->h2));
	ck_assert_uint_eq(h2_session_code(server->h2), H2_NO_ERROR);
}
END_TEST

START_TEST(what_a_goaway_leaves_out_was_not_served)
{
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c = ask(&m, NULL);
	span late = end_says(client);

	ck_assert(late.len > 0);
	h2_session_goaway(server->h2, H2_NO_ERROR);
	late = end_says(server);
	(void)h2_session_recv(client->h2, late, 0);
	ck_assert(c->is_reset && c->is_unserved);
}
END_TEST

START_TEST(extended_connect_opens_a_tunnel)
{
	struct http_msg m = request(METHOD_CONNECT);
	struct end_stream *c;

	m.protocol = SPAN_LIT("websocket");
	c = ask(&m, "ping");
	c->is_last = false;
	ends_talk(client, server);
	ck_assert_span_eq(server->streams[0]->head.protocol, "websocket");
	server->streams[0]->is_last = false;
	answer(server->streams[0], 200, "pong", 4);
	ends_talk(client, server);
	ck_assert_mem_eq(server->streams[0]->got, "ping", 4);
	ck_assert_mem_eq(c->got, "pong", 4);
	ck_assert(!c->has_ended);
}
END_TEST

START_TEST(an_urgent_answer_goes_first)
{
	static char big[40000];
	struct http_msg m = request(METHOD_GET);
	struct http_msg urgent = request(METHOD_GET);
	struct end_stream *a, *b;
	char out[16384 + 9];

	a = ask(&m, NULL);
	fields_add_id(
	    &urgent.fields, &a->arena, FIELD_PRIORITY, SPAN_LIT("u=0"));
	b = ask(&urgent, NULL);
	ends_talk(client, server);
	answer(server->streams[0], 200, big, sizeof(big));
	answer(server->streams[1], 200, big, sizeof(big));
	while (!server->streams[1]->is_sent) {
		size_t n = h2_session_gather(server->h2, out, sizeof(out));

		ck_assert_uint_gt(n, 0);
		(void)h2_session_recv(client->h2, span_of(out, n), 0);
	}
	ck_assert(b->has_ended);
	ck_assert_uint_lt(a->h2.got, sizeof(big) / 2);
}
END_TEST

START_TEST(frames_fit_into_any_room)
{
	static char big[50000];
	struct http_msg m = request(METHOD_GET);
	struct end_stream *c;
	char out[512];
	size_t n;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i % 251);
	c = ask(&m, NULL);
	ends_talk(client, server);
	answer(server->streams[0], 200, big, sizeof(big));
	while ((n = h2_session_gather(server->h2, out, sizeof(out))) > 0)
		(void)h2_session_recv(client->h2, span_of(out, n), 0);
	ck_assert(c->has_ended);
	ck_assert_mem_eq(c->got, big, sizeof(big));
}
END_TEST

START_TEST(many_answers_are_gathered_at_once)
{
	struct http_msg m = request(METHOD_GET);
	span out;

	for (int i = 0; i < 64; i++)
		(void)ask(&m, NULL);
	ends_talk(client, server);
	ck_assert_uint_eq(server->n, 64);
	for (int i = 0; i < 64; i++)
		answer(server->streams[i], 200, "0123456789", 10);
	out = end_says(server);
	ck_assert_uint_gt(out.len, 64 * (9 + 9 + 10));
	for (int i = 0; i < 64; i++)
		ck_assert(server->streams[i]->is_sent);
}
END_TEST

START_TEST(heads_that_wait_are_bounded)
{
	static char value[8000];
	struct http_msg m = request(METHOD_GET);
	struct http_msg a = {.version = HTTP_1_1, .status = 200};
	unsigned n = 0;

	memset(value, 'a', sizeof(value));
	for (int i = 0; i < 64; i++)
		(void)ask(&m, NULL);
	ends_talk(client, server);
	fields_add(&a.fields, &client->streams[0]->arena, SPAN_LIT("x"),
	    span_of(value, sizeof(value)));
	while (n < 64 &&
	       h2_stream_answer(&server->streams[n]->h2, &a, false) == H2_RC_OK)
		n++;
	ck_assert_uint_gt(n, 8);
	ck_assert_uint_lt(n, 32);
	(void)end_says(server);
	ck_assert_int_eq(
	    h2_stream_answer(&server->streams[n]->h2, &a, false), H2_RC_OK);
	ck_assert_uint_eq(h2_session_code(server->h2), H2_NO_ERROR);
}
END_TEST

START_TEST(a_full_session_needs_less_than_half_of_its_memory)
{
	static char value[1000];
	struct http_msg m = request(METHOD_GET);
	struct http_msg a = {.version = HTTP_1_1, .status = 200};

	memset(value, 'a', sizeof(value));
	for (int i = 0; i < 100; i++)
		(void)ask(&m, NULL);
	ends_talk(client, server);
	fields_add(&a.fields, &client->streams[0]->arena, SPAN_LIT("x"),
	    span_of(value, sizeof(value)));
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(
		    h2_stream_answer(&server->streams[i]->h2, &a, true),
		    H2_RC_OK);
	ck_assert_uint_lt(h2_session_memory_peak(server->h2), H2_MEM_MAX / 2);
	ends_talk(client, server);
	ck_assert_uint_lt(h2_session_memory(server->h2), 48u * 1024);
}
END_TEST

START_TEST(without_memory_it_still_says_why)
{
	struct http_msg m = request(METHOD_GET);
	span last;

	(void)ask(&m, NULL);
	server->h2->mem.max = server->h2->mem.used;
	last = end_says(client);
	ck_assert_int_eq(h2_session_recv(server->h2, last, 0), H2_RC_OVER);
	ck_assert_uint_eq(h2_session_code(server->h2), H2_ENHANCE_YOUR_CALM);
	ck_assert_int_eq(h2_session_calm(server->h2), H2_CALM_MEMORY);
	last = end_says(server);
	ck_assert_uint_eq(last.len, 17);
	ck_assert_int_eq(last.p[3], NGHTTP2_GOAWAY);
	ck_assert_int_eq(last.p[16], H2_ENHANCE_YOUR_CALM);
	ck_assert(h2_session_is_over(server->h2));
}
END_TEST

START_TEST(what_is_split_at_every_byte_is_the_same)
{
	struct http_msg m = request(METHOD_POST);
	struct end_stream *c = ask(&m, "abc");
	struct http_fields own = {.n = 0};
	span in;

	fields_add(&own, &c->arena, SPAN_LIT("x-end"), SPAN_LIT("1"));
	c->h2.trailers = &own;
	in = end_says(client);
	for (size_t i = 0; i < in.len; i++)
		ck_assert_int_eq(
		    h2_session_recv(server->h2, span_of(in.p + i, 1), 0),
		    H2_RC_OK);
	ck_assert(server->streams[0]->has_ended);
	ck_assert_mem_eq(server->streams[0]->got, "abc", 3);
	ck_assert_uint_eq(server->streams[0]->trailers.n, 1);
}
END_TEST

START_TEST(what_is_cut_anywhere_never_looks_complete)
{
	struct http_msg m = request(METHOD_POST);
	char whole[4096];
	span in;
	size_t n;

	(void)ask(&m, "abc");
	in = end_says(client);
	n = in.len;
	memcpy(whole, in.p, n);
	for (size_t cut = 0; cut < n; cut++) {
		struct end *s = end_new(H2_SERVER);
		struct raw *r = calloc(1, sizeof(*r));

		REQUIRE(r != NULL);
		raw_begin(r);
		(void)raw_send(r, s, 0);
		(void)h2_session_recv(s->h2, span_of(whole, cut), 0);
		ck_assert(s->n == 0 || !s->streams[0]->has_ended);
		end_free(s);
		free(r);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    both_know_what_the_other_allows,
	    a_request_is_answered,
	    names_are_in_lower_case_and_connections_stay_behind,
	    interim_answers_come_before_the_final_one,
	    trailers_come_behind_the_content,
	    content_waits_for_the_windows,
	    content_that_comes_later_is_resumed,
	    who_leaves_breaks_off_what_is_not_complete,
	    an_early_answer_is_no_error,
	    a_refused_stream_was_not_served,
	    a_length_that_does_not_match_breaks_the_stream,
	    two_goaways_lose_no_stream,
	    what_a_goaway_leaves_out_was_not_served,
	    extended_connect_opens_a_tunnel,
	    an_urgent_answer_goes_first,
	    frames_fit_into_any_room,
	    many_answers_are_gathered_at_once,
	    heads_that_wait_are_bounded,
	    a_full_session_needs_less_than_half_of_its_memory,
	    without_memory_it_still_says_why,
	    what_is_split_at_every_byte_is_the_same,
	    what_is_cut_anywhere_never_looks_complete,
	};

	return unit_run_in(
	    "h2_session", tests, NELEMS(tests), set_up, tear_down);
}
