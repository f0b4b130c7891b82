/* exch/sink: what a dry run writes down. Stages, handlers and everything else
 * that decides about an exchange call sink_note() where they decide; it costs a
 * branch when nobody records. With x->sink set nothing may have an effect
 * outside of the exchange: no socket, no log, no shared counter. */
#ifndef GH_SINK_H
#define GH_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"

struct decision; /* common/store/decisions.h */

/* One thing that was decided. */
struct sink_line {
	struct sink_line *next;
	const char *word; /* of what: "site", "rule" */
	struct place at; /* line 0: nowhere in the configuration */
	span text;
};

struct sink {
	struct arena *arena;
	struct sink_line *first;
	struct sink_line **last;
	unsigned answer_status; /* what servers are taken to answer */
	bool is_over; /* the exchange has ended */
	bool
	    has_content; /* what the client sends is all there, and looked at */
	bool is_refused; /* by rules of a [waf] */
	bool is_judged; /* by them, whole or refused */
	struct decision *decision; /* what is kept of one that is not dry; or
	                              NULL */
	span audit; /* what its audit log would say; empty: no [waf] judges */
};

/* An empty one; lines live in the arena, servers answer 200. */
void sink_init(struct sink *s, struct arena *a);
/* `word` lives forever. */
void sink_add(struct sink *s, const char *word, struct place at,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Note what is decided about the exchange, if it is recorded. */
#define sink_note(x, word, at, ...) \
	do { \
		if ((x)->sink != NULL) \
			sink_add((x)->sink, word, at, __VA_ARGS__); \
	} while (0)

/* For what no line of the configuration decides. */
#define SINK_NOWHERE ((struct place){0})

#endif
