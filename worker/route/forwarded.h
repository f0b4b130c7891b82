/* route/forwarded: what proxies in front say of the client: X-Forwarded-For and
 * Forwarded (RFC 7239), read from the right, where the nearest one wrote. */
#ifndef GH_FORWARDED_H
#define GH_FORWARDED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/http/msg.h"

/* One hop as told by the one behind it. */
struct forwarded_hop {
	struct ip ip;
	uint16_t port; /* 0: not told */
	span proto; /* Forwarded only; empty: not told */
};

/* Walks the members of all lines of one field, last to first. */
struct forwarded_iter {
	const struct http_fields *fields;
	enum field_id id;
	uint32_t line; /* lines at and after this index are done */
	span rest; /* what is left of the current line */
};

void forwarded_begin(
    struct forwarded_iter *it, const struct http_fields *f, enum field_id id);
/* The member before; false when there is none. Empty ones are skipped. */
bool forwarded_prev(struct forwarded_iter *it, span *member);

/* Read a member of X-Forwarded-For: an address, with or without a port, IPv6
 * with or without brackets. false: anything else ("unknown", garbage). */
bool forwarded_read_xff(span member, struct forwarded_hop *out);
/* Read a member of Forwarded: for= must be an address; proto= is kept. */
bool forwarded_read_rfc7239(span member, struct forwarded_hop *out);

#endif
