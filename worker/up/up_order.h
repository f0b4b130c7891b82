/* up/up_order: in which order the addresses of one answer are connected to. */
#ifndef GH_UP_ORDER_H
#define GH_UP_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/dns.h"

/* Write the a->n indexes of addresses to `out`: targets by priority, and within
 * one by weight (RFC 2782), so that numbers in a row that `turn` counts give
 * each its exact share; those of weight 0 behind the others. The addresses of a
 * target begin in turn, too, and take turns of both families (RFC 8305 4): IPv6
 * first, or IPv4 when is_v4_first. Those in `avoid`, by bit, stand behind all
 * others. Returns how many may be asked before it is known that those ahead of
 * them do not answer: of the first one's priority, and not avoided unless all
 * are. */
uint32_t up_order(const struct dns_answer *a, uint32_t turn, bool is_v4_first,
    uint32_t avoid, uint8_t out[DNS_ADDRS_MAX]);

#endif
