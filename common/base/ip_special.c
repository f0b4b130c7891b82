/* base/ip_special: the table of addresses that are not of the internet. */
#include "common/base/ip_special.h"

#include <stddef.h>
#include <string.h>

#include "common/base/check.h"

/* Bits in front of IPv4 in the 128-bit form. */
#define V4_BITS 96

struct special_row {
	struct ip_prefix prefix;
	const char *what;
};

#define V4(a, b, c, d, len, what, source) \
	{{{{[10] = 0xff, [11] = 0xff, a, b, c, d}}, V4_BITS + (len)}, what},
#define GROUP(g) ((g) >> 8), ((g)&0xff)
#define V6(a, b, c, d, len, what, source) \
	{{{{GROUP(a), GROUP(b), GROUP(c), GROUP(d)}}, len}, what},
static const struct special_row rows[] = {
#include "common/base/ip_special.def"
};
#undef V4
#undef V6

/* RFC 6052 2.1: the last four bytes are an address of IPv4. */
static const struct ip_prefix translated = {
    {{0, 0x64, 0xff, 0x9b}},
    V4_BITS,
};
/* RFC 4291 2.4 */
static const struct ip_prefix global_unicast = {{{0x20}}, 3};

static const char *
special_find(const struct ip *ip)
{
	for (size_t i = 0; i < NELEMS(rows); i++) {
		/* the wide row of IPv6 holds all of IPv4 */
		if (ip_is_v4(ip) && rows[i].prefix.bits < V4_BITS)
			continue;
		if (ip_prefix_has(&rows[i].prefix, ip))
			return rows[i].what;
	}
	return NULL;
}

const char *
ip_special(const struct ip *ip)
{
	struct ip v4 = {{[10] = 0xff, [11] = 0xff}};
	const char *what;

	if (ip_prefix_has(&translated, ip)) {
		memcpy(v4.b + V4_BITS / 8, ip->b + V4_BITS / 8, 4);
		return special_find(&v4);
	}
	what = special_find(ip);
	if (what == NULL && !ip_is_v4(ip) &&
	    !ip_prefix_has(&global_unicast, ip))
		what = "of nobody";
	return what;
}
