/* audit: what rules of a firewall found in an exchange, told in the log of their
 * [waf]. */
#ifndef GH_AUDIT_H
#define GH_AUDIT_H

struct exch;

/* At the end of each exchange, once. */
void audit_exchange(struct exch *x);

#endif
