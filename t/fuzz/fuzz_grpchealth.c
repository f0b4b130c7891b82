/* fuzz/grpchealth: any bytes as the content of an answer to a check by gRPC:
 * one verdict, and SERVING only when the status is there as such. */
#include "common/http/grpc_health.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	enum grpc_health says = grpc_health_read(in);
	bool has_status = false;

	for (size_t i = 0; i < in.len; i++)
		has_status |= in.p[i] == 0x08 || (uint8_t)in.p[i] == 0x88;
	REQUIRE(says != GRPC_HEALTH_SERVING || (in.len >= 7 && has_status));
	fuzz_free(in);
	return 0;
}
