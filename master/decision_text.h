/* master/decision_text: what was decided about a request, as JSON and for
 * people: of one that was served (`gatehouse why`), and of one that is run dry
 * (`gatehouse explain`). All texts are the clients' or the configuration's: all
 * but plain ASCII is escaped here. */
#ifndef GH_DECISION_TEXT_H
#define GH_DECISION_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "common/store/decisions.h"

/* The name of a file; empty when it is not known. */
typedef span decision_name_f(const void *self, uint16_t file);

/* New. */
json_t *decision_json(
    const struct decision *d, decision_name_f *name, const void *self);
/* As `gatehouse explain` prints its lines; of any JSON, since it comes from
 * another process. */
void decision_print(FILE *out, const json_t *j);
/* One of its lines. */
void decision_print_line(FILE *out, const json_t *line);

#endif
