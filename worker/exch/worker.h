/* exch/worker: what all code of a worker shares: loop, pools, counters and the
 * plan. One per process, passed down by pointer. */
#ifndef GH_WORKER_H
#define GH_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/siphash.h"
#include "common/ipc/boot.h"
#include "common/net/dns.h"
#include "common/net/loop.h"
#include "common/tls/tls.h"
#include "worker/exch/decode.h"
#include "worker/exch/exch_dictionary.h"
#include "worker/exch/pipes.h"
#include "worker/exch/seldom.h"
#include "worker/exch/share.h"

/* What clients are turned away for before a byte of theirs is read. */
enum turned_away { TURNED_BANNED, TURNED_OVER, TURNED_UNCOUNTED, TURNED_N };

/* When the next exchange is noted among heavy hitters (worker/log). */
struct hitter_turn {
	uint32_t left; /* exchanges until then; 0: none is */
	uint64_t seed; /* of what comes after it; never 0 when they are on */
	uint64_t bytes; /* moved, and stood for by nobody yet */
};

/* What was shed since the log was told. */
struct shed_state {
	uint64_t told_ms; /* CLOCK_MONOTONIC; 0: never */
	uint64_t n_idle;
	uint64_t n_greedy;
};

struct auth_worker;
struct cache_worker;
struct codec_pool;
struct crawler_worker;
struct decision_worker;
struct files_worker;
struct forward_worker;
struct plan;
struct up_worker;
struct log_worker;
struct sink;
struct stage_costs;
struct tally_worker;
struct tls_io;
struct waf_worker;

/* Longest turn of the loop: a quiet worker still shows its heart. */
#define WORKER_TURN_MS 500u
/* A date or a clock text, made once a second. */
#define WORKER_DATE_CAP 32

struct worker {
	const struct boot *boot;
	const struct plan *plan;
	struct loop *loop;
	struct counter_set *counters;
	struct slot *slot;
	struct arena_pool arenas;
	struct buf_pool bufs;
	struct buf *spare; /* where the next read goes; see worker_read_buf() */
	struct buf *gather; /* where frames are put together, or NULL */
	struct pipes pipes;
	struct dns *dns;
	struct tls_io *tls; /* shared by all TLS streams */
	struct tls_shared tls_shared; /* with other processes */
	struct up_worker *up; /* servers and pools of this worker */
	struct cache_worker *cache; /* what it has of its caches */
	struct waf_worker *waf;
	struct auth_worker *auth; /* verifies; NULL: in place */
	struct forward_worker *forward; /* names that it has asked for */
	struct crawler_worker *crawlers; /* clients whose names it asks for */
	struct files_worker *files; /* that it has open */
	struct log_worker *log;
	struct tally_worker *tally; /* what it counted by names */
	struct decision_worker *decisions; /* NULL: none are kept */
	struct hitter_turn hitter_turn;
	struct seldom turned[TURNED_N];
	struct seldom starved; /* of a socket for a connection to a server */
	struct codec_pool *codecs; /* NULL before the first is needed */
	decode_f *decode; /* of whoever knows codings */
	dictionary_find_f *find_dictionary; /* of whoever keeps them */
	struct list conns; /* client connections, for retiring */
	uint32_t n_conns;
	uint32_t n_conns_max;
	uint32_t n_pages_asked; /* error pages that servers make now */
	uint32_t n_tls; /* of them, those that speak TLS */
	size_t h2_bytes; /* of their sessions of HTTP/2 */
	size_t memory_share; /* what they may take; 0: no limit */
	uint64_t shed_next_ms; /* when it is looked at again */
	struct shed_state shed;
	/* publishes their number, and ends a retiring worker with the last */
	void (*on_conns)(struct worker *w);
	struct sink *sink; /* a dry run records its exchanges here; else NULL */
	struct stage_costs *costs; /* counted in some builds; else NULL */
	bool is_retiring;
	bool is_done; /* the loop ends after this turn */
	uint64_t shares[SHARE_USES]; /* see worker/exch/share.h */
	uint64_t request_seq; /* for request ids */
	uint64_t id_salt;
	struct sipkey trace_key; /* for ids of traces */
	uint64_t trace_seq;
	int64_t date_s; /* the second that date_text stands for */
	char date_text[WORKER_DATE_CAP]; /* IMF-fixdate, 29 bytes */
};

/* The block for the next read of any socket: empty, and nobody else refers to
 * it. One block serves all connections as long as what it held was done with at
 * once; who keeps bytes takes a reference, and the next call gives another
 * block. Borrowed: valid until the next call. */
struct buf *worker_read_buf(struct worker *w);

/* A client connection came or went; n_conns is up to date. */
static inline void
worker_conns_changed(struct worker *w)
{
	w->on_conns(w);
}

/* IMF-fixdate of now, valid for this batch of events. */
span worker_date(struct worker *w);

static inline const struct clock *
worker_clock(const struct worker *w)
{
	return loop_clock(w->loop);
}

#endif
