/* TLS streams: what is told, what reading and writing answer, what a cut is,
 * and that nothing is lost on the way. */
#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>

#include "t/unit/tls_fixture.h"
#include "t/unit/unit.h"

#define BULK ((size_t)1 << 20)

static struct tls_pair p;

static struct tls_stream *
stream_impl(const struct stream *s)
{
	return s->impl;
}

static void
set_up(void)
{
	pair_init(&p);
}

static void
tear_down(void)
{
	pair_fini(&p);
}

START_TEST(both_ends_are_told_when_the_handshake_is_through)
{
	struct tls_facts *f;

	pair_shake(&p);
	ck_assert(!stream_can_splice(&p.server.s));
	ck_assert_span_eq(tls_stream_alpn(&p.client.s), "http/1.1");
	f = tls_facts_new(&p.server.s);
	ck_assert_span_eq(f->version, "TLSv1.3");
	ck_assert_span_eq(f->sni, "test.example");
	ck_assert_span_eq(f->alpn, "http/1.1");
	ck_assert_ptr_null(f->proof);
	ck_assert(!f->is_resumed);
	tls_facts_free(f);
	f = tls_facts_new(&p.client.s);
	ck_assert_ptr_nonnull(f->proof);
	ck_assert_span_eq(f->proof->subject, "CN=test.example");
	ck_assert_span_eq(f->proof->serial, "01");
	ck_assert_uint_eq(f->proof->fingerprint.len, 64);
	tls_facts_free(f);
}
END_TEST

START_TEST(what_one_says_the_other_hears)
{
	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "hello"), 5);
	end_hears(&p, &p.server, "hello");
	ck_assert_int_eq(end_say(&p.server, "good day"), 8);
	end_hears(&p, &p.client, "good day");
}
END_TEST

/* The kernel is not asked again after a read that drained the socket. */
START_TEST(a_record_that_was_read_leaves_nothing_to_ask_for)
{
	char room[64];

	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "hello"), 5);
	pair_await(&p, &p.server, STREAM_READABLE);
	ck_assert_int_eq(stream_read(&p.server.s, room, sizeof(room)), 5);
	ck_assert(!p.server.s.may_read);
	ck_assert_int_eq(
	    stream_read(&p.server.s, room, sizeof(room)), STREAM_RC_AGAIN);
}
END_TEST

/* A record that is read in pieces leaves the rest with OpenSSL, which no event
 * of the socket tells of. */
START_TEST(what_is_decrypted_already_can_still_be_read)
{
	char room[4];

	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "abcdef"), 6);
	pair_await(&p, &p.server, STREAM_READABLE);
	ck_assert_int_eq(stream_read(&p.server.s, room, 4), 4);
	ck_assert(p.server.s.may_read);
	ck_assert_int_eq(stream_read(&p.server.s, room, 4), 2);
	ck_assert_mem_eq(room, "ef", 2);
	ck_assert(!p.server.s.may_read);
}
END_TEST

/* Pieces of all sizes to a reader that reads now and then: as much as fits,
 * then an event, then the rest. A write is taken whole only when all of it is
 * with the kernel. */
START_TEST(no_byte_is_lost_or_doubled_when_the_reader_is_slow)
{
	char *text = malloc(BULK);
	char *got = malloc(BULK);
	size_t out = 0;
	size_t in = 0;
	unsigned n_again = 0;

	ck_assert(text != NULL && got != NULL);
	for (size_t i = 0; i < BULK; i++)
		text[i] = (char)(i * 31 >> 3);
	pair_shake(&p);
	while (in < BULK) {
		size_t a = (BULK - out) / 3;
		struct iovec iov[3] = {{text + out, a}, {text + out + a, a},
		    {text + out + 2 * a, BULK - out - 2 * a}};
		ssize_t n = 0;

		if (out < BULK)
			n = stream_writev(&p.client.s, iov, 3);
		if (n > 0) {
			out += (size_t)n;
			if (out == BULK)
				ck_assert_uint_eq(
				    stream_impl(&p.client.s)->left_len, 0);
			continue;
		}
		if (n != 0)
			ck_assert_int_eq(n, STREAM_RC_AGAIN);
		ck_assert(out == BULK || !p.client.s.may_write);
		n_again++;
		loop_step(p.loop, 0);
		while ((n = stream_read(&p.server.s, got + in, BULK - in)) > 0)
			in += (size_t)n;
		loop_step(p.loop, 0);
	}
	ck_assert_uint_gt(n_again, 1);
	ck_assert_mem_eq(text, got, BULK);
	free(text);
	free(got);
}
END_TEST

START_TEST(an_end_in_order_is_the_end)
{
	char room[16];

	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "bye"), 3);
	ck_assert_int_eq(stream_shutdown(&p.client.s), 0);
	pair_await(&p, &p.server, STREAM_READABLE);
	ck_assert_int_eq(stream_read(&p.server.s, room, sizeof(room)), 3);
	ck_assert_int_eq(
	    stream_read(&p.server.s, room, sizeof(room)), STREAM_RC_EOF);
	ck_assert_int_eq(
	    stream_read(&p.server.s, room, sizeof(room)), STREAM_RC_EOF);
	/* the other direction stays open */
	ck_assert_int_eq(end_say(&p.server, "still here"), 10);
	end_hears(&p, &p.client, "still here");
}
END_TEST

START_TEST(a_close_is_an_end_in_order)
{
	char room[16];

	pair_shake(&p);
	stream_close(&p.client.s);
	pair_await(&p, &p.server, STREAM_READABLE);
	ck_assert_int_eq(
	    stream_read(&p.server.s, room, sizeof(room)), STREAM_RC_EOF);
}
END_TEST

/* RFC 8446 6.1: without close_notify it may be an attacker who cut. */
START_TEST(a_cut_is_an_error)
{
	char room[16];

	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "half a"), 6);
	ck_assert_int_eq(shutdown(p.client.s.watch.fd, SHUT_RDWR), 0);
	pair_await(&p, &p.server, STREAM_READABLE);
	ck_assert_int_eq(stream_read(&p.server.s, room, sizeof(room)), 6);
	ck_assert_int_eq(
	    stream_read(&p.server.s, room, sizeof(room)), STREAM_RC_ERROR);
	ck_assert_int_eq(stream_errno(&p.server.s), ECONNRESET);
}
END_TEST

START_TEST(a_reset_sends_no_close_notify)
{
	char room[16];

	pair_shake(&p);
	stream_reset(&p.client.s);
	pair_await(&p, &p.server, STREAM_READABLE);
	ck_assert_int_eq(
	    stream_read(&p.server.s, room, sizeof(room)), STREAM_RC_ERROR);
}
END_TEST

START_TEST(what_is_no_tls_is_dead_and_says_why)
{
	char room[64];
	int raw;

	pair_open(&p, &raw, NULL);
	ck_assert_int_eq(write(raw, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	pair_accept(&p, span_of(NULL, 0));
	ck_assert_str_eq(tls_stream_why(&p.server.s), "http request");
	ck_assert_int_eq(tls_stream_failure(&p.server.s), TLS_FAILURE_PROTOCOL);
	stream_close(&p.server.s);
	while (read(raw, room, sizeof(room)) > 0)
		;
	(void)close(raw);
}
END_TEST

START_TEST(a_client_that_leaves_in_the_handshake_is_told_as_such)
{
	int raw;

	pair_open(&p, &raw, NULL);
	pair_accept(&p, span_of(NULL, 0));
	ck_assert_int_eq(write(raw, "\x16\x03\x01\x02", 4), 4);
	loop_step(p.loop, FIXTURE_STEP_MS);
	(void)close(raw);
	pair_await(&p, &p.server, STREAM_DEAD);
	ck_assert_int_eq(tls_stream_failure(&p.server.s), TLS_FAILURE_CUT);
}
END_TEST

START_TEST(a_certificate_for_another_name_is_refused)
{
	pair_open(&p, NULL, NULL);
	pair_accept(&p, span_of(NULL, 0));
	pair_connect(&p, SPAN_LIT("other.example"));
	pair_await(&p, &p.client, STREAM_DEAD);
	ck_assert_int_eq(
	    tls_stream_failure(&p.client.s), TLS_FAILURE_CERTIFICATE);
	ck_assert_str_eq(tls_stream_why(&p.client.s), "hostname mismatch");
	/* the server hears of it by an alert */
	pair_await(&p, &p.server, STREAM_DEAD | STREAM_OPEN);
}
END_TEST

START_TEST(an_address_is_looked_for_as_an_address)
{
	pair_open(&p, NULL, NULL);
	pair_accept(&p, span_of(NULL, 0));
	pair_connect(&p, SPAN_LIT("127.0.0.1"));
	pair_await(&p, &p.client, STREAM_OPEN);
}
END_TEST

/* Move what one socket has to another, `step` bytes at a time, so that every
 * boundary falls inside of a record. */
static void
relay(int from, int to, size_t step)
{
	char room[64];
	ssize_t n;

	ck_assert_uint_le(step, sizeof(room));
	while ((n = read(from, room, step)) > 0) {
		ck_assert_int_eq(write(to, room, (size_t)n), n);
		loop_step(p.loop, 0);
	}
}

static void
shake_in_steps(size_t step)
{
	int c[2];
	int s[2];

	/* a client reads them with content only; here they would fill the
	 * socket */
	(void)SSL_CTX_set_num_tickets(p.context->ssl, 0);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, c), 0);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
	ck_assert_int_eq(
	    stream_open_fd(&p.server.s, p.loop, s[0], tls_end_told, &p.server),
	    0);
	ck_assert_int_eq(
	    stream_open_fd(&p.client.s, p.loop, c[0], tls_end_told, &p.client),
	    0);
	pair_accept(&p, span_of(NULL, 0));
	pair_connect(&p, SPAN_LIT("test.example"));
	for (int i = 0; !p.server.is_shaken || !p.client.is_shaken; i++) {
		ck_assert_int_lt(i, 100);
		relay(c[1], s[1], step);
		relay(s[1], c[1], step);
	}
	ck_assert_int_eq(end_say(&p.client, "in small steps"), 14);
	relay(c[1], s[1], step);
	end_hears(&p, &p.server, "in small steps");
	(void)close(c[1]);
	(void)close(s[1]);
}

START_TEST(a_handshake_may_come_a_byte_at_a_time)
{
	shake_in_steps(1);
}
END_TEST

START_TEST(a_handshake_may_come_in_odd_pieces)
{
	shake_in_steps(53);
}
END_TEST

/* Bytes that the owner read behind a PROXY header are the handshake's. */
START_TEST(what_was_read_already_is_part_of_the_handshake)
{
	char room[64];
	ssize_t n;
	int raw;

	pair_open(&p, NULL, &raw);
	pair_connect(&p, SPAN_LIT("test.example"));
	n = read(raw, room, sizeof(room));
	ck_assert_int_eq(n, sizeof(room));
	ck_assert_int_eq(
	    stream_open_fd(&p.server.s, p.loop, raw, tls_end_told, &p.server),
	    0);
	pair_accept(&p, span_of(room, (size_t)n));
	pair_await(&p, &p.server, STREAM_OPEN);
	pair_await(&p, &p.client, STREAM_OPEN);
}
END_TEST

/* Session tickets of TLS 1.3 come after the handshake and are no content. */
START_TEST(tickets_leave_a_connection_fresh_and_content_does_not)
{
	pair_shake(&p);
	ck_assert(stream_is_fresh(&p.client.s));
	ck_assert(!p.client.s.may_read);
	ck_assert_int_eq(end_say(&p.server, "x"), 1);
	ck_assert(!stream_is_fresh(&p.client.s));
	end_hears(&p, &p.client, "x");
	ck_assert(stream_is_fresh(&p.client.s));
	stream_close(&p.server.s);
	ck_assert(!stream_is_fresh(&p.client.s));
}
END_TEST

START_TEST(an_idle_stream_holds_no_buffer)
{
	const struct tls_stream *t;

	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "hello"), 5);
	end_hears(&p, &p.server, "hello");
	t = stream_impl(&p.server.s);
	ck_assert_ptr_null(t->left);
	ck_assert_ptr_null(t->early);
	ck_assert_int_eq(SSL_has_pending(t->ssl), 0);
}
END_TEST

/* RFC 8446 4.6.3: a peer may ask for new keys, but not for our CPU. */
START_TEST(who_asks_for_new_keys_without_end_is_cut)
{
	struct tls_stream *c;
	char room[16];
	ssize_t n = STREAM_RC_AGAIN;

	pair_shake(&p);
	c = stream_impl(&p.client.s);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(
		    SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(c->ssl), 1);
		ck_assert_int_eq(tls_flush(c), 0);
	}
	for (int i = 0; n == STREAM_RC_AGAIN; i++) {
		ck_assert_int_lt(i, 100);
		loop_step(p.loop, 0);
		n = stream_read(&p.server.s, room, sizeof(room));
	}
	ck_assert_int_eq(n, STREAM_RC_ERROR);
	ck_assert_str_eq(
	    tls_stream_why(&p.server.s), "too many handshake messages");
}
END_TEST

START_TEST(nothing_is_told_after_the_close)
{
	pair_shake(&p);
	ck_assert_int_eq(end_say(&p.client, "x"), 1);
	p.server.n_told = 0;
	stream_close(&p.server.s);
	stream_close(&p.server.s);
	loop_step(p.loop, 0);
	ck_assert_uint_eq(p.server.n_told, 0);
	ck_assert_int_eq(end_say(&p.server, "x"), STREAM_RC_AGAIN);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    both_ends_are_told_when_the_handshake_is_through,
	    what_one_says_the_other_hears,
	    a_record_that_was_read_leaves_nothing_to_ask_for,
	    what_is_decrypted_already_can_still_be_read,
	    no_byte_is_lost_or_doubled_when_the_reader_is_slow,
	    an_end_in_order_is_the_end,
	    a_close_is_an_end_in_order,
	    a_cut_is_an_error,
	    a_reset_sends_no_close_notify,
	    what_is_no_tls_is_dead_and_says_why,
	    a_client_that_leaves_in_the_handshake_is_told_as_such,
	    a_certificate_for_another_name_is_refused,
	    an_address_is_looked_for_as_an_address,
	    a_handshake_may_come_a_byte_at_a_time,
	    a_handshake_may_come_in_odd_pieces,
	    what_was_read_already_is_part_of_the_handshake,
	    tickets_leave_a_connection_fresh_and_content_does_not,
	    an_idle_stream_holds_no_buffer,
	    who_asks_for_new_keys_without_end_is_cut,
	    nothing_is_told_after_the_close,
	};

	return unit_run_in(
	    "tls_stream", tests, NELEMS(tests), set_up, tear_down);
}
