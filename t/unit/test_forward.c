/* Where a forward proxy may go: which addresses of an answer are left, and what a
 * target becomes. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/forward/forward_int.h"

#define DENY \
	"[listen p]\naddress = 127.0.0.1:3128 192.0.2.9:81 [2001:db8::9]:82\n" \
	"mode = forward\npolicy = f\n[forward f]\nallow = all\n"
#define TAKEN \
	"[listen p]\naddress = 127.0.0.1:3129\nmode = transparent\npolicy = " \
	"f\n" \
	"[forward f]\nallow = all\n"
#define ALLOW DENY "private_networks = allow\n"

/* The addresses that are left of these, as text. */
static const char *
left(const char *conf, const char *url, const char *const *texts, uint32_t n)
{
	struct fixture *f = fixture_new(conf);
	struct exch *x = fixture_request(f, url);
	static char out[1024];
	struct ip ips[32];

	ck_assert_int_eq(stage_target(x), VERDICT_NEXT);
	for (uint32_t i = 0; i < n; i++)
		ck_assert(ip_parse(span_str(texts[i]), &ips[i]));
	forward_judge(x, ips, n);
	out[0] = '\0';
	for (uint32_t i = 0; i < x->destination->n_ips; i++) {
		char text[IP_TEXT_CAP];

		(void)ip_format(&x->destination->ips[i], text);
		(void)strcat(strcat(out, i > 0 ? " " : ""), text);
	}
	ck_assert(x->destination->is_resolved);
	ck_assert(
	    (x->destination->n_ips > 0) == (forward_request(x)->why == F_NONE));
	fixture_free(f);
	return out;
}

#define REQUEST(port) "GET http://a.test:" port "/ HTTP/1.1\r\nHost: b\r\n\r\n"
#define LEFT(conf, port, ...) \
	left(conf, REQUEST(port), (const char *const[]){__VA_ARGS__}, \
	    NELEMS(((const char *const[]){__VA_ARGS__})))

START_TEST(addresses_of_the_internet_are_left_of_an_answer)
{
	ck_assert_str_eq(LEFT(DENY, "80", "127.0.0.1", "8.8.8.8"), "8.8.8.8");
	ck_assert_str_eq(
	    LEFT(DENY, "80", "::1", "10.0.0.1", "2606:4700::1", "1.1.1.1"),
	    "2606:4700::1 1.1.1.1");
	ck_assert_str_eq(LEFT(DENY, "80", "127.0.0.1", "fd00::1"), "");
	ck_assert_str_eq(
	    LEFT(ALLOW, "80", "127.0.0.1", "fd00::1"), "fd00::1 127.0.0.1");
}
END_TEST

START_TEST(both_families_find_room)
{
	ck_assert_str_eq(LEFT(DENY, "80", "2606::1", "2606::2", "2606::3",
			     "2606::4", "2606::5", "2606::6", "2606::7",
			     "2606::8", "2606::9", "1.1.1.1"),
	    "2606::1 1.1.1.1 2606::2 2606::3 2606::4 2606::5 2606::6 2606::7");
}
END_TEST

START_TEST(own_listens_are_nowhere)
{
	ck_assert_str_eq(
	    LEFT(ALLOW, "3128", "127.0.0.1", "127.0.0.2"), "127.0.0.2");
	ck_assert_str_eq(
	    LEFT(ALLOW, "81", "192.0.2.9", "127.0.0.1"), "127.0.0.1");
	ck_assert_str_eq(LEFT(ALLOW, "82", "2001:db8::9"), "");
	ck_assert_str_eq(LEFT(ALLOW, "83", "2001:db8::9"), "2001:db8::9");
}
END_TEST

START_TEST(a_target_says_what_its_fields_say)
{
	struct fixture *f = fixture_new(DENY);
	struct exch *x = fixture_request(
	    f, "GET http://A.Test.:8080/x?y HTTP/1.1\r\nHost: b\r\n\r\n");

	ck_assert_int_eq(stage_target(x), VERDICT_NEXT);
	ck_assert_span_eq(x->destination->host, "a.test");
	ck_assert_uint_eq(x->destination->port, 8080);
	ck_assert_span_eq(x->req.host, "a.test");
	ck_assert_span_eq(x->req.authority, "a.test:8080");
	ck_assert_span_eq(x->path, "/x");
	ck_assert(!x->destination->is_literal);
	x = fixture_request(
	    f, "CONNECT [::0:1]:443 HTTP/1.1\r\nHost: b\r\n\r\n");
	ck_assert_int_eq(stage_target(x), VERDICT_NEXT);
	ck_assert_span_eq(x->destination->host, "::1");
	ck_assert_span_eq(x->req.authority, "[::1]:443");
	ck_assert(x->destination->is_literal);
	ck_assert(x->wants_close);
	x = fixture_request(f, "GET http://[::1]/ HTTP/1.1\r\nHost: b\r\n\r\n");
	ck_assert_int_eq(stage_target(x), VERDICT_NEXT);
	ck_assert_span_eq(x->req.authority, "[::1]");
	fixture_free(f);
}
END_TEST

/* An intercepted request, that was going to this address and port. */
static enum verdict
taken(struct fixture *f, const char *head, const char *ip, uint16_t port)
{
	struct exch *x = fixture_request(f, head);

	x->client.is_intercepted = ip != NULL;
	if (ip != NULL)
		ck_assert(ip_parse(span_str(ip), &x->client.sent_to));
	x->client.local_port = port;
	return stage_target(x);
}

START_TEST(an_intercepted_request_goes_where_it_was_going)
{
	struct fixture *f = fixture_new(TAKEN);
	struct exch_destination *to;

	ck_assert_int_eq(taken(f, "GET /x HTTP/1.1\r\nHost: A.test\r\n\r\n",
			     "1.2.3.4", 8080),
	    VERDICT_NEXT);
	to = f->x->destination;
	ck_assert_span_eq(to->host, "a.test");
	ck_assert_uint_eq(to->port, 8080);
	ck_assert(to->is_claimed && !to->is_literal);
	ck_assert_span_eq(f->x->req.authority, "a.test:8080");
	ck_assert_span_eq(f->x->client.scheme, "http");
	ck_assert_int_eq(to->resolve(f->x), VERDICT_NEXT);
	ck_assert_uint_eq(to->n_ips, 1);
	ck_assert(ip_eq(&to->ips[0], &f->x->client.sent_to));
	/* an address is its own name, and no other's */
	ck_assert_int_eq(
	    taken(f, "GET / HTTP/1.0\r\n\r\n", "2606::1", 80), VERDICT_NEXT);
	ck_assert_span_eq(f->x->req.authority, "[2606::1]");
	ck_assert(!f->x->destination->is_claimed);
	ck_assert_int_eq(
	    taken(f, "GET / HTTP/1.1\r\nHost: 8.8.8.8\r\n\r\n", "1.2.3.4", 80),
	    VERDICT_NEXT);
	to = f->x->destination;
	ck_assert(to->is_literal && to->is_claimed);
	ck_assert_int_eq(to->resolve(f->x), VERDICT_NEXT);
	ck_assert(ip_eq(&to->ips[0], &f->x->client.sent_to));
	fixture_free(f);
}
END_TEST

START_TEST(what_is_not_meant_for_a_server_is_refused)
{
	static const struct {
		const char *head;
		const char *ip;
		enum fault_id why;
	} rows[] = {
	    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, F_PRIVATE_ADDRESS},
	    {"GET / HTTP/1.1\r\nHost: a:81\r\n\r\n", "1.2.3.4", F_TARGET_HOST},
	    {"GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", "1.2.3.4", F_TARGET_HOST},
	    {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "1.2.3.4",
		F_METHOD_REFUSED},
	    {"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "1.2.3.4",
		F_TARGET_SCHEME},
	    {"GET / HTTP/1.1\r\nHost: 1.2.3\r\n\r\n", "1.2.3.4", F_TARGET_HOST},
	};
	struct fixture *f = fixture_new(TAKEN);

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ck_assert_int_eq(
		    taken(f, rows[i].head, rows[i].ip, 80), VERDICT_FAULT);
		ck_assert_int_eq(f->x->fault, rows[i].why);
	}
	fixture_free(f);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    addresses_of_the_internet_are_left_of_an_answer,
	    both_families_find_room,
	    own_listens_are_nowhere,
	    a_target_says_what_its_fields_say,
	    an_intercepted_request_goes_where_it_was_going,
	    what_is_not_meant_for_a_server_is_refused,
	};

	return unit_run("forward", tests, NELEMS(tests));
}
