/* master/gens: generations from their first process to their last. A new one
 * serves only when all its workers do; until then nothing of the old one is
 * touched. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "master/admin.h"
#include "master/commands.h"
#include "master/helpers.h"
#include "master/cpu.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/priv.h"
#include "master/report.h"
#include "master/seccomp.h"

/* A worker that lived shorter than this died young. */
#define YOUNG_MS 1000u
#define RESPAWN_MIN_MS 100u
#define RESPAWN_MAX_MS 5000u
/* Of one generation: two of them and two stewards fit into the slots. */
#define WORKERS_MAX 120u
/* All that a nursery may have to say about a configuration. */
#define REFUSAL_MAX (1024u * 1024)

#define TO(s) (1u << (s))

static const uint16_t gen_edges[] = {
    [GEN_STARTING] =
	TO(GEN_PROBATION) | TO(GEN_SERVING) | TO(GEN_RETIRING) | TO(GEN_GONE),
    [GEN_PROBATION] = TO(GEN_SERVING) | TO(GEN_RETIRING),
    [GEN_SERVING] = TO(GEN_RETIRING),
    [GEN_RETIRING] = TO(GEN_KEEPING_TUNNELS) | TO(GEN_GONE),
    [GEN_KEEPING_TUNNELS] = TO(GEN_GONE),
    [GEN_GONE] = 0,
};

static const char *const gen_state_names[] = {
    [GEN_STARTING] = "starting",
    [GEN_PROBATION] = "probation",
    [GEN_SERVING] = "serving",
    [GEN_RETIRING] = "retiring",
    [GEN_KEEPING_TUNNELS] = "keeping_tunnels",
    [GEN_GONE] = "gone",
};

void
gen_goto(struct gen *g, enum gen_state to)
{
	REQUIRE(gen_edges[g->state] & TO(to));
	log_msg(LOG_INFO, "generation=%u from=%s to=%s", g->no,
	    gen_state_names[g->state], gen_state_names[to]);
	g->state = to;
	tell_state(g->master);
}

const char *
gen_state_name(enum gen_state s)
{
	return gen_state_names[s];
}

static struct conf_scope
gen_global(const struct gen *g)
{
	return conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
}

static void
gen_drop_certs(struct gen *g)
{
	if (g->certs_fd >= 0)
		(void)close(g->certs_fd);
	g->certs_fd = -1;
}

static void
gen_free(void *self)
{
	struct gen *g = self;

	gen_drop_certs(g);
	cachefiles_free(g->cachefiles);
	claims_free(&g->master->tenants, g->claims);
	reading_unref(g->reading);
	certs_free(g->certs);
	free(g->listens);
	free(g->logs);
	free(g->files);
	free((void *)(uintptr_t)g->refusal.p);
	free(g);
}

void
gen_end(struct gen *g)
{
	loop_timer_clear(g->master->loop, &g->timer);
	listen_close(g);
	admin_close(g->master, &g->admin);
	logfiles_close(g);
	list_del(&g->node);
	gen_free(g);
}

/* All its processes are gone. */
static void
gen_gone(struct gen *g)
{
	struct master *m = g->master;

	gen_goto(g, GEN_GONE);
	loop_timer_clear(m->loop, &g->timer);
	listen_close(g);
	list_del(&g->node);
	logfiles_close(g);
	task_init(&g->reap, gen_free, g);
	loop_reap(m->loop, &g->reap);
	master_check_end(m);
}

static void
gen_check_gone(struct gen *g)
{
	if (g->n_live == 0 && g->nursery == NULL && !gen_is_serving(g) &&
	    g->state != GEN_GONE)
		gen_gone(g);
}

/* --- retiring ------------------------------------------------------------- */

static void gen_renew(struct gen *g);

static void
gen_on_timer(void *self)
{
	struct gen *g = self;

	if (g->state == GEN_RETIRING)
		gen_goto(g, GEN_KEEPING_TUNNELS);
	else if (gen_is_serving(g) || g->state == GEN_STARTING)
		gen_renew(g);
}

/* Tell one worker; 0 is "as long as it takes". */
static void
gen_retire_worker(struct gen *g, struct child *c)
{
	struct conf_scope s = gen_global(g);

	if (c->is_retiring)
		return;
	c->is_retiring = true;
	g->n_leaving++;
	if (ctl_send_word(c->ctl, CTL_RETIRE,
		(uint64_t)conf_num(&s, KEY_GLOBAL_SHUTDOWN_TIMEOUT), -1) < 0 &&
	    !ctl_is_gone(errno))
		log_msg(LOG_WARN, "retire not told pid=%d error=\"%s\"",
		    (int)c->pid, strerror(errno));
}

/* Without its control socket a nursery ends. */
static void
gen_end_nursery(struct gen *g)
{
	struct child *c = g->nursery;

	if (c != NULL && c->ctl >= 0) {
		watch_close_shared(g->master->loop, &c->watch);
		c->ctl = -1;
	}
}

void
gen_retire(struct gen *g)
{
	struct conf_scope s = gen_global(g);

	if (g->state != GEN_STARTING && !gen_is_serving(g))
		return;
	reload_end(
	    g, gen_is_serving(g) ? NULL : "it was ended before it served");
	gen_goto(g, GEN_RETIRING);
	list_foreach (n, &g->master->children) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->gen == g && c->kind == CHILD_WORKER)
			gen_retire_worker(g, c);
	}
	gen_end_nursery(g);
	/* a socket that no newer generation uses closes now, not when the last
	 * tunnel ends: nobody would accept from it any more */
	listen_close(g);
	admin_close(g->master, &g->admin);
	loop_timer_set(g->master->loop, &g->timer,
	    (uint64_t)conf_num(&s, KEY_GLOBAL_SHUTDOWN_TIMEOUT));
	gen_check_gone(g);
}

static void
gen_use_budget(const struct gen *g)
{
	struct segment *s = g->master->segment;

	segment_set_budget(s, tenants_budget(g->conf, segment_committed(s)));
}

/* What a start that failed has set for all is again as the one that serves
 * wants it. */
static void
gen_set_back(const struct gen *g)
{
	const struct gen *serving = master_serving(g->master);

	if (serving == NULL)
		return;
	gen_use_budget(serving);
	claims_use(serving->claims);
}

/* A start that failed: nothing of it stays. */
static void
gen_abandon(struct gen *g, const char *why)
{
	struct master *m = g->master;
	bool is_first = m->state == MASTER_STARTING;

	if (g->state != GEN_STARTING)
		return;
	reload_end(g, why);
	gen_set_back(g);
	gen_retire(g);
	if (is_first)
		master_stop(m, EXIT_FAILURE);
	else
		master_reloaded(m);
}

/* --- starting ------------------------------------------------------------- */

static struct gen *
gen_new(struct master *m, struct reading *r)
{
	struct gen *g = calloc(1, sizeof(*g));

	REQUIRE(g != NULL);
	g->master = m;
	g->state = GEN_STARTING;
	g->no = segment_next_generation(m->segment);
	g->respawn_ms = RESPAWN_MIN_MS;
	g->error_log.fd = -1;
	g->certs_fd = -1;
	g->boot.error_log_fd = STDERR_FILENO;
	g->boot.log_level = LOG_NOTICE;
	g->reading = r;
	g->conf = r->conf;
	g->diag = r->diag;
	g->began_ms = clock_mono_ms(loop_clock(m->loop));
	timer_init(&g->timer, gen_on_timer, g);
	list_push_back(&m->gens, &g->node);
	return g;
}

static void
gen_report(struct gen *g)
{
	struct gen *serving = master_serving(g->master);

	if (g->master->state == MASTER_STARTING)
		report_diag(g->diag);
	else
		report_reload(g->diag, serving == NULL ? 0 : serving->no);
}

/* A generation without any process. */
static bool
gen_drop(struct gen *g)
{
	gen_report(g);
	reload_end(g, "it could not be started");
	gen_set_back(g);
	listen_close(g);
	admin_close(g->master, &g->admin);
	logfiles_close(g);
	list_del(&g->node);
	if (g->master->state != MASTER_STARTING)
		master_reloaded(g->master);
	gen_free(g);
	return false;
}

static void
gen_check_privileges(struct gen *g)
{
	struct conf_scope s = gen_global(g);

	priv_check(&s, g->diag);
	admin_check(g->conf, g->diag);
	cachefiles_check(g->conf, g->diag);
	quotafile_check(g->conf, g->diag);
	commands_check(g->conf, g->diag);
	helpers_check(g->conf, g->diag);
}

static uint32_t
gen_workers(const struct gen *g)
{
	struct conf_scope s = gen_global(g);
	int64_t n = conf_num(&s, KEY_GLOBAL_WORKERS) + g->master->extra_workers;

	if (conf_num(&s, KEY_GLOBAL_WORKERS) == 0)
		n += cpu_usable();
	if (n > WORKERS_MAX)
		return WORKERS_MAX;
	return n < 1 ? 1 : (uint32_t)n;
}

/* What it shares with other generations, before its first process is born. What
 * was committed stays so: a budget below it cannot be kept. */
static void
gen_claim(struct gen *g)
{
	struct master *m = g->master;
	struct conf_scope s = gen_global(g);
	struct conf_iter it = {0};
	const struct conf_value *v =
	    conf_next(&s, KEY_GLOBAL_SHARED_MEMORY, &it);
	uint64_t used;

	gen_use_budget(g);
	g->claims = claims_new(&m->tenants, g->conf, false, g->diag);
	used = segment_committed(m->segment);
	if (used > segment_budget(m->segment))
		diag_error(g->diag, v != NULL ? v->at : (struct place){0},
		    "%llu bytes of shared memory are in use; what is less "
		    "takes "
		    "a new start",
		    (unsigned long long)used);
}

bool
gen_start(struct master *m, struct reading *r)
{
	struct gen *g = gen_new(m, r);
	bool is_readable = diag_count(g->diag, DIAG_ERROR) == 0;

	reload_begin(g);
	if (m->state == MASTER_RUNNING)
		notify_reloading();
	gen_check_privileges(g);
	/* with errors the nursery only looks for more of them */
	if (is_readable) {
		logfiles_open(g);
		listen_open(g);
		admin_open(g);
		gen_claim(g);
		cachefiles_open(g);
	}
	g->n_wanted = gen_workers(g);
	/* before they are read, so that no change falls between */
	g->certs = certs_new(g->conf);
	g->boot.conf = g->conf;
	g->boot.segment = m->segment;
	g->boot.slots = m->slots;
	g->boot.counters = m->counters;
	tenants_lend(&m->tenants, &g->boot);
	g->boot.confine = seccomp_confine;
	g->boot.wakes = &m->wakes;
	g->boot.claims = g->claims;
	g->boot.generation = g->no;
	g->boot.n_workers = g->n_wanted;
	if (m->state == MASTER_STARTING && g->error_log.fd >= 0)
		logfile_use_error_log(g, "master");
	if (spawn_nursery(g))
		return true;
	diag_error(g->diag, (struct place){0}, "cannot start a process: %s",
	    strerror(errno));
	return gen_drop(g);
}

void
gen_on_prepared(struct gen *g, const struct ctl_msg *msg, int fd)
{
	gen_drop_certs(g);
	g->certs_fd = fd;
	if (gen_is_serving(g))
		tell_certs(g->master);
	g->is_prepared = true;
	cachefiles_prepared(g);
	master_prepared(g->master);
	g->certificate_ends = (int64_t)msg->arg;
	if (g->state == GEN_STARTING || gen_is_serving(g))
		gen_fill(g);
}

/* The nursery's list of problems comes in pieces. */
void
gen_on_refused(struct gen *g, const struct ctl_msg *msg)
{
	size_t len;
	char *p;

	REQUIRE(size_add(g->refusal.len, msg->len, &len));
	if (len > REFUSAL_MAX)
		return;
	p = realloc((void *)(uintptr_t)g->refusal.p, len + 1);
	REQUIRE(p != NULL);
	memcpy(p + g->refusal.len, msg->text, msg->len);
	g->refusal = span_of(p, len);
	if (msg->arg != 1)
		return;
	if (!diag_merge(g->diag, p, len))
		log_msg(
		    LOG_ERROR, "nursery spoke garbage generation=%u", g->no);
	gen_report(g);
	gen_abandon(g, "it was refused");
}

/* --- workers -------------------------------------------------------------- */

void
gen_fill(struct gen *g)
{
	if (!g->is_prepared || g->nursery == NULL ||
	    g->master->state == MASTER_STOPPING)
		return;
	while (g->n_live - g->n_leaving < g->n_wanted) {
		if (spawn_worker(g))
			continue;
		log_msg(LOG_ERROR, "worker not started error=\"%s\"",
		    strerror(errno));
		loop_timer_set(g->master->loop, &g->timer, g->respawn_ms);
		return;
	}
}

/* What an earlier nursery refused is said; the next one looks anew. */
static void
gen_forget_refusal(struct gen *g)
{
	diag_forget(g->diag);
	free((void *)(uintptr_t)g->refusal.p);
	g->refusal = (span){NULL, 0};
}

/* Replace what died. Without a nursery no worker can be: that one first. */
static void
gen_renew(struct gen *g)
{
	if (g->nursery != NULL || g->master->state != MASTER_RUNNING) {
		gen_fill(g);
		return;
	}
	gen_forget_refusal(g);
	if (spawn_nursery(g))
		return;
	log_msg(LOG_ERROR, "nursery not started error=\"%s\"", strerror(errno));
	loop_timer_set(g->master->loop, &g->timer, RESPAWN_MAX_MS);
}

/* Replace at once, or later and later while they die young. */
static void
gen_respawn(struct gen *g, uint64_t lived_ms)
{
	if (lived_ms >= YOUNG_MS) {
		g->respawn_ms = RESPAWN_MIN_MS;
		gen_renew(g);
		return;
	}
	loop_timer_set(g->master->loop, &g->timer, g->respawn_ms);
	g->respawn_ms = u64_min(g->respawn_ms * 2, RESPAWN_MAX_MS);
}

/* The youngest goes. */
static void
gen_retire_one(struct gen *g)
{
	for (struct list *n = g->master->children.prev;
	     n != &g->master->children; n = n->prev) {
		struct child *c = LIST_ENTRY(n, struct child, node);

		if (c->gen == g && c->kind == CHILD_WORKER && !c->is_retiring) {
			gen_retire_worker(g, c);
			return;
		}
	}
}

/* Have as many workers as are wanted now. */
static void
gen_match(struct gen *g)
{
	uint32_t n = gen_workers(g);

	if (n == g->n_wanted)
		return;
	log_msg(LOG_NOTICE, "workers=%u", n);
	for (; g->n_wanted > n; g->n_wanted--)
		gen_retire_one(g);
	g->n_wanted = n;
	gen_fill(g);
}

/* The new one serves: the old ones may go. */
static void
gen_serve(struct gen *g)
{
	struct master *m = g->master;

	gen_goto(g, probation_begin(g, master_serving(m)));
	/* those of the one before it */
	commands_end(m);
	admin_use(g);
	cachefiles_use(g);
	quotafile_use(g);
	logfile_use_error_log(g, "master");
	if (m->steward != NULL && m->steward->ctl >= 0)
		(void)ctl_send_word(
		    m->steward->ctl, CTL_LOG, CTL_LOG_ERROR, g->error_log.fd);
	list_foreach_safe (n, &m->gens) {
		struct gen *old = LIST_ENTRY(n, struct gen, node);

		if (old != g)
			gen_retire(old);
	}
	log_msg(
	    LOG_NOTICE, "serving generation=%u workers=%u", g->no, g->n_live);
	gen_match(g);
	certs_follow(g);
	master_ready(m);
	cachefiles_care(m);
	quotafile_care(m);
}

void
gen_on_ready(struct gen *g, struct child *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	g->n_ready++;
	tell_state(g->master);
	if (g->state == GEN_STARTING && g->n_ready >= g->n_wanted)
		gen_serve(g);
}

static void
gen_on_worker_death(struct gen *g, const struct child *c, uint64_t lived_ms)
{
	g->n_live--;
	g->n_leaving -= c->is_retiring;
	g->n_ready -= c->is_ready;
	tell_state(g->master);
	if (g->state == GEN_STARTING && !c->is_ready) {
		log_msg(LOG_ERROR,
		    "generation=%u failed "
		    "reason=\"a worker died before it was ready\"",
		    g->no);
		gen_abandon(g, "a worker died before it was ready");
		return;
	}
	if (!gen_is_serving(g) && g->state != GEN_STARTING)
		return;
	gen_respawn(g, lived_ms);
	if (c->has_crashed)
		probation_note_crash(g);
}

static void
gen_on_nursery_death(struct gen *g, uint64_t lived_ms)
{
	g->nursery = NULL;
	g->is_prepared = false;
	if (g->state == GEN_STARTING) {
		if (diag_count(g->diag, DIAG_ERROR) > 0 && g->refusal.len == 0)
			gen_report(g);
		log_msg(LOG_ERROR,
		    "generation=%u failed "
		    "reason=\"preparing it ended early\"",
		    g->no);
		gen_abandon(g, "preparing it ended early");
		return;
	}
	if (gen_is_serving(g) && g->master->state == MASTER_RUNNING)
		gen_respawn(g, lived_ms);
}

void
gen_on_death(struct gen *g, struct child *c)
{
	uint64_t now = clock_mono_ms(loop_clock(g->master->loop));
	uint64_t lived_ms = now - c->born_ms;

	if (c->kind == CHILD_NURSERY)
		gen_on_nursery_death(g, lived_ms);
	else
		gen_on_worker_death(g, c, lived_ms);
	gen_check_gone(g);
}

void
gen_resize(struct gen *g, int by)
{
	if (by < 0 && g->n_wanted == 1)
		return;
	if (by > 0 && g->n_wanted == WORKERS_MAX)
		return;
	g->master->extra_workers += by;
	/* one that starts is matched when it serves */
	if (gen_is_serving(g))
		gen_match(g);
}
