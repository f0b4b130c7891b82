/* front/gate: who may have a connection at all, as soon as its address is
 * known: nobody who is banned, and of one address no more than
 * max_connections_per_ip. */
#ifndef GH_GATE_H
#define GH_GATE_H

#include <stdbool.h>

struct conn;

/* Whether the client of k may go on; it is counted then. Else it is counted and
 * logged, and the caller ends the connection. */
bool gate_enter(struct conn *k);
/* k ends; also of one that never entered. */
void gate_leave(struct conn *k);

#endif
