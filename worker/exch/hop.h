/* exch/hop: what is said between two neighbours only and goes no further. */
#ifndef GH_HOP_H
#define GH_HOP_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/http/msg.h"

/* Names that one message's Connection fields may nominate. Real ones nominate
 * two or three. */
#define HOP_NOMINATIONS_MAX 64

/* Take out the fields that Connection nominates, then Connection and all other
 * hop-by-hop fields (RFC 9110 7.6.1). keeps_upgrade: Upgrade stays, because the
 * switch it speaks of is passed on. A nomination of what frames, routes or
 * authenticates the message is not followed. false: too many are nominated, the
 * message is to be refused. */
bool hop_remove(struct http_fields *f, bool keeps_upgrade);

/* Take out the trailers that the head's Connection nominated, before or after
 * hop_remove() was called for the head. */
void hop_remove_trailers(struct http_msg *m);

/* Whether a Via names us (RFC 9110 7.6.3): the message came through here. Our
 * name is random enough that it is no part of another's. */
bool hop_has_passed(const struct http_fields *f, span via_name);

/* Whether it is an OPTIONS that goes no further: its Max-Forwards is spent (RFC
 * 9110 7.6.2). */
bool hop_is_spent(const struct http_msg *m);
/* One hop less in the Max-Forwards of an OPTIONS that goes on; the text is in
 * the arena. */
void hop_count(struct http_msg *m, struct arena *a);

#endif
