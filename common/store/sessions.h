/* store/sessions: which server a client's session belongs to, for all workers,
 * generations and masters, and the secret by which cookies are made that say
 * so themselves. Knows nothing of HTTP: a session is known by a text, a server
 * by the name that session_server() gives it, which stays the same whatever
 * else stands in the configuration. Protocol: doc/shm.md 6.9. */
#ifndef GH_SESSIONS_H
#define GH_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/siphash.h"
#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* How many are remembered, if chance spreads them evenly. */
#define SESSIONS_MAX 98304u

struct sessions;

/* Map them; in the master (may_make) they are made and the secret is drawn.
 * Nothing is remembered before sessions_ready(). NULL with errno. Its memory is
 * the segment's. */
struct sessions *sessions_map(struct segment *s, bool may_make);
/* Some generation remembers sessions: commit the memory. false: there is none.
 * Master only; may be repeated. */
bool sessions_ready(struct sessions *t, struct segment *s);

/* What makes cookies and names. It lasts as long as the segment: over reloads,
 * upgrades and deaths, not over a stop. */
struct session_secret {
	struct sipkey name;
	struct sipkey seal[2];
};

void sessions_secret(const struct sessions *t, struct session_secret *out);

/* The name of a server of an upstream, never 0. It tells nothing of either. */
uint64_t session_server(
    const struct session_secret *secret, span upstream, span server);

/* A session as the table knows it. */
struct session_key {
	uint64_t hash[2];
	uint64_t owner; /* the upstream, of which it is */
};

struct session_key session_key(
    const struct sessions *t, span upstream, span text);

struct session {
	uint64_t server;
	uint64_t until_ms;
};

/* What is known of it. false: nothing, or it cannot be told now. Times are
 * CLOCK_MONOTONIC. */
bool sessions_find(const struct sessions *t, const struct session_key *key,
    uint64_t now_ms, struct session *out);

/* It belongs to next->server, until then, in the place of `from` (0: of none).
 * Returns the server that it belongs to now: another one when somebody else was
 * first. When it cannot be noted, for a lock that is held, that is
 * next->server. In a full set the upstream that has the most places there gives
 * up the session that would end first. */
uint64_t sessions_bind(struct sessions *t, const struct slots *slots,
    struct slot_name me, const struct session_key *key, uint64_t from,
    const struct session *next, uint64_t now_ms);

/* Mend what a dead process held; what it was noting is forgotten. Steward only;
 * may be repeated. */
void sessions_repair(struct sessions *t, const struct slots *slots,
    struct slot_name me, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool sessions_check(const struct sessions *t);

#endif
