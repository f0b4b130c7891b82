/* Unit tests of net/dns_reply: SRV and PTR records in replies of name servers.
 */
#include <string.h>

#include "common/base/check.h"
#include "common/base/service_name.h"
#include "common/net/dns_reply.h"
#include "t/unit/unit.h"

#define NAME "_http._tcp.app"
#define QNAME "\5_http\4_tcp\3app"
/* Where the records begin. */
#define HEAD_LEN (12 + sizeof(QNAME) + 4)

struct reply {
	char p[1024];
	size_t len;
};

static void
put(struct reply *r, const char *bytes, size_t len)
{
	ck_assert_uint_le(r->len + len, sizeof(r->p));
	memcpy(r->p + r->len, bytes, len);
	r->len += len;
}

#define PUT(r, literal) put(r, literal, sizeof(literal) - 1)

static void
reply_init(struct reply *r)
{
	r->len = 0;
	PUT(r, "\0\7\x81\x80\0\1\0\0\0\0\0\0" QNAME "\0"
	       "\0\x21\0\1");
}

/* A record of the name at that offset. */
static void
put_record(
    struct reply *r, size_t owner, char type, const char *data, size_t len)
{
	char head[12] = {(char)(0xc0 | owner >> 8), (char)owner, 0, type, 0, 1,
	    0, 0, 0, 60, 0, (char)len};

	put(r, head, sizeof(head));
	put(r, data, len);
	r->p[7]++;
}

#define PUT_SRV(r, data) put_record(r, 12, 33, data, sizeof(data) - 1)

static enum dns_rc
parse(const struct reply *r, struct dns_srvs *out)
{
	return dns_reply_srv(span_of(r->p, r->len), SPAN_LIT(NAME), out);
}

static span
target(const struct dns_srvs *s, uint32_t i)
{
	return span_of(s->at[i].target, s->at[i].target_len);
}

START_TEST(records_are_sorted_by_priority)
{
	struct dns_srvs out;
	struct reply r;

	reply_init(&r);
	PUT_SRV(&r, "\0\2\0\3\x1f\x90\1B\xc0\x17");
	PUT_SRV(&r, "\0\1\0\4\0\x50\1a\0");
	PUT_SRV(&r, "\0\2\0\5\0\x51\1c\0");
	ck_assert_int_eq(parse(&r, &out), DNS_OK);
	ck_assert_uint_eq(out.n, 3);
	ck_assert_uint_eq(out.ttl_s, 60);
	ck_assert_span_eq(target(&out, 0), "a");
	ck_assert_uint_eq(out.at[0].weight, 4);
	ck_assert_span_eq(target(&out, 1), "b.app");
	ck_assert_uint_eq(out.at[1].port, 8080);
	ck_assert_span_eq(target(&out, 2), "c");
}
END_TEST

START_TEST(of_too_many_the_first_ones_are_kept)
{
	struct dns_srvs out;
	struct reply r;

	reply_init(&r);
	for (int i = 0; i < 20; i++) {
		char data[] = "\0?\0\1\0\x50\1a";

		data[1] = (char)(20 - i);
		put_record(&r, 12, 33, data, sizeof(data));
	}
	ck_assert_int_eq(parse(&r, &out), DNS_OK);
	ck_assert_uint_eq(out.n, DNS_TARGETS_MAX);
	for (uint32_t i = 0; i < out.n; i++)
		ck_assert_uint_eq(out.at[i].priority, i + 1);
}
END_TEST

START_TEST(the_least_lifetime_of_a_chain_counts)
{
	struct dns_srvs out;
	struct reply r;
	size_t alias;

	reply_init(&r);
	put_record(&r, 12, 5, "\2_x\2_y\1z", 9);
	alias = r.len - 9;
	r.p[alias - 3] = 30;
	put_record(&r, alias, 33, "\0\0\0\0\0\x50\1a", 9);
	ck_assert_int_eq(parse(&r, &out), DNS_OK);
	ck_assert_uint_eq(out.ttl_s, 30);
}
END_TEST

START_TEST(a_lifetime_over_31_bits_is_none)
{
	struct dns_srvs out;
	struct reply r;

	reply_init(&r);
	PUT_SRV(&r, "\0\0\0\0\0\x50\1a\0");
	r.p[HEAD_LEN + 6] = (char)0xff;
	ck_assert_int_eq(parse(&r, &out), DNS_OK);
	ck_assert_uint_eq(out.ttl_s, 0);
}
END_TEST

START_TEST(a_target_of_nothing_is_no_service)
{
	struct dns_srvs out;
	struct reply r;

	reply_init(&r);
	PUT_SRV(&r, "\0\0\0\0\0\0\0");
	ck_assert_int_eq(parse(&r, &out), DNS_NOT_FOUND);
	reply_init(&r);
	r.p[3] = (char)0x83;
	ck_assert_int_eq(parse(&r, &out), DNS_NOT_FOUND);
	reply_init(&r);
	ck_assert_int_eq(parse(&r, &out), DNS_FAILED);
}
END_TEST

START_TEST(names_that_go_in_circles_are_refused)
{
	static const struct {
		const char *data;
		size_t len;
	} rows[] = {
	    /* to itself, to what is later, to the label before */
	    {"\0\0\0\0\0\x50\xc0\x32", 8},
	    {"\0\0\0\0\0\x50\xc3\xff", 8},
	    {"\0\0\0\0\0\x50\1a\xc0\x32", 10},
	};
	struct dns_srvs out;
	struct reply r;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		reply_init(&r);
		put_record(&r, 12, 33, rows[i].data, rows[i].len);
		ck_assert_int_eq(parse(&r, &out), DNS_FAILED);
		ck_assert_uint_eq(out.n, 0);
	}
	/* aliases */
	reply_init(&r);
	put_record(&r, 12, 5, "\xc0\x0c", 2);
	ck_assert_int_eq(parse(&r, &out), DNS_FAILED);
}
END_TEST

START_TEST(what_is_cut_anywhere_is_refused)
{
	struct dns_srvs out;
	struct reply r;

	reply_init(&r);
	PUT_SRV(&r, "\0\2\0\3\x1f\x90\1b\xc0\x17");
	PUT_SRV(&r, "\0\1\0\4\0\x50\1a\0");
	for (; r.len > 0; r.len--) {
		struct reply less = r;

		less.len--;
		ck_assert_int_eq(parse(&less, &out), DNS_FAILED);
		ck_assert_uint_eq(out.n, 0);
	}
}
END_TEST

START_TEST(what_answers_something_else_is_refused)
{
	/* offset and byte that make it so */
	static const struct {
		size_t at;
		char byte;
	} rows[] = {
	    {2, 0x01}, /* a query */
	    {2, (char)0x91}, /* another opcode */
	    {2, (char)0x83}, /* cut */
	    {3, (char)0x85}, /* refused */
	    {5, 0}, /* no question */
	    {5, 2}, /* two */
	    {13, 'x'}, /* of another name */
	    {12 + sizeof(QNAME) + 1, 1}, /* of another type */
	    {12 + sizeof(QNAME) + 3, 3}, /* of another class */
	};
	struct dns_srvs out;
	struct reply r;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		reply_init(&r);
		PUT_SRV(&r, "\0\1\0\4\0\x50\1a\0");
		ck_assert_int_eq(parse(&r, &out), DNS_OK);
		r.p[rows[i].at] = rows[i].byte;
		ck_assert_int_eq(parse(&r, &out), DNS_FAILED);
	}
}
END_TEST

START_TEST(bytes_that_no_host_has_are_refused)
{
	struct dns_srvs out;
	struct reply r;

	for (int c = 0; c < 256; c++) {
		char data[] = "\0\1\0\4\0\x50\1?";

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_')
			continue;
		data[7] = (char)c;
		reply_init(&r);
		put_record(&r, 12, 33, data, sizeof(data));
		ck_assert_int_eq(parse(&r, &out), DNS_FAILED);
	}
}
END_TEST

/* --- names of addresses --------------------------------------------------- */

#define PUT_PTR(r, data) put_record(r, 12, 12, data, sizeof(data) - 1)

static void
ptr_init(struct reply *r)
{
	reply_init(r);
	r->p[HEAD_LEN - 3] = 12;
}

static enum dns_rc
parse_ptr(const struct reply *r, struct dns_ptr *out)
{
	return dns_reply_ptr(span_of(r->p, r->len), SPAN_LIT(NAME), out);
}

START_TEST(an_address_has_one_name)
{
	struct dns_ptr out;
	struct reply r;

	ptr_init(&r);
	PUT_PTR(&r, "\1A\4tesT\0");
	ck_assert_int_eq(parse_ptr(&r, &out), DNS_OK);
	ck_assert_span_eq(span_of(out.text, out.len), "a.test");
	ck_assert_uint_eq(out.ttl_s, 60);
	PUT_PTR(&r, "\1b\4test\0");
	ck_assert_int_eq(parse_ptr(&r, &out), DNS_FAILED);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(an_address_without_a_usable_name_has_none)
{
	static const struct {
		const char *data;
		size_t len;
	} bad[] = {{"", 1}, {"\1a", 2}, {"\1/", 3}, {"\xc0\xff", 2},
	    {"\1a\0x", 4}, {"", 0}};

	for (size_t i = 0; i < NELEMS(bad); i++) {
		struct dns_ptr out;
		struct reply r;

		ptr_init(&r);
		put_record(&r, 12, 12, bad[i].data, bad[i].len);
		ck_assert_int_eq(parse_ptr(&r, &out), DNS_FAILED);
		ck_assert_uint_eq(out.len, 0);
	}
}
END_TEST

START_TEST(services_are_known_by_two_words_in_front)
{
	static const char *const hosts[] = {"", "app", "app.test", "_a.app",
	    "_a._b", "_a._b.", "_._b.app", "_a._.app", "a._b.app", "_a.b.app"};

	ck_assert(service_name_is(SPAN_LIT("_http._tcp.app.test")));
	ck_assert_span_eq(
	    service_name_domain(SPAN_LIT("_http._tcp.app.test")), "app.test");
	for (size_t i = 0; i < NELEMS(hosts); i++) {
		ck_assert(!service_name_is(span_str(hosts[i])));
		ck_assert_span_eq(
		    service_name_domain(span_str(hosts[i])), hosts[i]);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    records_are_sorted_by_priority,
	    of_too_many_the_first_ones_are_kept,
	    the_least_lifetime_of_a_chain_counts,
	    a_lifetime_over_31_bits_is_none,
	    a_target_of_nothing_is_no_service,
	    names_that_go_in_circles_are_refused,
	    what_is_cut_anywhere_is_refused,
	    what_answers_something_else_is_refused,
	    bytes_that_no_host_has_are_refused,
	    an_address_has_one_name,
	    an_address_without_a_usable_name_has_none,
	    services_are_known_by_two_words_in_front,
	};

	return unit_run("dns_reply", tests, NELEMS(tests));
}
