/* exch/grpc: deadlines and statuses of gRPC. */
#include "worker/exch/grpc.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"

#define TIMEOUT_DIGITS 8
#define NS_PER_MS 1000000u

/* The codes that are given here by name. */
enum { GRPC_UNKNOWN = 2, GRPC_DEADLINE_EXCEEDED = 4 };

bool
grpc_is_call(const struct exch *x)
{
	static const span kind = {"application/grpc", 16};
	span type = exch_req_field(x, FIELD_CONTENT_TYPE);
	span rest;

	if (x->req.version != HTTP_2 ||
	    !span_ieq(span_first(type, kind.len), kind))
		return false;
	rest = span_trim(span_from(type, kind.len));
	return rest.len == 0 || rest.p[0] == '+' || rest.p[0] == ';';
}

/* Nanoseconds of a unit; 0: there is no such unit. */
static uint64_t
grpc_unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return UINT64_C(3600000000000);
	case 'M':
		return UINT64_C(60000000000);
	case 'S':
		return UINT64_C(1000000000);
	case 'm':
		return NS_PER_MS;
	case 'u':
		return 1000;
	case 'n':
		return 1;
	default:
		return 0;
	}
}

uint64_t
grpc_timeout_ms(span value)
{
	uint64_t n, ns;

	if (value.len < 2 || value.len > TIMEOUT_DIGITS + 1 ||
	    !span_u64(span_first(value, value.len - 1), UINT32_MAX, &n))
		return 0;
	ns = grpc_unit_ns(value.p[value.len - 1]);
	if (ns == 0)
		return 0;
	/* units are whole milliseconds, or whole parts of one */
	n = ns >= NS_PER_MS ? n * (ns / NS_PER_MS)
			    : (n * ns + NS_PER_MS - 1) / NS_PER_MS;
	return u64_max(n, 1);
}

uint64_t
grpc_deadline_ms(const struct exch *x)
{
	return grpc_is_call(x)
		   ? grpc_timeout_ms(exch_req_field(x, FIELD_GRPC_TIMEOUT))
		   : 0;
}

static unsigned
grpc_status_of(const struct exch *x, unsigned status)
{
	static const struct {
		unsigned http;
		unsigned grpc;
	} rows[] = {
#define GRPC_OF(http, grpc, name) {http, grpc},
#include "worker/exch/grpc.def"
#undef GRPC_OF
	};

	if (x->fault == F_DEADLINE)
		return GRPC_DEADLINE_EXCEEDED;
	for (size_t i = 0; i < NELEMS(rows); i++)
		if (rows[i].http == status)
			return rows[i].grpc;
	return GRPC_UNKNOWN;
}

void
grpc_reply(struct exch *x, unsigned status)
{
	/* printable, without a percent sign: nothing is to be encoded */
	span why = x->fault == F_NONE ? status_reason(status)
				      : span_str(fault_row(x->fault)->text);
	struct http_fields *f = &x->resp.fields;

	exch_reply(x, 200, SPAN_LIT("application/grpc"), span_of(NULL, 0));
	/* its head is its end: no length is told */
	x->resp.body = LENGTH_NONE;
	fields_add_id(f, &x->arena, FIELD_GRPC_STATUS,
	    arena_printf(&x->arena, "%u", grpc_status_of(x, status)));
	fields_add_id(f, &x->arena, FIELD_GRPC_MESSAGE, why);
}
