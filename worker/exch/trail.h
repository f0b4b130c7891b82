/* exch/trail: what decided about an exchange, line by line, for who asks later
 * (`gatehouse why`) and who runs it dry (`gatehouse explain`). Whoever decides
 * notes it where it decides; worker/log/decision_feed keeps it when the exchange
 * is over. */
#ifndef GH_TRAIL_H
#define GH_TRAIL_H

#include "worker/exch/exch.h"

/* Note it, with a text of the plan or of the exchange's arena. A few stores:
 * for what is met by exchanges that are just served. More than DECISION_LINES
 * are left out, the last ones. */
static inline void
trail_add(
    struct exch *x, enum decision_word word, const struct place *at, span text)
{
	struct trail_line *l = &x->trail[x->n_trail];

	if (x->n_trail == DECISION_LINES)
		return;
	l->text = text;
	l->at = *at;
	l->word = word;
	x->n_trail++;
}

/* The same with a text that is made, which a dry run writes down as well: for
 * what ends an exchange. */
void trail_note(struct exch *x, enum decision_word word, struct place at,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for what is met by exchanges that are just served: joined, not
 * printed. */
void trail_join(struct exch *x, enum decision_word word, const struct place *at,
    const span *parts, size_t n);

/* What decided about one that was spawned for it. */
void trail_copy(struct exch *x, const struct exch *spawned);

#endif
