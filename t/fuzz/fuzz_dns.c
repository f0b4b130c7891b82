/* fuzz/dns: any bytes as the reply of a name server to a question for a
 * service, and for an address: the first byte is the length of the name that
 * was asked for, which follows. Whatever is found is bounded, sorted, and fit to
 * be asked for in turn. */
#include "common/net/dns_reply.h"
#include "t/fuzz/fuzz.h"

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '.';
}

static void
check_srv(const struct dns_srv *s)
{
	REQUIRE(s->port > 0);
	REQUIRE(s->target_len > 0 && s->target_len <= DNS_NAME_MAX);
	for (uint32_t i = 0; i < s->target_len; i++)
		REQUIRE(is_name_char(s->target[i]));
}

static void
check_ptr(span in, span name)
{
	struct dns_ptr out;
	enum dns_rc rc = dns_reply_ptr(in, name, &out);

	REQUIRE(rc != DNS_TIMEOUT && (rc == DNS_OK) == (out.len > 0));
	REQUIRE(out.len <= DNS_NAME_MAX);
	for (uint32_t i = 0; i < out.len; i++)
		REQUIRE(is_name_char(out.text[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_srvs out;
	span name, in;
	enum dns_rc rc;

	if (size < 1 || size - 1 < data[0])
		return 0;
	name = span_of((const char *)data + 1, data[0]);
	in = fuzz_dup(span_of(name.p + name.len, size - 1 - name.len));
	rc = dns_reply_srv(in, name, &out);
	REQUIRE(rc != DNS_TIMEOUT && (rc == DNS_OK) == (out.n > 0));
	REQUIRE(out.n <= DNS_TARGETS_MAX);
	for (uint32_t i = 0; i < out.n; i++) {
		check_srv(&out.at[i]);
		REQUIRE(i == 0 || out.at[i - 1].priority <= out.at[i].priority);
	}
	check_ptr(in, name);
	fuzz_free(in);
	return 0;
}
