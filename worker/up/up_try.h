/* up/up_try: the tries of one exchange, inside handler "upstream". up.c drives
 * them, up_try.c chooses and begins them, up_retry.c decides whether there is
 * another one, up_answer.c takes what comes back.
 * What is on the wire is the business of struct origin_ops. */
#ifndef GH_UP_TRY_H
#define GH_UP_TRY_H

#include "common/base/check.h"
#include "common/http/h1.h"
#include "worker/exch/exch.h"
#include "worker/up/origin.h"
#include "worker/up/up_group.h"
#include "worker/up/up_queue.h"
#include "worker/up/up_race.h"

/* Refusals of one request by one server that only make it go to another
 * connection. */
#define UP_REFUSALS_MAX 4

#define MAGIC_TRY MAGIC('U', 'P', 'T', 'R')

enum up_state {
	UP_PICK, /* a server is to be chosen, or waited for */
	UP_NAME, /* its name is being resolved */
	UP_CONNECT,
	UP_HEAD, /* the request is being sent, no final head came yet */
	UP_BODY, /* the content of the answer comes */
	UP_HEDGE, /* a second try is awaited, or its answer is passed on */
	UP_PAUSE, /* no server can be connected to: see up_pause.c */
	UP_DONE
};

struct up_try {
	uint32_t magic;
	enum up_state state;
	struct exch *x;
	struct up_group *group;
	struct up_server *server;
	const struct origin_ops *ops; /* of all its servers */
	void *wire; /* of ops, in the exchange's arena */
	struct origin *o; /* of this try, or NULL */
	struct up_at at; /* that o is opened to; nowhere: o was there */
	struct up_race *race; /* in the exchange's arena; NULL: never was */
	struct up_turn turn; /* among the server's addresses */
	struct up_waiter wait;
	struct timer timer;
	struct timer limit; /* of try_timeout and total_timeout */
	uint64_t opened_ms; /* when total_timeout began */
	uint64_t aimed_ms; /* when try_timeout began */
	uint64_t owed_since_ms; /* the client owes the rest of its request: time
	                           that counts for neither; 0: it does not */
	uint64_t progress_ms; /* when something moved last */
	uint64_t begun_ms; /* when this try began to send */
	uint32_t n_tries;
	uint32_t n_sent; /* of the tries that failed: bytes of the request went
	                    out */
	struct up_pause pause;
	uint32_t n_infos;
	bool is_any_sent; /* bytes of the request went to the server */
	bool is_any_got; /* bytes of an answer came back */
	bool is_send_over; /* it takes no more, or was told the end */
	enum fault_id why; /* of the last try that failed */
	bool can_reuse; /* the answer leaves the connection usable */
	bool is_asked; /* the server counts it */
	bool has_waited; /* for the server's addresses */
	bool avoids_pool; /* a pooled connection was stale */
	uint32_t n_refused; /* by this server, before it acted on the request */
	bool is_counted; /* in the server's requests in flight */
	struct up_place place; /* under the limits of the upstream */
	struct up_hedge *hedge; /* what is beside it, or may come; or NULL */
	struct up_server *told; /* it is a second try itself, for this one */
	/* servers that failed, by bit; behind them as many words in which a
	 * choice leaves out the full ones, too */
	uint64_t skip[];
};

/* Dry run: tell what would be sent and which servers would be tried, and take
 * it that the first one answers. */
enum verdict try_explain(struct up_try *t);
/* A server for the next try, or the fault. */
void try_pick(struct up_try *t);
/* What it takes to send the request: content is kept to be sent again as far as
 * there is room for it. */
enum origin_care try_care(const struct exch *x);
/* A server is chosen: a pooled connection, else its address and a new one. */
void try_open(struct up_try *t);
/* Begin once the connection is there, or fail. Whether anything moved. */
bool try_connect(struct up_try *t);
/* The connection is there: begin to send. */
void try_begin(struct up_try *t);
/* The try failed: the next server, or the fault. A pooled connection that the
 * origin closed at the same moment says nothing about the server, and one of
 * its addresses nothing about the others. */
void try_failed(struct up_try *t, enum fault_id why, int err);
/* Nobody else is asked: a second try may be there, a pause may help, else the
 * fault. */
void try_give_up(struct up_try *t, enum fault_id why, int err);
/* Send the request once more, to this server; NULL: to the same one. */
void try_again(struct up_try *t, struct up_server *s);
/* The server is not to be asked again. */
void try_skip_server(struct up_try *t);
void try_drop_origin(struct up_try *t);
/* The same, and the origin sees that what it got so far was not all. */
void try_break_origin(struct up_try *t);
/* One more try that ended without a complete answer, in all counters. */
void try_count_failure(const struct up_try *t);
/* The server has nothing more to do for this exchange. */
void try_uncount(struct up_try *t);

/* What is left of try_timeout and total_timeout; UINT64_MAX: there is none. */
uint64_t try_limit_left(const struct up_try *t);
/* The same of total_timeout alone. */
uint64_t try_total_left(const struct up_try *t);
/* Wait for so long. */
void try_set_limit(struct up_try *t);
/* Whether the rest of the request is what is waited for: its client owes it. */
bool try_waits_for_client(const struct up_try *t);
/* See whether it does: these times stand still meanwhile. */
void try_watch_client(struct up_try *t);
/* Nothing is waited for; all that is set. */
void try_clear_timers(struct up_try *t);

/* The PROXY header that goes before all else on a fresh connection; empty when
 * there is none. In the exchange's arena. */
span try_proxy_header(struct up_try *t);

/* --- another try: up_retry.c ---------------------------------------------- */

/* No connection came about, and it was not for the time. */
bool try_is_unconnected(enum fault_id why);
/* Whether what failed (t->why) may be sent again, wherever (RFC 9110 9.2.2). */
bool try_may_repeat(const struct up_try *t);
/* The server that is asked after it failed, paid for; or NULL. */
struct up_server *try_next(struct up_try *t);
/* Whether what failed may be sent again after a pause: tries that sent nothing
 * do not count. */
bool try_may_come_back(const struct up_try *t);
/* All servers may be asked again; if the last try was sent, this one is paid
 * for. false: none can be. */
bool try_come_back(struct up_try *t);
/* A final head came. true: it is not passed on, the next server is asked; the
 * answer is gone. */
bool try_passes_over(struct up_try *t, const struct http_msg *m);
/* The exchange asks the upstream; tries again are a share of such. */
void try_count_request(const struct up_try *t);

/* --- for the wires: up_answer.c ------------------------------------------- */

/* What an origin may send as a head. */
#define UP_HEAD_MAX (64u * 1024)
#define UP_FIELDS_MAX 256
extern const struct h1_limits up_limits;

/* An interim answer came; it is used up. */
void try_got_info(struct up_try *t, struct http_msg *info);
/* The final head came; *m is copied. Its content follows when true, else the
 * try is over. */
bool try_got_final(struct up_try *t, const struct http_msg *m);
/* The answer broke after its final head: a failed try as long as nobody has
 * seen that head, else a break that the client sees. */
void try_cut(struct up_try *t, enum fault_id why, int err);
/* The answer is complete: the place is free before the client has it all. */
void try_got_all(struct up_try *t);

static inline uint64_t
try_now_ms(const struct up_try *t)
{
	return clock_mono_ms(worker_clock(t->x->w));
}

#endif
