/* master: what the files of this folder share. The master reads the
 * configuration, binds sockets, opens logs, starts processes and obeys signals.
 * It parses no byte from the network. */
#ifndef GH_MASTER_H
#define GH_MASTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/list.h"
#include "common/ipc/boot.h"
#include "common/ipc/ctl.h"
#include "common/net/loop.h"
#include "common/store/tenants.h"

struct cachefiles;
struct cert_files;
struct commands;
struct gen;
struct master;

/* Where the configuration comes from: a file, or text made from flags. */
struct conf_source {
	const char *path; /* file, or the name shown in messages */
	span text; /* p != NULL: this text instead of the file */
};

/* Never NULL: when the diag holds errors, the tree is only good for finding
 * more of them. */
struct conf_tree *conf_source_load(
    const struct conf_source *src, struct diag *d);

/* --- children ------------------------------------------------------------- */

enum child_kind { CHILD_STEWARD, CHILD_NURSERY, CHILD_WORKER };

/* A process below the master, from its start until it was reaped. */
struct child {
	struct list node; /* in master.children */
	struct master *master;
	enum child_kind kind;
	struct gen *gen; /* NULL for the steward */
	pid_t pid; /* 0: not yet told (a worker before its first word) */
	int ctl;
	struct watch watch;
	uint32_t slot; /* steward and workers */
	uint32_t incarnation;
	uint32_t worker; /* its number, from 0 */
	uint64_t born_ms;
	uint32_t n_heard; /* steward: messages since the last beat */
	uint64_t aborted_ms; /* when the watchdog sent SIGABRT; 0: not */
	bool is_ready;
	bool is_retiring;
	bool has_retired; /* and accepts nothing more */
	bool has_crashed; /* it ended neither in order nor because we said so */
	struct task reap;
};

/* --- sockets and logs of a generation ------------------------------------- */

/* A listening socket, shared by the generations that name its address. */
struct lsock {
	struct list node; /* in master.lsocks */
	struct sock_addr addr;
	int fd;
	uint32_t refs;
	bool is_inherited; /* made by who started this process */
	bool is_admin; /* not for clients; may not become it while it lives */
};

/* The administration's sockets and what goes with them. */
struct admin_set {
	struct lsock **at;
	uint32_t n;
	bool has_group;
	gid_t gid;
	char *facts; /* of the configuration, for the steward; NULL until it
	                serves */
};

/* An open log file. */
struct logfile {
	const char *path; /* lives with the configuration */
	int fd;
};

/* --- generations ---------------------------------------------------------- */

enum gen_state {
	GEN_STARTING, /* its nursery prepares, its workers are being born */
	GEN_PROBATION, /* serves; the configuration before it is kept */
	GEN_SERVING,
	GEN_RETIRING, /* accepts nothing more, finishes what runs */
	GEN_KEEPING_TUNNELS, /* its time is over, tunnels live on */
	GEN_GONE
};

/* The configuration as it was read once, and the list of what is wrong with it.
 * Generations that are made of it share it. */
struct reading {
	uint32_t refs;
	bool was_kept; /* as what one can go back to */
	struct conf_tree *conf;
	struct diag *diag;
};

/* A configuration and the processes that serve it. */
struct gen {
	struct list node; /* in master.gens, oldest first */
	struct master *master;
	enum gen_state state;
	uint32_t no;
	struct reading *reading;
	struct diag *diag; /* of the reading */
	struct conf_tree *conf; /* of the reading */
	uint32_t n_crashes; /* of its workers, on probation */
	struct claims *claims; /* what it shares with others by name */
	struct boot boot; /* as the nursery gets it */
	struct boot_listen *listens;
	struct lsock **lsocks; /* the same order */
	struct boot_log *logs;
	struct logfile *files; /* the same order */
	struct logfile error_log;
	struct admin_set admin; /* until it serves */
	struct cert_files *certs;
	struct cachefiles *cachefiles; /* until it serves */
	int64_t certificate_ends; /* the first, in seconds since 1970; 0: there
	                             is none */
	int certs_fd; /* what CTL_CERTIFICATES passes on; -1: not told */
	uint64_t began_ms;
	bool is_reload; /* one that has not ended */
	struct child *nursery;
	bool is_prepared;
	uint32_t n_wanted; /* workers */
	uint32_t n_live;
	uint32_t n_leaving; /* of them: told to retire */
	uint32_t n_ready;
	uint64_t respawn_ms; /* wait before the next respawn */
	struct timer timer; /* respawn; retiring: its time */
	struct task reap;
	span refusal; /* pieces of CTL_REFUSED, malloc'd */
};

/* The new binary that is to take over, in the old master. */
struct upgrade {
	pid_t pid; /* 0: none is under way */
	struct watch ready; /* fd -1: it is not waited for */
	struct timer timer;
};

/* What a new master was given by the old one. */
struct inherited {
	bool is_upgrade;
	int segment_fd; /* -1: none, or used up */
	int ready_fd; /* where it says that it serves; -1: said */
};

/* --- the master ----------------------------------------------------------- */

enum master_state {
	MASTER_STARTING, /* before the first generation serves */
	MASTER_RUNNING,
	MASTER_QUITTING, /* everything retires */
	MASTER_STOPPING /* everything is ended */
};

/* What the steward is still to be told. */
struct tell {
	bool has_conf;
	bool has_certs;
	bool has_state;
	uint32_t next_admin; /* socket to be sent next */
	struct task task;
};

/* Readings of the configuration after the first. */
/* Reloads that are told of. */
#define RELOADS_KEPT 16u
#define RELOAD_PROBLEM_CAP 256u

/* One that has ended. */
struct reload_past {
	bool is_ok;
	uint32_t generation;
	int64_t wall_us;
	char problem[RELOAD_PROBLEM_CAP]; /* the first; empty: none */
};

struct reload {
	uint32_t n_begun;
	uint32_t n_ended;
	/* of the last that ended */
	bool is_ok;
	uint32_t generation;
	int64_t wall_us;
	char *problems; /* as -t prints them */
	struct reload_past past[RELOADS_KEPT]; /* at n_past % RELOADS_KEPT */
	uint32_t n_past;
	/* by the steward that lives */
	uint32_t n_asks; /* heard so far */
	uint32_t asked; /* the reload that answers the last that asked for one;
	                   0: none will */
};

/* A file of a cache that the steward has. */
struct cachejob {
	bool is_busy;
	int fd; /* that is written; -1: one that is read */
	char *path;
	char *temp;
};

/* Which file is written next. */
struct cache_round {
	uint64_t due_ms; /* when the next round may begin */
	uint64_t changes; /* of caches, before the last one */
	uint32_t next;
	bool is_last; /* of this master */
	bool is_over; /* it was, or there is no time for it */
};

/* What came of writing files of caches, for people. */
struct cache_saved {
	bool is_known; /* one was written, or should have been */
	bool is_ok; /* the last one */
	int64_t wall_us;
};

/* The file of quotas. */
struct quotafile {
	char *path; /* NULL: there is none */
	char *temp;
	char *bad;
	int fd; /* that is written; -1: none */
	bool is_busy; /* the steward has it */
	bool is_loading;
	bool has_saved; /* since this path was told */
	bool is_over; /* it was written for the last time, or cannot be */
	uint64_t due_ms; /* when it may be written again */
	uint64_t changes; /* that are in it */
};

struct master {
	enum master_state state;
	uint64_t began_ms;
	struct admin_set admin; /* in effect */
	struct tell tell;
	struct reload reload;
	struct cachefiles *cachefiles; /* of the last one that served */
	struct cachejob cachejob;
	struct cache_round cache_round;
	struct cache_saved cache_saved;
	struct quotafile quotafile;
	struct loop *loop;
	struct conf_source source;
	struct segment *segment;
	struct slots *slots;
	struct counters *counters;
	struct tenants tenants;
	struct wake_fds wakes;
	struct list children;
	struct list gens;
	struct list lsocks;
	struct child *steward;
	struct commands *commands; /* that run */
	struct helpers *helpers; /* likewise */
	struct watch signals;
	struct timer beat; /* watchdog */
	struct timer deadline; /* quitting, stopping */
	struct timer steward_timer;
	struct timer probation;
	struct timer taking_over; /* set: one serves; others may accept yet */
	struct timer cert_watch; /* the files of TLS */
	struct timer cert_day; /* the end of its certificates */
	struct reading *kept; /* to go back to, or NULL */
	uint64_t steward_wait_ms;
	bool is_daemon;
	bool wants_reload; /* a HUP came while one was under way */
	bool has_waited; /* the reload waits for slots, and that was said */
	bool wants_upgrade; /* a USR2 did, or while a failed upgrade ended */
	bool is_replaced; /* a new master serves; sockets and files are its */
	struct upgrade upgrade;
	struct inherited inherited;
	bool is_drained; /* WINCH: no worker is wanted */
	int extra_workers; /* TTIN, TTOU */
	int exit_code;
	bool is_done;
	int daemon_fd; /* tells the starting command; -1 */
	int pid_fd; /* locked pid file; -1 */
	char *pid_file;
	char *real_path; /* of the configuration, for a daemon */
};

/* Run until the end. Returns the exit status. */
int master_run(const struct conf_source *src);
/* Begin a graceful or a fast end. */
void master_quit(struct master *m);
void master_stop(struct master *m, int exit_code);
/* A new master serves: let go of everything as connections end. */
void master_hand_over(struct master *m);
/* A child or generation went: end when that was the last. */
void master_check_end(struct master *m);
/* Its configuration is good: workers are next. */
void master_prepared(const struct master *m);
/* A generation serves: announce it, as soon as no other one accepts. */
void master_ready(struct master *m);
/* A worker accepts nothing more: it may have been the last one to. */
void master_check_taken_over(struct master *m);
/* A reload has ended, well or not: say so and begin the one that was asked for
 * meanwhile. */
void master_reloaded(struct master *m);

/* The generation that serves (perhaps on probation), or NULL. */
struct gen *master_serving(struct master *m);
/* That one or else the newest, whose configuration the steward has. NULL when
 * there is none: drained. */
struct gen *master_newest(struct master *m);
/* Whether a generation is being started, until nobody is accepted by another. */
bool master_is_starting(const struct master *m);

/* --- signals.c ------------------------------------------------------------ */
int signals_open(struct master *m);
/* As HUP and WINCH. */
void signal_reload(struct master *m);
void signal_drain(struct master *m);
/* In a child: default actions, nothing blocked. */
void signals_reset(void);

/* --- listen.c ------------------------------------------------------------- */
/* Bind (or take over) what the generation's [listen] sections name; problems
 * go to g->diag. */
void listen_open(struct gen *g);
/* The generation no longer accepts; close what nobody else uses. */
void listen_close(struct gen *g);
/* A socket of the master before this one, for whatever generation names its
 * address. false: it is none. */
bool listen_inherit(struct master *m, int fd);
/* Close those that nobody named. */
void listen_drop_unused(struct master *m);
/* The socket of an address, bound when it is not yet; the caller refs it. NULL:
 * the problem went to g->diag. */
struct lsock *lsock_get(
    struct gen *g, span text, struct place at, int backlog, bool is_admin);
void lsock_unref(struct master *m, struct lsock *s);

/* --- certs.c -------------------------------------------------------------- */
/* The files that a configuration takes certificates, keys, authorities and
 * revocation lists from, as they are now. */
struct cert_files *certs_new(const struct conf_tree *t);
void certs_free(struct cert_files *f);
void certs_init(struct master *m);
/* The generation serves: look at its files from time to time, if it wants
 * that, and reload when they changed; warn of the end of its certificates. */
void certs_follow(struct gen *g);
void certs_stop(struct master *m);

/* --- logfile.c ------------------------------------------------------------ */
/* Open the logs that the generation's configuration names; problems go to
 * g->diag. */
void logfiles_open(struct gen *g);
void logfiles_close(struct gen *g);
/* At the very end: what is logged after it goes to standard error. */
void logfile_forget_error_log(void);
/* Open them again and tell every process. */
void logfiles_reopen(struct master *m);
/* Use the generation's error log from now on. */
void logfile_use_error_log(const struct gen *g, const char *who);

/* --- cachefile.c ---------------------------------------------------------- */
/* Whether files of caches can be what they are to be; problems go to d. */
void cachefiles_check(const struct conf_tree *t, struct diag *d);
/* Those that g's configuration names, behind its claims: what is in the file of
 * a cache that is new is to be loaded. */
void cachefiles_open(struct gen *g);
/* Workers are next: what they change is in no file yet. */
void cachefiles_prepared(struct gen *g);
void cachefiles_free(struct cachefiles *c);
void cachefiles_init(struct master *m);
void cachefiles_close(struct master *m);
/* g serves: its files are the master's from now on. */
void cachefiles_use(struct gen *g);
/* Another master serves, and has them. */
void cachefiles_drop(struct master *m);
/* Now and then: what is to be loaded, what it is time to write. */
void cachefiles_care(struct master *m);
/* The steward is done with what it was given. */
void cachefiles_done(struct master *m, bool is_whole);
/* The steward died. */
void cachefiles_lost(struct master *m);
/* Whether files are to be written at the end and there is who can. */
bool cachefiles_wants_last(const struct master *m);
/* No worker is left: write all files for the last time. Whether that is under
 * way; master_check_end() is called when something of it has ended. */
bool cachefiles_last(struct master *m);
/* There is no more time for it. */
void cachefiles_give_up(struct master *m);

/* --- quotafile.c ---------------------------------------------------------- */
/* Whether the file can be what it is to be; problems go to d. */
void quotafile_check(const struct conf_tree *t, struct diag *d);
void quotafile_init(struct master *m);
/* No more of it: the master ends, or another one has it. */
void quotafile_close(struct master *m);
/* g serves: its file is the master's from now on. */
void quotafile_use(const struct gen *g);
/* Now and then: it is loaded, or written when it is time. */
void quotafile_care(struct master *m);
/* The steward is done with what it was given. */
void quotafile_done(struct master *m, bool is_ok);
/* The steward died. */
void quotafile_lost(struct master *m);
/* As those of cachefile.c. */
bool quotafile_wants_last(const struct master *m);
bool quotafile_last(struct master *m);
void quotafile_give_up(struct master *m);

/* --- gens.c --------------------------------------------------------------- */
/* Start a generation of a reading (taken). false when it cannot be: the diag
 * was reported. */
bool gen_start(struct master *m, struct reading *r);
void gen_goto(struct gen *g, enum gen_state to);
static inline bool
gen_is_serving(const struct gen *g)
{
	return g->state == GEN_SERVING || g->state == GEN_PROBATION;
}
const char *gen_state_name(enum gen_state s);
/* From its processes. */
/* Takes fd. */
void gen_on_prepared(struct gen *g, const struct ctl_msg *msg, int fd);
void gen_on_refused(struct gen *g, const struct ctl_msg *msg);
void gen_on_ready(struct gen *g, struct child *c);
void gen_on_death(struct gen *g, struct child *c);
void gen_retire(struct gen *g);
/* Forget it at the very end, whatever it was doing. */
void gen_end(struct gen *g);
/* Bring the number of workers to what is wanted. */
void gen_fill(struct gen *g);
/* One worker more or fewer. */
void gen_resize(struct gen *g, int by);

/* --- probation.c ---------------------------------------------------------- */
/* Read the configuration; never NULL, one reference. */
struct reading *reading_new(const struct conf_source *src);
struct reading *reading_ref(struct reading *r);
void reading_unref(struct reading *r);
/* The state in which a generation begins to serve after `before` (or NULL). */
enum gen_state probation_begin(struct gen *g, const struct gen *before);
/* The window is over. */
void probation_on_timer(void *self);
/* Nothing is on probation any more: what was kept for it goes. */
void probation_forget(struct master *m);
/* A worker of it has crashed. */
void probation_note_crash(struct gen *g);

/* --- spawn.c -------------------------------------------------------------- */
/* The three ways to start a process; false with errno. */
bool spawn_steward(struct master *m);
bool spawn_nursery(struct gen *g);
bool spawn_worker(struct gen *g);
/* Forget a child that is gone. */
void child_free(struct child *c);

/* --- reap.c --------------------------------------------------------------- */
void reap_all(struct master *m);
/* A message or the end of a child's control socket. */
void child_on_ctl(void *self, unsigned events);
/* A second is over: a steward that said too much is heard again. */
void reap_listen_again(struct master *m);
/* Once a second: watchdog; slots of the dead that are mended become free. */
void reap_watch(struct master *m);

/* --- nursery.c ------------------------------------------------------------ */
/* Be the nursery of a generation; never returns. */
_Noreturn void nursery_main(const struct boot *b, struct diag *d, int ctl);
/* Close every descriptor but standard ones and these (sorted by the call). */
void close_others(int *keep, uint32_t n);

/* --- steward.c ------------------------------------------------------------ */
_Noreturn void steward_main(const struct boot *b);

#endif
