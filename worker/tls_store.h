/* tls_store: what TLS shares with other processes, out of the shared segment.
 */
#ifndef GH_TLS_STORE_H
#define GH_TLS_STORE_H

#include "worker/exch/worker.h"

/* Fill w->tls_shared; the boot and the loop of w are there. */
void tls_store_open(struct worker *w);

#endif
