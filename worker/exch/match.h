/* exch/match: one line of a condition, `[!]SUBJECT [OP VALUE...]`, compiled at
 * load and judged without allocating.
 *
 *   SUBJECT  a variable without braces: path, header:X-A, status
 *   (none)   it is there and not empty
 *   = !=     any of the values        ^= $= *=  begins, ends with, holds one
 *   ~ !~     a regular expression, the rest of the line
 *   < <= > >=  one number             in  any of the ranges or networks
 *
 * The values of a line are ORed, `!` negates it; a field that has several lines
 * matches when one of them does; what is not there is compared as empty text
 * and with no number. Lines are ANDed by who holds them. */
#ifndef GH_MATCH_H
#define GH_MATCH_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "worker/exch/vars.h"

struct exch;
struct match;

enum match_rc {
	MATCH_NO,
	MATCH_YES,
	MATCH_WAIT_USER, /* not before somebody has said who it is */
	MATCH_WAIT_ADDR, /* not before the host's address is known */
	MATCH_WAIT_CRAWLER, /* not before the client's name is known */
	MATCH_LIMIT /* a regex needed too many steps */
};

/* Compile a line; the text is borrowed, the rest is in the arena. NULL with a
 * message at the place of what is wrong. A variable that is known only after
 * src->when is wrong. */
struct match *match_new(
    struct arena *a, const struct var_src *src, struct diag *d);
/* Give back what it holds outside of the arena; NULL is allowed. */
void match_free(struct match *m);

/* Judge it now. {request} and a field's joined lines apart, which the variable
 * puts together in the exchange's arena, nothing is allocated. */
enum match_rc match_eval(const struct match *m, struct exch *x);

/* From when on it can be judged. */
enum var_when match_when(const struct match *m);
/* What is judged. */
enum var_id match_subject(const struct match *m);

#endif
