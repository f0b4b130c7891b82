/* base/ip: text and comparison of addresses. The C library's reader is used
 * where it is strict (inet_pton), nothing of it where it guesses. */
#include "common/base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/base/num.h"

/* The network of a client of IPv6 (RFC 6177). */
#define IP_CLIENT_BITS 64

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

bool
ip_eq(const struct ip *a, const struct ip *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
ip_parse(span s, struct ip *out)
{
	char text[IP_TEXT_CAP];

	if (s.len == 0 || s.len >= sizeof(text) || span_chr(s, '\0') >= 0)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (span_chr(s, ':') >= 0)
		return inet_pton(AF_INET6, text, out->b) == 1;
	memcpy(out->b, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, out->b + sizeof(mapped)) == 1;
}

/* By hand: inet_ntop() goes through printf, and this is on the way of every
 * request. */
static size_t
format_v4(const uint8_t b[4], char *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			out[n++] = '.';
		n += u64_format(b[i], out + n);
	}
	out[n] = '\0';
	return n;
}

size_t
ip_format(const struct ip *ip, char out[IP_TEXT_CAP])
{
	if (ip_is_v4(ip))
		return format_v4(ip->b + sizeof(mapped), out);
	(void)inet_ntop(AF_INET6, ip->b, out, IP_TEXT_CAP);
	return strlen(out);
}

/* Whether all bits from `bits` on are 0. */
static bool
has_no_host_bits(const struct ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (ip->b[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

bool
ip_prefix_parse(span s, struct ip_prefix *out)
{
	ptrdiff_t slash = span_chr(s, '/');
	span addr = slash < 0 ? s : span_first(s, (size_t)slash);
	bool is_text_v4 = span_chr(addr, ':') < 0;
	uint64_t max = is_text_v4 ? 32 : 128;
	uint64_t bits = max;

	if (!ip_parse(addr, &out->ip))
		return false;
	if (slash >= 0 &&
	    !span_u64(span_from(s, (size_t)slash + 1), max, &bits))
		return false;
	out->bits = (uint8_t)(is_text_v4 ? bits + 96 : bits);
	return has_no_host_bits(&out->ip, out->bits);
}

void
ip_mask(struct ip *ip, unsigned bits)
{
	for (unsigned i = bits / 8; i < sizeof(ip->b); i++) {
		unsigned kept = i == bits / 8 ? bits % 8 : 0;

		ip->b[i] = (uint8_t)(ip->b[i] & ~(0xffu >> kept));
	}
}

struct ip
ip_client(const struct ip *ip)
{
	struct ip client = *ip;

	if (!ip_is_v4(ip))
		ip_mask(&client, IP_CLIENT_BITS);
	return client;
}

bool
ip_prefix_has(const struct ip_prefix *p, const struct ip *ip)
{
	unsigned whole = p->bits / 8;
	unsigned rest = p->bits % 8;

	if (memcmp(p->ip.b, ip->b, whole) != 0)
		return false;
	return rest == 0 || (p->ip.b[whole] ^ ip->b[whole]) >> (8 - rest) == 0;
}
