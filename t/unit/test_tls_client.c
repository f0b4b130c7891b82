/* The client's side of TLS: whom it trusts, and the life of sessions. */
#include <stdio.h>

#include <openssl/pem.h>

#include "common/tls/tls_client.h"
#include "t/unit/tls_fixture.h"
#include "t/unit/unit.h"

#define ALPN "\x02h2\x08http/1.1"
#define ALPN_LEN (sizeof(ALPN) - 1)

static struct tls_pair p;
static struct tls_trust *trust;
static struct tls_client *client;
static struct tls_remote *remote;

static void
set_up(void)
{
	static const struct tls_policy policy = {.is_1_3_only = false};
	char name[] = "/tmp/gh-trust-XXXXXX";
	struct tls_problem why;
	FILE *f = fdopen(mkstemp(name), "w");

	pair_init(&p);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509(f, p.cert), 1);
	ck_assert_int_eq(fclose(f), 0);
	trust = tls_trust_new(name, &why);
	ck_assert_ptr_nonnull(trust);
	(void)unlink(name);
	client = tls_client_new(&policy, trust, ALPN, ALPN_LEN);
	remote = tls_remote_new(client, SPAN_LIT("test.example"));
}

static void
tear_down(void)
{
	stream_close(&p.client.s);
	tls_remote_free(remote);
	tls_client_free(client);
	tls_trust_free(trust);
	pair_fini(&p);
}

static void
connect_to(struct tls_remote *r)
{
	p.client.is_shaken = p.server.is_shaken = false;
	p.client.told = p.server.told = 0;
	pair_open(&p, NULL, NULL);
	pair_accept(&p, span_of(NULL, 0));
	ck_assert(tls_remote_connect(r, &p.client.s, p.io));
	tls_end_shake(&p.client);
}

/* A connection on which one word was said each way, so that tickets came.
 * Returns whether it was resumed. */
static bool
visit(void)
{
	bool is_resumed;

	connect_to(remote);
	pair_await(&p, &p.client, STREAM_OPEN);
	pair_await(&p, &p.server, STREAM_OPEN);
	is_resumed = tls_stream_is_resumed(&p.client.s);
	ck_assert_int_eq(end_say(&p.server, "word"), 4);
	end_hears(&p, &p.client, "word");
	stream_close(&p.client.s);
	stream_close(&p.server.s);
	return is_resumed;
}

START_TEST(the_first_is_a_full_handshake_and_the_others_are_resumed)
{
	ck_assert(!visit());
	for (int i = 0; i < 3; i++)
		ck_assert(visit());
}
END_TEST

START_TEST(a_ticket_is_used_up_and_the_number_of_them_is_bounded)
{
	(void)SSL_CTX_set_num_tickets(p.context->ssl, TLS_SESSIONS_MAX + 2);
	(void)visit();
	ck_assert_uint_eq(tls_remote_sessions(remote), TLS_SESSIONS_MAX);
	connect_to(remote);
	ck_assert_uint_eq(tls_remote_sessions(remote), TLS_SESSIONS_MAX - 1);
	stream_close(&p.client.s);
	stream_close(&p.server.s);
}
END_TEST

START_TEST(a_session_of_1_2_is_used_again)
{
	(void)SSL_CTX_set_max_proto_version(p.context->ssl, TLS1_2_VERSION);
	ck_assert(!visit());
	ck_assert_uint_eq(tls_remote_sessions(remote), 1);
	connect_to(remote);
	ck_assert_uint_eq(tls_remote_sessions(remote), 1);
	stream_close(&p.client.s);
	stream_close(&p.server.s);
	ck_assert(visit());
}
END_TEST

START_TEST(a_session_whose_time_is_over_is_not_shown)
{
	const struct clock *now = loop_clock(p.loop);
	/* the loop sets it anew in its next step */
	struct clock *later = (struct clock *)(uintptr_t)now;

	(void)visit();
	ck_assert_uint_eq(tls_remote_sessions(remote), 2);
	later->wall_us += (int64_t)FIXTURE_DAY_S * 1000000;
	connect_to(remote);
	ck_assert_uint_eq(tls_remote_sessions(remote), 0);
	pair_await(&p, &p.client, STREAM_OPEN);
	ck_assert(!tls_stream_is_resumed(&p.client.s));
	stream_close(&p.client.s);
	stream_close(&p.server.s);
}
END_TEST

START_TEST(what_is_forgotten_is_not_resumed)
{
	(void)visit();
	tls_remote_forget(remote);
	ck_assert_uint_eq(tls_remote_sessions(remote), 0);
	ck_assert(!visit());
}
END_TEST

START_TEST(a_server_of_another_name_is_mistrusted)
{
	struct tls_remote *other =
	    tls_remote_new(client, SPAN_LIT("other.example"));

	connect_to(other);
	pair_await(&p, &p.client, STREAM_DEAD);
	ck_assert(tls_stream_is_mistrusted(&p.client.s));
	ck_assert_str_eq(tls_stream_why(&p.client.s), "hostname mismatch");
	stream_close(&p.client.s);
	ck_assert(!tls_stream_is_mistrusted(&p.client.s));
	tls_remote_free(other);
}
END_TEST

START_TEST(without_trust_anybody_is_believed)
{
	static const struct tls_policy policy = {.is_1_3_only = true};
	struct tls_client *any = tls_client_new(&policy, NULL, "", 0);
	struct tls_remote *other =
	    tls_remote_new(any, SPAN_LIT("other.example"));

	connect_to(other);
	pair_await(&p, &p.client, STREAM_OPEN);
	ck_assert(!tls_stream_is_mistrusted(&p.client.s));
	ck_assert(
	    span_eq(tls_stream_version(&p.client.s), SPAN_LIT("TLSv1.3")));
	stream_close(&p.client.s);
	tls_remote_free(other);
	tls_client_free(any);
}
END_TEST

START_TEST(only_1_3_is_only_1_3)
{
	static const struct tls_policy policy = {.is_1_3_only = true};
	struct tls_client *any = tls_client_new(&policy, NULL, "", 0);
	struct tls_remote *to = tls_remote_new(any, SPAN_LIT("test.example"));

	(void)SSL_CTX_set_max_proto_version(p.context->ssl, TLS1_2_VERSION);
	connect_to(to);
	pair_await(&p, &p.client, STREAM_DEAD);
	stream_close(&p.client.s);
	tls_remote_free(to);
	tls_client_free(any);
}
END_TEST

START_TEST(the_protocol_is_one_of_the_offered)
{
	connect_to(remote);
	pair_await(&p, &p.client, STREAM_OPEN);
	ck_assert(span_eq(tls_stream_alpn(&p.client.s), SPAN_LIT("http/1.1")));
	ck_assert(tls_stream_alpn_is_offered(&p.client.s, ALPN, ALPN_LEN));
	ck_assert(!tls_stream_alpn_is_offered(&p.client.s, "\x02h2", 3));
	ck_assert(!tls_stream_alpn_is_offered(&p.client.s, "", 0));
}
END_TEST

START_TEST(a_file_without_authorities_is_refused)
{
	struct tls_problem why;

	ck_assert_ptr_null(tls_trust_new("/dev/null", &why));
	ck_assert_ptr_nonnull(strstr(why.text, "no certificate"));
	ck_assert_ptr_null(tls_trust_new("/no/such/file", &why));
	ck_assert_ptr_nonnull(strstr(why.text, "cannot be opened"));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_first_is_a_full_handshake_and_the_others_are_resumed,
	    a_ticket_is_used_up_and_the_number_of_them_is_bounded,
	    a_session_of_1_2_is_used_again,
	    a_session_whose_time_is_over_is_not_shown,
	    what_is_forgotten_is_not_resumed,
	    a_server_of_another_name_is_mistrusted,
	    without_trust_anybody_is_believed,
	    only_1_3_is_only_1_3,
	    the_protocol_is_one_of_the_offered,
	    a_file_without_authorities_is_refused,
	};

	return unit_run_in(
	    "tls_client", tests, NELEMS(tests), set_up, tear_down);
}
