/* exch/vars_proxy: the variables that logs of proxies are made of. */
#ifndef GH_VARS_PROXY_H
#define GH_VARS_PROXY_H

#include "worker/exch/vars.h"

/* As var_get(), of URL, SQUID_RESULT and SQUID_PEER. */
span var_get_proxy(struct exch *x, enum var_id id, char *scratch);

#endif
