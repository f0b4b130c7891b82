/* exch/memory: sums of what the pools count by themselves. */
#include "worker/exch/memory.h"

#include "worker/exch/exch.h"
#include "worker/exch/worker.h"

/* A connection's struct and what the allocator adds to it; with TLS what OpenSSL
 * holds for it (measured in bench/run, tlsidle). */
#define MEMORY_CONN ((size_t)1024)
#define MEMORY_TLS ((size_t)24 * 1024)

size_t
memory_used(const struct worker *w)
{
	return w->arenas.n_live * (size_t)ARENA_CHUNK + w->arenas.large +
	       w->bufs.n_live * (size_t)BUF_CAP + w->bufs.large +
	       w->n_conns * MEMORY_CONN + w->n_tls * MEMORY_TLS + w->h2_bytes;
}

bool
memory_is_over(const struct worker *w)
{
	return w->memory_share != 0 && memory_used(w) > w->memory_share;
}

size_t
memory_of_exch(const struct exch *x)
{
	return x->arena.used + x->req_body.held + x->resp_body.held;
}
