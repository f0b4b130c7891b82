/* base/hostsline: see hostsline.h. */
#include "common/base/hostsline.h"

#include "common/base/check.h"
#include "common/base/ip.h"

/* What hosts(5) files name for the machine itself. */
static const char *const own_names[] = {
    "0.0.0.0",
    "broadcasthost",
    "ip6-allhosts",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-localhost",
    "ip6-localnet",
    "ip6-loopback",
    "ip6-mcastprefix",
    "local",
    "localhost",
    "localhost.localdomain",
};

static const char *const nowhere[] = {"0.0.0.0", "127.0.0.1", "::", "::1"};

bool
hostsline_is_address(span word)
{
	struct ip ip;

	return ip_parse(span_before(word, '%'), &ip);
}

bool
hostsline_is_nowhere(span word)
{
	struct ip ip;
	struct ip one;

	if (!ip_parse(word, &ip))
		return false;
	for (size_t i = 0; i < NELEMS(nowhere); i++)
		if (ip_parse(span_str(nowhere[i]), &one) && ip_eq(&ip, &one))
			return true;
	return false;
}

bool
hostsline_is_own(span word)
{
	for (size_t i = 0; i < NELEMS(own_names); i++)
		if (span_ieq(word, span_str(own_names[i])))
			return true;
	return false;
}
