/* route/allow: the Allow field of answers that we make ourselves. */
#ifndef GH_ALLOW_H
#define GH_ALLOW_H

struct exch;

/* Say in x->resp which methods pass through here (RFC 9110 10.2.1). */
void allow_add(struct exch *x);

#endif
