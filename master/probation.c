/* master/probation: a new configuration that must prove itself. For
 * `reload_window` the one before it is kept as it was read; when workers of the
 * new one crash again and again in that time, a generation is made of the kept
 * one, whatever the file says by then. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "master/master.h"

/* Workers that may crash before a new configuration is given up. */
#define PROBATION_CRASHES 3u

struct reading *
reading_new(const struct conf_source *src)
{
	struct reading *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	r->refs = 1;
	r->diag = diag_new();
	r->conf = conf_source_load(src, r->diag);
	return r;
}

struct reading *
reading_ref(struct reading *r)
{
	r->refs++;
	return r;
}

void
reading_unref(struct reading *r)
{
	if (r == NULL || --r->refs > 0)
		return;
	conf_free(r->conf);
	diag_free(r->diag);
	free(r);
}

void
probation_forget(struct master *m)
{
	loop_timer_clear(m->loop, &m->probation);
	reading_unref(m->kept);
	m->kept = NULL;
}

void
probation_on_timer(void *self)
{
	struct master *m = self;
	struct gen *g = master_serving(m);

	probation_forget(m);
	if (g != NULL && g->state == GEN_PROBATION)
		gen_goto(g, GEN_SERVING);
}

enum gen_state
probation_begin(struct gen *g, const struct gen *before)
{
	struct master *m = g->master;
	struct conf_scope s =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
	int64_t window_ms = conf_num(&s, KEY_GLOBAL_RELOAD_WINDOW);

	if (window_ms == 0 || before == NULL || g->reading->was_kept) {
		probation_forget(m);
		return GEN_SERVING;
	}
	/* one that is not proven itself is nothing to go back to */
	if (m->kept == NULL) {
		m->kept = reading_ref(before->reading);
		m->kept->was_kept = true;
	}
	loop_timer_set(m->loop, &m->probation, (uint64_t)window_ms);
	return GEN_PROBATION;
}

void
probation_note_crash(struct gen *g)
{
	struct master *m = g->master;
	struct reading *back;

	if (g->state != GEN_PROBATION || ++g->n_crashes < PROBATION_CRASHES ||
	    m->kept == NULL || master_is_starting(m))
		return;
	log_msg(LOG_ERROR,
	    "reload rolled back generation=%u "
	    "reason=\"its workers crash\" crashes=%u",
	    g->no, g->n_crashes);
	back = m->kept;
	m->kept = NULL;
	probation_forget(m);
	gen_goto(g, GEN_SERVING);
	(void)gen_start(m, back);
}
