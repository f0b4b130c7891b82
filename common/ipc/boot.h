/* ipc/boot: the seam between master and worker: nine functions, and what a
 * process is given at its birth. Worker code never includes anything of
 * master/. */
#ifndef GH_BOOT_H
#define GH_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/diag.h"
#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/net/sock.h"
#include "common/shm/counters.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/shm/wake.h"

/* A bound socket of one `address =` word of one [listen]. */
struct boot_listen {
	const struct conf_section *section; /* NULL: the implied :80 */
	struct sock_addr addr;
	int fd;
};

/* An open log file of one [log]. */
struct boot_log {
	const struct conf_section *section;
	int fd;
};

struct decision; /* common/store/decisions.h */
struct explain;
struct prepared;
struct bans; /* common/store/bans.h */
struct closures; /* common/store/closures.h */
struct claims; /* common/store/tenants.h */
struct headcount; /* common/store/headcount.h */
struct hitters; /* common/store/hitters.h */
struct names; /* common/store/names.h */
struct quotas; /* common/store/quotas.h */
struct collections; /* common/store/collections.h */
struct decisions; /* common/store/decisions.h */
struct spans; /* common/store/spans.h */
struct rulehits; /* common/store/rulehits.h */
struct sessions; /* common/store/sessions.h */
struct spots; /* common/store/spots.h */
struct staples; /* common/store/staples.h */
struct strikes; /* common/store/strikes.h */
struct tallies; /* common/store/tally.h */
struct ticket_keys; /* common/store/ticket_keys.h */
struct upqueue; /* common/store/upqueue.h */
struct upstate; /* common/store/upstate.h */
struct visits; /* common/store/visits.h */

/* All of it lives as long as the process. */
struct boot {
	const struct conf_tree *conf;
	const struct diag *sources; /* names the files of its places */
	struct segment *segment;
	struct slots *slots;
	struct counters *counters;
	struct upstate *upstate;
	struct upqueue *upqueue;
	struct names *names;
	struct names *crawlers; /* NULL: nothing is shared (-t) */
	struct spots *spots;
	struct ticket_keys *ticket_keys;
	struct strikes *strikes;
	struct staples *staples;
	struct sessions *sessions;
	struct bans *bans; /* NULL: nothing is shared (-t) */
	struct headcount *headcount;
	struct closures *closures;
	struct loglevel *loglevel;
	struct hitters *hitters; /* NULL: nothing is shared (-t) */
	struct quotas *quotas; /* likewise */
	struct collections *collections; /* likewise */
	struct visits *visits; /* likewise */
	struct decisions *decisions; /* likewise */
	struct spans *spans; /* likewise */
	struct rulehits *rulehits; /* likewise */
	struct tallies *tallies;
	/* Called when nothing needs a path any more but for files below these n
	 * folders, to read: no other can be opened and no program run after it.
	 * false with errno. */
	bool (*confine)(const int *roots, uint32_t n);
	const struct wake_fds *wakes;
	const struct claims *claims; /* NULL: nothing is shared (-t) */
	const struct boot_listen *listens;
	uint32_t n_listens;
	const struct boot_log *logs; /* without [log error] */
	uint32_t n_logs;
	int error_log_fd;
	enum log_level log_level;
	uint32_t generation;
	uint32_t n_workers;
	/* below here: of one worker */
	uint32_t slot;
	uint32_t incarnation;
	uint32_t worker; /* 0 .. n_workers - 1 */
	int ctl_fd;
	int cpu; /* -1: not pinned */
	struct prepared *prepared;
};

/* Compile everything that workers share copy-on-write: sites, routes, regexes,
 * templates. Runs before fork in a process of its own, and for -t. Goes on
 * after an error so that all of them are found. NULL when d holds an error.
 * `listens` of the boot may be empty (-t): sockets are not needed. */
struct prepared *worker_prepare(const struct boot *b, struct diag *d);
/* When the first of its certificates ends, in seconds since 1970; 0: there is
 * none. */
int64_t worker_prepare_ends(const struct prepared *p);

/* Where the OCSP answer of a certificate comes from. */
enum boot_staple { BOOT_STAPLE_NONE, BOOT_STAPLE_FILE, BOOT_STAPLE_FETCH };

/* A certificate that clients are shown; nothing in it is secret. */
struct boot_certificate {
	const char *file;
	char print[65]; /* its SHA-256, hexadecimal */
	char *names; /* between blanks */
	int64_t ends_s; /* since 1970 */
	enum boot_staple from;
	/* FILE: what the answer says (tls_ocsp_word()), and seconds since 1970
	 */
	const char *word;
	int64_t since_s;
	int64_t until_s;
	char *pem; /* FETCH: the certificate and its issuer; NULL else */
};

/* All of them, each once. They live as long as p. */
uint32_t worker_prepare_certificates(
    const struct prepared *p, const struct boot_certificate **out);
/* Give it back; NULL is allowed. */
void worker_prepare_free(struct prepared *p);

/* Exit status of `waf test`: a rule refuses the request. */
#define EXIT_WAF_REFUSES 3

/* A word of the command line that only the rules can answer. */
enum command_word {
	COMMAND_EXPLAIN, /* one request, run dry */
	COMMAND_WAF_TEST /* the same of bytes, before the rules of a [waf] */
};

struct command {
	enum command_word word;
	const struct diag *sources; /* names the files of places */
	FILE *out;
	/* explain: as they are to stand in the request, unread */
	const char *method;
	const char *url; /* with "http://HOST" in front, or a bare target */
	bool is_bare; /* what is in front is not sent, to a proxy either */
	const char *const *headers; /* "Name: value" */
	unsigned n_headers;
	const char *from; /* the client's address, or "unix:" */
	const char *listen; /* name of a [listen]; NULL: by the URL's port */
	unsigned answer_status; /* what servers are taken to answer */
	/* waf test: all that the client sends; method and url are empty. The
	 * status is then EXIT_WAF_REFUSES when a rule refuses it. */
	const char *request;
	size_t request_len;
	bool is_json;
};

/* Answer a word, from a prepared boot without sockets. Has no effect outside of
 * the process but what is written to c->out. Returns the exit status; what is
 * wrong with the command goes to standard error. */
int worker_command(const struct boot *b, const struct command *c);

/* What came of a request that was run dry. Valid until the next one. */
struct explained {
	const struct decision *decision; /* NULL: there was none */
	span answer; /* its head, as it came over the wire */
	span why; /* it could not be run; empty: it could */
};

/* The same for many requests, one after the other. NULL with errno. */
struct explain *worker_explain_open(const struct boot *b);
/* Run one dry; of the command only what is asked counts, of COMMAND_EXPLAIN.
 * Prints nothing. false: out->why tells why not. */
bool worker_explain_ask(
    struct explain *e, const struct command *c, struct explained *out);
void worker_explain_close(struct explain *e);

/* Be a worker until told to retire or the control socket ends. Privileges are
 * already dropped. Returns the exit status. */
int worker_main(const struct boot *b);

#endif
