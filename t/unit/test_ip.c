/* Addresses, prefixes, and sets of them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/iptrie.h"
#include "t/unit/unit.h"

#define N_RANDOM 2000
#define N_MANY 1000000u

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	ck_assert_msg(ip_parse(span_str(text), &ip), "%s", text);
	return ip;
}

static struct ip_prefix
prefix_of(const char *text)
{
	struct ip_prefix p;

	ck_assert_msg(ip_prefix_parse(span_str(text), &p), "%s", text);
	return p;
}

/* From memory of exactly its size. */
static bool
parse(span s, struct ip *out)
{
	char *copy = malloc(s.len > 0 ? s.len : 1);
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s.p, s.len);
	ok = ip_parse(span_of(copy, s.len), out);
	free(copy);
	return ok;
}

/* RFC 5952 4 says how; NULL: malformed. */
START_TEST(addresses_have_one_text)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
	    {"0.0.0.0", "0.0.0.0"},
	    {"255.255.255.255", "255.255.255.255"},
	    {"10.9.87.100", "10.9.87.100"},
	    {"::ffff:10.1.2.3", "10.1.2.3"},
	    {"::FFFF:0a01:0203", "10.1.2.3"},
	    {"::", "::"},
	    {"::1", "::1"},
	    {"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
	    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	    {"", NULL},
	    {"1.2.3", NULL},
	    {"1.2.3.4.5", NULL},
	    {"1.2.3.256", NULL},
	    {"01.2.3.4", NULL},
	    {"0x1.2.3.4", NULL},
	    {"1.2.3.4 ", NULL},
	    {" 1.2.3.4", NULL},
	    {"1.2..4", NULL},
	    {"16909060", NULL},
	    {"[::1]", NULL},
	    {"::1%lo", NULL},
	    {":", NULL},
	    {":::", NULL},
	    {"1::2::3", NULL},
	    {"1:2:3:4:5:6:7", NULL},
	    {"1:2:3:4:5:6:7:8:9", NULL},
	    {"12345::", NULL},
	    {"::g", NULL},
	    {"::1.2.3", NULL},
	    {"localhost", NULL},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char text[IP_TEXT_CAP];
		struct ip ip, again;
		bool ok = parse(span_str(rows[i].in), &ip);

		ck_assert_msg(ok == (rows[i].out != NULL), "%s", rows[i].in);
		if (!ok)
			continue;
		ck_assert_uint_eq(ip_format(&ip, text), strlen(rows[i].out));
		ck_assert_str_eq(text, rows[i].out);
		ck_assert(parse(span_str(text), &again));
		ck_assert(ip_eq(&ip, &again));
		ck_assert_int_eq(ip_is_v4(&ip), strchr(text, ':') == NULL);
	}
}
END_TEST

START_TEST(a_nul_ends_no_address)
{
	struct ip ip;

	ck_assert(!parse(SPAN_LIT("1.2.3.4\0"), &ip));
	ck_assert(!parse(SPAN_LIT("::1\0x"), &ip));
}
END_TEST

START_TEST(a_text_cut_at_every_byte_is_read_within_its_length)
{
	static const char longest[] =
	    "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555";
	struct ip ip;

	for (size_t len = 0; len < sizeof(longest); len++) {
		bool ok = parse(span_of(longest, len), &ip);

		/* only the whole one, with a last number of 1 to 3 digits, is
		 * an address */
		ck_assert_int_eq(ok, len >= 43 && len <= 45);
	}
}
END_TEST

START_TEST(prefixes_have_no_host_bits)
{
	static const struct {
		const char *text;
		int bits; /* -1: refused */
	} rows[] = {
	    {"10.0.0.0/8", 104},
	    {"0.0.0.0/0", 96},
	    {"10.1.2.3", 128},
	    {"10.1.2.3/32", 128},
	    {"10.1.2.128/25", 121},
	    {"::/0", 0},
	    {"2001:db8::/32", 32},
	    {"::1", 128},
	    {"::ffff:10.0.0.0/104", 104},
	    {"10.0.0.1/8", -1},
	    {"10.1.2.64/25", -1},
	    {"2001:db8::1/64", -1},
	    {"8000::/0", -1},
	    {"10.0.0.0/33", -1},
	    {"::/129", -1},
	    {"10.0.0.0/", -1},
	    {"10.0.0.0/-1", -1},
	    {"10.0.0.0/8/8", -1},
	    {"10.0.0.0/255.0.0.0", -1},
	    {"/8", -1},
	    {"10/8", -1},
	    {"", -1},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct ip_prefix p;
		bool ok = ip_prefix_parse(span_str(rows[i].text), &p);

		ck_assert_msg(ok == (rows[i].bits >= 0), "%s", rows[i].text);
		if (ok)
			ck_assert_int_eq(p.bits, rows[i].bits);
	}
}
END_TEST

START_TEST(a_prefix_holds_what_begins_with_its_bits)
{
	static const struct {
		const char *prefix;
		const char *ip;
		bool has;
	} rows[] = {
	    {"10.0.0.0/8", "10.255.0.1", true},
	    {"10.0.0.0/8", "11.0.0.0", false},
	    {"10.128.0.0/9", "10.128.0.0", true},
	    {"10.128.0.0/9", "10.127.255.255", false},
	    {"1.2.3.4", "1.2.3.4", true},
	    {"1.2.3.4", "1.2.3.5", false},
	    {"0.0.0.0/0", "255.1.2.3", true},
	    {"0.0.0.0/0", "::1", false},
	    {"::/0", "1.2.3.4", true},
	    {"::/0", "ffff::", true},
	    {"2001:db8::/33", "2001:db8:7fff::", true},
	    {"2001:db8::/33", "2001:db8:8000::", false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct ip_prefix p = prefix_of(rows[i].prefix);
		struct ip ip = ip_of(rows[i].ip);

		ck_assert_msg(ip_prefix_has(&p, &ip) == rows[i].has, "%s %s",
		    rows[i].prefix, rows[i].ip);
	}
}
END_TEST

START_TEST(an_empty_set_holds_nothing)
{
	struct iptrie *t = iptrie_new();
	struct ip ip = ip_of("1.2.3.4");

	iptrie_done(t);
	ck_assert(!iptrie_find(t, &ip));
	ck_assert(!iptrie_find(NULL, &ip));
	ck_assert_uint_eq(iptrie_count(t), 0);
	iptrie_free(t);
	iptrie_free(NULL);
}
END_TEST

START_TEST(a_set_of_everything_holds_both_kinds)
{
	static const struct {
		const char *prefix;
		const char *in[3];
		const char *out[3];
	} rows[] = {
	    {"::/0", {"::", "1.2.3.4", "ffff::"}, {0}},
	    {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"},
		{"::", "::fffe:ffff:ffff", "::1:0:0:0"}},
	    {"255.255.255.255", {"255.255.255.255"},
		{"255.255.255.254", "::1:0:0:0", "0.0.0.0"}},
	    {"ffff::/16", {"ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"fffe:ffff::", "::"}},
	    {"::/64", {"::", "1.2.3.4"}, {"0:0:0:1::"}},
	    {"::1", {"::1"}, {"::", "::2", "1::1"}},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct ip_prefix p = prefix_of(rows[i].prefix);
		struct iptrie *t = iptrie_new();

		iptrie_add(t, &p);
		iptrie_add(t, &p);
		iptrie_done(t);
		ck_assert_uint_eq(iptrie_count(t), 1);
		for (size_t k = 0; k < 3 && rows[i].in[k] != NULL; k++) {
			struct ip ip = ip_of(rows[i].in[k]);

			ck_assert_msg(iptrie_find(t, &ip), "%s in %s",
			    rows[i].in[k], rows[i].prefix);
		}
		for (size_t k = 0; k < 3 && rows[i].out[k] != NULL; k++) {
			struct ip ip = ip_of(rows[i].out[k]);

			ck_assert_msg(!iptrie_find(t, &ip), "%s in %s",
			    rows[i].out[k], rows[i].prefix);
		}
		iptrie_free(t);
	}
}
END_TEST

/* Few distinct bits, so that prefixes nest and meet; of every four one of IPv4
 * and one near it. */
static struct ip
random_ip(uint32_t *state)
{
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
	struct ip ip = {{0}};

	for (size_t i = 0; i < sizeof(ip.b); i++) {
		*state = *state * 1103515245u + 12345u;
		ip.b[i] = (uint8_t)(*state >> 16 & (i < 2 ? 0x81 : 0xff));
	}
	switch (*state >> 20 & 3) {
	case 0:
		memcpy(ip.b, v4, sizeof(v4));
		break;
	case 1:
		memset(ip.b, 0, 10);
		break;
	}
	return ip;
}

static void
mask(struct ip_prefix *p)
{
	for (unsigned i = p->bits; i < 128; i++)
		p->ip.b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

static void
set_agrees(uint32_t n)
{
	static struct ip_prefix prefixes[N_RANDOM];
	struct iptrie *t = iptrie_new();
	uint32_t state = n;

	for (uint32_t i = 0; i < n; i++) {
		prefixes[i].ip = random_ip(&state);
		prefixes[i].bits =
		    (uint8_t)(i % 3 == 0 ? 1 + i % 128 : 7 + i % 13);
		if (i % 5 == 0)
			prefixes[i].bits = (uint8_t)(80 + i / 5 % 49);
		mask(&prefixes[i]);
		iptrie_add(t, &prefixes[i]);
	}
	iptrie_done(t);
	for (unsigned k = 0; k < 3000; k++) {
		struct ip ip = k % 2 ? random_ip(&state) : prefixes[k % n].ip;
		bool is_in = false;

		/* and its neighbours */
		if (k % 4 == 0)
			ip.b[15] = (uint8_t)(ip.b[15] + k % 3 - 1);
		for (uint32_t i = 0; i < n; i++)
			is_in |= ip_prefix_has(&prefixes[i], &ip);
		ck_assert_int_eq(iptrie_find(t, &ip), is_in);
	}
	iptrie_free(t);
}

START_TEST(a_set_agrees_with_a_look_at_each_prefix)
{
	static const uint32_t counts[] = {1, 2, 7, 8, 9, 30, 64, 65, 200, 2000};

	for (size_t i = 0; i < NELEMS(counts); i++)
		set_agrees(counts[i]);
}
END_TEST

/* An index of equal steps has nearly all of these in one. */
START_TEST(a_crowd_in_one_place_is_told_apart)
{
	static const char *const far[] = {
	    "2001:db8:7fff:ffff::/64", "2001:dff::/32", "3000::/16"};
	enum { N_CROWD = 3000 };
	struct iptrie *t = iptrie_new();
	struct ip_prefix p = prefix_of("2001:db8::/64");

	for (unsigned i = 0; i < N_CROWD; i++) {
		/* every other one */
		p.ip.b[6] = (uint8_t)(2 * i >> 8);
		p.ip.b[7] = (uint8_t)(2 * i);
		iptrie_add(t, &p);
	}
	for (size_t i = 0; i < NELEMS(far); i++) {
		struct ip_prefix one = prefix_of(far[i]);

		iptrie_add(t, &one);
	}
	iptrie_done(t);
	for (unsigned i = 0; i < 2 * N_CROWD + 4; i++) {
		p.ip.b[6] = (uint8_t)(i >> 8);
		p.ip.b[7] = (uint8_t)i;
		p.ip.b[15] = (uint8_t)i;
		ck_assert_int_eq(
		    iptrie_find(t, &p.ip), i < 2 * N_CROWD && i % 2 == 0);
	}
	for (size_t i = 0; i < NELEMS(far); i++) {
		struct ip_prefix one = prefix_of(far[i]);

		ck_assert(iptrie_find(t, &one.ip));
		one.ip.b[1] ^= 0x40;
		ck_assert(!iptrie_find(t, &one.ip));
	}
	iptrie_free(t);
}
END_TEST

/* Gates of a quiet machine are 2 s, 100 ns and 300 ns; here somebody else may
 * work, too, and a sanitizer be built in: what is shown is that a million are no
 * matter of minutes. The numbers are printed. */
static void
measure(bool is_v4, double load_s_max)
{
	struct iptrie *t = iptrie_new();
	struct ip *ips = calloc(N_MANY, sizeof(*ips));
	uint64_t r = UINT64_C(88172645463325252);
	clock_t began = clock();
	size_t n_found = 0;
	double load_s;

	ck_assert_ptr_nonnull(ips);
	for (size_t i = 0; i < N_MANY; i++) {
		static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
		struct ip_prefix p = {.bits = (uint8_t)(is_v4 ? 120 : 48)};

		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		memcpy(p.ip.b + (is_v4 ? 8 : 1), &r, sizeof(r));
		if (is_v4)
			memcpy(p.ip.b, v4, sizeof(v4));
		else
			p.ip.b[0] = 0x20;
		ips[i] = p.ip;
		ip_mask(&p.ip, p.bits);
		iptrie_add(t, &p);
	}
	iptrie_done(t);
	load_s = (double)(clock() - began) / CLOCKS_PER_SEC;
	began = clock();
	for (size_t i = 0; i < N_MANY; i++)
		n_found += iptrie_find(t, &ips[i]);
	printf("a million prefixes of IPv%d: %.2f s, %.0f ns a look\n",
	    is_v4 ? 4 : 6, load_s,
	    (double)(clock() - began) / CLOCKS_PER_SEC / N_MANY * 1e9);
	ck_assert_uint_eq(n_found, N_MANY);
	ck_assert_msg(load_s < load_s_max, "%f s", load_s);
	iptrie_free(t);
	free(ips);
}

START_TEST(a_million_prefixes_are_loaded_and_found_fast)
{
	measure(true, 20);
	measure(false, 20);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    addresses_have_one_text,
	    a_nul_ends_no_address,
	    a_text_cut_at_every_byte_is_read_within_its_length,
	    prefixes_have_no_host_bits,
	    a_prefix_holds_what_begins_with_its_bits,
	    an_empty_set_holds_nothing,
	    a_set_of_everything_holds_both_kinds,
	    a_set_agrees_with_a_look_at_each_prefix,
	    a_crowd_in_one_place_is_told_apart,
	    a_million_prefixes_are_loaded_and_found_fast,
	};

	return unit_run("ip", tests, NELEMS(tests));
}
