/* master/ask: what the steward asks of the master, and the record of reloads
 * that tells it what came of them. A number that only counts up names a reload;
 * who asked for one is told which will be the answer. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "master/admin.h"
#include "master/report.h"

void
reload_begin(struct gen *g)
{
	struct master *m = g->master;

	g->is_reload = m->state != MASTER_STARTING;
	if (g->is_reload)
		m->reload.n_begun++;
	tell_state(m);
}

/* As -t prints it. */
static char *
reload_problems(const struct gen *g, const char *why)
{
	char *text = report_text(g->diag);
	size_t cap;

	if (why == NULL || diag_count(g->diag, DIAG_ERROR) > 0)
		return text;
	free(text);
	cap = strlen(why) + sizeof("\n");
	text = malloc(cap);
	REQUIRE(text != NULL);
	(void)snprintf(text, cap, "%s\n", why);
	return text;
}

/* One more of the last ones. A text that is cut within a letter would be none:
 * all but ASCII is left out. */
static void
reload_note(struct reload *r)
{
	struct reload_past *past = &r->past[r->n_past++ % RELOADS_KEPT];
	size_t n = strcspn(r->problems, "\n");
	size_t len = 0;

	past->is_ok = r->is_ok;
	past->generation = r->generation;
	past->wall_us = r->wall_us;
	for (size_t i = 0; i < n && len + 1 < sizeof(past->problem); i++)
		if (r->problems[i] >= ' ' && r->problems[i] <= '~')
			past->problem[len++] = r->problems[i];
	past->problem[len] = '\0';
}

void
reload_end(struct gen *g, const char *why)
{
	struct master *m = g->master;
	struct reload *r = &m->reload;

	if (!g->is_reload)
		return;
	if (why == NULL && g->reading->was_kept)
		why = "its workers crashed: the configuration before it serves "
		      "again";
	g->is_reload = false;
	r->n_ended = r->n_begun;
	r->is_ok = why == NULL;
	r->generation = g->no;
	r->wall_us = loop_clock(m->loop)->wall_us;
	free(r->problems);
	r->problems = reload_problems(g, why);
	reload_note(r);
	tell_state(m);
}

/* --- what is told of them ------------------------------------------------- */

json_t *
tell_reload(const struct reload *r)
{
	char when[DATE_ISO_LEN];
	json_t *j;

	if (r->n_ended == 0)
		return json_null();
	date_format_iso(r->wall_us, when);
	j = json_object();
	(void)json_object_set_new(j, "ok", json_boolean(r->is_ok));
	(void)json_object_set_new(j, "generation", json_integer(r->generation));
	(void)json_object_set_new(
	    j, "time", tell_text(span_of(when, sizeof(when))));
	(void)json_object_set_new(
	    j, "problems", tell_text(span_str(r->problems)));
	return j;
}

json_t *
tell_reloads(const struct reload *r)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < r->n_past && i < RELOADS_KEPT; i++) {
		const struct reload_past *past =
		    &r->past[(r->n_past - 1 - i) % RELOADS_KEPT];
		char when[DATE_ISO_LEN];
		json_t *j = json_object();

		date_format_iso(past->wall_us, when);
		(void)json_object_set_new(j, "ok", json_boolean(past->is_ok));
		(void)json_object_set_new(
		    j, "generation", json_integer(past->generation));
		(void)json_object_set_new(
		    j, "time", tell_text(span_of(when, sizeof(when))));
		(void)json_object_set_new(j, "problem",
		    past->problem[0] != '\0'
			? tell_text(span_str(past->problem))
			: json_null());
		(void)json_array_append_new(all, j);
	}
	return all;
}

/* --- what is asked -------------------------------------------------------- */

/* Which reload answers who asks now; 0: there will be none. */
static uint32_t
ask_reload(struct master *m)
{
	uint32_t n_before = m->reload.n_begun;

	if (m->state > MASTER_RUNNING)
		return 0;
	signal_reload(m);
	/* it waits behind one that is under way, which read the file before */
	return m->reload.n_begun > n_before ? m->reload.n_begun : n_before + 1;
}

void
ask_obey(struct master *m, uint64_t what)
{
	m->reload.n_asks++;
	tell_state(m);
	switch (what) {
	case ASK_RELOAD:
		m->reload.asked = ask_reload(m);
		break;
	case ASK_REOPEN:
		logfiles_reopen(m);
		break;
	case ASK_QUIT:
		log_msg(LOG_NOTICE, "graceful stop begun");
		master_quit(m);
		break;
	case ASK_STOP:
		log_msg(LOG_NOTICE, "fast stop begun");
		master_stop(m, EXIT_SUCCESS);
		break;
	case ASK_DRAIN:
		if (m->state <= MASTER_RUNNING)
			signal_drain(m);
		break;
	default:
		log_msg(LOG_WARN, "steward asked what=%llu ignored=yes",
		    (unsigned long long)what);
		break;
	}
}
