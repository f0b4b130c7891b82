/* net/dns_conf: what dns.c needs of what was read from the system's files. */
#ifndef GH_DNS_CONF_H
#define GH_DNS_CONF_H

#include <ares.h>
#include <stdbool.h>

#include "common/base/map.h"
#include "common/net/dns.h"

struct dns_conf {
	struct ares_options options; /* as the library saved them */
	int mask;
	struct ares_addr_port_node *servers;
	struct map hosts; /* of struct dns_answer, by name without case */
};

/* Name servers of a channel, "addr[:port]" separated by blanks; none are no
 * change. */
bool dns_set_servers(ares_channel channel, span servers);
/* The answer of the hosts file; `localhost` and what is below it are always
 * this machine (RFC 6761 6.3). */
bool dns_hosts_find(
    const struct dns_conf *c, span name, struct dns_answer *out);

#endif
