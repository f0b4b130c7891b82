/* Which addresses are of the internet: both ends of every row, and what lies
 * beside them. */
#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/ip_special.h"
#include "t/unit/unit.h"

static const char *
what(const char *text)
{
	struct ip ip;

	ck_assert_msg(ip_parse(span_str(text), &ip), "%s", text);
	return ip_special(&ip);
}

START_TEST(addresses_of_the_internet_are_nothing_special)
{
	static const char *const texts[] = {
	    "1.0.0.0",
	    "8.8.8.8",
	    "9.255.255.255",
	    "11.0.0.0",
	    "100.63.255.255",
	    "100.128.0.0",
	    "126.255.255.255",
	    "128.0.0.0",
	    "168.63.129.15",
	    "168.63.129.17",
	    "169.253.255.255",
	    "169.255.0.0",
	    "172.15.255.255",
	    "172.32.0.0",
	    "191.255.255.255",
	    "192.0.1.0",
	    "192.0.3.0",
	    "192.88.98.255",
	    "192.88.100.0",
	    "192.167.255.255",
	    "192.169.0.0",
	    "198.17.255.255",
	    "198.20.0.0",
	    "198.51.99.255",
	    "198.51.101.0",
	    "203.0.112.255",
	    "203.0.114.0",
	    "223.255.255.255",
	    "2000::1",
	    "2001:200::1",
	    "2001:db7:ffff::1",
	    "2001:db9::1",
	    "2003::1",
	    "2606:4700::1111",
	    "3ffe::1",
	    "3fff:1000::1",
	    "64:ff9b::8.8.8.8",
	    "::ffff:8.8.8.8",
	};

	for (size_t i = 0; i < NELEMS(texts); i++)
		ck_assert_msg(what(texts[i]) == NULL, "%s", texts[i]);
}
END_TEST

START_TEST(all_others_are_told_what_they_are)
{
	static const struct {
		const char *text;
		const char *what;
	} rows[] = {
	    {"0.0.0.0", "this network"},
	    {"0.255.255.255", "this network"},
	    {"10.0.0.0", "private"},
	    {"10.255.255.255", "private"},
	    {"100.64.0.0", "shared by a provider's customers"},
	    {"100.127.255.255", "shared by a provider's customers"},
	    {"127.0.0.0", "loopback"},
	    {"127.255.255.255", "loopback"},
	    {"168.63.129.16", "a cloud's metadata"},
	    {"169.254.0.0", "link-local"},
	    {"169.254.255.255", "link-local"},
	    {"172.16.0.0", "private"},
	    {"172.31.255.255", "private"},
	    {"192.0.0.0", "for protocols"},
	    {"192.0.0.255", "for protocols"},
	    {"192.0.2.0", "for documentation"},
	    {"192.88.99.255", "6to4 relays"},
	    {"192.168.0.0", "private"},
	    {"192.168.255.255", "private"},
	    {"198.18.0.0", "for benchmarks"},
	    {"198.19.255.255", "for benchmarks"},
	    {"198.51.100.255", "for documentation"},
	    {"203.0.113.0", "for documentation"},
	    {"224.0.0.0", "multicast"},
	    {"239.255.255.255", "multicast"},
	    {"240.0.0.0", "reserved"},
	    {"255.255.255.255", "reserved"},
	    {"::", "loopback or compatible"},
	    {"::1", "loopback or compatible"},
	    {"::8.8.8.8", "loopback or compatible"},
	    {"::ffff:0:8.8.8.8", "loopback or compatible"},
	    {"::ffff:10.0.0.1", "private"},
	    {"64:ff9b::10.0.0.1", "private"},
	    {"64:ff9b::169.254.169.254", "link-local"},
	    {"64:ff9b:1::", "local translation"},
	    {"64:ff9b:2::", "of nobody"},
	    {"100::", "discard"},
	    {"100:0:0:1::", "of nobody"},
	    {"2001::1", "Teredo"},
	    {"2001:1ff:ffff::1", "for protocols"},
	    {"2001:db8::", "for documentation"},
	    {"2001:db8:ffff::", "for documentation"},
	    {"2002::", "6to4"},
	    {"2002:ffff::", "6to4"},
	    {"3fff::", "for documentation"},
	    {"3fff:fff::", "for documentation"},
	    {"4000::", "of nobody"},
	    {"5f00::1", "segment routing"},
	    {"fbff::", "of nobody"},
	    {"fc00::", "unique local"},
	    {"fdff::", "unique local"},
	    {"fe80::1", "link-local"},
	    {"febf::1", "link-local"},
	    {"fec0::1", "site-local"},
	    {"ff00::", "multicast"},
	    {"ffff::", "multicast"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const char *is = what(rows[i].text);

		ck_assert_msg(is != NULL && strcmp(is, rows[i].what) == 0,
		    "%s: %s", rows[i].text, is == NULL ? "nothing" : is);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    addresses_of_the_internet_are_nothing_special,
	    all_others_are_told_what_they_are,
	};

	return unit_run("ip_special", tests, NELEMS(tests));
}
