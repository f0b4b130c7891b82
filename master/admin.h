/* master/admin: the administration: its sockets (the master's), what the
 * steward is told of the master and asks of it, and the interface it serves.
 *
 * The master tells and never waits: what changes is marked, and sent when the
 * steward's control socket takes it, the newest state only. What is told is a
 * file in memory, so that one message holds all of it. What the steward asks is
 * one number out of a list; nothing else of it is read. */
#ifndef GH_ADMIN_H
#define GH_ADMIN_H

#include <jansson.h>

#include "common/serve/server.h"
#include "master/master.h"

/* --- in the master: admin_listen.c ---------------------------------------- */

/* Whether the group exists; problems go to d. */
void admin_check(const struct conf_tree *t, struct diag *d);
/* Bind what g's [admin] names, into g->admin; problems go to g->diag. */
void admin_open(struct gen *g);
/* Close what nobody else uses. */
void admin_close(struct master *m, struct admin_set *a);
/* g serves: its sockets are the administration's from now on. */
void admin_use(struct gen *g);
/* A new master serves them: let go. */
void admin_hand_over(struct master *m);

/* --- in the master: tell.c ------------------------------------------------ */

void tell_init(struct master *m);
/* There is a new steward: it knows nothing. */
void tell_all(struct master *m);
void tell_state(struct master *m);
void tell_conf(struct master *m);
/* The generation that serves was prepared again. */
void tell_certs(struct master *m);
/* Send what could not be sent before. */
void tell_again(struct master *m);
/* A text; "?" when it is not UTF-8: a path may be anything. */
json_t *tell_text(span s);
/* Set a member of an object. */
void tell_number(json_t *j, const char *key, uint64_t n);
/* What the steward needs of g's configuration, as JSON; malloc'd. */
char *tell_render_conf(const struct gen *g);

/* --- in the master: ask.c ------------------------------------------------- */

/* A reading of the configuration begins that is not the first. */
void reload_begin(struct gen *g);
/* It has ended, once: it serves (why == NULL), or `why`, unless its diag says
 * more. */
void reload_end(struct gen *g, const char *why);
/* The last one, and the last ones, the newest first; new. */
json_t *tell_reload(const struct reload *r);
json_t *tell_reloads(const struct reload *r);
/* The steward asks; what is none of enum ctl_ask is logged. */
void ask_obey(struct master *m, uint64_t what);

/* --- in the steward: admin.c ---------------------------------------------- */

struct ask;
struct stapler;

/* The administration as it is served. */
struct admin {
	struct loop *loop;
	const struct boot *boot;
	struct serve *serve;
	json_t *state; /* CTL_STATE; NULL: not yet told */
	json_t *conf; /* CTL_CONF */
	json_t *certs; /* CTL_CERTIFICATES */
	const struct stapler *stapler;
	json_t *next_conf; /* told, but the state that goes with it was not */
	uint32_t n_fds; /* admin sockets that came since CTL_CONF */
	uint32_t n_fds_wanted;
	int *fds;
	struct list asks; /* that wait for an answer */
	uint32_t n_asked;
	struct list purges; /* that wait for an answer */
	struct list finds; /* of objects in caches, likewise */
	struct series *series;
	struct scrape *scrape;
};

/* boot.ctl_fd is where it asks. */
void admin_init(struct admin *a, struct loop *l, const struct boot *b,
    const struct stapler *st);
/* One of CTL_STATE, CTL_CONF, CTL_ADMIN, CTL_CERTIFICATES. Takes fd. */
void admin_hear(struct admin *a, const struct ctl_msg *m, int fd);
/* The process is told to end: answer those who wait, and nobody more. */
void admin_end(struct admin *a);
/* --- in the steward: admin_may.c ------------------------------------------ */

/* Whether an address is none that `allow` names; `self` is the admin. */
bool admin_is_stranger(void *self, const struct ip *ip);
/* Whether it may be asked, and is ready. false: was answered. */
bool admin_begin(const struct admin *a, struct serve_call *c);
/* The same of the page of metrics, which may be open to more. */
bool admin_begin_metrics(const struct admin *a, struct serve_call *c);
/* The same of what is no secret at all: the dashboard, when it is on. */
bool admin_begin_page(const struct admin *a, struct serve_call *c);
/* "uid=0" over a unix socket, "peer=192.0.2.1" over TCP: what the log says of who
 * orders something. Returns out. */
#define ADMIN_WHO_CAP (IP_TEXT_CAP + sizeof("peer="))
const char *admin_who(const struct serve_call *c, char out[ADMIN_WHO_CAP]);
/* Answer with JSON. Takes j. */
void admin_answer(struct serve_call *c, unsigned status, json_t *j);
/* {"error": why} */
void admin_refuse(struct serve_call *c, unsigned status, const char *why);

/* --- in the steward: admin_status.c --------------------------------------- */

/* What GET /v1/status tells: all, or with only.p what is named in it between
 * commas. NULL: there is no such key. */
json_t *admin_status(const struct admin *a, span only);
/* What it says of one server of a->conf, with its history; new. NULL: an empty
 * spot of a name. */
json_t *admin_status_server(const struct admin *a, const json_t *server);

/* --- in the steward: admin_certs.c ---------------------------------------- */

/* When the first one ends. */
json_t *admin_status_first_end(const struct admin *a);
json_t *admin_status_certificates(const struct admin *a);

/* --- in the steward: admin_series.c --------------------------------------- */

/* Looks at what is counted, once a second. */
struct series *series_new(const struct admin *a);
void series_free(struct series *s);
/* Whether somebody may ask for it: without that nothing is looked at. */
void series_use(struct series *s, bool is_wanted);
/* GET /v1/traffic; `self` is the admin. */
void admin_on_traffic(void *self, struct serve_call *c);

/* --- in the steward: admin_metrics.c -------------------------------------- */

/* The page as it is now, in OpenMetrics or plain; the caller's. */
struct serve_text *admin_metrics_page(const struct admin *a, bool is_open);

/* --- in the steward: admin_scrape.c --------------------------------------- */

struct scrape *scrape_new(struct admin *a);
void scrape_free(struct scrape *s);
/* GET /metrics; `self` is the admin. */
void admin_on_metrics(void *self, struct serve_call *c);

/* --- in the steward: admin_server.c --------------------------------------- */

/* POST /v1/server; `self` is the admin. */
void admin_on_server(void *self, struct serve_call *c);

/* --- in the steward: admin_ban.c ------------------------------------------ */

/* GET /v1/bans and POST /v1/ban; `self` is the admin. */
void admin_on_bans(void *self, struct serve_call *c);
void admin_on_ban(void *self, struct serve_call *c);
/* What status says of bans: numbers, and some of them; new. */
json_t *admin_status_bans(const struct admin *a);

/* --- in the steward: admin_cache.c ---------------------------------------- */

/* GET /v1/cache; `self` is the admin. */
void admin_on_cache(void *self, struct serve_call *c);
/* Answer those who wait. */
void admin_cache_end(struct admin *a);
/* The name that answers have in caches under this URL: malloc'd, to be freed in
 * any case, and its length. Returns why not, NULL when it is read. */
const char *admin_read_url(span url, char **name, size_t *len, bool *is_prefix);

/* --- in the steward: admin_why.c ------------------------------------------ */

/* GET /v1/why; `self` is the admin. */
void admin_on_why(void *self, struct serve_call *c);
/* Lines of the configuration that refused most of what is kept. */
json_t *admin_status_blocked(const struct admin *a);
json_t *admin_status_rules(const struct admin *a);

/* --- in the steward: admin_level.c ---------------------------------------- */

/* POST /v1/loglevel; `self` is the admin. */
void admin_on_level(void *self, struct serve_call *c);
/* The level that is configured, and the one that is ordered. */
json_t *admin_status_level(const struct admin *a);

/* --- in the steward: admin_page.c ----------------------------------------- */

/* GET /dashboard and its parts; `self` is the admin. */
void admin_on_page(void *self, struct serve_call *c);

/* --- in the steward: admin_quota.c ---------------------------------------- */

/* For the status: what is used of quotas. */
json_t *admin_status_quotas(const struct admin *a);

/* --- in the steward: admin_top.c ------------------------------------------ */

/* Clients, paths and user agents that come most often; new. */
json_t *admin_status_top(const struct admin *a);

/* --- in the steward: admin_site.c ----------------------------------------- */

/* POST /v1/maintenance; `self` is the admin. */
void admin_on_maintenance(void *self, struct serve_call *c);
/* Sites that are closed, or under an order. */
json_t *admin_status_sites(const struct admin *a);

/* --- in the steward: admin_purge.c ---------------------------------------- */

/* POST /v1/purge; `self` is the admin. */
void admin_on_purge(void *self, struct serve_call *c);
/* Answer those who wait. */
void admin_purge_end(struct admin *a);

#endif
