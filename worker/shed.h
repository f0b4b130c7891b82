/* shed: what a worker does when its connections take more than its share of
 * memory_limit: idle ones are closed, then the greediest broken off. */
#ifndef GH_SHED_H
#define GH_SHED_H

struct worker;

/* To be called each turn; costs a comparison while there is no limit, and a sum
 * while it is kept. */
void shed_turn(struct worker *w);

#endif
