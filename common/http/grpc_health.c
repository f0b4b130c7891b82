/* http/grpc_health: the few bytes of Protocol Buffers that two messages of one
 * field each need (protobuf.dev, "Encoding"). */
#include "common/http/grpc_health.h"

#include <stdint.h>
#include <string.h>

#include "common/base/check.h"

#define PREFIX_LEN 5u
/* Field 1, of both messages: a text in one, a number in the other. */
#define TAG_SERVICE 0x0a
#define FIELD_STATUS 1u
/* Bytes of the longest number. */
#define VARINT_MAX 10
#define VARINT_BITS 7

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

size_t
grpc_health_request(span service, char out[GRPC_HEALTH_REQUEST_CAP])
{
	size_t n = PREFIX_LEN;

	REQUIRE(service.len <= GRPC_HEALTH_NAME_MAX);
	memset(out, 0, PREFIX_LEN);
	if (service.len > 0) {
		out[n++] = TAG_SERVICE;
		/* a length of one or two digits of base 128 */
		if (service.len < 1u << VARINT_BITS) {
			out[n++] = (char)service.len;
		} else {
			out[n++] = (char)(0x80 | (service.len & 0x7f));
			out[n++] = (char)(service.len >> VARINT_BITS);
		}
		memcpy(out + n, service.p, service.len);
		n += service.len;
	}
	out[PREFIX_LEN - 2] = (char)((n - PREFIX_LEN) >> 8);
	out[PREFIX_LEN - 1] = (char)(n - PREFIX_LEN);
	return n;
}

static bool
read_varint(span *s, uint64_t *out)
{
	uint64_t v = 0;

	for (int i = 0; i < VARINT_MAX; i++) {
		uint8_t byte;

		if (s->len == 0)
			return false;
		byte = (uint8_t)s->p[0];
		*s = span_from(*s, 1);
		/* the last one has one bit left */
		if (i == VARINT_MAX - 1 && byte > 1)
			return false;
		v |= (uint64_t)(byte & 0x7f) << (VARINT_BITS * i);
		if (byte < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* Pass over the value of a field that is of no interest. */
static bool
skip_value(span *s, uint64_t type)
{
	uint64_t n;

	switch (type) {
	case WIRE_VARINT:
		return read_varint(s, &n);
	case WIRE_64:
		n = 8;
		break;
	case WIRE_32:
		n = 4;
		break;
	case WIRE_BYTES:
		if (!read_varint(s, &n))
			return false;
		break;
	default:
		return false;
	}
	if (n > s->len)
		return false;
	*s = span_from(*s, (size_t)n);
	return true;
}

/* The one field; the last one counts, without any it is 0. */
static bool
read_status(span message, uint64_t *status)
{
	*status = 0;
	while (message.len > 0) {
		uint64_t tag;
		bool ok;

		if (!read_varint(&message, &tag) || tag > UINT32_MAX)
			return false;
		if (tag >> 3 == 0)
			return false;
		ok = tag == (FIELD_STATUS << 3 | WIRE_VARINT)
			 ? read_varint(&message, status)
			 : skip_value(&message, tag & 7);
		if (!ok)
			return false;
	}
	return true;
}

enum grpc_health
grpc_health_read(span content)
{
	uint64_t status;
	size_t len = 0;

	if (content.len < PREFIX_LEN)
		return GRPC_HEALTH_BAD;
	for (size_t i = 1; i < PREFIX_LEN; i++)
		len = len << 8 | (uint8_t)content.p[i];
	/* compressed: nobody asked for that */
	if (content.p[0] != 0 || len != content.len - PREFIX_LEN ||
	    !read_status(span_from(content, PREFIX_LEN), &status))
		return GRPC_HEALTH_BAD;
	switch (status) {
	case 1:
		return GRPC_HEALTH_SERVING;
	case 2:
	case 3: /* the service is not known, in a stream of Watch */
		return GRPC_HEALTH_NOT_SERVING;
	default:
		return GRPC_HEALTH_UNKNOWN;
	}
}
