/* Addresses of sockets, and sockets themselves on the loopback. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/sock.h"
#include "t/unit/unit.h"

#define WAIT_MS 30000
#define PATH_107 \
	"/xxxxxxxxx/xxxxxxxxx/xxxxxxxxx/xxxxxxxxx/xxxxxxxxx/xxxxxxxxx/xxxxxxx" \
	"xx/xxxxxxxxx/xxxxxxxxx/xxxxxxxxx/xxxxxx"

static bool
parse(span s, struct sock_addr *out)
{
	char *copy = malloc(s.len > 0 ? s.len : 1);
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s.p, s.len);
	ok = sock_addr_parse(span_of(copy, s.len), out);
	free(copy);
	return ok;
}

/* out == NULL: malformed. */
START_TEST(addresses_have_one_form)
{
	static const struct {
		const char *in;
		const char *out;
		int family;
	} rows[] = {
	    {":80", "[::]:80", AF_INET6},
	    {":0", "[::]:0", AF_INET6},
	    {"127.0.0.1:65535", "127.0.0.1:65535", AF_INET},
	    {"[::1]:443", "[::1]:443", AF_INET6},
	    {"[2001:DB8::0]:1", "[2001:db8::]:1", AF_INET6},
	    {"unix:/run/a:b.sock", "unix:/run/a:b.sock", AF_UNIX},
	    {"unix:" PATH_107, "unix:" PATH_107, AF_UNIX},
	    {"unix:" PATH_107 "x", NULL, 0},
	    {"unix:", NULL, 0},
	    {"", NULL, 0},
	    {":", NULL, 0},
	    {"80", NULL, 0},
	    {"127.0.0.1", NULL, 0},
	    {"127.0.0.1:", NULL, 0},
	    {"127.0.0.1:65536", NULL, 0},
	    {"127.0.0.1:-1", NULL, 0},
	    {"127.0.0.1:80 ", NULL, 0},
	    {"127.0.0.1:80:80", NULL, 0},
	    {"127.0.0.256:80", NULL, 0},
	    {"::1:80", NULL, 0},
	    {"[::1]", NULL, 0},
	    {"[::1]80", NULL, 0},
	    {"[::1:80", NULL, 0},
	    {"::1]:80", NULL, 0},
	    {"[:80", NULL, 0},
	    {"]:80", NULL, 0},
	    {"[]:80", NULL, 0},
	    {"[127.0.0.1]:80", NULL, 0},
	    {"[::1%lo]:80", NULL, 0},
	    {"localhost:80", NULL, 0},
	    {"UNIX:/x", NULL, 0},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char text[SOCK_ADDR_TEXT_CAP];
		struct sock_addr a, again;
		bool ok = parse(span_str(rows[i].in), &a);

		ck_assert_msg(ok == (rows[i].out != NULL), "%s", rows[i].in);
		if (!ok)
			continue;
		ck_assert_int_eq(a.u.sa.sa_family, rows[i].family);
		ck_assert_uint_eq(
		    sock_addr_format(&a, text), strlen(rows[i].out));
		ck_assert_str_eq(text, rows[i].out);
		ck_assert(parse(span_str(text), &again));
		ck_assert(sock_addr_eq(&a, &again));
		ck_assert_uint_eq(a.len, again.len);
	}
	ck_assert(!parse(SPAN_LIT("unix:/a\0b"), &(struct sock_addr){0}));
}
END_TEST

START_TEST(an_address_cut_at_every_byte_is_read_within_its_length)
{
	static const char *const texts[] = {"[2001:db8::255.255.255.255]:65535",
	    "255.255.255.255:65535", "unix:/run/x"};

	for (size_t i = 0; i < NELEMS(texts); i++)
		for (size_t len = 0; len < strlen(texts[i]); len++) {
			struct sock_addr a;
			bool ok = parse(span_of(texts[i], len), &a);
			size_t min =
			    strcspn(texts[i], "/") == 5
				? 6
				: (size_t)(strrchr(texts[i], ':') - texts[i]) +
				      2;

			ck_assert_msg(
			    ok == (len >= min), "%.*s", (int)len, texts[i]);
		}
}
END_TEST

START_TEST(equal_is_the_same_family_address_and_port)
{
	static const char *const texts[] = {"1.2.3.4:5", "1.2.3.4:6",
	    "1.2.3.5:5", "[::1]:5", "[::1]:6", ":5", "unix:/a", "unix:/b",
	    "unix:/ab"};

	for (size_t i = 0; i < NELEMS(texts); i++)
		for (size_t k = 0; k < NELEMS(texts); k++) {
			struct sock_addr a, b;

			ck_assert(parse(span_str(texts[i]), &a));
			ck_assert(parse(span_str(texts[k]), &b));
			ck_assert_int_eq(sock_addr_eq(&a, &b), i == k);
		}
}
END_TEST

START_TEST(ip_and_port_come_back_out)
{
	static const char *const texts[] = {"1.2.3.4", "2001:db8::1"};
	struct sock_addr a;
	struct ip ip, again;
	uint16_t port;

	for (size_t i = 0; i < NELEMS(texts); i++) {
		ck_assert(ip_parse(span_str(texts[i]), &ip));
		sock_addr_from_ip(&ip, 8080, &a);
		ck_assert(sock_addr_ip(&a, &again, &port));
		ck_assert(ip_eq(&ip, &again));
		ck_assert_uint_eq(port, 8080);
	}
	ck_assert(parse(SPAN_LIT("unix:/a"), &a));
	ck_assert(!sock_addr_ip(&a, &ip, &port));
}
END_TEST

static bool
ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, WAIT_MS) == 1;
}

static void
check_flags(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

/* Connect to a listening socket on `text` and exchange a byte. */
static void
check_listen(const char *text)
{
	struct sock_addr a, peer, local;
	int on = 0;
	socklen_t len = sizeof(on);
	bool is_done;
	int listening, client, server;
	char c;

	ck_assert(parse(span_str(text), &a));
	listening = sock_listen(&a, false, 16);
	ck_assert_msg(listening >= 0, "%s: %s", text, strerror(errno));
	check_flags(listening);
	ck_assert_int_eq(sock_local(listening, &a), 0);
	client = sock_connect(&a, &is_done);
	ck_assert_int_ge(client, 0);
	check_flags(client);
	ck_assert(ready(client, POLLOUT));
	ck_assert_int_eq(sock_error(client), 0);
	ck_assert(ready(listening, POLLIN));
	server = sock_accept(listening, &peer);
	ck_assert_int_ge(server, 0);
	check_flags(server);
	if (a.u.sa.sa_family != AF_UNIX) {
		ck_assert_int_eq(sock_local(client, &local), 0);
		ck_assert(sock_addr_eq(&peer, &local));
		ck_assert_int_eq(
		    getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		ck_assert_int_ne(on, 0);
	}
	ck_assert_int_eq(write(client, "x", 1), 1);
	ck_assert(ready(server, POLLIN));
	ck_assert_int_eq(read(server, &c, 1), 1);
	ck_assert_int_eq(sock_accept(listening, &peer), -1);
	ck_assert_int_eq(errno, EAGAIN);
	(void)close(client);
	(void)close(server);
	(void)close(listening);
}

START_TEST(a_connection_can_be_made_over_ip)
{
	check_listen("127.0.0.1:0");
}
END_TEST

START_TEST(a_unix_socket_replaces_a_dead_one_only)
{
	char dir[] = "/tmp/gatehouse-test-XXXXXX";
	char text[64];
	struct sock_addr a;
	struct stat st;
	int fd, file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(text, sizeof(text), "unix:%s/s", dir);
	check_listen(text);
	/* its file is left behind */
	ck_assert_int_eq(stat(text + 5, &st), 0);
	check_listen(text);
	ck_assert(parse(span_str(text), &a));
	fd = sock_listen(&a, false, 16);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sock_listen(&a, false, 16), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	(void)close(fd);
	ck_assert_int_eq(unlink(text + 5), 0);
	/* what is no socket stays */
	file = open(text + 5, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(file, 0);
	(void)close(file);
	ck_assert_int_eq(sock_listen(&a, false, 16), -1);
	ck_assert_int_eq(stat(text + 5, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_eq(unlink(text + 5), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_refused_connection_says_why)
{
	struct sock_addr a;
	bool is_done;
	int fd, listening;

	ck_assert(parse(SPAN_LIT("127.0.0.1:0"), &a));
	listening = sock_listen(&a, false, 16);
	ck_assert_int_ge(listening, 0);
	ck_assert_int_eq(sock_local(listening, &a), 0);
	(void)close(listening);
	fd = sock_connect(&a, &is_done);
	if (fd >= 0) {
		ck_assert(ready(fd, POLLOUT));
		ck_assert_int_eq(sock_error(fd), ECONNREFUSED);
		(void)close(fd);
	} else {
		ck_assert_int_eq(errno, ECONNREFUSED);
	}
	ck_assert(parse(SPAN_LIT("unix:/nonexistent/s"), &a));
	ck_assert_int_eq(sock_connect(&a, &is_done), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    addresses_have_one_form,
	    an_address_cut_at_every_byte_is_read_within_its_length,
	    equal_is_the_same_family_address_and_port,
	    ip_and_port_come_back_out,
	    a_connection_can_be_made_over_ip,
	    a_unix_socket_replaces_a_dead_one_only,
	    a_refused_connection_says_why,
	};

	return unit_run("sock", tests, NELEMS(tests));
}
