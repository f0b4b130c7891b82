/* conf/conf_balance: the name of the policy that chooses servers, and what the
 * operator may do to it while it runs. What policies do: worker/up/lb.h. */
#ifndef GH_CONF_BALANCE_H
#define GH_CONF_BALANCE_H

#include "common/conf/conf.h"

/* The first word of `balance` of an upstream in scope. */
span conf_balance_name(const struct conf_scope *s);
/* Whether weights of its servers may change while it runs: with another weight
 * a hash would send keys of all servers elsewhere. */
bool conf_balance_has_weights(span name);

#endif
