/* exch/memory: what the connections of a worker take, against its share of
 * memory_limit. Counted are blocks, arenas, sessions of HTTP/2, and a fixed
 * price for each connection; nothing is asked of the allocator. */
#ifndef GH_MEMORY_H
#define GH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct exch;
struct worker;

/* Bytes that all connections of the worker take now. */
size_t memory_used(const struct worker *w);
/* Whether that is more than its share; false without memory_limit. */
bool memory_is_over(const struct worker *w);
/* Bytes of one exchange. */
size_t memory_of_exch(const struct exch *x);

#endif
