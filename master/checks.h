/* master/checks: the steward's checks of servers: a connection, a handshake or
 * a request to each of them, in intervals, one at a time. What they say goes to
 * the shared table (store/health), where it holds without a steward, too. Only
 * the steward with the lease checks. */
#ifndef GH_CHECKS_H
#define GH_CHECKS_H

#include <jansson.h>

#include "common/base/list.h"
#include "common/base/regex.h"
#include "common/base/siphash.h"
#include "common/conf/conf_health.h"
#include "common/http/grpc_health.h"
#include "common/net/dns.h"
#include "common/net/loop.h"
#include "common/net/proxyproto.h"
#include "common/serve/fetch.h"
#include "common/http/peer_addr.h"
#include "common/store/history.h"
#include "common/store/spots.h"
#include "common/tls/tls_client.h"

struct boot;
struct check_group;

enum check_state {
	CHECK_RESTS, /* the timer begins the next one */
	CHECK_ASKS, /* a fetch, which has its own time */
	CHECK_WAITS, /* its command, for another one to end */
	CHECK_RUNS /* its command, until the timer */
};

/* One server. */
struct check_server {
	struct check_group *group;
	enum check_state state;
	uint32_t id; /* in the shared table */
	uint32_t number; /* its line in the configuration: names its command */
	struct list node; /* while it waits or runs, in checks.commands */
	bool is_backup;
	uint32_t spots; /* of a name: their id; REGISTRY_NONE: it is none */
	uint32_t spot; /* which of them; the others stand behind the first */
	struct spot asked; /* who stood there at the last check */
	struct peer_addr at;
	struct tls_remote *remote; /* NULL: no TLS is spoken in the check */
	uint64_t check; /* of what is checked: see health_check_adopt() */
	struct timer timer;
	struct fetch *fetch;
	struct dns_answer answer; /* of a server that is a name: its own */
	uint64_t began_ms; /* the check that runs */
	uint32_t n_addrs; /* that it was tried at */
	uint32_t streak; /* results in a row that are not the one that holds */
	bool was_ejected; /* when it was looked at last */
};

/* One upstream. */
struct check_group {
	struct checks *all;
	span name;
	struct conf_check what; /* CHECK_NONE: nothing is asked */
	bool is_h2; /* what requests are made by */
	struct tls_client *tls; /* NULL: it cannot be used, or need not */
	struct regex *body;
	char request[GRPC_HEALTH_REQUEST_CAP]; /* of a check by gRPC */
	size_t request_len;
	char first[PROXYPROTO_WRITE_CAP];
	size_t first_len;
	uint32_t panic_tenths;
	bool is_panicking;
	struct check_server *servers;
	size_t n_servers;
};

/* The servers whose commands are the master's to run. */
struct check_commands {
	uint32_t generation; /* whose configuration numbers them */
	struct list waiting;
	struct list running;
	uint32_t n_running;
	struct timer pause; /* armed: the master has had enough for now */
};

struct checks {
	struct loop *loop;
	const struct boot *boot;
	struct tls_io *io;
	char *system_text; /* authorities, as they stand in files */
	size_t system_len;
	struct tls_trust *system; /* the same, once they are needed */
	struct sipkey jitter;
	uint64_t n_jitters;
	json_t *conf; /* what the groups' texts are parts of */
	struct check_group *groups;
	size_t n_groups;
	struct check_commands commands;
	bool is_on; /* we have the lease */
};

/* Read what stands in files: behind this no path is opened. */
void checks_init(struct checks *c, struct loop *l, const struct boot *b);
/* This configuration serves now. Borrows it for as long as it is used. */
void checks_use(struct checks *c, json_t *conf);
/* Once a second at least: whether this steward has the lease. */
void checks_beat(struct checks *c, bool has_lease);
void checks_end(struct checks *c);

/* --- check_conf.c: what is to be checked ---------------------------------- */

/* Make the groups of c->conf; give them back. */
void check_groups_open(struct checks *c);
void check_groups_close(struct checks *c);

/* --- check_run.c: one server ---------------------------------------------- */

/* Begin with its first check, or give up the one that runs. */
void check_server_start(struct check_server *s);
void check_server_stop(struct check_server *s);

/* Its check has ended: note what came of it, or that nothing did, and wait for
 * the next one. */
void check_done(struct check_server *s, enum health_why why, uint32_t detail);
void check_rest(struct check_server *s);

/* --- check_name.c: servers that are names ---------------------------------- */

/* Ask it at the address that is in its spot. */
void check_name(struct check_server *s);
/* Whether it has an address, or stands for a name that has none. */
bool check_name_is_there(const struct check_server *s);
/* Whether it is still at the address that was asked. */
bool check_name_stays(const struct check_server *s);
/* What logs call it: its text, and where it is. */
#define CHECK_TEXT_CAP 512
const char *check_name_text(
    const struct check_server *s, char out[CHECK_TEXT_CAP]);

/* Its addresses are at hand: ask it. */
void check_ask(struct check_server *s);

/* --- check_command.c: checks that are commands ---------------------------- */

void check_commands_init(struct checks *c);
/* Nothing of theirs may run or wait any more. */
void check_commands_end(struct checks *c);
/* Have the server's command run as soon as may be; check_done() or check_rest()
 * follows. */
void check_command_ask(struct check_server *s);
/* Its time, and more than the master needs to say so, is over. */
void check_command_lost(struct check_server *s);
/* Give it up, whatever it waits for. */
void check_command_cancel(struct check_server *s);
/* CTL_RAN has come. */
void check_command_hear(struct checks *c, uint64_t arg);

/* --- check_judge.c: what an answer means ---------------------------------- */

/* HEALTH_WHY_NONE: the server is well. *detail: the status, of a why that has
 * one; else 0. */
enum health_why check_judge(const struct check_group *g,
    const struct fetch_result *r, uint32_t *detail);
/* Note the result of a check. */
void check_noted(struct check_server *s, enum health_why why, uint32_t detail);

#endif
