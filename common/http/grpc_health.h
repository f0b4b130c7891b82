/* http/grpc_health: what is asked and answered in a check of a gRPC server
 * (grpc.health.v1.Health/Check of the gRPC Health Checking Protocol), as content
 * of an HTTP/2 request: one message with its prefix of five bytes ("gRPC over
 * HTTP2", Length-Prefixed-Message). */
#ifndef GH_GRPC_HEALTH_H
#define GH_GRPC_HEALTH_H

#include <stddef.h>

#include "common/base/span.h"

#define GRPC_HEALTH_TARGET "/grpc.health.v1.Health/Check"
/* Longest name of a service that can be asked for. */
#define GRPC_HEALTH_NAME_MAX 255u

/* Room for a request. */
#define GRPC_HEALTH_REQUEST_CAP (8u + GRPC_HEALTH_NAME_MAX)

/* The request for a service of at most GRPC_HEALTH_NAME_MAX bytes, or for the
 * whole server when the name is empty. Returns its length. */
size_t grpc_health_request(span service, char out[GRPC_HEALTH_REQUEST_CAP]);

enum grpc_health {
	GRPC_HEALTH_BAD, /* no whole and single message, or malformed */
	GRPC_HEALTH_UNKNOWN,
	GRPC_HEALTH_SERVING,
	GRPC_HEALTH_NOT_SERVING
};

/* What an answer's content says; a status that later versions have is
 * UNKNOWN. */
enum grpc_health grpc_health_read(span content);

#endif
