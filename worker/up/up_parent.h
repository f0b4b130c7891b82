/* up/up_parent: servers that are proxies themselves: a plain request goes to one
 * with its whole URL (RFC 9112 3.2.2), a tunnel by a CONNECT of our own. */
#ifndef GH_UP_PARENT_H
#define GH_UP_PARENT_H

#include "worker/up/lb.h"
#include "worker/up/origin.h"

/* Plain requests. */
extern const struct origin_ops parent_ops;
/* What a CONNECT asks for; any other answer than 2xx is F_PARENT_REFUSED. */
extern const struct origin_ops parent_tunnel_ops;

/* The first that is left, in the order of the configuration. */
extern const struct lb_ops lb_in_order;

#endif
