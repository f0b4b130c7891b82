/* net/proxyproto: see the header. Sections are of proxy-protocol.txt. What its
 * receiver "must" drop is BAD here, and so is all that it does not define. */
#include "common/net/proxyproto.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"

#define V1_MAX 107 /* 2.1: CRLF included */
#define V1_PREFIX "PROXY "
#define PORT_DIGITS_MAX 5

#define V2_HEAD 16
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_UNIX_PATH 108
#define V2_TLV_HEAD 3
#define V2_TLV_CRC32C 0x03
#define V2_CRC_LEN 4

/* Bytes of the address blocks of 2.2. */
enum { V2_LEN_IP4 = 12, V2_LEN_IP6 = 36, V2_LEN_UNIX = 2 * V2_UNIX_PATH };

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };

enum {
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_UDP4 = 0x12,
	V2_TCP6 = 0x21,
	V2_UDP6 = 0x22,
	V2_UNIX_STREAM = 0x31,
	V2_UNIX_DGRAM = 0x32
};

/* Digits without a leading zero (2.1). */
static bool
parse_port(span s, uint16_t *port)
{
	uint64_t v;

	if (s.len > PORT_DIGITS_MAX || (s.len > 1 && s.p[0] == '0') ||
	    !span_u64(s, UINT16_MAX, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool
parse_ip(span s, bool is_v6, struct ip *ip)
{
	return (span_chr(s, ':') >= 0) == is_v6 && ip_parse(s, ip);
}

/* "TCP4 1.2.3.4 5.6.7.8 80 81", parted by single spaces. */
static enum proxyproto_rc
parse_v1_line(span line, struct proxyproto *out)
{
	enum { FAMILY, SRC, DST, SRC_PORT, DST_PORT, WORDS };
	span word[WORDS];
	struct ip src, dst;
	uint16_t src_port, dst_port;
	size_t n = 0;
	bool is_v6;

	while (n < WORDS && span_cut(&line, ' ', &word[n]))
		n++;
	if (n > 0 && span_eq(word[FAMILY], SPAN_LIT("UNKNOWN")))
		return PROXYPROTO_OK;
	if (n < WORDS || line.p != NULL)
		return PROXYPROTO_BAD;
	is_v6 = span_eq(word[FAMILY], SPAN_LIT("TCP6"));
	if ((!is_v6 && !span_eq(word[FAMILY], SPAN_LIT("TCP4"))) ||
	    !parse_ip(word[SRC], is_v6, &src) ||
	    !parse_ip(word[DST], is_v6, &dst) ||
	    !parse_port(word[SRC_PORT], &src_port) ||
	    !parse_port(word[DST_PORT], &dst_port))
		return PROXYPROTO_BAD;
	sock_addr_from_ip(&src, src_port, &out->src);
	sock_addr_from_ip(&dst, dst_port, &out->dst);
	out->has_addrs = true;
	return PROXYPROTO_OK;
}

/* `in` begins with V1_PREFIX. */
static enum proxyproto_rc
parse_v1(span in, struct proxyproto *out, size_t *used)
{
	span line = span_first(in, V1_MAX);
	ptrdiff_t lf = span_chr(line, '\n');

	if (lf < 0) {
		ptrdiff_t cr = span_chr(line, '\r');

		if (line.len == V1_MAX ||
		    (cr >= 0 && (size_t)cr + 1 < line.len))
			return PROXYPROTO_BAD;
		return PROXYPROTO_MORE;
	}
	*used = (size_t)lf + 1;
	line = span_first(line, (size_t)lf);
	if (span_chr(line, '\r') != lf - 1)
		return PROXYPROTO_BAD;
	line = span_first(line, line.len - 1);
	return parse_v1_line(span_from(line, sizeof(V1_PREFIX) - 1), out);
}

static unsigned
read_u16(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

static uint32_t
read_u32(const char *p)
{
	return read_u16(p) << 16 | read_u16(p + 2);
}

/* CRC-32C (Castagnoli), bit by bit: a header a connection, no more. The bytes
 * from `hole` on count as four zeros (2.2.4). */
static uint32_t
crc32c(span s, size_t hole)
{
	const uint32_t poly = 0x82f63b78;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.len; i++) {
		bool is_hole = i >= hole && i < hole + V2_CRC_LEN;

		crc ^= is_hole ? 0 : (uint8_t)s.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? poly : 0);
	}
	return ~crc;
}

/* Type-length-value triples from `at` to the end (2.2): whole, and with a right
 * checksum if there is one. */
static bool
are_tlvs_good(span header, size_t at)
{
	while (at < header.len) {
		size_t len;

		if (header.len - at < V2_TLV_HEAD)
			return false;
		len = read_u16(header.p + at + 1);
		if (header.len - at - V2_TLV_HEAD < len)
			return false;
		if (header.p[at] == V2_TLV_CRC32C) {
			size_t value = at + V2_TLV_HEAD;

			if (len != V2_CRC_LEN ||
			    read_u32(header.p + value) != crc32c(header, value))
				return false;
		}
		at += V2_TLV_HEAD + len;
	}
	return true;
}

static void
take_ip4(const char *ip, const char *port, struct sock_addr *out)
{
	*out = (struct sock_addr){.len = sizeof(out->u.in)};
	out->u.in.sin_family = AF_INET;
	memcpy(&out->u.in.sin_addr, ip, sizeof(out->u.in.sin_addr));
	memcpy(&out->u.in.sin_port, port, sizeof(out->u.in.sin_port));
}

/* Through struct ip, so that a mapped address becomes the IPv4 that it is. */
static void
take_ip6(const char *ip, const char *port, struct sock_addr *out)
{
	struct ip addr;

	memcpy(addr.b, ip, sizeof(addr.b));
	sock_addr_from_ip(&addr, (uint16_t)read_u16(port), out);
}

static void
take_unix(const char *path, struct sock_addr *out)
{
	static_assert(sizeof(out->u.un.sun_path) == V2_UNIX_PATH,
	    "the protocol's paths are the system's");

	*out = (struct sock_addr){.len = sizeof(out->u.un)};
	out->u.un.sun_family = AF_UNIX;
	memcpy(out->u.un.sun_path, path, V2_UNIX_PATH);
}

/* Bytes of the address block of a family and transport, -1 for what 2.2 does
 * not define. */
static int
v2_block_len(char family)
{
	switch (family) {
	case V2_UNSPEC:
		return 0;
	case V2_TCP4:
	case V2_UDP4:
		return V2_LEN_IP4;
	case V2_TCP6:
	case V2_UDP6:
		return V2_LEN_IP6;
	case V2_UNIX_STREAM:
	case V2_UNIX_DGRAM:
		return V2_LEN_UNIX;
	default:
		return -1;
	}
}

/* Datagram addresses are well-formed but cannot be those of a connection. */
static void
take_v2_addrs(char family, const char *p, struct proxyproto *out)
{
	out->has_addrs = true;
	if (family == V2_TCP4) {
		take_ip4(p, p + 8, &out->src);
		take_ip4(p + 4, p + 10, &out->dst);
	} else if (family == V2_TCP6) {
		take_ip6(p, p + 32, &out->src);
		take_ip6(p + 16, p + 34, &out->dst);
	} else if (family == V2_UNIX_STREAM) {
		take_unix(p, &out->src);
		take_unix(p + V2_UNIX_PATH, &out->dst);
	} else {
		out->has_addrs = false;
	}
}

/* `in` begins with the signature. */
static enum proxyproto_rc
parse_v2(span in, struct proxyproto *out, size_t *used)
{
	bool is_local;
	size_t len;
	int block;

	if (in.len == V2_SIGNATURE_LEN)
		return PROXYPROTO_MORE;
	is_local = (uint8_t)in.p[V2_SIGNATURE_LEN] == V2_LOCAL;
	if (!is_local && (uint8_t)in.p[V2_SIGNATURE_LEN] != V2_PROXY)
		return PROXYPROTO_BAD;
	if (in.len < V2_HEAD)
		return PROXYPROTO_MORE;
	len = V2_HEAD + read_u16(in.p + V2_SIGNATURE_LEN + 2);
	if (len > PROXYPROTO_MAX)
		return PROXYPROTO_BAD;
	block = is_local ? 0 : v2_block_len(in.p[V2_SIGNATURE_LEN + 1]);
	if (block < 0 || len < V2_HEAD + (size_t)block)
		return PROXYPROTO_BAD;
	if (in.len < len)
		return PROXYPROTO_MORE;
	*used = len;
	/* what stands behind LOCAL or UNSPEC has no form and is skipped */
	if (block == 0)
		return PROXYPROTO_OK;
	if (!are_tlvs_good(span_first(in, len), V2_HEAD + (size_t)block))
		return PROXYPROTO_BAD;
	take_v2_addrs(in.p[V2_SIGNATURE_LEN + 1], in.p + V2_HEAD, out);
	return PROXYPROTO_OK;
}

/* Whether one of them begins with the other. */
static bool
is_prefix(span in, span of)
{
	size_t n = size_min(in.len, of.len);

	return n == 0 || memcmp(in.p, of.p, n) == 0;
}

enum proxyproto_rc
proxyproto_parse(span in, struct proxyproto *out, size_t *used)
{
	const span v1 = SPAN_LIT(V1_PREFIX);
	const span v2 = span_of(V2_SIGNATURE, V2_SIGNATURE_LEN);

	*out = (struct proxyproto){.has_addrs = false};
	*used = 0;
	if (is_prefix(in, v1))
		return in.len < v1.len ? PROXYPROTO_MORE
				       : parse_v1(in, out, used);
	if (is_prefix(in, v2))
		return in.len < v2.len ? PROXYPROTO_MORE
				       : parse_v2(in, out, used);
	return PROXYPROTO_BAD;
}

/* Both ends as addresses of one IP family: IPv6, where IPv4 is mapped, unless
 * both are of IPv4. */
struct ends {
	bool is_v6;
	struct ip src;
	struct ip dst;
	uint16_t src_port;
	uint16_t dst_port;
};

static bool
ends_of(
    const struct sock_addr *src, const struct sock_addr *dst, struct ends *e)
{
	if (!sock_addr_ip(src, &e->src, &e->src_port) ||
	    !sock_addr_ip(dst, &e->dst, &e->dst_port))
		return false;
	e->is_v6 = !ip_is_v4(&e->src) || !ip_is_v4(&e->dst);
	return true;
}

static void
add_ip(struct text *t, const struct ip *ip, bool is_v6)
{
	char ip_text[IP_TEXT_CAP];

	if (is_v6 && ip_is_v4(ip))
		text_add_str(t, "::ffff:");
	text_add(t, span_of(ip_text, ip_format(ip, ip_text)));
}

static size_t
write_v1(const struct sock_addr *src, const struct sock_addr *dst, char *out)
{
	struct ends e;
	struct text t;

	text_init(&t, out, PROXYPROTO_WRITE_CAP);
	if (!ends_of(src, dst, &e)) {
		text_add_str(&t, V1_PREFIX "UNKNOWN\r\n");
		return t.len;
	}
	text_add_str(&t, V1_PREFIX);
	text_add_str(&t, e.is_v6 ? "TCP6 " : "TCP4 ");
	add_ip(&t, &e.src, e.is_v6);
	text_add_char(&t, ' ');
	add_ip(&t, &e.dst, e.is_v6);
	text_add_char(&t, ' ');
	text_add_u64(&t, e.src_port);
	text_add_char(&t, ' ');
	text_add_u64(&t, e.dst_port);
	text_add_str(&t, "\r\n");
	return t.len;
}

static char *
put(char *out, const void *p, size_t len)
{
	memcpy(out, p, len);
	return out + len;
}

static char *
put_u16(char *out, size_t v)
{
	out[0] = (char)(v >> 8 & 0xff);
	out[1] = (char)(v & 0xff);
	return out + 2;
}

static char *
put_v2_head(char *out, int command, int family, int len)
{
	out = put(out, V2_SIGNATURE, V2_SIGNATURE_LEN);
	*out++ = (char)command;
	*out++ = (char)family;
	return put_u16(out, (size_t)len);
}

/* A path without the NULs that the system may have left out of its length. */
static char *
put_path(char *out, const struct sock_addr *a)
{
	const size_t path_at = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > path_at ? a->len - path_at : 0;

	memset(out, 0, V2_UNIX_PATH);
	memcpy(out, a->u.un.sun_path, size_min(len, V2_UNIX_PATH));
	return out + V2_UNIX_PATH;
}

static char *
put_v2_ends(char *out, const struct ends *e)
{
	/* the last four bytes of the mapped form are the IPv4 address */
	size_t at = e->is_v6 ? 0 : sizeof(e->src.b) - 4;

	out = put(out, e->src.b + at, sizeof(e->src.b) - at);
	out = put(out, e->dst.b + at, sizeof(e->dst.b) - at);
	out = put_u16(out, e->src_port);
	return put_u16(out, e->dst_port);
}

static size_t
write_v2(const struct sock_addr *src, const struct sock_addr *dst, char *out)
{
	struct ends e;
	char *p;

	if (ends_of(src, dst, &e)) {
		p = put_v2_head(out, V2_PROXY, e.is_v6 ? V2_TCP6 : V2_TCP4,
		    e.is_v6 ? V2_LEN_IP6 : V2_LEN_IP4);
		p = put_v2_ends(p, &e);
	} else if (src->u.sa.sa_family == AF_UNIX &&
		   dst->u.sa.sa_family == AF_UNIX) {
		p = put_v2_head(out, V2_PROXY, V2_UNIX_STREAM, V2_LEN_UNIX);
		p = put_path(p, src);
		p = put_path(p, dst);
	} else {
		/* relayed for somebody, so not LOCAL */
		p = put_v2_head(out, V2_PROXY, V2_UNSPEC, 0);
	}
	return (size_t)(p - out);
}

size_t
proxyproto_write(int version, const struct sock_addr *src,
    const struct sock_addr *dst, char out[PROXYPROTO_WRITE_CAP])
{
	REQUIRE(version == 1 || version == 2);
	return version == 1 ? write_v1(src, dst, out) : write_v2(src, dst, out);
}
