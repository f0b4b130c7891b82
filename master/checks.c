/* master/checks: all servers together: what is checked with which
 * configuration, and what changes without one: ejections that end, panic. */
#include "master/checks.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/ipc/boot.h"

static void
checks_start(struct checks *c)
{
	for (size_t i = 0; i < c->n_groups; i++)
		for (size_t k = 0; k < c->groups[i].n_servers; k++)
			check_server_start(&c->groups[i].servers[k]);
}

static void
checks_stop(struct checks *c)
{
	for (size_t i = 0; i < c->n_groups; i++)
		for (size_t k = 0; k < c->groups[i].n_servers; k++)
			check_server_stop(&c->groups[i].servers[k]);
}

static void
checks_drop(struct checks *c)
{
	if (c->is_on)
		checks_stop(c);
	check_groups_close(c);
	json_decref(c->conf);
	c->conf = NULL;
}

void
checks_use(struct checks *c, json_t *conf)
{
	checks_drop(c);
	c->conf = json_incref(conf);
	c->commands.generation =
	    (uint32_t)json_integer_value(json_object_get(conf, "generation"));
	check_groups_open(c);
	if (c->is_on)
		checks_start(c);
}

/* --- what changes by itself ----------------------------------------------- */

static void
server_look(struct check_server *s, struct health_class *usual,
    struct health_class *backup)
{
	const struct checks *c = s->group->all;
	uint64_t now_ms = clock_mono_ms(loop_clock(c->loop));
	char text[CHECK_TEXT_CAP];
	struct health h;
	bool is_ejected;

	if (!check_name_is_there(s))
		return;
	history_note(c->boot->upstate, s->id, now_ms);
	health_look(c->boot->upstate, s->id, now_ms, &h);
	health_class_add(s->is_backup ? backup : usual, &h);
	is_ejected = h.state == HEALTH_EJECTED;
	if (s->was_ejected && h.state == HEALTH_UP)
		log_msg(LOG_NOTICE,
		    "server back after ejection upstream=%.*s server=%s",
		    SPAN_FMT(s->group->name), check_name_text(s, text));
	s->was_ejected = is_ejected;
}

/* Workers see all this for themselves; people are told once. */
static void
group_look(struct check_group *g)
{
	struct health_class usual = {0, 0};
	struct health_class backup = {0, 0};
	bool panics;

	for (size_t i = 0; i < g->n_servers; i++)
		server_look(&g->servers[i], &usual, &backup);
	panics = health_panics(&usual, &backup, g->panic_tenths);
	if (panics && !g->is_panicking)
		log_msg(LOG_WARN,
		    "all servers used, too few are healthy upstream=%.*s "
		    "healthy=%u of=%u",
		    SPAN_FMT(g->name), usual.n_fit, usual.n);
	else if (!panics && g->is_panicking)
		log_msg(LOG_NOTICE,
		    "enough servers are healthy again upstream=%.*s "
		    "healthy=%u of=%u",
		    SPAN_FMT(g->name), usual.n_fit, usual.n);
	g->is_panicking = panics;
}

void
checks_beat(struct checks *c, bool has_lease)
{
	if (has_lease && !c->is_on)
		checks_start(c);
	else if (!has_lease && c->is_on)
		checks_stop(c);
	c->is_on = has_lease;
	for (size_t i = 0; has_lease && i < c->n_groups; i++)
		group_look(&c->groups[i]);
}

/* --- life ----------------------------------------------------------------- */

void
checks_init(struct checks *c, struct loop *l, const struct boot *b)
{
	memset(c, 0, sizeof(*c));
	c->loop = l;
	c->boot = b;
	sipkey_random(&c->jitter);
	check_commands_init(c);
	c->system_text = tls_trust_system_text(&c->system_len);
	c->io = tls_io_new(l, NULL);
}

void
checks_end(struct checks *c)
{
	checks_drop(c);
	check_commands_end(c);
	tls_io_free(c->io);
	tls_trust_free(c->system);
	free(c->system_text);
}
