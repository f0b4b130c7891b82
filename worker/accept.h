/* worker/accept: client connections off the shared listening sockets. */
#ifndef GH_ACCEPT_H
#define GH_ACCEPT_H

#include "worker/exch/worker.h"

struct acceptor;

/* Watch all listening sockets of the boot. NULL with errno. */
struct acceptor *acceptor_new(struct worker *w);
/* A connection came or went: look at the sockets again if that is fair now. */
void acceptor_recheck(struct acceptor *a);
/* Another worker leaves waiting connections to this one. */
void acceptor_offered(struct acceptor *a);
/* Stop for good and close this process's copies of the sockets. */
void acceptor_stop(struct acceptor *a);
void acceptor_free(struct acceptor *a);

#endif
