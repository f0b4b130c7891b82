/* exch/grpc: what a call of gRPC needs beside HTTP/2: the deadline that its
 * client gave, and our own answers in its own terms ("gRPC over HTTP2"). Its
 * messages are content like any other. */
#ifndef GH_GRPC_H
#define GH_GRPC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

struct exch;

/* Whether the request is a call: application/grpc, or a kind of it, over
 * HTTP/2. Others would not understand its answers. */
bool grpc_is_call(const struct exch *x);
/* Read a Timeout: at most 8 digits and a unit of HMSmun. Milliseconds, rounded
 * up, at least 1; 0: it is none. */
uint64_t grpc_timeout_ms(span value);
/* The time that the client gave for the call; 0: it gave none. */
uint64_t grpc_deadline_ms(const struct exch *x);
/* Our answer to a call that HTTP would get `status` for: 200 and trailers
 * only. */
void grpc_reply(struct exch *x, unsigned status);

#endif
