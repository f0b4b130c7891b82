/* master/spawn: starting of processes. The steward and the nurseries are forks
 * of the master; workers are born in a nursery and become the master's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/admin.h"
#include "master/master.h"

static struct child *
child_new(struct master *m, enum child_kind kind, struct gen *g)
{
	struct child *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	c->master = m;
	c->kind = kind;
	c->gen = g;
	c->ctl = -1;
	c->worker = UINT32_MAX;
	c->watch.fd = -1;
	c->born_ms = clock_mono_ms(loop_clock(m->loop));
	list_push_back(&m->children, &c->node);
	return c;
}

static void
child_release(void *self)
{
	free(self);
}

void
child_free(struct child *c)
{
	struct loop *l = c->master->loop;

	/* a steward that was too loud is not watched, but open */
	watch_del(l, &c->watch);
	if (c->ctl >= 0)
		(void)close(c->ctl);
	c->ctl = -1;
	list_del(&c->node);
	task_init(&c->reap, child_release, c);
	loop_reap(l, &c->reap);
}

/* Our end of its control socket. */
static bool
child_watch(struct child *c, int ctl)
{
	if (watch_add(c->master->loop, &c->watch, ctl, LOOP_LEVEL_IN,
		child_on_ctl, c) < 0)
		return false;
	c->ctl = ctl;
	return true;
}

/* Fork with a control socket. Returns the child's pid, 0 in the child, -1 with
 * errno. *c is the new entry (in the parent), *ctl the child's end (there). */
static pid_t
child_fork(struct master *m, enum child_kind kind, struct gen *g,
    struct child **c, int *ctl)
{
	int ends[2];
	pid_t pid;

	if (ctl_pair(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		signals_reset();
		*ctl = ends[1];
		return 0;
	}
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return -1;
	}
	*c = child_new(m, kind, g);
	(*c)->pid = pid;
	if (!child_watch(*c, ends[0]))
		(void)close(ends[0]);
	return pid;
}

bool
spawn_steward(struct master *m)
{
	struct gen *g = master_newest(m);
	int slot;
	struct child *c = NULL;
	int ctl = -1;
	pid_t pid;

	if (g == NULL) {
		/* drained: without a configuration nobody can be made */
		errno = EAGAIN;
		return false;
	}
	slot = slots_take(m->slots, SLOT_STEWARD, 0, segment_epoch(m->segment));
	if (slot < 0) {
		errno = EAGAIN;
		return false;
	}
	pid = child_fork(m, CHILD_STEWARD, NULL, &c, &ctl);
	if (pid == 0) {
		struct boot b = g->boot;

		b.slot = (uint32_t)slot;
		b.incarnation = atomic_load(&m->slots->at[slot].incarnation);
		b.ctl_fd = ctl;
		steward_main(&b);
	}
	if (pid < 0) {
		slots_release(m->slots, (uint32_t)slot);
		return false;
	}
	atomic_store(&m->slots->at[slot].pid, (uint32_t)pid);
	c->slot = (uint32_t)slot;
	c->incarnation = atomic_load(&m->slots->at[slot].incarnation);
	m->steward = c;
	tell_all(m);
	return true;
}

bool
spawn_nursery(struct gen *g)
{
	struct child *c = NULL;
	int ctl = -1;
	pid_t pid = child_fork(g->master, CHILD_NURSERY, g, &c, &ctl);

	if (pid == 0)
		nursery_main(&g->boot, g->diag, ctl);
	if (pid < 0)
		return false;
	g->nursery = c;
	return true;
}

/* The least number that no live worker of the generation has. */
static uint32_t
spawn_number(const struct gen *g)
{
	for (uint32_t i = 0;; i++) {
		bool is_taken = false;

		list_foreach (n, &g->master->children) {
			const struct child *c =
			    LIST_ENTRY(n, struct child, node);

			is_taken |= c->gen == g && c->kind == CHILD_WORKER &&
				    c->worker == i;
		}
		if (!is_taken)
			return i;
	}
}

/* Ask the nursery for a worker. It says its pid with its first word. */
bool
spawn_worker(struct gen *g)
{
	struct master *m = g->master;
	int slot =
	    slots_take(m->slots, SLOT_WORKER, g->no, segment_epoch(m->segment));
	struct ctl_msg msg;
	struct child *c;
	int ends[2];

	if (slot < 0) {
		errno = EAGAIN;
		return false;
	}
	if (ctl_pair(ends) < 0) {
		slots_release(m->slots, (uint32_t)slot);
		return false;
	}
	c = child_new(m, CHILD_WORKER, g);
	c->slot = (uint32_t)slot;
	c->incarnation = atomic_load(&m->slots->at[slot].incarnation);
	c->worker = spawn_number(g);
	memset(&msg, 0, offsetof(struct ctl_msg, text));
	msg.type = CTL_SPAWN;
	msg.slot = c->slot;
	msg.incarnation = c->incarnation;
	msg.arg = c->worker;
	if (!child_watch(c, ends[0]) ||
	    ctl_send(g->nursery->ctl, &msg, ends[1]) < 0) {
		int err = errno;

		(void)close(ends[1]);
		if (c->ctl < 0)
			(void)close(ends[0]);
		slots_release(m->slots, (uint32_t)slot);
		child_free(c);
		errno = err;
		return false;
	}
	(void)close(ends[1]);
	g->n_live++;
	tell_state(m);
	return true;
}
