/* fuzz/proxyproto: any bytes as a PROXY header. Nothing is taken early, and
 * addresses that were read are read again after they were written. */
#include "common/net/proxyproto.h"
#include "t/fuzz/fuzz.h"

static void
check_written(const struct proxyproto *pp)
{
	char out[PROXYPROTO_WRITE_CAP];
	struct proxyproto again;
	size_t len, used;

	for (int version = 1; version <= 2; version++) {
		len = proxyproto_write(version, &pp->src, &pp->dst, out);
		REQUIRE(len <= sizeof(out));
		REQUIRE(proxyproto_parse(span_of(out, len), &again, &used) ==
			PROXYPROTO_OK);
		REQUIRE(used == len);
		if (!again.has_addrs)
			continue;
		REQUIRE(sock_addr_eq(&pp->src, &again.src));
		REQUIRE(sock_addr_eq(&pp->dst, &again.dst));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct proxyproto whole, part;
	size_t used, part_used;
	enum proxyproto_rc rc = proxyproto_parse(in, &whole, &used);
	size_t end = rc == PROXYPROTO_OK ? used : in.len;

	REQUIRE(used <= in.len);
	REQUIRE(in.len < PROXYPROTO_MAX || rc != PROXYPROTO_MORE);
	/* no beginning of it is taken; a refusal of one is one of all */
	for (size_t n = 0; n < end; n++) {
		span head = fuzz_dup(span_first(in, n));
		enum proxyproto_rc part_rc =
		    proxyproto_parse(head, &part, &part_used);

		REQUIRE(part_rc == PROXYPROTO_MORE ||
			(part_rc == PROXYPROTO_BAD && rc == PROXYPROTO_BAD));
		fuzz_free(head);
	}
	if (rc == PROXYPROTO_OK && whole.has_addrs)
		check_written(&whole);
	fuzz_free(in);
	return 0;
}
