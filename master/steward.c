/* master/steward: the process for what is neither serving nor mastering: it
 * mends what the dead left in shared memory, checks servers, fetches what
 * certificates need and serves the administration. It has no privileges and is
 * replaced like a worker; what it knows it is told again. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/shm/crash.h"
#include "common/shm/lease.h"
#include "common/store/tenants.h"
#include "master/admin.h"
#include "master/checks.h"
#include "master/keeper.h"
#include "master/master.h"
#include "master/priv.h"
#include "master/quotakeeper.h"
#include "master/resolver.h"
#include "master/stapler.h"
#include "master/title.h"
#include "master/tracer.h"

#define BEAT_MS 1000u

struct steward {
	struct boot boot;
	struct slot_name name;
	struct loop *loop;
	struct watch ctl;
	struct watch wake;
	struct watch signals;
	struct admin admin;
	struct dns_conf *dns; /* NULL: names cannot be resolved */
	struct stapler *stapler;
	struct resolver *resolver;
	struct tracer *tracer;
	struct checks checks;
	struct keeper *keeper;
	bool is_done;
};

/* Between two batches of events: a resolver is let go. */
static void
steward_use_conf(struct steward *s)
{
	const char *servers =
	    json_string_value(json_object_get(s->admin.conf, "dns_servers"));

	if (servers != NULL)
		stapler_use_servers(s->stapler, servers);
	if (s->admin.conf == NULL)
		return;
	resolver_use(s->resolver, s->admin.conf);
	tracer_use(s->tracer, s->admin.conf);
	if (s->checks.conf != s->admin.conf)
		checks_use(&s->checks, s->admin.conf);
}

static void
steward_hear_certs(struct steward *s, const struct ctl_msg *m, int fd)
{
	admin_hear(&s->admin, m, fd);
	stapler_use(s->stapler, s->admin.certs);
}

static void
steward_hear(struct steward *s, const struct ctl_msg *m, int fd)
{
	switch ((enum ctl_type)m->type) {
	case CTL_LOG:
		if (fd >= 0 && m->arg == CTL_LOG_ERROR) {
			log_take_fd(fd);
			return;
		}
		break;
	case CTL_STATE:
	case CTL_CONF:
	case CTL_ADMIN:
		if (fd >= 0)
			admin_hear(&s->admin, m, fd);
		return;
	case CTL_CERTIFICATES:
		if (fd >= 0)
			steward_hear_certs(s, m, fd);
		return;
	case CTL_CACHE_SAVE:
	case CTL_CACHE_LOAD:
		if (fd >= 0)
			keeper_hear(s->keeper, m, fd);
		return;
	case CTL_QUOTA_SAVE:
	case CTL_QUOTA_LOAD:
		if (fd >= 0)
			quotakeeper_hear(&s->boot, m, fd);
		return;
	case CTL_RAN:
		check_command_hear(&s->checks, m->arg);
		break;
	case CTL_SPAWN:
	case CTL_PREPARED:
	case CTL_REFUSED:
	case CTL_HELLO:
	case CTL_READY:
	case CTL_RETIRED:
	case CTL_RETIRE:
	case CTL_LOGS_DONE:
	case CTL_CLOSE_IDLE:
	case CTL_ASK:
	case CTL_CACHE_DONE:
	case CTL_QUOTA_DONE:
	case CTL_RUN:
	case CTL_HELP:
	case CTL_HELPER:
		break;
	}
	if (fd >= 0)
		(void)close(fd);
}

/* What comes with a descriptor. Who has no room for it ends: one that begins
 * anew is told all again. */
static bool
steward_is_passed(enum ctl_type type)
{
	return type == CTL_STATE || type == CTL_CONF || type == CTL_ADMIN ||
	       type == CTL_CERTIFICATES || type == CTL_CACHE_SAVE ||
	       type == CTL_CACHE_LOAD || type == CTL_QUOTA_SAVE ||
	       type == CTL_QUOTA_LOAD;
}

static void
steward_on_ctl(void *self, unsigned events)
{
	struct steward *s = self;
	struct ctl_msg m;
	int fd;
	int rc;

	(void)events;
	while ((rc = ctl_recv(s->ctl.fd, &m, &fd, NULL)) > 0) {
		if (fd < 0 && steward_is_passed((enum ctl_type)m.type)) {
			log_msg(LOG_ERROR, "no descriptor is free ends=yes");
			s->is_done = true;
			return;
		}
		steward_hear(s, &m, fd);
	}
	/* without a master there is nothing to be the steward of */
	if (rc == 0 || errno != EAGAIN)
		s->is_done = true;
}

/* --- repair --------------------------------------------------------------- */

/* Mend what one dead process left; its master sees that and frees the slot. */
static void
steward_repair_slot(struct steward *s, uint32_t slot)
{
	struct slot *d = &s->boot.slots->at[slot];
	uint32_t incarnation = atomic_load(&d->incarnation);

	if (atomic_load(&d->state) != SLOT_DEAD ||
	    atomic_load(&d->repaired) == incarnation)
		return;
	if (!tenants_repair(&s->boot, slot)) {
		log_msg(LOG_WARN, "repair put off slot=%u", slot);
		return;
	}
	atomic_store(&d->repaired, incarnation);
	log_msg(LOG_INFO, "repaired slot=%u incarnation=%u", slot, incarnation);
}

/* The next key of session tickets; how often is told with the configuration. */
static void
steward_rotate(struct steward *s, uint64_t now_ms)
{
	uint64_t every_ms = (uint64_t)json_integer_value(
	    json_object_get(s->admin.conf, "ticket_rotation_ms"));
	uint32_t added;

	if (every_ms == 0)
		return;
	added = ticket_keys_rotate(
	    s->boot.ticket_keys, s->boot.slots, s->name, now_ms, every_ms);
	if (added > 0)
		log_msg(LOG_INFO, "ticket keys added=%u", added);
}

/* What one steward at a time does. */
static void
steward_care(struct steward *s)
{
	uint64_t now_ms = clock_mono_ms(loop_clock(s->loop));

	bool has_lease = lease_hold(
	    segment_lease(s->boot.segment), s->boot.slots, s->name, now_ms);

	resolver_beat(s->resolver);
	checks_beat(&s->checks, has_lease);
	tracer_care(s->tracer, has_lease);
	if (!has_lease)
		return;
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		steward_repair_slot(s, i);
	steward_rotate(s, now_ms);
	stapler_care(s->stapler);
	tenants_care(&s->boot);
}

/* Whatever the token says, all that there is to do is looked at. */
static void
steward_on_token(void *self, uint64_t token)
{
	(void)token;
	steward_care(self);
}

static void
steward_on_wake(void *self, unsigned events)
{
	struct steward *s = self;

	(void)events;
	wake_take(
	    s->boot.slots, s->boot.wakes, s->boot.slot, steward_on_token, s);
}

/* --- life ----------------------------------------------------------------- */

static void
steward_on_signal(void *self, unsigned events)
{
	struct steward *s = self;

	(void)events;
	s->is_done = true;
}

static int
steward_watch_signals(struct steward *s)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -1;
	(void)signal(SIGPIPE, SIG_IGN);
	/* a limit of file sizes costs a snapshot, no more */
	(void)signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	return watch_add(
	    s->loop, &s->signals, fd, LOOP_LEVEL_IN, steward_on_signal, s);
}

/* Keep what this process needs. */
static void
steward_close_others(const struct boot *b)
{
	int keep[SLOTS_MAX + 2];

	memcpy(keep, b->wakes->at, sizeof(b->wakes->at));
	keep[SLOTS_MAX] = b->ctl_fd;
	keep[SLOTS_MAX + 1] = b->error_log_fd;
	close_others(keep, NELEMS(keep));
}

static bool
steward_open(struct steward *s)
{
	const struct boot *b = &s->boot;
	struct conf_scope global =
	    conf_scope_of(b->conf, conf_first(b->conf, CONF_GLOBAL));

	s->loop = loop_new();
	if (s->loop == NULL || !priv_drop(&global) ||
	    steward_watch_signals(s) < 0 ||
	    watch_add(s->loop, &s->ctl, b->ctl_fd, LOOP_LEVEL_IN,
		steward_on_ctl, s) < 0 ||
	    watch_add(s->loop, &s->wake, b->wakes->at[b->slot], LOOP_LEVEL_IN,
		steward_on_wake, s) < 0)
		return false;
	/* the last files that are read */
	s->dns = dns_conf_new(span_of("", 0));
	s->keeper = keeper_new(b);
	s->stapler = stapler_new(s->loop, b, s->dns);
	admin_init(&s->admin, s->loop, b, s->stapler);
	s->resolver = resolver_new(s->loop, b);
	s->tracer = tracer_new(s->loop, b, s->dns);
	checks_init(&s->checks, s->loop, b);
	return b->confine(NULL, 0);
}

/* Answers that are small go out at once. */
static void
steward_close(struct steward *s)
{
	checks_end(&s->checks);
	tracer_free(s->tracer);
	resolver_free(s->resolver);
	admin_end(&s->admin);
	stapler_free(s->stapler);
	keeper_free(s->keeper);
	watch_close(s->loop, &s->signals);
	watch_del(s->loop, &s->wake);
	watch_del(s->loop, &s->ctl);
	loop_step(s->loop, 0);
	loop_free(s->loop);
	dns_conf_free(s->dns);
}

_Noreturn void
steward_main(const struct boot *b)
{
	struct steward s = {
	    .boot = *b,
	    .name = {b->slot, b->incarnation},
	};
	struct slot *slot = &b->slots->at[b->slot];

	title_set("gatehouse: master (health)");
	log_open(b->error_log_fd, b->log_level, "steward");
	steward_close_others(b);
	check_set_sink(slot->panic);
	if (!steward_open(&s)) {
		log_msg(LOG_FATAL, "steward start failed error=\"%s\"",
		    strerror(errno));
		_exit(EXIT_FAILURE);
	}
	atomic_store(&slot->state, SLOT_SERVING);
	CRASH_LISTEN();
	(void)ctl_send_word(b->ctl_fd, CTL_READY, 0, -1);
	while (!s.is_done) {
		steward_use_conf(&s);
		steward_care(&s);
		loop_step(s.loop, keeper_work(s.keeper) ? 0 : BEAT_MS);
		atomic_store(
		    &slot->heartbeat_ms, clock_mono_ms(loop_clock(s.loop)));
	}
	tracer_finish(s.tracer);
	lease_drop(segment_lease(b->segment), s.name);
	steward_close(&s);
	_exit(EXIT_SUCCESS);
}
