/* Byte streams over socket pairs and the loopback: what is told, what reading
 * and writing answer, and that nothing is lost or told after the end. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/sock.h"
#include "common/net/stream.h"
#include "t/unit/unit.h"

#define STEP_MS 30000
#define BULK ((size_t)1 << 20)

static struct loop *loop;
static struct stream s;
static unsigned told;
static unsigned n_told;
/* The other end. */
static int peer;

static void
on_stream(void *self, unsigned events)
{
	ck_assert_ptr_eq(self, &s);
	ck_assert_uint_ne(events, 0);
	told |= events;
	n_told++;
}

static void
set_up(void)
{
	int ends[2];

	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	peer = ends[1];
	ck_assert_int_eq(stream_open_fd(&s, loop, ends[0], on_stream, &s), 0);
	told = n_told = 0;
}

static void
tear_down(void)
{
	stream_close(&s);
	if (peer >= 0)
		(void)close(peer);
	loop_free(loop);
}

/* Turn the loop until something of `events` was told. */
static void
await(unsigned events)
{
	for (int i = 0; (told & events) == 0; i++) {
		ck_assert_int_lt(i, 100);
		loop_step(loop, STEP_MS);
	}
	told = 0;
}

static void
peer_says(const char *text)
{
	ck_assert_int_eq(write(peer, text, strlen(text)), strlen(text));
}

static ssize_t
say(const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	return stream_writev(&s, &iov, 1);
}

START_TEST(a_new_stream_asks_the_kernel_after_an_event_only)
{
	char c;

	peer_says("x");
	ck_assert_int_eq(stream_read(&s, &c, 1), STREAM_RC_AGAIN);
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, &c, 1), 1);
	ck_assert_int_eq(c, 'x');
}
END_TEST

/* A stream whose events are told late: it is the fixture's from now on. */
static void
reopen_late(void)
{
	int fd = stream_take_fd(&s);

	stream_open_late(&s, loop, fd, on_stream, &s);
}

START_TEST(a_late_stream_is_read_at_once)
{
	char room[4];

	reopen_late();
	peer_says("ab");
	ck_assert_int_eq(stream_read(&s, room, 4), 2);
	ck_assert_int_eq(say("c"), 1);
	ck_assert(list_is_linked(&s.watch.late));
	ck_assert_uint_eq(n_told, 0);
	/* nothing more: this is a wait */
	ck_assert_int_eq(stream_read(&s, room, 4), STREAM_RC_AGAIN);
	ck_assert(!list_is_linked(&s.watch.late));
	peer_says("d");
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, 4), 1);
}
END_TEST

START_TEST(the_end_behind_a_late_streams_short_read_is_told)
{
	char room[4];

	reopen_late();
	peer_says("ab");
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	ck_assert_int_eq(stream_read(&s, room, 4), 2);
	ck_assert_int_eq(stream_read(&s, room, 4), STREAM_RC_AGAIN);
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, 4), STREAM_RC_EOF);
}
END_TEST

START_TEST(a_late_stream_that_is_full_waits_for_room)
{
	static char bulk[BULK];
	struct iovec iov = {bulk, sizeof(bulk)};
	char room[4096];

	reopen_late();
	ck_assert_int_lt(stream_writev(&s, &iov, 1), (ssize_t)BULK);
	ck_assert(!list_is_linked(&s.watch.late));
	while (read(peer, room, sizeof(room)) > 0)
		;
	await(STREAM_WRITABLE);
	ck_assert(s.may_write);
}
END_TEST

START_TEST(a_full_read_goes_on_and_a_short_one_waits)
{
	char room[4];

	peer_says("abcdef");
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, 4), 4);
	ck_assert(s.may_read);
	ck_assert_int_eq(stream_read(&s, room, 4), 2);
	ck_assert_mem_eq(room, "ef", 2);
	ck_assert(!s.may_read);
	/* what comes now is told, though nobody asked the kernel since */
	peer_says("g");
	ck_assert_int_eq(stream_read(&s, room, 4), STREAM_RC_AGAIN);
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, 4), 1);
}
END_TEST

START_TEST(a_read_that_empties_the_socket_exactly_is_followed_by_again)
{
	char room[3];

	peer_says("abc");
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, 3), 3);
	ck_assert_int_eq(stream_read(&s, room, 3), STREAM_RC_AGAIN);
	ck_assert(!s.may_read);
}
END_TEST

/* A byte at a time is the same stream. */
START_TEST(every_byte_arrives_in_its_order)
{
	char c;

	for (int i = 0; i < 300; i++) {
		char text[2] = {(char)('a' + i % 26), '\0'};

		peer_says(text);
		await(STREAM_READABLE);
		ck_assert_int_eq(stream_read(&s, &c, 1), 1);
		ck_assert_int_eq(c, text[0]);
		ck_assert_int_eq(stream_read(&s, &c, 1), STREAM_RC_AGAIN);
	}
}
END_TEST

START_TEST(the_peers_end_comes_after_all_it_sent)
{
	char room[16];

	peer_says("last words");
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	await(STREAM_READABLE);
	ck_assert(s.got_rdhup);
	/* a short read with the end behind it: no event will tell of that */
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), 10);
	ck_assert(s.may_read);
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), STREAM_RC_EOF);
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), STREAM_RC_EOF);
	/* our direction still works */
	ck_assert_int_eq(say("x"), 1);
	ck_assert_int_eq(read(peer, room, sizeof(room)), 1);
}
END_TEST

START_TEST(an_end_after_a_short_read_is_told)
{
	char room[16];

	peer_says("abc");
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), 3);
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), STREAM_RC_AGAIN);
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), STREAM_RC_EOF);
}
END_TEST

START_TEST(our_end_leaves_the_other_direction_open)
{
	char room[16];

	ck_assert_int_eq(say("bye"), 3);
	ck_assert_int_eq(stream_shutdown(&s), 0);
	ck_assert_int_eq(say("more"), STREAM_RC_AGAIN);
	ck_assert_int_eq(read(peer, room, sizeof(room)), 3);
	ck_assert_int_eq(read(peer, room, sizeof(room)), 0);
	peer_says("still here");
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, room, sizeof(room)), 10);
}
END_TEST

/* As much as the kernel takes, then an event, then the rest: no byte is lost
 * or sent twice. */
START_TEST(a_short_write_waits_for_room)
{
	char *text = malloc(BULK);
	char *got = malloc(BULK);
	size_t out = 0;
	size_t in = 0;
	unsigned n_again = 0;

	ck_assert(text != NULL && got != NULL);
	for (size_t i = 0; i < BULK; i++)
		text[i] = (char)(i * 31 >> 3);
	while (out < BULK) {
		struct iovec iov[2] = {{text + out, (BULK - out) / 2},
		    {text + out + (BULK - out) / 2,
			BULK - out - (BULK - out) / 2}};
		ssize_t n = stream_writev(&s, iov, 2);

		if (n > 0) {
			out += (size_t)n;
			ck_assert_int_eq(s.may_write, out == BULK);
			continue;
		}
		ck_assert_int_eq(n, STREAM_RC_AGAIN);
		ck_assert(!s.may_write);
		n_again++;
		while ((n = read(peer, got + in, BULK - in)) > 0)
			in += (size_t)n;
		await(STREAM_WRITABLE);
	}
	while (in < BULK) {
		ssize_t n = read(peer, got + in, BULK - in);

		ck_assert_int_gt(n, 0);
		in += (size_t)n;
	}
	ck_assert_uint_gt(n_again, 0);
	ck_assert_mem_eq(text, got, BULK);
	free(text);
	free(got);
}
END_TEST

START_TEST(writing_to_a_peer_that_left_is_an_error_and_no_signal)
{
	char c;

	peer_says("x");
	(void)close(peer);
	peer = -1;
	ck_assert_int_eq(say("y"), STREAM_RC_ERROR);
	ck_assert_int_eq(stream_errno(&s), EPIPE);
	ck_assert_int_eq(say("y"), STREAM_RC_AGAIN);
	await(STREAM_DEAD);
	/* what it had sent can still be read */
	ck_assert_int_eq(stream_read(&s, &c, 1), 1);
	ck_assert_int_eq(stream_read(&s, &c, 1), STREAM_RC_EOF);
}
END_TEST

START_TEST(nothing_is_told_after_the_close)
{
	char c;

	peer_says("x");
	stream_close(&s);
	ck_assert(stream_is_closed(&s));
	stream_close(&s);
	stream_reset(&s);
	loop_step(loop, 0);
	ck_assert_uint_eq(n_told, 0);
	ck_assert_int_eq(stream_read(&s, &c, 1), STREAM_RC_AGAIN);
	ck_assert_int_eq(say("x"), STREAM_RC_AGAIN);
}
END_TEST

START_TEST(a_descriptor_can_be_handed_on)
{
	char c;
	int fd;

	ck_assert(stream_can_splice(&s));
	fd = stream_take_fd(&s);
	ck_assert(stream_is_closed(&s));
	peer_says("x");
	loop_step(loop, 0);
	ck_assert_uint_eq(n_told, 0);
	ck_assert_int_eq(read(fd, &c, 1), 1);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* --- over TCP: connecting, and the end by a reset ------------------------- */

static int
listen_here(struct sock_addr *a)
{
	int fd;

	ck_assert(sock_addr_parse(SPAN_LIT("127.0.0.1:0"), a));
	fd = sock_listen(a, false, 16);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sock_local(fd, a), 0);
	return fd;
}

/* The stream of set_up() makes room for one that connects. */
static void
connect_to(const struct sock_addr *a)
{
	bool is_done;
	int fd = sock_connect(a, &is_done);

	ck_assert_int_ge(fd, 0);
	stream_close(&s);
	(void)close(peer);
	peer = -1;
	told = n_told = 0;
	ck_assert_int_eq(
	    stream_open_connecting(&s, loop, fd, on_stream, &s), 0);
	ck_assert(!s.is_open);
}

static void
accept_peer(int listening)
{
	struct sock_addr from;

	for (int i = 0; peer < 0; i++) {
		ck_assert_int_lt(i, 100);
		peer = sock_accept(listening, &from);
		if (peer < 0)
			loop_step(loop, 10);
	}
}

START_TEST(a_connection_is_open_when_that_was_told)
{
	struct sock_addr a;
	int listening = listen_here(&a);
	char c;

	connect_to(&a);
	ck_assert_int_eq(say("x"), STREAM_RC_AGAIN);
	await(STREAM_OPEN);
	ck_assert(s.is_open);
	accept_peer(listening);
	ck_assert_int_eq(say("x"), 1);
	peer_says("y");
	await(STREAM_READABLE);
	ck_assert_int_eq(stream_read(&s, &c, 1), 1);
	(void)close(listening);
}
END_TEST

START_TEST(a_refused_connection_is_dead_and_says_why)
{
	struct sock_addr a;
	int listening = listen_here(&a);

	(void)close(listening);
	connect_to(&a);
	loop_step(loop, STEP_MS);
	ck_assert_uint_eq(told, STREAM_DEAD);
	ck_assert(!s.is_open);
	ck_assert_int_eq(stream_errno(&s), ECONNREFUSED);
}
END_TEST

START_TEST(a_reset_is_an_error_at_the_other_end)
{
	struct sock_addr a;
	int listening = listen_here(&a);
	struct stream theirs;
	struct loop *l = loop_new();
	char room[4];
	ssize_t n = STREAM_RC_AGAIN;

	connect_to(&a);
	await(STREAM_OPEN);
	accept_peer(listening);
	told = 0;
	ck_assert_int_eq(stream_open_fd(&theirs, l, peer, on_stream, &s), 0);
	peer = -1;
	ck_assert_int_eq(say("abc"), 3);
	stream_reset(&s);
	for (int i = 0; n == STREAM_RC_AGAIN; i++) {
		ck_assert_int_lt(i, 100);
		loop_step(l, STEP_MS);
		do {
			n = stream_read(&theirs, room, sizeof(room));
		} while (n > 0);
	}
	ck_assert_int_eq(n, STREAM_RC_ERROR);
	ck_assert_int_eq(stream_errno(&theirs), ECONNRESET);
	ck_assert_int_eq(
	    stream_read(&theirs, room, sizeof(room)), STREAM_RC_AGAIN);
	stream_close(&theirs);
	loop_free(l);
	(void)close(listening);
}
END_TEST

/* A file that nobody else knows, with this text. */
static int
file_with(const char *text)
{
	char name[] = "/tmp/gh-stream-XXXXXX";
	int fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void
peer_hears(const char *want)
{
	char got[64];
	ssize_t n = read(peer, got, sizeof(got));

	ck_assert_int_eq(n, strlen(want));
	ck_assert_mem_eq(got, want, n);
}

START_TEST(a_part_of_a_file_follows_the_head_that_waited_for_it)
{
	int fd = file_with("0123456789");
	struct iovec iov = {(void *)(uintptr_t) "head ", 5};

	ck_assert_int_eq(stream_writev_more(&s, &iov, 1), 5);
	ck_assert_int_eq(stream_send_file(&s, fd, 3, 4), 4);
	peer_hears("head 3456");
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(a_file_that_has_no_more_is_no_error_of_the_stream)
{
	int fd = file_with("0123456789");

	ck_assert_int_eq(stream_send_file(&s, fd, 8, 100), 2);
	ck_assert_int_eq(stream_send_file(&s, fd, 10, 100), 0);
	peer_hears("89");
	ck_assert_int_eq(say("more"), 4);
	peer_hears("more");
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(a_file_waits_for_room_and_learns_that_the_peer_is_gone)
{
	int fd = file_with("");
	uint64_t off = 0;
	ssize_t n;

	ck_assert_int_eq(ftruncate(fd, 2 * (off_t)BULK), 0);
	while ((n = stream_send_file(&s, fd, off, BULK)) > 0)
		off += (uint64_t)n;
	ck_assert_int_eq(n, STREAM_RC_AGAIN);
	ck_assert_uint_lt(off, 2 * BULK);
	told = 0;
	/* as a worker does: sendfile(2) has no flag against it */
	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(close(peer), 0);
	peer = -1;
	await(STREAM_WRITABLE | STREAM_DEAD);
	ck_assert_int_eq(stream_send_file(&s, fd, off, BULK), STREAM_RC_ERROR);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_new_stream_asks_the_kernel_after_an_event_only,
	    a_late_stream_is_read_at_once,
	    the_end_behind_a_late_streams_short_read_is_told,
	    a_late_stream_that_is_full_waits_for_room,
	    a_full_read_goes_on_and_a_short_one_waits,
	    a_read_that_empties_the_socket_exactly_is_followed_by_again,
	    every_byte_arrives_in_its_order,
	    the_peers_end_comes_after_all_it_sent,
	    an_end_after_a_short_read_is_told,
	    our_end_leaves_the_other_direction_open,
	    a_short_write_waits_for_room,
	    writing_to_a_peer_that_left_is_an_error_and_no_signal,
	    nothing_is_told_after_the_close,
	    a_descriptor_can_be_handed_on,
	    a_connection_is_open_when_that_was_told,
	    a_refused_connection_is_dead_and_says_why,
	    a_reset_is_an_error_at_the_other_end,
	    a_part_of_a_file_follows_the_head_that_waited_for_it,
	    a_file_that_has_no_more_is_no_error_of_the_stream,
	    a_file_waits_for_room_and_learns_that_the_peer_is_gone,
	};

	return unit_run_in("stream", tests, NELEMS(tests), set_up, tear_down);
}
