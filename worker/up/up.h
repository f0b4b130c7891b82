/* up: servers that requests are sent to. The plan side (struct upstream) is
 * read-only and shared; the worker side keeps what moves: who is next, pooled
 * connections, resolved names. */
#ifndef GH_UP_H
#define GH_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"
#include "common/conf/conf_health.h"
#include "common/conf/conf_places.h"
#include "common/conf/conf_sticky.h"
#include "common/net/sock.h"
#include "worker/exch/handler.h"
#include "worker/exch/verdict.h"
#include "worker/exch/worker.h"

struct lb_ops;
struct origin_ops;
struct tls_client;
struct tls_policy;
struct spots_name;
struct tls_trust;

/* One `server =`. */
struct up_server_conf {
	span text; /* as written, without options and http:// */
	span host; /* a name to resolve, or empty: addr holds the address */
	uint16_t port;
	struct sock_addr addr;
	bool is_tls;
	span tls_name; /* sent and looked for in its certificate */
	uint32_t weight; /* 1 .. UP_WEIGHT_MAX */
	uint32_t max_connections; /* requests at once; 0: no limit */
	bool is_backup;
	bool is_far; /* it stands in another zone than its upstream */
	uint64_t slow_start_ms; /* 0: none */
	span proof; /* of a parent: the field that tells who we are, with its
	               end of line; or empty */
	uint32_t id; /* of its shared numbers; REGISTRY_NONE: nothing shared */
	uint32_t spot; /* which of the spots of its name it is */
	const struct spots_name *spots; /* of all of them; NULL: it has none */
	struct place at;
};

#define UP_WEIGHT_MAX 1000
#define UP_SERVERS_MAX 10000

/* What a failed try may be repeated for (`retry =`). */
enum {
	UP_RETRY_CONNECT = 1,
	UP_RETRY_RESET = 2,
	UP_RETRY_TIMEOUT = 4,
	UP_RETRY_INVALID = 8,
	UP_RETRY_500 = 16, /* an answer with this status */
	UP_RETRY_502 = 32,
	UP_RETRY_503 = 64,
	UP_RETRY_504 = 128
};

struct upstream {
	uint32_t index; /* in plan.upstreams */
	span name;
	uint32_t tally; /* id of its numbers (store/tally); REGISTRY_NONE: none
	                 */
	struct place at;
	struct up_server_conf *servers; /* a name stands for each of its spots,
	                                   one behind the other */
	uint32_t n_servers;
	struct spots_name *names; /* of those that are names */
	uint32_t n_names;
	const struct origin_ops *wire; /* what its servers speak */
	const struct lb_ops *lb;
	void *lb_shared; /* of lb; NULL when it shares nothing */
	uint32_t keepalive; /* idle connections kept per worker */
	uint64_t connect_timeout_ms;
	uint64_t response_timeout_ms;
	uint64_t idle_timeout_ms; /* of a pooled connection */
	uint64_t try_timeout_ms; /* until the head of an answer; 0: none */
	uint64_t total_timeout_ms; /* the same of all tries together */
	unsigned retry; /* UP_RETRY_x */
	uint32_t retry_budget_tenths; /* of the requests, 0 .. 1000 */
	uint64_t hedge_ms; /* before a second server is asked; 0: never */
	uint32_t hedge_percent; /* not 0: and before so many of 100 answers
	                           would have come */
	uint32_t hedge_tenths; /* of the requests, 0 .. 1000 */
	struct place hedge_at;
	int send_proxy; /* 0, 1 or 2 */
	struct tls_client *tls; /* NULL: no server speaks TLS */
	struct conf_eject eject;
	struct conf_sticky sticky;
	struct conf_places limits;
	/* with limits: ids of what is counted (store/tenants) */
	uint32_t requests_id;
	uint32_t waiting_id;
	uint32_t queue_id;
	uint32_t
	    panic_tenths; /* below this share of healthy ones all are used */
};

/* From an [upstream] section of the boot's configuration, whose values were
 * checked when they were read; `index` numbers it in the plan. Never NULL;
 * problems go to d. The arena must live as long as it. */
struct upstream *up_prepare(const struct boot *b, const struct conf_section *s,
    uint32_t index, struct arena *a, struct diag *d);
void upstream_free(struct upstream *u);
/* What a [forward] section says of whatever servers it asks: an upstream with
 * one server that stands for each of them. Never NULL; upstream_free(). */
struct upstream *up_prepare_any(
    const struct boot *b, const struct conf_section *s);

/* The proxies that requests are passed to by line v of `parent` in a [forward]
 * and those of the same `for` behind it; `index` numbers it in the plan. Never
 * NULL; upstream_free(). */
struct upstream *up_prepare_parent(const struct boot *b,
    const struct conf_section *s, const struct conf_value *v, uint32_t index,
    struct arena *a, struct diag *d);
/* What a line of `parent` is for: domains with commas between them; empty: all.
 */
span up_parent_for(const struct conf_value *v);
/* "direct" stands in its place. */
bool up_parent_is_direct(const struct conf_value *v);

/* What all upstreams share while they are prepared. */
struct up_tls_base {
	const struct tls_policy *policy;
	struct arena *arena;
	struct tls_trust *system; /* read when first needed; the caller frees it
	                           */
	bool has_no_system; /* and that was told */
};

/* Whether one of its servers is written https://. */
bool upstream_has_tls(const struct upstream *u);
/* Whoever sets what only up_prepare_tls() reads believes that TLS is spoken; `who`
 * does not. */
void up_warn_stray_tls(
    const struct conf_scope *s, const char *who, struct diag *d);
/* Read what its https:// servers, of which there are some, need; behind
 * up_prepare() or up_prepare_parent(). `s` is its section. */
void up_prepare_tls(struct upstream *u, const struct conf_scope *s,
    struct up_tls_base *base, struct diag *d);

/* Whether a connection to it may serve a second request: one that began with a
 * PROXY header speaks for one client alone. */
static inline bool
upstream_can_keep(const struct upstream *u)
{
	return u->keepalive > 0 && u->send_proxy == 0;
}

/* Handler "upstream"; its handler_conf is a struct upstream. */
extern const struct handler up_handler;

/* Handler "forward": x->destination is asked, over HTTP/1.1, or connected to for
 * a CONNECT; or its parent is, for it. Its handler_conf is what up_prepare_any()
 * gave. */
extern const struct handler up_any_handler;

/* Request stage, in front of all that looks at cookies: which server of its
 * upstream the request belongs to. Our own cookie is taken off it. */
enum verdict stage_sticky(struct exch *x);
/* Response stage, behind the rules for fields and the caches: the cookie that
 * names the server, when the client has no good one. */
enum verdict stage_sticky_answer(struct exch *x);

/* The moving side for all upstreams of the worker's plan. */
struct up_worker *up_worker_new(struct worker *w);
/* Close all pooled connections and forget. Exchanges must be gone. */
void up_worker_free(struct up_worker *u);
/* Another process says that a place may be free, or that a server was reached
 * (shm/wake); 0: look at all. */
void up_worker_woken(struct up_worker *u, uint64_t token);
/* Retiring: pooled connections close, and none is pooled from now on. */
void up_worker_retire(struct up_worker *u);

#endif
